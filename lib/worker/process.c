/* SPDX-License-Identifier: Apache-2.0 */
/* process.c: one worker process with its socket, from fork to reaping */
#include "worker/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "event/stream.h"
#include "worker/spawn.h"

/* A frame that is being received and one read beyond it. */
#define IN_MAX (sizeof(struct frame_header) + FRAME_BODY_MAX + 65536)
/* Frames queued for a worker that does not read; the largest fits several times. */
#define OUT_MAX (4 * (sizeof(struct frame_header) + FRAME_BODY_MAX))
/* Between the socket's end and the process's: exiting takes microseconds, unless it only closed. */
#define END_GRACE MILLISECONDS(500)
/* What a worker told to stop may still do, such as saying goodbye to a server. */
#define STOP_GRACE SECONDS(2)
/* For all of an owner's workers together, which were sent SIGKILL. */
#define REAP_MAX SECONDS(1)

struct process {
	struct list link;
	pid_t pid; /* 0 where a spawner's */
	char *key; /* the same: what the spawner knows it by */
	const struct worker_options *how;
	struct child *child;
	struct stream *stream;
	struct timer *grace;
	const struct process_handler *handler;
	void *userdata;
	size_t *lingering;
	bool exited;   /* reaped, or about to be: its pid is no longer ours to signal */
	bool disposed; /* by the owner: waiting for the exit only */
	struct err why;
};

static void process_release(struct process *p)
{
	list_remove(&p->link);
	child_free(p->child);
	stream_free(p->stream);
	timer_free(p->grace);
	free(p->key);
	free(p);
}

static void process_reaped(struct process *p)
{
	if (p->lingering)
		(*p->lingering)--;
	process_release(p);
}

static void process_ended(struct process *p)
{
	timer_disarm(p->grace);
	p->handler->ended(p, &p->why, p->userdata);
}

static void on_read(struct stream *s, struct buf *in, void *userdata)
{
	struct process *p = userdata;

	(void)s;
	p->handler->read(p, in, p->userdata);
}

static void on_drained(struct stream *s, void *userdata)
{
	struct process *p = userdata;

	(void)s;
	p->handler->drained(p, p->userdata);
}

/* The end is reported when both the socket and the process are at theirs: the exit status is what
 * people want to read. */
static void on_closed(struct stream *s, int reason, void *userdata)
{
	struct process *p = userdata;

	p->stream = stream_free(s);
	if (p->exited) {
		process_ended(p);
		return;
	}
	if (reason == 0)
		err_set(&p->why, ECONNRESET, "worker closed its socket");
	else
		err_sys(&p->why, reason, "cannot talk to worker");
	timer_arm(p->grace, END_GRACE);
}

static void process_exited(struct process *p, const struct err *why)
{
	p->exited = true;
	if (p->disposed) {
		process_reaped(p);
		return;
	}
	err_copy(&p->why, why);
	/* What it wrote last may still be unread, and its socket open in a child of its own. */
	if (p->stream)
		timer_arm(p->grace, END_GRACE);
	else
		process_ended(p);
}

static void on_child_end(struct child *c, int code, int status, void *userdata)
{
	struct process *p = userdata;
	struct err why = ERR_NULL;

	(void)c;
	p->child = child_free(p->child);
	if (code == CLD_EXITED)
		err_set(&why, ECONNRESET, "worker exited with status %d", status);
	else
		err_set(&why, ECONNRESET, "worker was killed by signal %d (%s)", status,
			strsignal(status));
	process_exited(p, &why);
}

void process_end_external(struct list *all, const char *key, pid_t pid, const struct err *why)
{
	struct process *found = NULL;

	LIST_FOREACH (all, it) {
		struct process *p = LIST_ENTRY(it, struct process, link);

		if (!p->key || p->exited || !streq(p->key, key))
			continue;
		found = p;
		if (pid > 0)
			break;
	}
	if (found)
		process_exited(found, why);
}

static void process_signal_kill(struct process *p)
{
	if (p->key)
		p->how->spawner->kill(p->key, p->how->spawner_userdata);
	else
		kill(p->pid, SIGKILL);
}

