/* SPDX-License-Identifier: Apache-2.0 */
/* server.h: the one server of a worker: its connections and the calls in flight on them */
#ifndef BERTH_NFS_SERVER_H
#define BERTH_NFS_SERVER_H

#include <poll.h>

#include "nfs/compat.h"

/* NFSv3 or NFSv4.0: how calls become RPCs. */
struct protocol {
	int version;
	/* Sends the first RPC of c, or the one of c->phase when it is tried again. Later
	 * call_done(); negative: nothing was sent. */
	int (*start)(struct server *s, struct call *c);
	const char *(*status_text)(uint32_t status);
};
extern const struct protocol nfs3_protocol;
extern const struct protocol nfs4_protocol;

struct server {
	const struct protocol *protocol;
	const char *name; /* as the class names it */
	char local[80];   /* our own address and port */
	struct rpc_context *nfs;
	struct rpc_context *mount; /* NFSv3; NULL once mountd closed it */
	struct nfs_cred cred;      /* set in nfs */
	bool cred_set;
	size_t inflight;      /* RPCs */
	uint64_t sent;        /* RPCs since the start */
	uint64_t heard;       /* clock_now() of the last reply, or of the first RPC after idling */
	struct list finished; /* calls whose callback is due */
	struct list delayed;  /* calls the server asked to repeat later */
	struct nfs4_state *v4;
	bool again; /* must be started anew: a mountd that went away is needed */
};

void server_init(struct server *s, const char *name);
/* Starts c. The callback comes from server_run(), never from here. */
void server_call(struct server *s, struct call *c, call_fn fn, void *userdata);
/* Callbacks of finished calls and new tries of delayed ones; returns clock_now() of the next try,
 * 0 for none. */
uint64_t server_run(struct server *s);

/* What to poll for: the connection and, where there is one, mountd's; gives how many. */
size_t server_pollfds(const struct server *s, struct pollfd fds[static 2]);
/* After poll: reads, then sends. -ECONNRESET: the connection broke. */
int server_io(struct server *s, const struct pollfd *fds);
/* Sends what was queued since. */
int server_flush(struct server *s);

/* For the protocols: the context with c's identity set, one RPC counted. */
struct rpc_context *server_rpc(struct server *s, const struct call *c);
/* An RPC's reply has come (or never will). */
void server_answered(struct server *s);
/* Ends c after an RPC without a result: data is the library's word for why. */
void call_rejected(struct call *c, int status, const char *data);
/* c is over, or its RPC is tried again where the server asked for that. why: the status's name, or
 * text that lives as long as the program. */
void call_done(struct call *c, int r, uint32_t status, const char *why);

#endif
