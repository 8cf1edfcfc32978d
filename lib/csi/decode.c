/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c: bytes of a Node request to its struct, with every check that needs no volume */
#include "csi/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "csi/csi.pb-c.h"
#include "csi/pluginregistration.pb-c.h"

/* What all checks of one request share. */
struct decoder {
	struct arena *arena;
	struct rpc_status *status;
};

#define REFUSE(d, ...) (rpc_status_set((d)->status, RPC_INVALID_ARGUMENT, __VA_ARGS__), -EBADMSG)

static void *unpack_into(
	struct arena *a, const ProtobufCMessageDescriptor *type, const void *message, size_t size)
{
	return protobuf_c_message_unpack(type, &a->allocator, size, message);
}

static void *unpack(
	struct decoder *d, const ProtobufCMessageDescriptor *type, const void *message, size_t size)
{
	void *m = unpack_into(d->arena, type, message, size);

	if (m)
		return m;
	if (d->arena->is_full)
		rpc_status_set(d->status, RPC_RESOURCE_EXHAUSTED,
			"the request needs more than %u bytes of memory", ARENA_MAX);
	else if (d->arena->is_short)
		rpc_status_set(d->status, RPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		rpc_status_set(d->status, RPC_INTERNAL, "the request is no %s", type->short_name);
	return NULL;
}

/* ---- texts ----------------------------------------------------------------------------------- */

enum text_kind { TEXT_PLAIN, TEXT_VALUE };

/* "" for an absent one. The byte behind it is zero: the arena's promise. */
static int take(struct decoder *d, const char *field, const ProtobufCBinaryData *b,
	enum text_kind kind, const char **ret)
{
	const char *s = b->len ? (const char *)b->data : "";

	for (size_t i = 0; i < b->len;) {
		uint32_t rune;
		size_t n = str_utf8_next(s + i, b->len - i, &rune);

		if (n == 0)
			return REFUSE(d, "%s is not valid UTF-8", field);
		if (rune == 0)
			return REFUSE(d, "%s has a NUL in it", field);
		if (kind == TEXT_PLAIN && rune_is_control(rune))
			return REFUSE(d, "%s has a control character in it", field);
		i += n;
	}
	*ret = s;
	return 0;
}

static int take_id(struct decoder *d, const ProtobufCBinaryData *b, const char **ret)
{
	if (b->len == 0)
		return REFUSE(d, "volume_id is missing");
	if (b->len > CSI_VOLUME_ID_MAX)
		return REFUSE(
			d, "volume_id has %zu bytes, more than %d", b->len, CSI_VOLUME_ID_MAX);
	return take(d, "volume_id", b, TEXT_PLAIN, ret);
}

/* No component may lead elsewhere than it says. */
static bool is_straight(const char *path)
{
	for (const char *p = path; (p = strchr(p, '/')) != NULL;) {
		size_t n = strcspn(++p, "/");

		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	return true;
}

static int take_path(
	struct decoder *d, const char *field, const ProtobufCBinaryData *b, const char **ret)
{
	int r;

	if (b->len > CSI_PATH_MAX)
		return REFUSE(d, "%s has %zu bytes, more than %d", field, b->len, CSI_PATH_MAX);
	r = take(d, field, b, TEXT_PLAIN, ret);
	if (r < 0 || b->len == 0)
		return r;
	if ((*ret)[0] != '/')
		return REFUSE(d, "%s is not absolute: \"%s\"", field, *ret);
	if (!is_straight(*ret))
		return REFUSE(d, "%s has a component that is \".\" or \"..\": \"%s\"", field, *ret);
	return 0;
}

static int take_needed_path(
	struct decoder *d, const char *field, const ProtobufCBinaryData *b, const char **ret)
{
	if (b->len == 0)
		return REFUSE(d, "%s is missing", field);
	return take_path(d, field, b, ret);
}

/* ---- maps ------------------------------------------------------------------------------------ */

struct ranked {
	struct csi_pair pair;
	size_t rank; /* on the wire */
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int r = strcmp(x->pair.key, y->pair.key);

	return r != 0 ? r : (x->rank > y->rank) - (x->rank < y->rank);
}

static int no_memory(struct decoder *d)
{
	rpc_status_set(d->status, RPC_RESOURCE_EXHAUSTED, "out of memory");
	return -EBADMSG;
}

static void keep_last_of_each(struct csi_map *m, const struct ranked *sorted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || !streq(sorted[i].pair.key, sorted[i + 1].pair.key))
			m->pairs[m->n++] = sorted[i].pair;
}

static int take_map(struct decoder *d, const char *field, Csi__V1__RequestEntry *const *entries,
	size_t n, struct csi_map *ret)
{
	struct ranked *sorted;
	int r;

	*ret = (struct csi_map){NULL, 0};
	if (n == 0)
		return 0;
	sorted = arena_alloc(d->arena, n * sizeof(*sorted));
	ret->pairs = arena_alloc(d->arena, n * sizeof(*ret->pairs));
	if (!sorted || !ret->pairs)
		return no_memory(d);
	for (size_t i = 0; i < n; i++) {
		sorted[i].rank = i;
		r = take(d, field, &entries[i]->key, TEXT_PLAIN, &sorted[i].pair.key);
		if (r == 0)
			r = take(d, field, &entries[i]->value, TEXT_VALUE, &sorted[i].pair.value);
		if (r < 0)
			return r;
	}
	qsort(sorted, n, sizeof(*sorted), compare_ranked);
	keep_last_of_each(ret, sorted, n);
	return 0;
}

/* ---- volume_capability ----------------------------------------------------------------------- */

static int take_flags(
	struct decoder *d, const Csi__V1__VolumeCapability__MountVolume *m, struct csi_publish *r)
{
	const char **flags;
	size_t sum = 0;
	int error;

