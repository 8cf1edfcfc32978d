/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c: TLS, proxy, sockets and limits of an easy handle (contracts.md 5.1, 5.7) */
#include "kube/setup.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"

#define CONNECT_TIMEOUT_MS 10000L
/* Bytes that nobody acknowledges, or a probe without an answer, mean a dead connection. */
#define USER_TIMEOUT_MS 30000
#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_INTERVAL_S 10
/* A rotated CA bundle counts within five minutes, as in client-go. */
#define CA_CACHE_S 300L

static int on_socket_made(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
	const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S;
	const int timeout = USER_TIMEOUT_MS;

	(void)userdata;
	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKOPT_OK;
	/* Where the kernel refuses one of these a dead peer is only found later. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	return CURL_SOCKOPT_OK;
}

/* A blob wins over its file. The data outlives the handle: curl need not copy it. */
static CURLcode setup_pem(CURL *easy, CURLoption blob_option, CURLoption file_option,
	const struct kube_blob *blob, const char *file)
{
	struct curl_blob b = {blob->data, blob->size, CURL_BLOB_NOCOPY};

	if (blob->data)
		return curl_easy_setopt(easy, blob_option, &b);
	if (file)
		return curl_easy_setopt(easy, file_option, file);
	return CURLE_OK;
}

static CURLcode setup_tls(CURL *easy, const struct kube_config *c)
{
	CURLcode code = CURLE_OK;

	if (c->insecure_skip_tls_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	} else {
		code = setup_pem(easy, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO, &c->ca, c->ca_file);
	}
	if (code == CURLE_OK)
		code = setup_pem(
			easy, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT, &c->cert, c->cert_file);
	if (code == CURLE_OK)
		code = setup_pem(easy, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY, &c->key, c->key_file);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	return code;
}

static CURLcode setup_proxy(CURL *easy, const struct kube_config *c)
{
	if (c->proxy_url) {
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
		return curl_easy_setopt(easy, CURLOPT_PROXY, c->proxy_url);
	}
	if (c->in_cluster)
		return curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	return CURLE_OK;
}

static CURLcode setup_user(CURL *easy, const struct kube_config *c)
{
	if (!c->username)
		return CURLE_OK;
	curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	curl_easy_setopt(easy, CURLOPT_USERNAME, c->username);
	return curl_easy_setopt(easy, CURLOPT_PASSWORD, str_or(c->password, ""));
}

int setup_easy(CURL *easy, const struct kube_config *c, const struct kube_options *o)
{
	CURLcode code;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
		(long)(o->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, o->http1 ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	/* A name that is still being looked up by then is left to its thread: curl would wait for
	 * that, and the whole loop with it. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
	if (o->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent);
	code = setup_tls(easy, c);
	if (code == CURLE_OK)
		code = setup_proxy(easy, c);
	if (code == CURLE_OK)
		code = setup_user(easy, c);
	return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* Where the authority begins and ends in "https://host:port/prefix"; the host without its port. */
static const char *authority_of(const char *url, const char **ret_end, const char **ret_host_end)
{
	const char *start = strstr(url, "://");
	const char *host_end;

	start = start ? start + 3 : url;
	*ret_end = start + strcspn(start, "/");
	host_end = *start == '[' ? strchr(start, ']') : NULL;
	host_end = host_end ? host_end + 1 : start + strcspn(start, ":/");
	*ret_host_end = host_end < *ret_end ? host_end : *ret_end;
	return start;
}

int setup_base_url(const struct kube_config *c, char **ret)
{
	const char *end, *host_end, *host = authority_of(c->server, &end, &host_end);
	int n;

	if (str_empty(c->tls_server_name)) {
		*ret = strdup(c->server);
		return *ret ? 0 : -ENOMEM;
	}
	n = asprintf(
		ret, "%.*s%s%s", (int)(host - c->server), c->server, c->tls_server_name, host_end);
	return n < 0 ? -ENOMEM : 0;
}

int setup_connect_to(const struct kube_config *c, struct curl_slist **ret)
{
	const char *end, *host_end, *host = authority_of(c->server, &end, &host_end);
	_cleanup_free_ char *text = NULL;

	*ret = NULL;
	if (str_empty(c->tls_server_name))
		return 0;
	/* An empty port is "the same one". */
	if (asprintf(&text, "%s::%.*s:", c->tls_server_name, (int)(host_end - host), host) < 0)
		return -ENOMEM;
	*ret = curl_slist_append(NULL, text);
	return *ret ? 0 : -ENOMEM;
}
