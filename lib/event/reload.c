/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c: the two ways in which a daemon is asked to read its configuration again */
#include "event/loop.h"

#include <errno.h>
#include <signal.h>

struct reload {
	struct sig *hup;
	struct filewatch *file; /* NULL: there is nothing to read */
	reload_fn fn;
	void *userdata;
};

static void on_hup(struct sig *s, int signo, void *userdata)
{
	struct reload *r = userdata;

	(void)s;
	(void)signo;
	if (r->file)
		r->fn(r, r->userdata);
}

static void on_file(struct filewatch *w, void *userdata)
{
	struct reload *r = userdata;

	(void)w;
	r->fn(r, r->userdata);
}

int reload_new(struct reload **ret, struct loop *l, const char *path, reload_fn fn, void *userdata,
	struct err *e)
{
	_cleanup_(reload_freep) struct reload *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return err_sys(e, ENOMEM, "cannot take SIGHUP");
	r->fn = fn;
	r->userdata = userdata;
	code = sig_new(&r->hup, l, SIGHUP, on_hup, r);
	if (code < 0)
		return err_sys(e, code, "cannot take SIGHUP");
	if (path)
		code = filewatch_new(&r->file, l, path, on_file, r, e);
	if (code < 0)
		return code;
	*ret = TAKE_PTR(r);
	return 0;
}

struct reload *reload_free(struct reload *r)
{
	if (!r)
		return NULL;
	sig_free(r->hup);
	filewatch_free(r->file);
	free(r);
	return NULL;
}
