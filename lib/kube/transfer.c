/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c: curl's multi interface in the loop, its callbacks kept apart from ours */
#include "kube/transfer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "kube/setup.h"

/* Idle handles that are kept, some 8 KiB each: a burst takes its next one from those that just
 * ended, so that few lie idle while it lasts. */
#define IDLE_MAX 16

/*
 * curl must not be called from its own callbacks, and our owners may do anything in theirs. So
 * while curl is at work (inside) starts and stops are only noted, in fresh and stale.
 */
struct transfers {
	CURLM *multi;
	struct loop *loop;
	struct timer *timer;
	const struct kube_config *config;
	struct kube_options options;
	struct curl_slist *connect_to;
	struct list running, fresh, stale, idle;
	unsigned n_idle;
	unsigned depth; /* of calls from the loop */
	bool inside, dead;
};

static void transfer_free(struct transfer *t)
{
	if (t->dropped)
		t->ops->gone(t->owner);
	curl_easy_cleanup(t->easy);
	buf_done(&t->body);
	free(t);
}

static void transfers_destroy(struct transfers *all)
{
	struct list *lists[] = {&all->running, &all->fresh, &all->stale, &all->idle};

	for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
		LIST_FOREACH (lists[i], it) {
			struct transfer *t = LIST_ENTRY(it, struct transfer, link);

			list_remove(it);
			if (t->running)
				curl_multi_remove_handle(all->multi, t->easy);
			transfer_free(t);
		}
	}
	if (all->multi)
		curl_multi_cleanup(all->multi);
	timer_free(all->timer);
	curl_slist_free_all(all->connect_to);
	free(all);
	curl_global_cleanup();
}

struct transfers *transfers_free(struct transfers *all)
{
	if (!all)
		return NULL;
	all->dead = true;
	if (all->depth == 0)
		transfers_destroy(all);
	return NULL;
}

static void transfer_to_idle(struct transfer *t)
{
	struct transfers *all = t->all;

	list_remove(&t->link);
	if (all->n_idle >= IDLE_MAX) {
		transfer_free(t);
		return;
	}
	buf_done(&t->body);
	all->n_idle++;
	/* The last one used is the next one taken, so that a burst's handles are not all touched.
	 */
	list_append(all->idle.next, &t->link);
}

/* The end of a transfer: its owner drops it in done(), unless he did so before. */
static void transfer_finish(struct transfer *t, CURLcode code)
{
	if (t->running) {
		curl_multi_remove_handle(t->all->multi, t->easy);
		t->running = false;
	}
	if (!t->dropped) {
		t->ops->done(t->owner, code);
		return;
	}
	t->dropped = false;
	t->ops->gone(t->owner);
	transfer_to_idle(t);
}

static CURLcode transfer_add(struct transfer *t)
{
	CURLMcode mc = curl_multi_add_handle(t->all->multi, t->easy);

	if (mc != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	t->running = true;
	list_remove(&t->link);
	list_append(&t->all->running, &t->link);
	return CURLE_OK;
}

/* What was noted while curl was at work. */
static void transfers_settle(struct transfers *all)
{
	struct transfer *t;

	while ((t = LIST_FIRST(&all->stale, struct transfer, link)))
		transfer_finish(t, CURLE_OK);
	while (!all->dead && (t = LIST_FIRST(&all->fresh, struct transfer, link))) {
		CURLcode code = transfer_add(t);

		if (code != CURLE_OK)
			transfer_finish(t, code);
	}
}

static void transfers_drain(struct transfers *all)
{
	CURLMsg *msg;
	int left;

	while (!all->dead && (msg = curl_multi_info_read(all->multi, &left))) {
		struct transfer *t = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&t);
		transfer_finish(t, msg->data.result);
	}
}

static void transfers_action(struct transfers *all, curl_socket_t s, int mask)
{
	int running;

	all->depth++;
	all->inside = true;
	curl_multi_socket_action(all->multi, s, mask, &running);
	all->inside = false;
	transfers_settle(all);
	transfers_drain(all);
	if (--all->depth == 0 && all->dead)
		transfers_destroy(all);
}

