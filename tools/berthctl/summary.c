/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c: what is said of a node in a few lines */
#include "tools/berthctl/summary.h"

#include <stdio.h>
#include <string.h>

#include "agent/doctor.h"
#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/berthctl/asker.h"
#include "tools/berthctl/human.h"
#include "tools/berthctl/paragraph.h"

#define OUTPUT_MAX (16U << 20)
#define LABEL 13

static const char *text_at(const json_t *o, const char *a, const char *b)
{
	return str_or(json_string_at(o, a, b, NULL), "");
}

/* "  label      text", wrapped under itself. */
static int put_line(struct buf *out, const struct cli *c, const char *label, const char *text)
{
	const struct paragraph p = {.first = 2, .indent = LABEL, .width = c->style.width};
	char head[LABEL + 1];

	(void)snprintf(head, sizeof(head), "%-*s", LABEL - 2, label);
	return paragraph_put(out, &p, head, text);
}

static int put_head(const json_t *s, const struct cli *c, uint64_t now, struct buf *out)
{
	const bool healthy = json_is_true(json_object_get(s, "healthy"));
	const char *color = !c->style.color ? "" : healthy ? "\033[32m" : "\033[31m";
	char age[HUMAN_MAX], text[512];
	uint64_t started = 0;
	int r;

	if (clock_parse(text_at(s, "node", "started"), &started) < 0)
		started = 0;
	(void)snprintf(text, sizeof(text), "%s  berth-agent %s, up %s", text_at(s, "node", "name"),
		text_at(s, "node", "version"), human_age(now, started, age));
	r = buf_printf(
		out, "%s%s%s ", color, healthy ? "ok" : "NOT WELL", *color ? GRID_PLAIN : "");
	if (r == 0)
		r = paragraph_put(out,
			&(struct paragraph){.used = healthy ? 3 : 9, .width = c->style.width}, "",
			text);
	return r;
}

static int put_kubelet(const json_t *s, const struct cli *c, struct buf *out)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "%s (%s)", text_at(s, "node", "kubeletRoot"),
		*text_at(s, "node", "propagation") ? text_at(s, "node", "propagation")
						   : "propagation unknown");
	return put_line(out, c, "kubelet", text);
}

static int put_drivers(const json_t *s, const struct cli *c, uint64_t now, struct buf *out)
{
	char text[1024], age[HUMAN_MAX];
	size_t i;
	json_t *d;
	int r = 0;

	json_array_foreach (json_object_get(s, "drivers"), i, d) {
		const char *why = text_at(d, "text", NULL);
		uint64_t since = 0;

		if (clock_parse(text_at(d, "since", NULL), &since) < 0)
			since = 0;
		(void)snprintf(text, sizeof(text), "%s: %s for %s%s%s", text_at(d, "name", NULL),
			text_at(d, "state", NULL), human_age(now, since, age), *why ? ": " : "",
			why);
		if (r == 0)
			r = put_line(out, c, i == 0 ? "drivers" : "", text);
	}
	return r;
}

/* "5: 3 Ok, 2 Hung". */
static int put_counts(const json_t *counts, const char *kind, const struct cli *c, struct buf *out)
{
	_cleanup_buf_ struct buf text = BUF_NULL(1024);
	const json_t *of_kind = json_object_get(counts, kind);
	const json_int_t total = json_integer_value(json_object_get(of_kind, "total"));
	const char *state, *between = ": ";
	json_t *n;
	int r = buf_printf(&text, "%" JSON_INTEGER_FORMAT, total);

	json_object_foreach ((json_t *)of_kind, state, n) {
		if (streq(state, "total") || r < 0)
			continue;
		r = json_integer_value(n) == total
			    ? buf_printf(&text, " %s", state)
			    : buf_printf(&text, "%s%" JSON_INTEGER_FORMAT " %s", between,
				      json_integer_value(n), state);
		between = ", ";
	}
	return r < 0 ? r : put_line(out, c, kind, text.data);
}

static long nearest(double n)
{
	return (long)(n < 0 ? n - 0.5 : n + 0.5);
}

static int put_api(const json_t *s, const struct cli *c, struct buf *out)
{
	const json_t *api = json_at(s, "node", "api", NULL);
	const json_t *ahead = json_object_get(api, "clockAheadSeconds");
	const char *server = text_at(api, "server", NULL), *error = text_at(api, "error", NULL);
	char text[1024];
	int n;

	if (!*server)
		return put_line(out, c, "API server", "none");
	n = snprintf(text, sizeof(text), "%s %s%s", server,
		*error ? "does not answer: " : "answers", error);
	if (json_is_number(ahead) && n > 0 && (size_t)n < sizeof(text))
		(void)snprintf(text + n, sizeof(text) - (size_t)n, ", clock %+ld s",
			nearest(0.0 - json_number_value(ahead)));
	return put_line(out, c, "API server", text);
}

