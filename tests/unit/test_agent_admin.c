/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_admin.c: routes, who may what, orders, trash and orphans, watchers */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/admin.h"
#include "agent/admin_json.h"
#include "agent/admin_post.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "data/decode.h"
#include "tests/unit/fault.h"
#include "tests/unit/http_get.h"
#include "tests/unit/view_world.h"
#include "volume/backend.h"

#define NOBODY 65534
#define GROUP 4242

struct fixture {
	struct volume_backend backend;
	struct loop *loop;
	struct view_world world;
	struct doctor_kernel kernel;
	struct admin *admin;
	struct http_get get;
	char path[64];
	/* The backend's listings that are due. */
	struct timer *listing;
	struct {
		volume_fn fn;
		void *userdata;
		bool second, silent;
	} due[128];
	size_t n_due;
	bool held; /* none is told for now */
};

static int listen_at(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)str_copy_cut(sa.sun_path, sizeof(sa.sun_path), path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct admin_options o = {.gid = GROUP};
	struct err e = ERR_NULL;

	assert_non_null(f);
	assert_int_equal(loop_new(&f->loop), 0);
	view_world_init(&f->world, f->loop);
	(void)snprintf(f->path, sizeof(f->path), "/tmp/berth-admin-%d", getpid());
	o.fd = listen_at(f->path);
	o.kernel = &f->kernel;
	assert_int_equal(admin_new(&f->admin, f->loop, &o, &f->world.view, &e), 0);
	f->get = (struct http_get){.loop = f->loop, .socket = f->path};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	admin_free(f->admin);
	timer_free(f->listing);
	view_world_done(&f->world);
	loop_free(f->loop);
	(void)unlink(f->path);
	free(f);
	return 0;
}

static json_t *body_of(struct fixture *f)
{
	json_t *o = json_loads(f->get.text, 0, NULL);

	assert_non_null(o);
	return o;
}

/* ---- routes and permissions ------------------------------------------------------------------ */

static const char *const reads[] = {"status", "doctor", "node", "drivers", "volumes", "mounts",
	"pools", "exports", "operations", "orphans"};

static void test_every_read(void **state)
{
	struct fixture *f = *state;
	char request[64];

	for (size_t i = 0; i < ELEMENTSOF(reads); i++) {
		(void)snprintf(request, sizeof(request), "GET /v1/%s", reads[i]);
		assert_int_equal(http_get(&f->get, request), 200);
		json_decref(body_of(f));
		/* For people with curl. */
		assert_true(str_ends_with(f->get.text, "}\n"));
		(void)snprintf(request, sizeof(request), "PUT /v1/%s", reads[i]);
		assert_int_equal(http_get(&f->get, request), 405);
	}
}

static void test_wrong_requests(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {{"GET /", 404}, {"GET /v1", 404}, {"GET /v1/", 404}, {"GET /v1/nope", 404},
		{"GET /v2/status", 404}, {"GET /v1/status/x", 404}, {"GET /v1/retry", 405},
		{"DELETE /v1/volumes", 405}, {"POST /v1/status", 405}, {"POST /v1/volumes", 405},
		{"GET /v1/watch?kinds=nope", 400}, {"GET /v1/watch?kinds=", 400},
		{"GET /v1/watch?kinds=volumes,", 400}, {"GET /v1/trash", 501},
		{"POST /v1/restore", 400}, {"POST /v1/adopt", 400}, {"FROB /v1/status", 405}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(http_get(&f->get, cases[i].request), cases[i].status);
		_cleanup_json_ json_t *o = body_of(f);
		assert_int_equal(json_integer_value(json_object_get(o, "code")), cases[i].status);
		assert_true(strlen(json_string_value(json_object_get(o, "message"))) > 5);
	}
}

