/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h: what an easy handle is told once: TLS, proxy, sockets, limits (inside lib/kube) */
#ifndef BERTH_KUBE_SETUP_H
#define BERTH_KUBE_SETUP_H

#include <curl/curl.h>

#include "kube/client.h"

/* -EINVAL where curl refuses a setting. c is borrowed by the handle. */
int setup_easy(CURL *easy, const struct kube_config *c, const struct kube_options *o);

/* What requests are addressed to: the server, under its TLS name where the configuration gives one.
 * The caller frees. */
int setup_base_url(const struct kube_config *c, char **ret);
/* For CURLOPT_CONNECT_TO: from the TLS name to the real server; NULL where there is no such name.
 */
int setup_connect_to(const struct kube_config *c, struct curl_slist **ret);

#endif
