/* SPDX-License-Identifier: Apache-2.0 */
/* probes.c: a Probe of each driver for /healthz, shared by all who ask meanwhile */
#include "agent/probes.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/str.h"
#include "csi/probe.h"
#include "http/server.h"

#define METRICS_MAX (4U << 20)
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define DRIVERS_MAX 8
/* For all of it: livenessprobe's own limit, which the kubelet's timeoutSeconds is set to. */
#define DEADLINE SECONDS(3)

struct check {
	struct probes *owner;
	struct csi_probe *probe;
	char driver[256];
	bool open; /* no result yet */
};

/* A request for /healthz that waits. */
struct asking {
	struct list item;
	struct http_exchange *x;
};

/*
 * One round of checks. The broker's answer to connect comes whatever becomes of us: connects are
 * counted, and a round that is over waits for them before the next one begins.
 */
struct probes {
	struct loop *loop;
	struct probes_options options;
	struct http_server *http;
	struct timer *deadline;
	struct list asking;
	struct check checks[DRIVERS_MAX];
	size_t n_checks;
	unsigned connecting;
	bool running;
	struct err problem;
};

static void blame(struct probes *p, const char *driver, const char *why)
{
	if (!p->problem.code)
		(void)err_set(&p->problem, EIO, "%s: %s", driver, why);
}

static void reply_all(struct probes *p)
{
	char text[ERR_TEXT_MAX + 1];

	(void)snprintf(text, sizeof(text), "%s\n", p->problem.code ? p->problem.text : "ok");
	LIST_FOREACH (&p->asking, it) {
		struct asking *a = LIST_ENTRY(it, struct asking, item);

		list_remove(it);
		http_reply_text(a->x, p->problem.code ? 500 : 200, text);
		free(a);
	}
}

static void end_round(struct probes *p)
{
	timer_disarm(p->deadline);
	for (size_t i = 0; i < p->n_checks; i++)
		p->checks[i].probe = csi_probe_free(p->checks[i].probe);
	p->running = false;
	reply_all(p);
}

static void end_check(struct check *c, const char *problem)
{
	struct probes *p = c->owner;

	c->open = false;
	if (*problem)
		blame(p, c->driver, problem);
	for (size_t i = 0; i < p->n_checks; i++)
		if (p->checks[i].open)
			return;
	end_round(p);
}

static void on_probed(struct csi_probe *probe, const struct err *e, void *userdata)
{
	(void)probe;
	end_check(userdata, e->code ? e->text : "");
}

static void on_connected(int fd, const struct err *e, void *userdata)
{
	struct check *c = userdata;
	struct probes *p = c->owner;
	int r;

	p->connecting--;
	/* Too late: its round ended at the deadline. */
	if (!p->running || !c->open) {
		if (fd >= 0)
			fd_close(fd);
		return;
	}
	if (fd < 0) {
		end_check(c, e->text);
		return;
	}
	r = csi_probe_on(&c->probe, p->loop, fd, c->driver, on_probed, c);
	if (r < 0)
		end_check(c, strerror(-r));
}

static void on_deadline(struct timer *t, void *userdata)
{
	struct probes *p = userdata;

	(void)t;
	for (size_t i = 0; i < p->n_checks; i++)
		if (p->checks[i].open)
			blame(p, p->checks[i].driver, "the CSI socket did not answer in 3 s");
	end_round(p);
}

/* ---- a round ------------------------------------------------------------------------------ */

static void on_driver(const struct view_driver *d, void *userdata)
{
	struct probes *p = userdata;
	struct check *c = &p->checks[p->n_checks];

	if (streq(d->state, "Off") || p->n_checks == DRIVERS_MAX)
		return;
	*c = (struct check){.owner = p, .open = true};
	(void)str_copy_cut(c->driver, sizeof(c->driver), d->name);
	p->n_checks++;
}

static void start_check(struct probes *p, struct check *c)
{
	const struct view *v = p->options.view;
	struct err e = ERR_NULL;
	int r = v->connect ? v->connect(v->agent, c->driver, on_connected, c, &e)
			   : err_set(&e, ENOTSUP, "nobody connects to the CSI socket");

	if (r < 0) {
		c->open = false;
		blame(p, c->driver, e.text);
	} else {
		p->connecting++;
	}
}

