/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet.c: a kubelet's calls from the command line: registration, publish, unpublish, statistics,
 * one or many, over connections of their own as the kubelet makes them */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "rpc/client.h"

#define MESSAGE_MAX (1U << 20)
#define MAP_FIELD 8
#define CALLS_MAX 100000
/* Stand for the number of the call, and for that modulo --cycle. */
#define MARK_EACH "######"
#define MARK_CYCLE "@@@@@@"
#define MARK_SIZE (sizeof(MARK_EACH) - 1)

struct ctl {
	struct loop *loop;
	const char *socket, *method;
	struct buf message;
	uint64_t timeout;
	size_t total, begun, ended, concurrency, cycle;
	bool each; /* the message has one of the marks */
	unsigned codes[_RPC_CODE_MAX];
	uint64_t *took;
	char text[RPC_TEXT_MAX];
	struct call *calls; /* to be freed */
	bool quiet;
};

struct call {
	struct ctl *c;
	struct rpc_client *client;
	uint64_t start;
	struct call *next;
};

/* ---- protobuf, written -------------------------------------------------------------------- */

static void put(struct buf *b, const void *data, size_t n)
{
	if (buf_append(b, data, n) < 0)
		abort();
}

static void put_varint(struct buf *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		put(b, &(uint8_t){(uint8_t)(n | 0x80)}, 1);
	put(b, &(uint8_t){(uint8_t)n}, 1);
}

static void put_bytes(struct buf *b, unsigned field, const void *data, size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	put(b, data, n);
}

static void put_text(struct buf *b, unsigned field, const char *s)
{
	if (*s)
		put_bytes(b, field, s, strlen(s));
}

static void put_number(struct buf *b, unsigned field, uint64_t n)
{
	if (n == 0)
		return;
	put_varint(b, field << 3);
	put_varint(b, n);
}

static void put_pair(struct buf *b, unsigned field, const char *key, const char *value)
{
	_cleanup_buf_ struct buf pair = BUF_NULL(MESSAGE_MAX);

	put_text(&pair, 1, key);
	put_text(&pair, 2, value);
	put_bytes(b, field, str_or(pair.data, ""), pair.len);
}

/* ---- protobuf, read: fields by number, texts and messages told apart by what they look like - */

static bool get_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
		uint8_t byte = *(*p)++;

		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool is_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	return true;
}

static void dump(const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;
	const char *space = "";
	uint64_t tag, n;

	while (p < end && get_varint(&p, end, &tag) && get_varint(&p, end, &n)) {
		printf("%s%llu=", space, (unsigned long long)(tag >> 3));
		space = " ";
		if ((tag & 7) == 0) {
			printf("%llu", (unsigned long long)n);
			continue;
		}
		if ((tag & 7) != 2 || n > (size_t)(end - p)) {
			printf("?");
			return;
		}
		if (is_text(p, n)) {
			printf("\"%.*s\"", (int)n, (const char *)p);
		} else {
			printf("{");
			dump(p, n);
			printf("}");
		}
		p += n;
	}
}

/* ---- calls -------------------------------------------------------------------------------- */

static int begin(struct ctl *c);

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void summary(struct ctl *c)
{
	qsort(c->took, c->ended, sizeof(*c->took), by_time);
	for (int i = 0; i < _RPC_CODE_MAX; i++)
		if (c->codes[i])
			printf("%s=%u ", rpc_code_name((enum rpc_code)i), c->codes[i]);
	printf("p50_us=%llu p99_us=%llu max_us=%llu\n",
		(unsigned long long)c->took[c->ended / 2] / 1000,
		(unsigned long long)c->took[c->ended * 99 / 100] / 1000,
		(unsigned long long)c->took[c->ended - 1] / 1000);
	if (*c->text)
		printf("# %s\n", c->text);
}

static void on_end(struct rpc_client *client, const struct rpc_status *s, const void *message,
	size_t size, void *userdata)
{
	struct call *call = userdata;
	struct ctl *c = call->c;

	(void)client;
	c->took[c->ended++] = clock_now() - call->start;
	c->codes[s->code]++;
	if (s->code != RPC_OK)
		str_copy_cut(c->text, sizeof(c->text), s->text);
	if (c->total == 1) {
		printf("%s%s%s", rpc_code_name(s->code), *s->text ? ": " : "", s->text);
		if (s->code == RPC_OK && size > 0) {
			printf(" ");
			dump(message, size);
		}
		printf("\n");
	}
	call->client = rpc_client_free(call->client);
	while (c->begun < c->total && c->begun - c->ended < c->concurrency)
		if (begin(c) < 0)
			loop_exit(c->loop, 1);
	if (c->ended == c->total)
		loop_exit(c->loop, 0);
}

