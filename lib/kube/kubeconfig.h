/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig.h: the current context of a kubeconfig file (inside lib/kube) */
#ifndef BERTH_KUBE_KUBECONFIG_H
#define BERTH_KUBE_KUBECONFIG_H

#include "kube/config.h"

/* Fills ret, which is all zero; on failure it may be partly filled: kube_config_done(). */
int kubeconfig_load(struct kube_config *ret, const char *path, struct err *e);

/* Base64 (RFC 4648 section 4), white space skipped, into fresh memory that ends in a NUL; -EINVAL.
 */
int kubeconfig_base64(const char *text, struct kube_blob *ret);

#endif
