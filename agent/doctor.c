/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c: verdicts: what was seen becomes findings, each with a cure */
#include "agent/doctor.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"

/* Tokens of service accounts and Leases stand a few seconds; certificates and tokens do not forgive
 * minutes. */
#define CLOCK_WARNING SECONDS(5)
#define CLOCK_ERROR SECONDS(60)

const char *doctor_level_text(enum doctor_level l)
{
	static const char *const texts[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_NOTE] = "note",
		[DOCTOR_WARNING] = "warning",
		[DOCTOR_ERROR] = "error",
	};

	return texts[l];
}

/* A finding being written; say() and mend() fill its texts. */
static struct doctor_finding found(const char *check, enum doctor_level level)
{
	return (struct doctor_finding){.check = check, .level = level};
}

#define PLURAL(n, one, more) ((n) == 1 ? (one) : (more))
#define say(f, ...) (void)snprintf((f)->text, sizeof((f)->text), __VA_ARGS__)
#define mend(f, ...) (void)snprintf((f)->cure, sizeof((f)->cure), __VA_ARGS__)

/* ---- kernel ------------------------------------------------------------------------------- */

/* What is lost without it decides about the level. */
static void judge_call(
	const char *name, enum doctor_call c, const char *without, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("kernel", DOCTOR_WARNING);

	if (c == DOCTOR_THERE)
		return;
	say(&f, "%s is %s: %s", name,
		c == DOCTOR_ABSENT ? "not in this kernel" : "blocked by a seccomp filter", without);
	if (c == DOCTOR_ABSENT)
		mend(&f, "a newer kernel on the node");
	else
		mend(&f,
			"run the agent's container privileged, or with a seccomp profile that "
			"allows %s",
			name);
	fn(&f, userdata);
}

static void judge_landlock(const struct doctor_kernel *k, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("kernel", DOCTOR_NOTE);

	if (k->landlock_abi >= 2)
		return;
	say(&f, "Landlock %s: work on hostPath pools is held in by file modes alone",
		k->landlock_abi ? "is too old (ABI 1)" : "is not in this kernel, or switched off");
	mend(&f, "kernel 5.19 or newer, with landlock in the boot parameter lsm=");
	fn(&f, userdata);
}

void doctor_judge_kernel(const struct doctor_kernel *k, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("kernel", DOCTOR_OK);
	say(&f, "Linux %s, Landlock ABI %d, %s", k->release, k->landlock_abi,
		k->statmount == DOCTOR_THERE ? "statmount" : "mounts are read from mountinfo");
	fn(&f, userdata);
	judge_call("openat2", k->openat2, "paths are walked step by step", fn, userdata);
	judge_call("open_tree", k->open_tree,
		"volumes are bound with mount(2), in two steps instead of one", fn, userdata);
	judge_call("mount_setattr", k->mount_setattr,
		"a read-only volume is writable for a moment while it is bound", fn, userdata);
	judge_landlock(k, fn, userdata);
}

void doctor_judge_nfs(bool there, const char *why, unsigned volumes, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("nfs", DOCTOR_OK);

	if (there) {
		say(&f, "the kernel has an NFS client");
	} else {
		/* A node that serves pools only is well without. */
		f.level = volumes > 0 ? DOCTOR_ERROR : DOCTOR_NOTE;
		say(&f, "%s: NFS volumes cannot be used on this node",
			*why ? why : "the kernel has no NFS client");
		mend(&f,
			"modprobe nfs on the node (package linux-modules-extra or kernel-modules "
			"of the distribution), put nfs into /etc/modules-load.d; the agent sees it "
			"by itself");
	}
	fn(&f, userdata);
}

void doctor_judge_propagation(
	const char *root, const char *propagation, const char *why, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("propagation", DOCTOR_OK);

	if (streq(propagation, "shared")) {
		say(&f, "%s is a shared mount", root);
		fn(&f, userdata);
		return;
	}
	f.level = *propagation ? DOCTOR_ERROR : DOCTOR_WARNING;
	say(&f, "%s is %s%s%s", root, *propagation ? propagation : "of unknown propagation",
		*why ? ": " : "", why);
	mend(&f,
		"drain the node, stop the kubelet, then: mount --rbind %s %s && mount "
		"--make-rshared %s",
		root, root, root);
	fn(&f, userdata);
}

/* ---- the kubelet -------------------------------------------------------------------------- */

void doctor_judge_driver(const struct view_driver *d, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("registration", DOCTOR_OK);
	const char *colon = *d->text ? ": " : "";

	if (streq(d->state, "Registered")) {
		say(&f, "%s is registered with the kubelet", d->name);
	} else if (streq(d->state, "Off")) {
		f.level = DOCTOR_NOTE;
		say(&f, "%s is not offered on this node%s%s", d->name, colon, d->text);
	} else if (streq(d->state, "Waiting")) {
		f.level = DOCTOR_ERROR;
		say(&f, "%s waits for the kubelet%s%s", d->name, colon, d->text);
		mend(&f,
			"is the kubelet running, and is its --root-dir the agent's --kubelet-root? "
			"It watches the directory of %s",
			d->registration_socket);
	} else {
		f.level = DOCTOR_ERROR;
		say(&f, "%s: registration failed%s%s", d->name, colon, d->text);
		mend(&f, "the kubelet's words are above; the agent tries again by itself, "
			 "\"berthctl retry\" at once");
	}
	fn(&f, userdata);
}

