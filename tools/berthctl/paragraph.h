/* SPDX-License-Identifier: Apache-2.0 */
/* paragraph.h: text wrapped between words */
#ifndef BERTH_BERTHCTL_PARAGRAPH_H
#define BERTH_BERTHCTL_PARAGRAPH_H

#include "base/buf.h"

struct paragraph {
	size_t first;  /* columns of space before the first line */
	size_t used;   /* columns that are taken on it already */
	size_t indent; /* of the other lines */
	size_t width;  /* of the terminal, 0: no limit */
};

/* Appends head and text, escaped as width_put() does, and a newline. A word that is wider than a
 * line is broken. -ENOMEM, -ENOBUFS. */
int paragraph_put(struct buf *out, const struct paragraph *p, const char *head, const char *text);

#endif
