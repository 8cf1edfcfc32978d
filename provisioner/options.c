/* SPDX-License-Identifier: Apache-2.0 */
/* options.c: --config, --kubeconfig, --help, --version */
#include "provisioner/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

static void usage(FILE *f)
{
	fputs("usage: berth-provisioner [--config FILE] [--kubeconfig FILE]\n"
	      "\n"
	      "  --config FILE      YAML configuration (default: " OPTIONS_CONFIG_DEFAULT
	      " if it is there)\n"
	      "  --kubeconfig FILE  how to reach the API server (default: in-cluster, else "
	      "$KUBECONFIG, else ~/.kube/config)\n"
	      "  --help             this text\n"
	      "  --version          the version\n",
		f);
}

int options_parse(struct options *ret, int argc, char *const *argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"kubeconfig", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	*ret = (struct options){0};
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 'k':
			ret->kubeconfig = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			puts("berth-provisioner " BERTH_VERSION);
			return 0;
		default:
			usage(stderr);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "berth-provisioner: unexpected argument: %s\n", argv[optind]);
		usage(stderr);
		return -EINVAL;
	}
	return 1;
}
