/* SPDX-License-Identifier: Apache-2.0 */
/* http_world.h: a server with a handler for each kind of answer, and clients in child processes */
#ifndef BERTH_TESTS_HTTP_WORLD_H
#define BERTH_TESTS_HTTP_WORLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "http/server.h"

#define PEER_GROUP 4242

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct timer *timer;
	struct child *child;
	struct http_exchange *waiting;
	unsigned requests, gone, written;
	int last_write;
	int status;
	struct http_peer peer;
	bool in_group, in_other_group;
	char unix_path[64];
};

/* What a client does with a connected socket; its result is the child's exit code. */
typedef int (*client_fn)(struct fixture *f, int fd);

extern const struct http_handler http_world_handler;
void start(struct fixture *f, bool on_unix);
void stop(struct fixture *f);
int connect_to(struct fixture *f);
/* Runs the loop until the client's process ended; its exit code. */
int run_client(struct fixture *f, client_fn fn);
int say(int fd, const char *text);
/* Reads until the text is there or the peer closed; the bytes read. */
ssize_t read_until(int fd, char *dst, size_t size, const char *text);

#endif
