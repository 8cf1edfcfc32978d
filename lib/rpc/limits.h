/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: what a peer of the server may take, and for how long, each with its reason */
#ifndef BERTH_RPC_LIMITS_H
#define BERTH_RPC_LIMITS_H

#include "base/clock.h"
#include "rpc/head.h"

/* What handlers have not answered, whoever waits for it: their memory is ours to bound. More than a
 * node's pods can have volumes; ResourceExhausted is no final code. */
#define CALLS_MAX 2048
/* Of request messages that are coming in, all connections together. A PV's attributes, the largest
 * thing that the kubelet passes on, are below etcd's 1.5 MiB. */
#define INCOMING_MAX (32U << 20)
/* grpc-go assumes 100 until it is told. */
#define STREAMS_MAX 100
/* Header bytes after which a peer is no gRPC client: the list is refused at RPC_HEAD_MAX already.
 */
#define HEAD_ABUSE (16 * RPC_HEAD_MAX)
/* A connection that says nothing, and one without a call (contracts.md 3.9). */
#define GREETING_NS SECONDS(10)
#define IDLE_NS SECONDS(300)
/* A whole request after its headers, an answer that the peer takes, a GOAWAY that it takes. */
#define REQUEST_NS SECONDS(10)
#define SENDING_NS SECONDS(30)
#define CLOSING_NS SECONDS(5)
/* Resets, received and sent (CVE-2023-44487, CVE-2025-8671): a client that leaves cancels all its
 * streams at once, twice that is no client. nghttp2's own rate. */
#define RESETS_BURST (2 * STREAMS_MAX)
#define RESETS_RATE 33
/* Frames that carry next to nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, CONTINUATION,
 * headers, little DATA (CVE-2019-9511 to 9518, CVE-2024-28182). An answered call gives back what it
 * cost. */
#define FRAMES_BURST 2000
#define FRAMES_RATE 500
#define FRAMES_OF_A_CALL 8
#define LITTLE_DATA 1024

#endif