	if (m->n_mount_flags == 0)
		return 0;
	flags = arena_alloc(d->arena, m->n_mount_flags * sizeof(*flags));
	if (!flags)
		return no_memory(d);
	for (size_t i = 0; i < m->n_mount_flags; i++) {
		sum += m->mount_flags[i].len;
		if (sum > CSI_FLAGS_MAX)
			return REFUSE(d, "mount_flags have more than %d bytes", CSI_FLAGS_MAX);
		error = take(d, "mount_flags", &m->mount_flags[i], TEXT_PLAIN, &flags[i]);
		if (error < 0)
			return error;
	}
	r->mount_flags = flags;
	r->n_mount_flags = m->n_mount_flags;
	return 0;
}

/* The pod's fsGroup in decimal; -1 is what chown(2) takes for "leave it". */
static int take_group(struct decoder *d, const ProtobufCBinaryData *b, struct csi_publish *r)
{
	const char *text;
	uint64_t group;
	int error;

	if (b->len == 0)
		return 0;
	error = take(d, "volume_mount_group", b, TEXT_PLAIN, &text);
	if (error < 0)
		return error;
	if (parse_u64(text, 0, (gid_t)-2, &group) < 0)
		return REFUSE(d, "volume_mount_group is no group id: \"%.64s\"", text);
	r->has_group = true;
	r->group = (gid_t)group;
	return 0;
}

static int take_mount(
	struct decoder *d, const Csi__V1__VolumeCapability__MountVolume *m, struct csi_publish *r)
{
	int error = take(d, "fs_type", &m->fs_type, TEXT_PLAIN, &r->fs_type);

	if (error == 0)
		error = take_flags(d, m, r);
	return error < 0 ? error : take_group(d, &m->volume_mount_group, r);
}

static int take_capability(
	struct decoder *d, const Csi__V1__VolumeCapability *c, struct csi_publish *r)
{
	int32_t mode;

	if (!c)
		return REFUSE(d, "volume_capability is missing");
	if (!c->access_mode)
		return REFUSE(d, "volume_capability.access_mode is missing");
	mode = c->access_mode->mode;
	if (mode < CSI_SINGLE_NODE_WRITER || mode > CSI_SINGLE_NODE_MULTI_WRITER)
		return REFUSE(d, "volume_capability.access_mode.mode %d is none that is known",
			(int)mode);
	r->mode = (enum csi_mode)mode;
	switch (c->access_type_case) {
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT:
		return take_mount(d, c->mount, r);
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK:
		rpc_status_set(d->status, RPC_FAILED_PRECONDITION,
			"volume_capability.access_type is block: only file systems are served");
		return -EBADMSG;
	default:
		return REFUSE(d, "volume_capability.access_type is missing");
	}
}

/* ---- the requests ---------------------------------------------------------------------------- */

static int take_maps(
	struct decoder *d, const Csi__V1__NodePublishVolumeRequest *m, struct csi_publish *r)
{
	int error =
		take_map(d, "volume_context", m->volume_context, m->n_volume_context, &r->context);

