/* SPDX-License-Identifier: Apache-2.0 */
/* orders.h: the front's end of the broker's socket: sockets published, children started and killed
 */
#ifndef BERTH_AGENT_ORDERS_H
#define BERTH_AGENT_ORDERS_H

#include <sys/types.h>

#include "agent/broker.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"
#include "worker/pool.h"

/*
 * One for the process. on_gone: the broker has gone or speaks nonsense: the front is about to be
 * killed anyway, exit (loop_exit). Not called by orders_free().
 */
struct orders;
typedef void (*orders_gone_fn)(void *userdata);
/* Takes fd, also on failure. */
int orders_new(struct orders **ret, struct loop *l, int fd, orders_gone_fn on_gone, void *userdata);
/* No callback any more; pools that start through it are freed. */
struct orders *orders_free(struct orders *o);
DEFINE_CLEANUP(struct orders *, orders_free)

/* fd: the listening or connected socket, now the callee's; -1 where e says why not, and for a
 * removal. */
typedef void (*orders_socket_fn)(int fd, const struct err *e, void *userdata);
/*
 * Publishes (broker.h says how) or removes a socket. After 0 exactly one callback, never before
 * the return, in the order of the calls. -ENAMETOOLONG, -ENOMEM, -ENOTCONN: no callback.
 */
int orders_publish(struct orders *o, enum broker_base base, const char *path, mode_t mode,
	orders_socket_fn fn, void *userdata);
int orders_remove(struct orders *o, enum broker_base base, const char *path, orders_socket_fn fn,
	void *userdata);
/* A connection to a socket beneath base, such as our own CSI socket; callback as above. */
int orders_connect(struct orders *o, enum broker_base base, const char *path, orders_socket_fn fn,
	void *userdata);

/*
 * A pool whose workers are the broker's children of a class; at most one for a class. Keys are
 * shorter than BROKER_KEY_MAX. options: all but program, argv and spawner. Freed by
 * orders_pool_free(), which is legal where there is none, never by worker_pool_free().
 */
int orders_pool_new(struct orders *o, enum broker_class what, const struct worker_options *options,
	struct worker_pool **ret);
void orders_pool_free(struct orders *o, enum broker_class what);

#endif
