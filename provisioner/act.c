/* SPDX-License-Identifier: Apache-2.0 */
/* act.c: the one destructive step of a volume's end: trash, archive, recycle or discard */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/exports.h"
#include "provisioner/release.h"

typedef int (*act_fn)(struct volume_backend *b, const struct volume_place *p,
	const struct volume_request *q, volume_fn fn, void *userdata);

static act_fn act_of(const struct release *r)
{
	const struct volume_backend_ops *ops = r->p->nfs->ops;

	if (r->goal != GOAL_RECLAIM && !r->erase)
		return ops->discard;
	switch (r->facts.reclaim) {
	case RECLAIM_DELETE:
		return ops->trash;
	case RECLAIM_ARCHIVE:
		return ops->archive;
	case RECLAIM_RECYCLE:
		return r->erase ? ops->trash : ops->recycle;
	case RECLAIM_RETAIN:
		break;
	}
	return NULL;
}

static bool is_silent(int code)
{
	return code == ETIMEDOUT || errno_is_disconnect(code);
}

/* The storage is not what the PV says, or not ours: no haste can mend that. */
static bool is_refusal(int code)
{
	return code == EPERM || code == EBADMSG || code == ESTALE || code == ELOOP ||
	       code == ENOTDIR || code == EXDEV || code == EINVAL;
}

static void failed(struct release *r, const struct volume_result *res)
{
	bool used = res->err.code == ENOTEMPTY || res->err.code == EBUSY;
	struct err e = res->err;

	job_done(&r->job, is_silent(e.code) ? JOB_SILENT : JOB_DONE);
	if (is_silent(e.code)) {
		release_end(r, RELEASE_SILENT, &e);
	} else if (r->goal == GOAL_UNDO && used && !r->erase) {
		/* Somebody wrote there: the record stays and tells of it, the orphan scan too. */
		log_warning("volume %s: directory %s is left as it is: %s", r->pv,
			r->facts.directory, e.text);
		release_go(r, RE_FORGET);
	} else if (is_refusal(e.code) || (r->goal != GOAL_RECLAIM && used)) {
		release_end(r, RELEASE_REFUSED, &e);
	} else {
		release_end(r, RELEASE_RETRY, &e);
	}
}

static void on_act(const struct volume_result *res, void *userdata)
{
	struct release *r = userdata;
	bool trashed = (r->goal == GOAL_RECLAIM || r->erase) && r->facts.reclaim != RECLAIM_ARCHIVE;

	stats_step(r->p->stats, STEP_RECLAIM, clock_now() - r->step_at);
	if (res->err.code) {
		failed(r, res);
		return;
	}
	r->acted = true;
	job_done(&r->job, JOB_ANSWERED);
	if (trashed && !str_empty(res->directory)) {
		release_tell_trash(r);
		exports_trashed(r->p, &r->facts, res->directory);
	}
	if (r->goal == GOAL_UNDO)
		release_go(r, RE_FORGET);
	else if (r->goal == GOAL_RECLAIM && r->facts.reclaim == RECLAIM_RECYCLE)
		release_go(r, RE_REREAD);
	else
		release_go(r, RE_DELETE);
}

int act_do(void *obj)
{
	struct release *r = obj;
	const struct volume_place place = facts_place(&r->facts);
	const struct volume_request q = facts_request(&r->facts);
	act_fn act = act_of(r);

	if (!act)
		return -EINVAL;
	/* Held back by a pause of this process, another may lead by now. */
	if (!provisioner_may_act(r->p))
		return -EAGAIN;
	return act(r->p->nfs, &place, &q, on_act, r);
}
