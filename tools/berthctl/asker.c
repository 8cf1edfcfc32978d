/* SPDX-License-Identifier: Apache-2.0 */
/* asker.c: one request, one connection */
#include "tools/berthctl/asker.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/buf.h"
#include "base/str.h"
#include "data/decode.h"

#define CONNECT_SECONDS 3
#define ANSWER_SECONDS 60

struct asking {
	CURL *easy;
	struct buf body;
	asker_line_fn fn;
	void *userdata;
	int result; /* of fn, or why the body could not be taken */
};

static long status_of(CURL *easy)
{
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Whole lines go to fn. */
static int give_lines(struct asking *q)
{
	char *end;
	int r = 0;

	while (r >= 0 && q->body.len > 0 && (end = memchr(q->body.data, '\n', q->body.len))) {
		*end = '\0';
		r = q->fn(q->body.data, q->userdata);
		buf_consume(&q->body, (size_t)(end - q->body.data) + 1);
	}
	return r < 0 ? r : 0;
}

static size_t on_data(char *data, size_t one, size_t n, void *userdata)
{
	struct asking *q = userdata;

	q->result = buf_append(&q->body, data, one * n);
	if (q->result == 0 && q->fn && status_of(q->easy) == 200)
		q->result = give_lines(q);
	return q->result < 0 ? 0 : one * n;
}

static CURL *prepare(struct asking *q, const char *socket, const char *path, const char *body)
{
	char url[512];
	CURL *c = curl_easy_init();

	if (!c || str_format(url, sizeof(url), "http://berth%s", path) < 0)
		return c;
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
	(void)curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, q);
	if (body) {
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	}
	if (!q->fn)
		(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)ANSWER_SECONDS);
	return c;
}

/* What to do about it is the most useful thing to say. */
static int unreachable(CURL *easy, CURLcode code, const char *socket, struct err *e)
{
	long number = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
	if (code != CURLE_COULDNT_CONNECT)
		return err_set(e, EIO, "the agent at %s: %s", socket, curl_easy_strerror(code));
	if (number == EACCES)
		return err_sys(e, EACCES,
			"cannot reach the agent at %s (be root, or a member of its adminGroup)",
			socket);
	return err_sys(e, number ? (int)number : ECONNREFUSED,
		"cannot reach the agent at %s (is berth-agent running on this node?)", socket);
}

/* 0 with an answer in q->body, whatever its status. */
static int perform(
	struct asking *q, const char *socket, const char *path, const char *body, struct err *e)
{
	CURLcode code;
	int r = 0;

	q->easy = prepare(q, socket, path, body);
	if (!q->easy)
		return err_sys(e, ENOMEM, "cannot ask");
	code = curl_easy_perform(q->easy);
	if (q->result < 0 && code == CURLE_WRITE_ERROR)
		r = q->fn ? q->result : err_sys(e, q->result, "the agent's answer");
	else if (code != CURLE_OK && !(q->fn && status_of(q->easy) == 200))
		r = unreachable(q->easy, code, socket, e);
	return r;
}

int asker_ask(const char *socket, const char *path, const char *body, long *ret_status,
	json_t **ret, struct err *e)
{
	struct asking q = {.body = BUF_NULL(ASKER_ANSWER_MAX)};
	int r = perform(&q, socket, path, body, e);

	if (r == 0) {
		*ret_status = status_of(q.easy);
		r = data_json_load(str_or(q.body.data, ""), q.body.len, ret, e);
		if (r < 0)
			r = err_prefix(e, "the agent's answer at %s", socket);
	}
	curl_easy_cleanup(q.easy);
	buf_done(&q.body);
	return r;
}

int asker_follow(
	const char *socket, const char *path, asker_line_fn fn, void *userdata, struct err *e)
{
	struct asking q = {.body = BUF_NULL(ASKER_ANSWER_MAX), .fn = fn, .userdata = userdata};
	_cleanup_json_ json_t *error = NULL;
	int r = perform(&q, socket, path, NULL, e);

	if (r == 0 && status_of(q.easy) != 200) {
		(void)data_json_load(str_or(q.body.data, ""), q.body.len, &error, NULL);
		r = err_set(e, EPROTO, "%s",
			str_or(json_string_at(error, "message", NULL), "no answer to that"));
	}
	curl_easy_cleanup(q.easy);
	buf_done(&q.body);
	return r;
}
