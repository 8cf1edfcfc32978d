/* SPDX-License-Identifier: Apache-2.0 */
/* volumes_file.h: publications as a JSON file; for agent/volumes.c */
#ifndef BERTH_AGENT_VOLUMES_FILE_H
#define BERTH_AGENT_VOLUMES_FILE_H

#include "agent/volumes.h"
#include "data/decode.h"

/* VOLUMES_MAX entries of usual length; a longer file is not ours. */
#define VOLUMES_FILE_MAX DATA_JSON_MAX

/*
 * Calls take for each publication; entries that are none are left out and counted in a log line.
 * No file: 0 and no call. -EBADMSG, -EFBIG, -ENOMEM or the system's own with text: what was taken
 * before stays with the callee.
 */
int volumes_file_load(const char *path, int (*take)(const struct publication *p, void *userdata),
	void *userdata, struct err *e);
int volumes_file_save(const char *path, const struct volumes *v, struct err *e);

#endif
