/* SPDX-License-Identifier: Apache-2.0 */
/* id.h: identifiers: UUIDs and random tokens */
#ifndef BERTH_BASE_ID_H
#define BERTH_BASE_ID_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define UUID_TEXT_MAX 37
#define TOKEN_TEXT_MAX 33 /* 128 random bits in hex */

struct uuid {
	uint8_t b[16];
};

/* -EINVAL unless s is 8-4-4-4-12 hex digits in lower case, as Kubernetes writes UIDs. */
int uuid_parse(const char *s, struct uuid *ret) _must_check_;
char *uuid_format(const struct uuid *u, char dst[static UUID_TEXT_MAX]);
/* Version 4. */
void uuid_random(struct uuid *ret);

/* getrandom(2); aborts where the kernel has no randomness to give (it always has after boot). */
void random_bytes(void *dst, size_t size);
uint64_t random_u64(void);
/* Uniform in [0, n), n > 0. */
uint64_t random_below(uint64_t n);
char *token_random(char dst[static TOKEN_TEXT_MAX]);

#endif
