/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_recovery.c: which exports there are, which records are meant, what is ordered, and
 * what is told of it */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "agent/recovery.h"
#include "agent/records.h"
#include "data/decode.h"
#include "kube_world.h"
#include "volume/backend.h"

#define CLASSES "GET /apis/storage.k8s.io/v1/storageclasses?limit=500"
#define INTENTS "GET /apis/berth.dev/v1alpha1/berthvolumes?limit=500"
#define EMPTY "{\"metadata\":{},\"items\":[]}"
#define MISSING "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\",\"code\":404}"
#define EXISTS "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"is\",\"code\":409}"
#define FORBIDDEN \
	"{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"may not\",\"code\":403}"
#define TOKEN "0123456789abcdef0123456789abcdef"
#define CLASS(name, server, more)                                                                 \
	"{\"metadata\":{\"name\":\"" name "\"},\"provisioner\":\"nfs.berth.dev\",\"parameters\":" \
	"{\"server\":\"" server "\",\"export\":\"/data\"" more "}}"
#define TRASH "pvc-a-20260102T030405Z-01234567"
#define BVOL(annotation, status) \
	"{\"metadata\":{\"name\":\"pvc-a\"" annotation "},\"status\":{" status "}}"
#define ORDER ",\"annotations\":{\"berth.dev/adopt\":\"record\"}"

struct world {
	struct kube_world w; /* first */
	struct volume_backend backend;
	struct view view;
	const struct view_export *exports;
	size_t n_exports;
	/* What lies on every export, and a listing that is due. */
	const struct volume_entry *entries;
	size_t n_entries;
	const char *silent; /* a server */
	struct timer *due;
	struct {
		volume_fn fn;
		void *userdata;
		struct volume_place place;
		char server[64];
	} calls[8];
	size_t n_calls;
	struct volume_place asked[8];
	size_t n_asked;
	/* What came. */
	bool done;
	struct places *places;
	json_t *document;
	struct err err;
};

/* ---- a view of its own ------------------------------------------------------------------- */

static struct kube_client *api(void *agent)
{
	return ((struct world *)agent)->w.client;
}

static const char *driver(void *agent)
{
	(void)agent;
	return "nfs.berth.dev";
}

static struct volume_backend *storage(void *agent)
{
	return &((struct world *)agent)->backend;
}

static void exports(void *agent, view_export_fn fn, void *userdata)
{
	struct world *x = agent;

	for (size_t i = 0; i < x->n_exports; i++)
		fn(&x->exports[i], userdata);
}

static int list(struct volume_backend *b, const struct volume_place *p, const char *cursor,
	volume_fn fn, void *userdata)
{
	struct world *x = CONTAINER_OF(b, struct world, backend);

	assert_null(cursor);
	assert_true(x->n_calls < ELEMENTSOF(x->calls));
	x->calls[x->n_calls].fn = fn;
	x->calls[x->n_calls].userdata = userdata;
	x->calls[x->n_calls].place = *p;
	(void)str_copy_cut(x->calls[x->n_calls].server, 64, p->server);
	x->n_calls++;
	x->asked[x->n_asked++] = *p;
	timer_arm(x->due, MILLISECONDS(1));
	return 0;
}

static void on_due(struct timer *t, void *userdata)
{
	struct world *x = userdata;
	size_t n = x->n_calls;

	(void)t;
	x->n_calls = 0;
	for (size_t i = 0; i < n; i++) {
		struct volume_result res = {.entries = x->entries, .n_entries = x->n_entries};

		if (x->silent && streq(x->calls[i].server, x->silent))
			(void)err_set(&res.err, ETIMEDOUT, "%s: no answer", x->silent);
		x->calls[i].fn(&res, x->calls[i].userdata);
	}
}

static const struct volume_backend_ops ops = {.name = "test", .list = list};

static int set_up(void **state)
{
	struct world *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	assert_int_equal(kube_world_init(&x->w), 0);
	assert_int_equal(timer_new_exact(&x->due, x->w.loop, on_due, x), 0);
	x->backend.ops = &ops;
	x->view = (struct view){.agent = x,
		.api = api,
		.nfs_driver = driver,
		.storage = storage,
		.exports = exports};
	*state = x;
	return 0;
}

