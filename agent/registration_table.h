/* SPDX-License-Identifier: Apache-2.0 */
/* registration_table.h: the events of a registration; for registration.c and its test */
#ifndef BERTH_AGENT_REGISTRATION_TABLE_H
#define BERTH_AGENT_REGISTRATION_TABLE_H

#include "agent/registration.h"
#include "base/sm.h"

enum registration_event {
	REGISTRATION_START,
	REGISTRATION_BOUND,    /* the broker has bound the socket */
	REGISTRATION_FAILED,   /* …or has not */
	REGISTRATION_INFO,     /* GetInfo was answered */
	REGISTRATION_ACCEPTED, /* NotifyRegistrationStatus(true) */
	REGISTRATION_REFUSED,  /* …(false) */
	REGISTRATION_REMOVED,  /* the broker has unlinked the socket, or could not */
	REGISTRATION_TIMER,    /* watchdog or end of the pause */
	REGISTRATION_VANISHED,
	REGISTRATION_STOP,
	_REGISTRATION_EVENT_MAX
};

extern const struct sm_table registration_table;

#endif
