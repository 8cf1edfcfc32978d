/* SPDX-License-Identifier: Apache-2.0 */
/* admin_post.c: the body of an order; which mounts may be taken away by hand */
#include "agent/admin_post.h"

#include <errno.h>

#include "base/str.h"
#include "data/decode.h"

static const struct decode_field fields[] = {
	{"target", DECODE_STRING, offsetof(struct admin_order, target), 0, NULL, NULL},
	{"name", DECODE_STRING, offsetof(struct admin_order, name), 0, NULL, NULL},
	{"export", DECODE_STRING, offsetof(struct admin_order, export_), 0, NULL, NULL},
	{"volume", DECODE_STRING, offsetof(struct admin_order, volume), 0, NULL, NULL},
	{"all", DECODE_BOOL, offsetof(struct admin_order, all), 0, NULL, NULL},
	{"dryRun", DECODE_BOOL, offsetof(struct admin_order, dry_run), 0, NULL, NULL},
};
static const struct decode_table table = DECODE_TABLE(fields, true);

void admin_order_done(struct admin_order *o)
{
	json_decref(o->document);
	o->document = NULL;
}

int admin_order_parse(struct admin_order *ret, const char *body, size_t size, struct err *e)
{
	_cleanup_json_ json_t *document = NULL;
	int r;

	*ret = (struct admin_order){.target = "", .name = "", .export_ = "", .volume = ""};
	if (size == 0)
		return 0;
	r = data_json_load_strict(body, size, &document, e);
	if (r < 0)
		return r;
	if (!json_is_object(document))
		return err_set(e, EBADMSG, "the body is no JSON object");
	r = decode(&table, document, ret, e);
	if (r < 0)
		return r;
	ret->document = TAKE_PTR(document);
	return 0;
}

struct search {
	const char *target;
	bool found, is_ok;
	bool allowed_kind;
	char state[16];
};

static void on_mount(const struct view_mount *m, void *userdata)
{
	struct search *s = userdata;

	if (!streq(m->target, s->target))
		return;
	/* Of several on one directory the last one is on top. */
	s->found = true;
	s->is_ok = streq(m->state, "Ok");
	s->allowed_kind = streq(m->kind, "subPath") || streq(m->state, "Orphaned");
	(void)str_copy_cut(s->state, sizeof(s->state), m->state);
}

int admin_may_detach(const struct view *v, const char *target, struct err *e)
{
	struct search s = {.target = target};

	if (*target != '/')
		return err_set(e, EINVAL, "target: the path of a mount is needed");
	v->mounts(v->agent, on_mount, &s);
	if (!s.found)
		return err_set(e, ENOENT, "no mount of ours on %s", target);
	if (s.is_ok)
		return err_set(
			e, EBUSY, "%s is well: the kubelet unmounts it with its pod", target);
	if (!s.allowed_kind)
		return err_set(e, EBUSY,
			"%s is %s, but neither a subPath's bind nor orphaned: it goes when its pod "
			"is "
			"deleted",
			target, s.state);
	return 0;
}
