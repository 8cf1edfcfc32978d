/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h: what is wrong with a node, in words, and how to mend it; verdicts are pure */
#ifndef BERTH_AGENT_DOCTOR_H
#define BERTH_AGENT_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "agent/view.h"

/* What a system call said to arguments that no kernel accepts: is it there? */
enum doctor_call {
	DOCTOR_THERE,   /* known to the kernel */
	DOCTOR_ABSENT,  /* ENOSYS */
	DOCTOR_BLOCKED, /* EPERM of a seccomp filter */
};

struct doctor_kernel {
	char release[65];
	enum doctor_call openat2, open_tree, mount_setattr, statmount;
	int landlock_abi; /* 0: none */
};

/* Asks the kernel. Before the process's own seccomp filter, which would answer instead. */
void doctor_kernel(struct doctor_kernel *ret);

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE,    /* worth knowing, nothing to mend */
	DOCTOR_WARNING, /* works, less well than it could */
	DOCTOR_ERROR,   /* volumes do not work */
};
const char *doctor_level_text(enum doctor_level l); /* ok, note, warning, error */

/* Texts are the finding's own. */
struct doctor_finding {
	const char *check; /* literal: kernel, nfs, propagation, sockets, registration, clock, api,
			      exports, mounts, subPath, locks */
	enum doctor_level level;
	char text[ERR_TEXT_MAX]; /* what is */
	char cure[ERR_TEXT_MAX]; /* how to mend it, "" where nothing is to be mended */
};
typedef void (*doctor_fn)(const struct doctor_finding *f, void *userdata);

/* One finding after the other, in the order of the checks. */
void doctor_judge_kernel(const struct doctor_kernel *k, doctor_fn fn, void *userdata);
/* What the agent knows. NULL functions of the view are left out. */
void doctor_judge_view(const struct view *v, doctor_fn fn, void *userdata);
/* Without an agent: /proc, the kubelet's directories and sockets, as the caller may see them. */
void doctor_judge_local(const char *kubelet_root, doctor_fn fn, void *userdata);

/* For the two above, and tables of tests. */
/* volumes: of NFS, published on this node. Without any, a kernel without client is no error. */
void doctor_judge_nfs(bool there, const char *why, unsigned volumes, doctor_fn fn, void *userdata);
void doctor_judge_propagation(
	const char *root, const char *propagation, const char *why, doctor_fn fn, void *userdata);
void doctor_judge_driver(const struct view_driver *d, doctor_fn fn, void *userdata);
void doctor_judge_api(const struct view_api *a, doctor_fn fn, void *userdata);
void doctor_judge_clock(const struct view_api *a, doctor_fn fn, void *userdata);
void doctor_judge_export(const struct view_export *x, doctor_fn fn, void *userdata);

/* {"healthy": bool, "findings": [{check, level, text, cure}]}; add_finding is a doctor_fn whose
 * userdata is that array. NULL without memory. */
json_t *doctor_json(const struct doctor_kernel *k, const struct view *v);
void doctor_add_json(const struct doctor_finding *f, void *array);

#endif
