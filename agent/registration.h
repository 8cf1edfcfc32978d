/* SPDX-License-Identifier: Apache-2.0 */
/* registration.h: one driver's way into the kubelet: the registration socket, who asked on it, what
 * was said, and when it is published again */
#ifndef BERTH_AGENT_REGISTRATION_H
#define BERTH_AGENT_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/orders.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"

/*
 * The kubelet never tries again what failed after its GetInfo (contracts.md 1.3, trap 1), may miss
 * the socket (trap 3), and forgets us where its Node is made anew (binding.md 4). So:
 *
 *   off ─start─► publishing ─bound─► published ─GetInfo─► asked ─registered─► registered
 *                   ▲   │ failed        │ watchdog           │ refused, watchdog   │ vanished
 *                   │   ▼               ▼                    ▼                     ▼
 *                   └─ pause ◄──────────┴─ publishing        removing ─► pause   publishing
 *
 * pause: 1 s doubling to 60 s; the socket is away meanwhile after a refusal, so that the new one is
 * new to the kubelet. Sockets stay when the process ends: CSINode stays as it is and the next front
 * replaces them.
 */
enum registration_state {
	REGISTRATION_OFF,        /* not started, or stopped on purpose */
	REGISTRATION_PUBLISHING, /* the broker binds the socket */
	REGISTRATION_PUBLISHED,  /* no GetInfo yet */
	REGISTRATION_ASKED,      /* GetInfo answered, no word yet */
	REGISTRATION_REGISTERED,
	REGISTRATION_REMOVING, /* refused: the broker unlinks the socket */
	REGISTRATION_PAUSED,
	_REGISTRATION_STATE_MAX
};

struct registration;

struct registration_options {
	struct loop *loop;
	struct orders *orders;
	const char *kubelet_root; /* absolute, as the kubelet sees it */
	const char *driver;
	const uid_t *uids; /* of kubelets: who may connect */
	size_t n_uids;
	uint64_t watchdog;             /* ns without GetInfo, then published again */
	uint64_t pause_min, pause_max; /* ns */
	/* After every change of state; may be NULL. Must not free the registration. */
	void (*changed)(struct registration *g, void *userdata);
	/* Whether what registration_lost() told of is there again; NULL: never. */
	bool (*is_back)(struct registration *g, void *userdata);
	void *userdata;
};

/* Everything is copied. REGISTRATION_OFF at first. -ENAMETOOLONG where
 * a socket's path would not fit into sun_path. */
int registration_new(
	struct registration **ret, const struct registration_options *o, struct err *e);
/* The sockets stay. */
struct registration *registration_free(struct registration *g);
DEFINE_CLEANUP(struct registration *, registration_free)

/* Publishes; call it when the CSI socket is served. */
void registration_start(struct registration *g);
/*
 * The Node's topology label or our CSINode entry has gone (agent/nodewatch.h). Published again
 * after 5 s, doubling to 5 min, unless it is back by then: while the kubelet registers us anew it
 * takes both away for a moment.
 */
void registration_lost(struct registration *g, const char *why);
/* The socket itself is known to be away: published again at once. */
void registration_vanished(struct registration *g, const char *why);
/* Ends a pause now; whether there was one. */
bool registration_retry(struct registration *g);
/* Takes the socket away for good: the kubelet deregisters the driver. text says why. */
void registration_stop(struct registration *g, const char *text);

enum registration_state registration_state(const struct registration *g);
/* "Registered", "Waiting", "Failed" or "Off", as view.h has it. */
const char *registration_word(const struct registration *g);
/* Why it is not registered: the kubelet's or the system's own words; "" where it is. */
const char *registration_text(const struct registration *g);
uint64_t registration_since(const struct registration *g);         /* clock_real() of the state */
const char *registration_socket(const struct registration *g);     /* absolute path */
const char *registration_csi_socket(const struct registration *g); /* absolute path */
/* Beneath the kubelet's root, for orders.h. */
const char *registration_path(const struct registration *g);
const char *registration_csi_path(const struct registration *g);

#endif
