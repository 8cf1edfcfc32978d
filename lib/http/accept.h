/* SPDX-License-Identifier: Apache-2.0 */
/* accept.h: listening sockets, and connections within limits; for lib/http only */
#ifndef BERTH_HTTP_ACCEPT_H
#define BERTH_HTTP_ACCEPT_H

#include <sys/socket.h>

#include "event/loop.h"
#include "http/server.h"

struct acceptor;
struct accept_limits {
	unsigned all;     /* beyond, nothing is accepted until one closes */
	unsigned per_uid; /* on unix sockets, of one uid other than 0, and the places that all these
			     leave to root; 0: no such limit */
};
/* fd is the callee's: non-blocking. */
typedef void (*accept_fn)(int fd, const struct sockaddr *sa, socklen_t size, void *userdata);

/* A listening TCP socket on a numeric address; -errno. */
int accept_listen(const char *address, uint16_t port);
/* Takes the listening socket fd over, on failure too. Without descriptors or memory for one more
 * connection it tries again 100 ms later (accept(2): the socket stays readable). */
int acceptor_new(struct acceptor **ret, struct loop *l, int fd, const struct accept_limits *limits,
	accept_fn fn, void *userdata);
struct acceptor *acceptor_free(struct acceptor *a);
/* No connection any more. */
void acceptor_stop(struct acceptor *a);

/* Counts the connection that fn is taking over; the result is for acceptor_closed(), may be NULL.
 */
void *acceptor_opened(struct acceptor *a);
/* Returns NULL. */
void *acceptor_closed(struct acceptor *a, void *opened);

/* Who is at the other end of a unix socket; -ENOTCONN on others. */
int accept_peer(int fd, struct http_peer *ret);

#endif
