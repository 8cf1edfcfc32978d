/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: the worker's own side: frames on descriptor 3 beside the descriptors it serves, with
 * poll(2) and lib/base alone */
#ifndef BERTH_WORKER_CHILD_H
#define BERTH_WORKER_CHILD_H

#include <poll.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "worker/frame.h"

#define WORKER_FD 3

struct worker_child {
	int fd;
	struct buf in;
	struct buf out;
	size_t taken; /* of in, given out by worker_child_next() */
};

int worker_child_init(struct worker_child *c, int fd);
void worker_child_done(struct worker_child *c);
/* Blocks until the init frame is there: its body in *ret (inside c->in until worker_child_next). */
int worker_child_wait_init(struct worker_child *c, const char **ret_body, size_t *ret_size);
/* Queues a reply; worker_child_flush() or poll sends it. -EMSGSIZE above FRAME_BODY_MAX; waits for
 * the parent where it has not taken megabytes of replies. */
int worker_child_reply(struct worker_child *c, uint32_t id, uint32_t kind, int result,
	const void *body, size_t size);
/* What to poll for. */
short worker_child_events(const struct worker_child *c);
/* After poll: moves bytes. -ECONNRESET when the parent has gone: exit. */
int worker_child_io(struct worker_child *c, short revents);
/* 1 and the next request (body valid until the next call of this or of worker_child_io()), 0 for
 * none, -EPROTO. */
int worker_child_next(struct worker_child *c, struct frame_header *ret_h, const char **ret_body);
/* Sends all that is queued, blocking; for the last word before an exit. */
int worker_child_flush(struct worker_child *c);
/* For a child that serves nothing but its parent: blocks until there is something to take, what is
 * queued goes out first. One system call where poll and worker_child_io() are two. -ECONNRESET when
 * the parent has gone: exit. */
int worker_child_wait(struct worker_child *c);

/*
 * The whole life of such a child on fd: the init frame is answered with success, then each request
 * as it comes: fn appends the reply's body (emptied before, reply_max bytes at most), or gives
 * -errno with the text that is the body then. 0 when the parent has gone, else -errno.
 */
typedef int (*worker_serve_fn)(const struct frame_header *h, const char *body, struct buf *reply,
	struct err *e, void *userdata);
int worker_child_serve(int fd, size_t reply_max, worker_serve_fn fn, void *userdata);

#endif
