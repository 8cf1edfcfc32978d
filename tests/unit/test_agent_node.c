/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_node.c: the Node service with a mounter, a walker and a kubelet of its own: codes of
 * contracts.md 2.3, one operation a target, one writer, hostile attributes, no memory */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "agent/node.h"
#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/fault.h"

#define ROOT "/var/lib/kubelet"
#define TARGET(n) ROOT "/pods/u" n "/volumes/kubernetes.io~csi/pv/mount"
#define CALLS_MAX 128

/* ---- fakes: what node.c stands on ---------------------------------------------------------- */

struct csi_call {
	bool answered;
	struct rpc_status end;
	struct csi_stats stats;
	char condition[256];
};

void csi_answer(struct csi_call *c)
{
	assert_false(c->answered);
	c->answered = true;
	c->end.code = RPC_OK;
}

void csi_answer_stats(struct csi_call *c, const struct csi_stats *s)
{
	csi_answer(c);
	c->stats = *s;
	str_copy_cut(c->condition, sizeof(c->condition), s->condition);
}

void csi_fail_status(struct csi_call *c, const struct rpc_status *s)
{
	assert_false(c->answered);
	assert_int_not_equal(s->code, RPC_OK);
	c->answered = true;
	c->end = *s;
}

void csi_fail(struct csi_call *c, enum rpc_code code, const char *fmt, ...)
{
	struct rpc_status s = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s.text, sizeof(s.text), fmt, ap);
	va_end(ap);
	csi_fail_status(c, &s);
}

/* What the mounter was asked last, and what waits for its end. */
static struct {
	struct mounter_volume v;
	char target[512], options[256], directory[256];
	mounter_fn fn[CALLS_MAX];
	void *userdata[CALLS_MAX];
	size_t n, published, unpublished;
	int refuse; /* at once */
	mounter_usage_fn usage_fn;
	void *usage_userdata;
	size_t usages;
	fsgroup_fn group_fn;
	void *group_userdata;
	size_t groups;
	gid_t group;
	size_t ended;
	enum rpc_code ended_code;
	bool abnormal;
} world;

static int queue(mounter_fn fn, void *userdata, struct err *e)
{
	if (world.refuse)
		return err_set(e, world.refuse, "refused");
	assert_true(world.n < CALLS_MAX);
	world.fn[world.n] = fn;
	world.userdata[world.n++] = userdata;
	return 0;
}

int mounter_publish(struct mounter *m, const struct mounter_volume *v, mounter_fn fn,
	void *userdata, struct err *e)
{
	(void)m;
	world.v = *v;
	world.published++;
	str_copy_cut(world.target, sizeof(world.target), v->target);
	str_copy_cut(world.options, sizeof(world.options), str_or(v->options, "-"));
	str_copy_cut(world.directory, sizeof(world.directory), str_or(v->directory, "-"));
	return queue(fn, userdata, e);
}

int mounter_unpublish(
	struct mounter *m, const char *target, mounter_fn fn, void *userdata, struct err *e)
{
	(void)m;
	world.unpublished++;
	str_copy_cut(world.target, sizeof(world.target), target);
	return queue(fn, userdata, e);
}

int mounter_stats(
	struct mounter *m, const char *target, mounter_usage_fn fn, void *userdata, struct err *e)
{
	(void)m;
	(void)target;
	if (world.refuse)
		return err_set(e, world.refuse, "refused");
	world.usages++;
	world.usage_fn = fn;
	world.usage_userdata = userdata;
	return 0;
}

int fsgroup_apply(struct fsgroup *f, const struct volume_attributes *a, gid_t group, fsgroup_fn fn,
	void *userdata, struct err *e)
{
	(void)f;
	(void)a;
	(void)e;
	world.groups++;
	world.group = group;
	world.group_fn = fn;
	world.group_userdata = userdata;
	return 0;
}

