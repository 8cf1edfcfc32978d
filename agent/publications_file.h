/* SPDX-License-Identifier: Apache-2.0 */
/* publications_file.h: publications as a JSON file; for agent/publications.c */
#ifndef BERTH_AGENT_PUBLICATIONS_FILE_H
#define BERTH_AGENT_PUBLICATIONS_FILE_H

#include "agent/publications.h"
#include "data/decode.h"

/* PUBLICATIONS_MAX entries of usual length; a longer file is not ours. */
#define PUBLICATIONS_FILE_MAX DATA_JSON_MAX

/*
 * Calls take for each publication; entries that are none are left out and counted in a log line.
 * No file: 0 and no call. -EBADMSG, -EFBIG, -ENOMEM or the system's own with text: what was taken
 * before stays with the callee.
 */
int publications_file_load(const char *path,
	int (*take)(const struct publication *p, void *userdata), void *userdata, struct err *e);
int publications_file_save(const char *path, const struct publications *v, struct err *e);

#endif
