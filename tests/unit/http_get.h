/* SPDX-License-Identifier: Apache-2.0 */
/* http_get.h: one request by a child process, while the loop of the test runs */
#ifndef BERTH_TESTS_HTTP_GET_H
#define BERTH_TESTS_HTTP_GET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "event/loop.h"

struct http_get {
	struct loop *loop;
	uint16_t port;      /* of 127.0.0.1, 0: socket */
	const char *socket; /* path of a unix socket */
	uid_t uid;          /* becomes that one first, with group (not for 0) */
	gid_t group;
	const char *body; /* NULL for none */
	char text[65536]; /* of the answer, without its head */
};

/* "GET /x"; the status, 0 where none came. The text is cut. */
int http_get(struct http_get *g, const char *request);

#endif
