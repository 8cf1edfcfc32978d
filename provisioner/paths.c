/* SPDX-License-Identifier: Apache-2.0 */
/* paths.c: builds URL paths; names come from API objects and are escaped all the same */
#include "provisioner/paths.h"

#include <stdio.h>

#include "kube/client.h"
#include "provisioner/names.h"

/* Three bytes for each of 253, and NUL. */
#define ESCAPED_MAX 800

static char *cluster_path(char *dst, const char *base, const char *name, const char *suffix)
{
	char escaped[ESCAPED_MAX];

	if (!name)
		snprintf(dst, API_PATH_MAX, "%s?" FIELD_MANAGER, base);
	/* A name that does not fit is none of the API's: the path then names no object. */
	else if (kube_escape(escaped, sizeof(escaped), name) < 0)
		snprintf(dst, API_PATH_MAX, "%s/%%20", base);
	else
		snprintf(dst, API_PATH_MAX, "%s/%s%s?" FIELD_MANAGER, base, escaped, suffix);
	return dst;
}

char *api_path_volume(char dst[static API_PATH_MAX], const char *name, const char *suffix)
{
	return cluster_path(dst, PATH_VOLUMES, name, suffix);
}

char *api_path_intent(char dst[static API_PATH_MAX], const char *name, const char *suffix)
{
	return cluster_path(dst, PATH_INTENTS, name, suffix);
}

char *api_path_node(char dst[static API_PATH_MAX], const char *name)
{
	return cluster_path(dst, "/api/v1/nodes", name, "");
}

char *api_path_claim(
	char dst[static API_PATH_MAX], const char *namespace_, const char *name, const char *suffix)
{
	char base[ESCAPED_MAX + 80], escaped[ESCAPED_MAX];

	if (kube_escape(escaped, sizeof(escaped), namespace_) < 0)
		snprintf(escaped, sizeof(escaped), "%%20");
	snprintf(base, sizeof(base), "/api/v1/namespaces/%s/persistentvolumeclaims", escaped);
	return cluster_path(dst, base, name, suffix);
}