static void test_who_may_what(void **state)
{
	static const struct {
		uid_t uid;
		gid_t group;
		const char *request;
		int status;
	} cases[] = {{0, 0, "GET /v1/status", 200}, {0, 0, "POST /v1/retry", 200},
		{NOBODY, GROUP, "GET /v1/status", 200}, {NOBODY, GROUP, "GET /v1/volumes", 200},
		{NOBODY, GROUP, "POST /v1/retry", 403}, {NOBODY, GROUP, "POST /v1/detach", 403},
		{NOBODY, GROUP, "GET /v1/nope", 404}, {NOBODY, GROUP + 1, "GET /v1/status", 403},
		{NOBODY, GROUP + 1, "GET /v1/watch", 403}, {NOBODY, 0, "GET /v1/status", 403},
		{NOBODY, GROUP + 1, "POST /v1/retry", 403}, {NOBODY, GROUP + 1, "GET /x", 403}};
	struct fixture *f = *state;

	if (getuid() != 0)
		skip();
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		f->get.uid = cases[i].uid;
		f->get.group = cases[i].group;
		assert_int_equal(http_get(&f->get, cases[i].request), cases[i].status);
	}
	assert_int_equal(f->world.retried, 1);
}

/* What an agent does not know is not an empty list. */
static void test_what_is_not_there(void **state)
{
	struct fixture *f = *state;

	f->world.view.pools = NULL;
	f->world.view.retry = NULL;
	f->world.view.detach = NULL;
	f->world.view.node = NULL;
	assert_int_equal(http_get(&f->get, "GET /v1/pools"), 501);
	assert_int_equal(http_get(&f->get, "GET /v1/node"), 501);
	assert_int_equal(http_get(&f->get, "POST /v1/retry"), 501);
	assert_int_equal(http_get(&f->get, "POST /v1/detach"), 501);
	assert_int_equal(http_get(&f->get, "GET /v1/status"), 200);
}

/* ---- documents --------------------------------------------------------------------------------
 */

static void test_status(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(http_get(&f->get, "GET /v1/status"), 200);
	_cleanup_json_ json_t *well = body_of(f);
	assert_true(json_is_true(json_object_get(well, "healthy")));
	assert_string_equal(json_string_at(well, "node", "name", NULL), "node-a.example.org");
	assert_int_equal(json_integer_value(json_at(well, "counts", "mounts", "Ok", NULL)), 5);
	view_world_hang(&f->world);
	assert_int_equal(http_get(&f->get, "GET /v1/status"), 200);
	_cleanup_json_ json_t *ill = body_of(f);
	assert_true(json_is_false(json_object_get(ill, "healthy")));
	assert_int_equal(json_integer_value(json_at(ill, "counts", "mounts", "Hung", NULL)), 3);
	assert_true(json_array_size(json_object_get(ill, "problems")) >= 3);
}

static void test_what_is_no_utf8(void **state)
{
	struct fixture *f = *state;

	f->world.mounts[0].target = "/var/\xff\xfe/x";
	assert_int_equal(http_get(&f->get, "GET /v1/mounts"), 200);
	assert_non_null(strstr(f->get.text, "/var/\\\\xff\\\\xfe/x"));
}

static void test_memory(void **state)
{
	struct fixture *f = *state;

	FAULT_LOOP
	{
		_cleanup_json_ json_t *rows = admin_rows(ADMIN_MOUNTS, &f->world.view, 0);
		_cleanup_json_ json_t *status = admin_status(&f->world.view);
		struct admin_order o;
		int r = admin_order_parse(&o, "{\"target\":\"/x\"}", 15, NULL);

		assert_true(r == 0 || fault_fired());
		admin_order_done(&o);
	}
}

/* ---- orders -----------------------------------------------------------------------------------
 */

static int post(struct fixture *f, const char *path, const char *body)
{
	int status;
	char request[64];

	(void)snprintf(request, sizeof(request), "POST /v1/%s", path);
	f->get.body = body;
	status = http_get(&f->get, request);
	f->get.body = NULL;
	return status;
}

