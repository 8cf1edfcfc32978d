/* SPDX-License-Identifier: Apache-2.0 */
/* log.c: log lines to stderr or journald */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

/* What a person still reads, and what a pipe takes in one piece (PIPE_BUF is 4096). */
#define LOG_LINE_MAX 2048
/* Leaves room for fields beside a long message. */
#define LOG_MESSAGE_MAX 1536
/* Room that a value leaves for what ends a line: quotes, braces, newline. */
#define LOG_TAIL_MAX 8
/* The longest escaped character: four bytes as "\xNN" each. */
#define LOG_UNIT_MAX 16
#define CUT_MARK "..."

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static struct {
	const char *program;
	enum log_level max;
	enum log_format format;
	int journal; /* datagram socket, -1 where the format is another one */
} setting = {
	.program = "berth",
	.max = LOG_LEVEL_INFO,
	.format = LOG_FORMAT_TEXT,
	.journal = -1,
};

static const char *const level_names[_LOG_LEVEL_MAX] = {"error", "warning", "info", "debug"};
static const char *const format_names[_LOG_FORMAT_MAX] = {"text", "json", "journal"};
/* The levels as numbers of syslog(3), which journald wants. */
static const char *const level_priorities[_LOG_LEVEL_MAX] = {"3", "4", "6", "7"};

/* A line being put together; what does not fit is left out. */
struct line {
	char text[LOG_LINE_MAX];
	size_t len;
};

/* Writes the first character of *s to dst in its escaped form and moves *s behind it; bytes
 * written. */
typedef size_t (*escape_fn)(const char **s, char dst[static LOG_UNIT_MAX]);

static size_t put_hex(char *dst, const char *prefix, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(prefix);

	memcpy(dst, prefix, n);
	dst[n] = digits[byte >> 4];
	dst[n + 1] = digits[byte & 15];
	return n + 2;
}

/* For text and journal: bytes of control characters and of what is no UTF-8 become \xNN. */
static size_t escape_plain(const char **s, char dst[static LOG_UNIT_MAX])
{
	uint32_t rune = 0;
	size_t n = str_utf8_next(*s, 4, &rune), used = 0;
	bool keep = n > 0 && !rune_is_control(rune);

	for (n = n > 0 ? n : 1; n > 0; n--, (*s)++) {
		if (keep)
			dst[used++] = **s;
		else
			used += put_hex(dst + used, "\\x", (unsigned char)**s);
	}
	return used;
}

/* Between quotes in a text line. */
static size_t escape_quoted(const char **s, char dst[static LOG_UNIT_MAX])
{
	if (**s != '"' && **s != '\\')
		return escape_plain(s, dst);
	dst[0] = '\\';
	dst[1] = *(*s)++;
	return 2;
}

/* RFC 8259 section 7; bytes that are no UTF-8 become U+FFFD. */
static size_t escape_json(const char **s, char dst[static LOG_UNIT_MAX])
{
	static const char shorts[] = "\"\"\\\\\nn\tt\rr\bb\ff";
	uint32_t rune = 0;
	size_t n = str_utf8_next(*s, 4, &rune);

	if (n == 0) {
		(*s)++;
		memcpy(dst, "\\ufffd", 6);
		return 6;
	}
	for (const char *p = shorts; *p; p += 2) {
		if (rune == (unsigned char)*p) {
			(*s)++;
			dst[0] = '\\';
			dst[1] = p[1];
			return 2;
		}
	}
	if (rune_is_control(rune)) {
		*s += n;
		return put_hex(dst, "\\u00", (unsigned char)rune);
	}
	memcpy(dst, *s, n);
	*s += n;
	return n;
}

/* Appends s as it is, or nothing where it would leave less than reserve bytes. */
static bool line_put(struct line *l, const char *s, size_t reserve)
{
	size_t n = strlen(s);

	if (n + reserve > sizeof(l->text) - l->len)
		return false;
	memcpy(l->text + l->len, s, n);
	l->len += n;
	return true;
}

