/* SPDX-License-Identifier: Apache-2.0 */
/* places.c: two lists of the API server, page by page, then what is mounted */
#include "agent/places.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/admin_json.h"
#include "base/str.h"
#include "data/decode.h"
#include "kube/client.h"
#include "volume/attributes.h"
#include "volume/parameters.h"

#define PATH_CLASSES "/apis/storage.k8s.io/v1/storageclasses"
#define PATH_VOLUMES "/apis/berth.dev/v1alpha1/berthvolumes"
#define PAGE_LIMIT 500
/* 50,000 BerthVolumes. */
#define PAGES_MAX 100
/* A continue token is some 200 bytes. */
#define TOKEN_MAX 4096
#define PATH_MAX_ (3 * TOKEN_MAX + 256)

struct search {
	const struct view *view;
	places_fn fn;
	void *userdata;
	struct timer *later;
	struct places *found;
	bool volumes; /* the classes are through */
	unsigned pages;
};

/* ---- places ------------------------------------------------------------------------------ */

void places_free(struct places *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->place[i].server);
		free(p->place[i].export_);
		json_decref(p->place[i].nfs);
	}
	json_decref(p->known);
	json_decref(p->incomplete);
	free(p);
}

void places_note(struct places *p, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_array_append_new(p->incomplete, admin_text(text));
}

static struct place *find(const struct places *p, const char *server, size_t n, const char *export_)
{
	for (size_t i = 0; i < p->n; i++)
		if (strlen(p->place[i].server) == n &&
			strncmp(p->place[i].server, server, n) == 0 &&
			streq(p->place[i].export_, export_))
			return (struct place *)&p->place[i];
	return NULL;
}

/* Brackets around an IPv6 address are understood. */
const struct place *places_get(const struct places *p, const char *name)
{
	const char *path = strstr(name, ":/");
	size_t n = path ? (size_t)(path - name) : 0;

	if (!path)
		return NULL;
	if (n > 2 && name[0] == '[' && name[n - 1] == ']')
		return find(p, name + 1, n - 2, path + 1);
	return find(p, name, n, path + 1);
}

/* The first to name an export knows most about it. Takes nfs. */
static void add(struct places *p, const struct volume_place *at, json_t *nfs, uint64_t ttl)
{
	struct place *x = find(p, at->server, strlen(at->server), at->export_);

	if (x && x->trash_ttl < ttl)
		x->trash_ttl = ttl;
	if (!x && p->n == PLACES_MAX)
		places_note(p, "%s:%s: there are more than %d exports", at->server, at->export_,
			PLACES_MAX);
	if (x || p->n == PLACES_MAX || !nfs) {
		json_decref(nfs);
		return;
	}
	x = &p->place[p->n++];
	*x = (struct place){.at = *at, .nfs = nfs, .trash_ttl = ttl};
	x->server = strdup(at->server);
	x->export_ = strdup(at->export_);
	x->at.server = x->server;
	x->at.export_ = x->export_;
	x->at.identity = NULL;
	if (x->server && x->export_)
		return;
	p->n--;
	free(x->server);
	free(x->export_);
	json_decref(nfs);
}

/* ---- StorageClasses ---------------------------------------------------------------------- */

static void put_text(json_t *o, const char *key, bool there, const char *text)
{
	if (there)
		(void)json_object_set_new(o, key, json_string(text));
}

/* As the provisioner writes them (provisioner/manifest.c); the trash's keep is each volume's own.
 */
static json_t *spec_of(const struct parameters *c, const char *server)
{
	json_t *o = json_pack("{s:s, s:s}", ATTR_SERVER, server, ATTR_EXPORT, c->export_);
	char n[48];

	if (!o)
		return NULL;
	(void)snprintf(n, sizeof(n), "%u", c->nfs_port);
	put_text(o, ATTR_NFS_PORT, c->nfs_port, n);
	(void)snprintf(n, sizeof(n), "%u", c->mount_port);
	put_text(o, ATTR_MOUNT_PORT, c->mount_port, n);
	(void)snprintf(n, sizeof(n), "%d", c->version);
	put_text(o, ATTR_VERSION, c->version, n);
	(void)snprintf(n, sizeof(n), "%u:%u", c->act_uid, c->act_gid);
	put_text(o, ATTR_ACT_AS, c->act_as_set, n);
	put_text(o, ATTR_SOURCE, c->source == SOURCE_NATIVE, "native");
	put_text(o, ATTR_SUID, c->flags & VOLUME_SUID, "true");
	put_text(o, ATTR_DEV, c->flags & VOLUME_DEV, "true");
	return o;
}

static void take_class(struct search *s, const json_t *class)
{
	const char *policy = json_string_at(class, "reclaimPolicy", NULL);
	struct parameters c = {.n_servers = 0};
	const struct view *v = s->view;

	if (!streq_null(json_string_at(class, "provisioner", NULL), v->nfs_driver(v->agent)))
		return;
	if (parameters_parse(&c, json_object_get(class, "parameters"),
		    json_object_get(class, "mountOptions"), streq_null(policy, "Retain"), NULL) < 0)
		return;
	for (size_t i = 0; i < c.n_servers; i++) {
		const struct volume_place at = parameters_place(&c, c.servers[i]);

		add(s->found, &at, spec_of(&c, c.servers[i]), c.trash_ttl_ns);
	}
	parameters_done(&c);
}

