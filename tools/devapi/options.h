/* SPDX-License-Identifier: Apache-2.0 */
/* options.h: devapi's command line */
#ifndef BERTH_DEVAPI_OPTIONS_H
#define BERTH_DEVAPI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tools/devapi/workqueue.h"

struct options {
	char address[64];
	uint16_t port;
	const char *unix_path, *port_file, *kubeconfig, *faults;
	bool help, version, no_binder;
	struct workqueue_options binder;
	uint64_t history;
};

int options_parse(struct options *ret, int argc, char **argv, struct err *e);
const char *options_help(void);

#endif
