/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: rpcproxy, a TCP proxy that cuts, delays, drops or kills at the N-th NFS procedure */
/*
 * Contract
 *   rpcproxy --listen ADDR:PORT=SERVER:PORT… [--control SOCKET] [--log FILE] [--arm "RULE"]…
 *   rpcproxy --ctl SOCKET COMMAND…      sends one command and prints the answer; status 1 when it
 * is an error Relays ONC RPC over TCP record by record, unchanged, and counts calls by name; at the
 * N-th that a rule matches it strikes. Calls of a connection keep their order. Addresses are
 * numeric; port 0 takes a free one. Prints "ready ADDR:PORT…" when it listens; ends on TERM. To put
 * it before a server, listen for nfsd's and mountd's ports and tell the client nfsPort and
 * mountPort: port mappers' answers are relayed as they are.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proxy.h"

static const char usage_text[] =
	"usage: rpcproxy --listen ADDR:PORT=SERVER:PORT... [--control SOCKET] [--log FILE] [--arm "
	"\"RULE\"]...\n"
	"       rpcproxy --ctl SOCKET COMMAND...\n"
	"RULE is PROC N ACTION [ARG]\n"
	"  PROC    MKDIR, LOOKUP, MNT, GETPORT..., any, mutating; a v4 compound goes by its first "
	"mutating\n"
	"          operation (MKDIR is CREATE there), else by its last that is not about handles\n"
	"  N       strike at the N-th match over all connections; 0: at every one\n"
	"  ACTION  cut-before   close both sides, do not forward the call\n"
	"          rst          the same, with a reset\n"
	"          cut-after    forward, wait for the reply, close instead of relaying it\n"
	"          delay MS     hold the call and what follows on its connection\n"
	"          drop-call    swallow the call      drop-reply   swallow the reply\n"
	"          kill-before WHO, kill-after WHO    SIGKILL, then cut; WHO is a pid, @PIDFILE, "
	"or peer:\n"
	"                       the process that owns the client's end (same network namespace)\n"
	"COMMANDs: arm RULE | disarm | rules | count | reset | cut | rst | refuse | accept | pause "
	"| resume |\n"
	"  cut-up K | cut-down K (the next connection to pass K bytes is cut there) | slow "
	"BYTES_PER_SECOND\n"
	"  count answers {\"MKDIR.3\": 2, ..., \"total\": n}: name and version; disarm ends every "
	"fault\n";

static volatile sig_atomic_t ended;

static void on_term(int signal)
{
	(void)signal;
	ended = 1;
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "rpcproxy: %s: %s\n", what, why);
	exit(1);
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* "ADDR:PORT", the address perhaps in brackets. */
static void split(const char *text, char *host, size_t host_size, char *port, size_t port_size)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (!colon || !n || n >= host_size || strlen(colon + 1) >= port_size)
		die(text, "want ADDR:PORT");
	memcpy(host, text, n);
	host[n] = 0;
	snprintf(port, port_size, "%s", colon + 1);
}

static void add_listener(struct proxy *p, char *spec)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct listener *l = &p->listeners[p->n_listeners];
	char host[64], port[16], *server = strchr(spec, '=');
	struct addrinfo *ai;
	int one = 1;

	if (!server || p->n_listeners == LISTENERS_MAX)
		die(spec, "want ADDR:PORT=SERVER:PORT, at most 8");
	*server++ = 0;
	split(spec, host, sizeof host, port, sizeof port);
	split(server, l->host, sizeof l->host, l->port, sizeof l->port);
	if (getaddrinfo(host, port, &hints, &ai))
		die(spec, "not a numeric address and port");
	l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd >= 0)
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (l->fd < 0 || bind(l->fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(l->fd, 64) < 0)
		die(spec, strerror(errno));
	freeaddrinfo(ai);
	p->n_listeners++;
}

static void say_ready(const struct proxy *p)
{
	printf("ready");
	for (size_t i = 0; i < p->n_listeners; i++) {
		struct sockaddr_storage ss;
		socklen_t size = sizeof ss;
		char host[64], port[16];

		if (getsockname(p->listeners[i].fd, (struct sockaddr *)&ss, &size) < 0 ||
			getnameinfo((struct sockaddr *)&ss, size, host, sizeof host, port,
				sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
			die("getsockname", strerror(errno));
		printf(" %s:%s", host, port);
	}
	printf("\n");
	fflush(stdout);
}

static int ctl(int argc, char **argv, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[16384] = "";
	FILE *f;

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0 ||
		!(f = fdopen(fd, "r+")))
		die(path, strerror(errno));
	for (int i = 0; i < argc; i++)
		fprintf(f, "%s%s", i ? " " : "", argv[i]);
	fputc('\n', f);
	fflush(f);
	if (!fgets(answer, sizeof answer, f))
		die(path, "no answer");
	fputs(answer, stdout);
	fclose(f);
	return strncmp(answer, "{\"error\"", 8) == 0;
}

static void serve(struct proxy *p)
{
	struct pollfd fds[LISTENERS_MAX + 1 + 2 * CONNS_MAX];
	struct conn *conns[CONNS_MAX];
	size_t n = 0, n_conns = 0;
	int timeout = -1;

	for (size_t i = 0; i < p->n_listeners; i++)
		fds[n++] = (struct pollfd){.fd = p->listeners[i].fd, .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = p->control, .events = POLLIN};
	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (!p->conns[i])
			continue;
		conns[n_conns++] = p->conns[i];
		conn_events(p, p->conns[i], &fds[n], &fds[n + 1], &timeout);
		n += 2;
	}
	if (poll(fds, (nfds_t)n, timeout) < 0)
		return; /* EINTR: the loop looks whether it was TERM */
	for (size_t i = 0; i < n_conns; i++)
		conn_step(p, conns[i], fds[p->n_listeners + 1 + 2 * i].revents,
			fds[p->n_listeners + 2 + 2 * i].revents);
	if (fds[p->n_listeners].revents)
		control_accept(p);
	for (size_t i = 0; i < p->n_listeners; i++)
		if (fds[i].revents)
			conn_accept(p, &p->listeners[i]);
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (p->conns[i] && p->conns[i]->dead) {
			conn_free(p->conns[i]);
			p->conns[i] = NULL;
		}
}

static void arm(struct proxy *p, const char *text)
{
	const char *wrong = p->n_rules == RULES_MAX ? "too many rules"
						    : rule_parse(text, &p->rules[p->n_rules]);

	if (wrong)
		die(text, wrong);
	p->n_rules++;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", 1, NULL, 'l'},
		{"control", 1, NULL, 'c'},
		{"log", 1, NULL, 'L'},
		{"arm", 1, NULL, 'a'},
		{"ctl", 1, NULL, 'C'},
		{"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct proxy p = {.control = -1};
	struct sigaction sa = {.sa_handler = on_term};

	for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) != -1;) {
		if (c == 'l')
			add_listener(&p, optarg);
		else if (c == 'c' && (p.control = control_listen(optarg)) < 0)
			die(optarg, strerror(errno));
		else if (c == 'L' && !(p.log = fopen(optarg, "ae")))
			die(optarg, strerror(errno));
		else if (c == 'a')
			arm(&p, optarg);
		else if (c == 'C')
			return ctl(argc - optind, argv + optind, optarg);
		else if (c == 'h')
			return fputs(usage_text, stdout) < 0;
		else if (c == '?')
			return fputs(usage_text, stderr), 2;
	}
	if (!p.n_listeners)
		return fputs(usage_text, stderr), 2;
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	say_ready(&p);
	while (!ended)
		serve(&p);
	return 0;
}
