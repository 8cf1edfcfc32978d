/* SPDX-License-Identifier: Apache-2.0 */
/* mounts_path.c: pods' volumes and subPaths, and exports, told by their paths */
#include "agent/mounts_path.h"

#include <string.h>

#include "base/str.h"

/* What follows dir and a slash, NULL where path is not beneath it. */
static const char *beneath(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && *rest == '/' ? rest + 1 : NULL;
}

/* One component and the slash behind it: its size, 0 where there is none. */
static size_t component(const char **at, const char **ret)
{
	size_t n = strcspn(*at, "/");

	*ret = *at;
	if (n == 0 || (*at)[n] != '/')
		return 0;
	*at += n + 1;
	return n;
}

/* <volume>/mount */
static bool parse_volume(struct mounts_path *ret, const char *at)
{
	ret->kind = MOUNTS_VOLUME;
	ret->volume_size = component(&at, &ret->volume);
	return ret->volume_size && streq(at, "mount");
}

/* <volume>/<container>/<index> */
static bool parse_subpath(struct mounts_path *ret, const char *at)
{
	const char *container;

	ret->kind = MOUNTS_SUBPATH;
	ret->volume_size = component(&at, &ret->volume);
	return ret->volume_size && component(&at, &container) && *at && !strchr(at, '/');
}

bool mounts_path_is_export(const char *exports, const char *target)
{
	const char *at = beneath(target, exports);

	return at && *at && !strchr(at, '/');
}

bool mounts_path_parse(
	struct mounts_path *ret, const char *kubelet_root, const char *exports, const char *target)
{
	const char *at = beneath(target, kubelet_root), *rest;

	*ret = (struct mounts_path){.kind = MOUNTS_EXPORT, .pod = "", .volume = ""};
	if (mounts_path_is_export(exports, target))
		return true;
	at = at ? str_after(at, "pods/") : NULL;
	if (!at)
		return false;
	ret->pod_size = component(&at, &ret->pod);
	if (!ret->pod_size)
		return false;
	rest = str_after(at, "volumes/kubernetes.io~csi/");
	if (rest)
		return parse_volume(ret, rest);
	rest = str_after(at, "volume-subpaths/");
	return rest && parse_subpath(ret, rest);
}
