/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf.h: the few bodies that kubectl sends as protobuf: `kubectl create namespace` */
#ifndef BERTH_DEVAPI_PROTOBUF_H
#define BERTH_DEVAPI_PROTOBUF_H

#include <jansson.h>
#include <stddef.h>

/*
 * {"metadata":{"name","namespace","generateName"}} of an object of which only that matters
 * (Namespace, ServiceAccount): "k8s\0", then runtime.Unknown (apimachinery
 * pkg/runtime/generated.proto) around it. -EBADMSG for another body; -EOPNOTSUPP for other kinds.
 */
int protobuf_metadata(const char *body, size_t size, json_t **ret);

#endif
