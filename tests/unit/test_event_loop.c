/* SPDX-License-Identifier: Apache-2.0 */
/* test_event_loop.c: descriptors, signals, children and deferred calls, and freeing them anywhere
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "event/loop.h"
#include "tests/unit/fault.h"

struct world {
	struct loop *loop;
	int pair[2];
	struct io *io;
	struct io *other;
	struct defer *defer;
	struct defer *second;
	struct timer *guard;
	int calls;
	int seen[16];
};

static void on_guard(struct timer *t, void *userdata)
{
	struct world *w = userdata;

	(void)t;
	loop_exit(w->loop, -ETIME);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->pair), 0);
	assert_int_equal(timer_new_exact(&w->guard, w->loop, on_guard, w), 0);
	timer_arm(w->guard, SECONDS(10));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	io_free(w->io);
	io_free(w->other);
	defer_free(w->defer);
	defer_free(w->second);
	timer_free(w->guard);
	fd_close(w->pair[0]);
	fd_close(w->pair[1]);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* Runs for some time and says how many callbacks came. */
static int calls_within(struct world *w, uint64_t ns)
{
	w->calls = 0;
	timer_arm(w->guard, ns);
	assert_int_equal(loop_run(w->loop), -ETIME);
	timer_arm(w->guard, SECONDS(10));
	return w->calls;
}

static void on_byte(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct world *w = userdata;
	char c;

	(void)io;
	assert_true(revents & EPOLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	w->calls++;
	loop_exit(w->loop, c);
}

static void exit_code_and_running_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], EPOLLIN, on_byte, w), 0);
	for (char c = 1; c < 4; c++) {
		assert_int_equal(write(w->pair[1], &c, 1), 1);
		assert_int_equal(loop_run(w->loop), c);
	}
	assert_int_equal(w->calls, 3);
}

static void on_hangup(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct world *w = userdata;

	(void)io;
	(void)fd;
	(void)revents;
	w->calls++;
}

/* epoll reports a hang-up to who asked for nothing: the loop must not spin. */
static void no_events_is_off(void **state)
{
	struct world *w = *state;

	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], 0, on_hangup, w), 0);
	w->pair[1] = fd_close(w->pair[1]);
	assert_int_equal(calls_within(w, MILLISECONDS(20)), 0);
	io_set_events(w->io, EPOLLIN);
	assert_true(calls_within(w, MILLISECONDS(20)) > 0);
	io_set_events(w->io, 0);
	assert_int_equal(calls_within(w, MILLISECONDS(20)), 0);
}

/*
 * The trap of libraries.md 1: a number that was closed and came back. A source freed before its
 * descriptor was closed leaves nothing behind, and the new one works.
 */
static void descriptor_number_comes_back(void **state)
{
	struct world *w = *state;
	int number = w->pair[0], again[2];

	assert_int_equal(io_new(&w->io, w->loop, number, EPOLLIN, on_byte, w), 0);
	assert_int_equal(write(w->pair[1], "a", 1), 1);
	assert_int_equal(loop_run(w->loop), 'a');
	for (int i = 0; i < 3; i++) {
		w->io = io_free(w->io);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, again), 0);
		assert_int_equal(dup3(again[0], number, O_CLOEXEC), number);
		fd_close(again[0]);
		assert_int_equal(io_new(&w->io, w->loop, number, EPOLLIN, on_byte, w), 0);
		assert_int_equal(write(again[1], "b", 1), 1);
		assert_int_equal(loop_run(w->loop), 'b');
		fd_close(again[1]);
	}
}

static void on_free_both(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct world *w = userdata;

	(void)io;
	(void)fd;
	(void)revents;
	w->calls++;
	w->io = io_free(w->io);
	w->other = io_free(w->other);
}

/* Both are pending in the same turn; the first frees itself and the other. */
static void freed_in_a_callback(void **state)
{
	struct world *w = *state;

	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], EPOLLIN, on_free_both, w), 0);
	assert_int_equal(io_new(&w->other, w->loop, w->pair[1], EPOLLIN, on_free_both, w), 0);
	assert_int_equal(write(w->pair[0], "x", 1), 1);
	assert_int_equal(write(w->pair[1], "x", 1), 1);
	assert_int_equal(calls_within(w, MILLISECONDS(20)), 1);
}

static void on_note(struct defer *d, void *userdata)
{
	struct world *w = userdata;

	w->seen[w->calls++] = d == w->defer ? 1 : 2;
}

