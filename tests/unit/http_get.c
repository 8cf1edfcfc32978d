/* SPDX-License-Identifier: Apache-2.0 */
/* http_get.c: a blocking client in a child, its answer through a pipe */
#include "tests/unit/http_get.h"

#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* A client that takes longer has found a server that does not answer. */
#define CLIENT_SECONDS 20

struct answer {
	struct loop *loop;
	char *text;
	size_t n, size;
};

static int connect_to(const struct http_get *g)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons(g->port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(g->port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (!g->port)
		(void)str_copy_cut(un.sun_path, sizeof(un.sun_path), g->socket);
	r = g->port ? connect(fd, (struct sockaddr *)&in, sizeof(in))
		    : connect(fd, (struct sockaddr *)&un, sizeof(un));
	return r < 0 ? -1 : fd;
}

static void become(const struct http_get *g)
{
	if (g->uid == 0)
		return;
	if (setgroups(1, &g->group) < 0 || setgid(g->uid) < 0 || setuid(g->uid) < 0)
		_exit(1);
}

static void ask(const struct http_get *g, const char *request, int out)
{
	char text[65536];
	ssize_t n;
	int fd;

	(void)alarm(CLIENT_SECONDS);
	become(g);
	fd = connect_to(g);
	n = snprintf(text, sizeof(text),
		"%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		request, strlen(str_or(g->body, "")), str_or(g->body, ""));
	if (fd < 0 || fd_write_all(fd, text, (size_t)n) < 0)
		_exit(1);
	while ((n = read(fd, text, sizeof(text))) > 0)
		if (fd_write_all(out, text, (size_t)n) < 0)
			_exit(1);
	_exit(0);
}

static void on_answer(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct answer *a = userdata;
	char rest[4096];
	const bool room = a->n + 1 < a->size;
	ssize_t n =
		room ? read(fd, a->text + a->n, a->size - 1 - a->n) : read(fd, rest, sizeof(rest));

	(void)io;
	(void)revents;
	if (n > 0 && room)
		a->n += (size_t)n;
	if (n <= 0)
		loop_exit(a->loop, 0);
}

static int split(struct http_get *g)
{
	char *body = strstr(g->text, "\r\n\r\n");
	int status = 0;

	if (strncmp(g->text, "HTTP/1.1 ", 9) == 0)
		status = (int)strtol(g->text + 9, NULL, 10);
	if (body)
		memmove(g->text, body + 4, strlen(body + 4) + 1);
	return status;
}

int http_get(struct http_get *g, const char *request)
{
	struct answer a = {.loop = g->loop, .text = g->text, .size = sizeof(g->text)};
	struct io *io;
	int pipes[2];
	pid_t pid;

	memset(g->text, 0, sizeof(g->text));
	if (pipe(pipes) < 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		close(pipes[0]);
		ask(g, request, pipes[1]);
	}
	close(pipes[1]);
	if (io_new(&io, g->loop, pipes[0], EPOLLIN, on_answer, &a) == 0) {
		(void)loop_run(g->loop);
		io_free(io);
	}
	close(pipes[0]);
	(void)waitpid(pid, NULL, 0);
	return split(g);
}
