/* SPDX-License-Identifier: Apache-2.0 */
/* adoptions.c: which orders there are, whose turn it is, when to try again */
#include "provisioner/adoptions.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/adopt.h"

/* A lost cluster's volumes come by the thousand; claims go first. */
#define RUNNING_MAX 32
#define LANE "api"
/* So long the answer to a refused order can be read. */
#define REFUSED_FOR SECONDS(15)

void adopt_end(struct adoption *a, enum adopt_outcome outcome, const struct err *e)
{
	job_done(&a->job, outcome == ADOPT_SILENT ? JOB_DONE : JOB_ANSWERED);
	if (e)
		log_warning("order for volume %s: %s", a->job.name, e->text);
	switch (outcome) {
	case ADOPT_DONE:
		job_drop(&a->job);
		break;
	case ADOPT_RETRY:
	case ADOPT_SILENT:
		job_retry(&a->job);
		break;
	case ADOPT_REFUSED:
		a->refused = true;
		job_later(&a->job, REFUSED_FOR);
		break;
	}
}

static void adoption_turn(void *obj)
{
	const struct err e = {ENOMEM, "out of memory"};

	if (adopt_run(obj) < 0)
		adopt_end(obj, ADOPT_RETRY, &e);
}

static void adoption_queue(void *obj)
{
	struct adoption *a = obj;

	job_queue(&a->job, LANE, "");
}

static void adoption_gone(void *obj)
{
	struct adoption *a = obj;

	if (a->request)
		kube_request_cancel(a->request);
	facts_done(&a->facts);
}

void adoptions_consider(struct provisioner *p, const struct bvol *b)
{
	struct adoption *a = provisioner_active(p) ? jobs_add(p->adoptions, b->o.name) : NULL;

	if (!a)
		return;
	a->p = p;
	adoption_queue(a);
}

int adoptions_new(struct jobs **ret, struct provisioner *p)
{
	static const struct job_kind kind = {
		.size = sizeof(struct adoption),
		.turn = adoption_turn,
		.due = adoption_queue,
		.gone = adoption_gone,
		.what = "the order for volume",
		.until = "the next scan",
	};

	return jobs_new(ret, p, &kind, RUNNING_MAX, RUNNING_MAX);
}
