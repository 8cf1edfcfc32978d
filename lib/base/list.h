/* SPDX-License-Identifier: Apache-2.0 */
/* list.h: an intrusive doubly linked list */
#ifndef BERTH_BASE_LIST_H
#define BERTH_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/* Both a head and a member. A member that is in no list points to itself or is all zero. */
struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(l) ((struct list){&(l), &(l)})

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return !l->next || l->next == l;
}

static inline void list_append(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* Legal for a member that is in no list. */
static inline void list_remove(struct list *item)
{
	if (!item->next)
		return;
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define LIST_ENTRY(p, type, member) CONTAINER_OF(p, type, member)
#define LIST_FIRST(head, type, member) \
	(list_empty(head) ? NULL : LIST_ENTRY((head)->next, type, member))
#define LIST_LAST(head, type, member) \
	(list_empty(head) ? NULL : LIST_ENTRY((head)->prev, type, member))
/* The current member may be removed (and freed) while walking. */
#define LIST_FOREACH(head, it)                            \
	for (struct list *it = (head)->next, *_next_##it; \
		it != (head) && (_next_##it = it->next, 1); it = _next_##it)

#endif
