/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rpc_server.c: any bytes of a peer of the gRPC server: each call is answered or told of its
 * end, nothing stays */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "event/loop.h"
#include "rpc/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536
#define TURNS 6 /* enough for a piece to be read, dispatched, answered and sent */
#define HELD_MAX 128
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

struct world {
	struct loop *loop;
	struct defer *tick;
	struct rpc_server *server;
	struct rpc_call *held[HELD_MAX];
	unsigned n_held, cancelled, turns;
};

static void on_tick(struct defer *d, void *userdata)
{
	struct world *w = userdata;

	if (w->turns-- == 0)
		loop_exit(w->loop, 0);
	else
		defer_arm(d);
}

static void turn(struct world *w)
{
	w->turns = TURNS;
	defer_arm(w->tick);
	(void)loop_run(w->loop);
}

static void on_echo(struct rpc_call *call, const void *message, size_t size, void *userdata)
{
	(void)userdata;
	rpc_answer(call, message, size);
}

static void on_cancel(struct rpc_call *call, void *userdata)
{
	struct world *w = userdata;

	if (!rpc_call_cancelled(call))
		abort();
	w->cancelled++;
}

static void on_hold(struct rpc_call *call, const void *message, size_t size, void *userdata)
{
	struct world *w = userdata;

	if (w->n_held == HELD_MAX) {
		rpc_fail(call, RPC_ABORTED, "%.*s", (int)size, (const char *)message);
		return;
	}
	w->held[w->n_held++] = call;
	rpc_call_on_cancel(call, on_cancel, w);
}

static const struct rpc_method methods[] = {{"/t.T/Echo", on_echo}, {"/t.T/Hold", on_hold}};

static int start(struct world *w, int pair[2])
{
	const uid_t uid = getuid();
	const struct rpc_server_options o = {
		.fd = -1, .uids = &uid, .n_uids = 1, .methods = methods, .n_methods = 2};

	if (loop_new(&w->loop) < 0 || defer_new(&w->tick, w->loop, on_tick, w) < 0 ||
		rpc_server_new(&w->server, w->loop, &o, w, NULL) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	return rpc_server_adopt(w->server, pair[0]);
}

static void drain(int fd)
{
	char chunk[4096];

	while (recv(fd, chunk, sizeof(chunk), 0) > 0)
		;
}

/* The first byte: a preface or not, and the size of the pieces. */
static void talk(struct world *w, int fd, const uint8_t *data, size_t size)
{
	size_t step = 1 + (size_t)(data[0] >> 1) * 64;

	if (data[0] & 1 && send(fd, PREFACE, sizeof(PREFACE) - 1, MSG_NOSIGNAL) < 0)
		return;
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (send(fd, data + at, n, MSG_NOSIGNAL) < 0)
			break;
		turn(w);
		drain(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_server_counts counts;
	struct world w = {0};
	int pair[2];

	/* One byte a turn is slow: for short inputs only. */
	if (size < 2 || size > INPUT_MAX || (data[0] < 2 && size > 64))
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	if (start(&w, pair) < 0)
		abort();
	talk(&w, pair[1], data, size);
	/* Half of what was held is answered while the peer is there, half after. */
	for (unsigned i = 0; i < w.n_held / 2; i++)
		rpc_answer(w.held[i], "late", 4);
	turn(&w);
	fd_close(pair[1]);
	turn(&w);
	rpc_server_counts(w.server, &counts);
	if (counts.connections != 0 || counts.calls != w.n_held - w.n_held / 2)
		abort();
	rpc_server_free(w.server);
	for (unsigned i = w.n_held / 2; i < w.n_held; i++)
		rpc_fail(w.held[i], RPC_UNAVAILABLE, "the end");
	if (w.cancelled < w.n_held - w.n_held / 2)
		abort();
	defer_free(w.tick);
	loop_free(w.loop);
	return 0;
}
