/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c: walks a page of names with several calls in flight */
#include "nfs/reader.h"

#include <errno.h>

#include "nfs/worker.h"

void reader_init(struct reader *r, struct op *op)
{
	*r = (struct reader){.op = op};
	for (size_t i = 0; i < READER_SLOTS; i++) {
		r->slots[i].reader = r;
		r->slots[i].file = BUF_NULL(RECORD_MAX);
	}
}

void reader_done(struct reader *r)
{
	for (size_t i = 0; i < READER_SLOTS; i++)
		buf_done(&r->slots[i].file);
}

/* A record is written a few times in its life, not all the time. */
#define STALES_MAX 4

static bool fill(struct reader *r, struct reader_slot *s);
static void send(struct reader *r, struct reader_slot *s, enum call_kind kind);

static void on_answer(struct call *c, void *userdata)
{
	struct reader_slot *s = userdata;
	struct reader *r = s->reader;

	s->busy = false;
	r->busy--;
	/* Replaced by a rename between LOOKUP and READ: the new file is as good. */
	if (c->kind == CALL_READ && c->r == -ESTALE && s->stales++ < STALES_MAX) {
		send(r, s, CALL_READ);
		return;
	}
	if (r->answer(r, s, nfs_page_name(&r->page, s->i)) || fill(r, s) || r->busy > 0)
		return;
	op_enter(r->op, r->then);
}

static void send(struct reader *r, struct reader_slot *s, enum call_kind kind)
{
	buf_reset(&s->file);
	s->busy = true;
	r->busy++;
	s->call.kind = kind;
	s->call.name = nfs_page_name(&r->page, s->i);
	s->call.out = &s->file;
	s->call.cred = *op_cred(r->op);
	s->call.deadline = r->op->deadline;
	server_call(&r->op->w->server, &s->call, on_answer, s);
}

void reader_again(struct reader *r, struct reader_slot *s, enum call_kind kind)
{
	send(r, s, kind);
}

/* Gives the slot the next name that needs a question. */
static bool fill(struct reader *r, struct reader_slot *s)
{
	while (r->next < r->page.n) {
		enum call_kind kind = r->choose(r, nfs_page_name(&r->page, r->next));

		s->i = r->next++;
		s->stales = 0;
		if (kind == _CALL_KIND_MAX)
			continue;
		send(r, s, kind);
		return true;
	}
	return false;
}

int reader_run(struct reader *r, const struct nfs_fh *dir, int then)
{
	r->then = then;
	r->next = 0;
	for (size_t i = 0; i < READER_SLOTS; i++) {
		r->slots[i].call.dir = *dir;
		if (!fill(r, &r->slots[i]))
			break;
	}
	return r->busy > 0 ? STEP_WAIT : then;
}
