/* SPDX-License-Identifier: Apache-2.0 */
/* paths.h: URL paths of the objects that we read and write */
#ifndef BERTH_PROVISIONER_PATHS_H
#define BERTH_PROVISIONER_PATHS_H

#include "base/cleanup.h"

/* Three times two names of 253 bytes, escaped, and what stands around them. */
#define API_PATH_MAX 1700

/* suffix: "", "/status"; name NULL: the collection. All append our fieldManager where writes need
 * it; GET and DELETE ignore it. Returns dst. */
char *api_path_volume(char dst[static API_PATH_MAX], const char *name, const char *suffix);
char *api_path_intent(char dst[static API_PATH_MAX], const char *name, const char *suffix);
char *api_path_node(char dst[static API_PATH_MAX], const char *name);
char *api_path_claim(char dst[static API_PATH_MAX], const char *namespace_, const char *name,
	const char *suffix);

#endif
