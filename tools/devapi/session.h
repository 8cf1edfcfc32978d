/* SPDX-License-Identifier: Apache-2.0 */
/* session.h: what an exchange's userdata points to */
#ifndef BERTH_DEVAPI_SESSION_H
#define BERTH_DEVAPI_SESSION_H

enum session_type { SESSION_CALL, SESSION_WATCH, SESSION_DRIP };

/* The first member of struct call, struct watch and struct drip. */
struct session {
	enum session_type type;
};

#endif