static int tear_down(void **state)
{
	struct world *x = *state;

	places_free(x->places);
	json_decref(x->document);
	timer_free(x->due);
	return kube_world_teardown(state);
}

static void answer(struct world *x, const char *match, int status, const char *body, bool repeat)
{
	fakeapi_answer(x->w.api,
		&(struct fake_answer){
			.match = match, .status = status, .body = body, .repeat = repeat});
}

static bool is_done(void *userdata)
{
	return ((struct world *)userdata)->done;
}

/* ---- places ------------------------------------------------------------------------------ */

static void on_places(struct places *p, void *userdata)
{
	struct world *x = userdata;

	x->done = true;
	x->places = p;
}

static void find(struct world *x)
{
	assert_int_equal(places_find(x->w.loop, &x->view, on_places, x), 0);
	assert_true(fake_run(x->w.loop, is_done, x, 10000));
}

static void exports_of_classes_and_volumes(void **state)
{
	struct world *x = *state;
	const struct view_export mounted[] = {
		{.server = "nas-3", .export_ = "/static", .version = 4, .minor = 2},
		{.server = "nas-1", .export_ = "/data", .version = 4},
	};
	const struct place *p;

	x->exports = mounted;
	x->n_exports = 2;
	answer(x, CLASSES, 0,
		"{\"metadata\":{},\"items\":[" CLASS("a", "nas-1,nas-2",
			",\"actAs\":\"7:8\",\"nfsPort\":\"2050\",\"trashTTL\":\"1h\",\"suid\":"
			"\"true\"") "," CLASS("b", "nas-1",
			",\"trashTTL\":\"2h\"") ","
						"{\"metadata\":{\"name\":\"c\"},\"provisioner\":"
						"\"other\",\"parameters\":{\"server\":"
						"\"nas-9\",\"export\":\"/data\"}}," CLASS(
							"wrong", "nas-8", ",\"mode\":\"rwx\"") "]}",
		false);
	answer(x, INTENTS, 0,
		"{\"metadata\":{\"continue\":\"more/"
		"1\"},\"items\":[{\"metadata\":{\"name\":\"pvc-1\"},"
		"\"spec\":{\"driver\":\"nfs.berth.dev\",\"nfs\":{\"server\":\"fd00::1\",\"export\":"
		"\"/old\",\"actAs\":\"9:9\",\"trashTTL\":\"60s\"}}}]}",
		false);
	answer(x, INTENTS "&continue=more%2F1", 0,
		"{\"metadata\":{},\"items\":[{\"metadata\":{\"name\":\"pvc-4\"" ORDER
		"}},{\"metadata\":{\"name\":\"pvc-2\"},\"spec\":{"
		"\"driver\":"
		"\"hostpath.berth.dev\",\"hostPath\":{}}},{\"metadata\":{\"name\":\"pvc-3\"},"
		"\"spec\":"
		"{\"driver\":\"nfs.berth.dev\",\"nfs\":{\"server\":\"bad\",\"export\":\"../"
		"x\"}}}]}",
		false);
	find(x);
	assert_int_equal(json_array_size(x->places->incomplete), 0);
	assert_int_equal(x->places->n, 4);
	assert_int_equal(json_object_size(x->places->known), 3);
	p = places_get(x->places, "nas-1:/data");
	assert_non_null(p);
	assert_true(p->at.act_as_set);
	assert_int_equal(p->at.act_uid, 7);
	assert_int_equal(p->at.nfs_port, 2050);
	assert_int_equal(p->trash_ttl, SECONDS(7200));
	assert_string_equal(json_string_at(p->nfs, "actAs", NULL), "7:8");
	assert_string_equal(json_string_at(p->nfs, "suid", NULL), "true");
	assert_null(json_object_get(p->nfs, "trashTTL"));
	assert_non_null(places_get(x->places, "nas-2:/data"));
	p = places_get(x->places, "[fd00::1]:/old");
	assert_non_null(p);
	assert_ptr_equal(p, places_get(x->places, "fd00::1:/old"));
	assert_int_equal(p->at.act_uid, 9);
	assert_null(json_object_get(p->nfs, "trashTTL"));
	p = places_get(x->places, "nas-3:/static");
	assert_non_null(p);
	assert_int_equal(p->at.version, 4);
	assert_null(places_get(x->places, "nas-9:/data"));
	assert_null(places_get(x->places, "nas-1"));
}

