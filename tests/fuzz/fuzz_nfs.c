/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_nfs.c: a hostile server's replies to each call: no memory error of ours, no hang, no name
 * that leads elsewhere */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/pathat.h"
#include "base/str.h"
#include "nfs/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define OURS 86   /* exit status of a child that found a fault of ours */
#define ROUNDS 64 /* replies to one call; a call of ours takes at most a handful */
#define REQUEST_MAX 65536
#define REPLY_MAX 4096
#define HANG_SECONDS 5

/* What is left of the input: each reply takes a length byte and as many bytes times eight. */
struct feed {
	const uint8_t *data;
	size_t size;
};

/*
 * The child's coverage goes back to the fuzzer through memory that they share and libFuzzer's extra
 * counters (taking the address of the compiler's own counters keeps libFuzzer from seeing those).
 */
#define COUNTERS_MAX 16384
extern char counters_begin[] __asm__("__start___sancov_cntrs");
extern char counters_end[] __asm__("__stop___sancov_cntrs");
static volatile char extra[COUNTERS_MAX] __attribute__((section("__libfuzzer_extra_counters")));
static char *shared;

static size_t counters(void)
{
	size_t n = (size_t)(counters_end - counters_begin);

	return n < COUNTERS_MAX ? n : COUNTERS_MAX;
}

static void leave(int status)
{
	memcpy(shared, counters_begin, counters());
	_exit(status);
}

/*
 * libnfs 4.0 has known faults of its own in these decoders (reliability.md 3.7), which the worker's
 * process contains. They are not ours to find here: a report whose innermost frames lie in libnfs
 * ends the child quietly, any other fails the run.
 */
static void on_report(const char *text)
{
	const char *second = strstr(text, "\n    #2 ");
	const char *lib = strstr(text, "libnfs.so");

	if (lib && (!second || lib < second))
		leave(0);
	(void)!write(STDERR_FILENO, text, strlen(text));
	leave(OURS);
}

static void ours(const char *what)
{
	fprintf(stderr, "fuzz_nfs: %s\n", what);
	leave(OURS);
}

static void check_page(const struct nfs_page *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const char *name = nfs_page_name(p, i);

		if (!*name || strchr(name, '/') || streq(name, ".") || streq(name, "..") ||
			strlen(name) > PATH_COMPONENT_MAX)
			ours("a name that leads elsewhere was kept");
	}
}

static bool over;

static void on_call(struct call *c, void *userdata)
{
	(void)userdata;
	if (over)
		ours("a call ended twice");
	over = true;
	if (c->r > 0)
		ours("a positive result");
	if (c->fh.size > NFS_FH_MAX)
		ours("a handle larger than any");
	if (c->page)
		check_page(c->page);
	if (c->out && c->out->len > c->out->max)
		ours("more than was asked for");
}

/* Answers a waiting request; false where there is none or nothing is left to say. */
static bool reply(int fd, struct feed *f, bool header)
{
	static uint8_t request[REQUEST_MAX], out[REPLY_MAX + 64];
	static const uint8_t accepted[20] = {
		0, 0, 0, 1}; /* REPLY, MSG_ACCEPTED, AUTH_NONE, SUCCESS */
	ssize_t n = recv(fd, request, sizeof(request), MSG_DONTWAIT);
	size_t len, at = 8;

	if (n < 8 || f->size < 1)
		return false;
	len = (size_t)f->data[0] * 8;
	f->data++;
	f->size--;
	if (len > f->size)
		len = f->size;
	memcpy(out + 4, request + 4, 4);
	if (header) {
		memcpy(out + at, accepted, sizeof(accepted));
		at += sizeof(accepted);
	}
	memcpy(out + at, f->data, len);
	f->data += len;
	f->size -= len;
	at += len;
	out[0] = 0x80;
	out[1] = 0;
	out[2] = (uint8_t)((at - 4) >> 8);
	out[3] = (uint8_t)(at - 4);
	return send(fd, out, at, MSG_NOSIGNAL) == (ssize_t)at;
}

static void prepare(struct call *c, const struct feed *f, struct buf *out, struct nfs_page *page)
{
	static const uint8_t handle[32] = {1, 2, 3};

	c->kind = (enum call_kind)(f->data[0] % _CALL_KIND_MAX);
	c->name = c->kind == CALL_ROOT ? "/export/deep" : "name";
	c->to_name = ".tmp";
	c->data = "{}";
	c->size = 2;
	c->out = c->kind == CALL_READ ? out : NULL;
	c->page = c->kind == CALL_READDIR ? page : NULL;
	nfs_fh_set(&c->dir, handle, sizeof(handle));
	nfs_fh_set(&c->to, handle, sizeof(handle));
}

static void child(struct feed f)
{
	static struct nfs_page page;
	struct buf out = BUF_NULL(4096);
	struct server s;
	struct call c = {0};
	int pair[2];

	alarm(HANG_SECONDS);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		leave(0);
	server_init(&s, "fuzz");
	s.nfs = compat_open(pair[0]);
	s.protocol = f.data[1] & 1 ? &nfs4_protocol : &nfs3_protocol;
	nfs_page_reset(&page);
	prepare(&c, &f, &out, &page);
	server_call(&s, &c, on_call, NULL);
	f.data += 2;
	f.size -= 2;
	for (int i = 0; i < ROUNDS && !over; i++) {
		struct pollfd fds[2];
		size_t n;

		server_flush(&s);
		if (!reply(pair[1], &f, !(f.size && f.data[0] & 0x80)))
			break;
		n = server_pollfds(&s, fds);
		for (size_t k = 0; k < n; k++)
			fds[k].revents = fds[k].fd == pair[0] ? POLLIN : 0;
		if (server_io(&s, fds) < 0)
			break;
		server_run(&s);
	}
	leave(0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	shared =
		mmap(NULL, COUNTERS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	__asan_set_error_report_callback(on_report);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int status;
	pid_t pid;

	if (size < 3 || size > REPLY_MAX)
		return 0;
	pid = fork();
	if (pid == 0)
		child((struct feed){data, size});
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 0;
	for (size_t i = 0; i < counters(); i++)
		extra[i] = shared[i];
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		fprintf(stderr, "fuzz_nfs: a call hangs\n");
		abort();
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == OURS)
		abort();
	return 0;
}
