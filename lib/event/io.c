/* SPDX-License-Identifier: Apache-2.0 */
/* io.c: a descriptor as an event source */
#include "event/loop.h"

#include <errno.h>

struct io {
	sd_event_source *source;
	io_fn fn;
	void *userdata;
};

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct io *io = userdata;

	(void)s;
	io->fn(io, fd, revents, io->userdata);
	return 0;
}

int io_new(struct io **ret, struct loop *l, int fd, uint32_t events, io_fn fn, void *userdata)
{
	struct io *io = malloc(sizeof(*io));
	int r;

	if (!io)
		return -ENOMEM;
	*io = (struct io){.fn = fn, .userdata = userdata};
	r = sd_event_add_io(loop_sd(l), &io->source, fd, events, on_io, io);
	if (r >= 0 && events == 0)
		r = sd_event_source_set_enabled(io->source, SD_EVENT_OFF);
	if (r < 0) {
		io_free(io);
		return r;
	}
	sd_event_source_set_description(io->source, "io");
	*ret = io;
	return 0;
}

void io_set_events(struct io *io, uint32_t events)
{
	/* epoll reports EPOLLHUP and EPOLLERR even where nothing was asked for: a source that waits
	 * for nothing is off, or a dead peer would keep the loop spinning. */
	if (events == 0) {
		sd_event_source_set_enabled(io->source, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_io_events(io->source, events);
	sd_event_source_set_enabled(io->source, SD_EVENT_ON);
}

struct io *io_free(struct io *io)
{
	if (!io)
		return NULL;
	sd_event_source_disable_unref(io->source);
	free(io);
	return NULL;
}
