/* SPDX-License-Identifier: Apache-2.0 */
/* load.c: makes claims and watches what becomes of them: seconds from the claim to its PV and to
 * Bound */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "base/str.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "kube/pv.h"

#define CLAIMS_MAX 100000
#define WRITERS 64

struct claim {
	char name[48];
	uint64_t posted, provisioned, bound, gone;
	bool pv_seen, pv_gone;
};

struct load {
	struct kube_config config;
	struct loop *loop;
	struct kube_client *client;
	struct strpool *pool;
	struct informer *claims_seen, *volumes_seen;
	struct timer *limit;
	struct map by_name;
	struct claim *claims;
	size_t n, next, provisioned, bound, gone, failed;
	uint64_t started, ended;
	const char *class;
	bool serial, deleting, wait_bound;
	unsigned in_flight;
	int synced;
};

static struct map_key claim_key(const void *value)
{
	return map_key_str(((const struct claim *)value)->name);
}

static void go_on(struct load *l);

static void on_written(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct load *l = userdata;

	(void)q;
	l->in_flight--;
	if (res->status != KUBE_OK) {
		if (l->failed++ < 3)
			fprintf(stderr, "load: %s\n", res->err.text);
		if (!l->deleting)
			l->n--;
	}
	go_on(l);
}

static void post(struct load *l, struct claim *c)
{
	char body[512];
	struct kube_request_spec s = {.method = KUBE_POST,
		.path = "/api/v1/namespaces/default/persistentvolumeclaims",
		.body = body};

	s.body_size = (size_t)snprintf(body, sizeof(body),
		"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":"
		"\"%s\"},"
		"\"spec\":{\"accessModes\":[\"ReadWriteMany\"],\"storageClassName\":\"%s\","
		"\"resources\":{"
		"\"requests\":{\"storage\":\"1Gi\"}}}}",
		c->name, l->class);
	c->posted = clock_now();
	if (kube_request(l->client, &s, on_written, l, NULL) == 0)
		l->in_flight++;
}

static void delete (struct load *l, struct claim *c)
{
	char path[256];
	struct kube_request_spec s = {.method = KUBE_DELETE, .path = path};

	snprintf(path, sizeof(path), "/api/v1/namespaces/default/persistentvolumeclaims/%s",
		c->name);
	if (kube_request(l->client, &s, on_written, l, NULL) == 0)
		l->in_flight++;
}

static bool complete(const struct load *l)
{
	if (l->deleting)
		return l->gone >= l->n;
	return (l->wait_bound ? l->bound : l->provisioned) >= l->n;
}

static void go_on(struct load *l)
{
	size_t settled = l->wait_bound ? l->bound : l->provisioned;

	while (l->next < l->n && l->in_flight < WRITERS) {
		if (l->serial && l->next > settled)
			return;
		if (l->deleting)
			delete (l, &l->claims[l->next++]);
		else
			post(l, &l->claims[l->next++]);
	}
	if (l->next >= l->n && l->in_flight == 0 && complete(l) && !l->ended) {
		l->ended = clock_now();
		loop_exit(l->loop, 0);
	}
}

static void on_claim(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct load *l = userdata;
	struct claim *c = map_gets(&l->by_name, (now ? now : old)->name);

	(void)i;
	if (!c || !now || c->bound || pvc_of(now)->phase != CLAIM_BOUND)
		return;
	c->bound = clock_now();
	l->bound++;
	go_on(l);
}

static void on_volume(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct load *l = userdata;
	struct claim *c = map_gets(&l->by_name, pv_of(now ? now : old)->claim_name);

	(void)i;
	if (!c)
		return;
	if (now && !c->pv_seen) {
		c->pv_seen = true;
		c->provisioned = clock_now();
		l->provisioned++;
	}
	if (!now && !c->pv_gone) {
		c->pv_gone = true;
		c->gone = clock_now();
		l->gone++;
	}
	go_on(l);
}

/* Who waits for Bound spares the API server a watch. */
static bool watches_volumes(const struct load *l)
{
	return l->deleting || !l->wait_bound;
}

static void on_synced(struct informer *i, void *userdata)
{
	struct load *l = userdata;

	(void)i;
	if (++l->synced < (watches_volumes(l) ? 2 : 1))
		return;
	l->started = clock_now();
	go_on(l);
}

static void on_limit(struct timer *t, void *userdata)
{
	struct load *l = userdata;

	(void)t;
	fprintf(stderr, "load: time is up: %zu claims, %zu PVs, %zu bound, %zu gone\n", l->n,
		l->provisioned, l->bound, l->gone);
	l->ended = clock_now();
	loop_exit(l->loop, 1);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *v, size_t n, double q)
{
	size_t i = (size_t)((double)n * q);

	return n ? v[i < n ? i : n - 1] : 0;
}