static const char *find(const struct buf *message, const char *mark)
{
	return message->data ? memmem(message->data, message->len, mark, MARK_SIZE) : NULL;
}

static void replace(char *at, size_t size, const char *mark, size_t n)
{
	const char *end = at + size;
	char digits[MARK_SIZE + 1];

	snprintf(digits, sizeof(digits), "%06zu", n % 1000000);
	while ((at = memmem(at, (size_t)(end - at), mark, MARK_SIZE)) != NULL)
		memcpy(at, digits, MARK_SIZE);
}

/* The message, with the number of the call in place of the marks in it. */
static const char *numbered(struct ctl *c, char *dst)
{
	memcpy(dst, c->message.data, c->message.len);
	if (!c->each)
		return dst;
	replace(dst, c->message.len, MARK_EACH, c->begun);
	replace(dst, c->message.len, MARK_CYCLE, c->begun % c->cycle);
	return dst;
}

static int begin(struct ctl *c)
{
	struct call *call = calloc(1, sizeof(*call));
	char *message = malloc(c->message.len + 1);
	const struct rpc_client_options o = {
		.socket = c->socket,
		.path = c->method,
		.message = call && message && c->message.len ? numbered(c, message) : "",
		.size = c->message.len,
		.timeout_ns = c->timeout,
	};
	int r = -ENOMEM;

	if (call && message) {
		call->c = c;
		call->start = clock_now();
		call->next = c->calls;
		c->calls = call;
		c->begun++;
		r = rpc_client_call(&call->client, c->loop, &o, on_end, call);
	}
	free(message);
	return r;
}

static int run(struct ctl *c)
{
	int r;

	c->took = calloc(c->total, sizeof(*c->took));
	r = c->took ? loop_new(&c->loop) : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < c->concurrency && c->begun < c->total; i++)
		r = begin(c);
	if (r >= 0)
		r = loop_run(c->loop);
	if (r == 0 && c->total > 1)
		summary(c);
	while (c->calls) {
		struct call *call = c->calls;

		c->calls = call->next;
		rpc_client_free(call->client);
		free(call);
	}
	loop_free(c->loop);
	free(c->took);
	buf_done(&c->message);
	return r == 0 && c->codes[RPC_OK] == c->total ? 0 : 1;
}

/* ---- the command line --------------------------------------------------------------------- */

static int usage(void)
{
	fputs("usage: kubelet [--times N] [--at-once N] [--cycle N] [--timeout S] SOCKET "
	      "VERB...\n"
	      "  publish VOLUME TARGET [ro] [mode=N] [group=N] [fs=TYPE] [flag=OPTION] "
	      "[[attribute=]KEY=VALUE]\n"
	      "  unpublish VOLUME TARGET | stats VOLUME PATH\n"
	      "  plugin | plugin-capabilities | probe | capabilities | info\n"
	      "  getinfo | notify true | notify false TEXT\n"
	      "###### stands for the number of the call, @@@@@@ for that modulo --cycle.\n",
		stderr);
	return 2;
}

static int number(const char *s, uint64_t max, uint64_t *ret)
{
	return parse_u64(s, 0, max, ret);
}

static int take_attribute(struct ctl *c, const char *word)
{
	const char *value = strchr(word, '=');
	char key[128];

	if (!value || (size_t)(value - word) >= sizeof(key))
		return -EINVAL;
	memcpy(key, word, (size_t)(value - word));
	key[value - word] = '\0';
	put_pair(&c->message, MAP_FIELD, key, value + 1);
	return 0;
}

