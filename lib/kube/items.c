/* SPDX-License-Identifier: Apache-2.0 */
/* items.c: splits a list into its items while its bytes arrive; a brace scanner that knows strings
 */
#include "kube/items.h"

#include <errno.h>
#include <string.h>

#include "data/decode.h"

void items_init(struct items *s, const struct items_ops *ops, void *userdata)
{
	*s = (struct items){.ops = ops, .userdata = userdata, .part = BUF_NULL(DATA_JSON_MAX)};
}

void items_done(struct items *s)
{
	buf_done(&s->part);
}

static bool key_is(const struct items *s, const char *key)
{
	return s->key_len == strlen(key) && memcmp(s->key, key, s->key_len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void capture_begin(struct items *s, bool item, enum items_state after)
{
	s->state = ITEMS_CAPTURE;
	s->after = after;
	s->is_item = item;
	s->base = s->depth++;
}

/* The first byte of a member's value. */
static int value_begin(struct items *s, char c)
{
	if (is_space(c))
		return 0;
	if (c == '{' && key_is(s, "metadata")) {
		capture_begin(s, false, ITEMS_REST);
		return 0;
	}
	if (key_is(s, "items")) {
		s->seen = true;
		if (c == '[') {
			s->depth++;
			s->state = ITEMS_ELEMENTS;
			return 0;
		}
	}
	s->state = ITEMS_REST;
	if (c == '{' || c == '[')
		s->depth++;
	s->in_string = c == '"';
	return 0;
}

/* Between the items. Elements that are no objects are passed over. */
static int element_next(struct items *s, char c)
{
	switch (c) {
	case '{':
		capture_begin(s, true, ITEMS_ELEMENTS);
		break;
	case '[':
		return -EBADMSG;
	case ']':
		s->depth--;
		s->state = ITEMS_REST;
		break;
	case '}':
		return -EBADMSG;
	case '"':
		s->in_string = true;
		break;
	default:
		break;
	}
	return 0;
}

/* Within any value; whether the byte closes a bracket. */
static bool nested_next(struct items *s, char c)
{
	switch (c) {
	case '"':
		s->in_string = true;
		return false;
	case '{':
	case '[':
		s->depth++;
		return false;
	case '}':
	case ']':
		s->depth--;
		return true;
	default:
		return false;
	}
}

/* Within or behind a value of the list that is not wanted. */
static int rest_next(struct items *s, char c)
{
	if (nested_next(s, c) && s->depth == 0)
		s->state = ITEMS_END;
	else if (c == ',' && s->depth == 1)
		s->state = ITEMS_KEY;
	return 0;
}

/* 1 at the byte that ends what is captured. */
static int capture_next(struct items *s, char c)
{
	return nested_next(s, c) && s->depth == s->base;
}

static int key_begin(struct items *s, char c)
{
	if (is_space(c))
		return 0;
	if (c == '}') {
		s->depth--;
		s->state = ITEMS_END;
		return 0;
	}
	if (c != '"')
		return -EBADMSG;
	s->in_string = true;
	s->in_key = true;
	s->key_len = 0;
	return 0;
}

static int structure_next(struct items *s, char c)
{
	switch (s->state) {
	case ITEMS_START:
		if (is_space(c))
			return 0;
		s->depth = 1;
		s->state = ITEMS_KEY;
		return c == '{' ? 0 : -EBADMSG;
	case ITEMS_KEY:
		return key_begin(s, c);
	case ITEMS_COLON:
		if (is_space(c))
			return 0;
		s->state = ITEMS_VALUE;
		return c == ':' ? 0 : -EBADMSG;
	case ITEMS_VALUE:
		return value_begin(s, c);
	case ITEMS_REST:
		return rest_next(s, c);
	case ITEMS_ELEMENTS:
		return element_next(s, c);
	case ITEMS_CAPTURE:
		return capture_next(s, c);
	case ITEMS_END:
		return is_space(c) ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

static void string_next(struct items *s, char c)
{
	if (s->escaped) {
		s->escaped = false;
	} else if (c == '\\') {
		s->escaped = true;
	} else if (c == '"') {
		s->in_string = false;
		if (s->in_key) {
			s->in_key = false;
			s->state = ITEMS_COLON;
		}
		return;
	}
	/* A key that is too long, or written with escapes, is none that we look for. */
	if (s->in_key && s->key_len < sizeof(s->key))
		s->key[s->key_len++] = c;
}

/* Hands over the text that ends with the n bytes at data. */
static int capture_end(struct items *s, const char *data, size_t n)
{
	int (*fn)(void *, const char *, size_t) = s->is_item ? s->ops->item : s->ops->metadata;
	int r;

	s->state = s->after;
	if (s->part.len == 0)
		return n > DATA_JSON_MAX ? -E2BIG : fn(s->userdata, data, n);
	r = buf_append(&s->part, data, n);
	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	r = fn(s->userdata, s->part.data, s->part.len);
	buf_reset(&s->part);
	return r;
}

int items_feed(struct items *s, const char *data, size_t n)
{
	size_t start = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		bool captured = s->state == ITEMS_CAPTURE;

		if (s->in_string) {
			string_next(s, data[i]);
			continue;
		}
		r = structure_next(s, data[i]);
		if (r < 0)
			return r;
		if (!captured && s->state == ITEMS_CAPTURE)
			start = i;
		if (r == 0)
			continue;
		r = capture_end(s, data + start, i + 1 - start);
		if (r < 0)
			return r;
	}
	if (s->state != ITEMS_CAPTURE)
		return 0;
	r = buf_append(&s->part, data + start, n - start);
	return r == -ENOBUFS ? -E2BIG : r;
}

int items_end(const struct items *s)
{
	return s->state == ITEMS_END && s->seen ? 0 : -EBADMSG;
}
