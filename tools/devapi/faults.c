/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c: rules, and which of them a request meets */
#include "tools/devapi/faults.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"

#define RULES_MAX 64

struct faults {
	const struct store *store;
	struct fault rules[RULES_MAX];
	size_t n;
	unsigned last_id;
	struct fault taken; /* what faults_take() returned, when its rule is used up */
};

static const char *const action_names[] = {
	[FAULT_NONE] = "none",
	[FAULT_STATUS] = "status",
	[FAULT_STATUS_AFTER] = "status-after",
	[FAULT_DROP] = "drop",
	[FAULT_DROP_AFTER] = "drop-after",
	[FAULT_RESET] = "reset",
	[FAULT_RESET_AFTER] = "reset-after",
	[FAULT_STALE] = "stale",
	[FAULT_TRUNCATE] = "truncate",
	[FAULT_DUPLICATE] = "duplicate",
	[FAULT_UNKNOWN] = "unknown",
	[FAULT_LOSE] = "lose",
	[FAULT_MUTE] = "mute",
	[FAULT_GONE] = "gone",
	[FAULT_ERROR] = "error",
	[FAULT_END] = "end",
	[FAULT_BOOKMARKS] = "bookmarks",
	[FAULT_RAW] = "raw",
	[FAULT_DRIP] = "drip",
};

struct wire {
	const char *verb, *resource, *subresource, *ns, *name, *action, *reason, *message, *body;
	unsigned skip, count, code, retry_after, times, bytes;
	unsigned latency_ms;
};

#define FIELD(json_key, field_type, member)                                                  \
	{                                                                                    \
		.key = json_key, .type = field_type, .offset = offsetof(struct wire, member) \
	}
static const struct decode_field wire_fields[] = {
	FIELD("verb", DECODE_STRING, verb),
	FIELD("resource", DECODE_STRING, resource),
	FIELD("subresource", DECODE_STRING, subresource),
	FIELD("namespace", DECODE_STRING, ns),
	FIELD("name", DECODE_STRING, name),
	FIELD("action", DECODE_STRING, action),
	FIELD("reason", DECODE_STRING, reason),
	FIELD("message", DECODE_STRING, message),
	FIELD("body", DECODE_STRING, body),
	FIELD("skip", DECODE_UNSIGNED, skip),
	FIELD("count", DECODE_UNSIGNED, count),
	FIELD("code", DECODE_UNSIGNED, code),
	FIELD("retryAfter", DECODE_UNSIGNED, retry_after),
	FIELD("times", DECODE_UNSIGNED, times),
	FIELD("bytes", DECODE_UNSIGNED, bytes),
	FIELD("latencyMs", DECODE_UNSIGNED, latency_ms),
};
static const struct decode_table wire_table = DECODE_TABLE(wire_fields, true);

static int parse_action(const char *text, enum fault_action *ret, struct err *e)
{
	for (size_t i = 0; i < ELEMENTSOF(action_names); i++)
		if (streq(action_names[i], text)) {
			*ret = (enum fault_action)i;
			return 0;
		}
	return err_set(e, EBADMSG, "action: '%.40s' is not known", text);
}

static int copy_texts(struct fault *f, const struct wire *w, struct err *e)
{
	const struct {
		char *dst;
		size_t size;
		const char *src;
	} texts[] = {{f->verb, sizeof(f->verb), w->verb},
		{f->resource, sizeof(f->resource), w->resource},
		{f->subresource, sizeof(f->subresource), w->subresource},
		{f->ns, sizeof(f->ns), w->ns}, {f->name, sizeof(f->name), w->name},
		{f->reason, sizeof(f->reason), w->reason},
		{f->message, sizeof(f->message), w->message}, {f->body, sizeof(f->body), w->body}};

	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		if (str_copy(texts[i].dst, texts[i].size, str_or(texts[i].src, "")) < 0)
			return err_set(e, E2BIG, "'%.40s...' is too long", texts[i].src);
	return 0;
}

int fault_parse(struct fault *ret, const json_t *rule, struct err *e)
{
	struct wire w = {.count = 1, .code = 500, .times = 1, .action = "none"};
	struct fault f = {.id = 0};
	int r = decode(&wire_table, rule, &w, e);

	if (r == 0)
		r = parse_action(w.action, &f.action, e);
	if (r == 0)
		r = copy_texts(&f, &w, e);
	if (r < 0)
		return r;
	f.skip = w.skip;
	f.count = w.count;
	f.code = w.code;
	f.retry_after = w.retry_after;
	f.times = w.times;
	f.bytes = w.bytes;
	f.latency_ns = MILLISECONDS(w.latency_ms);
	*ret = f;
	return 0;
}

