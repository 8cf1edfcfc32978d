/* SPDX-License-Identifier: Apache-2.0 */
/* sig.c: a signal as an event source */
#include "event/loop.h"

#include <errno.h>
#include <signal.h>

/* Before descriptors: a flood of requests must not delay the end of the process. */
#define SIG_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)

struct sig {
	sd_event_source *source;
	sig_fn fn;
	void *userdata;
};

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	struct sig *sig = userdata;

	(void)s;
	sig->fn(sig, (int)si->ssi_signo, sig->userdata);
	return 0;
}

/* Stays blocked after sig_free(): one that is still pending would end the process then. */
static int sig_block(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	if (sigaddset(&set, signo) < 0)
		return -errno;
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int sig_new(struct sig **ret, struct loop *l, int signo, sig_fn fn, void *userdata)
{
	struct sig *s = malloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct sig){.fn = fn, .userdata = userdata};
	r = sig_block(signo);
	if (r >= 0)
		r = sd_event_add_signal(loop_sd(l), &s->source, signo, on_signal, s);
	if (r >= 0)
		r = sd_event_source_set_priority(s->source, SIG_PRIORITY);
	if (r < 0) {
		sig_free(s);
		return r;
	}
	sd_event_source_set_description(s->source, "signal");
	*ret = s;
	return 0;
}

struct sig *sig_free(struct sig *s)
{
	if (!s)
		return NULL;
	sd_event_source_disable_unref(s->source);
	free(s);
	return NULL;
}
