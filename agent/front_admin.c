/* SPDX-License-Identifier: Apache-2.0 */
/* front_admin.c: the admin socket: published, served, and published again where it has gone */
#include <errno.h>

#include "agent/front.h"
#include "base/fd.h"
#include "base/log.h"

#define SOCKET "agent.sock"
#define SOCKET_MODE 0666 /* peer credentials decide */

static void on_socket(int fd, const struct err *error, void *userdata)
{
	struct front *f = userdata;
	const struct admin_options o = {
		.fd = fd, .gid = f->config->admin_group, .kernel = &f->kernel};
	struct err e = *error;

	f->admin_ordered = false;
	/* One whose file has gone. */
	if (fd >= 0)
		f->admin = admin_free(f->admin);
	if (fd < 0 || admin_new(&f->admin, f->loop, &o, &f->view, &e) < 0)
		log_error("%s/" SOCKET " is not served: %s", f->o.run_dir, e.text);
}

int front_admin_start(struct front *f)
{
	int r = orders_publish(f->orders, BROKER_RUN, SOCKET, SOCKET_MODE, on_socket, f);

	f->admin_ordered = r >= 0;
	return r;
}

static void on_connected(int fd, const struct err *e, void *userdata)
{
	struct front *f = userdata;

	fd_close(fd);
	if (fd >= 0 || f->admin_ordered || (e->code != ENOENT && e->code != ECONNREFUSED))
		return;
	log_warning("%s/" SOCKET " has gone: it is published again", f->o.run_dir);
	(void)front_admin_start(f);
}

void front_admin_check(struct front *f)
{
	if (f->stopping || f->admin_ordered)
		return;
	if (f->admin)
		(void)orders_connect(f->orders, BROKER_RUN, SOCKET, on_connected, f);
	else
		(void)front_admin_start(f);
}
