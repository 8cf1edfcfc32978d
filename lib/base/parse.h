/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h: text from people and peers to numbers, strictly: no leading space, no rest, no overflow
 */
#ifndef BERTH_BASE_PARSE_H
#define BERTH_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* All: 0, -EINVAL for text that is no such thing, -ERANGE for a value outside of the bounds. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) _must_check_;

/* Go's strconv.ParseBool, which StorageClass parameters of the peers use: 1 t T TRUE true True 0 f
 * F FALSE false False. */
int parse_bool(const char *s, bool *ret) _must_check_;

/* Octal mode, "0770" or "770", at most 07777. */
int parse_mode(const char *s, mode_t *ret) _must_check_;

/* Go's duration: "90s", "1h30m", "250ms", "0"; units ns us ms s m h, also d. Nanoseconds, never
 * negative. */
int parse_duration(const char *s, uint64_t *ret_ns) _must_check_;

/*
 * A Kubernetes quantity (apimachinery pkg/api/resource/quantity.go) as bytes, rounded up:
 * decimal with optional fraction, suffix n u m k M G T P E, Ki Mi Gi Ti Pi Ei or exponent.
 * -EINVAL for no quantity, -ERANGE for a negative value or one above INT64_MAX.
 */
int parse_quantity(const char *s, int64_t *ret_bytes) _must_check_;

/* Canonical BinarySI: the largest power of 1024 that divides exactly, else plain digits. dst holds
 * at least 24 bytes. */
char *format_quantity(int64_t bytes, char dst[static 24]);

#endif
