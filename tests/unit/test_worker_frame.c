/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker_frame.c: frames and packed bodies, whole, cut and false; the worker's side of them */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/unit/fault.h"
#include "worker/child.h"
#include "worker/frame.h"

static void frame_comes_back(void **state)
{
	struct frame_header h = {.size = 5, .id = 7, .kind = 9, .result = -3}, got;
	_cleanup_buf_ struct buf b = BUF_NULL(1000);
	const char *body;

	(void)state;
	assert_int_equal(frame_append(&b, &h, "hello"), 0);
	assert_int_equal(frame_peek(&b, &got, &body), 1);
	assert_memory_equal(&h, &got, sizeof(h));
	assert_memory_equal(body, "hello", 5);
}

static void cut_frame_is_not_yet_one(void **state)
{
	struct frame_header h = {.size = 5, .id = 7}, got;
	_cleanup_buf_ struct buf b = BUF_NULL(1000);
	const char *body = NULL;

	(void)state;
	assert_int_equal(frame_append(&b, &h, "hello"), 0);
	for (size_t n = 0; n < sizeof(h) + 5; n++) {
		struct buf part = {.data = b.data, .len = n};

		assert_int_equal(frame_peek(&part, &got, &body), 0);
	}
	assert_null(body);
}

static void oversize_frame_is_refused(void **state)
{
	struct frame_header h = {.size = FRAME_BODY_MAX + 1}, got;
	_cleanup_buf_ struct buf b = BUF_NULL(FRAME_BODY_MAX * 2);
	const char *body;

	(void)state;
	assert_int_equal(frame_append(&b, &h, "x"), -EMSGSIZE);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_append(&b, &h, sizeof(h)), 0);
	assert_int_equal(frame_peek(&b, &got, &body), -EPROTO);
}

static void full_buffer_takes_no_half_frame(void **state)
{
	struct frame_header h = {.size = 5};
	_cleanup_buf_ struct buf b = BUF_NULL(sizeof(h) + 4);

	(void)state;
	assert_int_equal(frame_append(&b, &h, "hello"), -ENOBUFS);
	assert_int_equal(b.len, 0);
	assert_int_equal(pack_str(&b, "a string that does not fit"), -ENOBUFS);
	assert_int_equal(b.len, 0);
}

static int pack_all(struct buf *b)
{
	int r = pack_u64(b, UINT64_MAX);

	if (r >= 0)
		r = pack_str(b, "text");
	if (r >= 0)
		r = pack_str(b, NULL);
	return r < 0 ? r : pack_str(b, "");
}

static void values_come_back(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1000);
	struct unpack u;

	(void)state;
	assert_int_equal(pack_all(&b), 0);
	u = (struct unpack){.p = b.data, .end = b.data + b.len};
	assert_true(unpack_u64(&u) == UINT64_MAX);
	assert_string_equal(unpack_str(&u), "text");
	assert_null(unpack_str(&u));
	assert_false(u.bad);
	assert_false(unpack_done(&u));
	assert_string_equal(unpack_str(&u), "");
	assert_true(unpack_done(&u));
	assert_int_equal(unpack_u64(&u), 0);
	assert_false(unpack_done(&u));
}

/* Wherever the body is cut, the reader stops there and stays stopped. */
static void cut_body_is_bad(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1000);

	(void)state;
	assert_int_equal(pack_all(&b), 0);
	for (size_t cut = 0; cut < b.len; cut++) {
		_cleanup_free_ char *part = malloc(cut + 1);
		struct unpack u = {.p = part, .end = part + cut};

		memcpy(part, b.data, cut);
		unpack_u64(&u);
		for (int i = 0; i < 3; i++)
			unpack_str(&u);
		assert_false(unpack_done(&u));
	}
}

static void false_strings_are_refused(void **state)
{
	static const struct {
		uint32_t size;
		char text[8];
	} cases[] = {
		{3, "a\0bc"},          /* a NUL inside */
		{3, "abcd"},           /* none at its end */
		{UINT32_MAX - 1, "x"}, /* longer than the body */
		{8, "abcdefg"},        /* by one byte */
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct unpack u = {.p = (const char *)&cases[i],
			.end = (const char *)&cases[i] + sizeof(cases[i])};

		assert_null(unpack_str(&u));
		assert_true(u.bad);
		assert_null(unpack_str(&u));
	}
}

