/* SPDX-License-Identifier: Apache-2.0 */
/* parameters.c: a StorageClass's parameters, each checked by a function of its own in one table */
#include "volume/parameters.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/str.h"

/* A DNS name's limit; addresses with a zone are shorter. */
#define SERVER_MAX 253
/* A class's own text, shown in errors. */
#define SHOWN_MAX 120
/* (uid_t)-1 means "leave alone" to every system call. */
#define ID_MAX (UINT32_MAX - 1)

/* What has to be looked at after all keys were read. */
struct parse {
	struct parameters *p;
	const char *reclaim, *on_delete, *archive_on_delete;
	bool retain;
};

typedef int (*parameter_fn)(struct parse *s, const char *value, struct err *e);

static bool server_is_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    (c && strchr(".-:%_", c))))
			return false;
	}
	return n > 0 && n <= SERVER_MAX && s[0] != '-' && s[0] != '.';
}

static int add_server(struct parameters *p, const char *s, size_t n, struct err *e)
{
	while (n > 0 && *s == ' ') {
		s++;
		n--;
	}
	while (n > 0 && s[n - 1] == ' ')
		n--;
	if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	if (!server_is_text(s, n))
		return err_set(
			e, EINVAL, "must be a name, an IPv4 or an IPv6 address, or a list of them");
	if (p->n_servers == VOLUME_SERVERS_MAX)
		return err_set(e, EINVAL, "names more than %d servers", VOLUME_SERVERS_MAX);
	p->servers[p->n_servers] = strndup(s, n);
	if (!p->servers[p->n_servers])
		return err_sys(e, ENOMEM, "cannot keep a server's name");
	p->n_servers++;
	return 0;
}

static int set_server(struct parse *s, const char *value, struct err *e)
{
	for (;;) {
		const char *comma = strchrnul(value, ',');
		int r = add_server(s->p, value, (size_t)(comma - value), e);

		if (r < 0 || !*comma)
			return r;
		value = comma + 1;
	}
}

/* As the PV's attributes are checked, which this becomes (volume_export_check()). */
static int export_component(const char *s, size_t n, struct err *e)
{
	if (n == strlen(CONTROL_DIRECTORY) && memcmp(s, CONTROL_DIRECTORY, n) == 0)
		return err_set(e, EINVAL, "is a control directory of Berth's, or in one");
	return path_component_check(s, n, e);
}

static int set_export(struct parse *s, const char *value, struct err *e)
{
	size_t len = strlen(value);

	if (value[0] != '/')
		return err_set(e, EINVAL, "must be an absolute path");
	if (len >= VOLUME_EXPORT_MAX)
		return err_set(e, EINVAL, "is longer than %d bytes", VOLUME_EXPORT_MAX - 1);
	while (len > 1 && value[len - 1] == '/')
		len--;
	for (size_t at = 1; len > 1 && at <= len;) {
		const char *slash = memchr(value + at, '/', len - at);
		size_t n = slash ? (size_t)(slash - value) - at : len - at;
		int r = export_component(value + at, n, e);

		if (r < 0)
			return r;
		at += n + 1;
	}
	s->p->export_ = strndup(value, len);
	return s->p->export_ ? 0 : err_sys(e, ENOMEM, "cannot keep the export");
}

/* csi-driver-nfs' word for it. */
static int set_share(struct parse *s, const char *value, struct err *e)
{
	return s->p->export_ ? err_set(e, EINVAL, "cannot stand beside export")
			     : set_export(s, value, e);
}

static int set_pattern(struct parse *s, const char *value, struct err *e)
{
	int r = pattern_check(value, e);

	if (r < 0)
		return r;
	s->p->pattern = strdup(value);
	return s->p->pattern ? 0 : err_sys(e, ENOMEM, "cannot keep the pattern");
}

