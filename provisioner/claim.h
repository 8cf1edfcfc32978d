/* SPDX-License-Identifier: Apache-2.0 */
/* claim.h: whether a claim is ours to serve now, and if not, why (contracts.md 4.2) */
#ifndef BERTH_PROVISIONER_CLAIM_H
#define BERTH_PROVISIONER_CLAIM_H

#include "kube/pvc.h"
#include "provisioner/classes.h"

enum claim_verdict {
	CLAIM_IGNORE,   /* not ours, served, bound, going away, or Kubernetes' turn */
	CLAIM_REFUSE,   /* ours, and wrong: err says which field and why */
	CLAIM_NO_CLASS, /* ours, its class is not there (yet): err */
	CLAIM_ASSIST,   /* ours without the controller's annotation: only through binding's gates */
	CLAIM_READY
};

struct claim_context {
	const struct config *config;
	struct classes *classes;
	const struct class *class; /* the claim's, NULL where there is none */
	bool served;               /* a PV's claimRef has the claim's uid */
};

/* Pure; *ret_class is set with CLAIM_REFUSE (may be NULL), CLAIM_ASSIST and CLAIM_READY. */
enum claim_verdict claim_check(const struct pvc *c, const struct claim_context *x,
	struct class_info **ret_class, struct err *e);
/* Whether binding.md 1 lets us write this claim's binding, the gates apart. */
bool claim_may_assist(const struct pvc *c, const struct class_info *class);

#endif
