/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rpc_head.c: gRPC frames in any pieces, header fields, time-outs and messages of any bytes */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rpc/frame.h"
#include "rpc/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static int feed(struct rpc_frame *f, const uint8_t *data, size_t size, size_t step)
{
	int r = 0;

	for (size_t at = 0; at < size && r == 0; at += step)
		r = rpc_frame_feed(f, data + at, size - at < step ? size - at : step);
	return r;
}

/* However the bytes are cut, the result is the same. */
static void fuzz_frame(const uint8_t *data, size_t size)
{
	struct rpc_frame a = RPC_FRAME_NULL, b = RPC_FRAME_NULL;
	struct rpc_status status;
	int r = feed(&a, data, size, size), q = feed(&b, data, size, 1 + size % 7);

	check(r == q);
	if (r < 0) {
		rpc_frame_status(&a, r, &status);
		check(status.code != RPC_OK && *status.text);
	} else {
		check(rpc_frame_end(&a) == rpc_frame_end(&b));
		check(rpc_frame_is_whole(&a) == (rpc_frame_end(&a) == 0));
		check(a.body.len == b.body.len && a.body.len <= RPC_MESSAGE_MAX);
		check(a.body.len == 0 || memcmp(a.body.data, b.body.data, a.body.len) == 0);
	}
	rpc_frame_done(&a);
	rpc_frame_done(&b);
}

/* Fields as a length of the name, a length of the value, and both. */
static void fuzz_fields(const uint8_t *data, size_t size)
{
	struct rpc_head h = {0};
	struct rpc_status status;
	unsigned http;

	while (size > 2) {
		struct rpc_field f = {.n_name = data[0], .n_value = data[1]};

		data += 2;
		size -= 2;
		if (f.n_name > size)
			f.n_name = size;
		f.name = (const char *)data;
		data += f.n_name;
		size -= f.n_name;
		if (f.n_value > size)
			f.n_value = size;
		f.value = (const char *)data;
		data += f.n_value;
		size -= f.n_value;
		rpc_head_add(&h, &f);
	}
	rpc_head_end(&h);
	check(strlen(h.path) < RPC_PATH_MAX);
	if (h.is_malformed)
		return;
	if (!rpc_head_check(&h, &status, &http))
		check(status.code != RPC_OK && http >= 200);
	rpc_head_unknown(&h, size & 1, &status);
	check(status.code == RPC_UNIMPLEMENTED);
}

static void fuzz_text(const uint8_t *data, size_t size)
{
	char text[512], wire[2048], back[512];
	uint64_t ns, again;
	char timeout[12];
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1, len;
	uint32_t rune;
	int valid = 1;

	memcpy(text, data, n);
	text[n] = '\0';
	len = rpc_text_encode(wire, sizeof(wire), text);
	for (size_t i = 0; i < len; i++)
		check(wire[i] >= 0x20 && wire[i] <= 0x7e);
	rpc_text_decode(back, sizeof(back), wire, len);
	for (size_t i = 0, step; text[i]; i += step) {
		step = str_utf8_next(text + i, 4, &rune);
		valid = valid && step > 0;
		step = step ? step : 1;
	}
	check(!valid || streq(text, back));
	rpc_text_decode(back, sizeof(back), (const char *)data, size);
	if (rpc_timeout_parse((const char *)data, size, &ns) == 0) {
		(void)rpc_timeout_format(ns, timeout);
		check(rpc_timeout_parse(timeout, strlen(timeout), &again) == 0);
		check(again >= ns || ns == UINT64_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_frame(data + 1, size - 1);
		break;
	case 1:
		fuzz_fields(data + 1, size - 1);
		break;
	default:
		fuzz_text(data + 1, size - 1);
	}
	return 0;
}