/* Likewise; a pattern may hold its variables. */
static int set_sub_dir(struct parse *s, const char *value, struct err *e)
{
	return s->p->pattern ? err_set(e, EINVAL, "cannot stand beside pathPattern")
			     : set_pattern(s, value, e);
}

static int parse_id(const char *value, uint32_t *ret, struct err *e)
{
	uint64_t id = 0;

	if (parse_u64(value, 0, ID_MAX, &id) < 0)
		return err_set(e, EINVAL, "must be a number from 0 to %u", ID_MAX);
	*ret = (uint32_t)id;
	return 0;
}

static int set_uid(struct parse *s, const char *value, struct err *e)
{
	s->p->flags |= VOLUME_UID_SET;
	return parse_id(value, &s->p->uid, e);
}

static int set_gid(struct parse *s, const char *value, struct err *e)
{
	s->p->flags |= VOLUME_GID_SET;
	return parse_id(value, &s->p->gid, e);
}

static int set_mode(struct parse *s, const char *value, struct err *e)
{
	s->p->flags |= VOLUME_MODE_SET;
	if (parse_mode(value, &s->p->mode) < 0)
		return err_set(e, EINVAL, "must be an octal mode such as 0770");
	return 0;
}

static int parse_truth(const char *value, bool *ret, struct err *e)
{
	return parse_bool(value, ret) < 0 ? err_set(e, EINVAL, "must be true or false") : 0;
}

static int set_flag(struct parse *s, unsigned flag, const char *value, struct err *e)
{
	bool on = false;
	int r = parse_truth(value, &on, e);

	if (on)
		s->p->flags |= flag;
	return r;
}

static int set_adopt(struct parse *s, const char *value, struct err *e)
{
	return set_flag(s, VOLUME_ADOPT, value, e);
}

static int set_shared(struct parse *s, const char *value, struct err *e)
{
	return set_flag(s, VOLUME_SHARED, value, e);
}

static int set_suid(struct parse *s, const char *value, struct err *e)
{
	return set_flag(s, VOLUME_SUID, value, e);
}

static int set_dev(struct parse *s, const char *value, struct err *e)
{
	return set_flag(s, VOLUME_DEV, value, e);
}

static int set_require_node_label(struct parse *s, const char *value, struct err *e)
{
	return parse_truth(value, &s->p->require_node_label, e);
}

static int set_reclaim(struct parse *s, const char *value, struct err *e)
{
	s->reclaim = value;
	if (volume_reclaim_parse(value, &s->p->reclaim) < 0)
		return err_set(e, EINVAL, "must be Delete, Archive, Retain or Recycle");
	if (s->retain && s->p->reclaim != RECLAIM_RETAIN)
		return err_set(e, EINVAL, "contradicts the class's reclaimPolicy Retain");
	return 0;
}

static int set_trash_ttl(struct parse *s, const char *value, struct err *e)
{
	if (parse_duration(value, &s->p->trash_ttl_ns) < 0)
		return err_set(e, EINVAL, "must be a duration such as 72h or 7d");
	return 0;
}

static int set_on_delete(struct parse *s, const char *value, struct err *e)
{
	s->on_delete = value;
	if (strcasecmp(value, "delete") == 0)
		s->p->reclaim = RECLAIM_DELETE;
	else if (strcasecmp(value, "retain") == 0)
		s->p->reclaim = RECLAIM_RETAIN;
	else if (strcasecmp(value, "archive") == 0)
		s->p->reclaim = RECLAIM_ARCHIVE;
	else
		return err_set(e, EINVAL, "must be delete, retain or archive");
	return 0;
}

/* Read last of the three: onDelete wins over it, as in the peer. */
static int set_archive_on_delete(struct parse *s, const char *value, struct err *e)
{
	bool archive = false;
	int r = parse_truth(value, &archive, e);

	s->archive_on_delete = value;
	if (r >= 0 && !s->on_delete)
		s->p->reclaim = archive ? RECLAIM_ARCHIVE : RECLAIM_DELETE;
	return r;
}

