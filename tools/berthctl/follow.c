/* SPDX-License-Identifier: Apache-2.0 */
/* follow.c: lines of JSON to lines for people */
#include "tools/berthctl/follow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "data/yaml.h"
#include "tools/berthctl/asker.h"
#include "tools/berthctl/width.h"

#define LINE_MAX_BYTES (1U << 20)

static const char *text_at(const json_t *o, const char *a, const char *b)
{
	return str_or(json_string_at(o, a, b, NULL), "");
}

/* What people call it. */
static const char *name_of(const json_t *o)
{
	static const char *const keys[] = {"target", "export", "object", "name"};

	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		if (*text_at(o, keys[i], NULL))
			return text_at(o, keys[i], NULL);
	return "?";
}

/* "Hung, was Ok", "gone", "new, Ok", or the keys that changed. */
static int put_news(const json_t *event, struct buf *out)
{
	const json_t *o = json_object_get(event, "object"), *was = json_object_get(event, "was");
	const char *state = text_at(o, "state", NULL), *type = text_at(event, "type", NULL);
	const char *between = "", *key;
	json_t *before;
	int r = 0;

	if (streq(type, "DELETED"))
		return buf_puts(out, "gone");
	if (streq(type, "ADDED"))
		return buf_printf(out, "new%s%s", *state ? ", " : "", state);
	if (*text_at(was, "state", NULL))
		return buf_printf(out, "%s, was %s", state, text_at(was, "state", NULL));
	json_object_foreach ((json_t *)was, key, before) {
		if (r == 0)
			r = buf_printf(out, "%s%s", between, key);
		between = ", ";
	}
	return r < 0 ? r : buf_puts(out, " changed");
}

static const char *color_of(const json_t *event)
{
	if (streq(text_at(event, "type", NULL), "DELETED"))
		return GRID_DIM;
	return grid_color(text_at(json_object_get(event, "object"), "state", NULL));
}

static int put_event(const json_t *event, const struct cli *c, struct buf *out)
{
	_cleanup_buf_ struct buf rest = BUF_NULL(LINE_MAX_BYTES), news = BUF_NULL(LINE_MAX_BYTES);
	const json_t *o = json_object_get(event, "object");
	const char *why = text_at(o, "text", NULL), *time = text_at(event, "time", NULL);
	const char *color = c->style.color ? color_of(event) : "";
	const size_t head = 22, width = c->style.width ? c->style.width : SIZE_MAX;
	int r = put_news(event, &news);

	if (strlen(time) > 19)
		time += 11;
	if (r == 0)
		r = buf_printf(&rest, "%s%s%s  %s", str_or(news.data, ""), *why ? ": " : "", why,
			name_of(o));
	if (r == 0)
		r = buf_printf(out, "%.8s  %-11s %s", time, text_at(event, "kind", NULL), color);
	if (r == 0)
		r = width_put(out, rest.data, width > head + 8 ? width - head : 8, WIDTH_CUT_MIDDLE,
			NULL);
	return r < 0 ? r : buf_printf(out, "%s\n", *color ? GRID_PLAIN : "");
}

int follow_put(const char *line, const struct cli *c, struct buf *out)
{
	_cleanup_json_ json_t *event = NULL;
	struct err e = ERR_NULL;
	int r;

	if (c->format == CLI_JSON)
		return buf_printf(out, "%s\n", line);
	r = data_json_load(line, strlen(line), &event, &e);
	if (r < 0)
		return r;
	if (c->format != CLI_YAML)
		return put_event(event, c, out);
	r = buf_puts(out, "---\n");
	return r < 0 ? r : yaml_print(event, out);
}

static int on_line(const char *line, void *userdata)
{
	const struct cli *c = userdata;
	_cleanup_buf_ struct buf out = BUF_NULL(4 * LINE_MAX_BYTES);
	int r = follow_put(line, c, &out);

	if (r < 0)
		return r;
	return cli_write(&out, CLI_FINE) == CLI_FINE ? 0 : -EPIPE;
}

static int make_path(const struct cli *c, struct buf *out)
{
	int r = buf_puts(out, "/v1/watch?kinds=");

	if (c->n_words == 0)
		return r < 0 ? r : buf_puts(out, "node,drivers,volumes,mounts,pools,exports");
	for (size_t i = 0; r == 0 && i < c->n_words; i++) {
		if (strspn(c->words[i], "abcdefghijklmnopqrstuvwxyz") != strlen(c->words[i]))
			return -EINVAL;
		r = buf_printf(out, "%s%s", i ? "," : "", c->words[i]);
	}
	return r;
}

int follow_run(const struct cli *c)
{
	_cleanup_buf_ struct buf path = BUF_NULL(256);
	struct err e = ERR_NULL;
	int r = make_path(c, &path);

	if (r < 0)
		return cli_fail(CLI_USAGE,
			"kinds: node, drivers, volumes, mounts, pools, exports, operations");
	r = asker_follow(c->socket, path.data, on_line, (void *)c, &e);
	if (r == 0)
		return cli_fail(CLI_UNREACHABLE, "the agent has ended the stream");
	if (r == -EPIPE)
		return CLI_FINE;
	if (r == -EPROTO)
		return cli_fail(CLI_UNHEALTHY, "%s", e.text);
	return cli_fail(CLI_UNREACHABLE, "%s", *e.text ? e.text : strerror(-r));
}
