/* SPDX-License-Identifier: Apache-2.0 */
/* front.h: the process that talks: every part of it in one struct, put together and taken apart in
 * one place */
#ifndef BERTH_AGENT_FRONT_H
#define BERTH_AGENT_FRONT_H

#include "agent/admin.h"
#include "agent/config.h"
#include "agent/eyes.h"
#include "agent/front_options.h"
#include "agent/node.h"
#include "agent/probes.h"
#include "agent/registration.h"
#include "kube/config.h"
#include "kube/event.h"

struct front;

#define FRONT_UNWATCHED UINT32_MAX

/* One of our names at the kubelet: its CSI socket, served, then its registration. */
struct front_driver {
	struct front *front;
	enum node_kind kind;
	unsigned index;   /* among those that eyes know, or FRONT_UNWATCHED */
	const char *name; /* "" where it is switched off */
	const char *off;  /* why it is not offered, NULL where it is */
	char off_text[ERR_TEXT_MAX];
	struct csi_service *service;
	struct registration *registration;
	bool ordered;        /* the CSI socket, from the broker */
	struct timer *retry; /* of a CSI socket that could not be bound */
};

struct front {
	struct front_options o;
	struct agent_config *config;
	const char *config_path; /* NULL: defaults */
	struct doctor_kernel kernel;
	struct kube_config kube;
	bool has_kube; /* an API server is known */
	char topology[64], component[256], exports[1024], file[1024];
	char nfs_text[ERR_TEXT_MAX]; /* why the kernel has no NFS client, "" if it has */
	char sharing_text[ERR_TEXT_MAX];
	uint64_t started; /* clock_real() */
	bool stopping, swept, nfs_looked, nfs_asked;
	bool admin_ordered; /* its socket, from the broker */
	unsigned draining;  /* services that still have calls */

	int host; /* what mountinfo lies in: of one process, whoever has its number later */
	struct loop *loop;
	struct orders *orders;
	struct kube_client *client;
	struct kube_events *events;
	struct figures *figures;
	struct eyes *eyes;
	struct publications *publications;
	struct volume_backend *nfs;
	struct fsgroup *fsgroup;
	struct mounter *mounter;
	struct node *node;
	struct front_driver drivers[_NODE_KIND_MAX];
	struct view view;
	struct admin *admin;
	struct probes *probes;
	struct timer *upkeep;
	struct sig *signals[2];
	struct reload *reload;
	int status; /* exit code */
};

/* Everything up to the filter and the first order. *ret is there on failure, too, for front_free().
 * -EINVAL: wrong configuration. */
int front_new(struct front **ret, const struct front_options *o, struct err *e);
/* Until SIGTERM or the broker's end; the exit code. */
int front_run(struct front *f);
struct front *front_free(struct front *f);
DEFINE_CLEANUP(struct front *, front_free)

/* Running calls are waited for, a while; then front_run() is over. Once. */
void front_end(struct front *f, const char *why);

/* front_host.c: whether those live whose mounts ours are; -ESRCH: not any more. */
int front_host_open(struct front *f, struct err *e);
/* Ends the front, and with it the broker, where they do not. */
void front_host_check(struct front *f);

/* front_config.c */
int front_config_load(struct front *f, struct err *e);
/* Another content: front_end(), for the broker to start us anew. */
int front_config_watch(struct front *f, struct err *e);
/* "", or why nothing is published from the pool. */
const char *front_config_pool(const struct front *f, const struct agent_pool *p);

/* front_driver.c */
int front_driver_new(struct front_driver *d, struct err *e);
/* Serves and registers it, if it is on. */
void front_driver_start(struct front_driver *d);
/* Whether its sockets are still there; published again where they are not. */
void front_driver_check(struct front_driver *d);
void front_driver_done(struct front_driver *d);

/* front_admin.c: -errno where it could not be ordered. */
int front_admin_start(struct front *f);
/* Whether it is there, still; published again where it is not. */
void front_admin_check(struct front *f);

/* front_view.c */
void front_view_fill(struct front *f);

#endif
