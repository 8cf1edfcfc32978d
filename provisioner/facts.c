/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c: a volume's facts from class and claim, from a PV, from a BerthVolume */
#include "provisioner/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "provisioner/names.h"

_Static_assert((int)VOLUME_RWO == ACCESS_RWO && (int)VOLUME_ROX == ACCESS_ROX &&
		       (int)VOLUME_RWX == ACCESS_RWX && (int)VOLUME_RWOP == ACCESS_RWOP,
	"records keep the bits of claims");

/* (uid_t)-1 means "leave alone". */
#define ID_MAX (UINT32_MAX - 1)

void facts_done(struct facts *f)
{
	free(f->pv);
	free(f->driver);
	free(f->provisioner);
	free(f->class);
	free(f->server);
	free(f->export_);
	free(f->directory);
	free(f->identity);
	free(f->claim_namespace);
	free(f->claim_name);
	free(f->claim_uid);
	*f = (struct facts){0};
}

int facts_pv_name(const struct uuid *claim_uid, char **ret)
{
	char text[UUID_TEXT_MAX];

	return asprintf(ret, VOLUME_PREFIX "%s", uuid_format(claim_uid, text)) < 0 ? -ENOMEM : 0;
}

char *facts_mode_text(mode_t mode, char dst[static 8])
{
	snprintf(dst, 8, "%04o", mode & 07777U);
	return dst;
}

/* Gives "" to every text that was not set. */
static int fill_empty(struct facts *f)
{
	char **texts[] = {&f->pv, &f->driver, &f->provisioner, &f->class, &f->server, &f->export_,
		&f->directory, &f->identity, &f->claim_namespace, &f->claim_name, &f->claim_uid};

	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		if (*texts[i])
			continue;
		*texts[i] = strdup("");
		if (!*texts[i])
			return -ENOMEM;
	}
	return 0;
}

static int take_text(char **dst, const char *src)
{
	return str_replace(dst, str_or(src, ""));
}

static int take_class(struct facts *f, const struct class_info *class)
{
	const struct parameters *p = &class->p;

	f->uid = p->uid;
	f->gid = p->gid;
	f->mode = p->mode;
	f->flags = p->flags;
	f->reclaim = class->retain ? RECLAIM_RETAIN : p->reclaim;
	f->trash_ttl = class->trash_ttl;
	f->nfs_port = p->nfs_port;
	f->mount_port = p->mount_port;
	f->version = p->version;
	f->native = p->source == SOURCE_NATIVE;
	f->act_as_set = p->act_as_set;
	f->act_uid = p->act_uid;
	f->act_gid = p->act_gid;
	if (take_text(&f->provisioner, class->provisioner) < 0 ||
		take_text(&f->class, class->name) < 0)
		return -ENOMEM;
	return take_text(&f->export_, p->export_);
}

static int take_claim(struct facts *f, const struct pvc *claim)
{
	char uid[UUID_TEXT_MAX];

	f->capacity = claim->request;
	if (take_text(&f->claim_namespace, claim->o.namespace_) < 0 ||
		take_text(&f->claim_name, claim->o.name) < 0)
		return -ENOMEM;
	return take_text(&f->claim_uid, uuid_format(&claim->o.uid, uid));
}

int facts_from_class(struct facts *ret, const char *driver, const struct class_info *class,
	const char *server, const struct pvc *claim)
{
	_cleanup_facts_ struct facts f = {0};

	token_random(f.token);
	if (facts_pv_name(&claim->o.uid, &f.pv) < 0 || take_class(&f, class) < 0 ||
		take_claim(&f, claim) < 0 || take_text(&f.driver, driver) < 0 ||
		take_text(&f.server, server) < 0 || fill_empty(&f) < 0)
		return -ENOMEM;
	*ret = f;
	f = (struct facts){0};
	return 0;
}

/* ---- from outside ------------------------------------------------------------------------ */

static int bad(struct err *e, const char *field, const char *why)
{
	return err_set(e, EBADMSG, "%s: %s", field, why);
}

