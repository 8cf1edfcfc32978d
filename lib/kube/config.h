/* SPDX-License-Identifier: Apache-2.0 */
/* config.h: where the API server is and who we are there: in-cluster files or a kubeconfig
 * (contracts.md 5.1) */
#ifndef BERTH_KUBE_CONFIG_H
#define BERTH_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

struct kube_blob {
	char *data;
	size_t size;
};

/* All owned. A *_file is read again by who uses it (rotation); a blob wins over its file. */
struct kube_config {
	char *server;     /* "https://10.96.0.1:443", no trailing slash */
	char *namespace_; /* ours: POD_NAMESPACE, the ServiceAccount's file, the context's, else
			     "default" */
	char *ca_file;
	struct kube_blob ca;
	char *tls_server_name;
	bool insecure_skip_tls_verify;
	char *token;
	char *token_file; /* wins over token */
	char *cert_file, *key_file;
	struct kube_blob cert, key;
	char *username, *password;
	char *proxy_url;
	bool in_cluster; /* no proxy of the environment is asked */
};

/* kubeconfig: path, or NULL: in-cluster (KUBERNETES_SERVICE_HOST) else $KUBECONFIG else
 * ~/.kube/config. exec plugins are refused by name. */
int kube_config_load(struct kube_config *ret, const char *kubeconfig, struct err *e);
void kube_config_done(struct kube_config *c);

#endif
