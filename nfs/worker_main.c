/* SPDX-License-Identifier: Apache-2.0 */
/* worker_main.c: berth-nfs, started by provisioner or agent with a socket as descriptor 3 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "nfs/connect.h"
#include "nfs/worker.h"

static bool have_socket(void)
{
	struct stat st;

	return fstat(WORKER_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* --worker, or --worker --bound N; N or -EINVAL. */
static int take_arguments(int argc, char **argv)
{
	uint64_t n = 0;

	if ((argc != 2 && argc != 4) || !streq(argv[1], "--worker"))
		return -EINVAL;
	if (argc == 4 &&
		(!streq(argv[2], "--bound") || parse_u64(argv[3], 0, NFS_BOUND_MAX, &n) < 0))
		return -EINVAL;
	return (int)n;
}

int main(int argc, char **argv)
{
	int n_bound = take_arguments(argc, argv), r;

	log_setup("berth-nfs", LOG_LEVEL_WARNING, log_format_auto());
	if (argc == 2 && streq(argv[1], "--version")) {
		puts("berth-nfs " BERTH_VERSION);
		return EXIT_SUCCESS;
	}
	if (n_bound < 0 || !have_socket()) {
		log_error(
			"berth-nfs is started by berth-provisioner and berth-agent, not by people");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = worker_run(WORKER_FD, (unsigned)n_bound);
	/* Nothing is left that would need an orderly end, and libnfs must not run any more. */
	_exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