/* Bytes that stand for themselves in every form. */
static size_t plain_length(const char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] <= '~' && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

/* Appends s escaped; cut with a mark where the line, but for its tail, is full. */
static void line_escape(struct line *l, const char *s, escape_fn escape)
{
	size_t limit = sizeof(l->text) - LOG_TAIL_MAX - strlen(CUT_MARK);
	char unit[LOG_UNIT_MAX];

	while (*s) {
		size_t n = plain_length(s);

		if (n > 0 && l->len + n <= limit) {
			memcpy(l->text + l->len, s, n);
			l->len += n;
			s += n;
			continue;
		}
		n = escape(&s, unit);
		if (l->len + n > limit) {
			line_put(l, CUT_MARK, LOG_TAIL_MAX);
			return;
		}
		memcpy(l->text + l->len, unit, n);
		l->len += n;
	}
}

/* Room for a name with what stands around it, a few characters of its value and the tail. */
static bool line_has_room(const struct line *l, const char *name)
{
	return l->len + strlen(name) + 3 * LOG_UNIT_MAX <= sizeof(l->text);
}

static void line_field_text(struct line *l, const struct log_field *f)
{
	bool quote = *f->value == '\0' || strpbrk(f->value, " \"=\\") != NULL;

	line_put(l, " ", 0);
	line_put(l, f->name, 0);
	line_put(l, quote ? "=\"" : "=", 0);
	line_escape(l, f->value, quote ? escape_quoted : escape_plain);
	if (quote)
		line_put(l, "\"", 0);
}

static void line_field_json(struct line *l, const struct log_field *f)
{
	line_put(l, ",\"", 0);
	line_escape(l, f->name, escape_json);
	line_put(l, "\":\"", 0);
	line_escape(l, f->value, escape_json);
	line_put(l, "\"", 0);
}

