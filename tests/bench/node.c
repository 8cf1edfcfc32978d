/* SPDX-License-Identifier: Apache-2.0 */
/* node.c: what the agent is measured beside and by: bare binds, publishes over one kept connection,
 * and the time from its start until it is registered. Results are JSON on stdout. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"

#define MESSAGE_MAX 1024
#define CHUNK 16384
#define START_LIMIT SECONDS(30)
#define TRY_AGAIN NSEC_PER_MSEC

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "node: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pause_ns(uint64_t ns)
{
	const struct timespec t = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};

	nanosleep(&t, NULL);
}

/* ---- targets as the kubelet has them: ROOT/pods/PREFIXnnnnnn/volumes/kubernetes.io~csi/pv/mount
 * -- */

#define TARGET "%s/pods/%s%06zu/volumes/kubernetes.io~csi/pv/mount"

struct targets {
	const char *root, *prefix;
	size_t n;
};

static const char *target_of(const struct targets *t, size_t i, char dst[static PATH_MAX])
{
	if (snprintf(dst, PATH_MAX, TARGET, t->root, t->prefix, i) >= PATH_MAX)
		exit(2);
	return dst;
}

/* The kubelet makes all but the last directory. */
static int make_parents(const struct targets *t)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < t->n; i++) {
		target_of(t, i, path);
		for (char *slash = path + strlen(t->root) + 1; (slash = strchr(slash, '/')) != NULL;
			slash++) {
			*slash = '\0';
			if (mkdir(path, 0750) < 0 && errno != EEXIST)
				die(path);
			*slash = '/';
		}
	}
	return 0;
}

/* ---- bare binds ---------------------------------------------------------------------------- */

static uint64_t cpu_of(const char *pid)
{
	char path[64], text[128] = "";
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die(path);
	return strtoull(text, NULL, 10);
}

/* As many a second as told (0: at once), and what process pid took meanwhile. */
static int bind_all(const struct targets *t, const char *source, uint64_t rate, const char *pid)
{
	uint64_t began = clock_now(), cpu = pid ? cpu_of(pid) : 0, took;
	char path[PATH_MAX];

	for (size_t i = 0; i < t->n; i++) {
		uint64_t due = rate ? began + i * NSEC_PER_SEC / rate : 0,
			 now = due ? clock_now() : 0;

		if (due > now)
			pause_ns(due - now);
		/* The same mount as a publish makes: the flags need a second call. */
		if (mkdir(target_of(t, i, path), 0750) < 0 ||
			mount(source, path, NULL, MS_BIND, NULL) < 0 ||
			mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV, NULL) <
				0)
			die(path);
	}
	took = clock_now() - began;
	printf("{\"seconds\": %.6f, \"each_us\": %.2f, \"cores\": %.4f}\n", (double)took / 1e9,
		(double)took / 1e3 / (double)t->n,
		pid ? (double)(cpu_of(pid) - cpu) / (double)took : 0);
	return 0;
}

static int unbind_all(const struct targets *t)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < t->n; i++) {
		target_of(t, i, path);
		if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 || rmdir(path) < 0)
			die(path);
	}
	return 0;
}

/* ---- gRPC, blocking: the caller costs next to nothing -------------------------------------- */

struct link {
	int fd;
	nghttp2_session *h2;
	uint8_t message[MESSAGE_MAX], out[2 * CHUNK];
	size_t size, out_size;
	bool closed;
	char code[8];
	size_t answered, refused;
};

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *userdata)
{
	struct link *l = userdata;

	(void)h2;
	(void)frame;
	(void)flags;
	if (n_name == strlen("grpc-status") && memcmp(name, "grpc-status", n_name) == 0)
		snprintf(l->code, sizeof(l->code), "%.*s", (int)n_value, (const char *)value);
	return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t error, void *userdata)
{
	struct link *l = userdata;

	(void)h2;
	(void)id;
	(void)error;
	l->closed = true;
	l->answered++;
	l->refused += !streq(l->code, "0");
	return 0;
}

static ssize_t on_send(nghttp2_session *h2, int32_t id, uint8_t *dst, size_t size, uint32_t *flags,
	nghttp2_data_source *source, void *userdata)
{
	struct link *l = userdata;

	(void)h2;
	(void)id;
	(void)source;
	if (l->size > size)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(dst, l->message, l->size);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)l->size;
}