static void packing_without_memory(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		struct buf b = BUF_NULL(10000);
		struct frame_header h = {.size = 3};
		int r = pack_all(&b);

		if (r >= 0)
			r = frame_append(&b, &h, "abc");
		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		buf_done(&b);
	}
}

/* ---- the worker's side --------------------------------------------------------------------- */

struct ends {
	struct worker_child child;
	int parent;
};

static int setup(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));
	int pair[2];

	assert_non_null(e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	e->parent = pair[0];
	assert_int_equal(worker_child_init(&e->child, pair[1]), 0);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct ends *e = *state;

	fd_close(e->parent);
	fd_close(e->child.fd);
	worker_child_done(&e->child);
	free(e);
	return 0;
}

static void tell(struct ends *e, uint32_t id, const char *text)
{
	struct frame_header h = {.size = (uint32_t)strlen(text), .id = id, .kind = id ? 1 : 0};

	assert_int_equal(fd_write_all(e->parent, &h, sizeof(h)), 0);
	assert_int_equal(fd_write_all(e->parent, text, h.size), 0);
}

static void child_gets_init_and_requests(void **state)
{
	struct ends *e = *state;
	struct frame_header h;
	const char *body;
	size_t size;

	tell(e, 0, "server");
	tell(e, 1, "one");
	tell(e, 2, "two");
	assert_int_equal(worker_child_wait_init(&e->child, &body, &size), 0);
	assert_int_equal(size, 6);
	assert_memory_equal(body, "server", 6);
	assert_int_equal(worker_child_io(&e->child, POLLIN), 0);
	assert_int_equal(worker_child_next(&e->child, &h, &body), 1);
	assert_int_equal(h.id, 1);
	assert_memory_equal(body, "one", 3);
	assert_int_equal(worker_child_next(&e->child, &h, &body), 1);
	assert_memory_equal(body, "two", 3);
	assert_int_equal(worker_child_next(&e->child, &h, &body), 0);
}

static void read_exact(const struct ends *e, void *data, size_t size)
{
	assert_int_equal(recv(e->parent, data, size, MSG_WAITALL), (ssize_t)size);
}

static void child_waits_for_requests(void **state)
{
	struct ends *e = *state;
	struct frame_header h;
	const char *body;
	char text[3];

	tell(e, 1, "one");
	assert_int_equal(worker_child_reply(&e->child, 9, 1, 0, "abc", 3), 0);
	assert_int_equal(worker_child_wait(&e->child), 0);
	read_exact(e, &h, sizeof(h));
	read_exact(e, text, 3);
	assert_int_equal(h.id, 9);
	assert_int_equal(worker_child_next(&e->child, &h, &body), 1);
	assert_int_equal(h.id, 1);
	assert_int_equal(worker_child_next(&e->child, &h, &body), 0);
	e->parent = fd_close(e->parent);
	assert_int_equal(worker_child_wait(&e->child), -ECONNRESET);
}

static int echo(const struct frame_header *h, const char *body, struct buf *reply, struct err *e,
	void *userdata)
{
	++*(unsigned *)userdata;
	if (h->size == 2)
		return err_set(e, EACCES, "not that");
	return buf_append(reply, body, h->size);
}

static void reply_is(const struct ends *e, uint32_t id, int result, const char *text)
{
	struct frame_header h;
	char body[16] = "";

	read_exact(e, &h, sizeof(h));
	assert_true(h.size < sizeof(body));
	if (h.size > 0)
		read_exact(e, body, h.size);
	assert_int_equal(h.id, id);
	assert_int_equal(h.result, result);
	assert_string_equal(body, text);
}

/* From the init frame to the parent's end: each reply is of its own request alone. */
static void child_serves_until_its_parent_goes(void **state)
{
	struct ends *e = *state;
	unsigned served = 0;

	tell(e, 0, "set up");
	tell(e, 1, "one");
	tell(e, 2, "no");
	tell(e, 3, "three");
	assert_int_equal(shutdown(e->parent, SHUT_WR), 0);
	assert_int_equal(worker_child_serve(e->child.fd, 100, echo, &served), 0);
	assert_int_equal(served, 3);
	reply_is(e, 0, 0, "");
	reply_is(e, 1, 0, "one");
	reply_is(e, 2, -EACCES, "not that");
	reply_is(e, 3, 0, "three");
}

