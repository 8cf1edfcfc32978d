/* SPDX-License-Identifier: Apache-2.0 */
/* publications.c: publications in memory by target and by volume */
#include "agent/publications.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/publications_file.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"

/* How long a change may wait for others before the file is written: names of pods are worth no
 * write for each publish. */
#define SAVE_AFTER SECONDS(1)

/* All publications of one volume: mostly one. */
struct volume_group {
	const char *name; /* of its first member */
	struct list members;
};

struct entry {
	struct publication p;
	struct list link; /* in its group */
	struct volume_group *group;
	char texts[]; /* what p points to */
};

struct publications {
	struct map by_target, by_volume;
	char *path;
	struct timer *save;
};

static struct map_key key_of_entry(const void *value)
{
	return map_key_str(((const struct entry *)value)->p.target);
}

static struct map_key key_of_group(const void *value)
{
	return map_key_str(((const struct volume_group *)value)->name);
}

/* ---- entries ----------------------------------------------------------------------------- */

static const char **texts_of(struct publication *p, size_t i)
{
	const char **all[] = {&p->target, &p->volume, &p->driver, &p->source, &p->namespace_,
		&p->pod, &p->pod_uid};

	return i < ELEMENTSOF(all) ? all[i] : NULL;
}

/* One piece of memory for all texts. */
static struct entry *entry_new(const struct publication *p)
{
	struct publication copy = *p;
	size_t size = 0;
	struct entry *x;
	const char **text;
	char *at;

	for (size_t i = 0; (text = texts_of(&copy, i)) != NULL; i++)
		size += strlen(*text) + 1;
	x = malloc(sizeof(*x) + size);
	if (!x)
		return NULL;
	x->p = copy;
	x->group = NULL;
	at = x->texts;
	for (size_t i = 0; (text = texts_of(&x->p, i)) != NULL; i++) {
		size_t n = strlen(*text) + 1;

		*text = memcpy(at, *text, n);
		at += n;
	}
	return x;
}

static int group_join(struct publications *v, struct entry *x)
{
	struct volume_group *g = map_gets(&v->by_volume, x->p.volume);

	if (!g) {
		g = malloc(sizeof(*g));
		if (!g)
			return -ENOMEM;
		g->name = x->p.volume;
		list_init(&g->members);
		if (map_add(&v->by_volume, g) < 0) {
			free(g);
			return -ENOMEM;
		}
	}
	list_append(&g->members, &x->link);
	x->group = g;
	return 0;
}

/* The group's name lies in its first member: where that goes the next one gives it. */
static void group_leave(struct publications *v, struct entry *x)
{
	struct volume_group *g = x->group;
	struct entry *next;

	list_remove(&x->link);
	if (list_empty(&g->members)) {
		map_removes(&v->by_volume, x->p.volume);
		free(g);
		return;
	}
	next = LIST_FIRST(&g->members, struct entry, link);
	if (g->name == x->p.volume)
		g->name = next->p.volume;
}

static void entry_drop(struct publications *v, struct entry *x)
{
	map_removes(&v->by_target, x->p.target);
	group_leave(v, x);
	free(x);
}

static void changed(struct publications *v)
{
	if (!timer_armed(v->save))
		timer_arm(v->save, SAVE_AFTER);
}

static int put(struct publications *v, const struct publication *p)
{
	struct entry *old = map_gets(&v->by_target, p->target), *x;

	if (!old && v->by_target.size >= PUBLICATIONS_MAX)
		return -ENOBUFS;
	x = entry_new(p);
	if (!x)
		return -ENOMEM;
	if (old)
		entry_drop(v, old);
	if (group_join(v, x) < 0) {
		free(x);
		return -ENOMEM;
	}
	if (map_add(&v->by_target, x) < 0) {
		group_leave(v, x);
		free(x);
		return -ENOMEM;
	}
	return 0;
}

static void save(struct publications *v);

int publications_put(struct publications *v, const struct publication *p)
{
	/* p may be what was at the target. */
	bool one_writer = p->mode == CSI_SINGLE_NODE_SINGLE_WRITER;
	int r = put(v, p);

	/* Names may be lost. That a volume has its one writer may not: it is answered for next. */
	if (r >= 0 && one_writer)
		save(v);
	else
		changed(v);
	return r;
}

void publications_drop(struct publications *v, const char *target)
{
	struct entry *x = map_gets(&v->by_target, target);

	if (!x)
		return;
	entry_drop(v, x);
	changed(v);
}

/* ---- questions --------------------------------------------------------------------------- */

const struct publication *publications_at(const struct publications *v, const char *target)
{
	const struct entry *x = map_gets(&v->by_target, target);

	return x ? &x->p : NULL;
}

