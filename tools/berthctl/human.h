/* SPDX-License-Identifier: Apache-2.0 */
/* human.h: times and sizes as people say them, and the word that was meant */
#ifndef BERTH_BERTHCTL_HUMAN_H
#define BERTH_BERTHCTL_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#define HUMAN_MAX 24

/* "12s", "5m", "3h12m", "4d3h", as kubectl has it; "-" for 0. now and then: clock_real(). */
char *human_age(uint64_t now, uint64_t then, char dst[static HUMAN_MAX]);
/* "700Gi", "1.5Ti", "12Ki". */
char *human_bytes(uint64_t bytes, char dst[static HUMAN_MAX]);
/* The one of words that is nearest, NULL where none is near. */
const char *human_nearest(const char *word, const char *const *words, size_t n);

#endif
