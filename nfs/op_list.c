/* SPDX-License-Identifier: Apache-2.0 */
/* op_list.c: a page of what lies on the export: records, then the trash, then directories that no
 * record names */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/reader.h"
#include "nfs/worker.h"

/* A temporary file of ours that is older was left behind by a crash. */
#define TEMP_AGE_S 3600

enum { BEGIN = _STEP_OWN, PAGE, NAMES, ANSWER };
enum phase { RECORDS, TRASH, DIRECTORIES, _PHASE_MAX };
static const char phase_letters[] = {'r', 't', 'd'};

struct list_state {
	struct reader reader;
	enum phase phase;
	uint64_t cookie;
	char verf[8];
	char cursor[NFS_CURSOR_MAX];
	size_t n;
	struct volume_entry entries[NFS_ENTRIES_MAX];
	struct record records[NFS_ENTRIES_MAX]; /* what entries borrow from */
};

static void own_free(void *own)
{
	struct list_state *l = own;

	for (size_t i = 0; i < l->n; i++)
		record_done(&l->records[i]);
	reader_done(&l->reader);
	free(l);
}

static struct list_state *state_of(struct reader *r)
{
	return CONTAINER_OF(r, struct list_state, reader);
}

/* "r:<cookie>:<verifier>:<pages>", in hex; nothing is the beginning. */
static int parse_cursor(struct list_state *l, const char *s)
{
	uint64_t verf = 0;
	int used = 0;

	if (str_empty(s))
		return 0;
	for (l->phase = RECORDS; l->phase < _PHASE_MAX && phase_letters[l->phase] != *s;)
		l->phase++;
	if (l->phase == _PHASE_MAX ||
		sscanf(s + 1, ":%16" SCNx64 ":%16" SCNx64 ":%8x%n", &l->cookie, &verf,
			&l->reader.pages, &used) != 3 ||
		s[1 + used])
		return -EINVAL;
	memcpy(l->verf, &verf, sizeof(l->verf));
	return 0;
}

static void write_cursor(
	struct list_state *l, enum phase phase, uint64_t cookie, const char *verf, unsigned pages)
{
	uint64_t v;

	memcpy(&v, verf, sizeof(v));
	snprintf(l->cursor, sizeof(l->cursor), "%c:%" PRIx64 ":%" PRIx64 ":%x",
		phase_letters[phase], cookie, v, pages);
}

static struct volume_entry *add_entry(struct list_state *l, const char *name, int kind)
{
	struct volume_entry *e;

	if (l->n == NFS_ENTRIES_MAX)
		return NULL;
	l->records[l->n] = RECORD_NULL;
	e = &l->entries[l->n++];
	*e = (struct volume_entry){.kind = kind, .name = name, .trash = ""};
	return e;
}

/* ---- what is asked about a name
 * -------------------------------------------------------------------- */

static enum call_kind choose(struct reader *r, const char *name)
{
	struct list_state *l = state_of(r);
	char pv[PATH_COMPONENT_MAX + 1];
	struct volume_entry *e;

	switch (l->phase) {
	case RECORDS:
		if (record_name_is(name))
			return CALL_READ;
		return name[0] == '.' ? CALL_LOOKUP : _CALL_KIND_MAX;
	case TRASH:
		e = add_entry(l, name, ENTRY_TRASH);
		if (e)
			(void)trash_name_parse(name, pv, &e->changed);
		return _CALL_KIND_MAX;
	case DIRECTORIES:
		/* Hidden ones are the server's: snapshots, our own control directory. */
		if (name[0] == '.' || streq(name, "lost+found") ||
			export_index_has_top(r->op->x, name))
			return _CALL_KIND_MAX;
		return CALL_LOOKUP;
	case _PHASE_MAX:
		break;
	}
	return _CALL_KIND_MAX;
}

static void take_record(struct list_state *l, struct reader_slot *s, const char *name)
{
	struct record rec = RECORD_NULL;
	int r = s->call.r < 0 ? s->call.r
			      : record_decode(&rec, str_or(s->file.data, ""), s->file.len, NULL);
	struct volume_entry *e;

	if (r == -ENOENT)
		return;
	e = add_entry(l, name, r < 0 ? ENTRY_BAD_RECORD : ENTRY_RECORD);
	if (!e || r < 0) {
		record_done(&rec);
		return;
	}
	l->records[l->n - 1] = rec;
	e->record = rec.request;
	e->state = rec.state;
	e->published = rec.published;
	e->changed = rec.changed;
	e->trash = rec.stored;
}

