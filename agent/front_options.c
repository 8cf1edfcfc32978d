/* SPDX-License-Identifier: Apache-2.0 */
/* front_options.c: the arguments that berth-agent hands on, checked once more where they are used
 */
#include "agent/front_options.h"

#include <errno.h>
#include <getopt.h>

#include "base/str.h"

/* Kubernetes' limits: a Node's name is a DNS subdomain, CSI's node_id has 192 bytes. */
#define NODE_MAX 192

static int check(const struct front_options *o, struct err *e)
{
	if (str_empty(o->node))
		return err_set(e, EINVAL, "--node NAME is needed: the name of this Node object");
	if (strlen(o->node) > NODE_MAX ||
		strspn(o->node, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(o->node))
		return err_set(e, EINVAL, "--node %s: is no name of a Node", o->node);
	if (o->kubelet_root[0] != '/' || str_ends_with(o->kubelet_root, "/"))
		return err_set(e, EINVAL,
			"--kubelet-root %s: must be absolute, without a / at its end",
			o->kubelet_root);
	return 0;
}

int front_options_parse(struct front_options *ret, int argc, char *const *argv, struct err *e)
{
	static const struct option longs[] = {
		{"mountinfo", required_argument, NULL, 'm'},
		{"node", required_argument, NULL, 'n'},
		{"config", required_argument, NULL, 'c'},
		{"kubeconfig", required_argument, NULL, 'k'},
		{"kubelet-root", required_argument, NULL, 'r'},
		{"run-dir", required_argument, NULL, 'd'},
		{"pool", required_argument, NULL, 'p'},
		{0},
	};
	struct front_options o = {.kubelet_root = "/var/lib/kubelet", .run_dir = "/run/berth"};
	const struct {
		int letter;
		const char **value;
	} values[] = {
		{'m', &o.mountinfo},
		{'n', &o.node},
		{'c', &o.config},
		{'k', &o.kubeconfig},
		{'r', &o.kubelet_root},
		{'d', &o.run_dir},
	};
	int c, r;

	if (argc < 2 || !streq(argv[1], "--mountinfo"))
		return err_set(e, EINVAL, "berth-front is started by berth-agent, not by people");
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == '?')
			return err_set(e, EINVAL, "unknown argument, or its value is missing: %s",
				argv[optind - 1]);
		for (size_t i = 0; i < ELEMENTSOF(values); i++)
			if (values[i].letter == c)
				*values[i].value = optarg;
		if (c == 'p' && o.n_pools < CHILD_POOLS_MAX)
			o.pools[o.n_pools++] = optarg;
	}
	if (optind < argc)
		return err_set(e, EINVAL, "unexpected argument: %s", argv[optind]);
	r = check(&o, e);
	if (r < 0)
		return r;
	o.host = streq(o.mountinfo, "/proc/self/mountinfo") ? "self" : o.mountinfo;
	*ret = o;
	return 0;
}