/* ---- BerthVolumes ------------------------------------------------------------------------ */

static const char *attribute(const char *key, void *userdata)
{
	return json_string_at(userdata, key, NULL);
}

static void take_volume(struct search *s, const json_t *volume)
{
	const char *name = json_string_at(volume, "metadata", "name", NULL);
	const json_t *spec = json_object_get(volume, "spec");
	json_t *nfs = json_object_get(spec, "nfs");
	struct volume_attributes a = {.flags = 0};
	const struct view *v = s->view;
	json_t *copy;

	/* An order is no volume yet. */
	if (name && !json_string_at(volume, "metadata", "annotations", "berth.dev/adopt", NULL))
		(void)json_object_set_new(s->found->known, name, json_true());
	if (!nfs || volume_attributes_nfs(&a, attribute, nfs, NULL) < 0 ||
		!streq_null(json_string_at(spec, "driver", NULL), v->nfs_driver(v->agent)) ||
		find(s->found, a.place.server, strlen(a.place.server), a.place.export_))
		return;
	copy = json_deep_copy(nfs);
	if (copy)
		(void)json_object_del(copy, ATTR_TRASH_TTL);
	add(s->found, &a.place, copy, 0);
}

/* ---- what is mounted here ---------------------------------------------------------------- */

static void on_export(const struct view_export *x, void *userdata)
{
	const struct volume_place at = {
		.server = x->server,
		.export_ = x->export_,
		.version = x->version > 3 ? 4 : (int)x->version,
	};
	char version[16];
	json_t *nfs;

	if (!*x->server || !*x->export_)
		return;
	nfs = json_pack("{s:s, s:s}", ATTR_SERVER, x->server, ATTR_EXPORT, x->export_);
	(void)snprintf(version, sizeof(version), "%d", at.version);
	put_text(nfs, ATTR_VERSION, at.version, version);
	add(userdata, &at, nfs, 0);
}

/* ---- the search -------------------------------------------------------------------------- */

static void search_end(struct search *s)
{
	const struct view *v = s->view;

	if (v->exports)
		v->exports(v->agent, on_export, s->found);
	s->fn(s->found, s->userdata);
	timer_free(s->later);
	free(s);
}

static void on_later(struct timer *t, void *userdata)
{
	(void)t;
	search_end(userdata);
}

static int ask(struct search *s, const char *token);

static void no_list(struct search *s, const char *why)
{
	json_decref(s->found->known);
	s->found->known = NULL;
	places_note(s->found, "API server: %s: %s", s->volumes ? "BerthVolumes" : "StorageClasses",
		why);
	search_end(s);
}

static void on_page(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct search *s = userdata;
	const char *token = json_string_at(res->object, "metadata", "continue", NULL);
	json_t *item;
	size_t i;

	(void)q;
	if (res->status != KUBE_OK) {
		no_list(s, res->err.text);
		return;
	}
	json_array_foreach (json_object_get(res->object, "items"), i, item) {
		if (s->volumes)
			take_volume(s, item);
		else
			take_class(s, item);
	}
	if (str_empty(token) && s->volumes) {
		search_end(s);
		return;
	}
	if (str_empty(token)) {
		s->volumes = true;
		token = NULL;
	}
	if (++s->pages > PAGES_MAX || ask(s, token) < 0)
		no_list(s, "there are too many");
}

static int ask(struct search *s, const char *token)
{
	const struct view *v = s->view;
	char path[PATH_MAX_], escaped[3 * TOKEN_MAX + 1] = "";

	if (token && kube_escape(escaped, sizeof(escaped), token) < 0)
		return -ENAMETOOLONG;
	(void)snprintf(path, sizeof(path), "%s?limit=%d%s%s",
		s->volumes ? PATH_VOLUMES : PATH_CLASSES, PAGE_LIMIT, token ? "&continue=" : "",
		escaped);
	return kube_request_json(v->api(v->agent), KUBE_GET, path, NULL, on_page, s, NULL);
}

static struct places *places_new(void)
{
	struct places *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->known = json_object();
	p->incomplete = json_array();
	if (p->known && p->incomplete)
		return p;
	places_free(p);
	return NULL;
}

int places_find(struct loop *l, const struct view *v, places_fn fn, void *userdata)
{
	struct search *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct search){.view = v, .fn = fn, .userdata = userdata, .found = places_new()};
	if (!s->found || timer_new_exact(&s->later, l, on_later, s) < 0) {
		places_free(s->found);
		free(s);
		return -ENOMEM;
	}
	if (v->api && v->api(v->agent) && ask(s, NULL) >= 0)
		return 0;
	json_decref(s->found->known);
	s->found->known = NULL;
	timer_arm(s->later, 0);
	return 0;
}
