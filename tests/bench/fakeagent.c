/* SPDX-License-Identifier: Apache-2.0 */
/* fakeagent.c: agent/admin.c on a unix socket over a made-up node, which changes at a word on stdin
 *
 * Usage: fakeagent SOCKET [GROUP [MORE-MOUNTS]]; words: hang, heal, gone (the first volume), exit.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/admin.h"
#include "base/parse.h"
#include "base/str.h"
#include "tests/unit/view_world.h"

struct fake {
	struct loop *loop;
	struct admin *admin;
	struct view_world world;
};

static int listen_at(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || str_copy(sa.sun_path, sizeof(sa.sun_path), path) < 0)
		return -1;
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, 0666) < 0)
		return -1;
	return listen(fd, 128) < 0 ? -1 : fd;
}

static void obey(struct fake *f, char word)
{
	if (word == 'e') {
		loop_exit(f->loop, 0);
		return;
	}
	if (word == 'h')
		view_world_hang(&f->world);
	if (word == 'H') {
		const unsigned more = f->world.more_mounts;

		view_world_done(&f->world);
		view_world_init(&f->world, f->loop);
		f->world.more_mounts = more;
	}
	if (word == 'g' && f->world.n_volumes > 0)
		f->world.volumes[0] = f->world.volumes[--f->world.n_volumes];
	admin_changed(f->admin);
}

static void on_stdin(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct fake *f = userdata;
	char text[256];
	ssize_t n = read(fd, text, sizeof(text));

	(void)revents;
	if (n <= 0) {
		io_set_events(io, 0);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		const bool heal = n - i > 1 && text[i] == 'h' && text[i + 1] == 'e';

		obey(f, heal ? 'H' : text[i]);
		while (i < n && text[i] != '\n')
			i++;
	}
}

int main(int argc, char **argv)
{
	struct fake f = {0};
	struct doctor_kernel kernel;
	struct admin_options o = {.gid = ADMIN_NO_GROUP, .kernel = &kernel};
	struct err e = ERR_NULL;
	struct io *io;
	uint64_t n;

	if (argc < 2 || loop_new(&f.loop) < 0)
		return 2;
	if (argc > 2 && parse_u64(argv[2], 0, UINT32_MAX, &n) == 0)
		o.gid = (gid_t)n;
	view_world_init(&f.world, f.loop);
	if (argc > 3 && parse_u64(argv[3], 0, 100000, &n) == 0)
		f.world.more_mounts = (unsigned)n;
	doctor_kernel(&kernel);
	o.fd = listen_at(argv[1]);
	if (o.fd < 0 || admin_new(&f.admin, f.loop, &o, &f.world.view, &e) < 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[1], e.text);
		return 1;
	}
	if (io_new(&io, f.loop, STDIN_FILENO, EPOLLIN, on_stdin, &f) < 0)
		return 1;
	(void)loop_run(f.loop);
	io_free(io);
	admin_free(f.admin);
	view_world_done(&f.world);
	loop_free(f.loop);
	return 0;
}