static void deferred_once_for_many_arms(void **state)
{
	struct world *w = *state;

	assert_int_equal(defer_new(&w->defer, w->loop, on_note, w), 0);
	assert_int_equal(defer_new(&w->second, w->loop, on_note, w), 0);
	for (int i = 0; i < 5; i++) {
		defer_arm(w->second);
		defer_arm(w->defer);
	}
	assert_int_equal(w->calls, 0);
	assert_int_equal(calls_within(w, MILLISECONDS(5)), 2);
	assert_int_equal(w->seen[0], 2);
	assert_int_equal(w->seen[1], 1);
	assert_int_equal(calls_within(w, MILLISECONDS(5)), 0);
}

static void on_io_then_defer(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct world *w = userdata;
	char c;

	(void)io;
	(void)revents;
	assert_int_equal(read(fd, &c, 1), 1);
	w->seen[w->calls++] = 3;
	defer_arm(w->defer);
}

/* What was pending beside comes first: the end of the turn is the end. */
static void deferred_comes_after_what_is_pending(void **state)
{
	struct world *w = *state;

	assert_int_equal(defer_new(&w->defer, w->loop, on_note, w), 0);
	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], EPOLLIN, on_io_then_defer, w), 0);
	assert_int_equal(io_new(&w->other, w->loop, w->pair[1], EPOLLIN, on_io_then_defer, w), 0);
	assert_int_equal(write(w->pair[0], "x", 1), 1);
	assert_int_equal(write(w->pair[1], "x", 1), 1);
	assert_int_equal(calls_within(w, MILLISECONDS(5)), 3);
	assert_int_equal(w->seen[0], 3);
	assert_int_equal(w->seen[1], 3);
	assert_int_equal(w->seen[2], 1);
}

static void on_flood(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct world *w = userdata;

	(void)io;
	(void)fd;
	(void)revents;
	if (w->calls++ == 0)
		defer_arm(w->defer);
}

static void on_leave(struct defer *d, void *userdata)
{
	(void)d;
	loop_exit(((struct world *)userdata)->loop, 7);
}

/* A descriptor that is always ready cannot put a deferred call off for ever. */
static void flood_does_not_starve_deferred(void **state)
{
	struct world *w = *state;

	assert_int_equal(defer_new(&w->defer, w->loop, on_leave, w), 0);
	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], EPOLLOUT, on_flood, w), 0);
	assert_int_equal(loop_run(w->loop), 7);
	assert_in_range(w->calls, 1, 200);
}

static void on_arm_again(struct defer *d, void *userdata)
{
	struct world *w = userdata;

	w->calls++;
	defer_arm(d);
}

/* Arming in its own callback waits for the next turn: others still run. */
static void deferred_again_and_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(defer_new(&w->defer, w->loop, on_arm_again, w), 0);
	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], EPOLLIN, on_byte, w), 0);
	defer_arm(w->defer);
	assert_int_equal(write(w->pair[1], "z", 1), 1);
	assert_int_equal(loop_run(w->loop), 'z');
	assert_true(calls_within(w, MILLISECONDS(5)) > 2);
}

static void on_arm_second(struct defer *d, void *userdata)
{
	struct world *w = userdata;
	char c = 'y';

	if (w->calls == 6) {
		loop_exit(w->loop, 0);
		return;
	}
	on_note(d, userdata);
	defer_arm(w->second);
	assert_int_equal(write(w->pair[1], &c, 1), 1);
}