static int link_open(struct link *l, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	nghttp2_session_callbacks *callbacks;

	*l = (struct link){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (l->fd < 0 || str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
		die(path);
	if (connect(l->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		l->fd = fd_close(l->fd);
		return -errno;
	}
	if (nghttp2_session_callbacks_new(&callbacks) < 0)
		die("nghttp2");
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	if (nghttp2_session_client_new(&l->h2, callbacks, l) < 0 ||
		nghttp2_submit_settings(l->h2, NGHTTP2_FLAG_NONE, NULL, 0) < 0)
		die("nghttp2");
	nghttp2_session_callbacks_del(callbacks);
	return 0;
}

static void link_close(struct link *l)
{
	nghttp2_session_del(l->h2);
	l->fd = fd_close(l->fd);
}

/* Takes what there is to say; the message is free again. */
static void link_collect(struct link *l)
{
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(l->h2, &data)) > 0) {
		if (l->out_size + (size_t)n > sizeof(l->out))
			exit(2);
		memcpy(l->out + l->out_size, data, (size_t)n);
		l->out_size += (size_t)n;
	}
	if (n < 0)
		die("nghttp2");
}

static void link_flush(struct link *l)
{
	link_collect(l);
	if (l->out_size > 0 &&
		send(l->fd, l->out, l->out_size, MSG_NOSIGNAL) != (ssize_t)l->out_size)
		die("send");
	l->out_size = 0;
}

/* Asleep in poll() and not in recv(), which wakes up for nothing when the server reads, at the
 * server's expense (the kernel's unix_write_space()). */
static void link_turn(struct link *l, const char *method)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	uint8_t in[CHUNK];
	ssize_t n;

	link_flush(l);
	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			die("poll");
	n = recv(l->fd, in, sizeof(in), 0);
	if (n <= 0 || nghttp2_session_mem_recv(l->h2, in, (size_t)n) < 0)
		die(method);
}

#define FIELD(n, v) \
	((nghttp2_nv){(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE})

/* Asks; the message is l->message. */
static int32_t link_ask(struct link *l, const char *method)
{
	const nghttp2_nv fields[] = {FIELD(":method", "POST"), FIELD(":scheme", "http"),
		FIELD(":path", method), FIELD(":authority", "localhost"),
		FIELD("content-type", "application/grpc"), FIELD("te", "trailers")};
	const nghttp2_data_provider provider = {{.ptr = l}, on_send};
	int32_t stream = nghttp2_submit_request(
		l->h2, NULL, fields, sizeof(fields) / sizeof(fields[0]), &provider, NULL);

	if (stream < 0)
		die("nghttp2");
	l->closed = false;
	l->code[0] = '\0';
	return stream;
}

/* Ends the program where the answer is not OK. */
static void link_call(struct link *l, const char *method)
{
	(void)link_ask(l, method);
	while (!l->closed)
		link_turn(l, method);
	if (l->refused > 0) {
		fprintf(stderr, "node: %s answered with code %s\n", method, l->code);
		exit(1);
	}
}

/* ---- messages ------------------------------------------------------------------------------ */

static void put(struct link *l, const void *data, size_t n)
{
	if (l->size + n > sizeof(l->message))
		exit(2);
	memcpy(l->message + l->size, data, n);
	l->size += n;
}

static void put_text(struct link *l, unsigned field, const char *s)
{
	size_t n = strlen(s);
	const uint8_t head[] = {(uint8_t)(field << 3 | 2), (uint8_t)(n & 0x7f), (uint8_t)(n >> 7)};

	/* Lengths of two bytes at most, the first of two marked. */
	put(l, head, 1);
	put(l, &(uint8_t){(uint8_t)(n > 0x7f ? head[1] | 0x80 : head[1])}, 1);
	if (n > 0x7f)
		put(l, &head[2], 1);
	put(l, s, n);
}

static void put_pair(struct link *l, unsigned field, const char *key, const char *value)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "\n%c%s\x12%c%s", (int)strlen(key), key,
		(int)strlen(value), value);

	if (n >= 128)
		exit(2);
	put_text(l, field, text);
}

static void begin(struct link *l)
{
	l->size = 0;
	put(l, "\0\0\0\0\0", 5);
}

static void end(struct link *l)
{
	size_t n = l->size - 5;

	l->message[3] = (uint8_t)(n >> 8);
	l->message[4] = (uint8_t)n;
}

/* mount, SINGLE_NODE_WRITER */
static void put_capability(struct link *l)
{
	put(l, "\x2a\x06\x12\x00\x1a\x02\x08\x01", 8);
}

