/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: where the API server is and who we are there (contracts.md 5.1) */
#include "kube/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kube/kubeconfig.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
/* A namespace is a DNS label. */
#define NAMESPACE_MAX 63

static void blob_done(struct kube_blob *b)
{
	if (b->data)
		explicit_bzero(b->data, b->size);
	free(b->data);
}

static void secret_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void kube_config_done(struct kube_config *c)
{
	free(c->server);
	free(c->namespace_);
	free(c->ca_file);
	blob_done(&c->ca);
	free(c->tls_server_name);
	secret_free(c->token);
	free(c->token_file);
	free(c->cert_file);
	free(c->key_file);
	blob_done(&c->cert);
	blob_done(&c->key);
	free(c->username);
	secret_free(c->password);
	free(c->proxy_url);
	*c = (struct kube_config){.server = NULL};
}

/* A namespace from the environment or the ServiceAccount; NULL where there is none. */
static int namespace_find(char **ret, bool in_cluster)
{
	_cleanup_buf_ struct buf b = BUF_NULL(NAMESPACE_MAX + 1);
	const char *env = getenv("POD_NAMESPACE");

	*ret = NULL;
	if (str_empty(env) && in_cluster &&
		file_read(SERVICE_ACCOUNT "/namespace", &b, NULL) >= 0 && b.data) {
		b.data[strcspn(b.data, " \t\r\n")] = '\0';
		env = b.data;
	}
	if (str_empty(env))
		return 0;
	*ret = strdup(env);
	return *ret ? 0 : -ENOMEM;
}

static int in_cluster_load(struct kube_config *c)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6 = strchr(host, ':');

	c->in_cluster = true;
	if (asprintf(&c->server, v6 ? "https://[%s]:%s" : "https://%s:%s", host, port) < 0) {
		c->server = NULL;
		return -ENOMEM;
	}
	c->ca_file = strdup(SERVICE_ACCOUNT "/ca.crt");
	c->token_file = strdup(SERVICE_ACCOUNT "/token");
	return c->ca_file && c->token_file ? 0 : -ENOMEM;
}

static bool in_cluster(void)
{
	return !str_empty(getenv("KUBERNETES_SERVICE_HOST")) &&
	       !str_empty(getenv("KUBERNETES_SERVICE_PORT"));
}

/* $KUBECONFIG may list several files; the first is the one kubectl writes to. */
static int default_path(char **ret, struct err *e)
{
	const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
	int n;

	if (!str_empty(env))
		n = asprintf(ret, "%.*s", (int)strcspn(env, ":"), env);
	else if (!str_empty(home))
		n = asprintf(ret, "%s/.kube/config", home);
	else
		return err_set(e, ENOENT, "neither KUBECONFIG nor HOME is set");
	return n < 0 ? err_sys(e, ENOMEM, "cannot look for a kubeconfig") : 0;
}

static int config_fill(struct kube_config *c, const char *kubeconfig, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!kubeconfig && in_cluster()) {
		r = in_cluster_load(c);
		return r < 0 ? err_sys(e, r, "cannot prepare the in-cluster configuration") : 0;
	}
	if (kubeconfig)
		return kubeconfig_load(c, kubeconfig, e);
	r = default_path(&path, e);
	if (r >= 0)
		r = kubeconfig_load(c, path, e);
	return r == -ENOENT ? err_prefix(e, "this is no pod, and no --kubeconfig was given") : r;
}

int kube_config_load(struct kube_config *ret, const char *kubeconfig, struct err *e)
{
	_cleanup_(kube_config_done) struct kube_config c = {.server = NULL};
	_cleanup_free_ char *ours = NULL;
	int r = config_fill(&c, kubeconfig, e);

	if (r < 0)
		return r;
	r = namespace_find(&ours, c.in_cluster);
	if (r >= 0 && ours) {
		free(c.namespace_);
		c.namespace_ = TAKE_PTR(ours);
	}
	if (r >= 0 && !c.namespace_) {
		c.namespace_ = strdup("default");
		r = c.namespace_ ? 0 : -ENOMEM;
	}
	if (r < 0)
		return err_sys(e, r, "cannot prepare the configuration");
	*ret = c;
	c = (struct kube_config){.server = NULL};
	return 0;
}