/* One word after the target; 0 or -EINVAL. */
static int take_word(struct ctl *c, struct buf *mount, uint64_t *mode, const char *word)
{
	const char *value = strchr(word, '=');
	char key[128];

	if (streq(word, "ro")) {
		put_number(&c->message, 6, 1);
		return 0;
	}
	if (!value || (size_t)(value - word) >= sizeof(key))
		return -EINVAL;
	memcpy(key, word, (size_t)(value - word));
	key[value - word] = '\0';
	value++;
	/* A volume's attribute may have the name of one of our words. */
	if (streq(key, "attribute"))
		return take_attribute(c, value);
	if (streq(key, "mode"))
		return number(value, 100, mode);
	if (streq(key, "fs"))
		put_text(mount, 1, value);
	else if (streq(key, "flag"))
		put_text(mount, 2, value);
	else if (streq(key, "group"))
		put_text(mount, 3, value);
	else
		return take_attribute(c, word);
	return 0;
}

static int take_publish(struct ctl *c, char **words, int n)
{
	_cleanup_buf_ struct buf mount = BUF_NULL(MESSAGE_MAX), capability = BUF_NULL(MESSAGE_MAX);
	_cleanup_buf_ struct buf access = BUF_NULL(64);
	uint64_t mode = 5;

	c->method = "/csi.v1.Node/NodePublishVolume";
	put_text(&c->message, 1, words[0]);
	put_text(&c->message, 4, words[1]);
	for (int i = 2; i < n; i++)
		if (take_word(c, &mount, &mode, words[i]) < 0)
			return -EINVAL;
	put_bytes(&capability, 2, str_or(mount.data, ""), mount.len);
	put_number(&access, 1, mode);
	put_bytes(&capability, 3, str_or(access.data, ""), access.len);
	put_bytes(&c->message, 5, capability.data, capability.len);
	return 0;
}

static int take_verb(struct ctl *c, char **words, int n)
{
	static const struct {
		const char *verb, *method;
	} plain[] = {
		{"plugin", "/csi.v1.Identity/GetPluginInfo"},
		{"plugin-capabilities", "/csi.v1.Identity/GetPluginCapabilities"},
		{"probe", "/csi.v1.Identity/Probe"},
		{"capabilities", "/csi.v1.Node/NodeGetCapabilities"},
		{"info", "/csi.v1.Node/NodeGetInfo"},
		{"getinfo", "/pluginregistration.Registration/GetInfo"},
	};

	for (size_t i = 0; i < ELEMENTSOF(plain) && n == 1; i++) {
		c->method = plain[i].method;
		if (streq(words[0], plain[i].verb))
			return 0;
	}
	if (streq(words[0], "notify") && n >= 2) {
		c->method = "/pluginregistration.Registration/NotifyRegistrationStatus";
		put_number(&c->message, 1, streq(words[1], "true"));
		put_text(&c->message, 2, n > 2 ? words[2] : "");
		return 0;
	}
	if (n < 3)
		return -EINVAL;
	if (streq(words[0], "publish"))
		return take_publish(c, words + 1, n - 1);
	if (n != 3 || (!streq(words[0], "unpublish") && !streq(words[0], "stats")))
		return -EINVAL;
	c->method = streq(words[0], "stats") ? "/csi.v1.Node/NodeGetVolumeStats"
					     : "/csi.v1.Node/NodeUnpublishVolume";
	put_text(&c->message, 1, words[1]);
	put_text(&c->message, 2, words[2]);
	return 0;
}

int main(int argc, char **argv)
{
	struct ctl c = {.message = BUF_NULL(MESSAGE_MAX), .total = 1, .concurrency = 1, .cycle = 1};
	uint64_t n = 0, seconds = 120;
	int i = 1;

	log_setup("kubelet", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	for (; i + 1 < argc && str_after(argv[i], "--"); i += 2) {
		if (number(argv[i + 1], CALLS_MAX, &n) < 0 || n == 0)
			return usage();
		if (streq(argv[i], "--times"))
			c.total = n;
		else if (streq(argv[i], "--at-once"))
			c.concurrency = n;
		else if (streq(argv[i], "--cycle"))
			c.cycle = n;
		else if (streq(argv[i], "--timeout"))
			seconds = n;
		else
			return usage();
	}
	if (argc - i < 2)
		return usage();
	c.socket = argv[i];
	c.timeout = SECONDS(seconds);
	if (take_verb(&c, argv + i + 1, argc - i - 1) < 0)
		return usage();
	c.each = find(&c.message, MARK_EACH) || find(&c.message, MARK_CYCLE);
	return run(&c);
}