static void start_round(struct probes *p)
{
	bool any = false;

	p->running = true;
	err_clear(&p->problem);
	p->n_checks = 0;
	if (p->options.view->drivers)
		p->options.view->drivers(p->options.view->agent, on_driver, p);
	for (size_t i = 0; i < p->n_checks; i++) {
		start_check(p, &p->checks[i]);
		any |= p->checks[i].open;
	}
	if (any)
		timer_arm(p->deadline, DEADLINE);
	else
		end_round(p);
}

static void ask_health(struct probes *p, struct http_exchange *x)
{
	struct asking *a;

	/* The broker owes us answers from a round that is over: it does not answer. */
	if (!p->running && p->connecting > 0) {
		http_reply_text(x, 500, "the broker does not answer\n");
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		http_reply_text(x, 500, "out of memory\n");
		return;
	}
	a->x = x;
	http_set_userdata(x, a);
	list_append(&p->asking, &a->item);
	if (!p->running)
		start_round(p);
}

/* ---- /readyz and /metrics ----------------------------------------------------------------- */

struct readiness {
	bool waits;
	char text[ERR_TEXT_MAX];
};

static void judge_ready(const struct view_driver *d, void *userdata)
{
	struct readiness *r = userdata;

	if (r->waits || streq(d->state, "Registered") || streq(d->state, "Off"))
		return;
	r->waits = true;
	(void)snprintf(r->text, sizeof(r->text), "%s: %s%s%s\n", d->name, d->state,
		*d->text ? ": " : "", d->text);
}

static void reply_ready(struct probes *p, struct http_exchange *x)
{
	const struct view *v = p->options.view;
	struct readiness r = {.text = "ok\n"};
	struct view_node n = {0};

	if (v->node)
		v->node(v->agent, &n);
	if (v->drivers)
		v->drivers(v->agent, judge_ready, &r);
	if (n.stopping)
		http_reply_text(x, 503, "stopping\n");
	else
		http_reply_text(x, r.waits ? 503 : 200, r.text);
}

static void reply_metrics(struct probes *p, struct http_exchange *x)
{
	_cleanup_buf_ struct buf text = BUF_NULL(METRICS_MAX);

	if (p->options.collect)
		p->options.collect(p->options.userdata);
	if (metrics_text(p->options.metrics, &text) < 0)
		http_reply_text(x, 500, "out of memory\n");
	else
		http_reply(x, 200, METRICS_TYPE, str_or(text.data, ""), text.len, NULL);
}

static void on_request(struct http_exchange *x, void *userdata)
{
	struct probes *p = userdata;
	const char *path = http_path(x);

	if (!streq(http_method(x), "GET") && !streq(http_method(x), "HEAD"))
		http_reply_text(x, 405, "only GET\n");
	else if (streq(path, "/healthz"))
		ask_health(p, x);
	else if (streq(path, "/readyz"))
		reply_ready(p, x);
	else if (streq(path, "/metrics") && p->options.metrics)
		reply_metrics(p, x);
	else
		http_reply_text(x, 404, "not here: /healthz, /readyz, /metrics\n");
}

static void on_gone(struct http_exchange *x, void *userdata)
{
	struct asking *a = http_userdata(x);

	(void)userdata;
	if (!a)
		return;
	list_remove(&a->item);
	free(a);
}

/* ---- life --------------------------------------------------------------------------------- */

int probes_new(struct probes **ret, struct loop *l, const struct probes_options *o, struct err *e)
{
	static const struct http_handler handler = {on_request, on_gone};
	const struct http_options http = {.address = o->address, .port = o->port, .fd = -1};
	_cleanup_(probes_freep) struct probes *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_sys(e, ENOMEM, "probes");
	p->loop = l;
	p->options = *o;
	list_init(&p->asking);
	r = timer_new_exact(&p->deadline, l, on_deadline, p);
	if (r < 0)
		return err_sys(e, r, "probes");
	r = http_server_new(&p->http, l, &http, &handler, p, e);
	if (r < 0)
		return err_prefix(e, "probes");
	*ret = TAKE_PTR(p);
	return 0;
}

struct probes *probes_free(struct probes *p)
{
	if (!p)
		return NULL;
	LIST_FOREACH (&p->asking, it) {
		list_remove(it);
		free(LIST_ENTRY(it, struct asking, item));
	}
	http_server_free(p->http);
	for (size_t i = 0; i < p->n_checks; i++)
		csi_probe_free(p->checks[i].probe);
	timer_free(p->deadline);
	free(p);
	return NULL;
}

uint16_t probes_port(const struct probes *p)
{
	return http_server_port(p->http);
}
