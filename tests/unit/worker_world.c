/* SPDX-License-Identifier: Apache-2.0 */
/* worker_world.c: a pool whose workers are this test program itself, and shots at it */
#include "tests/unit/worker_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/sandbox.h"
#include "worker/child.h"

/* ---- the worker ---------------------------------------------------------------------------- */

static void raw(const struct frame_header *h)
{
	if (fd_write_all(WORKER_FD, h, sizeof(*h)) < 0)
		_exit(1);
}

static void reply(struct worker_child *c, const struct frame_header *h, const void *p, size_t n)
{
	if (worker_child_reply(c, h->id, h->kind, (int)n, p, n) < 0)
		_exit(1);
}

static void answer_bytewise(const struct frame_header *h)
{
	struct frame_header answer = {.size = 3, .id = h->id, .kind = h->kind, .result = 3};
	char bytes[sizeof(answer) + 3];

	memcpy(bytes, &answer, sizeof(answer));
	memcpy(bytes + sizeof(answer), "abc", 3);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (fd_write_all(WORKER_FD, bytes + i, 1) < 0)
			_exit(1);
		usleep(500);
	}
}

/* "fds=0,1,2,3 blocked=0 ignored=0 leader=1 death=9 stdout=/dev/null" */
static void answer_state(struct worker_child *c, const struct frame_header *h)
{
	char text[256], link[64] = "";
	struct buf b = BUF_NULL(200);
	struct sigaction pipe;
	int death = 0;
	sigset_t set;
	int r = buf_puts(&b, "fds=");

	for (int fd = 0; fd < 200 && r >= 0; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			r = buf_printf(&b, "%d,", fd);
	sigprocmask(SIG_BLOCK, NULL, &set);
	sigaction(SIGPIPE, NULL, &pipe);
	prctl(PR_GET_PDEATHSIG, &death);
	if (r < 0 || readlink("/proc/self/fd/1", link, sizeof(link) - 1) < 0)
		_exit(1);
	snprintf(text, sizeof(text), "%s blocked=%d ignored=%d leader=%d death=%d stdout=%s",
		b.data, sigismember(&set, SIGCHLD), pipe.sa_handler == SIG_IGN,
		getsid(0) == getpid(), death, link);
	buf_done(&b);
	reply(c, h, text, strlen(text));
}

static void answer_big(struct worker_child *c, const struct frame_header *h)
{
	char *big = calloc(1, FRAME_BODY_MAX);

	if (!big)
		_exit(1);
	reply(c, h, big, FRAME_BODY_MAX);
	free(big);
}

static void lock_in(struct worker_child *c, const struct frame_header *h)
{
	struct err e = ERR_NULL;
	int r = sandbox_close_fds((const int[]){WORKER_FD}, 1, &e);

	if (r >= 0)
		r = sandbox_drop(SANDBOX_UID, SANDBOX_GID, &e);
	if (r >= 0)
		r = sandbox_harden(16, &e);
	if (r >= 0)
		r = sandbox_seccomp(SANDBOX_WORKER, &e);
	if (r >= 0)
		err_set(&e, 0, r > 0 ? "filtered" : "open");
	reply(c, h, e.text, strlen(e.text));
}

static void leave_an_heir(void)
{
	/* The heir ends by itself: nothing of the test may stay. */
	if (fork() == 0) {
		sleep(2);
		_exit(0);
	}
	_exit(4);
}

static void serve(struct worker_child *c, const struct frame_header *h, const char *body)
{
	struct frame_header lie = {.id = h->id, .kind = h->kind};
	char text[32];

	switch ((enum deed)h->kind) {
	case DEED_ECHO:
		reply(c, h, body, h->size);
		break;
	case DEED_STOP:
		raise(SIGSTOP);
		break;
	case DEED_EXIT:
		_exit(3);
	case DEED_LAST_WORD:
		reply(c, h, "bye", 3);
		_exit(worker_child_flush(c) < 0);
	case DEED_BYTEWISE:
		answer_bytewise(h);
		break;
	case DEED_TWICE:
		reply(c, h, "a", 1);
		reply(c, h, "b", 1);
		break;
	case DEED_STRANGER:
		lie.id = h->id + 1000;
		raw(&lie);
		break;
	case DEED_HUGE:
		lie.size = FRAME_BODY_MAX + 1;
		raw(&lie);
		break;
	case DEED_IMPOSSIBLE:
		lie.result = INT32_MIN;
		raw(&lie);
		break;
	case DEED_ZERO:
		lie.id = 0;
		lie.kind = 0;
		raw(&lie);
		break;
	case DEED_MUTE:
		close(WORKER_FD);
		pause();
		break;
	case DEED_HEIR:
		leave_an_heir();
		break;
	case DEED_PID:
		reply(c, h, text, (size_t)snprintf(text, sizeof(text), "%d", (int)getpid()));
		break;
	case DEED_ERROR:
		if (worker_child_reply(c, h->id, h->kind, -ENOSPC, NULL, 0) < 0)
			_exit(1);
		break;
	case DEED_BIG:
		answer_big(c, h);
		break;
	case DEED_STATE:
		answer_state(c, h);
		break;
	case DEED_LOCK_IN:
		lock_in(c, h);
		break;
	case DEED_CONNECT:
		_exit(socket(AF_INET, SOCK_STREAM, 0) < 0);
	case DEED_INIT:
	case DEED_HANG:
	case _DEED_MAX:
		break;
	}
}

static int begin(struct worker_child *c)
{
	struct frame_header early = {.id = 5, .kind = DEED_ECHO};
	const char *text = "server says \x1b[31mno";
	_cleanup_free_ char *how = NULL;
	const char *body;
	size_t size;

	if (worker_child_wait_init(c, &body, &size) < 0)
		return -1;
	how = strndup(body, size);
	if (!how || streq(how, "exit"))
		return -1;
	if (streq(how, "never"))
		pause();
	if (streq(how, "early"))
		raw(&early);
	if (streq(how, "fail"))
		return worker_child_reply(c, 0, 0, -ECONNREFUSED, text, strlen(text));
	if (streq(how, "silent"))
		return worker_child_reply(c, 0, 0, -ETIMEDOUT, NULL, 0);
	return worker_child_reply(c, 0, 0, 0, NULL, 0);
}

static int serve_all(struct worker_child *c)
{
	struct frame_header h;
	const char *body;
	int r;

	for (;;) {
		struct pollfd p = {.fd = WORKER_FD, .events = worker_child_events(c)};

		if (poll(&p, 1, -1) < 0)
			return 1;
		if (worker_child_io(c, p.revents) < 0)
			return 0;
		while ((r = worker_child_next(c, &h, &body)) > 0)
			serve(c, &h, body);
		if (r < 0)
			return 2;
	}
}

int worker_world_main(void)
{
	struct worker_child c;
	int r = 3;

	if (worker_child_init(&c, WORKER_FD) >= 0 && begin(&c) >= 0)
		r = serve_all(&c);
	worker_child_done(&c);
	return r;
}

/* ---- the parent ---------------------------------------------------------------------------- */

static void on_guard(struct timer *t, void *userdata)
{
	struct world *w = userdata;

	(void)t;
	loop_exit(w->loop, -ETIME);
}

void world_init(struct world *w, const struct worker_options *o)
{
	static const char *const argv[] = {"worker", "--worker", NULL};
	struct worker_options options = *o;

	*w = (struct world){.done = 0};
	if (!options.program)
		options.program = "/proc/self/exe";
	if (!options.argv)
		options.argv = argv;
	if (options.backoff_min_ns == 0)
		options.backoff_min_ns = MILLISECONDS(5);
	if (options.backoff_max_ns == 0)
		options.backoff_max_ns = MILLISECONDS(40);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(timer_new_exact(&w->guard, w->loop, on_guard, w), 0);
	assert_int_equal(worker_pool_new(&w->pool, w->loop, &options), 0);
}

void world_done(struct world *w)
{
	worker_pool_free(w->pool);
	timer_free(w->guard);
	loop_free(w->loop);
}

static void on_reply(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct shot *s = userdata;

	assert_ptr_equal(c, s->call);
	s->calls++;
	s->r = reply->r;
	s->sent = reply->sent;
	s->size = reply->size;
	memcpy(s->body, reply->body ? reply->body : "",
		reply->size < sizeof(s->body) - 1 ? reply->size : sizeof(s->body) - 1);
	str_copy_cut(s->text, sizeof(s->text), str_or(reply->text, ""));
	assert_true((reply->text == NULL) == (reply->body != NULL));
	if (++s->world->done == s->world->wanted)
		loop_exit(s->world->loop, 0);
	if (s->then)
		s->then(s);
}

struct worker_request world_request(const char *key, enum deed deed, const char *body)
{
	return (struct worker_request){.key = key,
		.init = "ok",
		.init_size = 2,
		.kind = (uint32_t)deed,
		.body = body,
		.size = body ? strlen(body) : 0,
		.deadline_ns = SECONDS(10)};
}

int shoot_request(struct world *w, struct shot *s, const struct worker_request *q)
{
	s->world = w;
	return worker_call(w->pool, q, on_reply, s, &s->call);
}

void shoot(struct world *w, struct shot *s, const char *key, enum deed deed)
{
	struct worker_request q = world_request(key, deed, "hello");

	assert_int_equal(shoot_request(w, s, &q), 0);
}

void world_wait(struct world *w, size_t n)
{
	w->wanted = w->done + n;
	timer_arm(w->guard, SECONDS(20));
	assert_int_equal(loop_run(w->loop), 0);
	timer_disarm(w->guard);
	w->wanted = 0;
}

void world_run(struct world *w, unsigned ms)
{
	timer_arm(w->guard, MILLISECONDS(ms));
	assert_int_equal(loop_run(w->loop), -ETIME);
}

void world_wait_reaped(struct world *w, pid_t pid)
{
	for (unsigned i = 0; kill(pid, 0) == 0; i++) {
		assert_true(i < 2000);
		world_run(w, 10);
	}
}

struct looked {
	const char *key;
	const char *state;
};

static void on_key(const char *key, const char *state, size_t waiting, void *userdata)
{
	struct looked *l = userdata;

	(void)waiting;
	if (streq(key, l->key))
		l->state = state;
}

const char *world_state(struct world *w, const char *key)
{
	struct looked l = {.key = key, .state = ""};

	worker_pool_each(w->pool, on_key, &l);
	return l.state;
}

struct worker_stats world_stats(const struct world *w)
{
	struct worker_stats s;

	worker_pool_stats(w->pool, &s);
	return s;
}

pid_t world_pid(struct world *w, const char *key)
{
	struct shot s = {.calls = 0};

	shoot(w, &s, key, DEED_PID);
	world_wait(w, 1);
	assert_true(s.r > 0);
	return (pid_t)strtol(s.body, NULL, 10);
}