/* The oldest operation of the mounter ends. */
static void end(int code)
{
	struct err e = ERR_NULL;
	mounter_fn fn = world.fn[0];
	void *userdata = world.userdata[0];

	assert_true(world.n > 0);
	if (code)
		err_set(&e, code, "nas:/data: %s", strerror(code));
	world.n--;
	memmove(world.fn, world.fn + 1, world.n * sizeof(world.fn[0]));
	memmove(world.userdata, world.userdata + 1, world.n * sizeof(world.userdata[0]));
	fn(&e, userdata);
}

static void on_ended(
	const char *what, const struct publication *p, const struct rpc_status *s, void *userdata)
{
	(void)userdata;
	assert_true(*what && *p->target && *p->volume);
	world.ended++;
	world.ended_code = s->code;
}

static void condition(const char *target, struct mounts_condition *ret, void *userdata)
{
	(void)target;
	(void)userdata;
	ret->abnormal = world.abnormal;
	str_copy_cut(ret->message, sizeof(ret->message), "nas does not answer");
}

/* ---- a node -------------------------------------------------------------------------------- */

struct node_world {
	struct loop *loop;
	struct agent_config *config;
	struct publications *known;
	struct node *node;
};

static const char config_text[] = "nfs: {allow: [nas, 'one:/only', 'fd00::1']}\n"
				  "agent:\n"
				  "  pools: [{name: fast, path: /srv/fast}]\n";

static int setup(void **state)
{
	static struct node_world w;
	struct err e = ERR_NULL;

	memset(&world, 0, sizeof(world));
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(
		agent_config_parse(&w.config, "c", config_text, strlen(config_text), &e), 0);
	assert_int_equal(publications_new(&w.known, w.loop, NULL, NULL), 0);
	const struct node_options o = {
		.loop = w.loop,
		.config = w.config,
		.publications = w.known,
		.fsgroup = (struct fsgroup *)&world,
		.kubelet_root = ROOT,
		.condition = condition,
		.ended = on_ended,
	};
	assert_int_equal(node_new(&w.node, &o, NULL), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct node_world *w = *state;

	node_free(w->node);
	publications_free(w->known);
	agent_config_free(w->config);
	loop_free(w->loop);
	return 0;
}

static const struct csi_pair nfs_pairs[] = {
	{"server", "nas"},
	{"export", "/data"},
	{"directory", "team/web"},
	{CSI_POD_NAME, "web-0"},
	{CSI_POD_NAMESPACE, "default"},
	{CSI_POD_UID, "u1"},
};
#define PAIRS_MAX 16

/* A request as the kubelet makes it; tests change single fields. */
struct request {
	struct csi_publish r;
	struct csi_pair pairs[PAIRS_MAX];
};

/* As the decoder leaves them: by key. */
static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct csi_pair *)a)->key, ((const struct csi_pair *)b)->key);
}

static void sort(struct request *q)
{
	q->r.context.pairs = q->pairs;
	qsort(q->pairs, q->r.context.n, sizeof(*q->pairs), by_key);
}

static void request(struct request *q, const char *volume, const char *target)
{
	memset(q, 0, sizeof(*q));
	memcpy(q->pairs, nfs_pairs, sizeof(nfs_pairs));
	q->r = (struct csi_publish){
		.volume_id = volume,
		.target_path = target,
		.staging_path = "",
		.fs_type = "",
		.mode = CSI_MULTI_NODE_MULTI_WRITER,
		.context = {q->pairs, ELEMENTSOF(nfs_pairs)},
	};
	sort(q);
}

static void set(struct request *q, const char *key, const char *value)
{
	for (size_t i = 0; i < q->r.context.n; i++) {
		if (!streq(q->pairs[i].key, key))
			continue;
		if (value)
			q->pairs[i].value = value;
		else
			q->pairs[i] = q->pairs[--q->r.context.n];
		sort(q);
		return;
	}
	if (value)
		q->pairs[q->r.context.n++] = (struct csi_pair){key, value};
	sort(q);
}

static void publish(struct node_world *w, struct csi_call *c, const struct request *q)
{
	*c = (struct csi_call){.answered = false};
	node_functions.publish(c, &q->r, node_driver(w->node, NODE_NFS));
}

static void unpublish(struct node_world *w, struct csi_call *c, const char *v, const char *target)
{
	const struct csi_unpublish r = {v, target};

	*c = (struct csi_call){.answered = false};
	node_functions.unpublish(c, &r, node_driver(w->node, NODE_NFS));
}

