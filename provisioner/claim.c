/* SPDX-License-Identifier: Apache-2.0 */
/* claim.c: the checks of a claim in the order of external-provisioner and its library */
#include "provisioner/claim.h"

#include <errno.h>

/* Where these hold the claim is somebody else's turn, whatever its class says. */
static bool claim_is_idle(const struct pvc *c, bool served)
{
	return served || c->o.deleting || *c->volume_name || c->phase != CLAIM_PENDING ||
	       (c->flags & (PVC_MIGRATED | PVC_BIND_COMPLETED | PVC_FOREIGN_SOURCE));
}

static int check_flags(const struct pvc *c, const struct class_info *class, struct err *e)
{
	if (c->flags & PVC_BLOCK)
		return err_set(e, EINVAL,
			"spec.volumeMode: %s does not support block volume provisioning",
			class->provisioner);
	if (c->flags & PVC_SELECTOR)
		return err_set(e, EINVAL, "spec.selector: claim Selector is not supported");
	if (c->flags & PVC_DATA_SOURCE)
		return err_set(e, EINVAL,
			"spec.dataSource: cloning and snapshots are not supported, the volume "
			"would be empty");
	if (c->flags & PVC_ATTRIBUTES_CLASS)
		return err_set(e, EINVAL,
			"spec.volumeAttributesClassName: %s has no VolumeAttributesClasses",
			class->provisioner);
	return 0;
}

static int check_request(const struct pvc *c, struct err *e)
{
	char shown[80];

	if (c->flags & PVC_BAD_CAPACITY)
		return err_set(e, EINVAL,
			"spec.resources.requests.storage: \"%s\" is no size between 1 and "
			"9223372036854775807 bytes",
			str_escape(shown, sizeof(shown), str_or(c->request_text, "")));
	if (c->request <= 0)
		return err_set(e, EINVAL, "spec.resources.requests.storage: must be above 0");
	if (!c->access_modes)
		return err_set(e, EINVAL, "spec.accessModes: names no mode that we know");
	if ((c->access_modes & ACCESS_RWOP) && c->access_modes != ACCESS_RWOP)
		return err_set(e, EINVAL, "spec.accessModes: ReadWriteOncePod must stand alone");
	return 0;
}

bool claim_may_assist(const struct pvc *c, const struct class_info *class)
{
	const unsigned never = PVC_BIND_COMPLETED | PVC_MIGRATED | PVC_ATTRIBUTES_CLASS |
			       PVC_SELECTOR | PVC_DATA_SOURCE | PVC_FOREIGN_SOURCE;

	if (!class->assist || c->o.deleting || *c->volume_name || (c->flags & never))
		return false;
	if (!class->wait_for_consumer)
		return true;
	/* Whether the selected node has the label is not ours to know. */
	return *c->selected_node && !class->p.require_node_label;
}

/* The annotation names the provisioner that the controller waits for; without it only assist may
 * begin. 1: annotated for us, 0: not annotated, -ENOENT: another's. */
static int annotated(const struct pvc *c, const struct config *config)
{
	if (!*c->provisioner)
		return 0;
	return config_is_ours(config, c->provisioner) ? 1 : -ENOENT;
}

enum claim_verdict claim_check(const struct pvc *c, const struct claim_context *x,
	struct class_info **ret_class, struct err *e)
{
	struct class_info *class = NULL;
	int for_us = annotated(c, x->config);

	*ret_class = NULL;
	if (for_us < 0 || claim_is_idle(c, x->served))
		return CLAIM_IGNORE;
	if (!x->class) {
		if (!for_us)
			return CLAIM_IGNORE;
		err_set(e, ENOENT,
			"spec.storageClassName: storageclass.storage.k8s.io \"%s\" not found",
			c->class);
		return CLAIM_NO_CLASS;
	}
	if (!config_is_ours(x->config, x->class->provisioner))
		return CLAIM_IGNORE;
	if (x->class->wait_for_consumer && !*c->selected_node)
		return CLAIM_IGNORE;
	if (classes_get(x->classes, x->config, x->class, &class) < 0) {
		err_set(e, ENOMEM, "out of memory");
		return CLAIM_NO_CLASS;
	}
	*ret_class = class;
	/* Not annotated: what we cannot bind ourselves is the controller's to announce. */
	if (!for_us && (class->err.code ? !class->p.assist : !claim_may_assist(c, class)))
		return CLAIM_IGNORE;
	if (check_flags(c, class, e) < 0 || check_request(c, e) < 0)
		return CLAIM_REFUSE;
	if (class->err.code) {
		err_copy(e, &class->err);
		err_prefix(e, "StorageClass %s", class->name);
		return CLAIM_REFUSE;
	}
	return for_us ? CLAIM_READY : CLAIM_ASSIST;
}
