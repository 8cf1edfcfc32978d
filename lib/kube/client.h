/* SPDX-License-Identifier: Apache-2.0 */
/* client.h: requests to the Kubernetes API server: many in flight, limited, retried as client-go
 * does */
#ifndef BERTH_KUBE_CLIENT_H
#define BERTH_KUBE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"
#include "kube/config.h"

/* What an answer means (contracts.md 5.3); the same HTTP code is told apart by its reason. */
enum kube_status {
	KUBE_OK,
	KUBE_E_BAD_REQUEST,
	KUBE_E_UNAUTHORIZED,
	KUBE_E_FORBIDDEN,
	KUBE_E_NOT_FOUND,
	KUBE_E_EXISTS,   /* 409 AlreadyExists */
	KUBE_E_CONFLICT, /* 409 otherwise */
	KUBE_E_GONE,     /* 410 */
	KUBE_E_INVALID,  /* 422 */
	KUBE_E_BUSY,     /* 429 after all retries */
	KUBE_E_SERVER,   /* 5xx and anything else that is no answer of the API */
	KUBE_E_TRANSPORT /* no answer, or none that can be trusted: the outcome of a write is
			    unknown */
};

struct kube_response {
	enum kube_status status;
	long http;      /* 0 without an answer */
	struct err err; /* status != KUBE_OK: the server's message, or why there was no answer */
	json_t *object; /* the body if it was JSON (borrowed), else NULL */
	uint64_t retry_after_ns; /* 0 if not told */
};

/* config is borrowed and must outlive the client. Legal to free in any callback. */
struct kube_client;
struct kube_options {
	const char *user_agent;   /* "berth-provisioner/0.1.0" */
	double qps;               /* token bucket over everything but watches; 0 = 2,000 */
	double burst;             /* 0 = 4,000 */
	unsigned max_in_flight;   /* 0 = 128; more wait in order */
	unsigned max_connections; /* HTTP/1.1 servers only; 0 = 32 */
	bool http1;               /* never HTTP/2: a connection of its own for each request */
	uint64_t second_ns;       /* what a second of back-off lasts, for tests; 0 = 1 s */
};
int kube_client_new(struct kube_client **ret, struct loop *l, const struct kube_config *c,
	const struct kube_options *o, struct err *e);
/* After everything that uses it; requests still running end without a callback. */
struct kube_client *kube_client_free(struct kube_client *c);
DEFINE_CLEANUP(struct kube_client *, kube_client_free)

enum kube_method {
	KUBE_GET,
	KUBE_POST,
	KUBE_PUT,
	KUBE_DELETE,
	KUBE_PATCH_MERGE,
	KUBE_PATCH_JSON,
	KUBE_PATCH_STRATEGIC
};

struct kube_request_spec {
	enum kube_method method;
	const char *path; /* "/api/v1/persistentvolumes/x?fieldManager=berth", already escaped */
	const char *body; /* copied; NULL for none */
	size_t body_size;
	json_t *json;        /* instead of body; the reference is taken, whatever becomes of it */
	uint64_t timeout_ns; /* 0 = 30 s, the retries included */
	bool once;           /* no retry by the client (leader election) */
};

struct kube_request;
typedef void (*kube_fn)(struct kube_request *q, const struct kube_response *res, void *userdata);
/*
 * 429 and 5xx with Retry-After are retried up to 10 times for every verb, a broken connection for
 * GET only, 401 once after the token was read again (contracts.md 5.3). On HTTP/2 a write whose
 * stream was refused or lost before any answer is sent once more on another connection; a refusal
 * of that is told as KUBE_E_TRANSPORT. So no POST may use generateName. After 0 exactly one
 * callback, never before the return. ret may be NULL.
 */
int kube_request(struct kube_client *c, const struct kube_request_spec *s, kube_fn fn,
	void *userdata, struct kube_request **ret);
/* Forgets the callback. A write may still reach the server. */
void kube_request_cancel(struct kube_request *q);

/* The common case, a body from jansson (or NULL) and the defaults: like a function of that name. */
#define kube_request_json(client, m, request_path, body_json, fn, userdata, ret)     \
	kube_request((client),                                                       \
		&(struct kube_request_spec){                                         \
			.method = (m), .path = (request_path), .json = (body_json)}, \
		(fn), (userdata), (ret))

/* Percent-escapes one path or query component into dst; -ENAMETOOLONG. */
int kube_escape(char *dst, size_t size, const char *s);

struct kube_client_stats {
	uint64_t requests[7]; /* by enum kube_method, tries counted */
	uint64_t retries, errors, throttled;
	uint64_t wait_ns; /* time spent in the bucket's queue */
	unsigned in_flight, waiting;
};
void kube_client_stats(const struct kube_client *c, struct kube_client_stats *ret);
/* How far the server's clock is ahead of ours, by the last Date it sent: exact to a second and what
 * the answer took to come. False while none came. */
bool kube_client_clock(const struct kube_client *c, int64_t *ret_ahead_ns);
/* Why the last request got no answer, "" since one got one; valid until the next turn. */
const char *kube_client_trouble(const struct kube_client *c);
/* clock_now() of the last answer of any kind, 0 if none yet: for readiness. */
uint64_t kube_client_last_answer(const struct kube_client *c);

#endif
