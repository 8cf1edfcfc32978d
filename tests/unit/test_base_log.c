/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_log.c: lines are whole, escaped and bounded in every format */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define LINE_MAX_BYTES 2048

static char captured[65536];
static int saved_stderr = -1, file = -1;

static void capture_begin(void)
{
	file = memfd_create("stderr", MFD_CLOEXEC);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(file >= 0 && saved_stderr >= 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
}

/* What went to stderr since capture_begin(). */
static const char *capture_end(void)
{
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	saved_stderr = fd_close(saved_stderr);
	n = pread(file, captured, sizeof(captured) - 1, 0);
	file = fd_close(file);
	assert_true(n >= 0);
	captured[n] = '\0';
	return captured;
}

/* The line without its time. */
static const char *after_time(const char *line)
{
	assert_true(strlen(line) > 28);
	assert_int_equal(line[10], 'T');
	assert_int_equal(line[26], 'Z');
	assert_int_equal(line[27], ' ');
	return line + 28;
}

static int reset(void **state)
{
	(void)state;
	log_setup("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	return 0;
}

static void text_lines(void **state)
{
	(void)state;
	capture_begin();
	assert_int_equal(log_error("it %s: %d", "failed", 7), -EIO);
	assert_string_equal(after_time(capture_end()), "error test: it failed: 7\n");

	capture_begin();
	log_write(LOG_LEVEL_WARNING,
		LOG_FIELDS({"claim", "ns/name"}, {"why", "no room"}, {"none", NULL}), "m");
	assert_string_equal(after_time(capture_end()),
		"warning test: m claim=ns/name why=\"no room\" none=\"\"\n");
}

static void levels(void **state)
{
	(void)state;
	capture_begin();
	log_set_level(LOG_LEVEL_WARNING);
	assert_int_equal(log_info("hidden"), -EIO);
	log_debug("hidden");
	log_warning("shown");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown too");
	capture_end();
	assert_null(strstr(captured, "hidden"));
	assert_non_null(strstr(captured, "warning test: shown\n"));
	assert_non_null(strstr(captured, "debug test: shown too\n"));
}

static void errno_survives(void **state)
{
	int broken = open("/dev/full", O_WRONLY | O_CLOEXEC), copy = dup(STDERR_FILENO);

	(void)state;
	assert_true(broken >= 0 && copy >= 0);
	dup2(broken, STDERR_FILENO);
	errno = ENODATA;
	log_error("nobody reads this");
	dup2(copy, STDERR_FILENO);
	assert_int_equal(errno, ENODATA);
	close(broken);
	close(copy);
}

static void text_is_escaped(void **state)
{
	(void)state;
	capture_begin();
	log_write(LOG_LEVEL_INFO,
		LOG_FIELDS({"a", "x\n2026-01-01 forged"}, {"b", "q\"u\\o"}, {"c", "\x1b[2J"},
			{"d", "k=v"}),
		"line\nbreak \x1b[31m \xff \xc3\xa4");
	assert_string_equal(after_time(capture_end()),
		"info test: line\\x0abreak \\x1b[31m \\xff \xc3\xa4 a=\"x\\x0a2026-01-01 forged\""
		" b=\"q\\\"u\\\\o\" c=\\x1b[2J d=\"k=v\"\n");
}

static json_t *json_line(void)
{
	const char *line = capture_end();
	json_error_t error;
	json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, &error);

	if (!o)
		fail_msg("%s: %s", error.text, line);
	assert_int_equal(strlen(line), strcspn(line, "\n") + 1);
	assert_true(strlen(line) <= LINE_MAX_BYTES);
	return o;
}

static const char *member(const json_t *o, const char *name)
{
	const char *value = json_string_value(json_object_get(o, name));

	assert_non_null(value);
	return value;
}

static void json_lines(void **state)
{
	json_t *o;

	(void)state;
	log_setup("pro\"gram", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	capture_begin();
	log_write(LOG_LEVEL_INFO, LOG_FIELDS({"claim", "ns/name"}, {"odd\"name\n", "v"}), "hello");
	o = json_line();
	assert_string_equal(member(o, "level"), "info");
	assert_string_equal(member(o, "program"), "pro\"gram");
	assert_string_equal(member(o, "message"), "hello");
	assert_string_equal(member(o, "claim"), "ns/name");
	assert_string_equal(member(o, "odd\"name\n"), "v");
	assert_int_equal(strlen(member(o, "time")), 27);
	json_decref(o);
}

static void json_keeps_every_character(void **state)
{
	char text[512], *p = text;
	json_t *o;

	(void)state;
	for (int c = 1; c < 0x80; c++)
		*p++ = (char)c;
	p = stpcpy(p, "\xc2\x80\xc2\x9b\xc2\xa0\xe6\xbc\xa2\xf0\x9f\x98\x80");
	log_setup("test", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	capture_begin();
	log_write(LOG_LEVEL_INFO, LOG_FIELDS({"f", text}), "%s", text);
	o = json_line();
	assert_string_equal(member(o, "message"), text);
	assert_string_equal(member(o, "f"), text);
	json_decref(o);
	for (p = captured; *p && *p != '\n'; p++)
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void json_replaces_what_is_no_utf8(void **state)
{
	json_t *o;

	(void)state;
	log_setup("test", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	capture_begin();
	log_info("a\xff\xc3(\xed\xa0\x80z");
	o = json_line();
	assert_string_equal(member(o, "message"),
		"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	json_decref(o);
}

/* Long messages and fields of every length around the limit, of characters that grow when escaped.
 */
static void lines_are_cut_and_stay_whole(void **state)
{
	static const char *const fill[] = {"x", "\n", "\"", "\xc3\xa4", "\xff", "\xc2\x9b"};
	char text[4000];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(fill); i++) {
		for (size_t n = 1; n < 2200; n += 1 + n % 37) {
			size_t len = 0;
			json_t *o;

			while (len < n)
				len += (size_t)(stpcpy(text + len, fill[i]) - (text + len));
			log_setup("test", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
			capture_begin();
			log_write(LOG_LEVEL_INFO, LOG_FIELDS({"a", text}, {"b", "x"}, {"c", text}),
				"%s", n % 2 ? text : "m");
			o = json_line();
			assert_non_null(json_object_get(o, "message"));
			json_decref(o);

			log_setup("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
			capture_begin();
			log_write(LOG_LEVEL_INFO, LOG_FIELDS({"a", text}, {"b", "x"}, {"c", text}),
				"%s", n % 2 ? text : "m");
			capture_end();
			assert_true(strlen(captured) <= LINE_MAX_BYTES);
			assert_int_equal(strcspn(captured, "\n") + 1, strlen(captured));
		}
	}
}

static void cuts_are_marked(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture_begin();
	log_info("%s", text);
	capture_end();
	assert_true(strlen(captured) > 1500);
	assert_string_equal(captured + strlen(captured) - 5, "x...\n");
	capture_begin();
	log_write(LOG_LEVEL_INFO, LOG_FIELDS({"f", text}), "m");
	capture_end();
	assert_true(strlen(captured) > 2000);
	assert_string_equal(captured + strlen(captured) - 5, "x...\n");
}

static void names(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;
	enum log_format format = LOG_FORMAT_TEXT;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("Error", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(log_format_parse("journal", &format), 0);
	assert_int_equal(format, LOG_FORMAT_JOURNAL);
	assert_int_equal(log_format_parse("json", &format), 0);
	assert_int_equal(format, LOG_FORMAT_JSON);
	assert_int_equal(log_format_parse("xml", &format), -EINVAL);
	assert_int_equal(format, LOG_FORMAT_JSON);
}

static void journal_is_chosen_by_its_stream(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(log_format_auto(), LOG_FORMAT_TEXT);
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	assert_int_equal(log_format_auto(), LOG_FORMAT_JOURNAL);
	setenv("JOURNAL_STREAM", "1:1", 1);
	assert_int_equal(log_format_auto(), LOG_FORMAT_TEXT);
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_int_equal(log_format_auto(), LOG_FORMAT_TEXT);
	unsetenv("JOURNAL_STREAM");
}

#define CANNOT_UNSHARE 77

/* A journald of our own: the socket's path in a mount namespace where /run is empty. -1 where that
 * may not be. */
static int fake_journal(void)
{
	const struct sockaddr_un address = {AF_UNIX, "/run/systemd/journal/socket"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		return -1;
	if (mkdir("/run/systemd", 0755) < 0 || mkdir("/run/systemd/journal", 0755) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fd;
}

static int log_to_journal(int out)
{
	char datagram[4096];
	int fd = fake_journal();
	ssize_t n;

	if (fd < 0)
		return CANNOT_UNSHARE;
	log_setup("berthd", LOG_LEVEL_INFO, LOG_FORMAT_JOURNAL);
	log_write(LOG_LEVEL_WARNING, LOG_FIELDS({"claim-name", "ns/a\nb"}), "two\nlines");
	n = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);
	return n > 0 && fd_write_all(out, datagram, (size_t)n) == 0 ? 0 : 1;
}

static void journal_datagrams(void **state)
{
	char text[4096];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(log_to_journal(fds[1]));
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_UNSHARE) {
		print_message("# no mount namespace to put a journald into\n");
		skip();
	}
	assert_int_equal(status, 0);
	text[n] = '\0';
	assert_string_equal(text, "PRIORITY=4\nSYSLOG_IDENTIFIER=berthd\nMESSAGE=two\\x0alines\n"
				  "BERTH_CLAIM_NAME=ns/a\\x0ab\n");
}

static void without_journald_it_is_stderr(void **state)
{
	(void)state;
	if (access("/run/systemd/journal/socket", F_OK) == 0) {
		print_message("# journald runs here\n");
		skip();
	}
	log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_JOURNAL);
	capture_begin();
	log_write(LOG_LEVEL_INFO, LOG_FIELDS({"a", "b"}), "m");
	assert_string_equal(after_time(capture_end()), "info test: m a=b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(text_lines, reset),
		cmocka_unit_test_setup(levels, reset),
		cmocka_unit_test_setup(errno_survives, reset),
		cmocka_unit_test_setup(text_is_escaped, reset),
		cmocka_unit_test_setup(json_lines, reset),
		cmocka_unit_test_setup(json_keeps_every_character, reset),
		cmocka_unit_test_setup(json_replaces_what_is_no_utf8, reset),
		cmocka_unit_test_setup(lines_are_cut_and_stay_whole, reset),
		cmocka_unit_test_setup(cuts_are_marked, reset),
		cmocka_unit_test_setup(names, reset),
		cmocka_unit_test_setup(journal_is_chosen_by_its_stream, reset),
		cmocka_unit_test_setup(journal_datagrams, reset),
		cmocka_unit_test_setup(without_journald_it_is_stderr, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
