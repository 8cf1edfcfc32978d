/* SPDX-License-Identifier: Apache-2.0 */
/* client.c: requests in order through a token bucket, many in flight, retried as client-go does */
#include <errno.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "kube/request.h"
#include "kube/setup.h"

#define QPS_DEFAULT 2000.0
#define BURST_DEFAULT 4000.0
/* An HTTP/2 connection of the API server has 100 streams; what is beyond opens a second one. */
#define IN_FLIGHT_DEFAULT 128
#define CONNECTIONS_DEFAULT 32
/* Connections beyond max_connections for lists and watches, which last. */
#define CONNECTIONS_STREAMS 16
/* Some 100 MiB of requests; a caller that gets here writes faster than any server takes. */
#define WAITING_MAX 100000
/* client-go's number of tries after 429 and 5xx. */
#define RETRIES_MAX 10
/* Answers to single objects; lists are streamed. */
#define RESPONSE_MAX (64U << 20)
#define URL_MAX 16384
/* First guess of an answer's size, so that its buffer does not grow step by step. */
#define RESPONSE_GUESS 2048
/* Different Warning texts that are told; a hostile server may invent more. */
#define WARNINGS_MAX 64
/* A list of 150,000 objects takes seconds; one that takes longer than this is a server's fault. */
#define LIST_TIMEOUT SECONDS(600)
/* How often waiting requests are looked through for deadlines. */
#define SWEEP_NS NSEC_PER_SEC
/* How long after a broken connection a GET is tried again, doubled each time. */
#define BROKEN_RETRY_MIN MILLISECONDS(50)

struct kube_client {
	struct loop *loop;
	const struct kube_config *config;
	struct transfers *transfers;
	struct auth *auth;
	struct timer *tick;
	char *base_url;
	struct bucket bucket;
	struct list places[_REQUEST_PLACE_MAX];
	unsigned count[_REQUEST_PLACE_MAX];
	struct buf scratch;
	struct kube_client_stats stats;
	uint64_t last_answer, sent_at, second_ns, sweep_at;
	bool clock_known;
	int64_t clock_ahead_ns;
	struct err trouble; /* of the last request without answer, clear since one got one */
	uint64_t warnings[WARNINGS_MAX];
	unsigned n_warnings, max_in_flight;
	unsigned depth;
	bool http2; /* as far as we are concerned */
	bool pumping, dead;
};

static void client_pump(struct kube_client *c);

static void request_move(struct kube_request *q, enum request_place to)
{
	struct kube_client *c = q->c;

	if (q->place != REQUEST_NOWHERE)
		c->count[q->place]--;
	list_remove(&q->link);
	q->place = to;
	if (to == REQUEST_NOWHERE)
		return;
	c->count[to]++;
	list_append(&c->places[to], &q->link);
}

static void client_destroy(struct kube_client *c)
{
	for (size_t i = 0; i < ELEMENTSOF(c->places); i++)
		LIST_FOREACH (&c->places[i], it)
			request_free(LIST_ENTRY(it, struct kube_request, link));
	transfers_free(c->transfers);
	auth_free(c->auth);
	timer_free(c->tick);
	free(c->base_url);
	buf_done(&c->scratch);
	free(c);
}

/* Callbacks may free the client: that happens when the last of them returned. */
static void client_leave(struct kube_client *c)
{
	if (--c->depth == 0 && c->dead)
		client_destroy(c);
}

static void request_finish(struct kube_request *q, struct answer *a)
{
	struct kube_client *c = q->c;

	request_move(q, REQUEST_NOWHERE);
	transfer_drop(TAKE_PTR(q->t));
	if (a->res.status != KUBE_OK)
		c->stats.errors++;
	if (q->fn && !c->dead) {
		q->answering = true;
		c->sent_at = q->sent_at;
		q->fn(q, &a->res, q->userdata);
		c->sent_at = 0;
	}
	answer_done(a);
	request_free(q);
}

static void request_fail(struct kube_request *q, int code, const char *why)
{
	struct answer a = {.res.status = KUBE_E_TRANSPORT};

	err_set(&a.res.err, code, "%s", why);
	request_finish(q, &a);
}

static void warn_once(struct kube_client *c, const char *text)
{
	uint64_t hash = map_hash(text, strlen(text));

	for (unsigned i = 0; i < c->n_warnings; i++)
		if (c->warnings[i] == hash)
			return;
	if (c->n_warnings == WARNINGS_MAX)
		return;
	c->warnings[c->n_warnings++] = hash;
	log_warning("API server: %s", text);
}

