/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_facts.c: what a PV or a BerthVolume made by anybody may make us do: nothing outside of the
 * export */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/pathat.h"
#include "data/decode.h"
#include "provisioner/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct facts *f)
{
	const struct volume_place place = facts_place(f);
	const struct volume_request q = facts_request(f);

	if (path_relative_check(q.directory, NULL) < 0 || place.export_[0] != '/' ||
		strstr(place.export_, "/../") || !*place.server || place.server[0] == '-' ||
		strlen(q.token) != 32 || q.capacity < 0 || (q.mode & ~07777U))
		abort();
	facts_done(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *json = NULL;
	struct facts f = {0};
	struct err e = ERR_NULL;

	if (data_json_load((const char *)data, size, &json, NULL) < 0)
		return 0;
	if (facts_from_volume(&f, json, &e) >= 0)
		check(&f);
	else if (!e.text[0])
		abort();
	err_clear(&e);
	if (facts_from_intent(&f, json, &e) >= 0)
		check(&f);
	else if (!e.text[0])
		abort();
	return 0;
}