static void on_socket_ready(struct io *io, int fd, uint32_t revents, void *userdata)
{
	int mask = 0;

	(void)io;
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
		mask |= CURL_CSELECT_IN;
	if (revents & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (revents & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	transfers_action(userdata, fd, mask);
}

static int on_socket(CURL *easy, curl_socket_t s, int what, void *userdata, void *socketp)
{
	struct transfers *all = userdata;
	struct io *io = socketp;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		io_free(io);
		curl_multi_assign(all->multi, s, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (io) {
		io_set_events(io, events);
		return 0;
	}
	if (io_new(&io, all->loop, s, events, on_socket_ready, all) < 0)
		return -1;
	curl_multi_assign(all->multi, s, io);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *userdata)
{
	struct transfers *all = userdata;

	(void)multi;
	if (ms < 0)
		timer_disarm(all->timer);
	else
		timer_arm(all->timer, MILLISECONDS((uint64_t)ms));
	return 0;
}

static void on_timeout(struct timer *t, void *userdata)
{
	(void)t;
	transfers_action(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static int transfers_setup(struct transfers *all)
{
	CURLM *m = all->multi;
	long pool = (long)all->options.max_connections;
	int r = timer_new_exact(&all->timer, all->loop, on_timeout, all);

	if (r >= 0)
		r = setup_connect_to(all->config, &all->connect_to);
	if (r < 0)
		return r;
	curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(m, CURLMOPT_SOCKETDATA, all);
	curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(m, CURLMOPT_TIMERDATA, all);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, pool);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, pool);
	return 0;
}

int transfers_new(struct transfers **ret, struct loop *l, const struct kube_config *c,
	const struct kube_options *o)
{
	_cleanup_(transfers_freep) struct transfers *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(TAKE_PTR(all));
		return -ENOMEM;
	}
	all->loop = l;
	all->config = c;
	all->options = *o;
	list_init(&all->running);
	list_init(&all->fresh);
	list_init(&all->stale);
	list_init(&all->idle);
	all->multi = curl_multi_init();
	if (!all->multi)
		return -ENOMEM;
	r = transfers_setup(all);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(all);
	return 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;

	if (t->dropped || t->all->dead || t->ops->data(t->owner, data, size * n) < 0)
		return CURL_WRITEFUNC_ERROR;
	return size * n;
}

/* Runs before each sending of the request, curl's own second tries too. */
static int on_sending(void *userdata, char *peer, char *self, int peer_port, int port)
{
	struct transfer *t = userdata;

	(void)peer, (void)self, (void)peer_port, (void)port;
	if (t->dropped || t->all->dead || (t->sendings++ > 0 && !t->resend))
		return CURL_PREREQFUNC_ABORT;
	return CURL_PREREQFUNC_OK;
}

static struct transfer *transfer_new(struct transfers *all)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->all = all;
	list_init(&t->link);
	t->easy = curl_easy_init();
	if (!t->easy || setup_easy(t->easy, all->config, &all->options) < 0) {
		transfer_free(t);
		return NULL;
	}
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, all->connect_to);
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_sending);
	curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
	return t;
}

struct transfer *transfer_get(struct transfers *all)
{
	struct transfer *t = LIST_FIRST(&all->idle, struct transfer, link);

	if (!t)
		return transfer_new(all);
	list_remove(&t->link);
	all->n_idle--;
	return t;
}

int transfer_start(struct transfer *t, const struct transfer_ops *ops, void *owner, bool resend)
{
	t->ops = ops;
	t->owner = owner;
	t->sendings = 0;
	t->resend = resend;
	t->error[0] = '\0';
	if (t->all->inside) {
		list_append(&t->all->fresh, &t->link);
		return 0;
	}
	return transfer_add(t) == CURLE_OK ? 0 : -ENOMEM;
}

bool transfer_drop(struct transfer *t)
{
	struct transfers *all;

	if (!t)
		return false;
	all = t->all;
	list_remove(&t->link);
	if (t->running && (all->inside || all->dead)) {
		t->dropped = true;
		list_append(&all->stale, &t->link);
		return true;
	}
	if (t->running) {
		curl_multi_remove_handle(all->multi, t->easy);
		t->running = false;
	}
	transfer_to_idle(t);
	return false;
}
