/* SPDX-License-Identifier: Apache-2.0 */
/* head.c: the header fields of gRPC over HTTP/2 */
#include "rpc/head.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define FIELD_OVERHEAD 32
#define TIMEOUT_DIGITS 8

enum { PSEUDO_METHOD = 1, PSEUDO_PATH = 2, PSEUDO_SCHEME = 4, PSEUDO_AUTHORITY = 8 };

static bool is(const char *s, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(s, text, n) == 0;
}

/* RFC 9110 token characters, without capitals (RFC 9113 8.2.1). */
static bool is_name(const char *s, size_t n)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || !strchr(others, c))
			return false;
	}
	return n > 0;
}

static bool is_value(const char *s, size_t n)
{
	return !memchr(s, '\0', n) && !memchr(s, '\r', n) && !memchr(s, '\n', n);
}

static bool see_pseudo(struct rpc_head *h, uint8_t bit)
{
	if (h->is_regular || h->pseudo & bit)
		return false;
	h->pseudo |= bit;
	return true;
}

static void copy_path(struct rpc_head *h, const struct rpc_field *f)
{
	size_t n = f->n_value < RPC_PATH_MAX ? f->n_value : RPC_PATH_MAX - 1;

	memcpy(h->path, f->value, n);
	h->path[n] = '\0';
}

/* The value of :authority is nobody's business here: kubelets before 1.29 send a raw path. */
static bool add_pseudo(struct rpc_head *h, const struct rpc_field *f)
{
	if (is(f->name, f->n_name, ":method")) {
		h->is_post = is(f->value, f->n_value, "POST");
		return see_pseudo(h, PSEUDO_METHOD);
	}
	if (is(f->name, f->n_name, ":path")) {
		copy_path(h, f);
		return see_pseudo(h, PSEUDO_PATH);
	}
	if (is(f->name, f->n_name, ":scheme"))
		return see_pseudo(h, PSEUDO_SCHEME);
	if (is(f->name, f->n_name, ":authority"))
		return see_pseudo(h, PSEUDO_AUTHORITY);
	return false;
}