/* Without an API server there is what is mounted, and nobody is called unknown. */
static void without_an_answer(void **state)
{
	struct world *x = *state;
	const struct view_export mounted = {.server = "nas-3", .export_ = "/s", .version = 3};

	x->exports = &mounted;
	x->n_exports = 1;
	answer(x, CLASSES, 403, FORBIDDEN, false);
	find(x);
	assert_int_equal(x->places->n, 1);
	assert_null(x->places->known);
	assert_string_equal(json_string_value(json_array_get(x->places->incomplete, 0)),
		"API server: StorageClasses: may not");
}

static void more_than_there_is_room_for(void **state)
{
	static struct view_export many[PLACES_MAX + 2];
	static char names[PLACES_MAX + 2][16];
	struct world *x = *state;

	for (size_t i = 0; i < ELEMENTSOF(many); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "nas-%zu", i);
		many[i] = (struct view_export){.server = names[i], .export_ = "/x"};
	}
	x->exports = many;
	x->n_exports = ELEMENTSOF(many);
	answer(x, CLASSES, 0, EMPTY, false);
	answer(x, INTENTS, 0, EMPTY, false);
	find(x);
	assert_int_equal(x->places->n, PLACES_MAX);
	assert_int_equal(json_array_size(x->places->incomplete), 2);
}

/* ---- restore and adopt ------------------------------------------------------------------- */

static const struct volume_entry *record(enum record_state state, const char *trash)
{
	static struct volume_entry e;

	e = (struct volume_entry){
		.kind = ENTRY_RECORD,
		.name = "pvc-a.json",
		.state = state,
		.trash = trash,
		.record = {.driver = "nfs.berth.dev",
			.pv = "pvc-a",
			.token = TOKEN,
			.claim = {"ns", "data", "uid-1"},
			.class = "a",
			.directory = "ns-data-pvc-a",
			.capacity = 1 << 30,
			.uid = 1000,
			.mode = 0770,
			.flags = VOLUME_UID_SET | VOLUME_MODE_SET,
			.reclaim = RECLAIM_DELETE,
			.trash_ttl_ns = SECONDS(60)},
	};
	return &e;
}

static void on_recovered(json_t *document, const struct err *e, void *userdata)
{
	struct world *x = userdata;

	x->done = true;
	x->document = json_incref(document);
	if (e)
		(void)err_copy(&x->err, e);
}

