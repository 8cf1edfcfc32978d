/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h: the request headers, with a bearer token that is read again as it rotates (inside
 * lib/kube) */
#ifndef BERTH_KUBE_AUTH_H
#define BERTH_KUBE_AUTH_H

#include <curl/curl.h>

#include "kube/client.h"

/* One list a method; counted, because running transfers keep the one they started with. */
struct headers {
	unsigned refs;
	struct curl_slist *list[KUBE_PATCH_STRATEGIC + 1];
};
struct headers *headers_unref(struct headers *h);

struct auth;
int auth_new(struct auth **ret, const struct kube_config *c, uint64_t second_ns, struct err *e);
struct auth *auth_free(struct auth *a);
DEFINE_CLEANUP(struct auth *, auth_free)
/* A reference to the current headers; reads the token's file where that was a minute ago. NULL
 * without memory. A file that cannot be read or holds no token leaves the old one in use. */
struct headers *auth_headers(struct auth *a);
/* After a 401: reads the file at the next call. False where there is no file to read. */
bool auth_expire(struct auth *a);

#endif
