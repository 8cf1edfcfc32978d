/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig.c: the current context of a kubeconfig file (client-go tools/clientcmd/api/v1) */
#include "kube/kubeconfig.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/yaml.h"

struct file {
	const char *current_context;
	const json_t *contexts, *clusters, *users;
};

static const struct decode_field file_fields[] = {
	{"current-context", DECODE_STRING, offsetof(struct file, current_context), 0, NULL, NULL},
	{"contexts", DECODE_JSON, offsetof(struct file, contexts), 0, NULL, NULL},
	{"clusters", DECODE_JSON, offsetof(struct file, clusters), 0, NULL, NULL},
	{"users", DECODE_JSON, offsetof(struct file, users), 0, NULL, NULL},
};
static const struct decode_table file_table = DECODE_TABLE(file_fields, false);

struct context {
	const char *cluster, *user, *namespace_;
};

static const struct decode_field context_fields[] = {
	{"cluster", DECODE_STRING, offsetof(struct context, cluster), DECODE_REQUIRED, NULL, NULL},
	{"user", DECODE_STRING, offsetof(struct context, user), 0, NULL, NULL},
	{"namespace", DECODE_STRING, offsetof(struct context, namespace_), 0, NULL, NULL},
};
static const struct decode_table context_table = DECODE_TABLE(context_fields, false);

struct cluster {
	const char *server, *ca_file, *ca_data, *tls_server_name, *proxy_url;
	bool insecure;
};

static const struct decode_field cluster_fields[] = {
	{"server", DECODE_STRING, offsetof(struct cluster, server), DECODE_REQUIRED, NULL, NULL},
	{"certificate-authority", DECODE_STRING, offsetof(struct cluster, ca_file), 0, NULL, NULL},
	{"certificate-authority-data", DECODE_STRING, offsetof(struct cluster, ca_data), 0, NULL,
		NULL},
	{"tls-server-name", DECODE_STRING, offsetof(struct cluster, tls_server_name), 0, NULL,
		NULL},
	{"proxy-url", DECODE_STRING, offsetof(struct cluster, proxy_url), 0, NULL, NULL},
	{"insecure-skip-tls-verify", DECODE_BOOL, offsetof(struct cluster, insecure), 0, NULL,
		NULL},
};
static const struct decode_table cluster_table = DECODE_TABLE(cluster_fields, false);

struct user {
	const char *token, *token_file, *cert_file, *cert_data, *key_file, *key_data;
	const char *username, *password;
	bool exec, auth_provider;
};

static const struct decode_field user_fields[] = {
	{"token", DECODE_STRING, offsetof(struct user, token), 0, NULL, NULL},
	{"tokenFile", DECODE_STRING, offsetof(struct user, token_file), 0, NULL, NULL},
	{"client-certificate", DECODE_STRING, offsetof(struct user, cert_file), 0, NULL, NULL},
	{"client-certificate-data", DECODE_STRING, offsetof(struct user, cert_data), 0, NULL, NULL},
	{"client-key", DECODE_STRING, offsetof(struct user, key_file), 0, NULL, NULL},
	{"client-key-data", DECODE_STRING, offsetof(struct user, key_data), 0, NULL, NULL},
	{"username", DECODE_STRING, offsetof(struct user, username), 0, NULL, NULL},
	{"password", DECODE_STRING, offsetof(struct user, password), 0, NULL, NULL},
	{"exec", DECODE_PRESENT, offsetof(struct user, exec), 0, NULL, NULL},
	{"auth-provider", DECODE_PRESENT, offsetof(struct user, auth_provider), 0, NULL, NULL},
};
static const struct decode_table user_table = DECODE_TABLE(user_fields, false);

/* Where texts go, and relative paths begin. */
struct reader {
	const char *path;
	struct kube_config *config;
	struct err *e;
};

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

