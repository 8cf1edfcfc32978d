/* SPDX-License-Identifier: Apache-2.0 */
/* registration.c: the registration of one driver as a table of states */
#include "agent/registration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "agent/registration_table.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "csi/registration.h"

/* After GetInfo the kubelet asks for NodeGetInfo (2 min) and writes Node and CSINode. */
#define WORD_WITHIN SECONDS(150)
/* How long our entry may be away from CSINode before it is published for again; doubling, for a
 * kubelet that cannot write it is not helped by haste. */
#define AWAY_MIN SECONDS(5)
#define AWAY_MAX SECONDS(300)
#define UIDS_MAX 8
#define SOCKET_MODE 0600
#define TEXT_MAX 256
#define PATH_LEN_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

struct registration {
	struct registration_options o;
	uid_t uids[UIDS_MAX];
	char driver[64];
	char path[PATH_LEN_MAX], csi_path[PATH_LEN_MAX]; /* beneath the kubelet's root */
	char socket[PATH_LEN_MAX], csi_socket[PATH_LEN_MAX];
	uint8_t state; /* enum registration_state */
	uint64_t since;
	char text[TEXT_MAX];
	struct csi_registration *service;
	int fd; /* just bound, not served yet */
	unsigned ordered, answered;
	struct timer *timer;
	struct backoff pause, away;
	bool is_away;
};

static void fire(struct registration *g, enum registration_event event)
{
	uint8_t before = g->state;

	/* What a state has no edge for does not concern it: the kubelet says what it likes. */
	(void)sm_fire(&registration_table, &g->state, (uint8_t)event, g);
	if (g->state == before)
		return;
	g->since = clock_real();
	if (g->o.changed)
		g->o.changed(g, g->o.userdata);
}

static void say(struct registration *g, const char *text)
{
	str_copy_cut(g->text, sizeof(g->text), text);
}

/* ---- what the broker says ---------------------------------------------------------------- */

/* Only the answer to the last order counts: an earlier one was overtaken. */
static bool is_last(struct registration *g)
{
	return ++g->answered == g->ordered;
}

static void on_bound(int fd, const struct err *e, void *userdata)
{
	struct registration *g = userdata;

	if (!is_last(g)) {
		fd_close(fd);
		return;
	}
	g->fd = fd;
	if (fd < 0) {
		log_error(
			"%s: the registration socket cannot be published: %s", g->driver, e->text);
		say(g, e->text);
	}
	fire(g, fd < 0 ? REGISTRATION_FAILED : REGISTRATION_BOUND);
}

static void on_removed(int fd, const struct err *e, void *userdata)
{
	struct registration *g = userdata;

	fd_close(fd);
	if (!is_last(g))
		return;
	if (e->code)
		log_warning(
			"%s: the registration socket cannot be removed: %s", g->driver, e->text);
	fire(g, REGISTRATION_REMOVED);
}

/* ---- actions ----------------------------------------------------------------------------- */

static void pause_for(struct registration *g)
{
	timer_arm(g->timer, backoff_next(&g->pause));
}

static int do_publish(void *obj)
{
	struct registration *g = obj;
	int r;

	timer_disarm(g->timer);
	g->is_away = false;
	r = orders_publish(g->o.orders, BROKER_KUBELET, g->path, SOCKET_MODE, on_bound, g);
	if (r >= 0) {
		g->ordered++;
		return 0;
	}
	log_error("%s: the registration socket cannot be ordered: error %d", g->driver, -r);
	/* No callback comes: as if one had said so. */
	g->state = REGISTRATION_PAUSED;
	pause_for(g);
	return 0;
}

static int do_remove(void *obj)
{
	struct registration *g = obj;
	int r = orders_remove(g->o.orders, BROKER_KUBELET, g->path, on_removed, g);

	timer_disarm(g->timer);
	if (r >= 0) {
		g->ordered++;
		return 0;
	}
	g->state = REGISTRATION_PAUSED;
	pause_for(g);
	return 0;
}

