/* SPDX-License-Identifier: Apache-2.0 */
/* op_index.c: reads every record once, to know which volume lies where */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/reader.h"
#include "nfs/worker.h"

/* For a server that asks for patience, within one page. */
#define INDEX_PAGE_TIME SECONDS(10)

enum { BEGIN, PAGE, RECORDS, NEXT };

static void own_free(void *own)
{
	reader_done(own);
	free(own);
}

static enum call_kind choose(struct reader *r, const char *name)
{
	(void)r;
	return record_name_is(name) ? CALL_READ : _CALL_KIND_MAX;
}

/* A record that cannot be read guards nothing; the list reports it. */
static bool answer(struct reader *r, struct reader_slot *s, const char *name)
{
	struct record rec = RECORD_NULL;

	(void)name;
	if (s->call.r >= 0 && s->file.len > 0 &&
		record_decode(&rec, s->file.data, s->file.len, NULL) >= 0) {
		if (export_index_add(r->op->x, &rec) < 0)
			r->op->bad_record = true;
		record_done(&rec);
	} else if (s->call.r < 0 && s->call.r != -ENOENT && s->call.r != -EFBIG) {
		(void)op_fail(r->op, &s->call, "read the record %s", name);
	}
	return false;
}

/* Who has waited for half of his time is told to come again: the reading goes on without him, while
 * a request that runs out of time would end the worker, and with it all that was read. */
static void excuse_waiters(struct op *op)
{
	uint64_t now = clock_now();

	op->deadline = now + INDEX_PAGE_TIME;
	LIST_FOREACH (&op->x->index_waiters, it) {
		struct op *o = LIST_ENTRY(it, struct op, waiting);

		if (now < o->started || now - o->started < (o->deadline - o->started) / 2)
			continue;
		list_remove(&o->waiting);
		op_finish(o, op_refuse(o, EAGAIN, "the records are still being read (%zu so far)",
				     op->x->index.size));
	}
}

static int begin(struct op *op)
{
	struct reader *r = malloc(sizeof(*r));

	if (!r)
		return op_refuse(op, ENOMEM, "no memory for the index");
	reader_init(r, op);
	r->choose = choose;
	r->answer = answer;
	op->own = r;
	op->own_free = own_free;
	op->call.cookie = 0;
	memset(op->call.verf, 0, sizeof(op->call.verf));
	return PAGE;
}

static int page_start(struct op *op)
{
	struct reader *r = op->own;

	op->call.dir = op->x->volumes;
	op->call.page = &r->page;
	return op_send(op, CALL_READDIR, op_cred(op));
}

static int page_done(struct op *op, const struct call *c)
{
	if (c->r == -EBADSLT)
		return op_refuse(op, EAGAIN, "the directory of records changes too fast");
	return c->r < 0 ? op_fail(op, c, "list the records") : RECORDS;
}

static int records(struct op *op)
{
	return reader_run(op->own, &op->x->volumes, NEXT);
}

static int next(struct op *op)
{
	struct reader *r = op->own;

	if (op->err.code)
		return -op->err.code;
	if (op->bad_record)
		return op_refuse(op, ENOMEM, "no memory for the index");
	if (r->page.eof)
		return STEP_END;
	if (++r->pages > READER_PAGES_MAX)
		return op_refuse(op, ELOOP, "the server's list of records does not end");
	excuse_waiters(op);
	op->call.cookie = r->page.cookie;
	memcpy(op->call.verf, r->page.verf, sizeof(op->call.verf));
	return PAGE;
}

const struct op_step op_index_steps[] = {
	[BEGIN] = {"begin", begin, NULL},
	[PAGE] = {"page", page_start, page_done},
	[RECORDS] = {"records", records, NULL},
	[NEXT] = {"next", next, NULL},
};
