/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.c: the table of resources */
#include "tools/devapi/kinds.h"

#include <stdio.h>

#include "base/str.h"

#define NS KIND_NAMESPACED
#define ST KIND_STATUS
#define GEN KIND_GENERATION
#define RET KIND_RETURNS
#define UNC KIND_UNCONDITIONAL
#define CR (KIND_CUSTOM | KIND_GENERATION)
#define STORAGE "storage.k8s.io", "v1"
#define APPS "apps", "v1"
#define RBAC "rbac.authorization.k8s.io", "v1"
#define BERTH "berth.dev", "v1alpha1"

/* Flags as the registry strategies of Kubernetes 1.36 have them (pkg/registry). */
const struct kind kinds[] = {
	{"", "v1", "namespaces", "namespace", "Namespace", "ns", ST | UNC},
	{"", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim",
		"pvc", NS | ST | RET | UNC},
	{"", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", "pv",
		ST | RET | UNC},
	{"", "v1", "pods", "pod", "Pod", "po", NS | ST | RET | UNC},
	{"", "v1", "events", "event", "Event", "ev", NS | UNC},
	{STORAGE, "storageclasses", "storageclass", "StorageClass", "sc", RET | UNC},
	{APPS, "statefulsets", "statefulset", "StatefulSet", "sts", NS | ST | GEN | UNC},
	{"apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition",
		"CustomResourceDefinition", "crd,crds", ST | GEN},
	{BERTH, "berthvolumes", "berthvolume", "BerthVolume", "bvol", ST | CR},
	{BERTH, "berthnodes", "berthnode", "BerthNode", "bnode", ST | CR},
	{"", "v1", "nodes", "node", "Node", "no", ST | UNC},
	{"", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", "sa", NS | RET | UNC},
	{"", "v1", "configmaps", "configmap", "ConfigMap", "cm", NS | UNC},
	{"", "v1", "secrets", "secret", "Secret", "", NS | UNC},
	{"", "v1", "services", "service", "Service", "svc", NS | ST | RET | UNC},
	{STORAGE, "csinodes", "csinode", "CSINode", "", RET},
	{STORAGE, "csidrivers", "csidriver", "CSIDriver", "", RET},
	{STORAGE, "volumeattachments", "volumeattachment", "VolumeAttachment", "", ST | RET},
	{STORAGE, "volumeattributesclasses", "volumeattributesclass", "VolumeAttributesClass",
		"vac", RET | UNC},
	{STORAGE, "csistoragecapacities", "csistoragecapacity", "CSIStorageCapacity", "", NS | RET},
	{APPS, "deployments", "deployment", "Deployment", "deploy", NS | ST | GEN | UNC},
	{APPS, "daemonsets", "daemonset", "DaemonSet", "ds", NS | ST | GEN | UNC},
	{APPS, "replicasets", "replicaset", "ReplicaSet", "rs", NS | ST | GEN | UNC},
	{"coordination.k8s.io", "v1", "leases", "lease", "Lease", "", NS},
	{RBAC, "clusterroles", "clusterrole", "ClusterRole", "", UNC},
	{RBAC, "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", "", UNC},
	{RBAC, "roles", "role", "Role", "", NS | UNC},
	{RBAC, "rolebindings", "rolebinding", "RoleBinding", "", NS | UNC},
};
const size_t kinds_n = ELEMENTSOF(kinds);

const struct kind *kind_find(const char *group, const char *version, const char *plural)
{
	for (size_t i = 0; i < kinds_n; i++)
		if (streq(kinds[i].plural, plural) && streq(kinds[i].group, group) &&
			streq(kinds[i].version, version))
			return &kinds[i];
	return NULL;
}

char *kind_qualified(const struct kind *k, char *dst, size_t size)
{
	(void)snprintf(dst, size, "%s%s%s", k->plural, *k->group ? "." : "", k->group);
	return dst;
}

char *kind_api_version(const struct kind *k, char *dst, size_t size)
{
	(void)snprintf(dst, size, "%s%s%s", k->group, *k->group ? "/" : "", k->version);
	return dst;
}
