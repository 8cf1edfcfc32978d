/* SPDX-License-Identifier: Apache-2.0 */
/* csiserver.c: lib/csi behind real sockets, for real gRPC clients: csiserver CSI-SOCKET
 * REGISTRATION-SOCKET [UID...] */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "csi/registration.h"
#include "csi/service.h"

#define BACKLOG 1024
#define UIDS_MAX 8
#define DRAIN_NS SECONDS(10)

/* Every event is a line on stdout. Volumes: "hold" is answered when its caller has gone, "slow"
 * after 300 ms, "umlaut" fails with a text that has to be encoded; all others are done at once. */
struct program {
	struct loop *loop;
	struct csi_service *service;
	struct csi_registration *registration;
	struct sig *term;
	struct timer *slow;
	struct csi_call *waiting;
};

static void on_publish(struct csi_call *c, const struct csi_publish *r, void *userdata)
{
	struct program *p = userdata;
	char line[512];

	printf("publish %s\n", csi_publish_format(r, line, sizeof(line)));
	if (streq(r->volume_id, "hold"))
		return;
	if (streq(r->volume_id, "umlaut")) {
		csi_fail(c, RPC_ABORTED, "no such dir: \"\xc3\xa4\n\" 100%%");
	} else if (streq(r->volume_id, "slow") && !p->waiting) {
		p->waiting = c;
		timer_arm(p->slow, MILLISECONDS(300));
	} else {
		csi_answer(c);
	}
}

static void on_slow(struct timer *t, void *userdata)
{
	struct program *p = userdata;

	(void)t;
	csi_answer(TAKE_PTR(p->waiting));
}

static void on_unpublish(struct csi_call *c, const struct csi_unpublish *r, void *userdata)
{
	(void)userdata;
	printf("unpublish %s %s\n", r->volume_id, r->target_path);
	csi_answer(c);
}

static void on_stats(struct csi_call *c, const struct csi_stats_request *r, void *userdata)
{
	const struct csi_stats s = {.has_bytes = true,
		.bytes_total = 100,
		.bytes_used = 90,
		.bytes_available = 10,
		.has_inodes = true,
		.inodes_total = 7,
		.inodes_used = 3,
		.inodes_free = 4,
		.has_condition = true,
		.is_abnormal = true,
		.condition = "server 10.0.0.1 does not answer"};

	(void)userdata;
	if (streq(r->volume_id, "unknown"))
		csi_fail(c, RPC_NOT_FOUND, "volume %s is not published", r->volume_id);
	else
		csi_answer_stats(c, &s);
}

static void on_cancelled(struct csi_call *c, void *userdata)
{
	struct program *p = userdata;

	printf("cancelled\n");
	if (c == p->waiting)
		return;
	csi_fail(c, RPC_CANCELLED, "nobody waits");
}

static void on_asked(struct csi_registration *g, void *userdata)
{
	(void)g;
	(void)userdata;
	printf("asked\n");
}

static void on_notified(
	struct csi_registration *g, bool registered, const char *error, void *userdata)
{
	(void)g;
	(void)userdata;
	printf("notified %s %s\n", registered ? "true" : "false", error);
}

static void on_drained(struct csi_service *s, void *userdata)
{
	struct program *p = userdata;

	(void)s;
	printf("drained\n");
	loop_exit(p->loop, 0);
}

static void on_term(struct sig *s, int signo, void *userdata)
{
	struct program *p = userdata;

	(void)s;
	(void)signo;
	csi_service_drain(p->service, DRAIN_NS, on_drained);
}

static int listen_on(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || str_copy(sa.sun_path, sizeof(sa.sun_path), path) < 0)
		return -1;
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, 0666) < 0 ||
		listen(fd, BACKLOG) < 0)
		return -1;
	return fd;
}

static int serve(struct program *p, char **argv, const uid_t *uids, size_t n_uids)
{
	static const struct csi_pair topology = {"topology.berth.dev/node", "n1"};
	static const struct csi_driver driver = {.name = "nfs.berth.dev",
		.version = "0.1.0",
		.is_topology_aware = true,
		.capabilities = CSI_CAN_GET_VOLUME_STATS | CSI_CAN_VOLUME_CONDITION |
				CSI_CAN_SINGLE_NODE_MULTI_WRITER | CSI_CAN_VOLUME_MOUNT_GROUP,
		.node_id = "n1",
		.max_volumes = 500,
		.topology = &topology,
		.n_topology = 1};
	static const struct csi_node node = {.publish = on_publish,
		.unpublish = on_unpublish,
		.stats = on_stats,
		.cancelled = on_cancelled};
	static const struct csi_registration_events events = {on_asked, on_notified};
	const struct csi_service_options service = {.fd = listen_on(argv[1]),
		.uids = uids,
		.n_uids = n_uids,
		.driver = &driver,
		.node = &node};
	const struct csi_registration_options registration = {.fd = listen_on(argv[2]),
		.uids = uids,
		.n_uids = n_uids,
		.name = driver.name,
		.endpoint = argv[1]};
	struct err e = ERR_NULL;

	if (service.fd < 0 || registration.fd < 0) {
		fprintf(stderr, "csiserver: cannot listen: %s\n", strerror(errno));
		return 1;
	}
	if (csi_service_new(&p->service, p->loop, &service, p, &e) < 0 ||
		csi_registration_new(&p->registration, p->loop, &registration, &events, p, &e) <
			0) {
		fprintf(stderr, "csiserver: %s\n", e.text);
		return 1;
	}
	printf("ready\n");
	return loop_run(p->loop) < 0;
}

int main(int argc, char **argv)
{
	struct program p = {0};
	uid_t uids[UIDS_MAX] = {0};
	size_t n_uids = 0;
	uint64_t uid;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 3; i < argc && n_uids < UIDS_MAX; i++)
		if (parse_u64(argv[i], 0, UINT32_MAX, &uid) == 0)
			uids[n_uids++] = (uid_t)uid;
	if (argc < 3 || loop_new(&p.loop) < 0 ||
		sig_new(&p.term, p.loop, SIGTERM, on_term, &p) < 0 ||
		timer_new_exact(&p.slow, p.loop, on_slow, &p) < 0) {
		fprintf(stderr, "usage: csiserver CSI-SOCKET REGISTRATION-SOCKET [UID...]\n");
		return 2;
	}
	status = serve(&p, argv, uids, n_uids ? n_uids : 1);
	csi_registration_free(p.registration);
	csi_service_free(p.service);
	if (p.waiting)
		csi_fail(p.waiting, RPC_UNAVAILABLE, "the end");
	timer_free(p.slow);
	sig_free(p.term);
	loop_free(p.loop);
	return status;
}
