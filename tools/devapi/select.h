/* SPDX-License-Identifier: Apache-2.0 */
/* select.h: which objects a list or a watch is about: namespace, name, fields, labels */
#ifndef BERTH_DEVAPI_SELECT_H
#define BERTH_DEVAPI_SELECT_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/devapi/meta.h"

#define SELECT_TERMS_MAX 8

struct term {
	char key[128];   /* a label, or a field as "involvedObject.name" */
	char value[256]; /* "" with exists, "a,b" with set */
	bool set;        /* in (…), negated: notin (…) */
	bool exists;     /* a bare label key */
	bool negated;
};

struct selection {
	const struct kind *kind;
	char ns[META_NS_MAX]; /* "" all */
	char name[META_NAME_MAX];
	struct term fields[SELECT_TERMS_MAX], labels[SELECT_TERMS_MAX];
	size_t n_fields, n_labels;
};

/* "a=b,c==d,e!=f,g,!h,i in (j,k)"; metadata.name and metadata.namespace go where they are fast.
 * -EINVAL for what is not understood. */
int select_parse_fields(struct selection *s, const char *text);
int select_parse_labels(struct selection *s, const char *text);
/* Parses the object only where fields or labels ask for it. */
bool select_matches(const struct selection *s, const struct revision *r);

#endif
