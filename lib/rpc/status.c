/* SPDX-License-Identifier: Apache-2.0 */
/* status.c: how a gRPC call ended */
#include "rpc/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const names[_RPC_CODE_MAX] = {
	[RPC_OK] = "OK",
	[RPC_CANCELLED] = "Canceled",
	[RPC_UNKNOWN] = "Unknown",
	[RPC_INVALID_ARGUMENT] = "InvalidArgument",
	[RPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
	[RPC_NOT_FOUND] = "NotFound",
	[RPC_ALREADY_EXISTS] = "AlreadyExists",
	[RPC_PERMISSION_DENIED] = "PermissionDenied",
	[RPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
	[RPC_FAILED_PRECONDITION] = "FailedPrecondition",
	[RPC_ABORTED] = "Aborted",
	[RPC_OUT_OF_RANGE] = "OutOfRange",
	[RPC_UNIMPLEMENTED] = "Unimplemented",
	[RPC_INTERNAL] = "Internal",
	[RPC_UNAVAILABLE] = "Unavailable",
	[RPC_DATA_LOSS] = "DataLoss",
	[RPC_UNAUTHENTICATED] = "Unauthenticated",
};

const char *rpc_code_name(enum rpc_code code)
{
	return (unsigned)code < _RPC_CODE_MAX ? names[code] : "Unknown";
}

bool rpc_code_is_final(enum rpc_code code)
{
	switch (code) {
	case RPC_CANCELLED:
	case RPC_DEADLINE_EXCEEDED:
	case RPC_UNAVAILABLE:
	case RPC_RESOURCE_EXHAUSTED:
	case RPC_ABORTED:
		return false;
	default:
		return true;
	}
}

/* Ends a cut text before the character that was cut. */
static void cut_at_character(char *text, size_t len)
{
	size_t start = len;
	uint32_t rune;

	for (int back = 0; back < 4 && start > 0; back++) {
		start--;
		if (((unsigned char)text[start] & 0xc0) != 0x80)
			break;
	}
	if (start < len && str_utf8_next(text + start, len - start, &rune) == 0)
		text[start] = '\0';
}

void rpc_status_vset(struct rpc_status *s, enum rpc_code code, const char *fmt, va_list args)
{
	int n;

	s->code = (unsigned)code < _RPC_CODE_MAX ? code : RPC_UNKNOWN;
	n = vsnprintf(s->text, sizeof(s->text), fmt, args);
	if (n < 0)
		s->text[0] = '\0';
	else if ((size_t)n >= sizeof(s->text))
		cut_at_character(s->text, strlen(s->text));
}

void rpc_status_set(struct rpc_status *s, enum rpc_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	rpc_status_vset(s, code, fmt, args);
	va_end(args);
}