static int do_pause(void *obj)
{
	struct registration *g = obj;

	/* Nobody is to ask on a socket that is away. */
	g->service = csi_registration_free(g->service);
	pause_for(g);
	return 0;
}

static int do_stop(void *obj)
{
	struct registration *g = obj;

	timer_disarm(g->timer);
	if (orders_remove(g->o.orders, BROKER_KUBELET, g->path, on_removed, g) >= 0)
		g->ordered++;
	g->service = csi_registration_free(g->service);
	return 0;
}

static int do_wait_for_word(void *obj)
{
	struct registration *g = obj;

	timer_arm(g->timer, WORD_WITHIN);
	return 0;
}

static int do_settle(void *obj)
{
	struct registration *g = obj;

	timer_disarm(g->timer);
	backoff_reset(&g->pause);
	g->is_away = false;
	say(g, "");
	log_info("%s: registered at the kubelet", g->driver);
	return 0;
}

static void on_asked(struct csi_registration *s, void *userdata)
{
	(void)s;
	fire(userdata, REGISTRATION_INFO);
}

static void on_notified(
	struct csi_registration *s, bool registered, const char *error, void *userdata)
{
	struct registration *g = userdata;

	(void)s;
	if (!registered) {
		log_error("%s: the kubelet refused the registration: %s", g->driver, error);
		say(g, error);
	}
	fire(g, registered ? REGISTRATION_ACCEPTED : REGISTRATION_REFUSED);
}

static int do_serve(void *obj)
{
	static const struct csi_registration_events events = {
		.asked = on_asked, .notified = on_notified};
	struct registration *g = obj;
	const struct csi_registration_options o = {
		.fd = TAKE_FD(g->fd),
		.uids = g->uids,
		.n_uids = g->o.n_uids,
		.name = g->driver,
		.endpoint = g->csi_socket,
	};
	struct err e = ERR_NULL;

	g->service = csi_registration_free(g->service);
	if (csi_registration_new(&g->service, g->o.loop, &o, &events, g, &e) < 0) {
		log_error("%s: the registration socket cannot be served: %s", g->driver, e.text);
		say(g, e.text);
		g->state = REGISTRATION_PAUSED;
		pause_for(g);
		return 0;
	}
	timer_arm(g->timer, g->o.watchdog);
	return 0;
}

/* ---- the table --------------------------------------------------------------------------- */