static void read_warnings(struct kube_client *c, CURL *easy)
{
	struct curl_header *h;

	for (size_t i = 0; i < WARNINGS_MAX; i++) {
		if (curl_easy_header(easy, "Warning", i, CURLH_HEADER, -1, &h) != CURLHE_OK)
			return;
		warn_once(c, h->value);
	}
}

static void request_retry_at(struct kube_request *q, uint64_t delay)
{
	transfer_drop(TAKE_PTR(q->t));
	q->headers = headers_unref(q->headers);
	q->due = clock_now() + delay;
	q->c->stats.retries++;
	request_move(q, REQUEST_RETRYING);
}

/* Whether the answer is not the last word; contracts.md 5.3. */
static bool request_retry(struct kube_request *q, const struct answer *a, CURLcode code)
{
	struct kube_client *c = q->c;
	uint64_t delay;

	if (a->res.http == 401 && !q->reauthorized && auth_expire(c->auth)) {
		q->reauthorized = true;
		request_retry_at(q, 0);
		return true;
	}
	if (q->once || q->watch || q->tries > RETRIES_MAX)
		return false;
	if (a->retry_after) {
		delay = a->res.retry_after_ns / NSEC_PER_SEC * c->second_ns;
		c->stats.throttled += a->res.http == 429;
	} else if (q->method == KUBE_GET && !q->delivered && answer_broken(code)) {
		delay = BROKEN_RETRY_MIN << (q->tries - 1);
		delay = delay / NSEC_PER_MSEC * (c->second_ns / 1000);
	} else {
		return false;
	}
	if (clock_now() + delay >= q->deadline)
		return false;
	request_retry_at(q, delay);
	return true;
}

static void note_answer(struct kube_client *c, const struct answer *a)
{
	if (!a->res.http) {
		err_copy(&c->trouble, &a->res.err);
		return;
	}
	c->last_answer = clock_now();
	err_clear(&c->trouble);
	if (!a->date_ns)
		return;
	c->clock_known = true;
	/* It stands for a whole second: its middle. */
	c->clock_ahead_ns = (int64_t)(a->date_ns + MILLISECONDS(500) - clock_real());
}

static void on_done(void *owner, CURLcode code)
{
	struct kube_request *q = owner;
	struct kube_client *c = q->c;
	struct answer a;

	c->depth++;
	answer_read(&a, q, code);
	note_answer(c, &a);
	if (a.res.http)
		read_warnings(c, q->t->easy);
	if (!c->dead && request_retry(q, &a, code))
		answer_done(&a);
	else
		request_finish(q, &a);
	client_pump(c);
	client_leave(c);
}

static int on_data(void *owner, const char *data, size_t n)
{
	struct kube_request *q = owner;
	long http = 0;
	int r;

	curl_easy_getinfo(q->t->easy, CURLINFO_RESPONSE_CODE, &http);
	if (!q->data || http < 200 || http > 299) {
		r = q->t->body.len                                   ? 0
		    : buf_reserve(&q->t->body, RESPONSE_GUESS, NULL) ? 0
								     : -ENOMEM;
		if (r >= 0)
			r = buf_append(&q->t->body, data, n);
		if (r < 0)
			q->data_error = r;
		return r;
	}
	q->delivered = true;
	q->c->last_answer = clock_now();
	err_clear(&q->c->trouble);
	/* Afterwards q may be gone, unless the result is negative. */
	r = q->data(q->userdata, data, n);
	if (r < 0)
		q->data_error = r;
	return r;
}

static const struct transfer_ops request_ops = {
	.data = on_data, .done = on_done, .gone = request_gone};

static int request_prepare(struct kube_request *q)
{
	struct kube_client *c = q->c;
	int r;

	q->t = transfer_get(c->transfers);
	q->headers = auth_headers(c->auth);
	if (!q->t || !q->headers)
		return -ENOMEM;
	q->t->body.max = RESPONSE_MAX;
	r = request_setup(q, c->base_url, &c->scratch);
	if (r < 0)
		return r;
	return transfer_start(q->t, &request_ops, q, q->method == KUBE_GET || c->http2);
}

