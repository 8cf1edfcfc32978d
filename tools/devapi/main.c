/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: devapi, a Kubernetes API server for tests */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/admin.h"
#include "tools/devapi/binder.h"
#include "tools/devapi/controllers.h"
#include "tools/devapi/discovery.h"
#include "tools/devapi/drip.h"
#include "tools/devapi/options.h"

/* Benches open a connection a request in flight. */
#define CONNECTIONS_MAX 4096
#define BODY_MAX (3U << 20) /* the API server's limit of a request */
#define IDLE_SECONDS 600

static void on_request(struct http_exchange *x, void *userdata)
{
	struct api *a = userdata;

	if (str_after(http_path(x), "/devapi/"))
		admin_request(a, x);
	else if (!streq(http_method(x), "GET") || discovery_request(x) < 0)
		api_request(a, x);
}

static void on_gone(struct http_exchange *x, void *userdata)
{
	struct session *s = http_userdata(x);

	(void)userdata;
	if (!s)
		return;
	switch (s->type) {
	case SESSION_CALL:
		api_gone(s);
		return;
	case SESSION_WATCH:
		watch_gone(s);
		return;
	case SESSION_DRIP:
		drip_gone(s);
		return;
	}
}

static void on_signal(struct sig *s, int signo, void *userdata)
{
	(void)s;
	(void)signo;
	loop_exit(userdata, 0);
}

static int make_namespaces(struct store *s)
{
	static const char *const names[] = {
		"default", "kube-node-lease", "kube-public", "kube-system"};
	const struct kind *k = kind_get(KIND_NAMESPACE);
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(names) && r == 0; i++) {
		_cleanup_json_ json_t *o = json_pack("{s:{},s:{s:[s]},s:{s:s}}", "metadata", "spec",
			"finalizers", "kubernetes", "status", "phase", "Active");

		if (!o)
			return -ENOMEM;
		meta_create(k, o, "", names[i]);
		r = store_commit(s, CHANGE_ADDED, k, names[i], o);
	}
	return r;
}

static int listen_unix(const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || str_copy(sa.sun_path, sizeof(sa.sun_path), path) < 0)
		return err_set(e, EINVAL, "%s: cannot be a socket", path);
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 256) < 0)
		return err_sys(e, errno, "%s", path);
	return TAKE_FD(fd);
}

static int start_http(
	struct http_server **ret, struct api *a, const struct options *o, struct err *e)
{
	static const struct http_handler handler = {on_request, on_gone};
	struct http_options h = {.address = o->address,
		.port = o->port,
		.fd = -1,
		.connections_max = CONNECTIONS_MAX,
		.body_max = BODY_MAX,
		.idle_seconds = IDLE_SECONDS};

	if (o->unix_path) {
		h.address = NULL;
		h.fd = listen_unix(o->unix_path, e);
		if (h.fd < 0)
			return h.fd;
	}
	return http_server_new(ret, a->loop, &h, &handler, a, e);
}

static int load_faults(struct api *a, const char *text, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1U << 20);
	_cleanup_json_ json_t *rules = NULL;
	int r = *text == '@' ? file_read(text + 1, &b, e) : buf_puts(&b, text);

	if (r == 0)
		r = data_json_load(str_or(b.data, ""), b.len, &rules, e);
	return r < 0 ? r : faults_add(a->faults, rules, e);
}

static int write_kubeconfig(const struct options *o, uint16_t port, struct err *e)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
		"apiVersion: v1\nkind: Config\ncurrent-context: devapi\n"
		"clusters:\n- name: devapi\n  cluster:\n    server: http://%s%s%s:%u\n"
		"users:\n- name: devapi\n  user:\n    token: devapi\n"
		"contexts:\n- name: devapi\n  context:\n    cluster: devapi\n    user: devapi\n",
		strchr(o->address, ':') ? "[" : "", o->address, strchr(o->address, ':') ? "]" : "",
		port);

	return file_write_atomic(o->kubeconfig, text, (size_t)n, 0600, e);
}

static int write_files(const struct options *o, uint16_t port, struct err *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u\n", port), r = 0;

	if (o->kubeconfig)
		r = write_kubeconfig(o, port, e);
	if (r == 0 && o->port_file)
		r = file_write_atomic(o->port_file, text, (size_t)n, 0644, e);
	return r;
}

struct parts {
	struct binder *binder;
	struct controllers *controllers;
	struct http_server *http;
	struct sig *term, *interrupt;
};

static int start(struct api *a, struct parts *p, const struct options *o, struct err *e)
{
	int r = loop_new(&a->loop);

	if (r == 0)
		r = store_new(&a->store, o->history);
	if (r == 0)
		r = faults_new(&a->faults, a->store);
	if (r == 0)
		r = watches_new(&a->watches, a->loop, a->store, a->faults);
	if (r == 0)
		r = journal_new(&a->journal, a->store);
	if (r == 0 && !o->no_binder)
		r = binder_new(&p->binder, a->loop, a->store, &o->binder);
	if (r == 0)
		r = controllers_new(&p->controllers, a->loop, a->store);
	if (r == 0)
		r = make_namespaces(a->store);
	if (r == 0)
		r = sig_new(&p->term, a->loop, SIGTERM, on_signal, a->loop);
	if (r == 0)
		r = sig_new(&p->interrupt, a->loop, SIGINT, on_signal, a->loop);
	if (r < 0)
		return err_sys(e, r, "cannot start");
	if (o->faults && load_faults(a, o->faults, e) < 0)
		return -EINVAL;
	r = start_http(&p->http, a, o, e);
	if (r == 0)
		r = write_files(o, http_server_port(p->http), e);
	if (r == 0 && o->unix_path)
		fprintf(stderr, "devapi: listening on %s\n", o->unix_path);
	else if (r == 0)
		fprintf(stderr, "devapi: listening on %s port %u\n", o->address,
			http_server_port(p->http));
	return r;
}

static void stop(struct api *a, struct parts *p)
{
	http_server_free(p->http);
	sig_free(p->term);
	sig_free(p->interrupt);
	controllers_free(p->controllers);
	binder_free(p->binder);
	journal_free(a->journal);
	watches_free(a->watches);
	faults_free(a->faults);
	store_free(a->store);
	loop_free(a->loop);
}

int main(int argc, char **argv)
{
	struct options o;
	struct err e = ERR_NULL;
	struct parts p = {.binder = NULL};
	struct api a = {.loop = NULL};
	int r;

	if (options_parse(&o, argc, argv, &e) < 0) {
		fprintf(stderr, "devapi: %s\n", e.text);
		return 2;
	}
	if (o.help || o.version) {
		printf("%s", o.help ? options_help() : "devapi " BERTH_VERSION "\n");
		return 0;
	}
	r = start(&a, &p, &o, &e);
	if (r == 0)
		r = loop_run(a.loop);
	else
		fprintf(stderr, "devapi: %s\n", e.text);
	stop(&a, &p);
	return r < 0 ? 1 : r;
}
