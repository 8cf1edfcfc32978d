/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c: what berth-agent is told and what it finds when it starts */
#include "agent/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

/* What a driver's registration socket adds to the kubelet's root. */
#define LONGEST_SOCKET "/plugins_registry/nfs.berth.dev-reg.sock"
#define LOCK_NAME "agent.lock"
#define FRONT_DIRECTORY "front"

static const int broker_capabilities[] = {CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP,
	CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_SYS_ADMIN};

/* ---- the command line ---------------------------------------------------------------------- */

static void usage(FILE *f)
{
	fputs("usage: berth-agent --host self|--host-proc PATH --node NAME [options]\n"
	      "\n"
	      "  --host self         mounts are made in our own namespaces\n"
	      "  --host-proc PATH    the host's /proc: mounts are made in its process 1's\n"
	      "                      namespaces (or the kubelet's)\n"
	      "  --node NAME         the name of this Node object\n"
	      "  --config FILE       YAML configuration (default: /etc/berth/config.yaml)\n"
	      "  --kubeconfig FILE   how to reach the API server (default: in-cluster)\n"
	      "  --kubelet-root DIR  (default: " SETUP_KUBELET_ROOT ")\n"
	      "  --run-dir DIR       sockets and export mounts (default: " SETUP_RUN_DIR ")\n"
	      "  --pool DIR          hostPath volumes may come from here; may be repeated\n"
	      "  --front PATH        the program berth-front\n"
	      "  --nfs-worker PATH   the program berth-nfs\n"
	      "  --help              this text\n"
	      "  --version           the version\n"
	      "\n"
	      "Exit status: 0 ended by SIGTERM or SIGINT, 1 could not start, 2 wrong arguments or\n"
	      "configuration, 3 a kubelet with mounts of its own has ended: start it again.\n",
		f);
}

static int say(const char *what, const char *argument)
{
	fprintf(stderr, "berth-agent: %s%s\nberth-agent --help says what there is\n", what,
		argument);
	return -EINVAL;
}

struct option_value {
	const char *name;
	const char **value;
	bool keep; /* from the front */
};

static int take_host(struct setup *s, const char *host)
{
	if (host && s->host_proc)
		return say("--host and --host-proc exclude each other", "");
	if (!host && !s->host_proc)
		return say("--host self or --host-proc PATH is needed", "");
	return !host || streq(host, "self") ? 1 : say("--host takes only self, not ", host);
}

static int take_pool(struct child_setup *c, const char **pool)
{
	if (!*pool)
		return 0;
	if (c->n_pools == CHILD_POOLS_MAX)
		return say("too many of --pool: ", *pool);
	c->pools[c->n_pools++] = *pool;
	*pool = NULL;
	return 0;
}

/* The value of the option at argv[i], or NULL; *ret_used arguments belong to it. */
static const char *value_of(char **argv, int i, const char *name, int *ret_used)
{
	size_t n = strlen(name);

	*ret_used = 1;
	if (strncmp(argv[i], name, n) != 0)
		return NULL;
	if (argv[i][n] == '=')
		return argv[i] + n + 1;
	if (argv[i][n] != '\0' || !argv[i + 1])
		return NULL;
	*ret_used = 2;
	return argv[i + 1];
}

static int take_arguments(struct setup *s, char **argv, const char **front_argv)
{
	const char *host = NULL, *pool = NULL;
	const struct option_value options[] = {
		{"--host", &host, true},
		{"--host-proc", &s->host_proc, true},
		{"--front", &s->child.front, true},
		{"--nfs-worker", &s->child.nfs_worker, true},
		{"--kubelet-root", &s->child.kubelet_root, false},
		{"--run-dir", &s->child.run_dir, false},
		{"--pool", &pool, false},
	};
	int n = 0, used;

	for (int i = 1; argv[i]; i += used) {
		bool keep = false;

		used = 1;
		for (size_t k = 0; k < ELEMENTSOF(options); k++) {
			const char *value = value_of(argv, i, options[k].name, &used);

			if (!value && streq(argv[i], options[k].name))
				return say("a value is missing after ", argv[i]);
			if (!value)
				continue;
			*options[k].value = value;
			keep = options[k].keep;
			break;
		}
		if (take_pool(&s->child, &pool) < 0)
			return -EINVAL;
		for (int k = 0; k < used && !keep; k++)
			front_argv[n++] = argv[i + k];
	}
	return take_host(s, host);
}

/* Beside us, where a build directory has it, else where it is installed. */
static int program_find(char dst[static PATH_MAX], const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	if (str_format(dst, PATH_MAX, "%s/%s", self, name) >= 0 && access(dst, F_OK) == 0)
		return 0;
	return str_format(dst, PATH_MAX, "%s/../libexec/berth/%s", self, name);
}

