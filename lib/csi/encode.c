/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c: answers to bytes */
#include "csi/encode.h"

#include <errno.h>

#include "csi/csi.pb-c.h"
#include "csi/pluginregistration.pb-c.h"

enum { SERVICE_ACCESSIBILITY_CONSTRAINTS = 2 }; /* PluginCapability.Service.Type */
enum { UNIT_BYTES = 1, UNIT_INODES = 2 };       /* VolumeUsage.Unit */

static int pack(struct csi_bytes *ret, struct arena *a, const void *message)
{
	uint8_t *data = arena_alloc(a, protobuf_c_message_get_packed_size(message));

	if (!data)
		return -ENOMEM;
	ret->data = data;
	ret->size = protobuf_c_message_pack(message, data);
	return 0;
}

/* protobuf-c takes pointers to char for what it only reads. */
static char *text(const char *s)
{
	return (char *)s;
}

int csi_plugin_info_encode(struct csi_bytes *ret, struct arena *a, const struct csi_driver *d)
{
	Csi__V1__GetPluginInfoResponse m = CSI__V1__GET_PLUGIN_INFO_RESPONSE__INIT;

	m.name = text(d->name);
	m.vendor_version = text(d->version);
	return pack(ret, a, &m);
}

int csi_plugin_capabilities_encode(
	struct csi_bytes *ret, struct arena *a, const struct csi_driver *d)
{
	Csi__V1__GetPluginCapabilitiesResponse m = CSI__V1__GET_PLUGIN_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__PluginCapability capability = CSI__V1__PLUGIN_CAPABILITY__INIT;
	Csi__V1__PluginCapability__Service service = CSI__V1__PLUGIN_CAPABILITY__SERVICE__INIT;
	Csi__V1__PluginCapability *list[] = {&capability};

	if (d->is_topology_aware) {
		service.type = SERVICE_ACCESSIBILITY_CONSTRAINTS;
		capability.service = &service;
		m.capabilities = list;
		m.n_capabilities = 1;
	}
	return pack(ret, a, &m);
}

/* The bits' numbers are the enum's values; UNKNOWN, 0, is never sent. */
#define CAPABILITY_BITS 32

int csi_node_capabilities_encode(struct csi_bytes *ret, struct arena *a, const struct csi_driver *d)
{
	Csi__V1__NodeGetCapabilitiesResponse m = CSI__V1__NODE_GET_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__NodeServiceCapability capabilities[CAPABILITY_BITS];
	Csi__V1__NodeServiceCapability__RPC rpcs[CAPABILITY_BITS];
	Csi__V1__NodeServiceCapability *list[CAPABILITY_BITS];

	m.capabilities = list;
	for (int bit = 1; bit < CAPABILITY_BITS; bit++) {
		size_t n = m.n_capabilities;

		if (!(d->capabilities & 1U << bit))
			continue;
		csi__v1__node_service_capability__init(&capabilities[n]);
		csi__v1__node_service_capability__rpc__init(&rpcs[n]);
		rpcs[n].type = bit;
		capabilities[n].rpc = &rpcs[n];
		list[n] = &capabilities[n];
		m.n_capabilities++;
	}
	return pack(ret, a, &m);
}

static int fill_topology(Csi__V1__Topology *t, struct arena *a, const struct csi_driver *d)
{
	Csi__V1__AnswerEntry *entries = arena_alloc(a, d->n_topology * sizeof(*entries));

	t->segments = arena_alloc(a, d->n_topology * sizeof(*t->segments));
	if (!entries || !t->segments)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_topology; i++) {
		csi__v1__answer_entry__init(&entries[i]);
		entries[i].key = text(d->topology[i].key);
		entries[i].value = text(d->topology[i].value);
		t->segments[i] = &entries[i];
	}
	t->n_segments = d->n_topology;
	return 0;
}

int csi_node_info_encode(struct csi_bytes *ret, struct arena *a, const struct csi_driver *d)
{
	Csi__V1__NodeGetInfoResponse m = CSI__V1__NODE_GET_INFO_RESPONSE__INIT;
	Csi__V1__Topology topology = CSI__V1__TOPOLOGY__INIT;
	int r;

	m.node_id = text(d->node_id);
	m.max_volumes_per_node = d->max_volumes;
	if (d->n_topology > 0) {
		r = fill_topology(&topology, a, d);
		if (r < 0)
			return r;
		m.accessible_topology = &topology;
	}
	return pack(ret, a, &m);
}

static int64_t size_of(int64_t n)
{
	return n > 0 ? n : 0;
}

int csi_stats_encode(struct csi_bytes *ret, struct arena *a, const struct csi_stats *s)
{
	Csi__V1__NodeGetVolumeStatsResponse m = CSI__V1__NODE_GET_VOLUME_STATS_RESPONSE__INIT;
	Csi__V1__VolumeUsage bytes = CSI__V1__VOLUME_USAGE__INIT;
	Csi__V1__VolumeUsage inodes = CSI__V1__VOLUME_USAGE__INIT;
	Csi__V1__VolumeCondition condition = CSI__V1__VOLUME_CONDITION__INIT;
	Csi__V1__VolumeUsage *list[2];

	bytes.unit = UNIT_BYTES;
	bytes.available = size_of(s->bytes_available);
	bytes.total = size_of(s->bytes_total);
	bytes.used = size_of(s->bytes_used);
	inodes.unit = UNIT_INODES;
	inodes.available = size_of(s->inodes_free);
	inodes.total = size_of(s->inodes_total);
	inodes.used = size_of(s->inodes_used);
	m.usage = list;
	if (s->has_bytes)
		list[m.n_usage++] = &bytes;
	if (s->has_inodes)
		list[m.n_usage++] = &inodes;
	if (s->has_condition) {
		condition.abnormal = s->is_abnormal;
		condition.message = text(s->condition && *s->condition ? s->condition
					 : s->is_abnormal              ? "abnormal"
								       : "ok");
		m.volume_condition = &condition;
	}
	return pack(ret, a, &m);
}

int csi_ready_encode(struct csi_bytes *ret, struct arena *a, bool is_ready)
{
	Csi__V1__ProbeResponse m = CSI__V1__PROBE_RESPONSE__INIT;
	Csi__V1__BoolValue value = CSI__V1__BOOL_VALUE__INIT;

	value.value = is_ready;
	m.ready = &value;
	return pack(ret, a, &m);
}

int csi_registration_info_encode(
	struct csi_bytes *ret, struct arena *a, const char *name, const char *endpoint)
{
	Pluginregistration__PluginInfo m = PLUGINREGISTRATION__PLUGIN_INFO__INIT;
	char *versions[] = {text("1.0.0")};

	m.type = text("CSIPlugin");
	m.name = text(name);
	m.endpoint = text(endpoint);
	m.supported_versions = versions;
	m.n_supported_versions = ELEMENTSOF(versions);
	return pack(ret, a, &m);
}
