/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.c: release of descriptors at the end of a scope */
#include "base/cleanup.h"

#include "base/fd.h"

void cleanup_closep(int *fd)
{
	*fd = fd_close(*fd);
}
