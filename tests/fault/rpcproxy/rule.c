/* SPDX-License-Identifier: Apache-2.0 */
/* rule.c: "at the N-th MKDIR do this": the rules of rpcproxy and the killing of the process they
 * name */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy.h"

static const struct {
	const char *name;
	enum act act;
	bool wants_arg;
} acts[] = {
	{"cut-before", ACT_CUT_BEFORE, false},
	{"cut-after", ACT_CUT_AFTER, false},
	{"rst", ACT_RST, false},
	{"delay", ACT_DELAY, true},
	{"kill-before", ACT_KILL_BEFORE, true},
	{"kill-after", ACT_KILL_AFTER, true},
	{"drop-call", ACT_DROP_CALL, false},
	{"drop-reply", ACT_DROP_REPLY, false},
};

const char *act_name(enum act act)
{
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (acts[i].act == act)
			return acts[i].name;
	return "";
}

const char *rule_parse(const char *text, struct rule *ret)
{
	struct rule rule = {0};
	char act[32] = "";
	int n = sscanf(text, "%31s %lu %31s %255s", rule.match, &rule.nth, act, rule.arg);

	if (n < 3)
		return "want: PROC N ACTION [ARG]";
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		if (strcmp(acts[i].name, act))
			continue;
		if (acts[i].wants_arg != (n == 4))
			return n == 4 ? "this action has no argument"
				      : "this action wants an argument";
		rule.act = acts[i].act;
		*ret = rule;
		return NULL;
	}
	return "unknown action";
}

static bool matches(const struct rule *rule, const struct call *call)
{
	if (!strcmp(rule->match, "any"))
		return true;
	if (!strcmp(rule->match, "mutating"))
		return call->mutating;
	return !strcmp(rule->match, call->name);
}

struct rule *rule_match(struct rule *rules, size_t n, const struct call *call)
{
	struct rule *hit = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!matches(&rules[i], call))
			continue;
		rules[i].seen++;
		if (!hit && (!rules[i].nth || rules[i].seen == rules[i].nth))
			hit = &rules[i];
	}
	if (hit)
		hit->fired = true;
	return hit;
}

/* The inode of the socket whose local port is PORT, by the kernel's table of this network
 * namespace; 0: none. */
static unsigned long socket_inode(const char *table, int port)
{
	unsigned long inode, found = 0;
	unsigned local;
	char line[512];
	FILE *f = fopen(table, "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, " %*d: %*[0-9A-F]:%X %*s %*s %*s %*s %*s %*s %*s %lu", &local,
			    &inode) == 2 &&
			(int)local == port && inode)
			found = inode;
	if (f)
		fclose(f);
	return found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[300], target[64], want[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	snprintf(want, sizeof want, "socket:[%lu]", inode);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);

		target[n < 0 ? 0 : n] = 0;
		found = !strcmp(target, want);
	}
	if (d)
		closedir(d);
	return found;
}

static pid_t peer_pid(int port)
{
	unsigned long inode = socket_inode("/proc/net/tcp", port);
	struct dirent *e;
	pid_t pid = 0;
	DIR *d;

	if (!inode)
		inode = socket_inode("/proc/net/tcp6", port);
	d = inode ? opendir("/proc") : NULL;
	while (d && !pid && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && has_socket(e->d_name, inode))
			pid = (pid_t)strtol(e->d_name, NULL, 10);
	if (d)
		closedir(d);
	return pid;
}

void rule_kill(const struct rule *rule, int port)
{
	long pid = 0;
	FILE *f;

	if (!strcmp(rule->arg, "peer")) {
		pid = peer_pid(port);
	} else if (rule->arg[0] == '@') {
		f = fopen(rule->arg + 1, "re");
		if (f && fscanf(f, "%ld", &pid) != 1)
			pid = 0;
		if (f)
			fclose(f);
	} else {
		pid = strtol(rule->arg, NULL, 10);
	}
	if (pid > 1)
		kill((pid_t)pid, SIGKILL);
	else
		fprintf(stderr, "rpcproxy: no process to kill: %s\n", rule->arg);
}