/* ---- the API server ------------------------------------------------------------------------ */

void doctor_judge_api(const struct view_api *a, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("api", DOCTOR_OK);

	if (!*a->server) {
		f.level = DOCTOR_NOTE;
		say(&f, "the agent runs without an API server: no BerthNode, Lease and events");
	} else if (*a->error) {
		f.level = DOCTOR_ERROR;
		say(&f, "%s does not answer: %s", a->server, a->error);
		mend(&f, "volumes go on being published; check the address, the network policy and "
			 "the agent's ServiceAccount");
	} else if (!a->answered) {
		f.level = DOCTOR_WARNING;
		say(&f, "%s has not answered yet", a->server);
	} else {
		say(&f, "%s answers", a->server);
	}
	fn(&f, userdata);
}

void doctor_judge_clock(const struct view_api *a, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("clock", DOCTOR_OK);
	const uint64_t off = (uint64_t)llabs(a->clock_ahead_ns);

	if (!a->clock_known)
		return;
	if (off >= CLOCK_ERROR)
		f.level = DOCTOR_ERROR;
	else if (off >= CLOCK_WARNING)
		f.level = DOCTOR_WARNING;
	if (off < SECONDS(2)) {
		say(&f, "the clock agrees with the API server's");
	} else {
		say(&f, "the clock is %.0f s %s the API server's",
			(double)off / (double)NSEC_PER_SEC,
			a->clock_ahead_ns > 0 ? "behind" : "ahead of");
		mend(&f, "run chrony or systemd-timesyncd on this node and on the control plane");
	}
	fn(&f, userdata);
}

/* ---- exports and mounts -------------------------------------------------------------------- */

static bool has_option(const char *options, const char *option)
{
	const size_t n = strlen(option);

	for (const char *p = options; (p = strstr(p, option)); p += n)
		if ((p == options || p[-1] == ',') && (p[n] == '\0' || p[n] == ','))
			return true;
	return false;
}

static void judge_locks(const struct view_export *x, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("locks", DOCTOR_NOTE);
	const char *why = streq(x->state, "Ok") ? x->text : "";

	if (x->version != 3 ||
		(!has_option(x->options, "nolock") && !has_option(x->options, "local_lock=all")))
		return;
	say(&f, "%s:%s is NFSv3 with nolock: file locks hold on this node only%s%s%s", x->server,
		x->export_, *why ? " (" : "", why, *why ? ")" : "");
	mend(&f, "NFSv4 on the server; or rpc.statd on the node and mountOptions [lock]");
	fn(&f, userdata);
}

static void judge_answer(const struct view_export *x, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("exports", DOCTOR_OK);
	const char *colon = *x->text ? ": " : "";

	if (streq(x->state, "Stale")) {
		f.level = DOCTOR_ERROR;
		say(&f, "%s:%s is stale%s%s", x->server, x->export_, colon, x->text);
		mend(&f, "the export was withdrawn or its file system replaced: restore it on the "
			 "server, else delete the pods that use it; their mounts are taken away");
	} else if (streq(x->state, "Hung") || streq(x->round_trip, "down")) {
		f.level = DOCTOR_ERROR;
		say(&f, "%s does not answer%s%s; %u volume%s on %s", x->server, colon, x->text,
			x->volumes, PLURAL(x->volumes, "", "s"), x->export_);
		mend(&f, "start the server, or mend the network to %s; nothing is lost meanwhile",
			*x->address ? x->address : x->server);
	} else if (streq(x->round_trip, "slow")) {
		f.level = DOCTOR_WARNING;
		say(&f, "%s answers slowly (%.0f ms)", x->server,
			(double)x->round_trip_ns / (double)NSEC_PER_MSEC);
		mend(&f, "look at the server's load and the network");
	} else if (streq(x->state, "Ok")) {
		say(&f, "%s:%s answers", x->server, x->export_);
	} else {
		f.level = DOCTOR_NOTE;
		say(&f, "%s:%s was not asked yet", x->server, x->export_);
	}
	fn(&f, userdata);
}

void doctor_judge_export(const struct view_export *x, doctor_fn fn, void *userdata)
{
	judge_answer(x, fn, userdata);
	judge_locks(x, fn, userdata);
}

struct judging {
	doctor_fn fn;
	void *userdata;
	unsigned nfs_volumes;
	unsigned exports, bad_mounts, sub_paths, stuck;
	char first[256], first_state[16];
};

/* "server:/export/directory"; one of a pool is a path. */
static void on_volume(const struct view_volume *p, void *userdata)
{
	struct judging *j = userdata;

	j->nfs_volumes += *p->source && p->source[0] != '/';
}

