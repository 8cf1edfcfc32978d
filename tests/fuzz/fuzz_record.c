/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_record.c: what decodes as a record stays beneath the root and survives encoding */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "volume/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_NULL(4 * RECORD_MAX);
	struct record r = RECORD_NULL, again = RECORD_NULL;
	struct identity id;

	(void)identity_decode(&id, (const char *)data, size, NULL);
	if (record_decode(&r, (const char *)data, size, NULL) < 0)
		return 0;
	if (path_relative_check(r.request.directory, NULL) < 0)
		abort();
	if (*r.stored && path_relative_check(r.stored, NULL) < 0)
		abort();
	if (record_encode(&r, &b, NULL) < 0)
		abort();
	/* Empty texts are left out, so the second decoding may refuse what the first took. */
	if (b.len <= RECORD_MAX && record_decode(&again, b.data, b.len, NULL) == 0 &&
		!streq(again.request.directory, r.request.directory))
		abort();
	record_done(&again);
	record_done(&r);
	return 0;
}
