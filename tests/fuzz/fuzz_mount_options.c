/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mount_options.c: whatever a volume says, no address, no control character and no relaxed
 * flag comes out, and saying the result again changes nothing */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "mount/mounted.h"
#include "mount/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mount_options *o)
{
	static const char *const never[] = {"addr", "clientaddr", "mountaddr", "source", "suid",
		"dev", "vers", "nfsvers", "bind", "remount"};

	if (strlen(o->nfs) >= sizeof(o->nfs) || (o->flags & ~(uint32_t)MOUNTF_ALL))
		abort();
	if ((o->flags & MOUNTF_TENANT) != MOUNTF_TENANT)
		abort();
	for (const char *c = o->nfs; *c; c++)
		if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e)
			abort();
	for (size_t i = 0; i < ELEMENTSOF(never); i++)
		if (mounted_option(o->nfs, never[i], NULL, 0))
			abort();
}

/* Input: strings with NULs between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *list[64];
	struct mount_options_input in = {.kind = MOUNT_OPTIONS_NFS, .list = list};
	static struct mount_options o, again;
	char *text = malloc(size + 1);
	const char *said = o.nfs;
	struct err e;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t at = 0; at < size && in.n < ELEMENTSOF(list); at += strlen(text + at) + 1)
		list[in.n++] = text + at;
	if (mount_options_parse(&o, &in, &e) == 0) {
		check(&o);
		in.list = &said;
		in.n = 1;
		if (mount_options_parse(&again, &in, &e) < 0 || !streq(again.nfs, o.nfs))
			abort();
	} else if (!e.text[0]) {
		abort();
	}
	in.kind = MOUNT_OPTIONS_BIND;
	if (mount_options_parse(&o, &in, NULL) == 0 &&
		(o.nfs[0] || (o.flags & ~(uint32_t)MOUNTF_BIND)))
		abort();
	free(text);
	return 0;
}
