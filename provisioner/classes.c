/* SPDX-License-Identifier: Apache-2.0 */
/* classes.c: the cache of parsed StorageClasses */
#include "provisioner/classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct class_info *)value)->name);
}

void classes_init(struct classes *s)
{
	s->by_name = MAP_NULL(key_of);
}

void classes_done(struct classes *s)
{
	classes_forget(s, NULL);
	map_done(&s->by_name);
}

struct class_info *class_info_ref(struct class_info *i)
{
	i->refs++;
	return i;
}

struct class_info *class_info_unref(struct class_info *i)
{
	if (!i || --i->refs > 0)
		return NULL;
	parameters_done(&i->p);
	json_decref(i->mount_options);
	free(i->name);
	free(i->provisioner);
	free(i);
	return NULL;
}
DEFINE_CLEANUP(struct class_info *, class_info_unref)

void classes_forget(struct classes *s, const char *name)
{
	struct class_info *i;

	if (name) {
		class_info_unref(map_removes(&s->by_name, name));
		return;
	}
	MAP_FOREACH (&s->by_name, i) {
		map_removes(&s->by_name, i->name);
		class_info_unref(i);
	}
}

bool class_info_names(const struct class_info *i, const char *server, const char *export_)
{
	if (i->err.code || !streq(i->p.export_, export_))
		return false;
	for (size_t n = 0; n < i->p.n_servers; n++)
		if (streq(i->p.servers[n], server))
			return true;
	return false;
}

static int check_allowed(struct class_info *i, const struct config *c)
{
	for (size_t n = 0; n < i->p.n_servers; n++)
		if (!config_allows(c, i->p.servers[n], i->p.export_))
			return err_set(&i->err, EINVAL,
				"parameter server: %s:%s is not in the provisioner's nfs.allow",
				i->p.servers[n], i->p.export_);
	return 0;
}

static void parse(struct class_info *i, const struct config *c, const struct class *class)
{
	const unsigned owner = VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET;

	if (parameters_parse(
		    &i->p, class->parameters, class->mount_options, class->retain, &i->err) < 0)
		return;
	i->trash_ttl =
		json_object_get(class->parameters, "trashTTL") ? i->p.trash_ttl_ns : c->trash_ttl;
	i->assist = i->p.binding_set ? i->p.assist : c->assist;
	i->anyone = !(i->p.flags & owner);
	check_allowed(i, c);
}

int classes_get(struct classes *s, const struct config *c, const struct class *class,
	struct class_info **ret)
{
	_cleanup_(class_info_unrefp) struct class_info *i = map_gets(&s->by_name, class->o.name);
	int r;

	if (i) {
		*ret = TAKE_PTR(i);
		return 0;
	}
	i = calloc(1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	i->refs = 1;
	i->name = strdup(class->o.name);
	i->provisioner = strdup(class->provisioner);
	if (!i->name || !i->provisioner)
		return -ENOMEM;
	/* A copy: the cached object may go before the work that uses it. */
	i->mount_options = json_deep_copy(class->mount_options);
	if (class->mount_options && !i->mount_options)
		return -ENOMEM;
	i->retain = class->retain;
	i->wait_for_consumer = class->wait_for_consumer;
	parse(i, c, class);
	r = map_add(&s->by_name, i);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(i);
	return 0;
}
