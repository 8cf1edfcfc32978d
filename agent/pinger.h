/* SPDX-License-Identifier: Apache-2.0 */
/* pinger.h: RPC NULL calls to NFS servers, from the network that mounts go out from: a child of the
 * broker */
#ifndef BERTH_AGENT_PINGER_H
#define BERTH_AGENT_PINGER_H

/*
 * One frame kind of lib/worker. Request: str address (numeric, IPv4 or IPv6 with or without
 * %scope), u64 port, u64 hang_ns: a call of the NFS program's NULL procedure over the connection
 * that is kept for this server, made where there is none. Servers do not wait for each other.
 * Reply:
 *   0            u64: the round trip in ns
 *   -ETIMEDOUT   connected, called, and no answer for hang_ns. The call stays open: the next
 *                request waits for its answer, as long again, before the connection is given up (a
 *                server that was restarted knows nothing of the call)
 *   -ENOTCONN    no connection within hang_ns, or it broke under the call, or what came was none
 *   -ECANCELED   another request for the same server came
 *   -EPROTO, -ENFILE   no such question; more than PINGER_SERVERS_MAX servers
 */
#define PINGER_CALL 1
#define PINGER_SERVERS_MAX 256

/* The child's side: serves until the parent has gone (0), or -errno. */
int pinger_run(int fd);

#endif
