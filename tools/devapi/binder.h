/* SPDX-License-Identifier: Apache-2.0 */
/* binder.h: what kube-controller-manager's PV controller does with our claims and volumes */
#ifndef BERTH_DEVAPI_BINDER_H
#define BERTH_DEVAPI_BINDER_H

#include "event/loop.h"
#include "tools/devapi/store.h"
#include "tools/devapi/workqueue.h"

#define ANN_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define ANN_BOUND_BY "pv.kubernetes.io/bound-by-controller"
#define ANN_PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define ANN_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define ANN_PROVISIONER_BETA "volume.beta.kubernetes.io/storage-provisioner"
#define ANN_SELECTED_NODE "volume.kubernetes.io/selected-node"

struct binder;
/* Subscribes to the store. options: how slow it is. */
int binder_new(struct binder **ret, struct loop *l, struct store *s,
	const struct workqueue_options *options);
struct binder *binder_free(struct binder *b);
DEFINE_CLEANUP(struct binder *, binder_free)

#endif
