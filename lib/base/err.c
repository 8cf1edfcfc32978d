/* SPDX-License-Identifier: Apache-2.0 */
/* err.c: errors with bounded text */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void err_cut(struct err *e, int needed)
{
	if (needed >= ERR_TEXT_MAX)
		memcpy(e->text + ERR_TEXT_MAX - 4, "...", 4);
}

static _printf_(3, 0) void err_vset(struct err *e, int code, const char *fmt, va_list ap)
{
	e->code = abs(code);
	err_cut(e, vsnprintf(e->text, sizeof(e->text), fmt, ap));
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		err_vset(e, code, fmt, ap);
		va_end(ap);
	}
	return -abs(code);
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	char reason[64];
	size_t len;
	va_list ap;

	if (!e)
		return -abs(code);
	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	err_cut(e, (int)len + snprintf(e->text + len, sizeof(e->text) - len, ": %s",
				      strerror_r(abs(code), reason, sizeof(reason))));
	return -abs(code);
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	size_t len;
	int code;
	va_list ap;

	if (!e || e->code == 0)
		return -EIO;
	code = e->code;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	err_cut(e, (int)len + snprintf(e->text + len, sizeof(e->text) - len, ": %s", old));
	return -code;
}

int err_copy(struct err *dst, const struct err *src)
{
	if (!src)
		return 0;
	if (dst && dst != src)
		*dst = *src;
	return -src->code;
}

static bool one_of(int r, const int *codes, size_t n)
{
	r = abs(r);
	for (size_t i = 0; i < n; i++)
		if (codes[i] == r)
			return true;
	return false;
}

#define ERRNO_CLASS(name, ...)                              \
	bool errno_is_##name(int r)                         \
	{                                                   \
		static const int codes[] = {__VA_ARGS__};   \
		return one_of(r, codes, ELEMENTSOF(codes)); \
	}

ERRNO_CLASS(transient, EAGAIN, EINTR, EBUSY, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED,
	ECONNRESET, ECONNABORTED, EPIPE, ESHUTDOWN, ENETDOWN, EHOSTDOWN, EINPROGRESS, ECANCELED)
ERRNO_CLASS(disconnect, ECONNRESET, ECONNABORTED, EPIPE, ENOTCONN, ESHUTDOWN, ECONNREFUSED,
	ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, ENETDOWN, ETIMEDOUT)
ERRNO_CLASS(resource, ENOMEM, EMFILE, ENFILE, ENOBUFS)
ERRNO_CLASS(disk_space, ENOSPC, EDQUOT)
