/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_config.c: kubeconfig files and the environment of a pod */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kube/config.h"
#include "kube/kubeconfig.h"

#define HEAD                                                    \
	"apiVersion: v1\nkind: Config\ncurrent-context: main\n" \
	"contexts:\n- name: other\n  context: {cluster: c}\n"   \
	"- name: main\n  context: {cluster: c, user: u, namespace: team}\n"
#define CLUSTER "clusters:\n- name: c\n  cluster:\n    server: https://api:6443/\n"
#define USER "users:\n- name: u\n  user:\n"

struct files {
	char dir[64], path[128];
	struct err e;
	struct kube_config c;
};

static const char *const variables[] = {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
	"KUBECONFIG", "HOME", "POD_NAMESPACE"};

static int setup(void **state)
{
	struct files *f = calloc(1, sizeof(*f));

	for (size_t i = 0; i < ELEMENTSOF(variables); i++)
		unsetenv(variables[i]);
	*state = f;
	if (!f || str_copy(f->dir, sizeof(f->dir), "/tmp/berth-config-XXXXXX") < 0 ||
		!mkdtemp(f->dir))
		return -1;
	return str_format(f->path, sizeof(f->path), "%s/config", f->dir);
}

static int teardown(void **state)
{
	struct files *f = *state;

	kube_config_done(&f->c);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int load(struct files *f, const char *text)
{
	assert_int_equal(file_write_atomic(f->path, text, strlen(text), 0600, NULL), 0);
	kube_config_done(&f->c);
	err_clear(&f->e);
	return kube_config_load(&f->c, f->path, &f->e);
}

static void refuses(struct files *f, const char *text, int code, const char *words)
{
	assert_int_equal(load(f, text), -code);
	if (!strstr(f->e.text, words))
		fail_msg("'%s' does not say '%s'", f->e.text, words);
	assert_non_null(strstr(f->e.text, f->path));
	assert_null(f->c.server);
}

static void a_token_is_read(void **state)
{
	struct files *f = *state;

	assert_int_equal(load(f, HEAD CLUSTER USER "    token: secret\n"), 0);
	assert_string_equal(f->c.server, "https://api:6443");
	assert_string_equal(f->c.namespace_, "team");
	assert_string_equal(f->c.token, "secret");
	assert_null(f->c.token_file);
	assert_null(f->c.ca_file);
	assert_false(f->c.in_cluster);
	assert_false(f->c.insecure_skip_tls_verify);
}

static void data_and_files_are_read(void **state)
{
	struct files *f = *state;
	char path[160];

	assert_int_equal(
		load(f, HEAD CLUSTER
			"    certificate-authority: ca.crt\n    certificate-authority-data: "
			"aGVsbG8=\n"
			"    tls-server-name: kubernetes\n    proxy-url: http://proxy:3128\n" USER
			"    client-certificate: /abs/c.crt\n    client-key: sub/c.key\n"
			"    client-certificate-data: YQ==\n    client-key-data: |\n      YWJj\n"
			"      ZGVm\n    tokenFile: tok\n    username: me\n    password: '007'\n"),
		0);
	assert_string_equal(f->c.ca.data, "hello");
	assert_int_equal(f->c.ca.size, 5);
	assert_int_equal(str_format(path, sizeof(path), "%s/ca.crt", f->dir), 0);
	assert_string_equal(f->c.ca_file, path);
	assert_string_equal(f->c.tls_server_name, "kubernetes");
	assert_string_equal(f->c.proxy_url, "http://proxy:3128");
	assert_string_equal(f->c.cert_file, "/abs/c.crt");
	assert_int_equal(str_format(path, sizeof(path), "%s/sub/c.key", f->dir), 0);
	assert_string_equal(f->c.key_file, path);
	assert_string_equal(f->c.cert.data, "a");
	assert_string_equal(f->c.key.data, "abcdef");
	assert_int_equal(str_format(path, sizeof(path), "%s/tok", f->dir), 0);
	assert_string_equal(f->c.token_file, path);
	assert_string_equal(f->c.username, "me");
	assert_string_equal(f->c.password, "007");
}

static void json_is_yaml(void **state)
{
	struct files *f = *state;

	assert_int_equal(load(f, "{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\","
				 "\"context\":{\"cluster\":\"c\"}}],\"clusters\":[{\"name\":\"c\","
				 "\"cluster\":{\"server\":\"http://127.0.0.1:8001\","
				 "\"insecure-skip-tls-verify\":true}}],\"users\":null}"),
		0);
	assert_string_equal(f->c.server, "http://127.0.0.1:8001");
	assert_string_equal(f->c.namespace_, "default");
	assert_true(f->c.insecure_skip_tls_verify);
}

static void what_cannot_work_is_named(void **state)
{
	struct files *f = *state;

	refuses(f, HEAD CLUSTER USER "    exec: {command: aws}\n", EOPNOTSUPP, "exec plugin");
	refuses(f, HEAD CLUSTER USER "    auth-provider: {name: gcp}\n", EOPNOTSUPP,
		"auth-provider");
	refuses(f, CLUSTER, EINVAL, "current-context");
	refuses(f, "current-context: main\n" CLUSTER, ENOENT, "no context is called 'main'");
	refuses(f, HEAD, ENOENT, "no cluster is called 'c'");
	refuses(f, HEAD CLUSTER, ENOENT, "no user is called 'u'");
	refuses(f,
		HEAD "clusters:\n- name: c\n  cluster: {server: 'api:6443'}\n" USER
		     "    token: t\n",
		EINVAL, "'api:6443'");
	refuses(f, HEAD "clusters:\n- name: c\n  cluster: {}\n" USER "    token: t\n", EBADMSG,
		"server");
	refuses(f, HEAD CLUSTER USER "    token: [1]\n", EBADMSG, "token");
	refuses(f, HEAD CLUSTER "    certificate-authority-data: '%%'\n" USER "    token: t\n",
		EINVAL, "certificate-authority-data");
	refuses(f, "a: [", EBADMSG, "config:2");
}

static void a_missing_file_is_named(void **state)
{
	struct files *f = *state;

	assert_int_equal(kube_config_load(&f->c, "/nonexistent/config", &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/nonexistent/config"));
	assert_int_equal(kube_config_load(&f->c, NULL, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "KUBECONFIG"));
}

static void a_pod_knows_itself(void **state)
{
	struct files *f = *state;

	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	setenv("POD_NAMESPACE", "berth-system", 1);
	assert_int_equal(kube_config_load(&f->c, NULL, &f->e), 0);
	assert_string_equal(f->c.server, "https://10.96.0.1:443");
	assert_string_equal(f->c.namespace_, "berth-system");
	assert_string_equal(f->c.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
	assert_string_equal(f->c.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
	assert_true(f->c.in_cluster);
	kube_config_done(&f->c);
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	assert_int_equal(kube_config_load(&f->c, NULL, &f->e), 0);
	assert_string_equal(f->c.server, "https://[fd00::1]:443");
	/* A file that was named wins over the pod. */
	assert_int_equal(load(f, HEAD CLUSTER USER "    token: t\n"), 0);
	assert_string_equal(f->c.server, "https://api:6443");
	assert_string_equal(f->c.namespace_, "berth-system");
}

static void the_environment_names_a_file(void **state)
{
	struct files *f = *state;
	char list[160];

	assert_int_equal(load(f, HEAD CLUSTER USER "    token: t\n"), 0);
	kube_config_done(&f->c);
	assert_int_equal(str_format(list, sizeof(list), "%s:/nonexistent", f->path), 0);
	setenv("KUBECONFIG", list, 1);
	assert_int_equal(kube_config_load(&f->c, NULL, &f->e), 0);
	assert_string_equal(f->c.token, "t");
	kube_config_done(&f->c);
	/* Who started it with nothing learns what could have been given. */
	setenv("KUBECONFIG", "/nonexistent", 1);
	assert_int_equal(kube_config_load(&f->c, NULL, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "no pod, and no --kubeconfig was given: "));
	assert_non_null(strstr(f->e.text, "/nonexistent"));
}

static void base64_is_strict(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zg", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9v\nYmFy ", "foobar"},
		{"Zm9vYg==\n", "foob"},
		{"+/+/", "\xfb\xff\xbf"},
		{"Z", NULL},
		{"Zg=", NULL},
		{"Zg===", NULL},
		{"Zg==Zg==", NULL},
		{"Z?==", NULL},
		{"====", NULL},
		{"-_-_", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct kube_blob b = {NULL, 0};
		int r = kubeconfig_base64(cases[i].in, &b);

		assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
		if (r == 0)
			assert_string_equal(b.data, cases[i].out);
		free(b.data);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_is_read),
		T(data_and_files_are_read),
		T(json_is_yaml),
		T(what_cannot_work_is_named),
		T(a_missing_file_is_named),
		T(a_pod_knows_itself),
		T(the_environment_names_a_file),
		cmocka_unit_test(base64_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
