/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c: options anywhere on the line, answers on standard output */
#include "tools/berthctl/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "data/yaml.h"
#include "tools/berthctl/asker.h"
#include "tools/berthctl/human.h"

/* Narrower than any table has ever been of use. */
#define COLUMNS_MIN 20
#define COLUMNS_MAX 1000
#define COMMANDS_MAX 32
#define OUTPUT_MAX (64U << 20)

static size_t terminal_width(bool terminal)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (columns && parse_u64(columns, COLUMNS_MIN, COLUMNS_MAX, &n) == 0)
		return n;
	if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN)
		return size.ws_col;
	return terminal ? 80 : 0;
}

/* Width of the terminal and whether it wants colour: COLUMNS, NO_COLOR, TERM. */
static struct grid_style find_style(void)
{
	const bool terminal = isatty(STDOUT_FILENO);
	const char *no_color = getenv("NO_COLOR");

	return (struct grid_style){
		.width = terminal_width(terminal),
		.color = terminal && str_empty(no_color) &&
			 !streq(str_or(getenv("TERM"), "dumb"), "dumb"),
	};
}

int cli_fail(int exit_code, const char *fmt, ...)
{
	va_list args;

	(void)fputs("berthctl: ", stderr);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return exit_code;
}

/* ---- usage -------------------------------------------------------------------------------- */

static void usage(FILE *to, const struct cli_command *commands, size_t n)
{
	(void)fputs("usage: berthctl [options] COMMAND [WORD...]\n\ncommands:\n", to);
	for (size_t i = 0; i < n; i++) {
		char head[64];

		(void)snprintf(head, sizeof(head), "%s %s", commands[i].name, commands[i].words);
		(void)fprintf(to, "  %-24s %s\n", head, commands[i].help);
	}
	(void)fputs("\noptions:\n"
		    "  -o, --output FORMAT    table (default), wide, json, yaml\n"
		    "      --socket PATH      default " CLI_SOCKET_DEFAULT ", or $BERTH_SOCKET\n"
		    "      --kubelet-root DIR for doctor where no agent answers\n"
		    "      --all, --dry-run   of adopt: all exports; only say what would be done\n"
		    "  -h, --help, --version\n"
		    "\nWORDs behind a list choose the rows that contain all of them.\n"
		    "exit status: 0 fine, 1 something is not well or was refused, 2 usage, "
		    "3 no agent answers\n",
		to);
}

static const struct cli_command *find_command(
	const struct cli_command *commands, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (streq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const struct cli_command *commands, size_t n, const char *name)
{
	const char *names[COMMANDS_MAX], *nearest;

	for (size_t i = 0; i < n && i < COMMANDS_MAX; i++)
		names[i] = commands[i].name;
	nearest = human_nearest(name, names, n < COMMANDS_MAX ? n : COMMANDS_MAX);
	if (nearest)
		return cli_fail(
			CLI_USAGE, "unknown command '%s'; did you mean '%s'?", name, nearest);
	return cli_fail(CLI_USAGE, "unknown command '%s'; see berthctl --help", name);
}

static int parse_format(const char *text, enum cli_format *ret)
{
	static const char *const names[] = {[CLI_TABLE] = "table",
		[CLI_WIDE] = "wide",
		[CLI_JSON] = "json",
		[CLI_YAML] = "yaml"};
	const char *nearest = human_nearest(text, names, ELEMENTSOF(names));

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		if (streq(names[i], text)) {
			*ret = (enum cli_format)i;
			return CLI_FINE;
		}
	}
	return cli_fail(CLI_USAGE, "unknown output '%s'; did you mean '%s'?", text,
		str_or(nearest, "table"));
}

static int parse_command(struct cli *c, const struct cli_command *commands, size_t n)
{
	if (c->n_words == 0) {
		usage(stderr, commands, n);
		return CLI_USAGE;
	}
	c->command = find_command(commands, n, c->words[0]);
	if (!c->command)
		return unknown_command(commands, n, c->words[0]);
	c->words++;
	c->n_words--;
	if ((c->all || c->dry_run) && !c->command->adopts)
		return cli_fail(CLI_USAGE, "%s knows no --all and no --dry-run", c->command->name);
	if (c->n_words + c->all >= c->command->min_words &&
		c->n_words + c->all <= c->command->max_words)
		return CLI_FINE;
	return cli_fail(CLI_USAGE, "usage: berthctl %s%s%s", c->command->name,
		*c->command->words ? " " : "", c->command->words);
}

static int parse_option(struct cli *c, int option)
{
	switch (option) {
	case 'o':
		return parse_format(optarg, &c->format);
	case 's':
		c->socket = optarg;
		return CLI_FINE;
	case 'k':
		c->kubelet_root = optarg;
		return CLI_FINE;
	case 'a':
		c->all = true;
		return CLI_FINE;
	case 'n':
		c->dry_run = true;
		return CLI_FINE;
	default:
		return cli_fail(CLI_USAGE, "see berthctl --help");
	}
}

int cli_parse(struct cli *ret, const struct cli_command *commands, size_t n, int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
		{"socket", required_argument, NULL, 's'},
		{"kubelet-root", required_argument, NULL, 'k'}, {"all", no_argument, NULL, 'a'},
		{"dry-run", no_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int option, r;

	*ret = (struct cli){.socket = str_or(getenv("BERTH_SOCKET"), CLI_SOCKET_DEFAULT),
		.kubelet_root = "/var/lib/kubelet",
		.style = find_style()};
	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout, commands, n);
			return -1;
		}
		if (option == 'V') {
			(void)puts("berthctl " BERTH_VERSION);
			return -1;
		}
		r = parse_option(ret, option);
		if (r != CLI_FINE)
			return r;
	}
	ret->words = argv + optind;
	ret->n_words = (size_t)(argc - optind);
	if (ret->format == CLI_WIDE)
		ret->style.width = 0;
	return parse_command(ret, commands, n);
}

/* ---- output ------------------------------------------------------------------------------- */

int cli_write(const struct buf *out, int exit_code)
{
	int r = fd_write_all(STDOUT_FILENO, str_or(out->data, ""), out->len);

	/* Whoever reads has had enough, as head(1) has. */
	if (r < 0 && r != -EPIPE)
		return cli_fail(CLI_UNHEALTHY, "standard output: %s", strerror(-r));
	return exit_code;
}

static int put_json(struct buf *out, const json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	int r = text ? buf_puts(out, text) : -ENOMEM;

	free(text);
	return r < 0 ? r : buf_puts(out, "\n");
}

int cli_print_json(const struct cli *c, const json_t *json, int exit_code)
{
	_cleanup_buf_ struct buf out = BUF_NULL(OUTPUT_MAX);
	int r = c->format == CLI_YAML ? yaml_print(json, &out) : put_json(&out, json);

	if (r < 0)
		return cli_fail(CLI_UNHEALTHY, "cannot print: %s", strerror(-r));
	return cli_write(&out, exit_code);
}

int cli_ask(const struct cli *c, const char *path, const char *body, json_t **ret)
{
	_cleanup_json_ json_t *answer = NULL;
	struct err e = ERR_NULL;
	long status = 0;

	if (asker_ask(c->socket, path, body, &status, &answer, &e) < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", e.text);
	if (status != 200)
		return cli_fail(CLI_UNHEALTHY, "%s",
			str_or(json_string_at(answer, "message", NULL), "refused"));
	*ret = TAKE_PTR(answer);
	return CLI_FINE;
}