static void snapshot_done(struct snapshot *s)
{
	for (size_t i = 0; i < s->n; i++)
		revision_unref(s->items[i]);
	free(s->items);
	*s = (struct snapshot){.n = 0};
}

static int take_snapshot(struct faults *f, struct fault *rule, struct err *e)
{
	for (size_t i = 0; i < kinds_n; i++)
		if (streq(kinds[i].plural, rule->resource))
			rule->kind = &kinds[i];
	if (!rule->kind)
		return err_set(e, EBADMSG, "resource: a stale list needs a known one");
	rule->snapshot.rv = store_rv(f->store);
	rule->snapshot.items =
		calloc(store_count(f->store, rule->kind) + 1, sizeof(struct revision *));
	if (!rule->snapshot.items)
		return err_sys(e, ENOMEM, "snapshot");
	for (; rule->snapshot.n < store_count(f->store, rule->kind); rule->snapshot.n++)
		rule->snapshot.items[rule->snapshot.n] =
			revision_ref(store_at(f->store, rule->kind, rule->snapshot.n));
	return 0;
}

static int add_one(struct faults *f, const json_t *rule, struct err *e)
{
	struct fault fresh;
	int r = fault_parse(&fresh, rule, e);

	if (r < 0)
		return r;
	if (f->n == RULES_MAX)
		return err_set(e, E2BIG, "more than %d rules", RULES_MAX);
	if (fresh.action == FAULT_STALE) {
		r = take_snapshot(f, &fresh, e);
		if (r < 0)
			return r;
	}
	fresh.id = ++f->last_id;
	f->rules[f->n++] = fresh;
	return 0;
}

int faults_add(struct faults *f, const json_t *rules, struct err *e)
{
	size_t i;
	json_t *rule;
	int r = 0;

	if (!json_is_array(rules))
		return add_one(f, rules, e);
	json_array_foreach (rules, i, rule) {
		r = add_one(f, rule, e);
		if (r < 0)
			break;
	}
	return r;
}

int faults_new(struct faults **ret, const struct store *s)
{
	struct faults *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->store = s;
	*ret = f;
	return 0;
}

void faults_clear(struct faults *f)
{
	for (size_t i = 0; i < f->n; i++)
		snapshot_done(&f->rules[i].snapshot);
	snapshot_done(&f->taken.snapshot);
	f->n = 0;
}

struct faults *faults_free(struct faults *f)
{
	if (!f)
		return NULL;
	faults_clear(f);
	free(f);
	return NULL;
}

int faults_empty(const struct faults *f)
{
	return f->n == 0;
}

json_t *faults_list(const struct faults *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++)
		(void)json_array_append_new(list,
			json_pack("{s:i,s:s,s:s,s:s,s:s,s:i,s:i}", "id", (int)f->rules[i].id,
				"verb", f->rules[i].verb, "resource", f->rules[i].resource, "name",
				f->rules[i].name, "action", action_names[f->rules[i].action],
				"skip", (int)f->rules[i].skip, "count", (int)f->rules[i].count));
	return list;
}

static bool is_write(const char *verb)
{
	return streq(verb, "create") || streq(verb, "update") || streq(verb, "patch") ||
	       streq(verb, "delete");
}

static bool text_fits(const char *rule, const char *value)
{
	return !*rule || streq(rule, value);
}

static bool hits(const struct fault *f, const struct fault_query *q)
{
	if (!text_fits(f->verb, q->verb) && !(streq(f->verb, "write") && is_write(q->verb)))
		return false;
	/* "event" is not a request: only a rule that says so. */
	if (streq(q->verb, "event") && !streq(f->verb, "event"))
		return false;
	if (streq(f->subresource, "-") ? *q->subresource != '\0'
				       : !text_fits(f->subresource, q->subresource))
		return false;
	return text_fits(f->resource, q->resource) && text_fits(f->ns, q->ns) &&
	       text_fits(f->name, q->name);
}

static const struct fault *use(struct faults *f, size_t i)
{
	struct fault *rule = &f->rules[i];

	if (rule->count == 0 || --rule->count > 0)
		return rule;
	snapshot_done(&f->taken.snapshot);
	f->taken = *rule;
	memmove(rule, rule + 1, (--f->n - i) * sizeof(*rule));
	return &f->taken;
}

const struct fault *faults_take(struct faults *f, const struct fault_query *q)
{
	for (size_t i = 0; i < f->n; i++) {
		if (!hits(&f->rules[i], q))
			continue;
		if (f->rules[i].skip > 0) {
			f->rules[i].skip--;
			continue;
		}
		return use(f, i);
	}
	return NULL;
}