static int put_body(const json_t *s, const struct cli *c, uint64_t now, struct buf *out)
{
	static const char *const kinds[] = {"volumes", "mounts", "exports", "pools", "operations"};
	int r = put_kubelet(s, c, out);

	if (r == 0)
		r = put_line(out, c, "NFS client",
			json_is_true(json_at(s, "node", "nfsClient", NULL)) ? "in the kernel"
									    : "none");
	if (r == 0)
		r = put_drivers(s, c, now, out);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(kinds); i++)
		r = put_counts(json_object_get(s, "counts"), kinds[i], c, out);
	return r < 0 ? r : put_api(s, c, out);
}

static int put_finding(const json_t *f, const struct cli *c, struct buf *out)
{
	const char *level = text_at(f, "level", NULL), *cure = text_at(f, "cure", NULL);
	const struct paragraph p = {.used = 22, .indent = 22, .width = c->style.width};
	const struct paragraph under = {.first = 22, .indent = 24, .width = c->style.width};
	const char *color = c->style.color ? grid_color(level) : "";
	int r = buf_printf(out, "%s%-8s%s %-13s", color, level, *color ? GRID_PLAIN : "",
		text_at(f, "check", NULL));

	if (r == 0)
		r = paragraph_put(out, &p, "", text_at(f, "text", NULL));
	return r < 0 || !*cure ? r : paragraph_put(out, &under, "> ", cure);
}

static int put_findings(const json_t *findings, const struct cli *c, struct buf *out)
{
	size_t i;
	json_t *f;
	int r = 0;

	json_array_foreach (findings, i, f)
		if (r == 0)
			r = put_finding(f, c, out);
	return r;
}

int summary_put_status(const json_t *status, const struct cli *c, uint64_t now, struct buf *out)
{
	const json_t *problems = json_object_get(status, "problems");
	int r = put_head(status, c, now, out);

	if (r == 0 && !json_is_null(json_object_get(status, "node")))
		r = put_body(status, c, now, out);
	if (r < 0 || json_array_size(problems) == 0)
		return r;
	r = buf_puts(out, "\n");
	return r < 0 ? r : put_findings(problems, c, out);
}

int summary_status(const struct cli *c)
{
	_cleanup_json_ json_t *status = NULL;
	_cleanup_buf_ struct buf out = BUF_NULL(OUTPUT_MAX);
	int r = cli_ask(c, "/v1/status", NULL, &status), code;

	if (r != CLI_FINE)
		return r;
	code = json_is_true(json_object_get(status, "healthy")) ? CLI_FINE : CLI_UNHEALTHY;
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_print_json(c, status, code);
	r = summary_put_status(status, c, clock_real(), &out);
	return r < 0 ? cli_fail(CLI_UNHEALTHY, "cannot print: %s", strerror(-r))
		     : cli_write(&out, code);
}

/* ---- doctor ------------------------------------------------------------------------------- */

static int print_findings(const struct cli *c, const json_t *answer, int code)
{
	_cleanup_buf_ struct buf out = BUF_NULL(OUTPUT_MAX);
	int r;

	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_print_json(c, answer, code);
	r = put_findings(json_object_get(answer, "findings"), c, &out);
	return r < 0 ? cli_fail(CLI_UNHEALTHY, "cannot print: %s", strerror(-r))
		     : cli_write(&out, code);
}

static int local_doctor(const struct cli *c, const char *why)
{
	_cleanup_json_ json_t *answer = json_pack("{s:b, s:[]}", "healthy", 0, "findings");
	json_t *findings = json_object_get(answer, "findings");
	struct doctor_finding agent = {.check = "agent", .level = DOCTOR_ERROR};
	struct doctor_kernel kernel;

	(void)str_copy_cut(agent.text, sizeof(agent.text), why);
	(void)str_copy_cut(agent.cure, sizeof(agent.cure),
		"kubectl -n berth-system get pods -o wide, and the logs of this node's agent");
	doctor_add_json(&agent, findings);
	doctor_kernel(&kernel);
	doctor_judge_kernel(&kernel, doctor_add_json, findings);
	doctor_judge_local(c->kubelet_root, doctor_add_json, findings);
	return print_findings(c, answer, CLI_UNREACHABLE);
}

int summary_doctor(const struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	struct err e = ERR_NULL;
	long status = 0;

	if (asker_ask(c->socket, "/v1/doctor", NULL, &status, &answer, &e) < 0)
		return local_doctor(c, e.text);
	if (status != 200)
		return cli_fail(CLI_UNHEALTHY, "%s",
			str_or(json_string_at(answer, "message", NULL), "refused"));
	return print_findings(c, answer,
		json_is_true(json_object_get(answer, "healthy")) ? CLI_FINE : CLI_UNHEALTHY);
}
