/* SPDX-License-Identifier: Apache-2.0 */
/* control.c: rpcproxy's unix socket: one command a connection, one JSON line as the answer */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy.h"

/* A command line; longer ones are refused. */
#define COMMAND_MAX 512
/* Whoever connects and says nothing may stop the proxy for this long. */
#define COMMAND_SECONDS 2

int control_listen(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof sun) < 0 || listen(fd, 8) < 0)
		return -1;
	return fd;
}

static void say_counts(struct proxy *p, FILE *f)
{
	unsigned long total = 0;

	fputc('{', f);
	for (size_t i = 0; i < p->n_counts; i++) {
		fprintf(f, "\"%s.%u\": %lu, ", p->counts[i].name, p->counts[i].vers,
			p->counts[i].n);
		total += p->counts[i].n;
	}
	fprintf(f, "\"total\": %lu}\n", total);
}

static void say_rules(struct proxy *p, FILE *f)
{
	fputc('[', f);
	for (size_t i = 0; i < p->n_rules; i++)
		fprintf(f,
			"%s{\"match\": \"%s\", \"nth\": %lu, \"action\": \"%s\", \"seen\": %lu, "
			"\"fired\": %s}",
			i ? ", " : "", p->rules[i].match, p->rules[i].nth,
			act_name(p->rules[i].act), p->rules[i].seen,
			p->rules[i].fired ? "true" : "false");
	fputs("]\n", f);
}

static void reset(struct proxy *p)
{
	p->n_counts = 0;
	for (size_t i = 0; i < p->n_rules; i++) {
		p->rules[i].seen = 0;
		p->rules[i].fired = false;
	}
}

/* Connections in flight keep no pointer into rules that go. */
static void disarm(struct proxy *p)
{
	p->n_rules = 0;
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (p->conns[i])
			p->conns[i]->n_pending = 0;
	p->cut_up = p->cut_down = p->slow = 0;
	p->refuse = p->pause = false;
}

static void cut_all(struct proxy *p, bool rst)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (p->conns[i])
			conn_cut(p->conns[i], rst);
}

/* "NAME NUMBER"; false: not that command. */
static bool number_command(const char *line, const char *name, uint64_t *ret)
{
	unsigned long long n;
	size_t size = strlen(name);

	if (strncmp(line, name, size) || line[size] != ' ' || sscanf(line + size, "%llu", &n) != 1)
		return false;
	*ret = n;
	return true;
}

/* NULL: answered; else what is wrong, "" for ok. */
static const char *command(struct proxy *p, const char *line, FILE *f)
{
	if (!strncmp(line, "arm ", 4)) {
		const char *wrong = p->n_rules == RULES_MAX
					    ? "too many rules"
					    : rule_parse(line + 4, &p->rules[p->n_rules]);

		if (!wrong)
			p->n_rules++;
		return wrong ? wrong : "";
	}
	if (number_command(line, "cut-up", &p->cut_up) ||
		number_command(line, "cut-down", &p->cut_down) ||
		number_command(line, "slow", &p->slow))
		return "";
	if (!strcmp(line, "count"))
		say_counts(p, f);
	else if (!strcmp(line, "rules"))
		say_rules(p, f);
	else if (!strcmp(line, "reset"))
		return reset(p), "";
	else if (!strcmp(line, "disarm"))
		return disarm(p), "";
	else if (!strcmp(line, "cut") || !strcmp(line, "rst"))
		return cut_all(p, line[0] == 'r'), "";
	else if (!strcmp(line, "refuse") || !strcmp(line, "accept"))
		return p->refuse = line[0] == 'r', "";
	else if (!strcmp(line, "pause") || !strcmp(line, "resume"))
		return p->pause = line[0] == 'p', "";
	else
		return "unknown command";
	return NULL;
}

void control_accept(struct proxy *p)
{
	struct timeval patience = {.tv_sec = COMMAND_SECONDS};
	int fd = accept4(p->control, NULL, NULL, SOCK_CLOEXEC);
	char line[COMMAND_MAX];
	const char *answer;
	FILE *f;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	f = fdopen(fd, "r+");
	if (!f) {
		close(fd);
		return;
	}
	if (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		fseek(f, 0, SEEK_CUR);
		answer = command(p, line, f);
		if (answer && *answer)
			fprintf(f, "{\"error\": \"%s\"}\n", answer);
		else if (answer)
			fputs("{\"ok\": true}\n", f);
	}
	fclose(f);
}
