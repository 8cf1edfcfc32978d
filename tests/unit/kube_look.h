/* SPDX-License-Identifier: Apache-2.0 */
/* kube_look.h: an informer of Nodes on a scripted server, and what it said */
#ifndef BERTH_TESTS_KUBE_LOOK_H
#define BERTH_TESTS_KUBE_LOOK_H

#include "kube/informer.h"
#include "kube_world.h"

#define UID(n) "00000000-0000-4000-8000-00000000000" #n
#define NODE(name, uid, rv)                                                                        \
	"{\"metadata\":{\"name\":\"" name "\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"}" \
	"}"
#define LIST(rv, items)                                                                          \
	"{\"kind\":\"NodeList\",\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items \
	"]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(rv) \
	EVENT("BOOKMARK", "{\"kind\":\"Node\",\"metadata\":{\"resourceVersion\":\"" rv "\"}}")
#define STATUS(code, reason)                                                                  \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"no\",\"reason\":\"" reason \
	"\",\"code\":" #code "}"
#define LISTS "GET /api/v1/nodes?limit"
#define WATCHES "GET /api/v1/nodes?watch"

struct seen_event {
	char old[32], now[32], rv[32];
};

struct look {
	struct kube_world w; /* first: the helpers take it */
	struct informer *i;
	struct seen_event events[256];
	unsigned n, synced;
	bool free_in_changed;
};

int look_setup(void **state);
int look_teardown(void **state);
void look_expect(struct look *l, struct fake_answer a);
void look_start(struct look *l, const struct kind *k);
/* Until so many requests that match were seen, and what they brought was taken. */
void look_await(struct look *l, const char *match, unsigned n);
/* Until so many changes were told in all. */
void look_await_changes(struct look *l, unsigned n);
const char *look_last_line(const struct look *l);
bool look_has(const struct look *l, const char *name);
void look_change_is(const struct look *l, unsigned n, const char *old, const char *now);
/* A list of a and b at 10, and a watch that stays open. */
void look_usual_start(struct look *l);
void look_push(struct look *l, const char *text);

#endif
