/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h: how berth-provisioner and berth-agent read their configuration, and the keys that
 * both have: log, kube, listen and nfs.allow */
#ifndef BERTH_DATA_SETTINGS_H
#define BERTH_DATA_SETTINGS_H

#include <stdint.h>

#include "base/log.h"
#include "data/decode.h"
#include "data/yaml.h"

#define SETTINGS_ALLOW_MAX 1024

struct settings_log {
	enum log_level level;
	enum log_format format;
};
#define SETTINGS_LOG_DEFAULT \
	((struct settings_log){.level = LOG_LEVEL_INFO, .format = log_format_auto()})

/* Requests to the API server: a second, at once, in flight. */
struct settings_kube {
	double qps, burst;
	unsigned in_flight;
};

/* "host:port", ":port", "[v6]:port" or "" for no server at all. */
struct settings_listen {
	char address[64]; /* "" for all */
	uint16_t port;
	bool on;
};

/* A server and an export, or every export of the server (export_ NULL). */
struct settings_place {
	const char *server;
	const char *export_;
};
/* Texts belong to the document, the array to this. */
struct settings_allow {
	struct settings_place *places;
	size_t n;
};

/* For DECODE_OBJECT: into struct settings_log, struct settings_kube. */
extern const struct decode_table settings_log_table, settings_kube_table;
/* For DECODE_CUSTOM: target is the struct of the same name. */
int settings_listen(const json_t *value, void *target, struct err *e);
/* A list of server or server:/export, IPv6 in brackets. The document's strings are cut in place. */
int settings_allow(const json_t *value, void *target, struct err *e);
void settings_allow_done(struct settings_allow *a);
/* Whether the list names it: false where the list is empty. */
bool settings_allow_names(const struct settings_allow *a, const char *server, const char *export_);

/* Whether s can be the name of a driver, which is also a part of paths; "" can. */
int settings_check_driver(const char *s, struct err *e);
/* kube's numbers, in settings_format's check. */
int settings_check_kube(
	const struct settings_kube *k, const struct yaml_doc *doc, const char *name, struct err *e);

/* What a program makes of the file: a struct that its table fills. */
struct settings_format {
	const struct decode_table *table;
	size_t size; /* of the struct, made zeroed */
	size_t doc;  /* offsetof() its struct yaml_doc *, the owner of the texts; NULL: no file */
	void (*defaults)(void *target);
	/* What the table cannot see; settings_complain() says where. */
	int (*check)(const void *target, const char *name, struct err *e);
	/* What the struct owns besides its document. */
	void (*done)(void *target);
};
/* Reads path (NULL: defaults alone; an empty file is that, too). ret: where the pointer to the
 * struct goes, for settings_free(). -errno; the error begins with "file:line: key: ". */
int settings_load(void *ret, const struct settings_format *f, const char *path, struct err *e);
/* The same from memory. */
int settings_parse(void *ret, const struct settings_format *f, const char *name, const char *text,
	size_t size, struct err *e);
/* NULL, for any target, NULL included. */
void *settings_free(const struct settings_format *f, void *target);
/* Puts "name:line: part.key: " before e's text; part may be NULL. e's code, negative. */
int settings_complain(const struct yaml_doc *doc, const char *name, const char *part,
	const char *key, struct err *e);

#endif
