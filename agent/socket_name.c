/* SPDX-License-Identifier: Apache-2.0 */
/* socket_name.c: which sockets the front may ask the broker for */
#include "agent/socket_name.h"

#include <errno.h>

#include "base/pathat.h"
#include "base/str.h"

#define REGISTRY "plugins_registry/"
#define PLUGINS "plugins/"
#define CSI "/csi.sock"

static bool is_name(const char *s, size_t n)
{
	return path_component_check(s, n, NULL) >= 0;
}

/* The kubelet's own directory there holds mounts of all drivers. */
static bool is_csi(const char *driver)
{
	size_t n = strcspn(driver, "/");

	return is_name(driver, n) && streq(driver + n, CSI) && !str_after(driver, "kubernetes.io/");
}

static bool is_kubelet_socket(const char *path)
{
	const char *name = str_after(path, REGISTRY), *driver = str_after(path, PLUGINS);

	return name ? is_name(name, strlen(name)) : driver && is_csi(driver);
}

int socket_name_check(enum broker_base base, const char *path, struct err *e)
{
	if (base == BROKER_RUN ? is_name(path, strlen(path)) : is_kubelet_socket(path))
		return 0;
	return err_set(e, EINVAL, "%s: there is no socket of ours", path);
}
