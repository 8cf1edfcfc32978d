/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.c: tells that a mount table has changed, no more often than reading it is cheap */
#include "mount/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fd.h"

/* How much later than need be a run may be, so that it falls together with other timers. */
#define SLACK_NS MILLISECONDS(20)

struct mount_monitor {
	int fd;
	struct io *io; /* off while the timer is armed: what happens then is seen when it is on
			  again */
	struct timer *timer;
	mount_monitor_fn fn;
	void *userdata;
	uint64_t due; /* no run before */
	struct mount_monitor_stats stats;
	bool *gone; /* set where fn is running and frees us */
};

static uint64_t interval(uint64_t took)
{
	const uint64_t least = MILLISECONDS(MOUNT_MONITOR_INTERVAL_MS);
	const uint64_t most = MILLISECONDS(MOUNT_MONITOR_INTERVAL_MAX_MS);

	if (took > most / MOUNT_MONITOR_COST)
		return most;
	return took * MOUNT_MONITOR_COST > least ? took * MOUNT_MONITOR_COST : least;
}

static void run(struct mount_monitor *m)
{
	uint64_t began = clock_now(), ended;
	bool gone = false;

	/* On before fn reads: a change while it reads is told again. */
	io_set_events(m->io, EPOLLPRI);
	m->gone = &gone;
	m->fn(m, m->userdata);
	if (gone)
		return;
	m->gone = NULL;
	ended = clock_now();
	m->stats.runs++;
	m->stats.last_run_ns = ended - began;
	m->due = ended + interval(ended - began);
}

static void run_later(struct mount_monitor *m)
{
	uint64_t now = clock_now();

	io_set_events(m->io, 0);
	timer_arm(m->timer, m->due > now ? m->due - now : 0);
}

static void on_change(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct mount_monitor *m = userdata;

	(void)io;
	(void)fd;
	(void)revents;
	m->stats.wakeups++;
	if (clock_now() >= m->due)
		run(m);
	else
		run_later(m);
}

static void on_timer(struct timer *t, void *userdata)
{
	struct mount_monitor *m = userdata;

	(void)t;
	if (clock_now() >= m->due)
		run(m);
	else
		run_later(m);
}

struct mount_monitor *mount_monitor_free(struct mount_monitor *m)
{
	if (!m)
		return NULL;
	if (m->gone)
		*m->gone = true;
	timer_free(m->timer);
	io_free(m->io);
	fd_close(m->fd);
	free(m);
	return NULL;
}

int mount_monitor_new(struct mount_monitor **ret, struct loop *l, const char *path,
	mount_monitor_fn fn, void *userdata, struct err *e)
{
	_cleanup_(mount_monitor_freep) struct mount_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_sys(e, ENOMEM, "cannot watch %s", path);
	m->fn = fn;
	m->userdata = userdata;
	m->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (m->fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	r = io_new(&m->io, l, m->fd, EPOLLPRI, on_change, m);
	if (r == 0)
		r = timer_new_lazy(&m->timer, l, SLACK_NS, on_timer, m);
	if (r < 0)
		return err_sys(e, r, "cannot watch %s", path);
	run_later(m);
	*ret = TAKE_PTR(m);
	return 0;
}

void mount_monitor_poke(struct mount_monitor *m)
{
	if (!timer_armed(m->timer))
		run_later(m);
}

void mount_monitor_stats(const struct mount_monitor *m, struct mount_monitor_stats *ret)
{
	*ret = m->stats;
}
