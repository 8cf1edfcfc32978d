/* SPDX-License-Identifier: Apache-2.0 */
/* asker.h: requests to the agent's admin socket (libcurl) */
#ifndef BERTH_BERTHCTL_ASKER_H
#define BERTH_BERTHCTL_ASKER_H

#include <jansson.h>

#include "base/err.h"

/* An answer of 5,000 mounts has some 4 MiB; data_json_load() takes as much. */
#define ASKER_ANSWER_MAX (16U << 20)

/*
 * path begins with "/v1/"; body is JSON for POST, NULL for GET. 0 with the document (the caller's),
 * whatever the HTTP status, which is *ret_status. -errno where nobody answers (the reason is the
 * system's), -EBADMSG for what is no JSON. The trash of a server that is silent takes 40 s: 60 s
 * at most.
 */
int asker_ask(const char *socket, const char *path, const char *body, long *ret_status,
	json_t **ret, struct err *e);

/* Called for each line without its end, while the stream lasts; negative ends it. */
typedef int (*asker_line_fn)(const char *line, void *userdata);
/* Until the agent closes (0), fn does (its value), or nothing works (-errno). An answer that is not
 * 200 is -EPROTO with its message in e. */
int asker_follow(
	const char *socket, const char *path, asker_line_fn fn, void *userdata, struct err *e);

#endif
