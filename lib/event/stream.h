/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h: a buffered byte stream over a connected socket, with limits both ways */
#ifndef BERTH_EVENT_STREAM_H
#define BERTH_EVENT_STREAM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "event/loop.h"

struct stream;

struct stream_handler {
	/* Bytes were appended to in: consume what is whole, the rest stays. Ends with what makes
	 * the stream end: stream_free() is legal in every callback. */
	void (*read)(struct stream *s, struct buf *in, void *userdata);
	/* Everything queued was handed to the kernel; may be NULL. */
	void (*drained)(struct stream *s, void *userdata);
	/*
	 * Once, and no other callback after it: 0 when the peer closed its side, -ENOBUFS when
	 * read() left a full buffer, else the -errno of reading or writing. What came before was
	 * given to read(). Only stream_free() is left to do.
	 */
	void (*closed)(struct stream *s, int reason, void *userdata);
};

struct stream_options {
	size_t in_max;  /* bytes read but not consumed */
	size_t out_max; /* bytes queued but not sent */
};

/*
 * Takes the connected stream socket fd over (on success) and makes it non-blocking. No callback
 * before the return, none after stream_free(), which closes the socket.
 */
int stream_new(struct stream **ret, struct loop *l, int fd, const struct stream_options *o,
	const struct stream_handler *h, void *userdata);
struct stream *stream_free(struct stream *s);
DEFINE_CLEANUP(struct stream *, stream_free)

/*
 * Queues bytes; they are sent together at the end of the loop's turn. -ENOBUFS beyond out_max
 * (nothing queued), -ENOMEM, -ENOTCONN after closed().
 */
int stream_write(struct stream *s, const void *data, size_t n) _must_check_;
/* For writing in place: append here, then stream_send(). */
struct buf *stream_out(struct stream *s);
void stream_send(struct stream *s);
/* Sends now what the kernel takes of what is queued, without a callback: the last thing before
 * stream_free(). */
void stream_hurry(struct stream *s);
/* Bytes queued and not sent. */
size_t stream_pending(const struct stream *s);

/* Stops reading, for good: the peer has to wait, and is not seen to close. */
void stream_stop(struct stream *s);

#endif
