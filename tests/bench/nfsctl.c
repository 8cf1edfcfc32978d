/* SPDX-License-Identifier: Apache-2.0 */
/* nfsctl.c: the NFS backend's functions from the command line, for component tests and figures */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "nfs/nfs.h"
#include "volume/record.h"

#define TOKEN "00112233445566778899aabbccddeeff"
#define BURST_MAX 200000

struct ctl {
	struct loop *loop;
	struct volume_backend *b;
	struct volume_place place;
	struct volume_request q;
	const char *name; /* trash name, cursor */
	char cursor[128];
	size_t total, begun, ended, failed, concurrency;
	const char *prefix;
	enum { ONE, BURST_CREATE, BURST_TRASH } mode;
	uint64_t start, removed, slices, slowest;
	bool script;
	char line[1024];            /* of the script */
	struct volume_place beside; /* a server asked at the same time as a burst */
	const char *beside_state;
	int r;
};

static void print_flags(const struct volume_result *res)
{
	static const char *const names[] = {
		"adopted", "owner-differs", "mode-differs", "more", "absent"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (res->flags & (1U << i))
			printf(" %s", names[i]);
}

static void print_error(const struct volume_result *res)
{
	printf("error %s: %s\n", strerrorname_np(res->err.code), res->err.text);
}

static void command_ended(struct ctl *c);

static void on_one(const struct volume_result *res, void *userdata)
{
	struct ctl *c = userdata;

	c->r = -res->err.code;
	if (res->err.code) {
		print_error(res);
	} else {
		printf("ok");
		print_flags(res);
		printf(" directory=%s identity=%s uid=%u gid=%u mode=%04o",
			str_or(res->directory, ""), res->identity, res->uid, res->gid, res->mode);
		if (*res->text)
			printf(" text=\"%s\"", res->text);
		printf("\n");
	}
	command_ended(c);
}

static void on_space(const struct volume_result *res, void *userdata)
{
	struct ctl *c = userdata;

	c->r = -res->err.code;
	if (res->err.code)
		print_error(res);
	else
		printf("ok version=%d total=%llu available=%llu files=%llu identity=%s\n",
			res->version, (unsigned long long)res->total_bytes,
			(unsigned long long)res->available_bytes,
			(unsigned long long)res->total_files, res->identity);
	command_ended(c);
}

static void on_purge(const struct volume_result *res, void *userdata)
{
	struct ctl *c = userdata;

	c->removed += res->removed;
	c->slices++;
	c->r = -res->err.code;
	if (!res->err.code && res->flags & RESULT_MORE && (c->total == 0 || c->slices < c->total)) {
		c->r = c->b->ops->purge(c->b, &c->place, c->name, on_purge, c);
		if (c->r >= 0)
			return;
	}
	if (res->err.code)
		print_error(res);
	printf("%s removed=%llu slices=%llu seconds=%.3f\n", res->err.code ? "failed" : "ok",
		(unsigned long long)c->removed, (unsigned long long)c->slices,
		(double)(clock_now() - c->start) / 1e9);
	command_ended(c);
}

static void on_regroup(const struct volume_result *res, void *userdata)
{
	struct ctl *c = userdata;

	c->slices++;
	c->r = -res->err.code;
	if (!res->err.code && res->flags & RESULT_MORE) {
		c->r = nfs_backend_regroup(c->b, &c->place, c->name, c->q.gid, on_regroup, c);
		if (c->r >= 0)
			return;
	}
	if (res->err.code)
		print_error(res);
	printf("%s changed=%llu slices=%llu text=\"%s\"\n", res->err.code ? "failed" : "ok",
		(unsigned long long)res->removed, (unsigned long long)c->slices, res->text);
	command_ended(c);
}

static void print_entry(const struct volume_entry *e)
{
	static const char *const kinds[] = {"record", "trash", "directory", "bad-record"};
	char shown[512];

	printf("%s %s", kinds[e->kind], str_escape(shown, sizeof(shown), e->name));
	if (e->kind == ENTRY_RECORD)
		printf(" pv=%s state=%s directory=%s stored=%s claim=%s/%s", e->record.pv,
			record_state_text(e->state), e->record.directory, e->trash,
			e->record.claim.namespace_, e->record.claim.name);
	printf("\n");
}

static void on_list(const struct volume_result *res, void *userdata)
{
	struct ctl *c = userdata;

	c->r = -res->err.code;
	if (res->err.code)
		print_error(res);
	for (size_t i = 0; i < res->n_entries; i++)
		print_entry(&res->entries[i]);
	c->ended += res->n_entries;
	c->slices++;
	if (!res->err.code && res->flags & RESULT_MORE) {
		str_copy_cut(c->cursor, sizeof(c->cursor), res->cursor);
		c->r = c->b->ops->list(c->b, &c->place, c->cursor, on_list, c);
		if (c->r >= 0)
			return;
	}
	if (!res->err.code)
		printf("ok entries=%zu pages=%llu\n", c->ended, (unsigned long long)c->slices);
	command_ended(c);
}

/* ---- many at once
 * ------------------------------------------------------------------------------------- */

struct item {
	struct ctl *c;
	uint64_t start;
};

static int burst_more(struct ctl *c);

static void on_item(const struct volume_result *res, void *userdata)
{
	struct item *item = userdata;
	struct ctl *c = item->c;
	uint64_t took = clock_now() - item->start;

	free(item);
	if (took > c->slowest)
		c->slowest = took;
	c->ended++;
	if (res->err.code) {
		if (c->failed++ < 3)
			print_error(res);
	}
	(void)burst_more(c);
	if (c->ended == c->total) {
		double s = (double)(clock_now() - c->start) / 1e9;

		printf("ok done=%zu failed=%zu seconds=%.3f rate=%.0f slowest_ms=%.1f beside=%s\n",
			c->ended, c->failed, s, (double)c->total / s, (double)c->slowest / 1e6,
			str_or(c->beside_state, "none"));
		c->r = c->failed ? -EIO : 0;
		command_ended(c);
	}
}

static int burst_one(struct ctl *c, size_t i)
{
	char pv[80], directory[256], uid[64];
	struct item *item = malloc(sizeof(*item));
	int r;

	if (!item)
		return -ENOMEM;
	*item = (struct item){c, clock_now()};
	snprintf(uid, sizeof(uid), "00000000-0000-4000-8000-%012zu", i);
	snprintf(pv, sizeof(pv), "pvc-%s", uid);
	snprintf(directory, sizeof(directory), "%s-%s", c->prefix, pv);
	c->q.pv = pv;
	c->q.directory = directory;
	c->q.claim.uid = uid;
	r = (c->mode == BURST_TRASH ? c->b->ops->trash : c->b->ops->create)(
		c->b, &c->place, &c->q, on_item, item);
	if (r < 0)
		free(item);
	return r;
}

static int burst_more(struct ctl *c)
{
	while (c->begun < c->total && c->begun - c->ended < c->concurrency) {
		int r = burst_one(c, c->begun++);

		if (r < 0) {
			printf("error %s\n", strerror(-r));
			c->total = c->ended;
			return r;
		}
	}
	return 0;
}

/* ---- command line
 * -------------------------------------------------------------------------------------------- */

static int usage(void)
{
	fprintf(stderr,
		"usage: nfsctl --server NAME --export PATH [--vers 3|4] [--nfs-port N] "
		"[--mount-port N]\n"
		"              [--act-as UID:GID] [--identity ID] [--worker PROGRAM] [--timeout "
		"MS]\n"
		"              [--uid N] [--gid N] [--mode M] [--adopt] [--shared] [--restore]\n"
		"              [--token HEX] [--queue MS] [--beside SERVER]\n"
		"              create|trash|archive|recycle|discard PV DIRECTORY | purge NAME "
		"[SLICES] |\n"
		"              script (such commands from standard input, a line each) |\n"
		"              list | space | burst N CONCURRENT PREFIX | burst-trash N CONCURRENT "
		"PREFIX\n");
	return 2;
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	if (!s || parse_u64(s, 0, UINT32_MAX, &n) < 0) {
		fprintf(stderr, "nfsctl: not a number: %s\n", str_or(s, ""));
		exit(2);
	}
	return n;
}

static int take_option(struct ctl *c, struct nfs_options *o, const char *name, const char *value)
{
	const char *colon;

	if (streq(name, "server"))
		c->place.server = value;
	else if (streq(name, "beside"))
		c->beside.server = value;
	else if (streq(name, "export"))
		c->place.export_ = value;
	else if (streq(name, "vers"))
		c->place.version = (int)number(value);
	else if (streq(name, "nfs-port"))
		c->place.nfs_port = (uint16_t)number(value);
	else if (streq(name, "mount-port"))
		c->place.mount_port = (uint16_t)number(value);
	else if (streq(name, "identity"))
		c->place.identity = value;
	else if (streq(name, "worker"))
		o->worker_program = value;
	else if (streq(name, "timeout"))
		o->operation_ns = MILLISECONDS(number(value));
	else if (streq(name, "queue"))
		o->queue_ns = MILLISECONDS(number(value));
	else if (streq(name, "token"))
		c->q.token = value;
	else if (streq(name, "adopt"))
		c->q.flags |= VOLUME_ADOPT;
	else if (streq(name, "shared"))
		c->q.flags |= VOLUME_SHARED;
	else if (streq(name, "restore"))
		c->q.flags |= VOLUME_RESTORE;
	else if (streq(name, "uid")) {
		c->q.uid = (uid_t)number(value);
		c->q.flags |= VOLUME_UID_SET;
	} else if (streq(name, "gid")) {
		c->q.gid = (gid_t)number(value);
		c->q.flags |= VOLUME_GID_SET;
	} else if (streq(name, "mode")) {
		c->q.flags |= VOLUME_MODE_SET;
		return parse_mode(value, &c->q.mode);
	} else if (streq(name, "act-as") && (colon = strchr(value, ':'))) {
		c->place.act_as_set = true;
		c->place.act_uid = (uid_t)strtoul(value, NULL, 10);
		c->place.act_gid = (gid_t)number(colon + 1);
	} else {
		return -EINVAL;
	}
	return 0;
}

static void on_beside(const struct volume_result *res, void *userdata)
{
	struct ctl *c = userdata;

	c->beside_state = res->err.code ? strerrorname_np(res->err.code) : "ok";
}

static int start_burst(struct ctl *c, char **argv, int argc)
{
	if (argc != 4)
		return -EINVAL;
	c->total = number(argv[1]);
	c->concurrency = number(argv[2]);
	c->prefix = argv[3];
	c->mode = streq(argv[0], "burst") ? BURST_CREATE : BURST_TRASH;
	if (c->total == 0 || c->total > BURST_MAX || c->concurrency == 0)
		return -EINVAL;
	if (c->beside.server) {
		c->beside_state = "waiting";
		if (c->b->ops->space(c->b, &c->beside, on_beside, c) < 0)
			return -EINVAL;
	}
	return burst_more(c);
}

static int start(struct ctl *c, char **argv, int argc)
{
	static const struct {
		const char *name;
		size_t offset;
	} volume_ops[] = {
		{"create", offsetof(struct volume_backend_ops, create)},
		{"trash", offsetof(struct volume_backend_ops, trash)},
		{"archive", offsetof(struct volume_backend_ops, archive)},
		{"recycle", offsetof(struct volume_backend_ops, recycle)},
		{"discard", offsetof(struct volume_backend_ops, discard)},
	};

	c->start = clock_now();
	c->removed = c->slices = c->slowest = 0;
	c->total = c->begun = c->ended = c->failed = 0;
	for (size_t i = 0; argc == 3 && i < ELEMENTSOF(volume_ops); i++) {
		const char *at = (const char *)c->b->ops + volume_ops[i].offset;
		int (*fn)(struct volume_backend * b, const struct volume_place *p,
			const struct volume_request *q, volume_fn fn, void *userdata);

		if (!streq(argv[0], volume_ops[i].name))
			continue;
		memcpy(&fn, at, sizeof(fn));
		c->q.pv = argv[1];
		c->q.directory = argv[2];
		return fn(c->b, &c->place, &c->q, on_one, c);
	}
	if (streq(argv[0], "purge") && argc >= 2) {
		c->name = argv[1];
		c->total = argc > 2 ? number(argv[2]) : 0;
		return c->b->ops->purge(c->b, &c->place, c->name, on_purge, c);
	}
	if (streq(argv[0], "regroup") && argc == 3) {
		c->name = streq(argv[1], "/") ? "" : argv[1];
		c->q.gid = (gid_t)number(argv[2]);
		return nfs_backend_regroup(c->b, &c->place, c->name, c->q.gid, on_regroup, c);
	}
	if (streq(argv[0], "list"))
		return c->b->ops->list(c->b, &c->place, NULL, on_list, c);
	if (streq(argv[0], "space"))
		return c->b->ops->space(c->b, &c->place, on_space, c);
	if (str_after(argv[0], "burst"))
		return start_burst(c, argv, argc);
	return -EINVAL;
}

#define WORDS_MAX 8

/* One line of standard input; -EINVAL for none that makes sense, 1 at their end. */
static int start_line(struct ctl *c)
{
	char *words[WORDS_MAX], *rest = c->line;
	int n = 0;

	if (!fgets(c->line, sizeof(c->line), stdin))
		return 1;
	while (n < WORDS_MAX && (words[n] = strtok_r(rest, " \n", &rest)))
		n++;
	return n > 0 ? start(c, words, n) : -EINVAL;
}

/* What is asked of one backend, so of one worker, one after the other. */
static void command_ended(struct ctl *c)
{
	int r = c->script ? -EINVAL : 1;

	fflush(stdout);
	while (c->script && (r = start_line(c)) < 0) {
		printf("error %s\n", strerror(-r));
		fflush(stdout);
	}
	if (r > 0)
		loop_exit(c->loop, 0);
}

static int start_first(struct ctl *c, char **argv, int argc)
{
	c->beside.export_ = c->place.export_;
	c->beside.version = c->place.version;
	c->script = streq(argv[0], "script");
	return c->script ? start_line(c) : start(c, argv, argc);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"server", 1, NULL, 0}, {"export", 1, NULL, 0},
		{"vers", 1, NULL, 0}, {"nfs-port", 1, NULL, 0}, {"mount-port", 1, NULL, 0},
		{"identity", 1, NULL, 0}, {"worker", 1, NULL, 0}, {"timeout", 1, NULL, 0},
		{"queue", 1, NULL, 0}, {"token", 1, NULL, 0}, {"adopt", 0, NULL, 0},
		{"shared", 0, NULL, 0}, {"restore", 0, NULL, 0}, {"uid", 1, NULL, 0},
		{"gid", 1, NULL, 0}, {"mode", 1, NULL, 0}, {"act-as", 1, NULL, 0},
		{"beside", 1, NULL, 0}, {NULL, 0, NULL, 0}};
	struct nfs_options o = {.worker_program = getenv("BERTH_NFS")};
	struct err e = ERR_NULL;
	struct ctl c = {
		.q = {.driver = "nfs.berth.dev",
			.token = TOKEN,
			.class = "test",
			.claim = {"default", "claim", "00000000-0000-4000-8000-000000000000"},
			.capacity = 1 << 20}};
	int index, ch, r;

	log_setup("nfsctl", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	while ((ch = getopt_long(argc, argv, "+", options, &index)) != -1)
		if (ch != 0 || take_option(&c, &o, options[index].name, optarg) < 0)
			return usage();
	if (optind >= argc || !c.place.server || !c.place.export_)
		return usage();
	r = loop_new(&c.loop);
	if (r >= 0)
		r = nfs_backend_new(&c.b, c.loop, &o, &e);
	if (r < 0) {
		printf("error %s\n", e.text);
		return 1;
	}
	r = start_first(&c, argv + optind, argc - optind);
	if (r == -EINVAL)
		return usage();
	if (r < 0)
		printf("error %s\n", strerror(-r));
	else
		(void)loop_run(c.loop);
	nfs_backend_free(c.b);
	loop_free(c.loop);
	return r < 0 || c.r < 0 ? 1 : 0;
}
