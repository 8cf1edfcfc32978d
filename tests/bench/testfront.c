/* SPDX-License-Identifier: Apache-2.0 */
/* testfront.c: a front for tests of the broker and the mounter: commands in by a FIFO, lines out */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/mounter.h"
#include "agent/orders.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "base/str.h"

/*
 * RUN_DIR/front/in: lines "TAG COMMAND ARGUMENTS..." ("-" for an empty one); RUN_DIR/front/out: a
 * line "TAG RESULT..." each, "ok" or "error NUMBER TEXT". socket|connect|remove kubelet|run PATH
 * [MODE] publish SERVER EXPORT DIRECTORY TARGET FLAGS OPTIONS (SERVER - : hostPath; FLAGS: of r s
 * d, or -) unpublish|detach|stats TARGET   rshared exports   stats-now   repeat N SERVER EXPORT
 * DIRECTORY TARGET   start KEY [resolver]   garbage   exit N
 */
#define WORDS_MAX 10

struct front {
	struct loop *loop;
	struct orders *orders;
	struct mounter *mounter;
	struct io *in;
	struct buf lines;
	int out;
	char dir[256];
};

struct answer {
	struct front *f;
	char tag[32];
	unsigned left; /* of a repetition */
	char words[5][256];
};

static void say(const struct front *f, const char *tag, const char *fmt, ...) _printf_(3, 4);
static void say(const struct front *f, const char *tag, const char *fmt, ...)
{
	char line[1024], text[900];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (fd_write_all(f->out, line, (size_t)snprintf(line, sizeof(line), "%s %s\n", tag, text)) <
		0)
		_exit(9);
}

static void say_error(const struct front *f, const char *tag, const struct err *e)
{
	if (e->code)
		say(f, tag, "error %d %s", e->code, e->text);
	else
		say(f, tag, "ok");
}

static struct answer *answer_new(struct front *f, const char *tag)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		_exit(9);
	a->f = f;
	str_copy_cut(a->tag, sizeof(a->tag), tag);
	return a;
}

static void on_done(const struct err *e, void *userdata)
{
	struct answer *a = userdata;

	say_error(a->f, a->tag, e);
	free(a);
}

static void on_socket(int fd, const struct err *e, void *userdata)
{
	/* The socket stays open for as long as the process lives. */
	(void)fd;
	on_done(e, userdata);
}

static void on_usage(const struct err *e, const struct mounter_usage *u, void *userdata)
{
	struct answer *a = userdata;

	if (e->code)
		say_error(a->f, a->tag, e);
	else
		say(a->f, a->tag, "ok %llu %llu %llu", (unsigned long long)u->bytes,
			(unsigned long long)u->bytes_available, (unsigned long long)u->inodes);
	free(a);
}

static void on_sharing(const struct err *e, enum mounter_sharing s, void *userdata)
{
	static const char *const words[] = {"shared", "made", "refused"};
	struct answer *a = userdata;

	say(a->f, a->tag, "%s %s", words[s], e->text);
	free(a);
}

static void ended(struct answer *a, int r, const struct err *e)
{
	if (r >= 0)
		return;
	say(a->f, a->tag, "error %d refused: %s", -r, e->text);
	free(a);
}

static int publish(struct answer *a, const char *const *w, mounter_fn fn, struct err *e)
{
	bool nfs = !streq(w[0], "-");
	const struct mounter_volume v = {.kind = nfs ? MOUNTER_NFS : MOUNTER_HOSTPATH,
		.server = nfs ? w[0] : NULL,
		.export_ = w[1],
		.directory = streq(w[2], "-") ? "" : w[2],
		.target = w[3],
		.readonly = strchr(w[4], 'r') != NULL,
		.suid = strchr(w[4], 's') != NULL,
		.dev = strchr(w[4], 'd') != NULL,
		.options = streq(w[5], "-") ? NULL : w[5]};

	return mounter_publish(a->f->mounter, &v, fn, a, e);
}

