/* SPDX-License-Identifier: Apache-2.0 */
/* onlooker.c: asks a node's agent all the while what berthctl status, a livenessProbe and a kubelet
 * ask, each over a connection of its own, until SIGTERM; then says how long the answers took */
/*
 * A process beside it sleeps and sleeps, and notes where it woke up late: there the machine stood
 * still for everybody, still_us at the longest. own_us is the slowest answer without that; an
 * answer that failed counts, unless more than a second of the agent's patience went so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "rpc/client.h"

/* Between two rounds: enough of them to meet what takes long, and time for others. */
#define PAUSE MILLISECONDS(50)
/* An hour of rounds. */
#define ROUNDS_MAX 72000
/* The sleep beside it, what is no lateness, and how many times it may be late. */
#define NAP MILLISECONDS(4)
#define PUNCTUAL MILLISECONDS(1)
#define LATE_MAX 1000000
#define EXCUSE SECONDS(1)
/* Nobody waits longer for any of them. */
#define GIVE_UP_SECONDS 60

struct span {
	uint64_t from, to; /* clock_now() */
	bool failed;
};

/* Shared with the process that sleeps. */
struct late {
	volatile size_t n;
	struct span spans[LATE_MAX];
};

struct question {
	const char *name;
	struct span *asked;
	size_t n;
};

enum { STATUS, HEALTHZ, PROBE, _QUESTION_MAX };

struct onlooker {
	struct loop *loop;
	const char *admin, *csi;
	uint16_t port;
	bool answered;
	struct late *late;
	struct question questions[_QUESTION_MAX];
};

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	(void)signo;
	stopped = 1;
}

/* ---- HTTP ---------------------------------------------------------------------------------- */

static int connect_to(const struct sockaddr *address, socklen_t size)
{
	const struct timeval limit = {.tv_sec = GIVE_UP_SECONDS};
	_cleanup_close_ int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
		connect(fd, address, size) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Whether path is answered with 200, to the end. */
static bool get(int fd, const char *path)
{
	char text[4096], head[16] = "";
	size_t got = 0;
	ssize_t n = snprintf(text, sizeof(text),
		"GET %s HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n", path);

	if (fd < 0 || send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return false;
	while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
		for (ssize_t i = 0; i < n && got < sizeof(head) - 1; i++)
			head[got++] = text[i];
	}
	return n == 0 && str_after(head, "HTTP/1.1 200");
}

static bool ask_status(struct onlooker *o)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;

	if (str_copy(address.sun_path, sizeof(address.sun_path), o->admin) < 0)
		return false;
	fd = connect_to((const struct sockaddr *)&address, sizeof(address));
	return get(fd, "/v1/status");
}

static bool ask_healthz(struct onlooker *o)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(o->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int fd = connect_to((const struct sockaddr *)&address, sizeof(address));

	return get(fd, "/healthz");
}

/* ---- gRPC ---------------------------------------------------------------------------------- */

static void on_probed(struct rpc_client *c, const struct rpc_status *s, const void *message,
	size_t size, void *userdata)
{
	struct onlooker *o = userdata;

	(void)c;
	(void)message;
	(void)size;
	o->answered = s->code == RPC_OK;
	loop_exit(o->loop, 0);
}

static bool ask_probe(struct onlooker *o)
{
	const struct rpc_client_options with = {.socket = o->csi,
		.path = "/csi.v1.Identity/Probe",
		.message = "",
		.timeout_ns = SECONDS(GIVE_UP_SECONDS)};
	struct rpc_client *client;

	o->answered = false;
	if (rpc_client_call(&client, o->loop, &with, on_probed, o) < 0)
		return false;
	(void)loop_run(o->loop);
	rpc_client_free(client);
	return o->answered;
}

/* ---- rounds -------------------------------------------------------------------------------- */

static void look(struct onlooker *o)
{
	static bool (*const ask[_QUESTION_MAX])(struct onlooker * o) = {
		[STATUS] = ask_status, [HEALTHZ] = ask_healthz, [PROBE] = ask_probe};

	for (size_t i = 0; i < _QUESTION_MAX && !stopped; i++) {
		struct question *q = &o->questions[i];
		uint64_t start = clock_now();
		bool ok = ask[i](o);

		/* What the end interrupted says nothing. */
		if (stopped)
			return;
		q->asked[q->n++] = (struct span){start, clock_now(), !ok};
	}
}

