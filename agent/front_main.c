/* SPDX-License-Identifier: Apache-2.0 */
/* front_main.c: berth-front, started by berth-agent without powers */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/broker.h"
#include "agent/front.h"
#include "base/log.h"
#include "base/str.h"

/* 0: ended by SIGTERM; BROKER_FRONT_GIVES_UP: wrong arguments or configuration, a restart mends
 * nothing; BROKER_FRONT_LOST: the process whose mounts ours are has ended; 1: anything else. */
int main(int argc, char **argv)
{
	_cleanup_(front_freep) struct front *f = NULL;
	struct front_options o;
	struct err e = ERR_NULL;
	int r;

	if (argc == 2 && streq(argv[1], "--version")) {
		puts("berth-front " BERTH_VERSION);
		return EXIT_SUCCESS;
	}
	log_setup("berth-agent", LOG_LEVEL_INFO, log_format_auto());
	r = front_options_parse(&o, argc, argv, &e);
	if (r >= 0)
		r = front_new(&f, &o, &e);
	if (r >= 0)
		return front_run(f);
	log_error("cannot start: %s", e.text);
	return r == -EINVAL  ? BROKER_FRONT_GIVES_UP
	       : r == -ESRCH ? BROKER_FRONT_LOST
			     : EXIT_FAILURE;
}