static int set_source(struct parse *s, const char *value, struct err *e)
{
	if (streq(value, "csi"))
		s->p->source = SOURCE_CSI;
	else if (streq(value, "native"))
		s->p->source = SOURCE_NATIVE;
	else
		return err_set(e, EINVAL, "must be csi or native");
	return 0;
}

static int set_act_as(struct parse *s, const char *value, struct err *e)
{
	const char *colon = strchr(value, ':');
	char uid[16];

	if (!colon || (size_t)(colon - value) >= sizeof(uid))
		return err_set(e, EINVAL, "must be uid:gid");
	memcpy(uid, value, (size_t)(colon - value));
	uid[colon - value] = '\0';
	if (parse_id(uid, &s->p->act_uid, NULL) < 0 ||
		parse_id(colon + 1, &s->p->act_gid, NULL) < 0)
		return err_set(e, EINVAL, "must be uid:gid, two numbers from 0 to %u", ID_MAX);
	s->p->act_as_set = true;
	return 0;
}

static int set_binding(struct parse *s, const char *value, struct err *e)
{
	if (!streq(value, "assist") && !streq(value, "controller"))
		return err_set(e, EINVAL, "must be controller or assist");
	s->p->assist = streq(value, "assist");
	s->p->binding_set = true;
	return 0;
}

static int parse_port(const char *value, uint16_t *ret, struct err *e)
{
	uint64_t port = 0;

	if (parse_u64(value, 1, UINT16_MAX, &port) < 0)
		return err_set(e, EINVAL, "must be a port from 1 to %d", UINT16_MAX);
	*ret = (uint16_t)port;
	return 0;
}

static int set_nfs_port(struct parse *s, const char *value, struct err *e)
{
	return parse_port(value, &s->p->nfs_port, e);
}

static int set_mount_port(struct parse *s, const char *value, struct err *e)
{
	return parse_port(value, &s->p->mount_port, e);
}

static int set_fstype(struct parse *s, const char *value, struct err *e)
{
	(void)s;
	if (*value && !streq(value, "nfs"))
		return err_set(e, EINVAL, "must be empty or nfs");
	return 0;
}

/* In the order in which they are looked at. */
static const struct {
	const char *key;
	parameter_fn set;
} table[] = {
	{"server", set_server},
	{"export", set_export},
	{"share", set_share},
	{"pathPattern", set_pattern},
	{"subDir", set_sub_dir},
	{"uid", set_uid},
	{"gid", set_gid},
	{"mode", set_mode},
	{"adopt", set_adopt},
	{"shared", set_shared},
	{"suid", set_suid},
	{"dev", set_dev},
	{"requireNodeLabel", set_require_node_label},
	{"reclaim", set_reclaim},
	{"trashTTL", set_trash_ttl},
	{"onDelete", set_on_delete},
	{"archiveOnDelete", set_archive_on_delete},
	{"source", set_source},
	{"actAs", set_act_as},
	{"binding", set_binding},
	{"nfsPort", set_nfs_port},
	{"mountPort", set_mount_port},
	{"csi.storage.k8s.io/fstype", set_fstype},
};

static bool key_known(const char *key)
{
	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		if (streq(table[i].key, key))
			return true;
	return false;
}

static int refuse_unknown(const json_t *json, struct err *e)
{
	char shown[SHOWN_MAX];
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)json, key, value) {
		str_escape(shown, sizeof(shown), key);
		if (str_after(key, "csi.storage.k8s.io/") && strstr(key, "secret"))
			return err_set(e, EINVAL, "parameter %s: secrets are not used", shown);
		if (!key_known(key))
			return err_set(e, EINVAL, "parameter %s: unknown", shown);
		if (!json_is_string(value))
			return err_set(e, EINVAL, "parameter %s: must be a string", shown);
		if (strlen(json_string_value(value)) != json_string_length(value))
			return err_set(e, EINVAL, "parameter %s: holds a NUL", shown);
	}
	return 0;
}