/* ---- where the machine stood still --------------------------------------------------------- */

static _Noreturn void nap(struct late *late)
{
	const struct timespec pause = {.tv_nsec = NAP};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		uint64_t due = clock_now() + NAP, now;

		nanosleep(&pause, NULL);
		now = clock_now();
		if (now < due + PUNCTUAL || late->n == LATE_MAX)
			continue;
		late->spans[late->n] = (struct span){due, now, false};
		late->n++;
	}
}

static uint64_t stood_still(const struct late *late, const struct span *asked)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < late->n; i++) {
		uint64_t from = late->spans[i].from, to = late->spans[i].to;

		from = from < asked->from ? asked->from : from;
		to = to > asked->to ? asked->to : to;
		sum += to > from ? to - from : 0;
	}
	return sum;
}

/* ---- the end ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	uint64_t p = x->to - x->from, q = y->to - y->from;

	return p < q ? -1 : p > q;
}

static uint64_t longest(const struct late *late)
{
	uint64_t max = 0;

	for (size_t i = 0; i < late->n; i++) {
		uint64_t took = late->spans[i].to - late->spans[i].from;

		max = took > max ? took : max;
	}
	return max;
}

static size_t failures(const struct question *q, const struct late *late)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++)
		n += q->asked[i].failed && stood_still(late, &q->asked[i]) < EXCUSE;
	return n;
}

static void print(const struct question *q, const struct late *late)
{
	uint64_t own = 0, max;

	if (q->n == 0)
		return;
	qsort(q->asked, q->n, sizeof(*q->asked), by_size);
	max = q->asked[q->n - 1].to - q->asked[q->n - 1].from;
	/* From the slowest on, as long as one can exceed what was found. */
	for (size_t i = q->n; i > 0 && q->asked[i - 1].to - q->asked[i - 1].from > own; i--) {
		const struct span *asked = &q->asked[i - 1];
		uint64_t took = asked->to - asked->from - stood_still(late, asked);

		own = took > own ? took : own;
	}
	printf("%s n=%zu failed=%zu p50_us=%llu own_us=%llu max_us=%llu "
	       "still_us=%llu\n",
		q->name, q->n, failures(q, late),
		(unsigned long long)(q->asked[q->n / 2].to - q->asked[q->n / 2].from) / 1000,
		(unsigned long long)own / 1000, (unsigned long long)max / 1000,
		(unsigned long long)longest(late) / 1000);
}

static int start(struct onlooker *o, pid_t *ret)
{
	struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < _QUESTION_MAX; i++) {
		o->questions[i].asked = calloc(ROUNDS_MAX, sizeof(struct span));
		if (!o->questions[i].asked)
			return -ENOMEM;
	}
	o->late = mmap(
		NULL, sizeof(*o->late), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o->late == MAP_FAILED)
		return -errno;
	*ret = fork();
	if (*ret == 0)
		nap(o->late);
	if (*ret < 0 || sigaction(SIGTERM, &action, NULL) < 0)
		return -errno;
	return loop_new(&o->loop);
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = PAUSE};
	struct onlooker o = {
		.questions = {{.name = "status"}, {.name = "healthz"}, {.name = "probe"}}};
	uint64_t port;
	pid_t napping;

	log_setup("onlooker", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	if (argc != 4 || parse_u64(argv[2], 1, UINT16_MAX, &port) < 0) {
		fputs("usage: onlooker ADMIN-SOCKET PORT CSI-SOCKET\n", stderr);
		return 2;
	}
	o.admin = argv[1];
	o.port = (uint16_t)port;
	o.csi = argv[3];
	if (start(&o, &napping) < 0)
		return 1;
	for (size_t i = 0; i < ROUNDS_MAX && !stopped; i++) {
		look(&o);
		nanosleep(&pause, NULL);
	}
	/* The one that wakes up late notes it late. */
	nanosleep(&pause, NULL);
	kill(napping, SIGKILL);
	(void)waitpid(napping, NULL, 0);
	for (size_t i = 0; i < _QUESTION_MAX; i++) {
		print(&o.questions[i], o.late);
		free(o.questions[i].asked);
	}
	loop_free(o.loop);
	return 0;
}
