/* SPDX-License-Identifier: Apache-2.0 */
/* items.h: splits a list into its items while its bytes arrive, so that no tree of a whole page is
 * ever made (inside lib/kube) */
#ifndef BERTH_KUBE_ITEMS_H
#define BERTH_KUBE_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* An item or the list's metadata, whichever comes first, as JSON text; borrowed for the call. A
 * negative result ends the feeding. */
struct items_ops {
	int (*item)(void *userdata, const char *text, size_t n);
	int (*metadata)(void *userdata, const char *text, size_t n);
};

enum items_state {
	ITEMS_START,    /* before the list's '{' */
	ITEMS_KEY,      /* a key may begin */
	ITEMS_COLON,    /* after a key */
	ITEMS_VALUE,    /* a value begins */
	ITEMS_REST,     /* within a value that nobody wants, or behind one */
	ITEMS_ELEMENTS, /* in the array of items, between them */
	ITEMS_CAPTURE,  /* in an item or the metadata */
	ITEMS_END       /* after the list's '}' */
};

struct items {
	const struct items_ops *ops;
	void *userdata;
	struct buf part; /* of what is captured: the bytes of earlier pieces */
	enum items_state state;
	enum items_state after; /* the state to return to */
	unsigned depth;         /* brackets open */
	unsigned base;          /* depth around what is captured or skipped */
	bool in_string, escaped, in_key, seen, is_item;
	unsigned char key_len;
	char key[12]; /* longer keys are none of ours */
};

void items_init(struct items *s, const struct items_ops *ops, void *userdata);
void items_done(struct items *s);
/* -EBADMSG for what is no JSON object, -E2BIG for an item beyond DATA_JSON_MAX. */
int items_feed(struct items *s, const char *data, size_t n);
/* After the last piece: -EBADMSG unless the list was complete and had "items". */
int items_end(const struct items *s);

#endif
