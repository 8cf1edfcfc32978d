/* SPDX-License-Identifier: Apache-2.0 */
/* err.h: an error as a code and a bounded text that people will read in an event, a log line or a
 * terminal */
#ifndef BERTH_BASE_ERR_H
#define BERTH_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/cleanup.h"

/* Long enough for a sentence with a path in it; Kubernetes cuts event messages at 1,024 bytes. */
#define ERR_TEXT_MAX 512

/*
 * code is a positive errno value, 0 where nothing failed. text is always terminated; what does not
 * fit is cut and ends in "...". Setting an error cannot fail and allocates nothing.
 * A NULL struct err * is accepted everywhere: the caller does not want the words.
 */
struct err {
	int code;
	char text[ERR_TEXT_MAX];
};

#define ERR_NULL ((struct err){.code = 0})

/* Records code (sign ignored) with a text of its own; returns the negative code. */
int err_set(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/* Like err_set(), and appends ": " and strerror(code), the system's own reason. */
int err_sys(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/* Puts "<fmt>: " before the text that e has already; returns -e->code (-EIO if e is NULL or clear).
 */
int err_prefix(struct err *e, const char *fmt, ...) _printf_(2, 3);

/* Copies src to dst (either may be NULL); returns -src->code. */
int err_copy(struct err *dst, const struct err *src);

static inline void err_clear(struct err *e)
{
	if (e) {
		e->code = 0;
		e->text[0] = '\0';
	}
}

/* Classes of errno values (the sign is ignored). They decide about retries, never a list at the
 * call site. */
bool errno_is_transient(
	int r); /* EAGAIN, EINTR, EBUSY, ETIMEDOUT, ...: trying again may help soon */
bool errno_is_disconnect(int r); /* the peer is gone or cannot be reached */
bool errno_is_resource(int r);   /* memory, descriptors, processes */
bool errno_is_disk_space(int r); /* ENOSPC, EDQUOT */

#endif
