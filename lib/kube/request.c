/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: a request's memory, and how a handle is told about it */
#include "kube/request.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"

#define TIMEOUT_DEFAULT SECONDS(30)
/* A list's page without a byte for so long is given up. */
#define IDLE_LIST_S 30L
/* etcd takes 1.5 MiB at most. */
#define BODY_MAX (3U << 20)

static const char *method_text(enum kube_method m)
{
	switch (m) {
	case KUBE_GET:
		return "GET";
	case KUBE_POST:
		return "POST";
	case KUBE_PUT:
		return "PUT";
	case KUBE_DELETE:
		return "DELETE";
	case KUBE_PATCH_MERGE:
	case KUBE_PATCH_JSON:
	case KUBE_PATCH_STRATEGIC:
		return "PATCH";
	}
	return "GET";
}

static int request_alloc(struct kube_request **ret, const struct kube_request_spec *s)
{
	size_t path_size = strlen(s->path) + 1, body_size = s->body ? s->body_size : 0;
	struct kube_request *q;

	if (body_size > BODY_MAX)
		return -E2BIG;
	q = malloc(sizeof(*q) + path_size + body_size);
	if (!q)
		return -ENOMEM;
	*q = (struct kube_request){.method = s->method,
		.once = s->once,
		.body_size = body_size,
		.queued_at = clock_now()};
	list_init(&q->link);
	q->deadline = q->queued_at + (s->timeout_ns ? s->timeout_ns : TIMEOUT_DEFAULT);
	memcpy(q->text, s->path, path_size);
	if (s->body) {
		memcpy(q->text + path_size, s->body, body_size);
		q->body = q->text + path_size;
	}
	*ret = q;
	return 0;
}

int request_new(struct kube_request **ret, const struct kube_request_spec *s)
{
	_cleanup_json_ json_t *json = s->json;
	_cleanup_free_ char *text = NULL;
	struct kube_request_spec with_text = *s;
	int r;

	if (!json)
		return request_alloc(ret, s);
	r = data_json_dump(json, &text, &with_text.body_size);
	if (r < 0)
		return r;
	with_text.body = text;
	return request_alloc(ret, &with_text);
}

void request_gone(void *owner)
{
	struct kube_request *q = owner;

	headers_unref(q->headers);
	free(q);
}

void request_free(struct kube_request *q)
{
	list_remove(&q->link);
	if (!transfer_drop(q->t))
		request_gone(q);
}

static void setup_body(const struct kube_request *q)
{
	CURL *easy = q->t->easy;

	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (q->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_size);
	} else if (q->method == KUBE_POST) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
		q->method == KUBE_GET || q->method == KUBE_POST ? NULL : method_text(q->method));
}

static void setup_time(const struct kube_request *q, uint64_t now)
{
	bool list = q->data && !q->watch;
	long ms = 0;

	if (!q->watch)
		ms = q->deadline > now ? (long)((q->deadline - now) / NSEC_PER_MSEC) + 1 : 1;
	curl_easy_setopt(q->t->easy, CURLOPT_TIMEOUT_MS, ms);
	curl_easy_setopt(q->t->easy, CURLOPT_LOW_SPEED_LIMIT, list ? 1L : 0L);
	curl_easy_setopt(q->t->easy, CURLOPT_LOW_SPEED_TIME, list ? IDLE_LIST_S : 0L);
}

int request_setup(struct kube_request *q, const char *base, struct buf *scratch)
{
	CURL *easy = q->t->easy;
	CURLcode code;
	int r;

	buf_reset(scratch);
	r = buf_printf(scratch, "%s%s", base, q->text);
	if (r < 0)
		return r;
	code = curl_easy_setopt(easy, CURLOPT_URL, scratch->data);
	if (code != CURLE_OK)
		return -ENOMEM;
	setup_body(q);
	setup_time(q, clock_now());
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, q->headers->list[q->method]);
	/* A watch is never compressed (contracts.md 5.7), and inflating it would hold lines back.
	 */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, q->watch ? NULL : "gzip");
	return 0;
}

int kube_escape(char *dst, size_t size, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t used = 0;

	if (size == 0)
		return -ENAMETOOLONG;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool plain = (c < 0x80 && isalnum(c)) || strchr("-._~", c);

		if (size - used <= (plain ? 1 : 3))
			return -ENAMETOOLONG;
		if (plain) {
			dst[used++] = (char)c;
			continue;
		}
		dst[used++] = '%';
		dst[used++] = hex[c >> 4];
		dst[used++] = hex[c & 15];
	}
	dst[used] = '\0';
	return 0;
}