/* Fields of a connection have no place in HTTP/2 (RFC 9113 8.2.2). */
static bool is_of_connection(const struct rpc_field *f)
{
	static const char *const names[] = {
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (is(f->name, f->n_name, names[i]))
			return true;
	return is(f->name, f->n_name, "te") && !is(f->value, f->n_value, "trailers");
}

bool rpc_is_grpc_type(const char *value, size_t n)
{
	static const char type[] = "application/grpc";
	size_t len = sizeof(type) - 1;

	if (n < len || strncasecmp(value, type, len) != 0)
		return false;
	return n == len || value[len] == '+' || value[len] == ';';
}

static bool add_regular(struct rpc_head *h, const struct rpc_field *f)
{
	h->is_regular = true;
	if (!is_name(f->name, f->n_name) || is_of_connection(f))
		return false;
	if (is(f->name, f->n_name, "content-type"))
		h->is_grpc = rpc_is_grpc_type(f->value, f->n_value);
	else if (is(f->name, f->n_name, "grpc-encoding"))
		h->is_encoded = !is(f->value, f->n_value, "identity");
	else if (is(f->name, f->n_name, "grpc-timeout")) {
		h->has_timeout = true;
		h->is_timeout_bad = rpc_timeout_parse(f->value, f->n_value, &h->timeout_ns) < 0;
	}
	return true;
}

void rpc_head_add(struct rpc_head *h, const struct rpc_field *f)
{
	bool ok;

	h->size += f->n_name + f->n_value + FIELD_OVERHEAD;
	if (h->is_malformed || h->size > RPC_HEAD_MAX)
		return;
	ok = is_value(f->value, f->n_value);
	if (ok)
		ok = f->n_name > 0 && f->name[0] == ':' ? add_pseudo(h, f) : add_regular(h, f);
	h->is_malformed = !ok;
}

void rpc_head_end(struct rpc_head *h)
{
	uint8_t needed = PSEUDO_METHOD | PSEUDO_PATH | PSEUDO_SCHEME;

	if ((h->pseudo & needed) != needed)
		h->is_malformed = true;
}

bool rpc_head_check(const struct rpc_head *h, struct rpc_status *ret, unsigned *ret_http)
{
	*ret_http = 200;
	if (!h->is_post) {
		*ret_http = 405;
		rpc_status_set(ret, RPC_INTERNAL, "the method of a gRPC call is POST");
	} else if (!h->is_grpc) {
		*ret_http = 415;
		rpc_status_set(ret, RPC_INVALID_ARGUMENT,
			"the content-type of a gRPC call is application/grpc");
	} else if (h->is_timeout_bad) {
		*ret_http = 400;
		rpc_status_set(ret, RPC_INTERNAL, "malformed grpc-timeout");
	} else if (h->is_encoded) {
		rpc_status_set(ret, RPC_UNIMPLEMENTED,
			"grpc: the message is compressed, only identity is understood");
	} else {
		return true;
	}
	return false;
}

void rpc_head_unknown(const struct rpc_head *h, bool service_known, struct rpc_status *ret)
{
	const char *slash = h->path[0] == '/' ? strrchr(h->path, '/') : NULL;
	char service[RPC_PATH_MAX];

	if (!slash || slash == h->path) {
		rpc_status_set(ret, RPC_UNIMPLEMENTED, "malformed method name: \"%s\"", h->path);
		return;
	}
	(void)snprintf(service, sizeof(service), "%.*s", (int)(slash - h->path - 1), h->path + 1);
	if (service_known)
		rpc_status_set(ret, RPC_UNIMPLEMENTED, "unknown method %s for service %s",
			slash + 1, service);
	else
		rpc_status_set(ret, RPC_UNIMPLEMENTED, "unknown service %s", service);
}

static const struct unit {
	char letter;
	uint64_t ns;
} units[] = {
	{'n', 1},
	{'u', NSEC_PER_USEC},
	{'m', NSEC_PER_MSEC},
	{'S', NSEC_PER_SEC},
	{'M', 60 * NSEC_PER_SEC},
	{'H', 3600 * NSEC_PER_SEC},
};

int rpc_timeout_parse(const char *s, size_t n, uint64_t *ret_ns)
{
	uint64_t v = 0, ns;

	if (n < 2 || n > TIMEOUT_DIGITS + 1)
		return -EINVAL;
	for (size_t i = 0; i < n - 1; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		if (units[i].letter != s[n - 1])
			continue;
		/* 99,999,999 hours are more than 64 bits of nanoseconds: as good as for ever. */
		if (__builtin_mul_overflow(v, units[i].ns, &ns))
			ns = UINT64_MAX;
		*ret_ns = ns;
		return 0;
	}
	return -EINVAL;
}

char *rpc_timeout_format(uint64_t ns, char dst[static 12])
{
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		uint64_t v = ns / units[i].ns + (ns % units[i].ns != 0);

		if (v <= 99999999) {
			(void)snprintf(dst, 12, "%u%c", (unsigned)v, units[i].letter);
			return dst;
		}
	}
	(void)snprintf(dst, 12, "99999999H");
	return dst;
}

/* The bytes of one character, all of them or none. */
static size_t encode_character(char *dst, size_t room, const char *s, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		bool plain = c >= 0x20 && c <= 0x7e && c != '%';

		if (len + (plain ? 1 : 3) > room)
			return 0;
		if (plain) {
			dst[len++] = (char)c;
			continue;
		}
		dst[len++] = '%';
		dst[len++] = digits[c >> 4];
		dst[len++] = digits[c & 0xf];
	}
	return len;
}

size_t rpc_text_encode(char *dst, size_t size, const char *text)
{
	size_t len = 0;

	while (*text) {
		uint32_t rune;
		size_t n = str_utf8_next(text, 4, &rune), got;

		/* The value is UTF-8: a byte that is none would break the client's decoder. */
		if (n == 0)
			got = encode_character(dst + len, size - 1 - len, "?", 1);
		else
			got = encode_character(dst + len, size - 1 - len, text, n);
		if (got == 0)
			break;
		len += got;
		text += n ? n : 1;
	}
	dst[len] = '\0';
	return len;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void rpc_text_decode(char *dst, size_t size, const char *src, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len + 1 < size; i++) {
		int high = -1, low = -1;

		if (src[i] == '%' && i + 2 < n) {
			high = hex(src[i + 1]);
			low = hex(src[i + 2]);
		}
		if (high >= 0 && low >= 0 && (high | low)) {
			dst[len++] = (char)(high << 4 | low);
			i += 2;
		} else {
			dst[len++] = src[i];
		}
	}
	dst[len] = '\0';
}