/* A hostPath volume of the pool's, with what the kubelet adds. */
static void publish_message(
	struct link *l, const char *volume, const char *target, const char *pool)
{
	begin(l);
	put_text(l, 1, volume);
	put_text(l, 4, target);
	put_capability(l);
	put_pair(l, 8, "pool", pool);
	put_pair(l, 8, "directory", "a");
	put_pair(l, 8, "csi.storage.k8s.io/pod.name", volume);
	put_pair(l, 8, "csi.storage.k8s.io/pod.namespace", "default");
	put_pair(l, 8, "csi.storage.k8s.io/pod.uid", "00000000-0000-4000-8000-000000000001");
	put_pair(l, 8, "csi.storage.k8s.io/ephemeral", "false");
	end(l);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(uint64_t *took, size_t n, uint64_t all)
{
	qsort(took, n, sizeof(*took), by_size);
	printf("{\"seconds\": %.6f, \"each_us\": %.2f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
		(double)all / 1e9, (double)all / 1e3 / (double)n, (double)took[n / 2] / 1e6,
		(double)took[n * 99 / 100] / 1e6);
}

/* kept: all over one connection, else each over its own, as the kubelet does it. */
static int publish_all(const struct targets *t, const char *socket, const char *pool, bool kept)
{
	uint64_t *took = calloc(t->n, sizeof(*took)), began = clock_now(), all;
	char path[PATH_MAX], volume[64];
	struct link l;

	if (!took || (kept && link_open(&l, socket) < 0))
		die(socket);
	for (size_t i = 0; i < t->n; i++) {
		uint64_t start = clock_now();

		if (!kept && link_open(&l, socket) < 0)
			die(socket);
		snprintf(volume, sizeof(volume), "pv-%s%06zu", t->prefix, i);
		publish_message(&l, volume, target_of(t, i, path), pool);
		link_call(&l, "/csi.v1.Node/NodePublishVolume");
		if (!kept)
			link_close(&l);
		took[i] = clock_now() - start;
	}
	all = clock_now() - began;
	if (kept)
		link_close(&l);
	print_times(took, t->n, all);
	free(took);
	return 0;
}

/* Over one connection, IN_FLIGHT at a time: a kubelet asks for the pods of a node together. */
static int publish_together(
	const struct targets *t, const char *socket, const char *pool, size_t in_flight)
{
	static const char method[] = "/csi.v1.Node/NodePublishVolume";
	uint64_t began = clock_now(), took;
	char path[PATH_MAX], volume[64];
	struct link l;
	size_t asked = 0;

	if (link_open(&l, socket) < 0)
		die(socket);
	while (l.answered < t->n) {
		for (; asked < t->n && asked - l.answered < in_flight; asked++) {
			snprintf(volume, sizeof(volume), "pv-%s%06zu", t->prefix, asked);
			publish_message(&l, volume, target_of(t, asked, path), pool);
			(void)link_ask(&l, method);
			link_collect(&l);
		}
		link_turn(&l, method);
	}
	took = clock_now() - began;
	link_close(&l);
	if (l.refused > 0)
		die("some are refused");
	printf("{\"seconds\": %.6f, \"each_us\": %.2f}\n", (double)took / 1e9,
		(double)took / 1e3 / (double)t->n);
	return 0;
}

/* Over one connection: unpublish, or Probe, which asks nobody but the front: what the machine does.
 */
static int call_all(const struct targets *t, const char *socket, const char *method)
{
	uint64_t *took = calloc(t->n, sizeof(*took)), began = clock_now(), all;
	bool probe = streq(method, "/csi.v1.Identity/Probe");
	char path[PATH_MAX], volume[64];
	struct link l;

	if (!took || link_open(&l, socket) < 0)
		die(socket);
	for (size_t i = 0; i < t->n; i++) {
		uint64_t start = clock_now();

		snprintf(volume, sizeof(volume), "pv-%s%06zu", t->prefix, i);
		begin(&l);
		if (!probe) {
			put_text(&l, 1, volume);
			put_text(&l, 2, target_of(t, i, path));
		}
		end(&l);
		link_call(&l, method);
		took[i] = clock_now() - start;
	}
	all = clock_now() - began;
	link_close(&l);
	print_times(took, t->n, all);
	free(took);
	return 0;
}

/* ---- a client that does not wait for its answer --------------------------------------------- */

/* Publishes, and when a line comes on standard input resets the stream, going on with the
 * connection, or closes that. words: SOCKET VOLUME TARGET KEY=VALUE... */
static int leave(const char *how, char **words)
{
	struct link l;
	int32_t stream;

	if (link_open(&l, words[0]) < 0)
		die(words[0]);
	begin(&l);
	put_text(&l, 1, words[1]);
	put_text(&l, 4, words[2]);
	put_capability(&l);
	for (char **word = words + 3; *word; word++) {
		char *value = strchr(*word, '=');

		if (!value)
			exit(2);
		*value++ = '\0';
		put_pair(&l, 8, *word, value);
	}
	end(&l);
	stream = link_ask(&l, "/csi.v1.Node/NodePublishVolume");
	link_flush(&l);
	(void)getchar();
	if (streq(how, "reset")) {
		if (nghttp2_submit_rst_stream(l.h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL) < 0)
			die("nghttp2");
		link_flush(&l);
		/* The stream that was reset is no refusal. */
		l.refused = 0;
		begin(&l);
		end(&l);
		link_call(&l, "/csi.v1.Identity/Probe");
	}
	link_close(&l);
	puts("left");
	return 0;
}

/* ---- start to registered ------------------------------------------------------------------- */

/* A kubelet that waits for the socket: GetInfo and NotifyRegistrationStatus are answered. The time
 * is from when COMMAND was started: began, in ns of CLOCK_MONOTONIC. */
static int wait_registered(const char *socket, uint64_t began)
{
	uint64_t until = clock_now() + START_LIMIT;
	struct link l;

	while (link_open(&l, socket) < 0) {
		if (clock_now() > until)
			die(socket);
		pause_ns(TRY_AGAIN);
	}
	begin(&l);
	end(&l);
	link_call(&l, "/pluginregistration.Registration/GetInfo");
	begin(&l);
	put(&l, "\x08\x01", 2);
	end(&l);
	link_call(&l, "/pluginregistration.Registration/NotifyRegistrationStatus");
	printf("{\"ms\": %.3f}\n", (double)(clock_now() - began) / 1e6);
	link_close(&l);
	return 0;
}

/* COMMAND runs in our place; our child waits for its socket and writes the time to a file. */
static int start(const char *socket, const char *file, char **command)
{
	uint64_t began = clock_now();
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0) {
		execv(command[0], command);
		die(command[0]);
	}
	if (!freopen(file, "w", stdout))
		die(file);
	return wait_registered(socket, began);
}