/* Published, all the way. */
static void published(struct node_world *w, const char *volume, const char *target)
{
	struct request q;
	struct csi_call c;

	request(&q, volume, target);
	publish(w, &c, &q);
	end(0);
	assert_int_equal(c.end.code, RPC_OK);
}

static void is_code(const struct csi_call *c, enum rpc_code code)
{
	if (!c->answered || c->end.code != code)
		fail_msg("%s instead of %s: %s", c->answered ? rpc_code_name(c->end.code) : "none",
			rpc_code_name(code), c->end.text);
}

/* ---- publish and unpublish ----------------------------------------------------------------- */

static void what_the_mounter_is_asked(void **state)
{
	static const char *const flags[] = {"nconnect=4", "context=\"a,b\""};
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	q.r.mount_flags = flags;
	q.r.n_mount_flags = 2;
	publish(w, &c, &q);
	assert_false(c.answered);
	assert_int_equal(world.v.kind, MOUNTER_NFS);
	assert_string_equal(world.v.server, "nas");
	assert_string_equal(world.v.export_, "/data");
	assert_string_equal(world.directory, "team/web");
	assert_string_equal(world.options, "nconnect=4,context=\"a,b\"");
	assert_false(world.v.readonly || world.v.suid || world.v.dev);
	end(0);
	is_code(&c, RPC_OK);
	assert_string_equal(publications_at(w->known, TARGET("1"))->source, "nas:/data/team/web");
	assert_string_equal(publications_at(w->known, TARGET("1"))->pod, "web-0");
	assert_int_equal(world.ended, 1);

	set(&q, "suid", "true");
	set(&q, "dev", "true");
	set(&q, "server", "fd00::1");
	q.r.target_path = TARGET("2");
	q.r.mode = CSI_MULTI_NODE_READER_ONLY;
	publish(w, &c, &q);
	assert_true(world.v.readonly && world.v.suid && world.v.dev);
	end(0);
	assert_string_equal(
		publications_at(w->known, TARGET("2"))->source, "[fd00::1]:/data/team/web");
	q.r.mode = CSI_MULTI_NODE_MULTI_WRITER;
	q.r.readonly = true;
	q.r.target_path = TARGET("3");
	publish(w, &c, &q);
	assert_true(world.v.readonly);
	end(0);
}

static void a_pool(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c = {.answered = false};

	request(&q, "pv", TARGET("1"));
	set(&q, "pool", "fast");
	node_functions.publish(&c, &q.r, node_driver(w->node, NODE_HOSTPATH));
	assert_int_equal(world.v.kind, MOUNTER_HOSTPATH);
	assert_string_equal(world.v.export_, "/srv/fast");
	assert_null(world.v.server);
	/* The disk is missing: never made up for (B10). */
	end(ENODATA);
	is_code(&c, RPC_FAILED_PRECONDITION);
	set(&q, "pool", "slow");
	c.answered = false;
	node_functions.publish(&c, &q.r, node_driver(w->node, NODE_HOSTPATH));
	is_code(&c, RPC_FAILED_PRECONDITION);
	assert_non_null(strstr(c.end.text, "slow"));
	set(&q, "directory", NULL);
	c.answered = false;
	node_functions.publish(&c, &q.r, node_driver(w->node, NODE_HOSTPATH));
	is_code(&c, RPC_INVALID_ARGUMENT);
}