static void order(struct world *x, const struct recovery_order *o)
{
	struct err e = ERR_NULL;

	x->done = false;
	json_decref(x->document);
	x->document = NULL;
	if (recovery_run(x->w.loop, &x->view, o, on_recovered, x, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(fake_run(x->w.loop, is_done, x, 20000));
}

static const char *of_row(const struct world *x, size_t i, const char *key)
{
	return str_or(
		json_string_at(json_array_get(json_object_get(x->document, "items"), i), key, NULL),
		"");
}

static void lists(struct world *x)
{
	answer(x, CLASSES, 0,
		"{\"metadata\":{},\"items\":[" CLASS("a", "nas-1", ",\"actAs\":\"7:8\"") "]}",
		true);
	answer(x, INTENTS, 0, EMPTY, true);
}

static void an_order_is_given(void **state)
{
	struct world *x = *state;
	const struct fake_request *q;
	_cleanup_json_ json_t *body = NULL, *want = NULL;

	x->entries = record(RECORD_TRASHED, TRASH);
	x->n_entries = 1;
	lists(x);
	answer(x, "GET /api/v1/persistentvolumes/pvc-a", 404, MISSING, false);
	answer(x, "POST /apis/berth.dev/v1alpha1/berthvolumes", 201, BVOL("", ""), false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 0, BVOL(ORDER, ""), false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 0,
		BVOL("", "\"phase\":\"Ready\""), false);
	order(x, &(struct recovery_order){.name = TRASH});
	assert_string_equal(of_row(x, 0, "state"), "Restored");
	assert_string_equal(of_row(x, 0, "claim"), "ns/data");
	assert_int_equal(x->n_asked, 1);
	assert_true(x->asked[0].act_as_set);
	q = fakeapi_request(x->w.api, 3);
	assert_true(str_after(q->line, "POST /apis/berth.dev") != NULL);
	body = json_loads(q->body, 0, NULL);
	want = json_pack("{s:s,s:s,s:{s:s,s:{s:s}},s:o}", "apiVersion", "berth.dev/v1alpha1",
		"kind", "BerthVolume", "metadata", "name", "pvc-a", "annotations",
		"berth.dev/adopt", TRASH, "spec",
		json_loads(
			"{\"driver\":\"nfs.berth.dev\",\"token\":\"" TOKEN
			"\",\"claim\":{\"namespace\":\"ns\",\"name\":\"data\",\"uid\":\"uid-1\"},"
			"\"class\":\"a\",\"directory\":\"ns-data-pvc-a\",\"nfs\":{\"server\":"
			"\"nas-1\",\"export\":\"/data\",\"actAs\":\"7:8\",\"trashTTL\":\"60s\"},"
			"\"capacity\":\"1Gi\",\"permissions\":{\"uid\":1000,\"mode\":\"0770\"},"
			"\"reclaim\":\"Delete\",\"desired\":\"Present\"}",
			0, NULL));
	assert_true(json_equal(body, want));
}

/* The words of the provisioner; and those of an order that was refused before are not ours. */
static void an_order_is_refused(void **state)
{
	struct world *x = *state;

	x->entries = record(RECORD_READY, "");
	x->n_entries = 1;
	lists(x);
	answer(x, "GET /api/v1/persistentvolumes/pvc-a", 404, MISSING, true);
	answer(x, "POST /apis/berth.dev/v1alpha1/berthvolumes", 409, EXISTS, false);
	answer(x, "POST /apis/berth.dev/v1alpha1/berthvolumes", 201, BVOL(ORDER, ""), false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 0,
		BVOL(ORDER, "\"phase\":\"Failed\",\"message\":\"of yesterday\""), false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 404, MISSING, false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 0,
		BVOL(ORDER, "\"phase\":\"Failed\",\"message\":\"no such luck\""), false);
	order(x, &(struct recovery_order){.export_ = "nas-1:/data"});
	assert_string_equal(of_row(x, 0, "state"), "Refused");
	assert_string_equal(of_row(x, 0, "text"), "no such luck");
	answer(x, "POST /apis/berth.dev/v1alpha1/berthvolumes", 403, FORBIDDEN, false);
	order(x, &(struct recovery_order){.volume = "pvc-a"});
	assert_string_equal(of_row(x, 0, "text"), "may not");
	/* Of the cluster's own: no order at all. */
	answer(x, "POST /apis/berth.dev/v1alpha1/berthvolumes", 409, EXISTS, false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 0,
		BVOL("", "\"phase\":\"Pending\""), false);
	order(x, &(struct recovery_order){.volume = "pvc-a"});
	assert_string_equal(of_row(x, 0, "state"), "Refused");
	/* Taken away while it was waited for. */
	answer(x, "POST /apis/berth.dev/v1alpha1/berthvolumes", 201, BVOL(ORDER, ""), false);
	answer(x, "GET /apis/berth.dev/v1alpha1/berthvolumes/pvc-a", 404, MISSING, false);
	order(x, &(struct recovery_order){.volume = "pvc-a"});
	assert_string_equal(of_row(x, 0, "text"), "the order was taken away: give it again");
}

static void what_has_its_volume(void **state)
{
	struct world *x = *state;

	x->entries = record(RECORD_READY, "");
	x->n_entries = 1;
	lists(x);
	answer(x, "GET /api/v1/persistentvolumes/pvc-a", 0, "{\"metadata\":{\"name\":\"pvc-a\"}}",
		true);
	order(x, &(struct recovery_order){.export_ = NULL});
	assert_string_equal(of_row(x, 0, "state"), "Present");
	x->entries = record(RECORD_TRASHED, TRASH);
	order(x, &(struct recovery_order){.name = "pvc-a"});
	assert_string_equal(of_row(x, 0, "state"), "Refused");
	/* In the trash: not adopted. */
	order(x, &(struct recovery_order){.export_ = NULL});
	assert_int_equal(json_array_size(json_object_get(x->document, "items")), 0);
	assert_int_equal(fakeapi_count(x->w.api, "POST"), 0);
}

static void a_dry_run(void **state)
{
	struct world *x = *state;
	struct volume_entry entries[3] = {*record(RECORD_READY, "")};

	entries[1] = entries[2] = entries[0];
	entries[1].record.pv = "pvc-b";
	entries[1].record.claim.name = "rival";
	entries[2].record.pv = "pvc-c";
	entries[2].record.claim.name = "rival";
	x->entries = entries;
	x->n_entries = 3;
	lists(x);
	answer(x, "GET /api/v1/persistentvolumes/", 404, MISSING, true);
	order(x, &(struct recovery_order){.dry_run = true});
	assert_string_equal(of_row(x, 0, "state"), "Adoptable");
	/* Two for one claim: nobody guesses. */
	assert_string_equal(of_row(x, 1, "state"), "Refused");
	assert_string_equal(of_row(x, 2, "state"), "Refused");
	assert_non_null(strstr(of_row(x, 2, "text"), "pvc-b"));
	order(x, &(struct recovery_order){.dry_run = true, .volume = "pvc-c"});
	assert_string_equal(of_row(x, 0, "volume"), "pvc-c");
	assert_string_equal(of_row(x, 0, "state"), "Adoptable");
	assert_int_equal(fakeapi_count(x->w.api, "POST"), 0);
}

static void what_is_not_found(void **state)
{
	struct world *x = *state;
	const struct volume_entry tree = {.kind = ENTRY_TRASH, .name = "by-hand", .trash = ""};

	x->entries = &tree;
	x->n_entries = 1;
	lists(x);
	order(x, &(struct recovery_order){.name = TRASH});
	assert_int_equal(x->err.code, ENOENT);
	order(x, &(struct recovery_order){.name = "by-hand"});
	assert_int_equal(x->err.code, EBUSY);
	assert_non_null(strstr(x->err.text, "has no record"));
	order(x, &(struct recovery_order){.export_ = "nas-7:/data"});
	assert_int_equal(x->err.code, ENOENT);
	assert_non_null(strstr(x->err.text, "nas-7:/data: no StorageClass"));
	x->silent = "nas-1";
	order(x, &(struct recovery_order){.volume = "pvc-z"});
	assert_non_null(strstr(x->err.text, "nas-1: no answer"));
}

/* Where the API server does not say what it knows, nothing is adopted. */
static void nothing_is_guessed(void **state)
{
	struct world *x = *state;

	x->entries = record(RECORD_READY, "");
	x->n_entries = 1;
	answer(x, CLASSES, 0, "{\"metadata\":{},\"items\":[" CLASS("a", "nas-1", "") "]}", true);
	answer(x, INTENTS, 403, FORBIDDEN, true);
	order(x, &(struct recovery_order){.export_ = NULL});
	assert_int_equal(x->err.code, EIO);
	assert_non_null(strstr(x->err.text, "BerthVolumes: may not"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exports_of_classes_and_volumes),
		TEST(without_an_answer),
		TEST(more_than_there_is_room_for),
		TEST(an_order_is_given),
		TEST(an_order_is_refused),
		TEST(what_has_its_volume),
		TEST(a_dry_run),
		TEST(what_is_not_found),
		TEST(nothing_is_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
