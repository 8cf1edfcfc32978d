/* SPDX-License-Identifier: Apache-2.0 */
/* status.h: how a gRPC call ended: the code, and the text that people will read in an event */
#ifndef BERTH_RPC_STATUS_H
#define BERTH_RPC_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/cleanup.h"

/* google.golang.org/grpc/codes; on the wire as decimal ASCII in grpc-status. */
enum rpc_code {
	RPC_OK = 0,
	RPC_CANCELLED = 1,
	RPC_UNKNOWN = 2,
	RPC_INVALID_ARGUMENT = 3,
	RPC_DEADLINE_EXCEEDED = 4,
	RPC_NOT_FOUND = 5,
	RPC_ALREADY_EXISTS = 6,
	RPC_PERMISSION_DENIED = 7,
	RPC_RESOURCE_EXHAUSTED = 8,
	RPC_FAILED_PRECONDITION = 9,
	RPC_ABORTED = 10,
	RPC_OUT_OF_RANGE = 11,
	RPC_UNIMPLEMENTED = 12,
	RPC_INTERNAL = 13,
	RPC_UNAVAILABLE = 14,
	RPC_DATA_LOSS = 15,
	RPC_UNAUTHENTICATED = 16,
	_RPC_CODE_MAX
};

/* Kubernetes cuts an event's message at 1,024 bytes; the rest is for logs. */
#define RPC_TEXT_MAX 1024

/* text is always terminated, "" where there is none; what does not fit is cut at a character. */
struct rpc_status {
	enum rpc_code code;
	char text[RPC_TEXT_MAX];
};

/* "NotFound" and so on, as grpc-go prints them and as metrics name them. */
const char *rpc_code_name(enum rpc_code code);
/*
 * Whether the kubelet takes it that nothing is left behind and may never ask to undo
 * (contracts.md 2.8): a handler that has not rolled back must answer with a code that is not final.
 */
bool rpc_code_is_final(enum rpc_code code);
void rpc_status_set(struct rpc_status *s, enum rpc_code code, const char *fmt, ...) _printf_(3, 4);
void rpc_status_vset(struct rpc_status *s, enum rpc_code code, const char *fmt, va_list args)
	_printf_(3, 0);

#endif
