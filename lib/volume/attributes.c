/* SPDX-License-Identifier: Apache-2.0 */
/* attributes.c: reads volumeAttributes, which anybody may have written who may create PVs */
#include "volume/attributes.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

/* (uid_t)-1 means "leave alone" to every system call. */
#define ID_MAX (UINT32_MAX - 1)
/* A DNS name's limit; addresses with a zone are shorter. */
#define SERVER_MAX 253
#define POOL_ID_MAX 64

struct source {
	attribute_fn get;
	void *userdata;
	struct err *e;
};

static int bad(struct err *e, const char *key, const char *why)
{
	return err_set(e, EBADMSG, "%s: %s", key, why);
}

static const char *text(const struct source *s, const char *key)
{
	return s->get(key, s->userdata);
}

/* 1: taken, 0: not there. */
static int number(
	const struct source *s, const char *key, uint64_t max, uint64_t *ret, const char *why)
{
	const char *t = text(s, key);

	if (!t)
		return 0;
	return parse_u64(t, 0, max, ret) < 0 ? bad(s->e, key, why) : 1;
}

static int flag(const struct source *s, const char *key, unsigned bit, unsigned *flags)
{
	const char *t = text(s, key);
	bool on = false;

	if (t && parse_bool(t, &on) < 0)
		return bad(s->e, key, "is neither true nor false");
	if (on)
		*flags |= bit;
	return 0;
}

int volume_server_check(const char *server, struct err *e)
{
	size_t n = strlen(server);

	if (n == 0 || n > SERVER_MAX || server[0] == '-' ||
		strspn(server, "0123456789.:-_%"
			       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return bad(e, ATTR_SERVER, "is no name and no address");
	return 0;
}

int volume_export_check(const char *export_, struct err *e)
{
	if (export_[0] != '/' || strlen(export_) >= VOLUME_EXPORT_MAX)
		return bad(e, ATTR_EXPORT, "is no absolute path");
	/* The export's root has no component to check. */
	if (!export_[1])
		return 0;
	for (const char *at = export_; *at;) {
		size_t n = strcspn(++at, "/");

		if (path_component_check(at, n, NULL) < 0)
			return bad(e, ATTR_EXPORT, "has a bad component");
		if (n == strlen(CONTROL_DIRECTORY) && memcmp(at, CONTROL_DIRECTORY, n) == 0)
			return bad(e, ATTR_EXPORT, "is a control directory of Berth's, or in one");
		at += n;
	}
	return 0;
}

static int take_act_as(struct volume_place *p, const struct source *s)
{
	const char *t = text(s, ATTR_ACT_AS);
	const char *colon = t ? strchr(t, ':') : NULL;
	char uid[16];
	uint64_t u, g;

	if (!t)
		return 0;
	if (!colon || (size_t)(colon - t) >= sizeof(uid))
		return bad(s->e, ATTR_ACT_AS, "is no uid:gid");
	memcpy(uid, t, (size_t)(colon - t));
	uid[colon - t] = '\0';
	if (parse_u64(uid, 0, ID_MAX, &u) < 0 || parse_u64(colon + 1, 0, ID_MAX, &g) < 0)
		return bad(s->e, ATTR_ACT_AS, "is no uid:gid");
	p->act_as_set = true;
	p->act_uid = (uid_t)u;
	p->act_gid = (gid_t)g;
	return 0;
}

int volume_attributes_options(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e)
{
	const struct source s = {get, userdata, e};
	struct volume_place *p = &ret->place;
	uint64_t n = 0;
	int r = number(&s, ATTR_NFS_PORT, UINT16_MAX, &n, "is no port");

	if (r > 0)
		p->nfs_port = (uint16_t)n;
	if (r >= 0)
		r = number(&s, ATTR_MOUNT_PORT, UINT16_MAX, &n, "is no port");
	if (r > 0)
		p->mount_port = (uint16_t)n;
	if (r >= 0)
		r = number(&s, ATTR_VERSION, 4, &n, "is neither 3 nor 4");
	if (r > 0 && n != 3 && n != 4)
		return bad(e, ATTR_VERSION, "is neither 3 nor 4");
	if (r > 0)
		p->version = (int)n;
	if (r >= 0)
		r = take_act_as(p, &s);
	if (r >= 0)
		r = flag(&s, ATTR_SUID, VOLUME_SUID, &ret->flags);
	if (r >= 0)
		r = flag(&s, ATTR_DEV, VOLUME_DEV, &ret->flags);
	return r < 0 ? r : 0;
}

int volume_attributes_owner(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e)
{
	const struct source s = {get, userdata, e};
	const char *mode = get(ATTR_MODE, userdata);
	uint64_t n = 0;
	int r = number(&s, ATTR_UID, ID_MAX, &n, "is no number");

	if (r > 0) {
		ret->uid = (uid_t)n;
		ret->flags |= VOLUME_UID_SET;
	}
	if (r >= 0)
		r = number(&s, ATTR_GID, ID_MAX, &n, "is no number");
	if (r > 0) {
		ret->gid = (gid_t)n;
		ret->flags |= VOLUME_GID_SET;
	}
	if (r < 0 || !mode)
		return r < 0 ? r : 0;
	ret->flags |= VOLUME_MODE_SET;
	return parse_mode(mode, &ret->mode) < 0 ? bad(e, ATTR_MODE, "is no octal mode") : 0;
}

static int take_directory(struct volume_attributes *a, const struct source *s)
{
	struct err why = ERR_NULL;

	a->directory = str_or(text(s, ATTR_DIRECTORY), "");
	if (*a->directory && path_relative_check(a->directory, &why) < 0)
		return bad(s->e, ATTR_DIRECTORY, why.text);
	return 0;
}

int volume_attributes_nfs(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e)
{
	const struct source s = {get, userdata, e};
	struct volume_attributes a = {
		.place = {.server = str_or(get(ATTR_SERVER, userdata), ""),
			.export_ = str_or(get(ATTR_EXPORT, userdata), ""),
			.identity = get(ATTR_EXPORT_ID, userdata)},
	};
	int r = volume_server_check(a.place.server, e);

	if (r >= 0)
		r = volume_export_check(a.place.export_, e);
	if (r >= 0)
		r = take_directory(&a, &s);
	if (r >= 0)
		r = volume_attributes_options(&a, get, userdata, e);
	if (r >= 0)
		r = volume_attributes_owner(&a, get, userdata, e);
	if (r >= 0)
		*ret = a;
	return r;
}

int volume_attributes_hostpath(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e)
{
	const struct source s = {get, userdata, e};
	struct volume_attributes a = {
		.pool = str_or(get(ATTR_POOL, userdata), ""),
		.pool_id = get(ATTR_POOL_ID, userdata),
	};
	int r = path_component_check(a.pool, strlen(a.pool), NULL);

	if (r < 0)
		return bad(e, ATTR_POOL, *a.pool ? "is no name of a pool" : "is missing");
	if (a.pool_id && strlen(a.pool_id) > POOL_ID_MAX)
		return bad(e, ATTR_POOL_ID, "is no identity");
	r = take_directory(&a, &s);
	if (r >= 0 && !*a.directory)
		return bad(e, ATTR_DIRECTORY, "is missing");
	if (r >= 0)
		r = flag(&s, ATTR_SUID, VOLUME_SUID, &a.flags);
	if (r >= 0)
		r = flag(&s, ATTR_DEV, VOLUME_DEV, &a.flags);
	if (r >= 0)
		r = volume_attributes_owner(&a, get, userdata, e);
	if (r >= 0)
		*ret = a;
	return r;
}