static const struct {
	const char *key, *value;
	enum rpc_code code;
} hostile[] = {
	{"server", NULL, RPC_INVALID_ARGUMENT},
	{"server", "", RPC_INVALID_ARGUMENT},
	{"server", "nas,addr=1.2.3.4", RPC_INVALID_ARGUMENT},
	{"server", "-o", RPC_INVALID_ARGUMENT},
	{"server", "na s", RPC_INVALID_ARGUMENT},
	{"server", "evil", RPC_PERMISSION_DENIED},
	{"server", "one", RPC_PERMISSION_DENIED},
	{"export", NULL, RPC_INVALID_ARGUMENT},
	{"export", "data", RPC_INVALID_ARGUMENT},
	{"export", "/data/../etc", RPC_INVALID_ARGUMENT},
	{"export", "/a//b", RPC_INVALID_ARGUMENT},
	{"directory", "..", RPC_INVALID_ARGUMENT},
	{"directory", "/etc", RPC_INVALID_ARGUMENT},
	{"directory", "a/../../b", RPC_INVALID_ARGUMENT},
	{"directory", ".berth/trash/x", RPC_INVALID_ARGUMENT},
	{"directory", "a//b", RPC_INVALID_ARGUMENT},
	{"nfsPort", "99999", RPC_INVALID_ARGUMENT},
	{"mountPort", "x", RPC_INVALID_ARGUMENT},
	{"nfsVersion", "2", RPC_INVALID_ARGUMENT},
	{"suid", "maybe", RPC_INVALID_ARGUMENT},
	{"dev", "2", RPC_INVALID_ARGUMENT},
	{"actAs", "0", RPC_INVALID_ARGUMENT},
	{"mode", "rwx", RPC_INVALID_ARGUMENT},
	{CSI_EPHEMERAL, "true", RPC_INVALID_ARGUMENT},
};

static void hostile_attributes_reach_nothing(void **state)
{
	struct node_world *w = *state;

	for (size_t i = 0; i < ELEMENTSOF(hostile); i++) {
		struct request q;
		struct csi_call c;

		request(&q, "pv", TARGET("1"));
		set(&q, hostile[i].key, hostile[i].value);
		publish(w, &c, &q);
		if (!c.answered || c.end.code != hostile[i].code)
			fail_msg("%s=%s: %s", hostile[i].key, str_or(hostile[i].value, "NULL"),
				c.answered ? rpc_code_name(c.end.code) : "taken");
	}
	assert_int_equal(world.published, 0);
}

static void targets_are_the_kubelets(void **state)
{
	static const char *const wrong[] = {
		"/etc",
		ROOT,
		ROOT "/pods",
		ROOT "/pods/u/volumes/kubernetes.io~csi/pv",
		ROOT "/pods/u/volumes/kubernetes.io~nfs/pv/mount",
		ROOT "/plugins/x/pods/u/volumes/kubernetes.io~csi/pv/mount",
		ROOT "2/pods/u/volumes/kubernetes.io~csi/pv/mount",
	};
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		request(&q, "pv", wrong[i]);
		publish(w, &c, &q);
		is_code(&c, RPC_INVALID_ARGUMENT);
	}
	request(&q, "pv", TARGET("1"));
	q.r.fs_type = "ext4";
	publish(w, &c, &q);
	is_code(&c, RPC_INVALID_ARGUMENT);
	assert_int_equal(world.published, 0);
	unpublish(w, &c, "pv", "/etc");
	is_code(&c, RPC_INVALID_ARGUMENT);
	unpublish(w, &c, "pv", ROOT "/");
	is_code(&c, RPC_INVALID_ARGUMENT);
	assert_int_equal(world.unpublished, 0);
}

static void the_table_of_repeats(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	published(w, "pv", TARGET("1"));
	/* T same, P same: asked again, for the mount is what counts. */
	published(w, "pv", TARGET("1"));
	assert_int_equal(publications_count(w->known), 1);
	/* T same, P different. */
	request(&q, "pv", TARGET("1"));
	q.r.readonly = true;
	publish(w, &c, &q);
	is_code(&c, RPC_ALREADY_EXISTS);
	request(&q, "pv", TARGET("1"));
	q.r.mode = CSI_SINGLE_NODE_MULTI_WRITER;
	publish(w, &c, &q);
	is_code(&c, RPC_ALREADY_EXISTS);
	request(&q, "other", TARGET("1"));
	publish(w, &c, &q);
	is_code(&c, RPC_ALREADY_EXISTS);
	/* T different: RWX and RWO are for all pods of the node. */
	published(w, "pv", TARGET("2"));
	request(&q, "pv", TARGET("3"));
	q.r.mode = CSI_SINGLE_NODE_WRITER;
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
}