static int check_place(const struct facts *f, struct err *e)
{
	struct err why = ERR_NULL;
	struct uuid uid;
	int r = volume_server_check(f->server, e);

	if (r >= 0)
		r = volume_export_check(f->export_, e);
	if (r < 0)
		return r;
	if (path_relative_check(f->directory, &why) < 0)
		return bad(e, ATTR_DIRECTORY, why.text);
	if (*f->claim_uid && uuid_parse(f->claim_uid, &uid) < 0)
		return bad(e, "claim uid", "is no UID");
	return 0;
}

static int check_token(const char *s, char dst[static TOKEN_TEXT_MAX], struct err *e)
{
	if (!s || strlen(s) != TOKEN_TEXT_MAX - 1 ||
		strspn(s, "0123456789abcdef") != TOKEN_TEXT_MAX - 1)
		return bad(e, NOTE_TOKEN, "is missing or malformed");
	memcpy(dst, s, TOKEN_TEXT_MAX);
	return 0;
}

static const char *attribute(const char *key, void *userdata)
{
	return json_string_at(userdata, key, NULL);
}

/* Ports, version, identity and mount flags, which a class may have given: absent is fine, malformed
 * is not. */
static int take_options(struct facts *f, const json_t *attrs, struct err *e)
{
	struct volume_attributes a = {.flags = 0};
	const char *source = json_string_at(attrs, ATTR_SOURCE, NULL);
	int r = volume_attributes_options(&a, attribute, (void *)attrs, e);

	if (r >= 0 && source && !streq(source, "native"))
		return bad(e, ATTR_SOURCE, "is unknown");
	f->native = source;
	f->nfs_port = a.place.nfs_port;
	f->mount_port = a.place.mount_port;
	f->version = a.place.version;
	f->act_as_set = a.place.act_as_set;
	f->act_uid = a.place.act_uid;
	f->act_gid = a.place.act_gid;
	f->flags |= a.flags;
	return r;
}

static int take_owner(struct facts *f, const json_t *attrs, struct err *e)
{
	struct volume_attributes a = {.flags = 0};
	int r = volume_attributes_owner(&a, attribute, (void *)attrs, e);

	f->uid = a.uid;
	f->gid = a.gid;
	f->mode = a.mode;
	f->flags |= a.flags;
	return r;
}

static int take_end(struct facts *f, const char *reclaim, const char *ttl, struct err *e)
{
	if (!reclaim || volume_reclaim_parse(reclaim, &f->reclaim) < 0)
		return bad(e, ATTR_RECLAIM, "is missing or unknown");
	if (ttl && parse_duration(ttl, &f->trash_ttl) < 0)
		return bad(e, ATTR_TRASH_TTL, "is no duration");
	return 0;
}

static int take_volume_texts(struct facts *f, const json_t *pv, const json_t *attrs)
{
	const json_t *spec = json_object_get(pv, "spec");
	const json_t *claim = json_object_get(spec, "claimRef");
	const char *driver = json_string_at(spec, "csi", "driver", NULL);

	if (!driver)
		driver = json_string_at(attrs, ATTR_DRIVER, NULL);
	if (take_text(&f->pv, json_string_at(pv, "metadata", "name", NULL)) < 0 ||
		take_text(&f->driver, driver) < 0 ||
		take_text(&f->provisioner, json_string_at(pv, "metadata", "annotations",
						   NOTE_PROVISIONED_BY, NULL)) < 0 ||
		take_text(&f->class, json_string_at(spec, "storageClassName", NULL)) < 0 ||
		take_text(&f->server, json_string_at(attrs, ATTR_SERVER, NULL)) < 0 ||
		take_text(&f->export_, json_string_at(attrs, ATTR_EXPORT, NULL)) < 0 ||
		take_text(&f->directory, json_string_at(attrs, ATTR_DIRECTORY, NULL)) < 0 ||
		take_text(&f->identity, json_string_at(attrs, ATTR_EXPORT_ID, NULL)) < 0 ||
		take_text(&f->claim_namespace, json_string_at(claim, "namespace", NULL)) < 0 ||
		take_text(&f->claim_name, json_string_at(claim, "name", NULL)) < 0)
		return -ENOMEM;
	return take_text(&f->claim_uid, json_string_at(claim, "uid", NULL));
}

