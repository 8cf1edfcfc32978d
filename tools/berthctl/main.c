/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: berthctl: what the agent of this node knows, and the few orders it takes */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/berthctl/cli.h"
#include "tools/berthctl/follow.h"
#include "tools/berthctl/lists.h"
#include "tools/berthctl/recover.h"
#include "tools/berthctl/summary.h"

#define WORDS_MAX 32

/* POST with what the word behind the command names. */
static int order(const struct cli *c, const char *key)
{
	_cleanup_json_ json_t *body = json_object(), *answer = NULL;
	char *text = NULL, path[64];
	int r;

	if (body && key)
		(void)json_object_set_new(body, key, json_string(c->words[0]));
	if (!body || !(text = json_dumps(body, JSON_COMPACT)))
		return cli_fail(CLI_UNHEALTHY, "out of memory");
	(void)snprintf(path, sizeof(path), "/v1/%s", c->command->name);
	r = cli_ask(c, path, text, &answer);
	free(text);
	if (r != CLI_FINE)
		return r;
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_print_json(c, answer, CLI_FINE);
	(void)puts(str_or(json_string_at(answer, "message", NULL), "done"));
	return CLI_FINE;
}

static int order_target(const struct cli *c)
{
	return order(c, "target");
}

static int order_plain(const struct cli *c)
{
	return order(c, NULL);
}

static const struct cli_command commands[] = {
	{"status", "", "the node at a glance", summary_status, 0, 0, false},
	{"doctor", "", "what is wrong with it, and how to mend it", summary_doctor, 0, 0, false},
	{"volumes", "[WORD...]", "volumes in pods", lists_run, 0, WORDS_MAX, false},
	{"mounts", "[WORD...]", "what is mounted for them", lists_run, 0, WORDS_MAX, false},
	{"exports", "[WORD...]", "NFS exports and whether they answer", lists_run, 0, WORDS_MAX,
		false},
	{"pools", "[WORD...]", "directories for hostPath volumes", lists_run, 0, WORDS_MAX, false},
	{"drivers", "[WORD...]", "CSI drivers at the kubelet", lists_run, 0, WORDS_MAX, false},
	{"operations", "[WORD...]", "what is being done", lists_run, 0, WORDS_MAX, false},
	{"trash", "[WORD...]", "deleted trees that are still there", lists_run, 0, WORDS_MAX,
		false},
	{"orphans", "[WORD...]", "what no volume stands for", lists_run, 0, WORDS_MAX, false},
	{"watch", "[KIND...]", "changes as they happen", follow_run, 0, WORDS_MAX, false},
	{"retry", "", "ends every pause after a failure", order_plain, 0, 0, false},
	{"detach", "TARGET", "takes a hung subPath bind away", order_target, 1, 1, false},
	{"restore", "NAME", "brings a volume back from the trash", recover_restore, 1, 1, false},
	{"adopt", "EXPORT|--all [PV]", "makes PersistentVolumes again from records", recover_adopt,
		1, 2, true},
};

int main(int argc, char **argv)
{
	struct cli c;
	int r;

	(void)setlocale(LC_CTYPE, "");
	(void)signal(SIGPIPE, SIG_IGN);
	r = cli_parse(&c, commands, ELEMENTSOF(commands), argc, argv);
	if (r == CLI_FINE)
		return c.command->run(&c);
	return r < 0 ? CLI_FINE : r;
}
