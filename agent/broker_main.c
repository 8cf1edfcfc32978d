/* SPDX-License-Identifier: Apache-2.0 */
/* broker_main.c: berth-agent, the part of it that keeps powers */
#include <stdlib.h>
#include <string.h>

#include "agent/setup.h"
#include "base/log.h"

#define EXIT_USAGE 2

int main(int argc, char **argv)
{
	static struct setup s;
	struct err e = ERR_NULL;
	int r = setup_parse(&s, argc, argv);

	if (r <= 0)
		return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	log_setup("berth-agent", LOG_LEVEL_INFO, log_format_auto());
	if (setup_prepare(&s, &e) < 0) {
		log_error("cannot start: %s", e.text);
		return EXIT_FAILURE;
	}
	r = broker_run(&s);
	if (r < 0)
		log_error("cannot go on: %s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : r;
}
