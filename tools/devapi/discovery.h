/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.h: what kubectl asks before it asks: versions, groups, resources, OpenAPI */
#ifndef BERTH_DEVAPI_DISCOVERY_H
#define BERTH_DEVAPI_DISCOVERY_H

#include "http/server.h"

/* Answers x where its path is one of discovery's or a probe's: 0; else -ENOENT and x is untouched.
 */
int discovery_request(struct http_exchange *x);

#endif