static void on_repeated(const struct err *e, void *userdata)
{
	struct answer *a = userdata;
	const char *const w[] = {a->words[0], a->words[1], a->words[2], a->words[3], "-", "-"};
	struct err why = ERR_NULL;

	if (e->code || --a->left == 0)
		on_done(e, a);
	else
		ended(a, publish(a, w, on_repeated, &why), &why);
}

static void on_export(const struct mounter_export *x, void *userdata)
{
	struct buf *b = userdata;

	if (buf_printf(b, " %s=%s:%zu", x->id, x->source, x->publications) < 0)
		_exit(9);
}

static void start_raw(struct front *f, const char *tag, const char *key, enum broker_class what)
{
	struct broker_order o = {.kind = BROKER_START, .what = what};
	int pair[2];

	str_copy_cut(o.name, sizeof(o.name), key);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
		packet_send(BROKER_FD, &o, sizeof(o), pair[1]) < 0)
		_exit(9);
	close(pair[1]);
	/* Our end stays open: the child waits for its first frame. */
	say(f, tag, "ok");
}

static void numbers(struct front *f, const char *tag)
{
	struct mounter_stats_now s;

	mounter_stats_now(f->mounter, &s);
	say(f, tag, "ok children=%zu running=%zu killed=%llu lazy=%llu published=%llu", s.children,
		s.running, (unsigned long long)s.killed, (unsigned long long)s.lazy,
		(unsigned long long)s.published);
}

static void exports(struct front *f, const char *tag)
{
	_cleanup_buf_ struct buf b = BUF_NULL(800);

	mounter_exports(f->mounter, on_export, &b);
	say(f, tag, "ok%s", str_or(b.data, ""));
}

static void socket_command(struct front *f, const char **w, size_t n, struct answer *a)
{
	enum broker_base base = streq(w[2], "run") ? BROKER_RUN : BROKER_KUBELET;
	mode_t mode = n > 4 ? (mode_t)strtoul(w[4], NULL, 8) : 0600;
	struct err e = ERR_NULL;
	int r = streq(w[1], "socket")    ? orders_publish(f->orders, base, w[3], mode, on_socket, a)
		: streq(w[1], "connect") ? orders_connect(f->orders, base, w[3], on_socket, a)
					 : orders_remove(f->orders, base, w[3], on_socket, a);

	err_sys(&e, r, "not sent");
	ended(a, r, &e);
}

/* Those that have one answer, later. */
static void later(struct front *f, const char **w, size_t n)
{
	struct answer *a = answer_new(f, w[0]);
	struct err e = ERR_NULL;
	int r = -EINVAL;

	if ((streq(w[1], "socket") || streq(w[1], "connect") || streq(w[1], "remove")) && n >= 4) {
		socket_command(f, w, n, a);
		return;
	}
	if (streq(w[1], "publish") && n == 8)
		r = publish(a, w + 2, on_done, &e);
	else if (streq(w[1], "unpublish") && n == 3)
		r = mounter_unpublish(f->mounter, w[2], on_done, a, &e);
	else if (streq(w[1], "detach") && n == 3)
		r = mounter_detach(f->mounter, w[2], on_done, a, &e);
	else if (streq(w[1], "stats") && n == 3)
		r = mounter_stats(f->mounter, w[2], on_usage, a, &e);
	else if (streq(w[1], "rshared"))
		r = mounter_rshared(f->mounter, on_sharing, a, &e);
	else if (streq(w[1], "repeat") && n == 7) {
		a->left = (unsigned)strtoul(w[2], NULL, 10);
		for (size_t i = 0; i < 4; i++)
			str_copy_cut(a->words[i], sizeof(a->words[i]), w[3 + i]);
		w[7] = "-";
		w[8] = "-";
		r = publish(a, w + 3, on_repeated, &e);
	}
	ended(a, r, &e);
}

