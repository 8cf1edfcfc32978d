/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c: the request headers, with a bearer token that is read again as it rotates */
#include "kube/auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Projected tokens are replaced at 80 % of their life; client-go reads once a minute. */
#define TOKEN_READ_S 60
/* Tokens are a few KiB; servers refuse headers above 1 MiB, most far below. */
#define TOKEN_MAX (64U << 10)

struct auth {
	const struct kube_config *config;
	struct headers *headers;
	char *token;
	uint64_t read_at;
	uint64_t second_ns;
	bool expired;
};

struct headers *headers_unref(struct headers *h)
{
	if (!h || --h->refs > 0)
		return NULL;
	for (size_t i = 0; i < ELEMENTSOF(h->list); i++)
		curl_slist_free_all(h->list[i]);
	free(h);
	return NULL;
}

static void headers_unrefp(struct headers **h)
{
	headers_unref(*h);
}

static const char *content_type(enum kube_method m)
{
	switch (m) {
	case KUBE_GET:
		break;
	case KUBE_POST:
	case KUBE_PUT:
	case KUBE_DELETE:
		return "Content-Type: application/json";
	case KUBE_PATCH_MERGE:
		return "Content-Type: application/merge-patch+json";
	case KUBE_PATCH_JSON:
		return "Content-Type: application/json-patch+json";
	case KUBE_PATCH_STRATEGIC:
		return "Content-Type: application/strategic-merge-patch+json";
	}
	return NULL;
}

static int header_add(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = line ? curl_slist_append(*list, line) : *list;

	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

static int headers_new(struct headers **ret, const char *token)
{
	_cleanup_(headers_unrefp) struct headers *h = calloc(1, sizeof(*h));
	_cleanup_free_ char *bearer = NULL;

	if (!h)
		return -ENOMEM;
	h->refs = 1;
	if (token && asprintf(&bearer, "Authorization: Bearer %s", token) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < ELEMENTSOF(h->list); i++) {
		/* curl would wait for a "100 Continue" before larger bodies. */
		if (header_add(&h->list[i], "Accept: application/json") < 0 ||
			header_add(&h->list[i], "Expect:") < 0)
			return -ENOMEM;
		if (content_type((enum kube_method)i) &&
			header_add(&h->list[i], content_type((enum kube_method)i)) < 0)
			return -ENOMEM;
		if (bearer && header_add(&h->list[i], bearer) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(h);
	return 0;
}

/* Cuts white space off both ends; what is left may hold none and no control byte, or it could add
 * headers. */
static int token_clean(struct buf *b, const char **ret)
{
	char *s = b->data ? b->data : NULL;

	if (!s)
		return -ENODATA;
	while (b->len > 0 && strchr(" \t\r\n", s[b->len - 1]))
		s[--b->len] = '\0';
	s += strspn(s, " \t\r\n");
	if (!*s)
		return -ENODATA;
	for (const char *p = s; p < b->data + b->len; p++)
		if (*p <= ' ' || *p > '~')
			return -EINVAL;
	*ret = s;
	return 0;
}

static int token_use(struct auth *a, const char *token)
{
	struct headers *h;
	int r;

	if (a->headers && streq_null(a->token, token))
		return 0;
	r = headers_new(&h, token);
	if (r < 0)
		return r;
	r = str_replace(&a->token, token);
	if (r < 0) {
		headers_unref(h);
		return r;
	}
	headers_unref(a->headers);
	a->headers = h;
	return 0;
}

static int token_read(struct auth *a, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_NULL(TOKEN_MAX);
	const char *token;
	int r = file_read(a->config->token_file, &b, e);

	if (r < 0)
		return r;
	r = token_clean(&b, &token);
	if (r < 0)
		return err_set(e, r, "%s holds no bearer token", a->config->token_file);
	r = token_use(a, token);
	return r < 0 ? err_sys(e, r, "cannot use the bearer token") : 0;
}

struct headers *auth_headers(struct auth *a)
{
	uint64_t now = clock_now();
	struct err e = ERR_NULL;

	if (a->config->token_file &&
		(a->expired || now - a->read_at >= TOKEN_READ_S * a->second_ns)) {
		a->read_at = now;
		a->expired = false;
		if (token_read(a, &e) < 0)
			log_warning("The old token stays in use: %s", e.text);
	}
	a->headers->refs++;
	return a->headers;
}

bool auth_expire(struct auth *a)
{
	a->expired = a->config->token_file;
	return a->expired;
}

int auth_new(struct auth **ret, const struct kube_config *c, uint64_t second_ns, struct err *e)
{
	_cleanup_(auth_freep) struct auth *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_sys(e, ENOMEM, "cannot prepare requests");
	a->config = c;
	a->second_ns = second_ns;
	a->read_at = clock_now();
	if (c->token_file)
		r = token_read(a, e);
	else
		r = token_use(a, str_empty(c->token) ? NULL : c->token);
	if (r < 0)
		return c->token_file ? r : err_sys(e, r, "cannot prepare requests");
	*ret = TAKE_PTR(a);
	return 0;
}

struct auth *auth_free(struct auth *a)
{
	if (!a)
		return NULL;
	headers_unref(a->headers);
	/* A secret: not left in freed memory. */
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	free(a);
	return NULL;
}
