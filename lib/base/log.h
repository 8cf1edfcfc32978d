/* SPDX-License-Identifier: Apache-2.0 */
/* log.h: one line per event on stderr, as text or JSON, or to journald with fields */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

#include "base/cleanup.h"
#include "base/err.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	_LOG_LEVEL_MAX
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL, _LOG_FORMAT_MAX };

/* A name and value beside the message, such as {"claim", "default/www-web-0"}. */
struct log_field {
	const char *name;
	const char *value;
};

/*
 * The one process-wide setting of the tree: a log line has no owner to hang it on.
 * Journal format is chosen by itself where JOURNAL_STREAM names our stderr, and speaks journald's
 * native socket protocol (systemd.journal-fields(7)).
 */
void log_setup(const char *program, enum log_level max, enum log_format format);
void log_set_level(enum log_level max);
enum log_format log_format_auto(void);

/* -EINVAL unless text names a level: error, warning, info, debug. */
int log_level_parse(const char *text, enum log_level *ret);
/* -EINVAL unless text names a format: text, json, journal. */
int log_format_parse(const char *text, enum log_format *ret);

/*
 * Control bytes are escaped, a line is cut at 2 KiB. fields may be NULL and end with a {NULL}
 * entry. Returns -EIO, so that an error can be logged and returned in one expression.
 */
int log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
	_printf_(3, 4);

#define log_error(...) log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

/* LOG_FIELDS("claim", key, "server", name): fields for log_write(). */
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {NULL, NULL}})

#endif
