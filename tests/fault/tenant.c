/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.c: what a tenant may do in a directory of its own while it is being reclaimed */
/*
 * Contract
 *   tenant storm DIR TARGET SECONDS   in every directory below DIR that holds a directory "d": a
 * symlink "l" to TARGET, and d and l exchanged (renameat2) for that long. Works on descriptors, so
 * it goes on after DIR was renamed. Prints "ready", then the number of exchanges. tenant refill DIR
 * SECONDS         makes files in DIR, by its descriptor, for that long, or until DIR is gone.
 * Prints "ready", then their number. tenant deep DIR N                 N directories in each other,
 * a file in each tenant wide DIR N                 N files tenant odd DIR                    names
 * and kinds of files that no honest tenant has Status 1: something failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Directories a storm goes on in. */
#define STORM_MAX 512

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "tenant: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		die(name);
	return fd;
}

static void make_file(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die(name);
	close(fd);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void say_ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

static void storm(const char *dir, const char *target, double seconds)
{
	double end = now() + seconds;
	unsigned long swaps = 0, rounds = 0;
	int fds[STORM_MAX];
	size_t n = 0;

	fds[n++] = open_dir(AT_FDCWD, dir);
	/* Breadth is the caller's: a chain of "d" is what is walked. */
	while (n < STORM_MAX) {
		int fd = openat(fds[n - 1], "d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			break;
		if (symlinkat(target, fds[n - 1], "l") < 0)
			die("l");
		fds[n++] = fd;
	}
	/* Ready once every level was exchanged: whoever comes now finds a storm, whenever we run
	 * next. */
	do {
		for (size_t i = 0; i < n; i++)
			if (renameat2(fds[i], "d", fds[i], "l", RENAME_EXCHANGE) == 0)
				swaps++;
		if (rounds++ == 0)
			say_ready();
	} while (now() < end);
	printf("%lu\n", swaps);
}

static void refill(const char *dir, double seconds)
{
	double end = now() + seconds;
	int fd = open_dir(AT_FDCWD, dir), file;
	unsigned long made = 0;
	char name[32];

	say_ready();
	while (now() < end) {
		snprintf(name, sizeof(name), "refill%lu", made);
		file = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (file < 0)
			break;
		close(file);
		made++;
	}
	printf("%lu\n", made);
}

static void deep(const char *dir, unsigned long levels)
{
	int fd = open_dir(AT_FDCWD, dir);

	for (unsigned long i = 0; i < levels; i++) {
		int next;

		make_file(fd, "f");
		if (mkdirat(fd, "d", 0700) < 0)
			die("d");
		next = open_dir(fd, "d");
		close(fd);
		fd = next;
	}
}

static void wide(const char *dir, unsigned long files)
{
	int fd = open_dir(AT_FDCWD, dir);
	char name[32];

	for (unsigned long i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "file%lu", i);
		make_file(fd, name);
	}
}

static void make_socket(int at, const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/%s", at, name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		die(name);
	close(fd);
}

static void odd(const char *dir)
{
	static const char *const names[] = {"-rf", "--", " ", "...", "a\nb", "\x1b[31mred",
		"\xff\xfe", "\xc3\x28", "..\\..", "%s%n", "$(reboot)", "*", ".nfs0000000000000001",
		"lost+found",
		"\xe2\x80\xae"
		"gnp.exe"};
	char longest[256];
	int fd = open_dir(AT_FDCWD, dir), inner;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		make_file(fd, names[i]);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[255] = 0;
	make_file(fd, longest);
	longest[0] = '\n';
	if (mkdirat(fd, longest, 0700) < 0)
		die("a long directory");
	inner = open_dir(fd, longest);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		make_file(inner, names[i]);
	make_socket(fd, "socket");
	if (mknodat(fd, "fifo", S_IFIFO | 0000, 0) < 0 ||
		mknodat(fd, "null", S_IFCHR | 0666, 259) < 0 ||
		mknodat(fd, "disk", S_IFBLK | 0666, 1792) < 0)
		die("a special file");
	if (symlinkat("/", fd, "root") < 0 || symlinkat("..", fd, "up") < 0 ||
		symlinkat("self", fd, "self") < 0)
		die("a symlink");
	if (mkdirat(fd, "locked", 0700) < 0)
		die("locked");
	inner = open_dir(fd, "locked");
	make_file(inner, "inside");
	if (mkdirat(inner, "empty", 0000) < 0 || fchmod(inner, 0000) < 0)
		die("locked");
}

static const struct {
	const char *name;
	int args;
} commands[] = {{"storm", 3}, {"refill", 2}, {"deep", 2}, {"wide", 2}, {"odd", 1}};

static void run(size_t command, char **args)
{
	switch (command) {
	case 0:
		storm(args[0], args[1], strtod(args[2], NULL));
		break;
	case 1:
		refill(args[0], strtod(args[1], NULL));
		break;
	case 2:
		deep(args[0], strtoul(args[1], NULL, 10));
		break;
	case 3:
		wide(args[0], strtoul(args[1], NULL, 10));
		break;
	case 4:
		odd(args[0]);
		break;
	}
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name) && argc == 2 + commands[i].args) {
			run(i, argv + 2);
			return 0;
		}
	fprintf(stderr, "usage: tenant storm DIR TARGET SECONDS | refill DIR SECONDS | deep DIR N "
			"| wide DIR N | "
			"odd DIR\n");
	return 2;
}