static void on_driver(const struct view_driver *d, void *userdata)
{
	struct judging *j = userdata;

	doctor_judge_driver(d, j->fn, j->userdata);
}

static void on_export(const struct view_export *x, void *userdata)
{
	struct judging *j = userdata;

	j->exports++;
	doctor_judge_export(x, j->fn, j->userdata);
}

static void on_mount(const struct view_mount *m, void *userdata)
{
	struct judging *j = userdata;

	if (streq(m->kind, "subPath") && !streq(m->state, "Ok"))
		j->sub_paths++;
	if (streq(m->state, "Ok"))
		return;
	if (j->bad_mounts++ > 0)
		return;
	(void)str_copy_cut(j->first, sizeof(j->first), m->target);
	(void)str_copy_cut(j->first_state, sizeof(j->first_state), m->state);
}

static void on_operation(const struct view_operation *o, void *userdata)
{
	struct judging *j = userdata;

	j->stuck += streq(o->state, "Stuck");
}

static void judge_operations(const struct judging *j)
{
	struct doctor_finding f = found("operations", DOCTOR_ERROR);

	if (j->stuck == 0)
		return;
	say(&f, "%u %s beyond the deadline", j->stuck,
		PLURAL(j->stuck, "operation is", "operations are"));
	mend(&f, "\"berthctl operations\" says which; they end when their server answers");
	j->fn(&f, j->userdata);
}

static void on_pool(const struct view_pool *p, void *userdata)
{
	struct judging *j = userdata;
	struct doctor_finding f = found("pools", *p->text ? DOCTOR_ERROR : DOCTOR_OK);

	if (*p->text)
		say(&f, "pool %s at %s: %s", p->name, p->path, p->text);
	else
		say(&f, "pool %s at %s is there", p->name, p->path);
	j->fn(&f, j->userdata);
}

static void judge_mounts(const struct judging *j)
{
	struct doctor_finding f = found("mounts", j->bad_mounts ? DOCTOR_ERROR : DOCTOR_OK);

	if (j->bad_mounts == 0) {
		say(&f, "every mount is well");
	} else {
		say(&f, "%u %s not well, first: %s is %s", j->bad_mounts,
			PLURAL(j->bad_mounts, "mount is", "mounts are"), j->first, j->first_state);
		mend(&f, "\"berthctl mounts\" lists them; hung ones go on when their server "
			 "answers, "
			 "stale and orphaned ones end with their pods");
	}
	j->fn(&f, j->userdata);
	if (j->sub_paths == 0)
		return;
	f = found("subPath", DOCTOR_ERROR);
	say(&f, "%u subPath %s not well: the kubelet waits there before it unpublishes",
		j->sub_paths, PLURAL(j->sub_paths, "bind is", "binds are"));
	mend(&f, "where the server will not come back: \"berthctl detach TARGET\" for each");
	j->fn(&f, j->userdata);
}

/* binding.md 4: the kubelet opens the volume's root as root, which root_squash makes nobody. */
static void note_sub_path(const struct judging *j)
{
	struct doctor_finding f = found("subPath", DOCTOR_NOTE);

	if (j->exports == 0)
		return;
	say(&f, "pods that use subPath on an export with root_squash need mode 0777 on the "
		"volume's directory: the kubelet opens it as root");
	mend(&f, "class parameter mode: \"0777\", or no_root_squash on the server");
	j->fn(&f, j->userdata);
}

static void judge_children(const struct view_node *n, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = found("mounts", DOCTOR_ERROR);

	if (n->children_stuck == 0)
		return;
	say(&f, "%u mount process%s in the kernel for too long: that export waits, others do not",
		n->children_stuck, n->children_stuck == 1 ? "" : "es");
	mend(&f, "they end when their server answers; else reboot the node");
	fn(&f, userdata);
}

void doctor_judge_view(const struct view *v, doctor_fn fn, void *userdata)
{
	struct judging j = {.fn = fn, .userdata = userdata};
	struct view_node n = {0};

	if (v->volumes)
		v->volumes(v->agent, on_volume, &j);
	if (v->node) {
		v->node(v->agent, &n);
		doctor_judge_nfs(n.nfs_client, n.nfs_client_text, j.nfs_volumes, fn, userdata);
		doctor_judge_propagation(
			n.kubelet_root, n.propagation, n.propagation_text, fn, userdata);
	}
	if (v->drivers)
		v->drivers(v->agent, on_driver, &j);
	if (v->node) {
		doctor_judge_api(&n.api, fn, userdata);
		doctor_judge_clock(&n.api, fn, userdata);
		judge_children(&n, fn, userdata);
	}
	if (v->exports)
		v->exports(v->agent, on_export, &j);
	if (v->pools)
		v->pools(v->agent, on_pool, &j);
	if (v->mounts) {
		v->mounts(v->agent, on_mount, &j);
		judge_mounts(&j);
	}
	if (v->operations)
		v->operations(v->agent, on_operation, &j);
	judge_operations(&j);
	note_sub_path(&j);
}
