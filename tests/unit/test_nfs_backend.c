/* SPDX-License-Identifier: Apache-2.0 */
/* test_nfs_backend.c: the parent's side of the backend, with this program as its worker: which
 * attempts the next one is told of */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/nfs.h"
#include "nfs/proto.h"
#include "worker/child.h"

#define WORKER_FD 3
#define TOKEN "0123456789abcdef0123456789abcdef"
/* What a place's server makes the worker do. */
#define DEAD "dead" /* ends instead of getting ready, as with a server that is away */
#define FULL "full" /* fails, with the attempt's name as text */
#define GOOD "good" /* succeeds, with the earlier attempts' names */

/* ---- the worker -------------------------------------------------------------------------- */

static void answer(struct worker_child *c, const struct frame_header *h, const char *body,
	const struct volume_place *init)
{
	_cleanup_buf_ struct buf b = BUF_NULL(FRAME_BODY_MAX);
	struct volume_result res = {.err = ERR_NULL};
	struct nfs_request q;

	if (nfs_request_unpack(&q, (enum nfs_kind)h->kind, body, h->size) < 0)
		_exit(1);
	if (streq(init->server, FULL))
		err_set(&res.err, ENOSPC, "%s", q.attempt);
	res.text = str_or(q.earlier, "");
	if (nfs_result_pack(&b, &res) < 0 ||
		worker_child_reply(c, h->id, h->kind, -res.err.code, b.data, b.len) < 0)
		_exit(1);
}

static int worker(void)
{
	struct worker_child c;
	struct frame_header h;
	struct volume_place init;
	const char *body;
	char *kept;
	size_t size;

	if (worker_child_init(&c, WORKER_FD) < 0 || worker_child_wait_init(&c, &body, &size) < 0)
		return 1;
	kept = malloc(size);
	if (!kept)
		return 1;
	memcpy(kept, body, size);
	if (nfs_init_unpack(&init, kept, size) < 0 ||
		worker_child_reply(
			&c, 0, 0, streq(init.server, DEAD) ? -ECONNREFUSED : 0, NULL, 0) < 0 ||
		worker_child_flush(&c) < 0 || streq(init.server, DEAD))
		return 1;
	while (worker_child_wait(&c) >= 0)
		while (worker_child_next(&c, &h, &body) > 0)
			answer(&c, &h, body, &init);
	return 0;
}

/* ---- the parent -------------------------------------------------------------------------- */

struct world {
	struct loop *loop;
	struct volume_backend *b;
	unsigned calls; /* on their way */
	int code;
	char text[ERR_TEXT_MAX];
};

static void on_result(const struct volume_result *res, void *userdata)
{
	struct world *w = userdata;

	w->code = res->err.code;
	str_copy_cut(w->text, sizeof(w->text), res->err.code ? res->err.text : res->text);
	if (--w->calls == 0)
		loop_exit(w->loop, 0);
}

/* Attempts to trash the one volume that there is; the last one's text. */
static const char *attempts(struct world *w, unsigned n, const char *server, int code)
{
	const struct volume_place place = {.server = server, .export_ = "/e"};
	const struct volume_request q = {.driver = "nfs.berth.dev",
		.pv = "pvc-1",
		.token = TOKEN,
		.claim = {"ns", "name", "uid"},
		.class = "",
		.directory = "ns-name-pvc-1"};

	w->code = -1;
	for (w->calls = 0; w->calls < n; w->calls++)
		assert_int_equal(w->b->ops->trash(w->b, &place, &q, on_result, w), 0);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(w->code, code);
	return w->text;
}

static void world_begin(struct world *w)
{
	const struct nfs_options o = {.worker_program = "/proc/self/exe",
		.operation_ns = SECONDS(3),
		.queue_ns = MILLISECONDS(1)};

	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(nfs_backend_new(&w->b, w->loop, &o, NULL), 0);
}

static void world_end(struct world *w)
{
	nfs_backend_free(w->b);
	loop_free(w->loop);
}

static void attempts_that_failed_are_told(void **state)
{
	char first[TOKEN_TEXT_MAX], both[2 * TOKEN_TEXT_MAX];
	struct world w = {.code = 0};

	(void)state;
	world_begin(&w);
	assert_string_equal(attempts(&w, 1, GOOD, 0), "");
	assert_int_equal(str_copy(first, sizeof(first), attempts(&w, 1, FULL, ENOSPC)), 0);
	assert_true(
		str_format(both, sizeof(both), "%s,%s", first, attempts(&w, 1, FULL, ENOSPC)) >= 0);
	assert_string_equal(attempts(&w, 1, GOOD, 0), both);
	assert_string_equal(attempts(&w, 1, GOOD, 0), "");
	world_end(&w);
}

/* While a server is away for long, requests of the last attempt that reached it may lie there. */
static void attempts_that_were_never_sent_push_none_out(void **state)
{
	char sent[TOKEN_TEXT_MAX];
	struct world w = {.code = 0};

	(void)state;
	world_begin(&w);
	assert_int_equal(str_copy(sent, sizeof(sent), attempts(&w, 1, FULL, ENOSPC)), 0);
	attempts(&w, 8, DEAD, ECONNREFUSED);
	assert_string_equal(attempts(&w, 1, GOOD, 0), sent);
	world_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_that_failed_are_told),
		cmocka_unit_test(attempts_that_were_never_sent_push_none_out),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
