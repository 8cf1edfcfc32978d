/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.h: curl's multi interface in the loop; a transfer is a reused easy handle (inside
 * lib/kube) */
#ifndef BERTH_KUBE_TRANSFER_H
#define BERTH_KUBE_TRANSFER_H

#include <curl/curl.h>

#include "base/buf.h"
#include "base/list.h"
#include "kube/client.h"

struct transfers;

/* What a transfer tells its owner. data runs while curl is at work, done outside of it. */
struct transfer_ops {
	/* Part of the body; a negative result ends the transfer with CURLE_WRITE_ERROR. */
	int (*data)(void *owner, const char *data, size_t n);
	void (*done)(void *owner, CURLcode code);
	/* Curl needs nothing of the owner's memory any more, after a transfer_drop() that said so.
	 */
	void (*gone)(void *owner);
};

struct transfer {
	CURL *easy;
	struct buf body; /* for the owner's use; empty at first */
	char error[CURL_ERROR_SIZE];
	unsigned sendings; /* how often curl began to send the request */
	/* Private to transfer.c. */
	struct transfers *all;
	struct list link;
	const struct transfer_ops *ops;
	void *owner;
	bool resend, running, dropped;
};

/* The limits of o apply to connections only. c is borrowed and must outlive the result. */
int transfers_new(struct transfers **ret, struct loop *l, const struct kube_config *c,
	const struct kube_options *o);
/* Legal in any callback; whatever runs ends without one. */
struct transfers *transfers_free(struct transfers *all);
DEFINE_CLEANUP(struct transfers *, transfers_free)

/* An idle handle with everything set that the configuration decides. NULL without memory. */
struct transfer *transfer_get(struct transfers *all);
/*
 * resend: whether curl may send the request again where an old connection ended before any answer,
 * or an HTTP/2 server refused the stream. Which of the two it was cannot be known.
 */
int transfer_start(struct transfer *t, const struct transfer_ops *ops, void *owner, bool resend);
/*
 * Stops it where it still runs, and keeps the handle for others. True where that must wait for curl
 * to return: then only gone() follows, and body and headers must live until then.
 */
bool transfer_drop(struct transfer *t);

#endif
