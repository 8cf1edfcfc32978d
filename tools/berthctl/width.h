/* SPDX-License-Identifier: Apache-2.0 */
/* width.h: columns that a text takes on a terminal, and texts made to fit */
#ifndef BERTH_BERTHCTL_WIDTH_H
#define BERTH_BERTHCTL_WIDTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Columns of text as width_put() writes it: UTF-8 where the locale has it (setlocale() first), else
 * what is no ASCII counts as \xNN. */
size_t width_of(const char *text);

enum width_cut { WIDTH_CUT_END, WIDTH_CUT_MIDDLE };
/*
 * Appends text to out in at most max columns: control characters, invalid UTF-8 and what the
 * locale cannot show as \xNN, what is left out as "…" ("..." without Unicode). *ret: columns taken.
 * -ENOMEM.
 */
int width_put(struct buf *out, const char *text, size_t max, enum width_cut cut, size_t *ret);

#endif
