/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h: the event loop, and its sources: exact and lazy timers, descriptors, signals, children,
 * files */
#ifndef BERTH_EVENT_LOOP_H
#define BERTH_EVENT_LOOP_H

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/err.h"

/*
 * One loop a process, always sd_event_new() (libraries.md 1: sd_event_default returns the parent's
 * after a fork). Every source below is opaque, belongs to who made it, and ends with its _free(),
 * which is legal in any callback (its own too) and on NULL; no callback runs after it.
 */
struct loop;
int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *l); /* after all sources */
int loop_run(struct loop *l);           /* until loop_exit(); its code or -errno; may run again */
void loop_exit(struct loop *l, int code);
sd_event *loop_sd(struct loop *l); /* borrowed */
DEFINE_CLEANUP(struct loop *, loop_free)

/* Callbacks return nothing: what fails there is handled there. */
struct timer;
typedef void (*timer_fn)(struct timer *t, void *userdata);
/* Fires within microseconds of its time: protocol timers and deadlines. Disarmed at first. */
int timer_new_exact(struct timer **ret, struct loop *l, timer_fn fn, void *userdata);
/* May fire up to slack later, together with others, so that an idle process sleeps. */
int timer_new_lazy(
	struct timer **ret, struct loop *l, uint64_t slack_ns, timer_fn fn, void *userdata);
/* Fires once, delay_ns from now (0: at the next turn); arming again moves it. Boot-time clock. */
void timer_arm(struct timer *t, uint64_t delay_ns);
void timer_disarm(struct timer *t);
int timer_armed(const struct timer *t);
struct timer *timer_free(struct timer *t);
DEFINE_CLEANUP(struct timer *, timer_free)

struct io;
/* events and revents: EPOLLIN and friends. */
typedef void (*io_fn)(struct io *io, int fd, uint32_t revents, void *userdata);
/* The descriptor stays the caller's and must outlive the source: free, then close. */
int io_new(struct io **ret, struct loop *l, int fd, uint32_t events, io_fn fn, void *userdata);
/* 0 switches it off: not even EPOLLHUP and EPOLLERR are reported then. */
void io_set_events(struct io *io, uint32_t events);
struct io *io_free(struct io *io);
DEFINE_CLEANUP(struct io *, io_free)

/* Blocks the signal in the thread and reports it. It stays blocked after _free: a pending one would
 * strike then. */
struct sig;
typedef void (*sig_fn)(struct sig *s, int signo, void *userdata);
int sig_new(struct sig **ret, struct loop *l, int signo, sig_fn fn, void *userdata);
struct sig *sig_free(struct sig *s);
DEFINE_CLEANUP(struct sig *, sig_free)

/* Reports the end of a child once; reaps it after the callback. Blocks SIGCHLD. _free before that
 * neither kills nor reaps. */
struct child;
typedef void (*child_fn)(
	struct child *c, int code, int status, void *userdata); /* siginfo si_code, si_status */
int child_new(struct child **ret, struct loop *l, pid_t pid, child_fn fn, void *userdata);
struct child *child_free(struct child *c);
DEFINE_CLEANUP(struct child *, child_free)

/* Runs once at the end of the current turn, however often it was armed in it: after what is
 * pending, and after 64 sources at the latest. Armed by another at that end it runs there, too;
 * armed after it ran there, at the next. */
struct defer;
typedef void (*defer_fn)(struct defer *d, void *userdata);
int defer_new(struct defer **ret, struct loop *l, defer_fn fn, void *userdata);
void defer_arm(struct defer *d);
struct defer *defer_free(struct defer *d);
DEFINE_CLEANUP(struct defer *, defer_free)

/* Reports that a file was written, replaced or its directory's ..data link was swapped (a
 * ConfigMap), 100 ms after the last change, and every 2 s while changes do not end. The directory
 * itself must stay where it is. */
struct filewatch;
typedef void (*filewatch_fn)(struct filewatch *w, void *userdata);
int filewatch_new(struct filewatch **ret, struct loop *l, const char *path, filewatch_fn fn,
	void *userdata, struct err *e);
struct filewatch *filewatch_free(struct filewatch *w);
DEFINE_CLEANUP(struct filewatch *, filewatch_free)

/* Reports that a daemon is to read its configuration again: SIGHUP came, or the file is another, as
 * filewatch has it. Without a file (path NULL) SIGHUP is taken, so that it ends nothing, and
 * nothing is reported. */
struct reload;
typedef void (*reload_fn)(struct reload *r, void *userdata);
int reload_new(struct reload **ret, struct loop *l, const char *path, reload_fn fn, void *userdata,
	struct err *e);
struct reload *reload_free(struct reload *r);
DEFINE_CLEANUP(struct reload *, reload_free)

#endif
