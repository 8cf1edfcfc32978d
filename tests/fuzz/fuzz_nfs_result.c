/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_nfs_result.c: replies of a worker that a hostile server has taken over, and requests */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nfs/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct volume_result *r)
{
	if (*r->directory && path_relative_check(r->directory, NULL) < 0)
		abort();
	for (size_t i = 0; i < r->n_entries; i++) {
		const struct volume_entry *e = &r->entries[i];

		if (strchr(e->name, '/') || strlen(e->name) > PATH_COMPONENT_MAX)
			abort();
		if (e->kind == ENTRY_RECORD && path_relative_check(e->record.directory, NULL) < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct volume_entry *entries = NULL;
	struct volume_result r;
	struct nfs_request q;
	struct volume_place p;

	if (nfs_result_unpack(&r, &entries, -5, data, size) == 0)
		check(&r);
	free(entries);
	(void)nfs_init_unpack(&p, data, size);
	for (int kind = NFS_CREATE; kind < _NFS_KIND_MAX; kind++)
		if (nfs_request_unpack(&q, (enum nfs_kind)kind, data, size) == 0 &&
			kind <= NFS_DISCARD && path_relative_check(q.volume.directory, NULL) < 0)
			abort();
	return 0;
}
