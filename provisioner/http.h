/* SPDX-License-Identifier: Apache-2.0 */
/* http.h: /healthz, /readyz and /metrics */
#ifndef BERTH_PROVISIONER_HTTP_H
#define BERTH_PROVISIONER_HTTP_H

#include "base/err.h"

struct provisioner;
/* Listens as the configuration says; p->http stays NULL where it says not to. */
int provisioner_http_start(struct provisioner *p, struct err *e);

#endif