static void report(struct load *l)
{
	double *pv = calloc(l->n + 1, sizeof(double)), *bound = calloc(l->n + 1, sizeof(double));
	double seconds = (double)(l->ended - l->started) / 1e9;
	size_t n_pv = 0, n_bound = 0;

	if (!pv || !bound)
		return;
	for (size_t i = 0; i < l->n; i++) {
		if (l->claims[i].provisioned)
			pv[n_pv++] = (double)(l->claims[i].provisioned - l->claims[i].posted) / 1e6;
		if (l->claims[i].bound)
			bound[n_bound++] = (double)(l->claims[i].bound - l->claims[i].posted) / 1e6;
	}
	qsort(pv, n_pv, sizeof(double), by_value);
	qsort(bound, n_bound, sizeof(double), by_value);
	printf("{\"claims\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"claims_per_s\":%.1f,"
	       "\"pv_ms_p50\":%.2f,\"pv_ms_p99\":%.2f,\"bound_ms_p50\":%.2f,\"bound_ms_p99\":%.2f,"
	       "\"provisioned\":%zu,\"bound\":%zu,\"gone\":%zu}\n",
		l->n, l->failed, seconds, (double)l->n / seconds, quantile(pv, n_pv, 0.5),
		quantile(pv, n_pv, 0.99), quantile(bound, n_bound, 0.5),
		quantile(bound, n_bound, 0.99), n_pv, n_bound, l->gone);
	free(pv);
	free(bound);
}

static int usage(FILE *to)
{
	fputs("usage: load --kubeconfig FILE --class NAME [--claims N] [--prefix P] [--serial] "
	      "[--bound]\n"
	      "            [--delete] [--limit SECONDS]\n"
	      "Makes N claims at once (--serial: each after the one before was served) and waits "
	      "until each has\n"
	      "its PV (--bound: is Bound); --delete removes claims of an earlier run with the same "
	      "--prefix and\n"
	      "waits until their PVs are gone. Prints one line of JSON.\n",
		to);
	return to == stderr ? 2 : 0;
}

struct arguments {
	const char *kubeconfig, *prefix;
	uint64_t limit_s;
};

static int parse(struct load *l, struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {{"kubeconfig", 1, NULL, 'k'},
		{"claims", 1, NULL, 'n'}, {"class", 1, NULL, 'c'}, {"prefix", 1, NULL, 'p'},
		{"serial", 0, NULL, 's'}, {"bound", 0, NULL, 'b'}, {"delete", 0, NULL, 'd'},
		{"limit", 1, NULL, 'l'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (o) {
		case 'k':
			a->kubeconfig = optarg;
			break;
		case 'n':
			l->n = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			l->class = optarg;
			break;
		case 'p':
			a->prefix = optarg;
			break;
		case 's':
			l->serial = true;
			break;
		case 'b':
			l->wait_bound = true;
			break;
		case 'd':
			l->deleting = true;
			break;
		case 'l':
			a->limit_s = strtoul(optarg, NULL, 10);
			break;
		case 'h':
			exit(usage(stdout));
		default:
			return -EINVAL;
		}
	return l->class && l->n >= 1 && l->n <= CLAIMS_MAX ? 0 : -EINVAL;
}

static int prepare(struct load *l, const struct arguments *a, struct err *e)
{
	static const struct informer_callbacks on_claims = {on_claim, on_synced};
	static const struct informer_callbacks on_volumes = {on_volume, on_synced};
	struct kube_options o = {
		.user_agent = "berth-load/" BERTH_VERSION, .qps = 1e6, .burst = 1e6};
	int r;

	l->claims = calloc(l->n, sizeof(*l->claims));
	if (!l->claims)
		return err_sys(e, ENOMEM, "claims");
	for (size_t i = 0; i < l->n; i++) {
		snprintf(l->claims[i].name, sizeof(l->claims[i].name), "%s-%zu", a->prefix, i);
		r = map_add(&l->by_name, &l->claims[i]);
		if (r < 0)
			return err_sys(e, r, "claims");
	}
	r = kube_config_load(&l->config, a->kubeconfig, e);
	if (r < 0)
		return r;
	r = loop_new(&l->loop);
	if (r >= 0)
		r = strpool_new(&l->pool);
	if (r >= 0)
		r = kube_client_new(&l->client, l->loop, &l->config, &o, e);
	if (r >= 0)
		r = informer_new(&l->claims_seen, l->client, l->pool, &kind_pvc, &on_claims, l);
	if (r >= 0 && watches_volumes(l))
		r = informer_new(&l->volumes_seen, l->client, l->pool, &kind_pv, &on_volumes, l);
	if (r >= 0)
		r = timer_new_exact(&l->limit, l->loop, on_limit, l);
	return r;
}

int main(int argc, char **argv)
{
	struct load l = {.n = 1000, .by_name = MAP_NULL(claim_key)};
	struct arguments a = {.prefix = "load", .limit_s = 600};
	struct err e = ERR_NULL;
	int r;

	if (parse(&l, &a, argc, argv) < 0)
		return usage(stderr);
	if (prepare(&l, &a, &e) < 0) {
		fprintf(stderr, "load: %s\n", e.text);
		return 1;
	}
	timer_arm(l.limit, SECONDS(a.limit_s));
	r = loop_run(l.loop);
	report(&l);
	informer_free(l.claims_seen);
	informer_free(l.volumes_seen);
	timer_free(l.limit);
	kube_client_free(l.client);
	kube_config_done(&l.config);
	strpool_free(l.pool);
	loop_free(l.loop);
	map_done(&l.by_name);
	free(l.claims);
	return r ? 1 : 0;
}
