/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: berth-provisioner: turns claims into directories on NFS servers */
#include <stdio.h>
#include <unistd.h>

#include "provisioner/options.h"
#include "provisioner/provisioner.h"

/* Exit codes: 0 a graceful end, 1 failed or the lease was lost, 2 wrong usage or configuration. */
int main(int argc, char **argv)
{
	_cleanup_(provisioner_freep) struct provisioner *p = NULL;
	struct options o;
	struct err e = ERR_NULL;
	int r = options_parse(&o, argc, argv);

	if (r <= 0)
		return r < 0 ? 2 : 0;
	log_setup("berth-provisioner", LOG_LEVEL_INFO, log_format_auto());
	if (!o.config && access(OPTIONS_CONFIG_DEFAULT, F_OK) == 0)
		o.config = OPTIONS_CONFIG_DEFAULT;
	if (provisioner_new(&p, o.config, o.kubeconfig, &e) < 0) {
		log_error("%s", e.text);
		return 2;
	}
	return provisioner_run(p);
}