/* Armed by another at a turn's end it runs there, before descriptors; it is not run twice there. */
static void deferred_arms_another(void **state)
{
	struct world *w = *state;

	assert_int_equal(defer_new(&w->defer, w->loop, on_arm_second, w), 0);
	assert_int_equal(defer_new(&w->second, w->loop, on_note, w), 0);
	assert_int_equal(io_new(&w->io, w->loop, w->pair[0], EPOLLIN, on_io_then_defer, w), 0);
	defer_arm(w->defer);
	assert_int_equal(loop_run(w->loop), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(w->seen[i], i % 3 + 1);
}

static void on_free_defers(struct defer *d, void *userdata)
{
	struct world *w = userdata;

	(void)d;
	w->calls++;
	w->defer = defer_free(w->defer);
	w->second = defer_free(w->second);
}

static void deferred_freed_in_a_callback(void **state)
{
	struct world *w = *state;

	assert_int_equal(defer_new(&w->defer, w->loop, on_free_defers, w), 0);
	assert_int_equal(defer_new(&w->second, w->loop, on_free_defers, w), 0);
	defer_arm(w->defer);
	defer_arm(w->second);
	assert_int_equal(calls_within(w, MILLISECONDS(5)), 1);
}

static void on_sig(struct sig *s, int signo, void *userdata)
{
	struct world *w = userdata;

	sig_free(s);
	loop_exit(w->loop, signo);
}

static void signal_is_reported(void **state)
{
	struct world *w = *state;
	struct sig *s = NULL;

	assert_int_equal(sig_new(&s, w->loop, SIGUSR1, on_sig, w), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_run(w->loop), SIGUSR1);
	/* Still blocked after the end of the source: this one does not end the process. */
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
}

static void bad_signal_is_refused(void **state)
{
	struct world *w = *state;
	struct sig *s = NULL;

	assert_true(sig_new(&s, w->loop, 12345, on_sig, w) < 0);
	assert_null(s);
}

struct end {
	struct world *world;
	int code;
	int status;
};

static void on_end(struct child *c, int code, int status, void *userdata)
{
	struct end *end = userdata;

	child_free(c);
	end->code = code;
	end->status = status;
	loop_exit(end->world->loop, 0);
}

static pid_t spawn(int status)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (status < 0)
			pause();
		_exit(status);
	}
	assert_true(pid > 0);
	return pid;
}

static void child_is_reported_and_reaped(void **state)
{
	struct end end = {.world = *state};
	struct child *c = NULL;
	pid_t pid = spawn(7);

	assert_int_equal(child_new(&c, end.world->loop, pid, on_end, &end), 0);
	assert_int_equal(loop_run(end.world->loop), 0);
	assert_int_equal(end.code, CLD_EXITED);
	assert_int_equal(end.status, 7);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void killed_child_is_reported(void **state)
{
	struct end end = {.world = *state};
	struct child *c = NULL;
	pid_t pid = spawn(-1);

	assert_int_equal(child_new(&c, end.world->loop, pid, on_end, &end), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(loop_run(end.world->loop), 0);
	assert_int_equal(end.code, CLD_KILLED);
	assert_int_equal(end.status, SIGKILL);
}

static void child_source_freed_leaves_the_child(void **state)
{
	struct end end = {.world = *state};
	struct child *c = NULL;
	pid_t pid = spawn(-1);

	assert_int_equal(child_new(&c, end.world->loop, pid, on_end, &end), 0);
	assert_null(child_free(c));
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* sd_event_default() would be the parent's here (libraries.md 1). */
static void loop_works_after_a_fork(void **state)
{
	struct world *w = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct loop *l = NULL;
		struct defer *d = NULL;
		struct world mine = {0};

		if (loop_new(&l) < 0)
			_exit(1);
		mine.loop = l;
		if (defer_new(&d, l, on_leave, &mine) < 0)
			_exit(2);
		defer_arm(d);
		_exit(loop_run(l));
	}
	(void)w;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void on_never(struct sig *s, int signo, void *userdata)
{
	(void)s;
	(void)signo;
	(void)userdata;
	fail();
}

static void memory_runs_out(void **state)
{
	struct world *w = *state;
	pid_t pid = spawn(-1);

	FAULT_LOOP
	{
		struct loop *l = NULL;
		struct io *io = NULL;
		struct sig *s = NULL;
		struct child *c = NULL;
		struct defer *d = NULL;
		int r = loop_new(&l);

		if (r >= 0)
			r = io_new(&io, l, w->pair[0], EPOLLIN, on_byte, w);
		if (r >= 0)
			r = sig_new(&s, l, SIGUSR2, on_never, w);
		if (r >= 0)
			r = child_new(&c, l, pid, on_end, NULL);
		if (r >= 0)
			r = defer_new(&d, l, on_note, w);
		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		defer_free(d);
		child_free(c);
		sig_free(s);
		io_free(io);
		loop_free(l);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(exit_code_and_running_again),
		CASE(no_events_is_off),
		CASE(descriptor_number_comes_back),
		CASE(freed_in_a_callback),
		CASE(deferred_once_for_many_arms),
		CASE(deferred_comes_after_what_is_pending),
		CASE(flood_does_not_starve_deferred),
		CASE(deferred_again_and_again),
		CASE(deferred_arms_another),
		CASE(deferred_freed_in_a_callback),
		CASE(signal_is_reported),
		CASE(bad_signal_is_refused),
		CASE(child_is_reported_and_reaped),
		CASE(killed_child_is_reported),
		CASE(child_source_freed_leaves_the_child),
		CASE(loop_works_after_a_fork),
		CASE(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
