/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_large.c: answers that are larger than any may be, packed ones too */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "kube_world.h"

/* A request whose answer has begun. */
static void ask(struct kube_world *w, const char *headers, const char *begin)
{
	const struct fake_answer a = {.match = "/x",
		.status = 500,
		.headers = headers,
		.body = begin,
		.how = FAKE_STREAM};

	fakeapi_answer(w->api, &a);
	kube_request(w->client, &(struct kube_request_spec){.path = "/x"}, kube_world_on_answer, w,
		NULL);
	fake_pass(w->loop, 20);
}

static void large_answers_are_refused(void **state)
{
	struct kube_world *w = *state;
	static char big[65U << 20];

	memset(big, ' ', sizeof(big) - 1);
	ask(w, NULL, "{}");
	for (size_t i = 0; i < sizeof(big) && w->answers == 0; i += 32768) {
		fakeapi_push(w->api, big + i, 32768);
		fake_pass(w->loop, 1);
	}
	assert_true(kube_world_answers(w, 1));
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
}

struct bits {
	uint8_t *at;
	unsigned n; /* in *at */
};

static void put_bits(struct bits *b, unsigned code, unsigned n)
{
	while (n-- > 0) {
		*b->at = (uint8_t)(*b->at | ((code >> n & 1) << b->n));
		b->n = (b->n + 1) % 8;
		b->at += b->n == 0;
	}
}

/* gzip of one space and so many times 258 more (RFC 1951, fixed codes), 13 bits each, without its
 * end. */
static size_t put_bomb(uint8_t *dst, size_t times)
{
	static const uint8_t head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
	struct bits b = {.at = dst + sizeof(head)};

	memcpy(dst, head, sizeof(head));
	put_bits(&b, 6, 3);
	put_bits(&b, 0x30 + ' ', 8);
	for (size_t i = 0; i < times; i++)
		put_bits(&b, 0xc5 << 5, 13);
	return (size_t)(b.at - dst);
}

/* What counts is what comes out of it: 430 kB are 65 MiB here. */
static void packed_answers_are_refused_by_their_size(void **state)
{
	struct kube_world *w = *state;
	static uint8_t bomb[512U << 10];
	size_t size = put_bomb(bomb, (65U << 20) / 258), sent = 2;

	ask(w, "Content-Encoding: gzip\r\n", "\x1f\x8b");
	for (; sent + 4096 <= size && w->answers == 0; sent += 4096) {
		fakeapi_push(w->api, (const char *)bomb + sent, 4096);
		fake_pass(w->loop, 1);
	}
	assert_true(kube_world_answers(w, 1));
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	assert_non_null(strstr(w->text, strerror(ENOBUFS)));
	/* Not for the first bytes of it: it was read. */
	assert_true(sent > 65536);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kube_world_setup, kube_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(large_answers_are_refused),
		T(packed_answers_are_refused_by_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
