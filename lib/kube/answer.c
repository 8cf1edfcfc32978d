/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c: what the end of a transfer means (contracts.md 5.3) */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "kube/request.h"

/* A server that asks for more than this is not waited for. */
#define RETRY_AFTER_MAX_S 3600

bool answer_broken(CURLcode code)
{
	switch ((int)code) {
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_SEND_FAIL_REWIND:
		return true;
	default:
		return false;
	}
}

static int errno_of(CURLcode code)
{
	if (answer_broken(code))
		return ECONNRESET;
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return EACCES;
	default:
		return EIO;
	}
}

/* 404 to 429 and the like; the reason tells the two kinds of 409 apart. */
static enum kube_status status_of(long http, const char *reason)
{
	switch (http) {
	case 400:
	case 415:
		return KUBE_E_BAD_REQUEST;
	case 401:
		return KUBE_E_UNAUTHORIZED;
	case 403:
		return KUBE_E_FORBIDDEN;
	case 404:
		return KUBE_E_NOT_FOUND;
	case 409:
		return streq_null(reason, "AlreadyExists") ? KUBE_E_EXISTS : KUBE_E_CONFLICT;
	case 410:
		return KUBE_E_GONE;
	case 422:
		return KUBE_E_INVALID;
	case 429:
		return KUBE_E_BUSY;
	default:
		return http >= 200 && http < 300 ? KUBE_OK : KUBE_E_SERVER;
	}
}

static int errno_of_status(enum kube_status s)
{
	switch (s) {
	case KUBE_OK:
		return 0;
	case KUBE_E_BAD_REQUEST:
	case KUBE_E_INVALID:
		return EINVAL;
	case KUBE_E_UNAUTHORIZED:
	case KUBE_E_FORBIDDEN:
		return EACCES;
	case KUBE_E_NOT_FOUND:
		return ENOENT;
	case KUBE_E_EXISTS:
		return EEXIST;
	case KUBE_E_CONFLICT:
		return ESTALE;
	case KUBE_E_GONE:
		return ESTALE;
	case KUBE_E_BUSY:
		return EAGAIN;
	case KUBE_E_SERVER:
		return EREMOTEIO;
	case KUBE_E_TRANSPORT:
		return EIO;
	}
	return EIO;
}

static void read_retry_after(struct answer *a, CURL *easy)
{
	struct curl_header *h;
	uint64_t s;

	if (a->res.http != 429 && a->res.http < 500)
		return;
	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return;
	/* Dates are legal there and, as in client-go, not waited for. */
	if (parse_u64(h->value, 0, RETRY_AFTER_MAX_S, &s) < 0)
		return;
	a->retry_after = true;
	a->res.retry_after_ns = SECONDS(s);
}

/* RFC 9110: every answer of a server with a clock has one, in whole seconds. */
static void read_date(struct answer *a, const struct kube_request *q)
{
	struct curl_header *h;
	time_t seconds;

	/* A watch's answer began long ago. */
	if (q->data || curl_easy_header(q->t->easy, "Date", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return;
	seconds = curl_getdate(h->value, NULL);
	if (seconds > 0)
		a->date_ns = SECONDS((uint64_t)seconds);
}

static bool says_json(CURL *easy)
{
	const char *type = NULL;

	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
	return type && strncasecmp(type, "application/json", strlen("application/json")) == 0;
}

/* Proxies and servers that start up answer in other formats: those are told by their code. */
static void read_body(struct answer *a, const struct kube_request *q)
{
	const struct buf *b = &q->t->body;
	struct err e = ERR_NULL;

	if (b->len == 0)
		return;
	if (data_json_load(b->data, b->len, &a->body, &e) >= 0) {
		a->res.object = a->body;
		return;
	}
	if (a->res.http >= 300 || !says_json(q->t->easy))
		return;
	a->res.status = KUBE_E_SERVER;
	err_set(&a->res.err, EBADMSG, "the server's answer is no JSON: %s", e.text);
}

static void read_status(struct answer *a)
{
	const char *message;

	a->res.status = status_of(a->res.http, json_string_at(a->body, "reason", NULL));
	if (a->res.status == KUBE_OK)
		return;
	message = json_string_at(a->body, "message", NULL);
	if (str_empty(message))
		err_set(&a->res.err, errno_of_status(a->res.status), "HTTP status %ld",
			a->res.http);
	else
		err_set(&a->res.err, errno_of_status(a->res.status), "%s", message);
}

/*
 * A server that says goodbye (GOAWAY) refuses streams that curl then sends elsewhere, as it must.
 * But curl does the same where the connection just broke: then a refusal of the second sending may
 * be about what the first one did.
 */
static void doubt_refusal(struct answer *a, const struct kube_request *q)
{
	if (q->method == KUBE_GET || q->t->sendings < 2)
		return;
	switch (a->res.status) {
	case KUBE_E_NOT_FOUND:
	case KUBE_E_EXISTS:
	case KUBE_E_CONFLICT:
	case KUBE_E_INVALID:
		a->res.status = KUBE_E_TRANSPORT;
		err_prefix(&a->res.err, "sent twice, as a connection ended");
		break;
	case KUBE_OK:
	case KUBE_E_BAD_REQUEST:
	case KUBE_E_UNAUTHORIZED:
	case KUBE_E_FORBIDDEN:
	case KUBE_E_GONE:
	case KUBE_E_BUSY:
	case KUBE_E_SERVER:
	case KUBE_E_TRANSPORT:
		break;
	}
}

static void read_failure(struct answer *a, const struct kube_request *q, CURLcode code)
{
	const char *text = q->t && q->t->error[0] ? q->t->error : curl_easy_strerror(code);

	a->res.status = KUBE_E_TRANSPORT;
	if (q->data_error < 0)
		err_sys(&a->res.err, q->data_error, "the server's answer was not taken");
	else if (code == CURLE_ABORTED_BY_CALLBACK)
		err_set(&a->res.err, ECONNRESET, "the connection broke before an answer came");
	else
		err_set(&a->res.err, errno_of(code), "no answer from the API server: %s", text);
}

void answer_read(struct answer *a, const struct kube_request *q, CURLcode code)
{
	*a = (struct answer){.body = NULL};
	if (code != CURLE_OK) {
		read_failure(a, q, code);
		return;
	}
	curl_easy_getinfo(q->t->easy, CURLINFO_RESPONSE_CODE, &a->res.http);
	read_retry_after(a, q->t->easy);
	read_date(a, q);
	read_body(a, q);
	if (a->res.status == KUBE_OK)
		read_status(a);
	doubt_refusal(a, q);
}

void answer_done(struct answer *a)
{
	json_decref(a->body);
	a->body = NULL;
	a->res.object = NULL;
}
