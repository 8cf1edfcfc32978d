/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.h: names of NFS servers to addresses that answer, in a process that may hang with DNS */
#ifndef BERTH_AGENT_RESOLVER_H
#define BERTH_AGENT_RESOLVER_H

#include <stdint.h>

#include "base/cleanup.h"

/*
 * One frame kind of lib/worker. Request: str servers (one, or several with commas), u64 port.
 * Reply 0: str server (the one of them that answered), str address (numeric). -errno with the
 * text as body: no name resolved, or nobody answered an RPC NULL within the time; the text has each
 * server's own reason.
 */
#define RESOLVER_FIND 1
/* All of it, names and answers; the parent allows a little more. */
#define RESOLVER_BUDGET SECONDS(15)
/* How long one address may take to connect and to answer. */
#define RESOLVER_PROBE SECONDS(4)
#define RESOLVER_PORT 2049
#define RESOLVER_SERVERS_MAX 8

/* The child's side: serves until the parent has gone (0), or -errno. */
int resolver_run(int fd);

#endif