const struct publication *publications_elsewhere(
	const struct publications *v, const char *volume, const char *target)
{
	const struct volume_group *g = map_gets(&v->by_volume, volume);

	if (!g)
		return NULL;
	LIST_FOREACH (&g->members, it) {
		const struct entry *x = LIST_ENTRY(it, struct entry, link);

		if (!streq(x->p.target, target))
			return &x->p;
	}
	return NULL;
}

size_t publications_count(const struct publications *v)
{
	return v->by_target.size;
}

const struct publication *publications_next(const struct publications *v, size_t *cursor)
{
	const struct entry *x = map_next(&v->by_target, cursor);

	return x ? &x->p : NULL;
}

/* ---- what mountinfo says ----------------------------------------------------------------- */

static int take_part(const char **at, char dst[static PUBLICATION_PART_MAX])
{
	size_t n = strcspn(*at, "/");

	if (n == 0 || n >= PUBLICATION_PART_MAX || **at == '.')
		return -EINVAL;
	memcpy(dst, *at, n);
	dst[n] = '\0';
	*at += n;
	return 0;
}

int publication_target(const char *root, const char *target,
	char pod_uid[static PUBLICATION_PART_MAX], char volume[static PUBLICATION_PART_MAX])
{
	const char *at = str_after(target, root);

	at = at ? str_after(at, "/pods/") : NULL;
	if (!at || take_part(&at, pod_uid) < 0)
		return -EINVAL;
	at = str_after(at, "/volumes/kubernetes.io~csi/");
	if (!at || take_part(&at, volume) < 0)
		return -EINVAL;
	return streq(at, "/mount") ? 0 : -EINVAL;
}

int publications_found(
	struct publications *v, const char *target, const char *driver, const char *source)
{
	static const char pods[] = "/pods/";
	char uid[PUBLICATION_PART_MAX], volume[PUBLICATION_PART_MAX], *root;
	const char *at = strstr(target, pods);
	int r = -EINVAL;

	if (map_gets(&v->by_target, target))
		return 0;
	/* The kubelet's root may have such a directory in its own path: all places are tried. */
	for (; at && r < 0; at = strstr(at + 1, pods)) {
		root = strndup(target, (size_t)(at - target));
		if (!root)
			return -ENOMEM;
		r = publication_target(root, target, uid, volume);
		free(root);
	}
	if (r < 0)
		return r;
	return publications_put(v, &(struct publication){
					   .target = target,
					   .volume = volume,
					   .driver = driver,
					   .source = source,
					   .namespace_ = "",
					   .pod = "",
					   .pod_uid = uid,
				   });
}

void publications_sweep(struct publications *v,
	bool (*is_mounted)(const char *target, void *userdata), void *userdata)
{
	struct entry *x;

	MAP_FOREACH (&v->by_target, x) {
		if (is_mounted(x->p.target, userdata))
			continue;
		entry_drop(v, x);
		changed(v);
	}
}

/* ---- the file ---------------------------------------------------------------------------- */

static void save(struct publications *v)
{
	struct err e = ERR_NULL;

	timer_disarm(v->save);
	if (v->path && publications_file_save(v->path, v, &e) < 0)
		log_warning("publications are not kept, events may lack a pod's name: %s", e.text);
}

static void on_save(struct timer *t, void *userdata)
{
	(void)t;
	save(userdata);
}

static int load_one(const struct publication *p, void *userdata)
{
	return put(userdata, p);
}

static void load(struct publications *v)
{
	struct err e = ERR_NULL;

	if (v->path && publications_file_load(v->path, load_one, v, &e) < 0)
		log_warning("publications of earlier are rebuilt from mountinfo, without names of "
			    "pods: %s",
			e.text);
}

int publications_new(struct publications **ret, struct loop *l, const char *path, struct err *e)
{
	_cleanup_(publications_freep) struct publications *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	v->by_target = MAP_NULL(key_of_entry);
	v->by_volume = MAP_NULL(key_of_group);
	r = timer_new_lazy(&v->save, l, SAVE_AFTER, on_save, v);
	if (r < 0)
		return err_sys(e, r, "publications");
	if (path && str_replace(&v->path, path) < 0)
		return err_set(e, ENOMEM, "out of memory");
	load(v);
	*ret = TAKE_PTR(v);
	return 0;
}

struct publications *publications_free(struct publications *v)
{
	struct entry *x;

	if (!v)
		return NULL;
	if (v->save && timer_armed(v->save))
		save(v);
	MAP_FOREACH (&v->by_target, x)
		entry_drop(v, x);
	map_done(&v->by_target);
	map_done(&v->by_volume);
	timer_free(v->save);
	free(v->path);
	free(v);
	return NULL;
}
