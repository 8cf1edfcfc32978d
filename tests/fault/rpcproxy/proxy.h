/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h: the parts of rpcproxy: calls and their names, rules, connections, the control socket */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* A WRITE of 1 MiB and its head; what is longer is forwarded to nobody. */
#define RECORD_MAX (2U << 20)
/* Bytes waiting for a slow reader before we stop reading from the other side. */
#define OUT_MAX (8U << 20)
/* Calls without a reply on one connection: the worker's window is 32, a kernel client's some 128.
 */
#define PENDING_MAX 1024
#define CONNS_MAX 64
#define LISTENERS_MAX 8
#define RULES_MAX 16
#define COUNTS_MAX 128

/* ---- call.c: what a record is ---- */
struct call {
	uint32_t xid, prog, vers, proc;
	const char *name; /* NFS: MKDIR…; a v4 compound is named by its first mutating operation */
	bool mutating;
};
/* BODY is a record without its marks. False: not an RPC call. */
bool call_parse(const uint8_t *body, size_t size, struct call *ret);

/* ---- rule.c: what to do at which call ---- */
enum act {
	ACT_NONE,
	ACT_CUT_BEFORE,
	ACT_CUT_AFTER,
	ACT_RST,
	ACT_DELAY,
	ACT_KILL_BEFORE,
	ACT_KILL_AFTER,
	ACT_DROP_CALL,
	ACT_DROP_REPLY,
};
struct rule {
	char match[32];          /* a call's name, or any, or mutating */
	unsigned long nth, seen; /* 0: every one */
	enum act act;
	char arg[256]; /* DELAY: ms; KILL: a pid, @FILE with one, or peer */
	bool fired;
};
/* "PROC N ACTION [ARG]". NULL, or what is wrong. */
const char *rule_parse(const char *text, struct rule *ret);
const char *act_name(enum act act);
/* Counts the call against every rule; the first that strikes, or NULL. */
struct rule *rule_match(struct rule *rules, size_t n, const struct call *call);
/* Kills the process that the rule names; PORT is the client's, for "peer". */
void rule_kill(const struct rule *rule, int port);

/* ---- conn.c: one client's connection and the one to its server ---- */
struct bytes {
	uint8_t *data;
	size_t len, cap, off;
};
struct half {
	int fd;           /* read from here, written to the other half's */
	struct bytes in;  /* the record that is coming in */
	struct bytes out; /* what waits for the other side */
	uint64_t passed;  /* bytes written so far */
	bool eof;
};
struct pending {
	uint32_t xid;
	enum act act;
	struct rule *rule;
	const char *name;
};
struct conn {
	unsigned id;
	int client_port;
	struct half up, down; /* from the client; from the server */
	struct pending pending[PENDING_MAX];
	size_t n_pending;
	int64_t hold_until; /* ms; DELAY */
	int64_t started;
	bool dead;
};

struct count {
	const char *name;
	uint32_t vers;
	unsigned long n;
};
struct listener {
	int fd;
	char host[64], port[16];
};
struct proxy {
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct conn *conns[CONNS_MAX];
	struct rule rules[RULES_MAX];
	size_t n_rules;
	struct count counts[COUNTS_MAX];
	size_t n_counts;
	uint64_t cut_up, cut_down; /* bytes after which a connection is cut; 0: never */
	uint64_t slow;             /* bytes per second and direction; 0: no limit */
	bool refuse, pause;
	unsigned last_id;
	int control, control_conn;
	FILE *log;
};

int64_t now_ms(void);
void conn_accept(struct proxy *p, struct listener *l);
/* Bytes came in, room is there, or time has passed. */
void conn_step(struct proxy *p, struct conn *c, short up, short down);
void conn_cut(struct conn *c, bool rst);
/* Which events to poll for; lowers *timeout where the connection waits for time. */
void conn_events(
	struct proxy *p, struct conn *c, struct pollfd *up, struct pollfd *down, int *timeout);
void conn_free(struct conn *c);

/* ---- control.c ---- */
int control_listen(const char *path);
void control_accept(struct proxy *p);
