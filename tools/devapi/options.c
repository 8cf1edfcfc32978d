/* SPDX-License-Identifier: Apache-2.0 */
/* options.c: parsing and --help */
#include "tools/devapi/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"

const char *options_help(void)
{
	return "usage: devapi [OPTION]...\n"
	       "An in-memory Kubernetes API server for tests, with a binder for claims.\n\n"
	       "  --listen ADDR:PORT     default 127.0.0.1:0 (any port)\n"
	       "  --unix PATH            a unix socket instead\n"
	       "  --port-file FILE       write the port here once it listens\n"
	       "  --kubeconfig-out FILE  write a kubeconfig for it\n"
	       "  --no-binder            leave claims and volumes alone (finalizers are not)\n"
	       "  --binder-rate N        at most N writes a second (kube-controller-manager: 20)\n"
	       "  --binder-delay MS      work on a change MS after it\n"
	       "  --history N            changes that watches can resume from, default 20000\n"
	       "  --faults JSON|@FILE    faults from the start\n"
	       "  --help, --version\n\n"
	       "Beneath /devapi (JSON, numbers of time in ns of CLOCK_BOOTTIME):\n"
	       "  POST /devapi/faults    a rule or a list of them; GET lists, DELETE clears\n"
	       "    which: verb (get list watch create update patch delete write event),\n"
	       "           resource, subresource (\"-\" none), namespace, name; absent: any\n"
	       "    when:  skip N matches, then hit count (default 1, 0 for ever)\n"
	       "    what:  latencyMs, and action\n"
	       "           none, status, status-after (code, reason, message, body, retryAfter),\n"
	       "           drop, drop-after, reset, reset-after (before or after it was done),\n"
	       "           stale (list and get answer as things stood when the rule was set),\n"
	       "           drip (times bytes a second); on watch also mute (half-open)\n"
	       "    on watch events (verb event): truncate (bytes), duplicate, unknown, lose,\n"
	       "           mute (half-open), gone (410), error (code), end, drop, reset,\n"
	       "           bookmarks (times), raw (body as a line)\n"
	       "  POST /devapi/watches   the last ones, at once, on all watches that fit\n"
	       "  POST /devapi/compact   forget the history: older versions are 410\n"
	       "  GET /devapi/writes, /devapi/summary   the clients' writes; POST\n"
	       "       /devapi/reset-writes\n"
	       "  GET /devapi/times      per claim: created, asked, volume, bound\n"
	       "  GET /devapi/state      counts\n";
}

enum {
	OPT_LISTEN = 1,
	OPT_UNIX,
	OPT_PORT_FILE,
	OPT_KUBECONFIG,
	OPT_NO_BINDER,
	OPT_RATE,
	OPT_DELAY,
	OPT_HISTORY,
	OPT_FAULTS,
	OPT_HELP,
	OPT_VERSION
};

static const struct option longs[] = {{"listen", 1, NULL, OPT_LISTEN}, {"unix", 1, NULL, OPT_UNIX},
	{"port-file", 1, NULL, OPT_PORT_FILE}, {"kubeconfig-out", 1, NULL, OPT_KUBECONFIG},
	{"no-binder", 0, NULL, OPT_NO_BINDER}, {"binder-rate", 1, NULL, OPT_RATE},
	{"binder-delay", 1, NULL, OPT_DELAY}, {"history", 1, NULL, OPT_HISTORY},
	{"faults", 1, NULL, OPT_FAULTS}, {"help", 0, NULL, OPT_HELP},
	{"version", 0, NULL, OPT_VERSION}, {NULL, 0, NULL, 0}};

static int parse_listen(struct options *o, const char *text, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool bracketed = n > 2 && text[0] == '[' && text[n - 1] == ']';
	uint64_t port;

	if (!colon || n >= sizeof(o->address) || parse_u64(colon + 1, 0, 65535, &port) < 0)
		return err_set(e, EINVAL, "--listen: '%s' is not ADDR:PORT", text);
	memcpy(o->address, text + bracketed, n - 2 * bracketed);
	o->address[n - 2 * bracketed] = '\0';
	o->port = (uint16_t)port;
	return 0;
}

static int parse_number(const char *name, const char *text, uint64_t *ret, struct err *e)
{
	if (parse_u64(text, 1, 10000000, ret) < 0)
		return err_set(e, EINVAL, "%s: '%s' is not a number from 1", name, text);
	return 0;
}

static int take_number(struct options *o, int option, const char *text, struct err *e)
{
	uint64_t n;
	int r;

	switch (option) {
	case OPT_RATE:
		r = parse_number("--binder-rate", text, &n, e);
		if (r == 0)
			o->binder.writes_per_second = (double)n;
		return r;
	case OPT_DELAY:
		r = parse_number("--binder-delay", text, &n, e);
		if (r == 0)
			o->binder.delay_ns = MILLISECONDS(n);
		return r;
	default:
		return parse_number("--history", text, &o->history, e);
	}
}

static int take(struct options *o, int option, const char *text, struct err *e)
{
	switch (option) {
	case OPT_LISTEN:
		return parse_listen(o, text, e);
	case OPT_UNIX:
		o->unix_path = text;
		return 0;
	case OPT_PORT_FILE:
		o->port_file = text;
		return 0;
	case OPT_KUBECONFIG:
		o->kubeconfig = text;
		return 0;
	case OPT_FAULTS:
		o->faults = text;
		return 0;
	case OPT_NO_BINDER:
		o->no_binder = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	case OPT_RATE:
	case OPT_DELAY:
	case OPT_HISTORY:
		return take_number(o, option, text, e);
	default:
		return err_set(e, EINVAL, "see devapi --help");
	}
}

int options_parse(struct options *ret, int argc, char **argv, struct err *e)
{
	struct options o = {.address = "127.0.0.1", .history = 20000};
	int option, r;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		r = take(&o, option, optarg, e);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return err_set(e, EINVAL, "'%s' is one word too many", argv[optind]);
	*ret = o;
	return 0;
}