/* ---- the command line ---------------------------------------------------------------------- */

static int usage(void)
{
	fputs("usage: node parents ROOT PREFIX N\n"
	      "       node bind ROOT PREFIX N SOURCE [A-SECOND PID]   bare binds; what PID took\n"
	      "       node unbind ROOT PREFIX N\n"
	      "       node publish|publish-kept ROOT PREFIX N SOCKET POOL\n"
	      "       node publish-together ROOT PREFIX N SOCKET POOL AT-A-TIME\n"
	      "       node unpublish|probe ROOT PREFIX N SOCKET\n"
	      "       node leave reset|close SOCKET VOLUME TARGET KEY=VALUE...   at a line of "
	      "stdin\n"
	      "       node start SOCKET FILE COMMAND...   {\"ms\"} to FILE once it is registered\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct targets t;
	uint64_t n, rate = 0;

	if (argc >= 5 && streq(argv[1], "start"))
		return start(argv[2], argv[3], argv + 4);
	if (argc >= 6 && streq(argv[1], "leave"))
		return leave(argv[2], argv + 3);
	if (argc < 5 || parse_u64(argv[4], 1, 1000000, &n) < 0)
		return usage();
	t = (struct targets){.root = argv[2], .prefix = argv[3], .n = n};
	if (argc == 5 && streq(argv[1], "parents"))
		return make_parents(&t);
	if (argc == 5 && streq(argv[1], "unbind"))
		return unbind_all(&t);
	if (argc == 8 && parse_u64(argv[streq(argv[1], "bind") ? 6 : 7], 1, 1000000, &rate) < 0)
		return usage();
	if ((argc == 6 || argc == 8) && streq(argv[1], "bind"))
		return bind_all(&t, argv[5], rate, argc == 8 ? argv[7] : NULL);
	if (argc == 6 && streq(argv[1], "unpublish"))
		return call_all(&t, argv[5], "/csi.v1.Node/NodeUnpublishVolume");
	if (argc == 6 && streq(argv[1], "probe"))
		return call_all(&t, argv[5], "/csi.v1.Identity/Probe");
	if (argc == 8 && streq(argv[1], "publish-together"))
		return publish_together(&t, argv[5], argv[6], rate);
	if (argc == 7 && (streq(argv[1], "publish") || streq(argv[1], "publish-kept")))
		return publish_all(&t, argv[5], argv[6], streq(argv[1], "publish-kept"));
	return usage();
}