static void on_grace(struct timer *t, void *userdata)
{
	struct process *p = userdata;

	(void)t;
	if (!p->disposed)
		process_ended(p);
	else if (!p->exited)
		process_signal_kill(p);
}

static int process_prepare(struct process *p, const struct process_options *o, int *ret_child_fd)
{
	static const struct stream_handler handler = {
		.read = on_read, .drained = on_drained, .closed = on_closed};
	_cleanup_close_ int parent_fd = -1, child_fd = -1;
	int pair[2], r;

	r = timer_new_exact(&p->grace, o->loop, on_grace, p);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	parent_fd = pair[0];
	child_fd = pair[1];
	r = stream_new(&p->stream, o->loop, parent_fd,
		&(struct stream_options){.in_max = IN_MAX, .out_max = OUT_MAX}, &handler, p);
	if (r < 0)
		return r;
	TAKE_FD(parent_fd);
	*ret_child_fd = TAKE_FD(child_fd);
	return 0;
}

static int process_fork(struct process *p, const struct process_options *o)
{
	_cleanup_close_ int child_fd = -1;
	int r = process_prepare(p, o, &child_fd);

	if (r < 0)
		return r;
	if (o->how->spawner) {
		p->key = strdup(o->key);
		return p->key ? o->how->spawner->start(o->key, child_fd, o->how->spawner_userdata)
			      : -ENOMEM;
	}
	r = spawn(&p->pid, o->how->program, o->how->argv, child_fd);
	if (r < 0)
		return r;
	r = child_new(&p->child, o->loop, p->pid, on_child_end, p);
	if (r < 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	return r;
}

int process_start(struct process **ret, const struct process_options *o, struct err *e)
{
	struct process *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_sys(e, ENOMEM, "cannot start a worker");
	p->how = o->how;
	p->handler = o->handler;
	p->userdata = o->userdata;
	p->lingering = o->lingering;
	r = process_fork(p, o);
	if (r < 0) {
		process_release(p);
		return err_sys(e, r, "cannot start %s", str_or(o->how->program, "a worker"));
	}
	list_append(o->all, &p->link);
	*ret = p;
	return 0;
}

int process_write(struct process *p, const struct frame_header *h, const void *body)
{
	int r;

	if (!p->stream)
		return -ENOTCONN;
	r = frame_append(stream_out(p->stream), h, body);
	if (r < 0)
		return r;
	stream_send(p->stream);
	return 0;
}

static void process_dispose(struct process *p)
{
	p->disposed = true;
	p->stream = stream_free(p->stream);
	timer_disarm(p->grace);
	if (p->lingering)
		(*p->lingering)++;
}

bool process_kill(struct process *p)
{
	process_dispose(p);
	if (p->exited) {
		process_reaped(p);
		return false;
	}
	process_signal_kill(p);
	return true;
}

void process_stop(struct process *p)
{
	process_dispose(p);
	if (p->exited)
		process_reaped(p);
	else
		timer_arm(p->grace, STOP_GRACE);
}

void process_forget_count(struct process *p)
{
	p->lingering = NULL;
}

/* Reaps a killed child unless it takes until then, as one in uninterruptible sleep may. */
static void process_wait(pid_t pid, uint64_t until)
{
	uint64_t now = clock_now();
	_cleanup_close_ int fd = pidfd_open(pid, 0);
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	if (fd >= 0)
		poll(&ready, 1, until > now ? (int)((until - now) / NSEC_PER_MSEC) : 0);
	waitpid(pid, NULL, WNOHANG);
}

void process_free_all(struct list *all)
{
	uint64_t until = clock_now() + REAP_MAX;

	LIST_FOREACH (all, it) {
		struct process *p = LIST_ENTRY(it, struct process, link);

		if (!p->exited)
			process_signal_kill(p);
	}
	LIST_FOREACH (all, it) {
		struct process *p = LIST_ENTRY(it, struct process, link);

		p->child = child_free(p->child);
		/* A spawner's are its to reap. */
		if (!p->exited && !p->key)
			process_wait(p->pid, until);
		process_release(p);
	}
}
