/* SPDX-License-Identifier: Apache-2.0 */
/* node_mounter.h: a mounter and a walker that do as the test says: stand in for agent/mounter.c and
 * fsgroup.c */
#ifndef BERTH_TESTS_NODE_MOUNTER_H
#define BERTH_TESTS_NODE_MOUNTER_H

#include "tests/unit/node_calls.h"

#define CALLS_MAX 128

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

#endif
