/* SPDX-License-Identifier: Apache-2.0 */
/* drip.h: an answer that comes byte by byte */
#ifndef BERTH_DEVAPI_DRIP_H
#define BERTH_DEVAPI_DRIP_H

#include "event/loop.h"
#include "http/server.h"
#include "tools/devapi/reply.h"
#include "tools/devapi/session.h"

/* Takes the exchange and r's body over; lives until the last byte or the client's leaving. Not
 * ended by anything else: devapi's exit leaks it. */
void drip_start(
	struct loop *l, struct http_exchange *x, struct reply *r, unsigned bytes_per_second);
/* From the server's gone(). */
void drip_gone(struct session *s);

#endif
