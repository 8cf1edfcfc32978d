/* SPDX-License-Identifier: Apache-2.0 */
/* test_event_stream.c: bytes through a socketpair, limits, ends, and freeing in callbacks */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "event/stream.h"
#include "tests/unit/fault.h"

struct peer {
	struct loop *loop;
	struct timer *guard;
	struct stream *stream;
	int fd; /* the other end */
	struct buf got;
	size_t reads, drained, ends;
	int reason;
	bool greedy;   /* consumes nothing */
	bool free_now; /* frees the stream in the next callback */
};

static void on_read(struct stream *s, struct buf *in, void *userdata)
{
	struct peer *p = userdata;

	p->reads++;
	if (p->greedy)
		return;
	assert_int_equal(buf_append(&p->got, in->data, in->len), 0);
	buf_consume(in, in->len);
	if (p->free_now)
		p->stream = stream_free(s);
}

static void on_drained(struct stream *s, void *userdata)
{
	struct peer *p = userdata;

	p->drained++;
	if (p->free_now)
		p->stream = stream_free(s);
}

static void on_closed(struct stream *s, int reason, void *userdata)
{
	struct peer *p = userdata;

	p->ends++;
	p->reason = reason;
	if (p->free_now)
		p->stream = stream_free(s);
	loop_exit(p->loop, 0);
}

static void on_guard(struct timer *t, void *userdata)
{
	struct peer *p = userdata;

	(void)t;
	loop_exit(p->loop, -ETIME);
}

static const struct stream_handler handler = {
	.read = on_read, .drained = on_drained, .closed = on_closed};

static int setup(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));
	int pair[2];

	assert_non_null(p);
	p->got = BUF_NULL(64U << 20);
	assert_int_equal(loop_new(&p->loop), 0);
	assert_int_equal(timer_new_exact(&p->guard, p->loop, on_guard, p), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	p->fd = pair[1];
	assert_int_equal(fd_set_nonblock(p->fd, true), 0);
	assert_int_equal(
		stream_new(&p->stream, p->loop, pair[0],
			&(struct stream_options){.in_max = 1000, .out_max = 1U << 20}, &handler, p),
		0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct peer *p = *state;

	stream_free(p->stream);
	fd_close(p->fd);
	timer_free(p->guard);
	loop_free(p->loop);
	buf_done(&p->got);
	free(p);
	return 0;
}

static int run_for(struct peer *p, unsigned ms)
{
	timer_arm(p->guard, MILLISECONDS(ms));
	return loop_run(p->loop);
}

static void bytes_arrive(void **state)
{
	struct peer *p = *state;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(p->fd, "hello ", 6), 6);
		assert_int_equal(run_for(p, 5), -ETIME);
	}
	assert_string_equal(p->got.data, "hello hello hello ");
	assert_int_equal(p->reads, 3);
}

static void writes_of_a_turn_go_together(void **state)
{
	struct peer *p = *state;
	char got[32];

	for (int i = 0; i < 5; i++)
		assert_int_equal(stream_write(p->stream, "ab", 2), 0);
	assert_int_equal(recv(p->fd, got, sizeof(got), 0), -1);
	assert_int_equal(stream_pending(p->stream), 10);
	assert_int_equal(run_for(p, 5), -ETIME);
	assert_int_equal(recv(p->fd, got, sizeof(got), 0), 10);
	assert_memory_equal(got, "ababababab", 10);
	assert_int_equal(p->drained, 1);
}

/* More than the kernel's buffer takes: the rest waits for the peer, and every byte comes. */
static void slow_peer_gets_everything(void **state)
{
	struct peer *p = *state;
	size_t total = 1U << 20, seen = 0;
	unsigned char *data = malloc(total), part[5000];

	assert_non_null(data);
	for (size_t i = 0; i < total; i++)
		data[i] = (unsigned char)(i * 7 >> 3);
	assert_int_equal(stream_write(p->stream, data, total), 0);
	assert_int_equal(stream_write(p->stream, "x", 1), -ENOBUFS);
	while (seen < total) {
		ssize_t n = recv(p->fd, part, sizeof(part), 0);

		if (n < 0) {
			assert_int_equal(run_for(p, 2), -ETIME);
			continue;
		}
		assert_memory_equal(part, data + seen, (size_t)n);
		seen += (size_t)n;
	}
	assert_int_equal(run_for(p, 2), -ETIME);
	assert_int_equal(stream_pending(p->stream), 0);
	assert_int_equal(p->drained, 1);
	free(data);
}

static void written_in_place(void **state)
{
	struct peer *p = *state;
	char got[8];

	assert_int_equal(buf_puts(stream_out(p->stream), "abc"), 0);
	stream_send(p->stream);
	assert_int_equal(run_for(p, 5), -ETIME);
	assert_int_equal(recv(p->fd, got, sizeof(got), 0), 3);
}

