/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h: berthctl's command line, exit codes and standard output */
#ifndef BERTH_BERTHCTL_CLI_H
#define BERTH_BERTHCTL_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "tools/berthctl/grid.h"

#define CLI_SOCKET_DEFAULT "/run/berth/agent.sock"

enum cli_exit {
	CLI_FINE = 0,
	CLI_UNHEALTHY = 1, /* something is not well, or the agent refused */
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3,
};

enum cli_format { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_YAML };

struct cli_command;
struct cli {
	const char *socket;
	const char *kubelet_root; /* for doctor where no agent answers */
	enum cli_format format;
	const struct cli_command *command;
	char **words; /* behind the command */
	size_t n_words;
	bool all, dry_run; /* of adopt */
	struct grid_style style;
};

struct cli_command {
	const char *name;
	const char *words; /* of the usage: "[WORD...]" */
	const char *help;
	int (*run)(const struct cli *c); /* enum cli_exit */
	size_t min_words, max_words;
	bool adopts; /* --all and --dry-run are its own; --all stands for a word */
};

/* Fills ret. CLI_FINE: run it; else what to exit with after everything was said (--help: -1). */
int cli_parse(struct cli *ret, const struct cli_command *commands, size_t n, int argc, char **argv);

/* Prints json as the format asks (not tables) and returns exit_code; 1 where that fails. */
int cli_print_json(const struct cli *c, const json_t *json, int exit_code);
/* Writes out, which may be NULL where memory ran out. */
int cli_write(const struct buf *out, int exit_code);
/* "berthctl: text" on standard error. */
int cli_fail(int exit_code, const char *fmt, ...) _printf_(2, 3);

/* Asks the agent. CLI_FINE with *ret (the caller's), else everything was said. body NULL: GET. */
int cli_ask(const struct cli *c, const char *path, const char *body, json_t **ret);

#endif
