/* SPDX-License-Identifier: Apache-2.0 */
/* fakeapi.h: a scripted HTTP server in the test's own loop: each request gets the next answer that
 * was prepared for it */
#ifndef BERTH_TESTS_FAKEAPI_H
#define BERTH_TESTS_FAKEAPI_H

#include <stdbool.h>
#include <stddef.h>

#include "event/loop.h"

enum fake_how {
	FAKE_WHOLE,  /* with its length, the connection stays */
	FAKE_STREAM, /* in chunks, open: see fakeapi_push() */
	FAKE_ENDED,  /* in chunks, and the end of them */
	FAKE_CUT,    /* in chunks, then the connection closes without their end */
	FAKE_RESET,  /* in chunks, then RST */
	FAKE_DROP,   /* no byte: the connection closes */
	FAKE_RST,    /* no byte: RST */
	FAKE_SILENT  /* no byte, for ever */
};

/* Texts are borrowed for the server's life. */
struct fake_answer {
	const char *match;   /* part of "METHOD /path?query" */
	int status;          /* 0 = 200 */
	const char *headers; /* more of them, "A: b\r\n"; NULL for none */
	const char *body;    /* NULL for none */
	enum fake_how how;
	bool repeat; /* serves all later requests too */
};

struct fake_request {
	char line[1024]; /* "GET /api/v1/x?y=z" */
	char head[2048];
	char body[4096];
	unsigned connection; /* its number, from 1 */
};

struct fakeapi;
struct fakeapi *fakeapi_new(struct loop *l);
void fakeapi_free(struct fakeapi *f);
const char *fakeapi_url(const struct fakeapi *f);
/* Answers to requests that match are given in the order of these calls. */
void fakeapi_answer(struct fakeapi *f, const struct fake_answer *a);
unsigned fakeapi_requests(const struct fakeapi *f);
const struct fake_request *fakeapi_request(const struct fakeapi *f, unsigned i);
/* Requests seen whose line holds match. */
unsigned fakeapi_count(const struct fakeapi *f, const char *match);
/* Requests that no answer was left for (they got 500). */
unsigned fakeapi_unexpected(const struct fakeapi *f);
unsigned fakeapi_connections(const struct fakeapi *f);
/* More of the stream that was opened last; its end as if by FAKE_ENDED, FAKE_CUT or FAKE_RESET. */
void fakeapi_push(struct fakeapi *f, const char *data, size_t n);
void fakeapi_end(struct fakeapi *f, enum fake_how how);
/* Stops listening; open connections stay. */
void fakeapi_refuse(struct fakeapi *f);

/* Runs the loop until done() says so; false after ms milliseconds. */
bool fake_run(struct loop *l, bool (*done)(void *userdata), void *userdata, unsigned ms);
/* Runs the loop for so long. */
void fake_pass(struct loop *l, unsigned ms);

#endif