static void command(struct front *f, char *line)
{
	const char *w[WORDS_MAX] = {NULL};
	char *rest = NULL;
	size_t n = 0;

	for (char *word = strtok_r(line, " ", &rest); word && n < WORDS_MAX - 2;
		word = strtok_r(NULL, " ", &rest))
		w[n++] = word;
	if (n < 2)
		return;
	if (streq(w[1], "exit"))
		_exit(n > 2 ? (int)strtol(w[2], NULL, 10) : 0);
	else if (streq(w[1], "garbage"))
		(void)!send(BROKER_FD, "garbage", 7, MSG_NOSIGNAL);
	else if (streq(w[1], "start"))
		start_raw(f, w[0], n > 2 ? w[2] : "k", n > 3 ? BROKER_RESOLVER : BROKER_NFS);
	else if (streq(w[1], "stats-now"))
		numbers(f, w[0]);
	else if (streq(w[1], "exports"))
		exports(f, w[0]);
	else
		later(f, w, n);
}

static void on_in(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct front *f = userdata;
	char *end, bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)io;
	(void)revents;
	if (n <= 0 || buf_append(&f->lines, bytes, (size_t)n) < 0)
		return;
	while ((end = memchr(f->lines.data, '\n', f->lines.len))) {
		*end = '\0';
		command(f, f->lines.data);
		buf_consume(&f->lines, (size_t)(end - f->lines.data) + 1);
	}
}

static void on_gone(void *userdata)
{
	struct front *f = userdata;

	loop_exit(f->loop, 1);
}

static void on_term(struct sig *s, int signo, void *userdata)
{
	struct front *f = userdata;

	(void)s;
	(void)signo;
	say(f, "-", "terminated");
	loop_exit(f->loop, 0);
}

static const char *option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (streq(argv[i], name))
			return argv[i + 1];
	return "";
}

static int open_files(struct front *f, const char *run_dir)
{
	char path[300];
	int in;

	snprintf(f->dir, sizeof(f->dir), "%s/front", run_dir);
	snprintf(path, sizeof(path), "%s/in", f->dir);
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -errno;
	in = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/out", f->dir);
	f->out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return in < 0 || f->out < 0 ? -errno : in;
}

static int prepare(struct front *f, int argc, char **argv, struct err *e)
{
	char exports_dir[300];
	int in = open_files(f, option(argc, argv, "--run-dir")), r;

	if (in < 0)
		return err_sys(e, in, "front directory");
	snprintf(exports_dir, sizeof(exports_dir), "%s/exports", option(argc, argv, "--run-dir"));
	r = loop_new(&f->loop);
	if (r >= 0)
		r = orders_new(&f->orders, f->loop, BROKER_FD, on_gone, f);
	if (r >= 0)
		r = io_new(&f->in, f->loop, in, EPOLLIN, on_in, f);
	if (r < 0)
		return err_sys(e, r, "loop");
	return mounter_new(&f->mounter,
		&(struct mounter_options){.loop = f->loop,
			.orders = f->orders,
			.kubelet_root = option(argc, argv, "--kubelet-root"),
			.exports_dir = exports_dir,
			.mountinfo = option(argc, argv, "--mountinfo"),
			.export_idle_ns =
				1000000ULL * strtoul(option(argc, argv, "--idle-ms"), NULL, 10)},
		e);
}

int main(int argc, char **argv)
{
	struct front f = {.lines = BUF_NULL(65536)};
	struct err e = ERR_NULL;
	struct sig *term = NULL;
	int r;

	log_setup("testfront", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	r = prepare(&f, argc, argv, &e);
	if (r < 0 || sig_new(&term, f.loop, SIGTERM, on_term, &f) < 0) {
		log_error("%s", e.text);
		return 1;
	}
	say(&f, "-", "started %d %s", (int)getpid(), option(argc, argv, "--mountinfo"));
	r = loop_run(f.loop);
	mounter_free(f.mounter);
	orders_free(f.orders);
	return r;
}