char *facts_path(const struct facts *f)
{
	const char *root = streq(f->export_, "/") ? "" : f->export_;
	char *path = NULL;

	return asprintf(&path, "%s/%s", root, f->directory) < 0 ? NULL : path;
}

/* The annotation of a native PV can be edited, its spec cannot: they must agree. */
static int check_native(const struct facts *f, const json_t *pv, struct err *e)
{
	const json_t *nfs = json_at(pv, "spec", "nfs", NULL);
	_cleanup_free_ char *path = facts_path(f);

	if (!path)
		return err_set(e, ENOMEM, "out of memory");
	if (f->native != (nfs != NULL))
		return bad(e, ATTR_SOURCE, "is not that of the PV");
	if (nfs && (!streq_null(f->server, json_string_at(nfs, "server", NULL)) ||
			   !streq_null(path, json_string_at(nfs, "path", NULL))))
		return bad(e, "spec.nfs", "does not lie where " NOTE_ATTRIBUTES " says");
	return 0;
}

/* A new reference to what a csi PV has as volumeAttributes and a native one as annotation. */
static int take_attributes(json_t **ret, const json_t *pv, struct err *e)
{
	json_t *attrs = (json_t *)json_at(pv, "spec", "csi", "volumeAttributes", NULL);
	const char *text = json_string_at(pv, "metadata", "annotations", NOTE_ATTRIBUTES, NULL);

	if (attrs) {
		*ret = json_incref(attrs);
		return 0;
	}
	if (json_at(pv, "spec", "csi", NULL))
		return bad(e, "spec.csi.volumeAttributes", "is missing");
	if (!text)
		return bad(e, NOTE_ATTRIBUTES, "is missing");
	if (data_json_load(text, strlen(text), ret, e) == -ENOMEM)
		return -ENOMEM;
	if (!*ret) {
		err_prefix(e, NOTE_ATTRIBUTES);
		return -EBADMSG;
	}
	return 0;
}

int facts_from_volume(struct facts *ret, const json_t *pv, struct err *e)
{
	_cleanup_facts_ struct facts f = {0};
	_cleanup_json_ json_t *attrs = NULL;
	const json_t *notes = json_at(pv, "metadata", "annotations", NULL);
	const char *size = json_string_at(pv, "spec", "capacity", "storage", NULL);
	const char *reclaim = json_string_at(notes, NOTE_RECLAIM, NULL);
	int r = take_attributes(&attrs, pv, e);

	if (r < 0)
		return r;
	if (take_volume_texts(&f, pv, attrs) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (!reclaim)
		reclaim = json_string_at(attrs, ATTR_RECLAIM, NULL);
	r = check_token(json_string_at(notes, NOTE_TOKEN, NULL), f.token, e);
	if (r >= 0)
		r = check_place(&f, e);
	if (r >= 0)
		r = take_options(&f, attrs, e);
	if (r >= 0)
		r = take_owner(&f, attrs, e);
	if (r >= 0)
		r = check_native(&f, pv, e);
	if (r >= 0)
		r = take_end(&f, reclaim, json_string_at(attrs, ATTR_TRASH_TTL, NULL), e);
	if (r < 0)
		return r;
	if (!size || parse_quantity(size, &f.capacity) < 0)
		return bad(e, "spec.capacity.storage", "is no size");
	*ret = f;
	f = (struct facts){0};
	return 0;
}

static int take_intent_texts(struct facts *f, const json_t *intent)
{
	const json_t *spec = json_object_get(intent, "spec");
	const json_t *nfs = json_object_get(spec, "nfs");
	const json_t *claim = json_object_get(spec, "claim");

	if (take_text(&f->pv, json_string_at(intent, "metadata", "name", NULL)) < 0 ||
		take_text(&f->driver, json_string_at(spec, "driver", NULL)) < 0 ||
		take_text(&f->class, json_string_at(spec, "class", NULL)) < 0 ||
		take_text(&f->server, json_string_at(nfs, ATTR_SERVER, NULL)) < 0 ||
		take_text(&f->export_, json_string_at(nfs, ATTR_EXPORT, NULL)) < 0 ||
		take_text(&f->directory, json_string_at(spec, "directory", NULL)) < 0 ||
		take_text(&f->claim_namespace, json_string_at(claim, "namespace", NULL)) < 0 ||
		take_text(&f->claim_name, json_string_at(claim, "name", NULL)) < 0)
		return -ENOMEM;
	return take_text(&f->claim_uid, json_string_at(claim, "uid", NULL));
}

/* permissions.uid and .gid are JSON numbers there. 1: taken, 0: not there. */
static int take_id(const json_t *p, const char *key, uint32_t *ret, struct err *e)
{
	const json_t *id = json_object_get(p, key);

	if (!id)
		return 0;
	if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > ID_MAX)
		return bad(e, "spec.permissions", "has a uid or gid that is none");
	*ret = (uint32_t)json_integer_value(id);
	return 1;
}