/* What is asked for is checked before anybody is asked. */
static void test_recovery_bodies(void **state)
{
	static const struct {
		const char *path, *body;
		int status;
	} cases[] = {{"restore", "{\"name\":\"\"}", 400}, {"restore", "{\"name\":\"x\"}", 501},
		{"restore", "{\"name\":7}", 400}, {"restore", "{\"volumes\":\"x\"}", 400},
		{"adopt", "{\"all\":false}", 400}, {"adopt", "{\"all\":true}", 501},
		{"adopt", "{\"all\":\"yes\"}", 400},
		{"adopt", "{\"all\":true,\"export\":\"nas:/x\"}", 400},
		{"adopt", "{\"export\":\"nas:/x\",\"dryRun\":true,\"volume\":\"v\"}", 501}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(post(f, cases[i].path, cases[i].body), cases[i].status);
}

static void test_bodies(void **state)
{
	static const struct {
		const char *body;
		int status;
	} cases[] = {{"", 400}, {"{}", 400}, {"[]", 400}, {"x", 400}, {"{\"target\":1}", 400},
		{"{\"targets\":\"/x\"}", 400}, {"{\"target\":\"relative\"}", 400},
		{"{\"target\":\"/x\"}", 404}, {"{\"target\":\"/x\"", 400},
		{"{\"target\":\"/\\u0000x\"}", 400},
		{"{\"target\":\"/x\",\"target\":\"/x\"}", 400}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(post(f, "detach", cases[i].body), cases[i].status);
	assert_string_equal(f->world.detached, "");
}

static int detach(struct fixture *f, const char *target)
{
	char body[512];

	(void)snprintf(body, sizeof(body), "{\"target\":\"%s\"}", target);
	return post(f, "detach", body);
}

static void test_detach(void **state)
{
	struct fixture *f = *state;

	/* Well: the kubelet's own. */
	assert_int_equal(detach(f, f->world.mounts[2].target), 409);
	view_world_hang(&f->world);
	/* Hung, but a publication: goes with its pod. */
	assert_int_equal(detach(f, f->world.mounts[1].target), 409);
	assert_int_equal(detach(f, f->world.mounts[4].target), 409);
	assert_string_equal(f->world.detached, "");
	assert_int_equal(detach(f, f->world.mounts[2].target), 200);
	assert_string_equal(f->world.detached, f->world.mounts[2].target);
	f->world.mounts[1].state = "Orphaned";
	assert_int_equal(detach(f, f->world.mounts[1].target), 200);
	f->world.detach_result = EPERM;
	assert_int_equal(detach(f, f->world.mounts[2].target), 403);
	assert_non_null(strstr(f->get.text, "Operation not permitted"));
	timer_arm(f->world.detaching, SECONDS(1));
	f->world.done = NULL;
	assert_int_equal(detach(f, f->world.mounts[2].target), 409);
	timer_disarm(f->world.detaching);
}

/* The order goes on where its client does not wait. */
static void test_detach_without_client(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char text[512];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n;

	view_world_hang(&f->world);
	(void)str_copy_cut(sa.sun_path, sizeof(sa.sun_path), f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	n = snprintf(text, sizeof(text), "{\"target\":\"%s\"}", f->world.mounts[2].target);
	assert_true(
		dprintf(fd, "POST /v1/detach HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			n, text) > 0);
	while (!timer_armed(f->world.detaching))
		(void)sd_event_run(loop_sd(f->loop), MILLISECONDS(10));
	close(fd);
	while (timer_armed(f->world.detaching))
		(void)sd_event_run(loop_sd(f->loop), MILLISECONDS(10));
	assert_int_equal(http_get(&f->get, "GET /v1/node"), 200);
}

/* ---- trash and orphans ------------------------------------------------------------------------
 */

static void tell_page(const struct fixture *f, size_t i)
{
	const struct volume_entry entries[] = {
		{.kind = ENTRY_TRASH, .name = "pvc-1-t", .changed = SECONDS(100)},
		{.kind = ENTRY_RECORD,
			.name = "pvc-1",
			.state = RECORD_TRASHED,
			.published = true,
			.trash = "pvc-1-t",
			.record = {.pv = "pvc-1",
				.claim = {.namespace_ = "ns", .name = "data", .uid = "u"},
				.directory = "ns-data-pvc-1"}},
		{.kind = ENTRY_RECORD,
			.name = "pvc-2",
			.state = RECORD_CREATING,
			.trash = "",
			.record = {.pv = "pvc-2", .claim = {.namespace_ = "ns", .name = "x"}}},
		{.kind = ENTRY_DIRECTORY, .name = "lost", .trash = ""},
		{.kind = ENTRY_BAD_RECORD, .name = "pvc-3.json", .trash = ""}};
	struct volume_result res = {.entries = entries, .n_entries = ELEMENTSOF(entries)};

	if (f->due[i].silent)
		(void)err_set(&res.err, ETIMEDOUT, "nas-2: no answer");
	else if (!f->due[i].second)
		res.flags = RESULT_MORE;
	else
		res.n_entries = 1;
	res.cursor = "more";
	f->due[i].fn(&res, f->due[i].userdata);
}

static void on_listing(struct timer *t, void *userdata)
{
	struct fixture *f = userdata;
	const size_t n = f->n_due;
	struct fixture now = *f;

	(void)t;
	f->n_due = 0;
	for (size_t i = 0; i < n; i++)
		tell_page(&now, i);
}

static int list(struct volume_backend *b, const struct volume_place *p, const char *cursor,
	volume_fn fn, void *userdata)
{
	struct fixture *f = CONTAINER_OF(b, struct fixture, backend);

	f->due[f->n_due].fn = fn;
	f->due[f->n_due].userdata = userdata;
	f->due[f->n_due].second = cursor;
	f->due[f->n_due].silent = streq(p->server, "nas-2.example.org");
	f->n_due++;
	if (!f->held)
		timer_arm(f->listing, MILLISECONDS(1));
	return 0;
}

static const struct volume_backend_ops ops = {.name = "test", .list = list};

static struct volume_backend *storage(void *agent)
{
	return &CONTAINER_OF(agent, struct fixture, world)->backend;
}

static void test_storage(void **state)
{
	struct fixture *f = *state;

	f->backend.ops = &ops;
	f->world.view.storage = storage;
	assert_int_equal(timer_new_exact(&f->listing, f->loop, on_listing, f), 0);
	assert_int_equal(http_get(&f->get, "GET /v1/trash"), 200);
	_cleanup_json_ json_t *trash = body_of(f);
	assert_int_equal(json_array_size(json_object_get(trash, "items")), 1);
	assert_string_equal(
		json_string_at(json_array_get(json_object_get(trash, "items"), 0), "claim", NULL),
		"ns/data");
	/* The silent one is named. */
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(trash, "incomplete"), 0)),
		"nas-2: no answer");
	f->world.mounts[1].state = "Orphaned";
	assert_int_equal(http_get(&f->get, "GET /v1/orphans"), 200);
	_cleanup_json_ json_t *orphans = body_of(f);
	/* No API server says which volumes it knows: none is called an orphan. */
	assert_int_equal(json_array_size(json_object_get(orphans, "items")), 3);
	f->world.n_exports = 0;
	assert_int_equal(http_get(&f->get, "GET /v1/trash"), 200);
	assert_string_equal(f->get.text, "{\"kind\":\"trash\",\"items\":[],\"incomplete\":[]}\n");
}

static void on_pause(struct timer *t, void *userdata)
{
	(void)t;
	loop_exit(userdata, 0);
}

/* A member of the group asks, and does not wait for the answer. */
static void ask_and_leave(struct fixture *f)
{
	_cleanup_(timer_freep) struct timer *pause = NULL;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const size_t before = f->n_due;
	char c;

	(void)str_copy_cut(sa.sun_path, sizeof(sa.sun_path), f->path);
	assert_int_equal(timer_new_exact(&pause, f->loop, on_pause, f->loop), 0);
	assert_int_equal(setegid(GROUP) + seteuid(NOBODY), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(seteuid(0) + setegid(0), 0);
	assert_true(dprintf(fd, "GET /v1/trash HTTP/1.1\r\nHost: x\r\n\r\n") > 0);
	while (f->n_due == before && recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0) {
		timer_arm(pause, MILLISECONDS(1));
		assert_int_equal(loop_run(f->loop), 0);
	}
	close(fd);
}

/* What was begun for them goes on: so much of it is enough. Root is served all the same. */
static void test_storage_for_those_who_leave(void **state)
{
	struct fixture *f = *state;
	size_t begun;

	if (getuid() != 0)
		skip();
	f->backend.ops = &ops;
	f->world.view.storage = storage;
	f->held = true;
	assert_int_equal(timer_new_exact(&f->listing, f->loop, on_listing, f), 0);
	for (int i = 0; i < 30; i++)
		ask_and_leave(f);
	begun = f->n_due / f->world.n_exports;
	assert_in_range(begun, 1, 8);
	f->get.uid = NOBODY;
	f->get.group = GROUP;
	assert_int_equal(http_get(&f->get, "GET /v1/trash"), 503);
	f->held = false;
	f->get.uid = 0;
	assert_int_equal(http_get(&f->get, "GET /v1/trash"), 200);
	f->get.uid = NOBODY;
	assert_int_equal(http_get(&f->get, "GET /v1/trash"), 200);
}

/* ---- watch ------------------------------------------------------------------------------------
 */

static void change_everything(struct timer *t, void *userdata)
{
	struct fixture *f = userdata;

	(void)t;
	view_world_hang(&f->world);
	f->world.n_volumes = 2;
	f->world.exports[0].round_trip_ns++;
	f->world.exports[0].answered++;
	admin_changed(f->admin);
}

static void end_of_all(struct timer *t, void *userdata)
{
	struct fixture *f = userdata;

	(void)t;
	f->admin = admin_free(f->admin);
}

static size_t count_of(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static void test_watch(void **state)
{
	struct fixture *f = *state;
	struct timer *change, *end;
	char *p = f->get.text;

	assert_int_equal(timer_new_exact(&change, f->loop, change_everything, f), 0);
	assert_int_equal(timer_new_exact(&end, f->loop, end_of_all, f), 0);
	timer_arm(change, MILLISECONDS(500));
	timer_arm(end, MILLISECONDS(1500));
	assert_int_equal(http_get(&f->get, "GET /v1/watch?kinds=volumes,exports"), 200);
	assert_int_equal(count_of(p, "\"kind\":\"volumes\""), 2);
	assert_int_equal(count_of(p, "\"type\":\"DELETED\""), 1);
	assert_int_equal(count_of(p, "\"was\":{\"state\":\"Ok\",\"text\":\"\"}"), 1);
	/* The other export only answered. */
	assert_int_equal(count_of(p, "\"kind\":\"exports\""), 1);
	assert_int_equal(count_of(p, "\"kind\":\"mounts\""), 0);
	timer_free(change);
	timer_free(end);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_read),
		TEST(test_wrong_requests),
		TEST(test_who_may_what),
		TEST(test_what_is_not_there),
		TEST(test_status),
		TEST(test_what_is_no_utf8),
		TEST(test_memory),
		TEST(test_recovery_bodies),
		TEST(test_bodies),
		TEST(test_detach),
		TEST(test_detach_without_client),
		TEST(test_storage),
		TEST(test_storage_for_those_who_leave),
		TEST(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