	if (error == 0)
		error = take_map(d, "publish_context", m->publish_context, m->n_publish_context,
			&r->publish_context);
	return error < 0 ? error : take_map(d, "secrets", m->secrets, m->n_secrets, &r->secrets);
}

int csi_publish_decode(struct csi_publish *r, struct arena *a, const void *message, size_t size,
	struct rpc_status *ret)
{
	struct decoder d = {a, ret};
	const Csi__V1__NodePublishVolumeRequest *m =
		unpack(&d, &csi__v1__node_publish_volume_request__descriptor, message, size);
	int error;

	*r = (struct csi_publish){.fs_type = ""};
	if (!m)
		return -EBADMSG;
	error = take_id(&d, &m->volume_id, &r->volume_id);
	if (error == 0)
		error = take_needed_path(&d, "target_path", &m->target_path, &r->target_path);
	if (error == 0)
		error = take_path(
			&d, "staging_target_path", &m->staging_target_path, &r->staging_path);
	if (error == 0)
		error = take_capability(&d, m->volume_capability, r);
	if (error == 0)
		error = take_maps(&d, m, r);
	r->readonly = m->readonly;
	return error;
}

int csi_unpublish_decode(struct csi_unpublish *r, struct arena *a, const void *message, size_t size,
	struct rpc_status *ret)
{
	struct decoder d = {a, ret};
	const Csi__V1__NodeUnpublishVolumeRequest *m =
		unpack(&d, &csi__v1__node_unpublish_volume_request__descriptor, message, size);
	int error;

	if (!m)
		return -EBADMSG;
	error = take_id(&d, &m->volume_id, &r->volume_id);
	return error < 0 ? error
			 : take_needed_path(&d, "target_path", &m->target_path, &r->target_path);
}

/* No volume is at a path of another shape: "not at volume_path", as csi-sanity has it. */
static int take_volume_path(struct decoder *d, const ProtobufCBinaryData *b, const char **ret)
{
	int r;

	*ret = NULL;
	r = take_needed_path(d, "volume_path", b, ret);
	if (r < 0 && *ret)
		d->status->code = RPC_NOT_FOUND;
	return r;
}

int csi_stats_decode(struct csi_stats_request *r, struct arena *a, const void *message, size_t size,
	struct rpc_status *ret)
{
	struct decoder d = {a, ret};
	const Csi__V1__NodeGetVolumeStatsRequest *m =
		unpack(&d, &csi__v1__node_get_volume_stats_request__descriptor, message, size);
	int error;

	if (!m)
		return -EBADMSG;
	error = take_id(&d, &m->volume_id, &r->volume_id);
	if (error == 0)
		error = take_volume_path(&d, &m->volume_path, &r->volume_path);
	return error < 0 ? error
			 : take_path(&d, "staging_target_path", &m->staging_target_path,
				   &r->staging_path);
}

int csi_empty_decode(struct arena *a, const void *message, size_t size, struct rpc_status *ret)
{
	struct decoder d = {a, ret};

	return unpack(&d, &csi__v1__empty__descriptor, message, size) ? 0 : -EBADMSG;
}

int csi_registration_status_decode(bool *ret_registered, const char **ret_error, struct arena *a,
	const void *message, size_t size)
{
	const Pluginregistration__RegistrationStatus *m =
		unpack_into(a, &pluginregistration__registration_status__descriptor, message, size);

	if (!m)
		return -EBADMSG;
	*ret_registered = m->plugin_registered;
	*ret_error = m->error.len ? (const char *)m->error.data : "";
	return 0;
}

int csi_probe_decode(bool *ret_ready, struct arena *a, const void *message, size_t size)
{
	const Csi__V1__ProbeResponse *m =
		unpack_into(a, &csi__v1__probe_response__descriptor, message, size);

	if (!m)
		return -EBADMSG;
	*ret_ready = !m->ready || m->ready->value;
	return 0;
}
