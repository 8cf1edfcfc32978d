/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_parameters.c: class parameters and mount options of any shape */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode.h"
#include "volume/parameters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input: {"parameters": {…}, "mountOptions": […], "retain": bool}. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *j = NULL;
	struct parameters p;
	struct err e = ERR_NULL;
	bool retain;

	if (data_json_load((const char *)data, size, &j, NULL) < 0)
		return 0;
	retain = json_is_true(json_object_get(j, "retain"));
	if (parameters_parse(&p, json_object_get(j, "parameters"),
		    json_object_get(j, "mountOptions"), retain, &e) < 0) {
		if (!e.text[0])
			abort();
		return 0;
	}
	if (p.n_servers == 0 || p.n_servers > VOLUME_SERVERS_MAX || p.export_[0] != '/')
		abort();
	if (retain && p.reclaim != RECLAIM_RETAIN)
		abort();
	parameters_done(&p);
	return 0;
}
