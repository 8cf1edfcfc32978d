/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_nfs_attr.c: what of a hostile server's replies we decode ourselves: attributes, names */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nfs/nfs4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input: two words of mask, a byte that chooses the decoder, values; the same bytes as names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nfs_page page;
	uint32_t mask[2];
	struct nfs_space space;
	struct nfs_attr attr;
	char *values;
	fattr4 a;

	if (size < sizeof(mask) + 1)
		return 0;
	memcpy(mask, data, sizeof(mask));
	size -= sizeof(mask) + 1;
	values = malloc(size + 1);
	if (!values)
		return 0;
	memcpy(values, data + sizeof(mask) + 1, size);
	a = (fattr4){{data[sizeof(mask)] % 3, mask}, {(u_int)size, values}};
	if (data[sizeof(mask)] & 4)
		a.attrmask = nfs4_wanted;
	(void)nfs4_take_attr(&attr, &a);
	(void)nfs4_take_space(&space, &a);
	nfs_page_reset(&page);
	for (size_t at = 0, n; at < size; at += n + 1) {
		n = (uint8_t)values[at];
		if (n > size - at - 1)
			n = size - at - 1;
		if (!nfs_page_add(&page, values + at + 1, n, at + 1))
			break;
	}
	for (size_t i = 0; i < page.n; i++)
		if (strchr(nfs_page_name(&page, i), '/') || !*nfs_page_name(&page, i))
			abort();
	free(values);
	return 0;
}