static void one_writer(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	q.r.mode = CSI_SINGLE_NODE_SINGLE_WRITER;
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
	q.r.target_path = TARGET("2");
	publish(w, &c, &q);
	is_code(&c, RPC_FAILED_PRECONDITION);
	assert_non_null(strstr(c.end.text, "default/web-0"));
	/* Also where the other one came without that mode, or is only known from mountinfo. */
	unpublish(w, &c, "pv", TARGET("1"));
	end(0);
	assert_int_equal(publications_found(w->known, TARGET("3"), "d", "s"), 0);
	publish(w, &c, &q);
	is_code(&c, RPC_FAILED_PRECONDITION);
	publications_drop(w->known, TARGET("3"));
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
}

static void busy_is_aborted_at_once(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call first, c, second;

	request(&q, "pv", TARGET("1"));
	publish(w, &first, &q);
	publish(w, &c, &q);
	is_code(&c, RPC_ABORTED);
	unpublish(w, &c, "pv", TARGET("1"));
	is_code(&c, RPC_ABORTED);
	q.r.target_path = TARGET("2");
	publish(w, &c, &q);
	is_code(&c, RPC_ABORTED);
	/* Another volume, and another target's unpublish, do not wait. */
	q.r.volume_id = "pv2";
	publish(w, &c, &q);
	assert_false(c.answered);
	unpublish(w, &second, "pv", TARGET("3"));
	assert_false(second.answered);
	end(0);
	end(0);
	end(0);
	is_code(&first, RPC_OK);
	is_code(&c, RPC_OK);
	is_code(&second, RPC_OK);
	/* Unpublishes of one volume beside each other; no publish of it meanwhile. */
	unpublish(w, &first, "pv", TARGET("1"));
	unpublish(w, &second, "pv", TARGET("4"));
	q.r.volume_id = "pv";
	q.r.target_path = TARGET("5");
	publish(w, &c, &q);
	is_code(&c, RPC_ABORTED);
	end(0);
	end(0);
	is_code(&first, RPC_OK);
	is_code(&second, RPC_OK);
}

static void unpublish_knows_nothing(void **state)
{
	struct node_world *w = *state;
	struct csi_call c;

	unpublish(w, &c, "never-heard-of", ROOT "/pods/x/volumes/kubernetes.io~csi/y/mount");
	end(0);
	is_code(&c, RPC_OK);
	unpublish(w, &c, "v", ROOT "/anything/below");
	assert_string_equal(world.target, ROOT "/anything/below");
	end(ENOTEMPTY);
	is_code(&c, RPC_INTERNAL);
	published(w, "pv", TARGET("1"));
	/* A failed one leaves the publication known. */
	unpublish(w, &c, "pv", TARGET("1"));
	end(ETIMEDOUT);
	is_code(&c, RPC_DEADLINE_EXCEEDED);
	assert_int_equal(publications_count(w->known), 1);
	unpublish(w, &c, "pv", TARGET("1"));
	end(0);
	assert_int_equal(publications_count(w->known), 0);
}

/* What may have been done all the same never gets a final code (contracts.md 2.8). */
static void codes(void **state)
{
	static const struct {
		int code;
		enum rpc_code rpc;
	} table[] = {
		{EBUSY, RPC_ABORTED},
		{EEXIST, RPC_ALREADY_EXISTS},
		{EINVAL, RPC_INVALID_ARGUMENT},
		{ENOENT, RPC_NOT_FOUND},
		{EACCES, RPC_PERMISSION_DENIED},
		{EPERM, RPC_PERMISSION_DENIED},
		{ENODEV, RPC_FAILED_PRECONDITION},
		{ETIMEDOUT, RPC_DEADLINE_EXCEEDED},
		{ECONNRESET, RPC_UNAVAILABLE},
		{ECONNREFUSED, RPC_UNAVAILABLE},
		{EHOSTUNREACH, RPC_UNAVAILABLE},
		{ENOMEM, RPC_RESOURCE_EXHAUSTED},
		{ENOSPC, RPC_RESOURCE_EXHAUSTED},
		{EIO, RPC_INTERNAL},
	};
	struct node_world *w = *state;

	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		struct request q;
		struct csi_call c;

		request(&q, "pv", TARGET("1"));
		publish(w, &c, &q);
		end(table[i].code);
		is_code(&c, table[i].rpc);
		assert_non_null(strstr(c.end.text, "nas:/data"));
		assert_int_equal(publications_count(w->known), 0);
		if (rpc_code_is_final(table[i].rpc) &&
			(table[i].code == ETIMEDOUT || table[i].code == ECONNRESET))
			fail_msg("%d is final", table[i].code);
		world.refuse = table[i].code;
		publish(w, &c, &q);
		is_code(&c, table[i].rpc);
		unpublish(w, &c, "pv", TARGET("1"));
		is_code(&c, table[i].rpc);
		world.refuse = 0;
	}
}

