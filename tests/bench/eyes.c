/* SPDX-License-Identifier: Apache-2.0 */
/* eyes.c: the agent's eyes alone (agent/eyes.h), for component and kernel tests: no broker, no CSI;
 * with --worker a pinger (agent/pinger.h), its own child
 *
 * Prints "lost DRIVER WHY". A line on standard input is an order: "publish TARGET NAMESPACE POD",
 * "unpublish TARGET", "registered 0|1 [WHY]", "called TARGET CODE", "condition TARGET", "metrics",
 * "states", "look"; each is answered by lines and an empty one. Ends with its input.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/eyes.h"
#include "agent/pinger.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "http/metrics.h"
#include "worker/child.h"
#include "worker/pool.h"

#define DRIVER "nfs.berth.dev"
#define LINE_BYTES 8192

struct published {
	char *target, *namespace_, *pod;
};

struct driver {
	struct loop *loop;
	struct kube_config config;
	struct kube_client *client;
	struct kube_events *events;
	struct figures *figures;
	struct eyes *eyes;
	struct map published;
	struct io *io;
	size_t got;
	char in[LINE_BYTES];
};

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct published *)value)->target);
}

static bool publication(const char *target, struct mounts_publication *ret, void *userdata)
{
	struct driver *d = userdata;
	const struct published *p = map_gets(&d->published, target);

	if (!p)
		return false;
	*ret = (struct mounts_publication){.volume = "",
		.driver = DRIVER,
		.pod_namespace = p->namespace_,
		.pod_name = p->pod,
		.pod_uid = ""};
	return true;
}

static void on_lost(unsigned driver, const char *why, void *userdata)
{
	(void)driver;
	(void)userdata;
	printf("lost " DRIVER " %s\n", why);
}

/* ---- orders ------------------------------------------------------------------------------ */

static void unpublish(struct driver *d, const char *target)
{
	struct published *p = map_removes(&d->published, target);

	if (!p)
		return;
	free(p->target);
	free(p->namespace_);
	free(p->pod);
	free(p);
}

static void publish(struct driver *d, char **words)
{
	struct published *p;

	unpublish(d, words[1]);
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->target = strdup(words[1]);
	p->namespace_ = strdup(str_or(words[2], ""));
	p->pod = strdup(str_or(words[3], ""));
	if (map_add(&d->published, p) < 0)
		abort();
}

static void print_states(const struct driver *d)
{
	const struct mounts_entry *e;
	size_t cursor = 0;

	while ((e = mounts_next(eyes_mounts(d->eyes), &cursor)) != NULL)
		printf("%s %s %s %s\n", mounts_state_name(e->state), e->target,
			*e->volume ? e->volume : "-", *e->server ? e->server : "-");
}

static void print_condition(const struct driver *d, const char *target)
{
	struct mounts_condition c;

	mounts_condition(eyes_mounts(d->eyes), target, &c);
	printf("%s %s\n", c.abnormal ? "abnormal" : "normal", c.message);
}

static void print_metrics(const struct driver *d)
{
	struct buf text = BUF_NULL(1U << 20);

	eyes_gauges(d->eyes);
	if (metrics_text(figures_metrics(d->figures), &text) >= 0)
		fputs(str_or(text.data, ""), stdout);
	buf_done(&text);
}

static void obey(struct driver *d, char **words)
{
	if (!words[0])
		return;
	if (streq(words[0], "states"))
		print_states(d);
	else if (streq(words[0], "metrics"))
		print_metrics(d);
	else if (streq(words[0], "look"))
		eyes_look(d->eyes);
	else if (!words[1])
		puts("what?");
	else if (streq(words[0], "publish"))
		publish(d, words);
	else if (streq(words[0], "unpublish"))
		unpublish(d, words[1]);
	else if (streq(words[0], "registered"))
		eyes_registered(d->eyes, 0, streq(words[1], "1"), words[2]);
	else if (streq(words[0], "condition"))
		print_condition(d, words[1]);
	else if (streq(words[0], "called") && words[2])
		eyes_called(d->eyes, words[1], (int)strtol(words[2], NULL, 10));
	else
		puts("what?");
	eyes_published(d->eyes);
}

