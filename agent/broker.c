/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c: keeps the front running and starts and ends children on its orders */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker.h"
#include "agent/claim.h"
#include "agent/setup.h"
#include "agent/socket_name.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "base/str.h"

/* A front that ran for so long is started at once the next time. */
#define FRONT_PROVEN SECONDS(60)
/* From SIGTERM to SIGKILL for the front: it drains its requests. */
#define FRONT_GRACE SECONDS(20)
/* From the end of a front's socket to its own, before it is killed. */
#define FRONT_CLOSING SECONDS(5)
/* For children that were sent SIGKILL. */
#define CHILDREN_GRACE SECONDS(2)

struct broker_child {
	pid_t pid; /* 0: a free place */
	uint32_t what;
	char key[BROKER_KEY_MAX];
};

struct broker {
	const struct setup *setup;
	struct broker_child children[BROKER_CHILDREN_MAX];
	pid_t front; /* 0: none */
	int fd;      /* its socket, -1 */
	int signals;
	uint64_t started_at;
	uint64_t next_at; /* the front's next start or SIGKILL, the end of waiting for children */
	struct backoff backoff;
	bool ending;
	int status;
};

/* Of no use any more: it is started anew. */
static void front_kill(struct broker *b, const char *why)
{
	log_error("berth-front %s: it is killed", why);
	b->fd = fd_close(b->fd);
	if (b->front > 0)
		kill(b->front, SIGKILL);
}

/* It is ending: with which status, it says itself. */
static void front_closed(struct broker *b)
{
	b->fd = fd_close(b->fd);
	if (!b->ending)
		b->next_at = clock_now() + FRONT_CLOSING;
}

static void notify(struct broker *b, const struct broker_notice *n, int fd)
{
	int r = b->fd < 0 ? 0 : packet_send(b->fd, n, sizeof(*n), fd);

	if (r == -EAGAIN)
		front_kill(b, "does not read");
	else if (r < 0)
		front_closed(b);
}

/* ---- children ------------------------------------------------------------------------------ */

static struct broker_child *child_find(struct broker *b, uint32_t what, const char *key)
{
	for (size_t i = 0; i < BROKER_CHILDREN_MAX; i++)
		if (b->children[i].pid > 0 && b->children[i].what == what &&
			streq(b->children[i].key, key))
			return &b->children[i];
	return NULL;
}

static struct broker_child *child_of_pid(struct broker *b, pid_t pid)
{
	for (size_t i = 0; i < BROKER_CHILDREN_MAX; i++)
		if (b->children[i].pid == pid)
			return &b->children[i];
	return NULL;
}

static bool children_kill(struct broker *b)
{
	bool any = false;

	for (size_t i = 0; i < BROKER_CHILDREN_MAX; i++)
		if (b->children[i].pid > 0)
			any = kill(b->children[i].pid, SIGKILL) == 0 || any;
	return any;
}

static int child_start(struct broker *b, const struct broker_order *o, int fd, struct err *e)
{
	const struct broker_child *old = child_find(b, o->what, o->name);
	struct broker_child *c = child_of_pid(b, 0);
	_cleanup_close_ int claim = -1;
	pid_t pid;

	if (strlen(o->name) >= sizeof(c->key))
		return err_set(e, ENAMETOOLONG, "a child's key is too long");
	if (old)
		return err_set(e, EBUSY, "process %d still holds %s: the kernel does not let it go",
			(int)old->pid, o->name);
	if (!c)
		return err_set(e, ENFILE, "%d children run already", BROKER_CHILDREN_MAX);
	/* The others are no longer in the kernel than a signal takes. */
	if (o->what == BROKER_MOUNT)
		claim = claim_take(b->setup->bases[BROKER_RUN].fd, o->name, e);
	if (o->what == BROKER_MOUNT && claim < 0)
		return claim;
	pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "cannot fork a child");
	if (pid == 0)
		child_run(&b->setup->child, (enum broker_class)o->what, fd, claim);
	c->pid = pid;
	c->what = o->what;
	str_copy_cut(c->key, sizeof(c->key), o->name);
	return 0;
}

/* ---- orders -------------------------------------------------------------------------------- */

static void answer(struct broker *b, const struct broker_order *o, enum broker_notice_kind kind,
	int r, int fd, const struct err *e)
{
	struct broker_notice n = {.kind = kind, .what = o->what, .result = r < 0 ? r : 0};

	str_copy_cut(n.name, sizeof(n.name), o->name);
	str_copy_cut(n.text, sizeof(n.text), r < 0 ? e->text : "");
	notify(b, &n, fd);
}

static int order_socket(struct broker *b, const struct broker_order *o, int fd)
{
	struct err e = ERR_NULL;
	int r;

	if (o->what >= _BROKER_BASE_MAX || fd >= 0)
		return -EPROTO;
	r = socket_name_check((enum broker_base)o->what, o->name, &e);
	if (r >= 0 && o->kind == BROKER_PUBLISH)
		r = listen_publish(&b->setup->bases[o->what], o->name, (mode_t)o->mode, &e);
	else if (r >= 0 && o->kind == BROKER_CONNECT)
		r = listen_connect(&b->setup->bases[o->what], o->name, &e);
	else if (r >= 0)
		r = listen_remove(&b->setup->bases[o->what], o->name, &e);
	answer(b, o, BROKER_SOCKET, r, o->kind == BROKER_REMOVE ? -1 : r, &e);
	if (o->kind != BROKER_REMOVE)
		fd_close(r);
	/* Back from the socket's directory: paths that a front is told may be relative. */
	if (fchdir(b->setup->cwd) < 0)
		log_debug("cannot go back to the working directory: %s", strerror(errno));
	return 0;
}