static void an_ending_agent_answers(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	publish(w, &c, &q);
	w->node = node_free(w->node);
	is_code(&c, RPC_UNAVAILABLE);
}

/* ---- fsGroup ------------------------------------------------------------------------------- */

static void group_ends(int code)
{
	struct err e = ERR_NULL;

	if (code)
		err_set(&e, code, "why");
	world.group_fn(&e, world.group_userdata);
}

static void the_group_comes_before_the_mount(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	q.r.has_group = true;
	q.r.group = 4000;
	publish(w, &c, &q);
	assert_int_equal(world.group, 4000);
	assert_int_equal(world.published, 0);
	group_ends(EINPROGRESS);
	is_code(&c, RPC_ABORTED);
	publish(w, &c, &q);
	group_ends(EPERM);
	is_code(&c, RPC_FAILED_PRECONDITION);
	publish(w, &c, &q);
	group_ends(ETIMEDOUT);
	is_code(&c, RPC_DEADLINE_EXCEEDED);
	assert_int_equal(world.published, 0);
	publish(w, &c, &q);
	group_ends(0);
	end(0);
	is_code(&c, RPC_OK);
	/* A pod that has its volume has its group: a kubelet that asks again needs no server. */
	assert_int_equal(world.groups, 4);
	publish(w, &c, &q);
	end(0);
	assert_int_equal(world.groups, 4);
	/* Nobody may write: nothing is changed. */
	q.r.target_path = TARGET("2");
	q.r.readonly = true;
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
	assert_int_equal(world.groups, 4);
}

/* ---- statistics ---------------------------------------------------------------------------- */

static void stats(struct node_world *w, struct csi_call *c, const char *volume, const char *path)
{
	const struct csi_stats_request r = {volume, path, ""};

	*c = (struct csi_call){.answered = false};
	/* The request lives as long as its call. */
	static struct csi_stats_request kept;
	kept = r;
	node_functions.stats(c, &kept, node_driver(w->node, NODE_NFS));
}

static void usage_ends(int code)
{
	const struct mounter_usage u = {.bytes = 100,
		.bytes_free = 40,
		.bytes_available = 30,
		.inodes = 10,
		.inodes_free = 4};
	struct err e = ERR_NULL;

	if (code)
		err_set(&e, code, "statfs: %s", strerror(code));
	world.usage_fn(&e, code ? NULL : &u, world.usage_userdata);
}

static void figures_and_their_cache(void **state)
{
	struct node_world *w = *state;
	struct csi_call c;

	published(w, "pv", TARGET("1"));
	stats(w, &c, "pv", TARGET("1"));
	usage_ends(0);
	is_code(&c, RPC_OK);
	assert_int_equal(c.stats.bytes_total, 100);
	assert_int_equal(c.stats.bytes_used, 60);
	assert_int_equal(c.stats.bytes_available, 30);
	assert_int_equal(c.stats.inodes_used, 6);
	assert_true(c.stats.has_condition && !c.stats.is_abnormal);
	stats(w, &c, "pv", TARGET("1"));
	is_code(&c, RPC_OK);
	assert_int_equal(world.usages, 1);
	/* Published anew: other figures. */
	published(w, "pv", TARGET("1"));
	stats(w, &c, "pv", TARGET("1"));
	assert_int_equal(world.usages, 2);
	usage_ends(0);
}

