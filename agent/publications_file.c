/* SPDX-License-Identifier: Apache-2.0 */
/* publications_file.c: {"version":1,"publications":[…]}, read with suspicion and replaced
 * atomically */
#include "agent/publications_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "data/decode.h"

#define VERSION 1
#define TEXT_MAX 4096

static const struct decode_field fields[] = {
	{.key = "target",
		.type = DECODE_STRING,
		.offset = offsetof(struct publication, target),
		.flags = DECODE_REQUIRED},
	{.key = "volume",
		.type = DECODE_STRING,
		.offset = offsetof(struct publication, volume),
		.flags = DECODE_REQUIRED},
	{.key = "driver", .type = DECODE_STRING, .offset = offsetof(struct publication, driver)},
	{.key = "source", .type = DECODE_STRING, .offset = offsetof(struct publication, source)},
	{.key = "namespace",
		.type = DECODE_STRING,
		.offset = offsetof(struct publication, namespace_)},
	{.key = "pod", .type = DECODE_STRING, .offset = offsetof(struct publication, pod)},
	{.key = "podUID", .type = DECODE_STRING, .offset = offsetof(struct publication, pod_uid)},
	{.key = "mode", .type = DECODE_UNSIGNED, .offset = offsetof(struct publication, mode)},
	{.key = "readonly", .type = DECODE_BOOL, .offset = offsetof(struct publication, readonly)},
	{.key = "published", .type = DECODE_I64, .offset = offsetof(struct publication, published)},
};
static const struct decode_table table = DECODE_TABLE(fields, false);

static int take_entry(const json_t *item, struct publication *p, struct err *e)
{
	int r;

	*p = (struct publication){
		.driver = "", .source = "", .namespace_ = "", .pod = "", .pod_uid = ""};
	r = decode(&table, item, p, e);
	if (r < 0)
		return r;
	if (p->target[0] != '/' || !*p->volume || strlen(p->target) > TEXT_MAX ||
		strlen(p->volume) > TEXT_MAX || p->mode > CSI_SINGLE_NODE_MULTI_WRITER)
		return err_set(e, EBADMSG, "is no publication");
	return 0;
}

static int take_all(const json_t *doc, int (*take)(const struct publication *p, void *userdata),
	void *userdata, struct err *e)
{
	const json_t *list = json_object_get(doc, "publications"), *item;
	const json_t *version = json_object_get(doc, "version");
	size_t i, bad = 0;

	if (!json_is_array(list) || json_integer_value(version) != VERSION)
		return err_set(e, EBADMSG, "no publications of version %d", VERSION);
	json_array_foreach (list, i, item) {
		struct publication p;
		int r;

		if (take_entry(item, &p, NULL) < 0) {
			bad++;
			continue;
		}
		r = take(&p, userdata);
		if (r < 0)
			return err_sys(e, r, "entry %zu", i + 1);
	}
	if (bad > 0)
		log_warning("%zu entries of the publications are none and were left out", bad);
	return 0;
}

/* Nobody else may have written it: a regular file of our own. */
static int check_owner(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM, "%s is not ours alone", path);
	return 1;
}

int publications_file_load(const char *path,
	int (*take)(const struct publication *p, void *userdata), void *userdata, struct err *e)
{
	_cleanup_buf_ struct buf text = BUF_NULL(PUBLICATIONS_FILE_MAX);
	_cleanup_json_ json_t *doc = NULL;
	int r = check_owner(path, e);

	if (r <= 0)
		return r;
	r = file_read(path, &text, e);
	if (r >= 0)
		r = data_json_load(str_or(text.data, ""), text.len, &doc, e);
	if (r >= 0)
		r = take_all(doc, take, userdata, e);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

static json_t *entry_json(const struct publication *p)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:b,s:I}", "target", p->target, "volume",
		p->volume, "driver", p->driver, "source", p->source, "namespace", p->namespace_,
		"pod", p->pod, "podUID", p->pod_uid, "mode", (int)p->mode, "readonly", p->readonly,
		"published", (json_int_t)p->published);
}

static int dump(const struct publications *v, char **ret, size_t *ret_size)
{
	_cleanup_json_ json_t *list = json_array(), *doc = NULL;
	const struct publication *p;
	size_t cursor = 0;

	while (list && (p = publications_next(v, &cursor)) != NULL) {
		json_t *x = entry_json(p);

		/* A text that is no UTF-8 cannot be written: that one is rebuilt. */
		if (x && json_array_append_new(list, x) < 0)
			return -ENOMEM;
	}
	if (list)
		doc = json_pack("{s:i,s:O}", "version", VERSION, "publications", list);
	return doc ? data_json_dump(doc, ret, ret_size) : -ENOMEM;
}

/* No fsync: the run directory is a tmpfs, and after a crash of the machine nothing is published. */
static int replace(const char *path, const char *text, size_t size, struct err *e)
{
	char temp[TEXT_MAX];
	int r = str_format(temp, sizeof(temp), "%s.tmp", path), fd;

	if (r < 0)
		return err_sys(e, r, "%s", path);
	if (unlink(temp) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove %s", temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", temp);
	r = fd_write_all(fd, text, size);
	fd_close(fd);
	if (r >= 0 && rename(temp, path) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	unlink(temp);
	return err_sys(e, r, "cannot write %s", path);
}

int publications_file_save(const char *path, const struct publications *v, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = dump(v, &text, &size);

	return r < 0 ? err_sys(e, r, "%s", path) : replace(path, text, size, e);
}