static bool temp_is_old(const struct call *c)
{
	uint64_t now = clock_real() / NSEC_PER_SEC;

	return c->r >= 0 && c->attr.mtime + TEMP_AGE_S < now &&
	       (c->attr.type == NFS_TYPE_FILE || c->attr.type == NFS_TYPE_DIRECTORY);
}

static bool answer(struct reader *r, struct reader_slot *s, const char *name)
{
	struct list_state *l = state_of(r);

	if (s->call.kind == CALL_READ) {
		take_record(l, s, name);
	} else if (l->phase == RECORDS && s->call.kind == CALL_LOOKUP && temp_is_old(&s->call)) {
		/* A directory is that of a move; it only goes when it is empty. */
		reader_again(r, s, s->call.attr.type == NFS_TYPE_FILE ? CALL_REMOVE : CALL_RMDIR);
		return true;
	} else if (l->phase == DIRECTORIES && s->call.r >= 0 &&
		   s->call.attr.type == NFS_TYPE_DIRECTORY) {
		struct volume_entry *e = add_entry(l, name, ENTRY_DIRECTORY);

		if (e)
			e->changed = s->call.attr.mtime * NSEC_PER_SEC;
	}
	return false;
}

/* ---- steps
 * -------------------------------------------------------------------------------------------- */

static int begin(struct op *op)
{
	struct list_state *l = calloc(1, sizeof(*l));

	if (!l)
		return op_refuse(op, ENOMEM, "no memory for a list");
	if (op->own)
		op->own_free(op->own);
	op->own = l;
	op->own_free = own_free;
	reader_init(&l->reader, op);
	l->reader.choose = choose;
	l->reader.answer = answer;
	if (parse_cursor(l, op->request.name) < 0)
		return op_refuse(op, EINVAL, "this is no cursor");
	if (l->reader.pages > READER_PAGES_MAX)
		return op_refuse(op, ELOOP, "the server's list of names does not end");
	op->then = PAGE;
	return l->phase == DIRECTORIES ? STEP_INDEX : PAGE;
}

static const struct nfs_fh *directory_of(const struct op *op)
{
	const struct list_state *l = op->own;

	return l->phase == RECORDS ? &op->x->volumes
	       : l->phase == TRASH ? &op->x->trash
				   : &op->x->root;
}

static int page_start(struct op *op)
{
	struct list_state *l = op->own;

	op->call.dir = *directory_of(op);
	op->call.cookie = l->cookie;
	memcpy(op->call.verf, l->verf, sizeof(l->verf));
	op->call.page = &l->reader.page;
	return op_send(op, CALL_READDIR, op_cred(op));
}

static int page_done(struct op *op, const struct call *c)
{
	struct list_state *l = op->own;

	if (c->r == -EBADSLT && l->cookie != 0) {
		/* The directory changed too much; names come twice rather than never. */
		l->cookie = 0;
		memset(l->verf, 0, sizeof(l->verf));
		return PAGE;
	}
	return c->r < 0 ? op_fail(op, c, "list the export") : NAMES;
}

static int names(struct op *op)
{
	struct list_state *l = op->own;

	return reader_run(&l->reader, directory_of(op), ANSWER);
}

static int reply(struct op *op)
{
	static const char none[8];
	struct list_state *l = op->own;
	const struct nfs_page *p = &l->reader.page;

	if (!p->eof)
		write_cursor(l, l->phase, p->cookie, p->verf, l->reader.pages + 1);
	else if (l->phase + 1 < _PHASE_MAX)
		write_cursor(l, l->phase + 1, 0, none, 0);
	if (l->cursor[0])
		op->flags |= RESULT_MORE;
	op->result.cursor = l->cursor;
	op->result.entries = l->entries;
	op->result.n_entries = l->n;
	return STEP_END;
}

const struct op_step op_list_steps[] = {
	OP_COMMON_STEPS,
	[BEGIN] = {"begin", begin, NULL},
	[PAGE] = {"page", page_start, page_done},
	[NAMES] = {"names", names, NULL},
	[ANSWER] = {"reply", reply, NULL},
};