static void not_found(void **state)
{
	struct node_world *w = *state;
	struct csi_call c;

	stats(w, &c, "pv", TARGET("1"));
	is_code(&c, RPC_NOT_FOUND);
	published(w, "pv", TARGET("1"));
	stats(w, &c, "other", TARGET("1"));
	is_code(&c, RPC_NOT_FOUND);
	stats(w, &c, "pv", TARGET("2"));
	is_code(&c, RPC_NOT_FOUND);
	/* Unmounted behind our back. */
	stats(w, &c, "pv", TARGET("1"));
	usage_ends(ENOENT);
	is_code(&c, RPC_NOT_FOUND);
	/* Rebuilt from mountinfo: the handle is not known. */
	assert_int_equal(publications_found(w->known, TARGET("9"), "d", "s"), 0);
	stats(w, &c, "a-handle", TARGET("9"));
	usage_ends(0);
	is_code(&c, RPC_OK);
}

static void a_hung_server_is_a_condition(void **state)
{
	static const int conditions[] = {ETIMEDOUT, ECONNRESET, ESTALE, EIO, EHOSTUNREACH};
	struct node_world *w = *state;
	struct csi_call c, waiting;

	published(w, "pv", TARGET("1"));
	for (size_t i = 0; i < ELEMENTSOF(conditions); i++) {
		stats(w, &c, "pv", TARGET("1"));
		usage_ends(conditions[i]);
		is_code(&c, RPC_OK);
		assert_true(c.stats.is_abnormal && !c.stats.has_bytes);
		assert_non_null(strstr(c.condition, "statfs"));
	}
	stats(w, &c, "pv", TARGET("1"));
	usage_ends(EPERM);
	is_code(&c, RPC_PERMISSION_DENIED);
	/* Known to hang: said, with the figures of before where there are any. */
	world.abnormal = true;
	stats(w, &c, "pv", TARGET("1"));
	stats(w, &waiting, "pv", TARGET("1"));
	usage_ends(0);
	is_code(&c, RPC_OK);
	is_code(&waiting, RPC_OK);
	assert_true(c.stats.is_abnormal && c.stats.has_bytes);
	assert_string_equal(c.condition, "nas does not answer");
	assert_int_equal(world.usages, 7);
}

static void what_each_driver_can(void **state)
{
	const unsigned both = CSI_CAN_GET_VOLUME_STATS | CSI_CAN_VOLUME_CONDITION |
			      CSI_CAN_SINGLE_NODE_MULTI_WRITER;

	(void)state;
	assert_int_equal(node_capabilities(NODE_NFS), both | CSI_CAN_VOLUME_MOUNT_GROUP);
	assert_int_equal(node_capabilities(NODE_HOSTPATH), both);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void no_memory_fails_the_call_alone(void **state)
{
	struct node_world *w = *state;

	FAULT_LOOP
	{
		struct request q;
		struct csi_call c;

		request(&q, "pv", TARGET("1"));
		publish(w, &c, &q);
		if (!c.answered)
			end(0);
		assert_true(c.answered);
		if (c.end.code != RPC_OK && c.end.code != RPC_RESOURCE_EXHAUSTED &&
			c.end.code != RPC_INVALID_ARGUMENT)
			fail_msg("%s: %s", rpc_code_name(c.end.code), c.end.text);
		assert_false(rpc_code_is_final(c.end.code) && c.end.code != RPC_OK);
		fault_disarm();
		unpublish(w, &c, "pv", TARGET("1"));
		end(0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_the_mounter_is_asked),
		TEST(a_pool),
		TEST(hostile_attributes_reach_nothing),
		TEST(targets_are_the_kubelets),
		TEST(the_table_of_repeats),
		TEST(one_writer),
		TEST(busy_is_aborted_at_once),
		TEST(unpublish_knows_nothing),
		TEST(codes),
		TEST(an_ending_agent_answers),
		TEST(the_group_comes_before_the_mount),
		TEST(figures_and_their_cache),
		TEST(not_found),
		TEST(a_hung_server_is_a_condition),
		TEST(what_each_driver_can),
		TEST(no_memory_fails_the_call_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
