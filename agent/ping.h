/* SPDX-License-Identifier: Apache-2.0 */
/* ping.h: RPC NULL calls to one NFS server, for ever, through a pinger (pinger.h) */
#ifndef BERTH_AGENT_PING_H
#define BERTH_AGENT_PING_H

#include <stdint.h>

#include "base/cleanup.h"
#include "event/loop.h"
#include "worker/pool.h"

#define PING_PORT 2049

/*
 *  Resting ─due─► Asking ─answer, failure─► Resting ─due─► …
 *                   │ silence: PING_SILENT, and asked again at once (it may be late)
 *                   └─────► Asking
 *  A pinger that was lost says nothing of the server: no event, asked again after a rest.
 */
enum ping_event {
	PING_CALLED,   /* a call was asked for */
	PING_ANSWERED, /* with its round trip */
	PING_FAILED,   /* no connection, or it broke under a call, or what came was no answer */
	PING_SILENT    /* connected, called, and no answer for hang_ns */
};

struct ping;
/* The ping must not be freed within. */
typedef void (*ping_fn)(struct ping *p, enum ping_event ev, uint64_t round_trip_ns, void *userdata);
struct ping_options {
	struct worker_pool *pool; /* of pingers: one for all servers; NULL: nobody is asked */
	const char *address;      /* numeric, IPv4 or IPv6 with or without %scope; copied */
	uint16_t port;            /* 0 = PING_PORT */
	uint64_t interval_ns; /* between the end of one call and the next; after a failure too */
	uint64_t hang_ns;     /* also for the connection to open */
};
/* The first call is made at the loop's next turn. -EINVAL: no numeric address. */
int ping_new(struct ping **ret, struct loop *l, const struct ping_options *o, ping_fn fn,
	void *userdata);
struct ping *ping_free(struct ping *p);
DEFINE_CLEANUP(struct ping *, ping_free)

#endif