static void last_bytes_come_before_the_end(void **state)
{
	struct peer *p = *state;

	assert_int_equal(write(p->fd, "bye", 3), 3);
	p->fd = fd_close(p->fd);
	assert_int_equal(run_for(p, 1000), 0);
	assert_string_equal(p->got.data, "bye");
	assert_int_equal(p->ends, 1);
	assert_int_equal(p->reason, 0);
	assert_int_equal(stream_write(p->stream, "x", 1), -ENOTCONN);
	assert_int_equal(run_for(p, 10), -ETIME);
	assert_int_equal(p->ends, 1);
}

/*
 * A hundred reads' worth is waiting when the write fails (deferred calls come after 64 at the
 * latest), and all of it is given to read() all the same.
 */
static void last_bytes_survive_a_failed_write(void **state)
{
	static const char data[100000] = "x";
	struct peer *p = *state;

	assert_int_equal(write(p->fd, data, sizeof(data)), (ssize_t)sizeof(data));
	p->fd = fd_close(p->fd);
	assert_int_equal(stream_write(p->stream, "x", 1), 0);
	assert_int_equal(run_for(p, 1000), 0);
	assert_int_equal(p->got.len, sizeof(data));
	assert_int_equal(p->ends, 1);
}

static void failed_write_ends_a_stopped_stream(void **state)
{
	struct peer *p = *state;

	stream_stop(p->stream);
	p->fd = fd_close(p->fd);
	assert_int_equal(stream_write(p->stream, "x", 1), 0);
	assert_int_equal(run_for(p, 1000), 0);
	assert_int_equal(p->reason, -EPIPE);
}

static void full_buffer_ends_it(void **state)
{
	struct peer *p = *state;
	char data[1500];

	memset(data, 'x', sizeof(data));
	p->greedy = true;
	assert_int_equal(write(p->fd, data, sizeof(data)), (ssize_t)sizeof(data));
	assert_int_equal(run_for(p, 1000), 0);
	assert_int_equal(p->reason, -ENOBUFS);
}

static void stopped_stream_does_not_read(void **state)
{
	struct peer *p = *state;

	stream_stop(p->stream);
	assert_int_equal(write(p->fd, "abc", 3), 3);
	assert_int_equal(run_for(p, 10), -ETIME);
	assert_int_equal(p->reads, 0);
}

static void freed_while_reading(void **state)
{
	struct peer *p = *state;

	p->free_now = true;
	assert_int_equal(write(p->fd, "abc", 3), 3);
	assert_int_equal(run_for(p, 10), -ETIME);
	assert_int_equal(p->reads, 1);
	assert_null(p->stream);
}

static void freed_when_drained(void **state)
{
	struct peer *p = *state;

	p->free_now = true;
	assert_int_equal(stream_write(p->stream, "abc", 3), 0);
	assert_int_equal(run_for(p, 10), -ETIME);
	assert_int_equal(p->drained, 1);
	assert_null(p->stream);
}

static void freed_when_closed(void **state)
{
	struct peer *p = *state;

	p->free_now = true;
	p->fd = fd_close(p->fd);
	assert_int_equal(run_for(p, 1000), 0);
	assert_null(p->stream);
}

static void freed_with_a_queue(void **state)
{
	struct peer *p = *state;

	assert_int_equal(stream_write(p->stream, "abc", 3), 0);
	p->stream = stream_free(p->stream);
	assert_int_equal(run_for(p, 10), -ETIME);
	assert_int_equal(p->drained, 0);
}

static void memory_runs_out(void **state)
{
	struct peer *p = *state;

	FAULT_LOOP
	{
		struct stream *s = NULL;
		int pair[2], r;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		r = stream_new(&s, p->loop, pair[0],
			&(struct stream_options){.in_max = 100, .out_max = 100}, &handler, p);
		if (r < 0)
			fd_close(pair[0]);
		else
			r = stream_write(s, "abc", 3);
		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		stream_free(s);
		fd_close(pair[1]);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(bytes_arrive),
		CASE(writes_of_a_turn_go_together),
		CASE(slow_peer_gets_everything),
		CASE(written_in_place),
		CASE(last_bytes_come_before_the_end),
		CASE(last_bytes_survive_a_failed_write),
		CASE(failed_write_ends_a_stopped_stream),
		CASE(full_buffer_ends_it),
		CASE(stopped_stream_does_not_read),
		CASE(freed_while_reading),
		CASE(freed_when_drained),
		CASE(freed_when_closed),
		CASE(freed_with_a_queue),
		CASE(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
