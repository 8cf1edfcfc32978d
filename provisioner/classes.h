/* SPDX-License-Identifier: Apache-2.0 */
/* classes.h: StorageClasses of ours with their parameters, parsed and checked once each */
#ifndef BERTH_PROVISIONER_CLASSES_H
#define BERTH_PROVISIONER_CLASSES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/map.h"
#include "kube/class.h"
#include "provisioner/config.h"
#include "volume/parameters.h"

/* Counted: work that runs keeps what it began with. */
struct class_info {
	unsigned refs;
	char *name;
	char *provisioner;
	struct parameters p;
	json_t *mount_options; /* or NULL */
	uint64_t trash_ttl;    /* the class's, else the configuration's */
	bool retain, wait_for_consumer;
	bool assist;
	bool anyone;           /* no owner and no mode: 0777, which one Warning tells */
	bool told;             /* that Warning was sent */
	unsigned chosen;       /* of several servers, the one that answered… */
	uint64_t chosen_until; /* … until this clock_now() */
	struct err err;        /* code set: the class cannot be served, and why */
};

/* All zero is not valid: classes_init(). */
struct classes {
	struct map by_name;
};

void classes_init(struct classes *s);
void classes_done(struct classes *s);
/* Forgets a class that changed; NULL: all of them, after the configuration changed. */
void classes_forget(struct classes *s, const char *name);
/* The class's info, made at first sight; borrowed. -ENOMEM. */
int classes_get(struct classes *s, const struct config *c, const struct class *class,
	struct class_info **ret);

struct class_info *class_info_ref(struct class_info *i);
struct class_info *class_info_unref(struct class_info *i);
/* Whether it names the server and the export. */
bool class_info_names(const struct class_info *i, const char *server, const char *export_);

#endif