int kubeconfig_base64(const char *text, struct kube_blob *ret)
{
	_cleanup_free_ unsigned char *data = malloc(strlen(text) / 4 * 3 + 4);
	size_t n = 0, digits = 0, padding = 0;
	uint32_t bits = 0;

	if (!data)
		return -ENOMEM;
	for (const char *p = text; *p; p++) {
		int v = base64_value(*p);

		if (strchr(" \t\r\n", *p))
			continue;
		if (*p == '=' && ++padding <= 2)
			continue;
		if (v < 0 || padding > 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
		if (++digits % 4 != 1)
			data[n++] = (unsigned char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	if (digits % 4 == 1 || (padding > 0 && (digits + padding) % 4 != 0))
		return -EINVAL;
	data[n] = '\0';
	*ret = (struct kube_blob){.data = (char *)TAKE_PTR(data), .size = n};
	return 0;
}

static int take_text(struct reader *r, char **dst, const char *text)
{
	if (str_empty(text))
		return 0;
	*dst = strdup(text);
	return *dst ? 0 : err_sys(r->e, ENOMEM, "%s", r->path);
}

/* Relative to the kubeconfig's directory. */
static int take_path(struct reader *r, char **dst, const char *text)
{
	const char *slash = strrchr(r->path, '/');

	if (str_empty(text) || *text == '/' || !slash)
		return take_text(r, dst, text);
	if (asprintf(dst, "%.*s/%s", (int)(slash - r->path), r->path, text) >= 0)
		return 0;
	*dst = NULL;
	return err_sys(r->e, ENOMEM, "%s", r->path);
}

static int take_blob(struct reader *r, struct kube_blob *dst, const char *text, const char *key)
{
	int c;

	if (str_empty(text))
		return 0;
	c = kubeconfig_base64(text, dst);
	if (c == -EINVAL)
		return err_set(r->e, EINVAL, "%s: %s: not base64", r->path, key);
	return c < 0 ? err_sys(r->e, c, "%s", r->path) : 0;
}

/* The member kind of the entry called name in a list of {name, kind}. */
static const json_t *find_entry(const json_t *list, const char *name, const char *kind)
{
	size_t i;
	json_t *entry;

	json_array_foreach ((json_t *)list, i, entry) {
		const char *called = json_string_at(entry, "name", NULL);

		if (called && streq(called, name))
			return json_object_get(entry, kind);
	}
	return NULL;
}

static int decode_entry(struct reader *r, const json_t *list, const char *name, const char *kind,
	const struct decode_table *t, void *ret)
{
	const json_t *entry = find_entry(list, name, kind);

	if (!entry)
		return err_set(r->e, ENOENT, "%s: no %s is called '%s'", r->path, kind, name);
	if (decode(t, entry, ret, r->e) < 0)
		return err_prefix(r->e, "%s: %s '%s'", r->path, kind, name);
	return 0;
}

static int check_server(struct reader *r)
{
	char *server = r->config->server;
	size_t n = strlen(server);

	while (n > 0 && server[n - 1] == '/')
		server[--n] = '\0';
	if (!str_after(server, "https://") && !str_after(server, "http://"))
		return err_set(r->e, EINVAL, "%s: server '%s' is no http or https address", r->path,
			server);
	return 0;
}

static int take_cluster(struct reader *r, const struct cluster *c)
{
	struct kube_config *k = r->config;
	int n = take_text(r, &k->server, c->server);

	if (n >= 0 && !k->server)
		n = err_set(r->e, EINVAL, "%s: the cluster has no server", r->path);
	if (n >= 0)
		n = check_server(r);
	if (n >= 0)
		n = take_path(r, &k->ca_file, c->ca_file);
	if (n >= 0)
		n = take_blob(r, &k->ca, c->ca_data, "certificate-authority-data");
	if (n >= 0)
		n = take_text(r, &k->tls_server_name, c->tls_server_name);
	if (n >= 0)
		n = take_text(r, &k->proxy_url, c->proxy_url);
	k->insecure_skip_tls_verify = c->insecure;
	return n;
}

static int take_user(struct reader *r, const struct user *u)
{
	struct kube_config *k = r->config;
	int n;

	if (u->exec || u->auth_provider)
		return err_set(r->e, EOPNOTSUPP,
			"%s: the user's credentials come from %s, which is not supported: use a "
			"token, tokenFile or a client certificate",
			r->path, u->exec ? "an exec plugin" : "an auth-provider");
	n = take_text(r, &k->token, u->token);
	if (n >= 0)
		n = take_path(r, &k->token_file, u->token_file);
	if (n >= 0)
		n = take_path(r, &k->cert_file, u->cert_file);
	if (n >= 0)
		n = take_path(r, &k->key_file, u->key_file);
	if (n >= 0)
		n = take_blob(r, &k->cert, u->cert_data, "client-certificate-data");
	if (n >= 0)
		n = take_blob(r, &k->key, u->key_data, "client-key-data");
	if (n >= 0)
		n = take_text(r, &k->username, u->username);
	if (n >= 0)
		n = take_text(r, &k->password, u->password);
	return n;
}

int kubeconfig_load(struct kube_config *ret, const char *path, struct err *e)
{
	struct reader r = {.path = path, .config = ret, .e = e};
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	struct file file = {.contexts = NULL};
	struct context context = {.user = NULL};
	struct cluster cluster = {.server = NULL};
	struct user user = {.token = NULL};
	int n = yaml_load_file(&doc, path, e);

	if (n >= 0)
		n = yaml_decode(doc, &file_table, &file, e);
	if (n < 0)
		return n;
	if (str_empty(file.current_context))
		return err_set(e, EINVAL, "%s: current-context is not set", path);
	n = decode_entry(
		&r, file.contexts, file.current_context, "context", &context_table, &context);
	if (n >= 0)
		n = decode_entry(
			&r, file.clusters, context.cluster, "cluster", &cluster_table, &cluster);
	if (n >= 0 && !str_empty(context.user))
		n = decode_entry(&r, file.users, context.user, "user", &user_table, &user);
	if (n >= 0)
		n = take_text(&r, &ret->namespace_, context.namespace_);
	if (n >= 0)
		n = take_cluster(&r, &cluster);
	return n < 0 ? n : take_user(&r, &user);
}
