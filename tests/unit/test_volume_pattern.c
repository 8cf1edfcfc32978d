/* SPDX-License-Identifier: Apache-2.0 */
/* test_volume_pattern.c: what a pathPattern gives, and all it must refuse (reliability.md F1) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "volume/parameters.h"

#define PV "pvc-0b7b4c9e-5a3e-4d37-9a52-3f2b6d1c8e11"

struct claim {
	const char *label_value;
};

static const char *label(const char *key, void *userdata)
{
	const struct claim *c = userdata;

	return streq(key, "app") ? c->label_value : NULL;
}

static const char *annotation(const char *key, void *userdata)
{
	(void)userdata;
	return streq(key, "nfs.io/storage-path") ? "shop" : NULL;
}

static int expand(const char *pattern, const char *label_value, char *dst, struct err *e)
{
	struct claim c = {label_value};
	const struct pattern_source s = {.namespace_ = "default",
		.name = "www-web-0",
		.pv = PV,
		.label = label,
		.annotation = annotation,
		.userdata = &c};

	return pattern_expand(pattern, &s, dst, e);
}

static void gives_paths(void **state)
{
	static const struct {
		const char *pattern, *path;
	} cases[] = {
		{NULL, "default-www-web-0-" PV},
		{"plain", "plain"},
		{"${.PVC.namespace}/${.PVC.name}", "default/www-web-0"},
		{"${.PVC.namespace}-${.PV.name}", "default-" PV},
		{"${.PVC.labels.app}", "web"},
		{"a/${.PVC.annotations.nfs.io/storage-path}/b", "a/shop/b"},
		{"${.PVC.labels.none:-other}", "other"},
		{"${.PVC.labels.app:-other}", "web"},
		{"x${.PVC.labels.none:-}y", "xy"},
		{"${pvc.metadata.namespace}/${pvc.metadata.name}/${pv.metadata.name}",
			"default/www-web-0/" PV},
		{"${pvc.metadata.labels.app}", "web"},
		{"$HOME", "$HOME"},
		{"a}b", "a}b"},
	};
	char path[PATH_RELATIVE_MAX];
	struct err e = ERR_NULL;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(expand(cases[i].pattern, "web", path, &e), 0);
		assert_string_equal(path, cases[i].path);
	}
}

static void refuses_patterns(void **state)
{
	static const struct {
		const char *pattern, *word;
	} cases[] = {
		{"", "empty"},
		{"..", "unusable"},
		{"../x", "unusable"},
		{"x/../y", "unusable"},
		{"x/./y", "unusable"},
		{"/x", "absolute"},
		{"x//y", "empty"},
		{"x/", "empty"},
		{"x\\y", "backslash"},
		{"x\ny", "control"},
		{"x\x1by", "control"},
		{"-rf", "begins"},
		{".berth/trash", "control directory"},
		{"${", "without"},
		{"${.PVC.name", "without"},
		{"${}", "unknown"},
		{"${.PVC.uid}", "unknown variable ${.PVC.uid}"},
		{"${.PVC.labels.}", "unknown"},
		{"${.PVC.names}", "unknown"},
		{"${.PVC.labels.${.PVC.name}}", "inside"},
		{"${.PVC.name:-a/b}", "default"},
		{"${.PVC.labels.none}", "not set"},
	};
	char path[PATH_RELATIVE_MAX] = "untouched";

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct err e = ERR_NULL;

		assert_int_equal(expand(cases[i].pattern, "web", path, &e), -EINVAL);
		if (!strstr(e.text, cases[i].word))
			fail_msg("%s: %s", cases[i].pattern, e.text);
		assert_string_equal(path, "untouched");
	}
}

/* The values a tenant chooses. */
static void refuses_values(void **state)
{
	static const char *const values[] = {"..", ".", "a/b", "/", "../../etc", "a\\b", "a\nb",
		"-rf", "\x1b[31m", "\xff\xfe", "", ".berth"};
	char path[PATH_RELATIVE_MAX];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(values); i++) {
		struct err e = ERR_NULL;

		assert_int_equal(expand("${.PVC.labels.app}", values[i], path, &e), -EINVAL);
		assert_int_not_equal(e.text[0], '\0');
	}
	assert_int_equal(expand("${.PVC.labels.app}${.PVC.labels.app}", ".", path, NULL), -EINVAL);
}

static void names_the_variable(void **state)
{
	char path[PATH_RELATIVE_MAX];
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(expand("${.PVC.labels.app}", "a/b", path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "${.PVC.labels.app}"));
}

static void too_long(void **state)
{
	char path[PATH_RELATIVE_MAX], value[PATH_RELATIVE_MAX + 10];
	struct err e = ERR_NULL;

	(void)state;
	memset(value, 'a', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(expand("${.PVC.labels.app}", value, path, &e), -ENAMETOOLONG);
	value[300] = '\0';
	assert_int_equal(expand("${.PVC.labels.app}", value, path, &e), -EINVAL);
}

static void deep_is_refused(void **state)
{
	char path[PATH_RELATIVE_MAX];

	(void)state;
	assert_int_equal(expand("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "x", path, NULL), 0);
	assert_int_equal(expand("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "x", path, NULL), -EINVAL);
}

static void long_default_name_is_cut_and_stays_unique(void **state)
{
	char name[254], a[PATH_RELATIVE_MAX], b[PATH_RELATIVE_MAX];
	struct pattern_source s = {.namespace_ = "ns", .name = name, .pv = PV};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(pattern_expand(NULL, &s, a, NULL), 0);
	assert_int_equal(strlen(a), PATH_COMPONENT_MAX);
	s.pv = "pvc-0b7b4c9e-5a3e-4d37-9a52-3f2b6d1c8e12";
	assert_int_equal(pattern_expand(NULL, &s, b, NULL), 0);
	assert_string_not_equal(a, b);
}

static void long_default_name_is_the_same_for_ever(void **state)
{
	char name[254], path[PATH_RELATIVE_MAX];
	const struct pattern_source s = {.namespace_ = "ns", .name = name, .pv = PV};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(pattern_expand(NULL, &s, path, NULL), 0);
	assert_string_equal(path + PATH_COMPONENT_MAX - 17, "-0774739aaeafea83");
}

static void knows_what_needs_the_claim(void **state)
{
	(void)state;
	assert_false(pattern_needs_claim(NULL));
	assert_false(pattern_needs_claim("${.PVC.namespace}/${.PVC.name}"));
	assert_true(pattern_needs_claim("${.PVC.name}/${.PVC.labels.a}"));
	assert_true(pattern_needs_claim("${.PVC.annotations.a:-b}"));
}

static void checks_syntax(void **state)
{
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(pattern_check("${.PVC.namespace}/${.PVC.labels.team}", &e), 0);
	assert_int_equal(pattern_check("", &e), -EINVAL);
	assert_int_equal(pattern_check("/abs", &e), -EINVAL);
	assert_int_equal(pattern_check("${.PVC.nope}", &e), -EINVAL);
	assert_int_equal(pattern_check("a/../b", &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_paths),
		cmocka_unit_test(refuses_patterns),
		cmocka_unit_test(refuses_values),
		cmocka_unit_test(names_the_variable),
		cmocka_unit_test(too_long),
		cmocka_unit_test(deep_is_refused),
		cmocka_unit_test(long_default_name_is_cut_and_stays_unique),
		cmocka_unit_test(long_default_name_is_the_same_for_ever),
		cmocka_unit_test(knows_what_needs_the_claim),
		cmocka_unit_test(checks_syntax),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