static void request_start(struct kube_request *q)
{
	struct kube_client *c = q->c;
	uint64_t now = clock_now();

	request_move(q, q->watch ? REQUEST_WATCHING : REQUEST_RUNNING);
	if (!q->sent_at) {
		q->sent_at = now;
		c->stats.wait_ns += now - q->queued_at;
	}
	q->tries++;
	c->stats.requests[q->method]++;
	if (request_prepare(q) < 0) {
		request_move(q, REQUEST_FAILED);
		timer_arm(c->tick, 0);
	}
}

/* Starts what may start. Armed afterwards: the time at which the next could. */
static uint64_t client_start_waiting(struct kube_client *c)
{
	struct kube_request *q;

	while ((q = LIST_FIRST(&c->places[REQUEST_WAITING], struct kube_request, link))) {
		uint64_t wait;

		if (c->count[REQUEST_RUNNING] >= c->max_in_flight)
			return UINT64_MAX;
		wait = bucket_take(&c->bucket, clock_now());
		if (wait > 0)
			return wait;
		request_start(q);
	}
	return UINT64_MAX;
}

/* The time until the first request in place is due, or its deadline is over. */
static uint64_t place_next(const struct kube_client *c, enum request_place p, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	LIST_FOREACH ((struct list *)&c->places[p], it) {
		const struct kube_request *q = LIST_ENTRY(it, struct kube_request, link);

		if (q->due < next)
			next = q->due;
	}
	return next == UINT64_MAX ? next : next > now ? next - now : 0;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void client_pump(struct kube_client *c)
{
	uint64_t next, now;

	if (c->pumping || c->dead)
		return;
	c->pumping = true;
	next = client_start_waiting(c);
	c->pumping = false;
	now = clock_now();
	if (c->count[REQUEST_FAILED] > 0)
		next = 0;
	if (c->count[REQUEST_RETRYING] > 0)
		next = min_u64(next, place_next(c, REQUEST_RETRYING, now));
	if (c->count[REQUEST_WAITING] > 0)
		next = min_u64(next, SWEEP_NS);
	if (next == UINT64_MAX)
		timer_disarm(c->tick);
	else
		timer_arm(c->tick, next);
}

/* Ends what waited in vain. Lists are long at times: at most once in SWEEP_NS. */
static void client_sweep(struct kube_client *c, uint64_t now)
{
	if (now - c->sweep_at < SWEEP_NS)
		return;
	c->sweep_at = now;
	LIST_FOREACH (&c->places[REQUEST_WAITING], it) {
		struct kube_request *q = LIST_ENTRY(it, struct kube_request, link);

		if (q->deadline <= now)
			request_move(q, REQUEST_FAILED);
	}
}

static void on_tick(struct timer *t, void *userdata)
{
	struct kube_client *c = userdata;
	uint64_t now = clock_now();
	struct kube_request *q;

	(void)t;
	c->depth++;
	client_sweep(c, now);
	LIST_FOREACH (&c->places[REQUEST_RETRYING], it) {
		q = LIST_ENTRY(it, struct kube_request, link);
		if (q->due > now)
			continue;
		request_move(q, REQUEST_WAITING);
		/* It had its turn once: to the front. */
		list_remove(&q->link);
		list_append(c->places[REQUEST_WAITING].next, &q->link);
	}
	while (!c->dead && (q = LIST_FIRST(&c->places[REQUEST_FAILED], struct kube_request, link)))
		request_fail(q, q->deadline <= now ? ETIMEDOUT : ENOMEM,
			q->deadline <= now ? "no answer from the API server in time"
					   : "no memory for a request");
	client_pump(c);
	client_leave(c);
}

static int client_submit(struct kube_client *c, struct kube_request *q, struct kube_request **ret)
{
	q->c = c;
	if (q->watch) {
		request_start(q);
	} else {
		request_move(q, REQUEST_WAITING);
		client_pump(c);
	}
	if (ret)
		*ret = q;
	return 0;
}

int kube_request(struct kube_client *c, const struct kube_request_spec *s, kube_fn fn,
	void *userdata, struct kube_request **ret)
{
	struct kube_request *q;
	int r;

	r = request_new(&q, s);
	if (r < 0)
		return r;
	if (c->count[REQUEST_WAITING] >= WAITING_MAX) {
		request_free(q);
		return -ENOBUFS;
	}
	q->fn = fn;
	q->userdata = userdata;
	return client_submit(c, q, ret);
}

int kube_stream(struct kube_client *c, const struct kube_stream_spec *s, kube_fn fn, void *userdata,
	struct kube_request **ret)
{
	struct kube_request *q;
	int r = request_new(
		&q, &(struct kube_request_spec){
			    .method = KUBE_GET, .path = s->path, .timeout_ns = LIST_TIMEOUT});

	if (r < 0)
		return r;
	q->fn = fn;
	q->userdata = userdata;
	q->data = s->data;
	q->watch = s->watch;
	return client_submit(c, q, ret);
}

bool kube_request_answered(const struct kube_request *q)
{
	long http = 0;

	if (q->t)
		curl_easy_getinfo(q->t->easy, CURLINFO_RESPONSE_CODE, &http);
	return http != 0;
}

void kube_request_cancel(struct kube_request *q)
{
	struct kube_client *c;

	if (!q)
		return;
	if (q->answering)
		return;
	c = q->c;
	request_move(q, REQUEST_NOWHERE);
	request_free(q);
	client_pump(c);
}

static int client_init(struct kube_client *c, const struct kube_options *o, struct err *e)
{
	struct kube_options limits = *o;
	int r;

	limits.max_connections = o->max_connections ? o->max_connections : CONNECTIONS_DEFAULT;
	c->max_in_flight = o->max_in_flight ? o->max_in_flight : IN_FLIGHT_DEFAULT;
	/* Only TLS can tell that a server speaks HTTP/2; curl would wait for the first answer. */
	if (str_after(c->config->server, "http://")) {
		limits.http1 = true;
		if (c->max_in_flight > limits.max_connections)
			c->max_in_flight = limits.max_connections;
	}
	c->http2 = !limits.http1;
	limits.max_connections += CONNECTIONS_STREAMS;
	bucket_init(&c->bucket, o->qps > 0 ? o->qps : QPS_DEFAULT,
		o->burst > 0 ? o->burst : BURST_DEFAULT);
	for (size_t i = 0; i < ELEMENTSOF(c->places); i++)
		list_init(&c->places[i]);
	c->second_ns = o->second_ns ? o->second_ns : NSEC_PER_SEC;
	c->scratch.max = URL_MAX;
	r = auth_new(&c->auth, c->config, c->second_ns, e);
	if (r < 0)
		return r;
	r = timer_new_exact(&c->tick, c->loop, on_tick, c);
	if (r >= 0)
		r = setup_base_url(c->config, &c->base_url);
	if (r >= 0)
		r = transfers_new(&c->transfers, c->loop, c->config, &limits);
	return r < 0 ? err_sys(e, r, "cannot prepare requests to %s", c->config->server) : 0;
}

int kube_client_new(struct kube_client **ret, struct loop *l, const struct kube_config *config,
	const struct kube_options *o, struct err *e)
{
	struct kube_client *c = calloc(1, sizeof(*c));
	struct transfer *t;
	int r;

	if (!c)
		return err_sys(e, ENOMEM, "cannot prepare requests");
	c->loop = l;
	c->config = config;
	r = client_init(c, o, e);
	if (r < 0) {
		client_destroy(c);
		return r;
	}
	/* A certificate or key that curl cannot take is told now, not at the first request. */
	t = transfer_get(c->transfers);
	if (!t) {
		client_destroy(c);
		return err_set(e, EINVAL, "cannot use the certificates for %s", config->server);
	}
	transfer_drop(t);
	*ret = c;
	return 0;
}

struct kube_client *kube_client_free(struct kube_client *c)
{
	if (!c)
		return NULL;
	c->dead = true;
	if (c->depth == 0)
		client_destroy(c);
	return NULL;
}

void kube_client_stats(const struct kube_client *c, struct kube_client_stats *ret)
{
	*ret = c->stats;
	ret->in_flight = c->count[REQUEST_RUNNING];
	ret->waiting = c->count[REQUEST_WAITING] + c->count[REQUEST_RETRYING];
}

bool kube_client_clock(const struct kube_client *c, int64_t *ret_ahead_ns)
{
	*ret_ahead_ns = c->clock_ahead_ns;
	return c->clock_known;
}

const char *kube_client_trouble(const struct kube_client *c)
{
	return c->trouble.text;
}

uint64_t kube_client_last_answer(const struct kube_client *c)
{
	return c->last_answer;
}

uint64_t kube_client_sent_at(const struct kube_client *c)
{
	return c->sent_at;
}

uint64_t kube_client_second(const struct kube_client *c)
{
	return c->second_ns;
}

struct loop *kube_client_loop(const struct kube_client *c)
{
	return c->loop;
}
