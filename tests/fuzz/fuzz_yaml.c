/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_yaml.c: YAML text of a configuration file through a strict table */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
	const char *name;
	const json_t *any;
};

static const struct decode_field fields[] = {
	{.key = "name", .type = DECODE_STRING, .offset = offsetof(struct config, name)},
	{.key = "any", .type = DECODE_JSON, .offset = offsetof(struct config, any)},
};
static const struct decode_table table = DECODE_TABLE(fields, true);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
	struct config c = {.name = NULL};
	struct err e = ERR_NULL;
	int r = yaml_load(&d, "f", (const char *)data, size, &e);

	if (r == 0)
		r = yaml_decode(d, &table, &c, &e);
	/* Every failure says where. */
	if (r < 0 && strncmp(e.text, "f:", 2) != 0)
		abort();
	if (r == 0 && c.any && !json_is_null(c.any) && !json_is_boolean(c.any) &&
		yaml_line(d, c.any) == 0)
		abort();
	return 0;
}
