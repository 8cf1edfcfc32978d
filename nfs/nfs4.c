/* SPDX-License-Identifier: Apache-2.0 */
/* nfs4.c: calls as NFSv4.0 compounds */
#include <errno.h>
#include "nfs/server.h"
static int start(struct server *s, struct call *c)
{
	(void)s;
	(void)c;
	return -EPROTONOSUPPORT;
}
const struct protocol nfs4_protocol = {4, start, NULL};
