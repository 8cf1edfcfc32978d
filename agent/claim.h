/* SPDX-License-Identifier: Apache-2.0 */
/* claim.h: a child's key, held by the child itself, so that it outlives the broker that forked it
 */
#ifndef BERTH_AGENT_CLAIM_H
#define BERTH_AGENT_CLAIM_H

#include "base/err.h"

/*
 * A child in uninterruptible sleep outlives its broker's death (SIGKILL waits for the kernel), and
 * a new broker knows nothing of it. So each child holds one byte of a file in the run directory, by
 * its key's hash, with a lock of an open file description (fcntl(2), F_OFD_SETLK): taken by the
 * broker, inherited over fork, gone when the last of the two has closed it. Nothing is to be
 * cleaned up: the file stays empty.
 *
 * A descriptor, close-on-exec, for the child to keep and the broker to close after the fork;
 * -EBUSY: a process that this broker does not know holds the key. run: the run directory.
 */
int claim_take(int run, const char *key, struct err *e);

#endif
