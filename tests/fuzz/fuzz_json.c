/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json.c: JSON text from a peer; what was read is written and read again alike */
#include <stdint.h>
#include <stdlib.h>

#include "data/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *j = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_NULL;
	size_t n;

	if (data_json_load((const char *)data, size, &j, &e) < 0)
		return 0;
	if (data_json_dump(j, &text, &n) < 0)
		return 0;
	/* Escapes may make the text longer than a limit allows, never anything else. */
	if (n <= DATA_JSON_MAX && data_json_load(text, n, &again, &e) < 0)
		abort();
	return 0;
}
