/* SPDX-License-Identifier: Apache-2.0 */
/* options.h: the command line of berth-provisioner */
#ifndef BERTH_PROVISIONER_OPTIONS_H
#define BERTH_PROVISIONER_OPTIONS_H

struct options {
	const char *config;     /* NULL: the default path if it is there, else defaults */
	const char *kubeconfig; /* NULL: in-cluster, else $KUBECONFIG, else ~/.kube/config */
};

#define OPTIONS_CONFIG_DEFAULT "/etc/berth/config.yaml"

/* 1: go on; 0: --help or --version was answered; -EINVAL: usage was printed on stderr. */
int options_parse(struct options *ret, int argc, char *const *argv);

#endif