static int one_version(const char *option, size_t n, int *ret, struct err *e)
{
	static const struct {
		const char *text;
		int version;
	} versions[] = {{"3", 3}, {"4", 4}, {"4.0", 4}, {"4.1", 4}, {"4.2", 4}};
	char text[SHOWN_MAX], shown[SHOWN_MAX];
	const char *value;

	if (n >= sizeof(text))
		return 0;
	memcpy(text, option, n);
	text[n] = '\0';
	value = str_after(text, "vers=");
	if (!value)
		value = str_after(text, "nfsvers=");
	if (!value)
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(versions); i++) {
		if (streq(value, versions[i].text)) {
			*ret = versions[i].version;
			return 0;
		}
	}
	return err_set(e, EINVAL, "mountOptions: %s: the version must be 3 or 4",
		str_escape(shown, sizeof(shown), text));
}

static int parse_mount_options(struct parameters *p, const json_t *options, struct err *e)
{
	size_t i;
	json_t *item;

	json_array_foreach (options, i, item) {
		const char *s = json_string_value(item);

		while (s && *s) {
			size_t n = strcspn(s, ",");
			int r = one_version(s, n, &p->version, e);

			if (r < 0)
				return r;
			s += n + (s[n] == ',');
		}
	}
	return 0;
}

static int check_whole(const struct parse *s, struct err *e)
{
	if (s->p->n_servers == 0)
		return err_set(e, EINVAL, "parameter server: missing");
	if (!s->p->export_)
		return err_set(e, EINVAL, "parameter export: missing");
	if (s->reclaim && (s->on_delete || s->archive_on_delete))
		return err_set(e, EINVAL, "parameter %s: cannot stand beside reclaim",
			s->on_delete ? "onDelete" : "archiveOnDelete");
	if ((s->p->flags & VOLUME_SHARED) && !(s->p->flags & VOLUME_ADOPT))
		return err_set(e, EINVAL, "parameter shared: needs adopt");
	return 0;
}

static int parse_all(struct parse *s, const json_t *json, const json_t *options, struct err *e)
{
	int r = json ? refuse_unknown(json, e) : 0;

	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(table); i++) {
		const char *value = json_string_value(json_object_get(json, table[i].key));

		if (!value)
			continue;
		r = table[i].set(s, value, e);
		if (r < 0)
			(void)err_prefix(e, "parameter %s", table[i].key);
	}
	if (r >= 0)
		r = check_whole(s, e);
	if (r >= 0 && options)
		r = parse_mount_options(s->p, options, e);
	return r;
}

int parameters_parse(struct parameters *ret, const json_t *json, const json_t *mount_options,
	bool retain, struct err *e)
{
	struct parameters p = {.reclaim = RECLAIM_DELETE};
	struct parse s = {.p = &p, .retain = retain};
	int r = parse_all(&s, json, mount_options, e);

	if (r < 0) {
		parameters_done(&p);
		return r;
	}
	/* A class with policy Retain never reclaims, whatever the peers' words say. */
	if (retain)
		p.reclaim = RECLAIM_RETAIN;
	*ret = p;
	return 0;
}

void parameters_done(struct parameters *p)
{
	for (size_t i = 0; i < p->n_servers; i++)
		free(p->servers[i]);
	free(p->export_);
	free(p->pattern);
	*p = (struct parameters){.n_servers = 0};
}

struct volume_place parameters_place(const struct parameters *p, const char *server)
{
	return (struct volume_place){
		.server = server,
		.export_ = p->export_,
		.nfs_port = p->nfs_port,
		.mount_port = p->mount_port,
		.version = p->version,
		.act_as_set = p->act_as_set,
		.act_uid = p->act_uid,
		.act_gid = p->act_gid,
	};
}
