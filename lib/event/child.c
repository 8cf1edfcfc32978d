/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: the end of a child process as an event source */
#include "event/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct child {
	sd_event_source *source;
	child_fn fn;
	void *userdata;
};

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct child *c = userdata;

	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	/* sd-event reaps after this, from a source it keeps even where fn frees ours. */
	c->fn(c, si->si_code, si->si_status, c->userdata);
	return 0;
}

/* sd-event insists on it, pidfd or not. */
static int sigchld_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int child_new(struct child **ret, struct loop *l, pid_t pid, child_fn fn, void *userdata)
{
	struct child *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct child){.fn = fn, .userdata = userdata};
	r = sigchld_block();
	if (r >= 0)
		r = sd_event_add_child(loop_sd(l), &c->source, pid, WEXITED, on_child, c);
	/* Not once, as is its default: a pidfd may be ready a moment before the child can be waited
	 * for (seen on Linux 6.18), and sd-event would have used its one event up. Off and on, else
	 * epoll is not told. */
	if (r >= 0)
		r = sd_event_source_set_enabled(c->source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->source, SD_EVENT_ON);
	if (r < 0) {
		child_free(c);
		return r;
	}
	sd_event_source_set_description(c->source, "child");
	*ret = c;
	return 0;
}

struct child *child_free(struct child *c)
{
	if (!c)
		return NULL;
	sd_event_source_disable_unref(c->source);
	free(c);
	return NULL;
}
