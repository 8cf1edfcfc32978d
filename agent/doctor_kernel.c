/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_kernel.c: which system calls there are, asked with arguments that none accepts */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

/* Same on all architectures; older headers do not have it. */
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

/* These four look at their arguments before they ask for CAP_SYS_ADMIN: EPERM is a filter's. (Not
 * so move_mount and fsopen, which are as old as open_tree.) */
static enum doctor_call verdict(long r)
{
	if (r >= 0 || (errno != ENOSYS && errno != EPERM))
		return DOCTOR_THERE;
	return errno == ENOSYS ? DOCTOR_ABSENT : DOCTOR_BLOCKED;
}

void doctor_kernel(struct doctor_kernel *ret)
{
	struct utsname u;

	*ret = (struct doctor_kernel){.landlock_abi = sandbox_landlock_abi()};
	if (uname(&u) == 0)
		(void)str_copy_cut(ret->release, sizeof(ret->release), u.release);
	ret->openat2 = verdict(syscall(SYS_openat2, -1, "", NULL, 0));
	ret->open_tree = verdict(syscall(SYS_open_tree, -1, "", ~0U));
	ret->mount_setattr = verdict(syscall(SYS_mount_setattr, -1, "", ~0U, NULL, 0));
	ret->statmount = verdict(syscall(SYS_statmount, NULL, NULL, 0, ~0U));
}