/* systemd.journal-fields(7): names are upper case letters, digits and underscores. */
static void line_field_journal(struct line *l, const struct log_field *f)
{
	line_put(l, "BERTH_", 0);
	for (const char *p = f->name; *p; p++) {
		char c[2] = {isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_'};

		line_put(l, c, 0);
	}
	line_put(l, "=", 0);
	line_escape(l, f->value, escape_plain);
	line_put(l, "\n", 0);
}

static void line_fields(struct line *l, const struct log_field *fields, enum log_format format)
{
	for (const struct log_field *f = fields; f && f->name; f++) {
		struct log_field shown = {f->name, str_or(f->value, "")};

		if (!line_has_room(l, f->name))
			return;
		switch (format) {
		case LOG_FORMAT_TEXT:
			line_field_text(l, &shown);
			break;
		case LOG_FORMAT_JSON:
			line_field_json(l, &shown);
			break;
		case LOG_FORMAT_JOURNAL:
			line_field_journal(l, &shown);
			break;
		case _LOG_FORMAT_MAX:
			break;
		}
	}
}

static void build_text(struct line *l, enum log_level level, const char *message)
{
	char now[CLOCK_TEXT_MAX];

	line_put(l, clock_format_micro(clock_real(), now), 0);
	line_put(l, " ", 0);
	line_put(l, level_names[level], 0);
	line_put(l, " ", 0);
	line_put(l, setting.program, LOG_TAIL_MAX);
	line_put(l, ": ", 0);
	line_escape(l, message, escape_plain);
}

static void build_json(struct line *l, enum log_level level, const char *message)
{
	char now[CLOCK_TEXT_MAX];

	line_put(l, "{\"time\":\"", 0);
	line_put(l, clock_format_micro(clock_real(), now), 0);
	line_put(l, "\",\"level\":\"", 0);
	line_put(l, level_names[level], 0);
	line_put(l, "\",\"program\":\"", 0);
	line_escape(l, setting.program, escape_json);
	line_put(l, "\",\"message\":\"", 0);
	line_escape(l, message, escape_json);
	line_put(l, "\"", 0);
}

/* No value has a newline in it once escaped, so that the simple form "NAME=value\n" does. */
static void build_journal(struct line *l, enum log_level level, const char *message)
{
	line_put(l, "PRIORITY=", 0);
	line_put(l, level_priorities[level], 0);
	line_put(l, "\nSYSLOG_IDENTIFIER=", 0);
	line_escape(l, setting.program, escape_plain);
	line_put(l, "\nMESSAGE=", 0);
	line_escape(l, message, escape_plain);
	line_put(l, "\n", 0);
}

static int journal_send(const struct line *l)
{
	static const struct sockaddr_un address = {AF_UNIX, JOURNAL_SOCKET};
	ssize_t n;

	/* Addressed each time: a restarted journald is found again. A full queue does not hold us
	 * up. */
	do
		n = sendto(setting.journal, l->text, l->len, MSG_DONTWAIT | MSG_NOSIGNAL,
			(const struct sockaddr *)&address, sizeof(address));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int write_as(enum log_format format, enum log_level level, const struct log_field *fields,
	const char *message)
{
	struct line l;

	l.len = 0;
	switch (format) {
	case LOG_FORMAT_TEXT:
		build_text(&l, level, message);
		line_fields(&l, fields, format);
		line_put(&l, "\n", 0);
		break;
	case LOG_FORMAT_JSON:
		build_json(&l, level, message);
		line_fields(&l, fields, format);
		line_put(&l, "}\n", 0);
		break;
	case LOG_FORMAT_JOURNAL:
		build_journal(&l, level, message);
		line_fields(&l, fields, format);
		return journal_send(&l);
	case _LOG_FORMAT_MAX:
		break;
	}
	return fd_write_all(STDERR_FILENO, l.text, l.len);
}

int log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
	char message[LOG_MESSAGE_MAX];
	int saved = errno, n;
	va_list ap;

	if (level > setting.max)
		return -EIO;
	va_start(ap, fmt);
	n = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(message))
		memcpy(message + sizeof(message) - sizeof(CUT_MARK), CUT_MARK, sizeof(CUT_MARK));
	/* What journald does not take goes to stderr, and nothing can be done about what that
	 * refuses. */
	if (write_as(setting.format, level, fields, message) < 0 &&
		setting.format == LOG_FORMAT_JOURNAL)
		write_as(LOG_FORMAT_TEXT, level, fields, message);
	errno = saved;
	return -EIO;
}

void log_setup(const char *program, enum log_level max, enum log_format format)
{
	setting.program = program;
	setting.max = max;
	setting.format = format;
	setting.journal = fd_close(setting.journal);
	if (format != LOG_FORMAT_JOURNAL)
		return;
	setting.journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (setting.journal < 0)
		setting.format = LOG_FORMAT_TEXT;
}

void log_set_level(enum log_level max)
{
	setting.max = max;
}

enum log_format log_format_auto(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[48];
	struct stat st;

	/* systemd.exec(5): "device:inode" of the stream, in decimal. */
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return LOG_FORMAT_TEXT;
	if (str_format(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev,
		    (unsigned long long)st.st_ino) < 0)
		return LOG_FORMAT_TEXT;
	return streq(ours, stream) ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
}

static int name_find(const char *const *names, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (streq(names[i], text))
			return (int)i;
	return -EINVAL;
}

int log_level_parse(const char *text, enum log_level *ret)
{
	int i = name_find(level_names, _LOG_LEVEL_MAX, text);

	if (i < 0)
		return i;
	*ret = (enum log_level)i;
	return 0;
}

int log_format_parse(const char *text, enum log_format *ret)
{
	int i = name_find(format_names, _LOG_FORMAT_MAX, text);

	if (i < 0)
		return i;
	*ret = (enum log_format)i;
	return 0;
}
