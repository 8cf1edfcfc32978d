/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h: /devapi/…: faults, watches, history, the journal */
#ifndef BERTH_DEVAPI_ADMIN_H
#define BERTH_DEVAPI_ADMIN_H

#include "tools/devapi/api.h"

/* Answers x; its path begins with /devapi/. */
void admin_request(struct api *a, struct http_exchange *x);

#endif