int setup_parse(struct setup *ret, int argc, char **argv)
{
	const char **front_argv = calloc((size_t)argc + 4, sizeof(*front_argv));
	int r;

	*ret = (struct setup){.lock = -1,
		.child = {.kubelet_root = SETUP_KUBELET_ROOT,
			.run_dir = SETUP_RUN_DIR,
			.host = HOST_NULL,
			.front_argv = front_argv}};
	for (int i = 1; i < argc; i++) {
		if (streq(argv[i], "--help") || streq(argv[i], "-h")) {
			usage(stdout);
			return 0;
		}
		if (streq(argv[i], "--version")) {
			puts("berth-agent " BERTH_VERSION);
			return 0;
		}
	}
	if (!front_argv)
		return say("out of memory", "");
	front_argv[0] = "berth-front";
	front_argv[1] = "--mountinfo";
	front_argv[2] = ret->child.host.mountinfo;
	r = take_arguments(ret, argv, front_argv + 3);
	if (r < 0)
		return r;
	if (ret->child.kubelet_root[0] != '/' || ret->child.run_dir[0] != '/')
		return say("--kubelet-root and --run-dir are absolute paths", "");
	for (size_t i = 0; i < ret->child.n_pools; i++)
		if (ret->child.pools[i][0] != '/')
			return say("--pool takes an absolute path, not ", ret->child.pools[i]);
	return 1;
}

/* ---- the machine --------------------------------------------------------------------------- */

/* Whoever could write to it could put other sockets there. */
static int run_dir_open(const char *path, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make the run directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP
			       ? err_set(e, errno, "the run directory %s is a symlink or a file",
					 path)
			       : err_sys(e, errno, "cannot open the run directory %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (st.st_uid != geteuid())
		return err_set(e, EPERM, "the run directory %s belongs to uid %u, not to us", path,
			(unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, EPERM, "the run directory %s is writable for others (mode %04o)",
			path, (unsigned)st.st_mode & 07777);
	return TAKE_FD(fd);
}

static int lock_take(struct setup *s, struct err *e)
{
	int run = s->bases[BROKER_RUN].fd;

	s->lock = openat(run, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return err_sys(e, errno, "cannot open %s/" LOCK_NAME, s->child.run_dir);
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, EBUSY, "another berth-agent runs: it holds %s/" LOCK_NAME,
			s->child.run_dir);
	return err_sys(e, errno, "cannot lock %s/" LOCK_NAME, s->child.run_dir);
}

static int front_directory_make(const struct setup *s, struct err *e)
{
	int run = s->bases[BROKER_RUN].fd;
	_cleanup_close_ int fd = -1;

	if (mkdirat(run, FRONT_DIRECTORY, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make %s/" FRONT_DIRECTORY, s->child.run_dir);
	fd = openat(run, FRONT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, SANDBOX_UID, SANDBOX_GID) < 0 || fchmod(fd, 0700) < 0)
		return err_sys(e, errno, "cannot hand %s/" FRONT_DIRECTORY " to uid %d",
			s->child.run_dir, SANDBOX_UID);
	return 0;
}

static int directories_open(struct setup *s, struct err *e)
{
	struct listen_base *kubelet = &s->bases[BROKER_KUBELET], *run = &s->bases[BROKER_RUN];
	size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof(LONGEST_SOCKET);

	*kubelet = (struct listen_base){.path = s->child.kubelet_root, .fd = -1};
	*run = (struct listen_base){.path = s->child.run_dir, .fd = -1};
	s->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->cwd < 0)
		return err_sys(e, errno, "cannot open the working directory");
	if (strlen(kubelet->path) > room)
		return err_set(e, ENAMETOOLONG,
			"the kubelet's root %s is too long for sockets below it (%zu bytes at "
			"most)",
			kubelet->path, room);
	kubelet->fd = open(kubelet->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (kubelet->fd < 0)
		return err_sys(e, errno, "cannot open the kubelet's root %s", kubelet->path);
	run->fd = run_dir_open(run->path, e);
	return run->fd < 0 ? run->fd : 0;
}

static int programs_find(struct setup *s, struct err *e)
{
	if (!s->child.front && program_find(s->front, "berth-front") >= 0)
		s->child.front = s->front;
	if (!s->child.nfs_worker && program_find(s->nfs_worker, "berth-nfs") >= 0)
		s->child.nfs_worker = s->nfs_worker;
	if (!s->child.front || !s->child.nfs_worker)
		return err_set(e, ENOENT,
			"cannot find our own programs: is /proc mounted? (or say --front and "
			"--nfs-worker)");
	return access(s->child.front, X_OK) < 0 ? err_sys(e, errno, "%s", s->child.front) : 0;
}

int setup_prepare(struct setup *s, struct err *e)
{
	int r;

	if (geteuid() != 0)
		return err_set(e, EPERM, "berth-agent makes mounts: it has to run as root");
	umask(0022);
	r = directories_open(s, e);
	if (r >= 0)
		r = lock_take(s, e);
	if (r >= 0)
		r = front_directory_make(s, e);
	if (r >= 0)
		r = programs_find(s, e);
	if (r >= 0)
		r = host_open(&s->child.host, s->host_proc, e);
	if (r >= 0)
		r = sandbox_keep(broker_capabilities, ELEMENTSOF(broker_capabilities), e);
	if (r >= 0)
		r = sandbox_harden(0, e);
	s->child.broker = getpid();
	return r < 0 ? r : 0;
}
