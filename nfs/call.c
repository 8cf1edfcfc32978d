/* SPDX-License-Identifier: Apache-2.0 */
/* call.c: what calls carry: handles, pages of names, and errors in words */
#include "nfs/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pathat.h"
#include "base/str.h"

/* libnfs encodes a compound into 4,096 bytes with the RPC's header, a PUTFH and each REMOVE's
 * numbers and padding (libraries.md 4). */
#define REMOVES_BYTES 3200U
#define REMOVE_BYTES 11U

/* Numbers whose errno is another one than themselves. */
static const struct {
	uint32_t status;
	int code;
} status_codes[] = {
	{63, ENAMETOOLONG}, {66, ENOTEMPTY}, {69, EDQUOT}, {70, ESTALE}, {71, EREMOTE},
	{10001, ESTALE},          /* BADHANDLE */
	{10002, ESTALE},          /* NOT_SYNC */
	{10003, EBADSLT},         /* BAD_COOKIE: read the directory again */
	{10004, EOPNOTSUPP},      /* NOTSUPP */
	{10005, EOVERFLOW},       /* TOOSMALL */
	{10006, EREMOTEIO},       /* SERVERFAULT */
	{10008, EAGAIN},          /* JUKEBOX, DELAY */
	{10013, EAGAIN},          /* GRACE */
	{10014, ESTALE},          /* FHEXPIRED */
	{10016, EACCES},          /* WRONGSEC */
	{10018, EREMOTEIO},       /* RESOURCE */
	{10019, EREMOTE},         /* MOVED */
	{10020, ESTALE},          /* NOFILEHANDLE */
	{10021, EPROTONOSUPPORT}, /* MINOR_VERS_MISMATCH */
	{10027, EBADSLT},         /* NOT_SAME */
	{10029, ELOOP},           /* SYMLINK */
	{10039, EINVAL},          /* BADOWNER */
	{10040, EINVAL},          /* BADCHAR */
	{10041, EINVAL},          /* BADNAME */
	{10046, EBUSY},           /* FILE_OPEN */
};

int nfs_status_errno(uint32_t status)
{
	for (size_t i = 0; i < ELEMENTSOF(status_codes); i++)
		if (status_codes[i].status == status)
			return -status_codes[i].code;
	/* The first 31 are the numbers every Unix has. */
	return status < 32 ? -(int)status : -EREMOTEIO;
}

int call_error(const struct call *c, struct err *e, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX], why[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (c->why)
		err_set(e, c->r, "%s: %s (%s)", what, str_escape(why, sizeof(why), c->why),
			strerror(-c->r));
	else
		err_sys(e, c->r, "%s", what);
	return c->r;
}

void nfs_fh_set(struct nfs_fh *fh, const void *data, size_t size)
{
	fh->size = (uint8_t)size;
	memcpy(fh->data, data, size);
}

bool nfs_fh_equal(const struct nfs_fh *a, const struct nfs_fh *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

void nfs_page_reset(struct nfs_page *p)
{
	p->n = p->used = 0;
	p->eof = false;
	p->refused = 0;
}

/* A tenant may use any bytes, so only what could mean another directory is refused. */
static bool name_is_safe(const char *name, size_t len)
{
	return len > 0 && len <= PATH_COMPONENT_MAX && !memchr(name, '/', len) &&
	       !memchr(name, '\0', len);
}

bool nfs_page_add(struct nfs_page *p, const char *name, size_t len, uint64_t cookie)
{
	if (p->n == PAGE_NAMES || sizeof(p->text) - p->used < PATH_COMPONENT_MAX + 1)
		return false;
	p->cookie = cookie;
	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	if (!name_is_safe(name, len)) {
		p->refused++;
		return true;
	}
	p->at[p->n] = (uint16_t)p->used;
	p->state[p->n++] = 0;
	memcpy(p->text + p->used, name, len);
	p->text[p->used + len] = '\0';
	p->used += len + 1;
	return true;
}

size_t nfs_page_removes(const struct nfs_page *p, size_t first, size_t max)
{
	size_t n = 0, bytes = 0;

	while (n < max && first + n < p->n) {
		bytes += REMOVE_BYTES + strlen(nfs_page_name(p, first + n));
		if (n > 0 && bytes > REMOVES_BYTES)
			break;
		n++;
	}
	return n;
}
