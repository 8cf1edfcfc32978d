/* SPDX-License-Identifier: Apache-2.0 */
/* view_world.c: rows as a real node would have them */
#include "tests/unit/view_world.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"

#define ROOT "/var/lib/kubelet"
#define POD_A ROOT "/pods/2f6c1f0e-8f0c-4a7e-9d1b-0c3a5b7e9f11"
#define POD_B ROOT "/pods/7d0e3c55-1b7a-4a59-8c39-5f1f8f2f6c22"
#define POD_C ROOT "/pods/c0ffee00-0000-4000-8000-00000000cafe"
#define CSI "/volumes/kubernetes.io~csi/"
#define PV_A "pvc-6fb1c9a2-7c1e-4e0f-a1c2-0123456789ab"
#define PV_B "pvc-02d4e6f8-1a3c-4b5d-9e7f-ba9876543210"
#define PV_C "pvc-5a5a5a5a-1111-4222-8333-444444444444"
#define BORN 1764190000ULL

static void node(void *agent, struct view_node *ret)
{
	*ret = ((struct view_world *)agent)->node;
}

#define EACH(kind, singular)                                                          \
	static void each_##kind(void *agent, view_##singular##_fn fn, void *userdata) \
	{                                                                             \
		struct view_world *w = agent;                                         \
                                                                                      \
		for (size_t i = 0; i < w->n_##kind; i++)                              \
			fn(&w->kind[i], userdata);                                    \
	}
EACH(drivers, driver)
EACH(volumes, volume)
EACH(pools, pool)
EACH(exports, export)
EACH(operations, operation)

static void each_mounts(void *agent, view_mount_fn fn, void *userdata)
{
	struct view_world *w = agent;
	char target[128];
	struct view_mount m = w->mounts[1];

	for (size_t i = 0; i < w->n_mounts; i++)
		fn(&w->mounts[i], userdata);
	for (unsigned i = 0; i < w->more_mounts; i++) {
		(void)snprintf(target, sizeof(target), ROOT "/pods/made-up-%u" CSI "x/mount", i);
		m.target = target;
		fn(&m, userdata);
	}
}

static void on_detaching(struct timer *t, void *userdata)
{
	struct view_world *w = userdata;
	struct err e = ERR_NULL;

	(void)t;
	if (w->detach_result)
		(void)err_sys(&e, w->detach_result, "cannot detach %s", w->detached);
	w->done(&e, w->done_userdata);
}

static int detach(void *agent, const char *target, view_done_fn done, void *userdata, struct err *e)
{
	struct view_world *w = agent;

	if (timer_armed(w->detaching))
		return err_set(e, EBUSY, "another one is being detached");
	(void)str_copy_cut(w->detached, sizeof(w->detached), target);
	w->done = done;
	w->done_userdata = userdata;
	timer_arm(w->detaching, MILLISECONDS(1));
	return 0;
}

static unsigned retry(void *agent)
{
	((struct view_world *)agent)->retried++;
	return 2;
}

static void add_drivers(struct view_world *w)
{
	w->drivers[0] = (struct view_driver){"nfs.berth.dev", "Registered", "",
		ROOT "/plugins/nfs.berth.dev/csi.sock",
		ROOT "/plugins_registry/nfs.berth.dev-reg.sock", SECONDS(BORN)};
	w->drivers[1] = (struct view_driver){"hostpath.berth.dev", "Registered", "",
		ROOT "/plugins/hostpath.berth.dev/csi.sock",
		ROOT "/plugins_registry/hostpath.berth.dev-reg.sock", SECONDS(BORN)};
	w->n_drivers = 2;
}

static void add_volumes(struct view_world *w)
{
	w->volumes[0] = (struct view_volume){PV_A, "nfs.berth.dev", "default", "web-0",
		"2f6c1f0e-8f0c-4a7e-9d1b-0c3a5b7e9f11", POD_A CSI PV_A "/mount",
		"nas-1.example.org:/srv/volumes/default-www-web-0-" PV_A, false, SECONDS(BORN + 60),
		"Ok", ""};
	w->volumes[1] = (struct view_volume){PV_B, "nfs.berth.dev", "büro",
		"grünkohl-zeitung-日本語-0", "7d0e3c55-1b7a-4a59-8c39-5f1f8f2f6c22",
		POD_B CSI PV_B "/mount", "nas-2.example.org:/export/k8s/team-b/data", true,
		SECONDS(BORN + 120), "Ok", ""};
	w->volumes[2] = (struct view_volume){PV_C, "hostpath.berth.dev", "db", "postgres-0",
		"c0ffee00-0000-4000-8000-00000000cafe", POD_C CSI PV_C "/mount",
		"/mnt/fast/db-data-postgres-0-" PV_C, false, SECONDS(BORN + 180), "Ok", ""};
	w->n_volumes = 3;
}

static void add_mounts(struct view_world *w)
{
	static const char nfs[] = "rw,nosuid,nodev,vers=4.2,proto=tcp,hard,timeo=600,retrans=2";

	w->mounts[0] = (struct view_mount){"publication", PV_A, POD_A CSI PV_A "/mount",
		"nas-1.example.org:/srv/volumes", nfs, "nfs4", 42, "Ok", ""};
	w->mounts[1] = (struct view_mount){"publication", PV_B, POD_B CSI PV_B "/mount",
		"nas-2.example.org:/export/k8s", nfs, "nfs4", 42, "Ok", ""};
	w->mounts[2] = (struct view_mount){"subPath", PV_B, POD_B "/volume-subpaths/" PV_B "/app/0",
		"nas-2.example.org:/export/k8s", nfs, "nfs4", 42, "Ok", ""};
	w->mounts[3] = (struct view_mount){"export", "", "/run/berth/exports/8f14e45fceea167a",
		"nas-1.example.org:/srv/volumes", nfs, "nfs4", 0, "Ok", ""};
	w->mounts[4] = (struct view_mount){"export", "", "/run/berth/exports/c9f0f895fb98ab91",
		"nas-2.example.org:/export/k8s", nfs, "nfs4", 0, "Ok", ""};
	w->n_mounts = 5;
}

static void add_exports(struct view_world *w)
{
	w->exports[0] = (struct view_export){"8f14e45fceea167a", "nas-1.example.org", "10.0.0.11",
		"/srv/volumes", "vers=4.2,proto=tcp,hard", 4, 2, "Ok", "ok", MILLISECONDS(2) / 5,
		SECONDS(BORN + 200), 1, ""};
	w->exports[1] = (struct view_export){"c9f0f895fb98ab91", "nas-2.example.org", "10.0.0.12",
		"/export/k8s", "vers=3,proto=tcp,hard,nolock", 3, 0, "Ok", "ok", MILLISECONDS(1),
		SECONDS(BORN + 201), 1, ""};
	w->n_exports = 2;
	w->pools[0] = (struct view_pool){"fast", "/mnt/fast", "xfs", 1ULL << 40, 700ULL << 30,
		200ULL << 30, "Enforced", "1f0e2d3c4b5a6978", ""};
	w->n_pools = 1;
	w->operations[0] = (struct view_operation){
		"publish", PV_A, "Running", SECONDS(BORN + 300), SECONDS(BORN + 390), ""};
	w->n_operations = 1;
}

void view_world_init(struct view_world *w, struct loop *loop)
{
	*w = (struct view_world){.loop = loop};
	w->view = (struct view){w, node, each_drivers, each_volumes, each_mounts, each_pools,
		each_exports, each_operations, detach, retry, NULL, NULL, NULL, NULL};
	w->node = (struct view_node){.name = "node-a.example.org",
		.host = "/host/proc",
		.kubelet_root = ROOT,
		.propagation = "shared",
		.propagation_text = "",
		.started = SECONDS(BORN),
		.nfs_client = true,
		.nfs_client_text = "",
		.children = 3,
		.api = {"https://10.96.0.1:443", "", SECONDS(BORN + 300), true,
			-(int64_t)MILLISECONDS(300)}};
	add_drivers(w);
	add_volumes(w);
	add_mounts(w);
	add_exports(w);
	if (loop)
		(void)timer_new_exact(&w->detaching, loop, on_detaching, w);
}

void view_world_done(struct view_world *w)
{
	w->detaching = timer_free(w->detaching);
}

void view_world_hang(struct view_world *w)
{
	static const char text[] = "no answer from 10.0.0.12 port 2049 for 12 s";

	w->exports[1].state = "Hung";
	w->exports[1].round_trip = "down";
	w->exports[1].text = text;
	w->volumes[1].state = "Hung";
	w->volumes[1].text = text;
	for (size_t i = 0; i < w->n_mounts; i++) {
		if (!str_after(w->mounts[i].source, "nas-2."))
			continue;
		w->mounts[i].state = "Hung";
		w->mounts[i].text = text;
	}
	w->operations[0].state = "Stuck";
}
