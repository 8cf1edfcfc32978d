/* SPDX-License-Identifier: Apache-2.0 */
/* probes.h: /healthz, /readyz and /metrics of the agent on TCP */
#ifndef BERTH_AGENT_PROBES_H
#define BERTH_AGENT_PROBES_H

#include <stdint.h>

#include "agent/view.h"
#include "event/loop.h"
#include "http/metrics.h"

struct probes_options {
	const char *address; /* "::", "127.0.0.1", ... */
	uint16_t port;       /* 0: any, see probes_port() */
	const struct view *view;
	struct metrics *metrics; /* NULL: no /metrics */
	/* Sets gauges before they are printed; may be NULL. */
	void (*collect)(void *userdata);
	void *userdata;
};

/*
 * /healthz: csi.v1.Identity/Probe through the CSI socket of each driver that is not Off, over a
 * fresh connection (contracts.md 1.6), 3 s at most; 200 "ok", else 500 and what is wrong. It
 * touches no volume and no server. Requests that come while one runs share its result.
 * /readyz: 200 once every driver that is not Off is Registered, else 503 and which waits.
 */
struct probes;
int probes_new(struct probes **ret, struct loop *l, const struct probes_options *o, struct err *e);
/* Before the broker's connection (view->connect), without a turn of the loop in between. */
struct probes *probes_free(struct probes *p);
DEFINE_CLEANUP(struct probes *, probes_free)
uint16_t probes_port(const struct probes *p);

#endif
