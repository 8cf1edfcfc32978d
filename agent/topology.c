/* SPDX-License-Identifier: Apache-2.0 */
/* topology.c: cuts a node's name to a label's length, with a hash that keeps it unique */
#include "agent/topology.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEPT 46

/* FNV-1a, 64 bit: the same on every machine and in every version, unlike map_hash(). */
static uint64_t hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ULL;
	return h;
}

char *topology_value(const char *node, char dst[static TOPOLOGY_VALUE_MAX])
{
	size_t n = strlen(node);

	if (n < TOPOLOGY_VALUE_MAX)
		memcpy(dst, node, n + 1);
	else
		snprintf(dst, TOPOLOGY_VALUE_MAX, "%.*s-%016" PRIx64, KEPT, node, hash(node));
	return dst;
}