static void take_line(struct driver *d, char *line)
{
	char *words[5] = {NULL}, *rest = line;

	for (size_t i = 0; i < 4 && (words[i] = strsep(&rest, " ")) != NULL; i++)
		;
	obey(d, words);
	puts("");
	fflush(stdout);
}

static void on_input(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct driver *d = userdata;
	ssize_t n = read(fd, d->in + d->got, sizeof(d->in) - 1 - d->got);
	char *end;

	(void)io;
	(void)revents;
	if (n <= 0) {
		loop_exit(d->loop, 0);
		return;
	}
	d->got += (size_t)n;
	d->in[d->got] = '\0';
	while ((end = strchr(d->in, '\n')) != NULL) {
		size_t rest = d->got - (size_t)(end + 1 - d->in);

		*end = '\0';
		take_line(d, d->in);
		memmove(d->in, end + 1, rest + 1);
		d->got = rest;
	}
}

/* ---- frame ------------------------------------------------------------------------------- */

static void fail(const char *what)
{
	fprintf(stderr, "eyes: %s\n", what);
	exit(2);
}

static struct worker_pool *start_pinger(struct loop *l)
{
	static const char *const argv[] = {"eyes", "--worker", NULL};
	static const struct worker_options one = {
		.program = "/proc/self/exe", .argv = argv, .window = PINGER_SERVERS_MAX};
	struct worker_pool *pool = NULL;

	if (worker_pool_new(&pool, l, &one) < 0)
		fail("pinger");
	return pool;
}

static void start_api(struct driver *d, const char *kubeconfig, struct err *e)
{
	const struct kube_options o = {.user_agent = "berth-agent/test"};

	if (kube_config_load(&d->config, kubeconfig, e) < 0 ||
		kube_client_new(&d->client, d->loop, &d->config, &o, e) < 0)
		fail(e->text);
	if (kube_events_new(&d->events, d->client, "berth-agent") < 0)
		fail("events");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"kubeconfig", required_argument, NULL, 'k'},
		{"node", required_argument, NULL, 'n'},
		{"kubelet-root", required_argument, NULL, 'r'},
		{"exports", required_argument, NULL, 'x'}, {NULL, 0, NULL, 0}};
	static const struct nodewatch_driver nfs = {DRIVER, "topology.berth.dev/node", NULL};
	struct driver d = {.published = MAP_NULL(key_of)};
	struct eyes_setup s = {.node = "n1",
		.namespace_ = "berth-system",
		.kubelet_root = "/var/lib/kubelet",
		.exports = "/run/berth/exports",
		.mountinfo = "/proc/self/mountinfo",
		.drivers = &nfs,
		.n_drivers = 1,
		.orphan_after_ns = SECONDS(1),
		.publication = publication,
		.lost = on_lost,
		.userdata = &d};
	struct health_options health = {.pool = NULL};
	const char *kubeconfig = NULL;
	struct err e = ERR_NULL;
	int c, r;

	if (argc > 1 && streq(argv[1], "--worker"))
		return pinger_run(WORKER_FD) < 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_setup("eyes", LOG_LEVEL_INFO, log_format_auto());
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'k')
			kubeconfig = optarg;
		else if (c == 'n')
			s.node = optarg;
		else if (c == 'r')
			s.kubelet_root = optarg;
		else if (c == 'x')
			s.exports = optarg;
		else
			fail("usage: eyes [--kubeconfig F] [--node N] [--kubelet-root D] "
			     "[--exports D]");
	}
	if (loop_new(&d.loop) < 0 || figures_new(&d.figures) < 0)
		fail("no memory");
	if (kubeconfig)
		start_api(&d, kubeconfig, &e);
	s.loop = d.loop;
	s.client = d.client;
	s.config = &d.config;
	s.events = d.events;
	s.figures = d.figures;
	health.pool = start_pinger(d.loop);
	s.health = &health;
	if (eyes_new(&d.eyes, &s, &e) < 0)
		fail(e.text);
	if (io_new(&d.io, d.loop, STDIN_FILENO, EPOLLIN, on_input, &d) < 0)
		fail("standard input cannot be polled");
	r = loop_run(d.loop);
	eyes_free(d.eyes);
	worker_pool_free(health.pool);
	kube_events_free(d.events);
	kube_client_free(d.client);
	figures_free(d.figures);
	return r < 0;
}
