/* SPDX-License-Identifier: Apache-2.0 */
/* picture.c: sorts the mounts and folds the exports of one server and path into one */
#include "agent/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "mount/nfs_source.h"

/* A DNS name, with its NUL. */
#define SERVER_MAX 256

static unsigned rank_of(const struct mounts_entry *e)
{
	static const unsigned ranks[_MOUNTS_STATE_MAX] = {
		[MOUNTS_HUNG] = 0, [MOUNTS_STALE] = 1, [MOUNTS_ORPHANED] = 2, [MOUNTS_OK] = 3};

	return ranks[e->state] + (e->kind == MOUNTS_EXPORT ? _MOUNTS_STATE_MAX : 0);
}

/* Exports behind all others: by source, so that those of one path lie together. */
static int by_rank(const void *a, const void *b)
{
	const struct mounts_entry *x = *(const struct mounts_entry *const *)a;
	const struct mounts_entry *y = *(const struct mounts_entry *const *)b;
	bool exports = x->kind == MOUNTS_EXPORT && y->kind == MOUNTS_EXPORT;
	unsigned rx = rank_of(x), ry = rank_of(y);
	int order = 0;

	if (exports)
		order = strcmp(x->source, y->source);
	if (!order && rx != ry)
		return rx < ry ? -1 : 1;
	return order ? order : strcmp(x->target, y->target);
}

static int grow(void *array, size_t n, size_t size)
{
	void **p = array;
	void *bigger = reallocarray(*p, n, size);

	if (!bigger)
		return -ENOMEM;
	*p = bigger;
	return 0;
}

static int make_room(struct picture *p, size_t n)
{
	if (n <= p->room)
		return 0;
	if (grow(&p->sorted, n, sizeof(*p->sorted)) < 0 ||
		grow(&p->mounts, n, sizeof(*p->mounts)) < 0 ||
		grow(&p->exports, n, sizeof(*p->exports)) < 0 ||
		grow(&p->servers, n, SERVER_MAX) < 0 ||
		grow(&p->volumes, n, sizeof(*p->volumes)) < 0)
		return -ENOMEM;
	p->room = n;
	return 0;
}

static void take_mount(struct picture *p, const struct mounts_entry *e, struct bnode_status *s)
{
	p->mounts[s->n_mounts++] = (struct bnode_mount){
		.volume = e->volume,
		.target = e->target,
		.source = e->source,
		.options = e->options,
		.state = mounts_state_name(e->state),
		.peer_group = e->peer_group,
		.read_only = e->read_only,
	};
	p->volumes[s->n_volumes++] = e->volume;
}

static const char *round_trip(const struct health *h, const struct mounts_entry *e)
{
	enum health_reach r = h ? health_of(h, e->server, e->port) : HEALTH_UNKNOWN;

	return r == HEALTH_UNKNOWN ? NULL : health_reach_name(r);
}

/* The worst of a path comes first. */
static void take_export(struct picture *p, const struct health *h, const struct mounts_entry *e,
	struct bnode_status *s)
{
	char *server = p->servers + s->n_exports * SERVER_MAX;
	const struct bnode_export *last = s->n_exports ? &p->exports[s->n_exports - 1] : NULL;
	const char *path;

	if (nfs_source_split(e->source, server, SERVER_MAX, &path) < 0 ||
		(last && streq(last->server, server) && streq(last->export_, path)))
		return;
	p->exports[s->n_exports++] = (struct bnode_export){
		.server = server,
		.export_ = path,
		.state = mounts_state_name(e->state),
		.round_trip = round_trip(h, e),
	};
}

int picture_take(
	struct picture *p, const struct mounts *m, const struct health *h, struct bnode_status *ret)
{
	struct mounts_count n = mounts_count(m);
	const struct mounts_entry *e;
	size_t cursor = 0, got = 0;

	if (make_room(p, n.all + n.exports) < 0)
		return -ENOMEM;
	while ((e = mounts_next(m, &cursor)) != NULL)
		p->sorted[got++] = e;
	if (got > 0)
		qsort(p->sorted, got, sizeof(*p->sorted), by_rank);
	ret->n_mounts = ret->n_volumes = ret->n_exports = 0;
	for (size_t i = 0; i < got; i++) {
		if (p->sorted[i]->kind == MOUNTS_EXPORT)
			take_export(p, h, p->sorted[i], ret);
		else
			take_mount(p, p->sorted[i], ret);
	}
	ret->mounts = p->mounts;
	ret->volumes = p->volumes;
	ret->exports = p->exports;
	ret->counts_mounts = n.all;
	ret->counts_hung = n.state[MOUNTS_HUNG];
	ret->counts_stale = n.state[MOUNTS_STALE];
	ret->counts_orphaned = n.state[MOUNTS_ORPHANED];
	return 0;
}

void picture_done(struct picture *p)
{
	free(p->sorted);
	free(p->mounts);
	free(p->exports);
	free(p->servers);
	free(p->volumes);
	*p = (struct picture){.room = 0};
}
