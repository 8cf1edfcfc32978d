/* SPDX-License-Identifier: Apache-2.0 */
/* filewatch.c: reports that a file got new content, a ConfigMap's included */
#include "event/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/str.h"

/* An editor or the kubelet makes several changes in a row; one report is enough. */
#define FILEWATCH_QUIET MILLISECONDS(100)
/* A file that changes all the time is still reported this often. */
#define FILEWATCH_LATEST MILLISECONDS(2000)

/* The kubelet's atomic writer renames a new symlink over this name. */
#define CONFIGMAP_LINK "..data"

#define FILEWATCH_MASK                                                                           \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR)

struct filewatch {
	sd_event_source *source;
	struct timer *quiet;
	char *name;     /* of the file in its directory */
	uint64_t first; /* clock_now() of the first change not reported yet, else 0 */
	filewatch_fn fn;
	void *userdata;
};

static void on_quiet(struct timer *t, void *userdata)
{
	struct filewatch *w = userdata;

	(void)t;
	w->first = 0;
	w->fn(w, w->userdata);
}

static bool filewatch_concerns(const struct filewatch *w, const struct inotify_event *event)
{
	/* No name: the directory itself, or events were lost. */
	if (event->len == 0)
		return true;
	return streq(event->name, w->name) || streq(event->name, CONFIGMAP_LINK);
}

static int on_inotify(sd_event_source *s, const struct inotify_event *event, void *userdata)
{
	struct filewatch *w = userdata;
	uint64_t now = clock_now(), waited, delay = FILEWATCH_QUIET;

	(void)s;
	if (!filewatch_concerns(w, event))
		return 0;
	if (w->first == 0)
		w->first = now;
	waited = now - w->first;
	if (waited + delay > FILEWATCH_LATEST)
		delay = waited > FILEWATCH_LATEST ? 0 : FILEWATCH_LATEST - waited;
	timer_arm(w->quiet, delay);
	return 0;
}

static int filewatch_start(struct filewatch *w, struct loop *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory = NULL;
	int r;

	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	w->name = strdup(slash ? slash + 1 : path);
	if (!directory || !w->name)
		return -ENOMEM;
	if (str_empty(w->name))
		return -EISDIR;
	r = timer_new_exact(&w->quiet, l, on_quiet, w);
	if (r < 0)
		return r;
	/* The directory and not the file: a file that is replaced takes its watch away with it. */
	r = sd_event_add_inotify(loop_sd(l), &w->source, directory, FILEWATCH_MASK, on_inotify, w);
	if (r < 0)
		return r;
	sd_event_source_set_description(w->source, "filewatch");
	return 0;
}

int filewatch_new(struct filewatch **ret, struct loop *l, const char *path, filewatch_fn fn,
	void *userdata, struct err *e)
{
	_cleanup_(filewatch_freep) struct filewatch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_sys(e, ENOMEM, "cannot watch %s", path);
	w->fn = fn;
	w->userdata = userdata;
	r = filewatch_start(w, l, path);
	if (r < 0)
		return err_sys(e, r, "cannot watch %s", path);
	*ret = TAKE_PTR(w);
	return 0;
}

struct filewatch *filewatch_free(struct filewatch *w)
{
	if (!w)
		return NULL;
	sd_event_source_disable_unref(w->source);
	timer_free(w->quiet);
	free(w->name);
	free(w);
	return NULL;
}