static int take_permissions(struct facts *f, const json_t *p, struct err *e)
{
	const char *mode = json_string_at(p, "mode", NULL);
	int r = take_id(p, "uid", &f->uid, e);

	if (r > 0)
		f->flags |= VOLUME_UID_SET;
	if (r >= 0)
		r = take_id(p, "gid", &f->gid, e);
	if (r > 0)
		f->flags |= VOLUME_GID_SET;
	if (r < 0 || !mode)
		return r;
	f->flags |= VOLUME_MODE_SET;
	if (parse_mode(mode, &f->mode) < 0)
		return bad(e, "spec.permissions.mode", "is no octal mode");
	return 0;
}

int facts_from_intent(struct facts *ret, const json_t *intent, struct err *e)
{
	_cleanup_facts_ struct facts f = {0};
	const json_t *spec = json_object_get(intent, "spec");
	const json_t *nfs = json_object_get(spec, "nfs");
	const char *size = json_string_at(spec, "capacity", NULL);
	int r;

	if (take_intent_texts(&f, intent) < 0 || fill_empty(&f) < 0)
		return err_set(e, ENOMEM, "out of memory");
	r = check_token(json_string_at(spec, "token", NULL), f.token, e);
	if (r >= 0)
		r = check_place(&f, e);
	if (r >= 0)
		r = take_options(&f, nfs, e);
	if (r >= 0)
		r = take_permissions(&f, json_object_get(spec, "permissions"), e);
	if (r >= 0)
		r = take_end(&f, json_string_at(spec, "reclaim", NULL),
			json_string_at(nfs, ATTR_TRASH_TTL, NULL), e);
	if (r < 0)
		return r;
	if (!size || parse_quantity(size, &f.capacity) < 0)
		return bad(e, "spec.capacity", "is no size");
	*ret = f;
	f = (struct facts){0};
	return 0;
}

/* ---- for a backend ----------------------------------------------------------------------- */

struct volume_place facts_place(const struct facts *f)
{
	return (struct volume_place){
		.server = f->server,
		.export_ = f->export_,
		.nfs_port = f->nfs_port,
		.mount_port = f->mount_port,
		.version = f->version,
		.act_as_set = f->act_as_set,
		.act_uid = f->act_uid,
		.act_gid = f->act_gid,
		.identity = *f->identity ? f->identity : NULL,
	};
}

struct volume_request facts_request(const struct facts *f)
{
	return (struct volume_request){
		.driver = f->driver,
		.pv = f->pv,
		.token = f->token,
		.claim = {f->claim_namespace, f->claim_name, f->claim_uid},
		.class = f->class,
		.directory = f->directory,
		.capacity = f->capacity,
		.access_modes = f->access_modes,
		.uid = f->uid,
		.gid = f->gid,
		.mode = f->mode,
		.flags = f->flags,
		.reclaim = f->reclaim,
		.trash_ttl_ns = f->trash_ttl,
	};
}