static const char *const states[_REGISTRATION_STATE_MAX] = {
	[REGISTRATION_OFF] = "off",
	[REGISTRATION_PUBLISHING] = "publishing",
	[REGISTRATION_PUBLISHED] = "published",
	[REGISTRATION_ASKED] = "asked",
	[REGISTRATION_REGISTERED] = "registered",
	[REGISTRATION_REMOVING] = "removing",
	[REGISTRATION_PAUSED] = "paused",
};
static const char *const events_text[_REGISTRATION_EVENT_MAX] = {
	[REGISTRATION_START] = "start",
	[REGISTRATION_BOUND] = "bound",
	[REGISTRATION_FAILED] = "failed",
	[REGISTRATION_INFO] = "info",
	[REGISTRATION_ACCEPTED] = "accepted",
	[REGISTRATION_REFUSED] = "refused",
	[REGISTRATION_REMOVED] = "removed",
	[REGISTRATION_TIMER] = "timer",
	[REGISTRATION_VANISHED] = "vanished",
	[REGISTRATION_STOP] = "stop",
};
/* While publishing or removing, words on the old socket change nothing: a new one is on its way. */
static const struct sm_edge edges[] = {
	{REGISTRATION_OFF, REGISTRATION_START, REGISTRATION_PUBLISHING, do_publish},
	{REGISTRATION_PUBLISHING, REGISTRATION_BOUND, REGISTRATION_PUBLISHED, do_serve},
	{REGISTRATION_PUBLISHING, REGISTRATION_FAILED, REGISTRATION_PAUSED, do_pause},
	{REGISTRATION_PUBLISHED, REGISTRATION_INFO, REGISTRATION_ASKED, do_wait_for_word},
	{REGISTRATION_PUBLISHED, REGISTRATION_TIMER, REGISTRATION_PUBLISHING, do_publish},
	{REGISTRATION_PUBLISHED, REGISTRATION_VANISHED, REGISTRATION_PUBLISHING, do_publish},
	{REGISTRATION_PUBLISHED, REGISTRATION_ACCEPTED, REGISTRATION_REGISTERED, do_settle},
	{REGISTRATION_PUBLISHED, REGISTRATION_REFUSED, REGISTRATION_REMOVING, do_remove},
	{REGISTRATION_ASKED, REGISTRATION_INFO, REGISTRATION_ASKED, do_wait_for_word},
	{REGISTRATION_ASKED, REGISTRATION_ACCEPTED, REGISTRATION_REGISTERED, do_settle},
	{REGISTRATION_ASKED, REGISTRATION_REFUSED, REGISTRATION_REMOVING, do_remove},
	{REGISTRATION_ASKED, REGISTRATION_TIMER, REGISTRATION_PUBLISHING, do_publish},
	{REGISTRATION_ASKED, REGISTRATION_VANISHED, REGISTRATION_PUBLISHING, do_publish},
	/* A kubelet that was started again finds the socket there. */
	{REGISTRATION_REGISTERED, REGISTRATION_INFO, REGISTRATION_ASKED, do_wait_for_word},
	{REGISTRATION_REGISTERED, REGISTRATION_REFUSED, REGISTRATION_REMOVING, do_remove},
	{REGISTRATION_REGISTERED, REGISTRATION_TIMER, REGISTRATION_PUBLISHING, do_publish},
	{REGISTRATION_REGISTERED, REGISTRATION_VANISHED, REGISTRATION_PUBLISHING, do_publish},
	{REGISTRATION_REMOVING, REGISTRATION_REMOVED, REGISTRATION_PAUSED, do_pause},
	{REGISTRATION_PAUSED, REGISTRATION_TIMER, REGISTRATION_PUBLISHING, do_publish},
	{SM_ANY, REGISTRATION_STOP, REGISTRATION_OFF, do_stop},
};
const struct sm_table registration_table = {
	.name = "registration",
	.states = states,
	.events = events_text,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

/* What had gone from Node or CSINode: the loss is over. */
static bool is_back(struct registration *g)
{
	if (g->state != REGISTRATION_REGISTERED || !g->o.is_back || !g->o.is_back(g, g->o.userdata))
		return false;
	g->is_away = false;
	backoff_reset(&g->away);
	say(g, "");
	return true;
}

static void on_timer(struct timer *t, void *userdata)
{
	struct registration *g = userdata;

	(void)t;
	if (is_back(g))
		return;
	if (g->state == REGISTRATION_PUBLISHED)
		say(g, "the kubelet did not ask on the registration socket");
	else if (g->state == REGISTRATION_ASKED)
		say(g, "the kubelet asked and said nothing more");
	if (g->state != REGISTRATION_PAUSED)
		log_warning(
			"%s: %s: the registration socket is published again", g->driver, g->text);
	fire(g, REGISTRATION_TIMER);
}

/* ---- from outside ------------------------------------------------------------------------ */

void registration_start(struct registration *g)
{
	fire(g, REGISTRATION_START);
}

void registration_vanished(struct registration *g, const char *why)
{
	say(g, why);
	log_warning("%s: %s: the registration socket is published again", g->driver, why);
	fire(g, REGISTRATION_VANISHED);
}

void registration_lost(struct registration *g, const char *why)
{
	if (g->state != REGISTRATION_REGISTERED || g->is_away)
		return;
	g->is_away = true;
	say(g, why);
	timer_arm(g->timer, backoff_next(&g->away));
}

bool registration_retry(struct registration *g)
{
	if (g->state != REGISTRATION_PAUSED)
		return false;
	timer_arm(g->timer, 0);
	return true;
}

void registration_stop(struct registration *g, const char *text)
{
	say(g, text);
	fire(g, REGISTRATION_STOP);
}

static int name_sockets(struct registration *g)
{
	const struct registration_options *o = &g->o;
	const char *root = o->kubelet_root;

	if (str_copy(g->driver, sizeof(g->driver), o->driver) < 0 ||
		str_format(g->path, sizeof(g->path), "plugins_registry/%s-reg.sock", o->driver) <
			0 ||
		str_format(g->csi_path, sizeof(g->csi_path), "plugins/%s/csi.sock", o->driver) <
			0 ||
		str_format(g->socket, sizeof(g->socket), "%s/%s", root, g->path) < 0 ||
		str_format(g->csi_socket, sizeof(g->csi_socket), "%s/%s", root, g->csi_path) < 0)
		return -ENAMETOOLONG;
	return 0;
}

int registration_new(struct registration **ret, const struct registration_options *o, struct err *e)
{
	_cleanup_(registration_freep) struct registration *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return err_set(e, ENOMEM, "out of memory");
	g->o = *o;
	g->fd = -1;
	g->state = REGISTRATION_OFF;
	g->since = clock_real();
	g->pause = (struct backoff){.min = o->pause_min, .max = o->pause_max};
	g->away = (struct backoff){.min = AWAY_MIN, .max = AWAY_MAX};
	if (o->n_uids > UIDS_MAX)
		return err_set(e, E2BIG, "more than %d kubelet users", UIDS_MAX);
	for (size_t i = 0; i < o->n_uids; i++)
		g->uids[i] = o->uids[i];
	r = name_sockets(g);
	if (r < 0)
		return err_set(e, r,
			"%s: the sockets' paths below %s do not fit into a socket's address (%zu "
			"bytes): a shorter driver name or kubelet root is needed",
			o->driver, o->kubelet_root, PATH_LEN_MAX - 1);
	r = timer_new_lazy(&g->timer, o->loop, MILLISECONDS(100), on_timer, g);
	if (r < 0)
		return err_sys(e, r, "registration");
	*ret = TAKE_PTR(g);
	return 0;
}

struct registration *registration_free(struct registration *g)
{
	if (!g)
		return NULL;
	csi_registration_free(g->service);
	timer_free(g->timer);
	fd_close(g->fd);
	free(g);
	return NULL;
}

/* ---- for people -------------------------------------------------------------------------- */

enum registration_state registration_state(const struct registration *g)
{
	return g->state;
}

const char *registration_word(const struct registration *g)
{
	switch (g->state) {
	case REGISTRATION_OFF:
		return "Off";
	case REGISTRATION_REGISTERED:
		return "Registered";
	case REGISTRATION_REMOVING:
	case REGISTRATION_PAUSED:
		return "Failed";
	default:
		return "Waiting";
	}
}

const char *registration_text(const struct registration *g)
{
	if (!*g->text && g->state == REGISTRATION_PUBLISHED)
		return "the kubelet has not asked yet";
	if (!*g->text && g->state == REGISTRATION_ASKED)
		return "the kubelet has asked, and not said yet whether it takes it";
	return g->text;
}

uint64_t registration_since(const struct registration *g)
{
	return g->since;
}

const char *registration_socket(const struct registration *g)
{
	return g->socket;
}

const char *registration_csi_socket(const struct registration *g)
{
	return g->csi_socket;
}

const char *registration_path(const struct registration *g)
{
	return g->path;
}

const char *registration_csi_path(const struct registration *g)
{
	return g->csi_path;
}