static int order_start(struct broker *b, const struct broker_order *o, int fd)
{
	struct err e = ERR_NULL;
	int r;

	if (o->what >= _BROKER_CLASS_MAX || fd < 0)
		return -EPROTO;
	r = child_start(b, o, fd, &e);
	if (r < 0)
		answer(b, o, BROKER_ENDED, r, -1, &e);
	return 0;
}

static int order_kill(struct broker *b, const struct broker_order *o, int fd)
{
	const struct broker_child *c = child_find(b, o->what, o->name);

	if (c)
		kill(c->pid, SIGKILL);
	return fd < 0 ? 0 : -EPROTO;
}

static int order_obey(struct broker *b, const struct broker_order *o, int fd)
{
	static int (*const orders[_BROKER_ORDER_MAX])(
		struct broker * b, const struct broker_order *o, int fd) = {
		[BROKER_PUBLISH] = order_socket,
		[BROKER_REMOVE] = order_socket,
		[BROKER_CONNECT] = order_socket,
		[BROKER_START] = order_start,
		[BROKER_KILL] = order_kill,
	};

	if (o->kind >= _BROKER_ORDER_MAX || !orders[o->kind] ||
		!memchr(o->name, '\0', sizeof(o->name)))
		return -EPROTO;
	return orders[o->kind](b, o, fd);
}

static void on_order(struct broker *b)
{
	_cleanup_close_ int fd = -1;
	struct broker_order o;
	int r = packet_receive(b->fd, &o, sizeof(o), &fd);

	if (r >= 0)
		r = order_obey(b, &o, fd);
	if (r == -ECONNRESET)
		front_closed(b);
	else if (r < 0 && r != -EAGAIN)
		front_kill(b, "sent what is no order");
}

/* ---- the front's life ---------------------------------------------------------------------- */

static void front_later(struct broker *b)
{
	uint64_t now = clock_now();

	if (now - b->started_at > FRONT_PROVEN)
		backoff_reset(&b->backoff);
	b->next_at = now + backoff_next(&b->backoff);
}

static void front_start(struct broker *b)
{
	_cleanup_close_ int theirs = -1;
	int pair[2], r;
	pid_t pid;

	b->started_at = clock_now();
	b->next_at = 0;
	r = packet_pair(pair, BROKER_CHILDREN_MAX);
	if (r < 0) {
		log_error("cannot make a socket for berth-front: %s", strerror(-r));
		front_later(b);
		return;
	}
	b->fd = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid == 0)
		child_run_front(&b->setup->child, theirs);
	if (pid > 0) {
		b->front = pid;
		return;
	}
	log_error("cannot fork berth-front: %s", strerror(errno));
	b->fd = fd_close(b->fd);
	front_later(b);
}

static void on_front_end(struct broker *b, int status)
{
	b->front = 0;
	b->fd = fd_close(b->fd);
	children_kill(b);
	if (!b->ending && WIFEXITED(status) &&
		(WEXITSTATUS(status) == BROKER_FRONT_GIVES_UP ||
			WEXITSTATUS(status) == BROKER_FRONT_LOST)) {
		b->ending = true;
		b->status = WEXITSTATUS(status);
		log_error("berth-front gave up");
	}
	if (b->ending) {
		b->next_at = clock_now() + CHILDREN_GRACE;
		return;
	}
	if (status != 0) /* else it wants to be: another configuration */
		log_error("berth-front ended (%s %d): it is started again",
			WIFSIGNALED(status) ? "signal" : "status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	front_later(b);
}

static void reap(struct broker *b)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		struct broker_notice n = {.kind = BROKER_ENDED, .pid = pid, .status = status};
		struct broker_child *c = child_of_pid(b, pid);

		if (pid == b->front)
			on_front_end(b, status);
		if (!c)
			continue;
		n.what = c->what;
		str_copy_cut(n.name, sizeof(n.name), c->key);
		c->pid = 0;
		notify(b, &n, -1);
	}
}

static void on_signal(struct broker *b)
{
	struct signalfd_siginfo si;

	if (read(b->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD) {
		reap(b);
		return;
	}
	if (b->front > 0)
		kill(b->front, (int)si.ssi_signo);
	if (si.ssi_signo == SIGHUP || b->ending)
		return;
	b->ending = true;
	b->next_at = clock_now() + (b->front > 0 ? FRONT_GRACE : CHILDREN_GRACE);
}

static void on_time(struct broker *b)
{
	if (b->next_at == 0 || clock_now() < b->next_at)
		return;
	b->next_at = 0;
	if (b->front > 0)
		kill(b->front, SIGKILL);
	else if (!b->ending)
		front_start(b);
}

/* Children that the kernel does not let go are not waited for. */
static bool is_done(struct broker *b)
{
	return b->ending && b->front == 0 && (b->next_at == 0 || !children_kill(b));
}

static int timeout_ms(const struct broker *b)
{
	uint64_t now = clock_now();

	if (b->next_at == 0)
		return -1;
	return b->next_at <= now ? 0 : (int)((b->next_at - now) / NSEC_PER_MSEC) + 1;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int broker_run(const struct setup *s)
{
	static struct broker b;

	b = (struct broker){.setup = s, .fd = -1, .signals = signals_open()};
	b.backoff = (struct backoff){
		.min = MILLISECONDS(100), .max = SECONDS(30), .jitter_percent = 20};
	if (b.signals < 0)
		return -errno;
	front_start(&b);
	while (!is_done(&b)) {
		struct pollfd fds[] = {
			{.fd = b.signals, .events = POLLIN}, {.fd = b.fd, .events = POLLIN}};

		if (poll(fds, ELEMENTSOF(fds), timeout_ms(&b)) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			on_signal(&b);
		if (fds[1].revents && b.fd == fds[1].fd)
			on_order(&b);
		on_time(&b);
	}
	return b.status;
}
