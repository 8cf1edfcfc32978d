/* SPDX-License-Identifier: Apache-2.0 */
/* request.h: requests from the inside, and answers taken as they stream in (inside lib/kube) */
#ifndef BERTH_KUBE_REQUEST_H
#define BERTH_KUBE_REQUEST_H

#include "base/list.h"
#include "kube/auth.h"
#include "kube/client.h"
#include "kube/transfer.h"

/* A GET whose 2xx body goes to data() piece by piece; other answers are read as always. */
struct kube_stream_spec {
	const char *path;
	/* A negative result ends the stream with KUBE_E_TRANSPORT and that code. */
	int (*data)(void *userdata, const char *data, size_t n);
	/* A watch: no limits, no deadline, no second try but after 401. A list: in the bucket and
	 * among max_in_flight, ended where no byte came for 30 s, tried again until the first. */
	bool watch;
};
/* fn is called once at the end with object NULL for a 2xx answer. */
int kube_stream(struct kube_client *c, const struct kube_stream_spec *s, kube_fn fn, void *userdata,
	struct kube_request **ret);
/* Whether the server has answered at all; its first bytes may come much later. */
bool kube_request_answered(const struct kube_request *q);

/* Within a kube_fn: clock_now() when its request was first sent; else 0. */
uint64_t kube_client_sent_at(const struct kube_client *c);
/* What a second of back-off lasts. */
uint64_t kube_client_second(const struct kube_client *c);
struct loop *kube_client_loop(const struct kube_client *c);

/* The rest is shared by client.c, request.c and answer.c. */

/* Which of its client's lists a request is in. */
enum request_place {
	REQUEST_NOWHERE,
	REQUEST_WAITING,  /* for its turn */
	REQUEST_RUNNING,  /* one of max_in_flight */
	REQUEST_WATCHING, /* outside of all limits */
	REQUEST_RETRYING, /* until its due time */
	REQUEST_FAILED,   /* could not be started: told at the next turn */
	_REQUEST_PLACE_MAX
};

struct kube_request {
	struct list link;
	enum request_place place;
	struct kube_client *c;
	struct transfer *t;
	struct headers *headers;
	kube_fn fn;
	void *userdata;
	int (*data)(void *userdata, const char *data, size_t n);
	uint64_t queued_at, sent_at, due, deadline;
	size_t body_size;
	const char *body; /* in text */
	int data_error;
	enum kube_method method;
	uint8_t tries;
	bool once, watch, delivered, reauthorized, answering;
	char text[]; /* path, body */
};

/* A decoded answer that owns its tree. */
struct answer {
	struct kube_response res;
	json_t *body;
	bool retry_after; /* the server told one, perhaps 0 */
	uint64_t date_ns; /* the server's clock, 0 if not told */
};
/* code: how the transfer ended. A list's or watch's 2xx body was taken already. */
void answer_read(struct answer *a, const struct kube_request *q, CURLcode code);
void answer_done(struct answer *a);
/* Whether curl's code says that the connection broke, as opposed to never having been made. */
bool answer_broken(CURLcode code);

/* Method, address, body and headers into q->t. */
int request_setup(struct kube_request *q, const char *base, struct buf *scratch);
int request_new(struct kube_request **ret, const struct kube_request_spec *s);
/* Frees it and gives its handle back; its memory lives until curl is done with it. */
void request_free(struct kube_request *q);
void request_gone(void *q);

#endif
