/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: time for deadlines (boot time, counts suspend) and time for people (RFC 3339) */
#ifndef BERTH_BASE_CLOCK_H
#define BERTH_BASE_CLOCK_H

#include <stdint.h>

#include "base/cleanup.h"

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL
#define SECONDS(n) ((uint64_t)(n)*NSEC_PER_SEC)
#define MILLISECONDS(n) ((uint64_t)(n)*NSEC_PER_MSEC)

/* CLOCK_BOOTTIME in ns: for every deadline and interval. */
uint64_t clock_now(void);
/* CLOCK_REALTIME in ns: only for what people or the API server read. */
uint64_t clock_real(void);

#define CLOCK_TEXT_MAX 40
/* metav1.Time, "2026-01-02T03:04:05Z" (contracts.md 5.8). */
char *clock_format(uint64_t real_ns, char dst[static CLOCK_TEXT_MAX]);
/* metav1.MicroTime, exactly six digits. */
char *clock_format_micro(uint64_t real_ns, char dst[static CLOCK_TEXT_MAX]);
/* Either form, "Z" or an offset; -EINVAL. */
int clock_parse(const char *s, uint64_t *ret_real_ns) _must_check_;
/* "20260102T030405Z", for names of directories. */
char *clock_format_compact(uint64_t real_ns, char dst[static CLOCK_TEXT_MAX]);

#endif