static void child_takes_bytes_one_by_one(void **state)
{
	struct frame_header h = {.size = 3, .id = 4}, got;
	struct ends *e = *state;
	char bytes[sizeof(h) + 3];
	const char *body;

	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), "abc", 3);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(worker_child_next(&e->child, &got, &body), 0);
		assert_int_equal(write(e->parent, bytes + i, 1), 1);
		assert_int_equal(worker_child_io(&e->child, POLLIN), 0);
	}
	assert_int_equal(worker_child_next(&e->child, &got, &body), 1);
	assert_memory_equal(body, "abc", 3);
}

static void child_replies(void **state)
{
	struct ends *e = *state;
	struct frame_header h;
	char text[3];

	assert_int_equal(worker_child_events(&e->child), POLLIN);
	assert_int_equal(worker_child_reply(&e->child, 7, 1, -ENOENT, "abc", 3), 0);
	assert_int_equal(worker_child_events(&e->child), POLLIN | POLLOUT);
	assert_int_equal(worker_child_io(&e->child, POLLOUT), 0);
	read_exact(e, &h, sizeof(h));
	read_exact(e, text, 3);
	assert_int_equal(h.id, 7);
	assert_int_equal(h.result, -ENOENT);
	assert_int_equal(
		worker_child_reply(&e->child, 7, 1, 0, text, FRAME_BODY_MAX + 1), -EMSGSIZE);
}

/* A parent that does not read stops the reading of requests. */
static void child_with_a_backlog_reads_nothing(void **state)
{
	struct ends *e = *state;
	_cleanup_free_ char *big = calloc(1, FRAME_BODY_MAX);

	assert_non_null(big);
	assert_int_equal(worker_child_reply(&e->child, 1, 1, 0, big, FRAME_BODY_MAX), 0);
	assert_int_equal(worker_child_events(&e->child), POLLOUT);
	assert_int_equal(worker_child_io(&e->child, POLLOUT), 0);
	assert_true(e->child.out.len > 0);
}

static void child_sees_its_parent_go(void **state)
{
	struct ends *e = *state;
	const char *body;
	size_t size;

	e->parent = fd_close(e->parent);
	assert_int_equal(worker_child_io(&e->child, POLLIN | POLLHUP), -ECONNRESET);
	assert_int_equal(worker_child_wait_init(&e->child, &body, &size), -ECONNRESET);
	assert_int_equal(worker_child_reply(&e->child, 1, 1, 0, NULL, 0), 0);
	assert_int_equal(worker_child_flush(&e->child), -ECONNRESET);
}

static void child_refuses_false_frames(void **state)
{
	struct frame_header huge = {.size = UINT32_MAX, .id = 1}, h;
	struct ends *e = *state;
	const char *body;
	size_t size;

	assert_int_equal(fd_write_all(e->parent, &huge, sizeof(huge)), 0);
	assert_int_equal(worker_child_io(&e->child, POLLIN), 0);
	assert_int_equal(worker_child_next(&e->child, &h, &body), -EPROTO);
	assert_int_equal(worker_child_wait_init(&e->child, &body, &size), -EPROTO);
}

static void child_refuses_a_request_before_init(void **state)
{
	struct ends *e = *state;
	const char *body;
	size_t size;

	tell(e, 3, "early");
	assert_int_equal(worker_child_wait_init(&e->child, &body, &size), -EPROTO);
}

#define CHILD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_comes_back),
		cmocka_unit_test(cut_frame_is_not_yet_one),
		cmocka_unit_test(oversize_frame_is_refused),
		cmocka_unit_test(full_buffer_takes_no_half_frame),
		cmocka_unit_test(values_come_back),
		cmocka_unit_test(cut_body_is_bad),
		cmocka_unit_test(false_strings_are_refused),
		cmocka_unit_test(packing_without_memory),
		CHILD(child_gets_init_and_requests),
		CHILD(child_waits_for_requests),
		CHILD(child_serves_until_its_parent_goes),
		CHILD(child_takes_bytes_one_by_one),
		CHILD(child_replies),
		CHILD(child_with_a_backlog_reads_nothing),
		CHILD(child_sees_its_parent_go),
		CHILD(child_refuses_false_frames),
		CHILD(child_refuses_a_request_before_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
