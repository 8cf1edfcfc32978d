/* SPDX-License-Identifier: Apache-2.0 */
/* health.h: which NFS servers answer and which volumes are stale, found out without touching a path
 */
#ifndef BERTH_AGENT_HEALTH_H
#define BERTH_AGENT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "event/loop.h"

/*
 * Each server that a mount uses gets a call of the NFS program's NULL procedure (RFC 5531 9, RFC
 * 1813 3.3.0, RFC 7530 15.1) over a TCP connection of our own, at an interval, from the network
 * that the mounts go out from (pinger.h); what a path on a dead server does to a process
 * (contracts.md 6.6) cannot happen to us.
 *
 *  Unknown ─answer─► Ok ◄─fast 3x── Slow        Down ─answer─► Ok
 *                    └──slow 3x──────►          Ok, Slow, Unknown ─silence──► Down
 *
 * Silence is a call that was not answered for hang_ns, or connections that failed down_after times
 * in a row. A server that never took a connection from us stays Unknown until a call into the mount
 * itself timed out (health_called): what is mounted over RDMA or UDP may have no TCP port.
 */
enum health_reach { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_SLOW, HEALTH_DOWN };
/* "unknown", "ok", "slow", "down". */
const char *health_reach_name(enum health_reach r);

struct health;
struct worker_pool;
struct health_options {
	struct worker_pool *pool; /* of pingers, borrowed; NULL: every server stays Unknown */
	uint64_t interval_ns;     /* between calls; 0 = 3 s */
	uint64_t hang_ns;         /* silence for so long is Down; 0 = 4 s */
	uint64_t slow_ns;    /* round trips above are slow, below half of it fast; 0 = 200 ms */
	unsigned down_after; /* connections that failed in a row; 0 = 2 */
};
/* A server's reach or a volume's staleness changed; told at most once a turn of the loop, never
 * within a call of ours. */
typedef void (*health_fn)(struct health *h, void *userdata);
int health_new(struct health **ret, struct loop *l, const struct health_options *o, health_fn fn,
	void *userdata);
struct health *health_free(struct health *h);
DEFINE_CLEANUP(struct health *, health_free)

/*
 * The servers to watch, level-triggered: begin, each one (again is fine), end; what was not named
 * between is forgotten. address is numeric, as mountinfo's addr= has it; port 0 = 2049. At most 256
 * servers are watched, further ones stay Unknown. -EINVAL for no address, -ENOMEM.
 */
void health_begin(struct health *h);
int health_want(struct health *h, const char *address, uint16_t port);
void health_end(struct health *h);

enum health_reach health_of(const struct health *h, const char *address, uint16_t port);
/* The mean of the last round trips, 0 without one. */
uint64_t health_round_trip(const struct health *h, const char *address, uint16_t port);

/*
 * What a call into a mounted path came to, done by a mount child (mounter.h): code 0, or a positive
 * errno. ESTALE marks the target until a call succeeds; ETIMEDOUT speaks for a server that we
 * cannot reach ourselves. target is the path that was asked about; address may be NULL.
 */
void health_called(
	struct health *h, const char *target, const char *address, uint16_t port, int code);
bool health_is_stale(const struct health *h, const char *target);
/* The target is no longer mounted. */
void health_forget(struct health *h, const char *target);

struct health_count {
	unsigned servers, down, slow;
	uint64_t calls, failures; /* so far */
};
struct health_count health_count(const struct health *h);

#endif
