/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_map.c: the hash table against a model, with and without memory */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/map.h"
#include "tests/unit/fault.h"

struct item {
	char key[16];
	unsigned number;
	bool inside;
};

static struct map_key item_key(const void *value)
{
	return map_key_str(((const struct item *)value)->key);
}

static struct item item_of(unsigned n)
{
	struct item i = {.number = n};

	snprintf(i.key, sizeof(i.key), "key-%u", n);
	return i;
}

static void empty_map(void **state)
{
	struct map m = MAP_NULL(item_key);
	size_t cursor = 0;

	(void)state;
	assert_null(map_gets(&m, "x"));
	assert_null(map_removes(&m, "x"));
	assert_null(map_next(&m, &cursor));
	map_done(&m);
	map_done(&m);
	assert_ptr_equal(m.key_of, item_key);
}

static void add_get_remove(void **state)
{
	struct map m = MAP_NULL(item_key);
	struct item a = item_of(1), b = item_of(2), twin = item_of(1);

	(void)state;
	assert_int_equal(map_add(&m, &a), 0);
	assert_int_equal(map_add(&m, &b), 0);
	assert_int_equal(map_add(&m, &twin), -EEXIST);
	assert_int_equal(m.size, 2);
	assert_ptr_equal(map_gets(&m, "key-1"), &a);
	assert_ptr_equal(map_get(&m, "key-2...", 5), &b);
	assert_null(map_gets(&m, "key-"));
	assert_null(map_gets(&m, "key-11"));
	assert_ptr_equal(map_removes(&m, "key-1"), &a);
	assert_null(map_removes(&m, "key-1"));
	assert_null(map_gets(&m, "key-1"));
	assert_ptr_equal(map_gets(&m, "key-2"), &b);
	assert_int_equal(map_add(&m, &twin), 0);
	assert_ptr_equal(map_gets(&m, "key-1"), &twin);
	map_done(&m);
}

static void replace_gives_the_old_one(void **state)
{
	struct map m = MAP_NULL(item_key);
	struct item a = item_of(1), twin = item_of(1);
	void *old = &m;

	(void)state;
	assert_int_equal(map_replace(&m, &a, &old), 0);
	assert_null(old);
	assert_int_equal(map_replace(&m, &twin, &old), 0);
	assert_ptr_equal(old, &a);
	assert_int_equal(m.size, 1);
	assert_ptr_equal(map_gets(&m, "key-1"), &twin);
	map_done(&m);
}

static struct map_key bytes_key(const void *value)
{
	const unsigned char *p = value;

	return (struct map_key){p + 1, p[0]};
}

static void keys_may_be_any_bytes(void **state)
{
	static unsigned char empty[] = {0}, nul[] = {1, 0}, nul_nul[] = {2, 0, 0},
			     ff[] = {3, 255, 0, 255};
	struct map m = MAP_NULL(bytes_key);

	(void)state;
	assert_int_equal(map_add(&m, empty), 0);
	assert_int_equal(map_add(&m, nul), 0);
	assert_int_equal(map_add(&m, nul_nul), 0);
	assert_int_equal(map_add(&m, ff), 0);
	assert_int_equal(map_add(&m, empty), -EEXIST);
	assert_ptr_equal(map_get(&m, NULL, 0), empty);
	assert_ptr_equal(map_get(&m, "\0", 2), nul_nul);
	assert_ptr_equal(map_get(&m, "\xff\0\xff", 3), ff);
	assert_ptr_equal(map_remove(&m, "", 1), nul);
	assert_null(map_get(&m, "", 1));
	map_done(&m);
}

#define MANY 100000

static void check_against_model(const struct map *m, struct item *items, size_t n)
{
	size_t inside = 0, walked = 0;
	struct item *it;

	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(map_gets(m, items[i].key), items[i].inside ? &items[i] : NULL);
		inside += items[i].inside;
	}
	assert_int_equal(m->size, inside);
	MAP_FOREACH (m, it) {
		assert_true(it->inside);
		walked++;
	}
	assert_int_equal(walked, inside);
	assert_true(m->used <= m->cap / 4 * 3 && m->used >= m->size);
}

static void many_against_a_model(void **state)
{
	struct item *items = calloc(MANY, sizeof(*items));
	struct map m = MAP_NULL(item_key);

	(void)state;
	assert_non_null(items);
	for (unsigned i = 0; i < MANY; i++) {
		items[i] = item_of(i);
		items[i].inside = true;
		assert_int_equal(map_add(&m, &items[i]), 0);
	}
	check_against_model(&m, items, MANY);
	assert_int_equal(m.cap, 262144);

	for (unsigned step = 0; step < 3 * MANY; step++) {
		struct item *it = &items[random_below(MANY)];
		bool remove = random_below(3) > 0;

		if (remove)
			assert_ptr_equal(map_removes(&m, it->key), it->inside ? it : NULL);
		else
			assert_int_equal(map_add(&m, it), it->inside ? -EEXIST : 0);
		it->inside = !remove;
	}
	check_against_model(&m, items, MANY);
	map_done(&m);
	free(items);
}

static void churn_does_not_grow_the_table(void **state)
{
	struct map m = MAP_NULL(item_key);
	struct item items[64];

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		struct item *it = &items[i % ELEMENTSOF(items)];

		if (i >= ELEMENTSOF(items))
			assert_ptr_equal(map_removes(&m, it->key), it);
		*it = item_of(i);
		assert_int_equal(map_add(&m, it), 0);
	}
	assert_int_equal(m.size, ELEMENTSOF(items));
	assert_true(m.cap <= 256);
	map_done(&m);
}

static void removal_while_walking(void **state)
{
	struct map m = MAP_NULL(item_key);
	struct item items[1000], *it;
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < ELEMENTSOF(items); i++) {
		items[i] = item_of(i);
		assert_int_equal(map_add(&m, &items[i]), 0);
	}
	MAP_FOREACH (&m, it) {
		assert_false(it->inside);
		it->inside = true;
		seen++;
		if (it->number % 2 == 0)
			assert_ptr_equal(map_removes(&m, it->key), it);
	}
	assert_int_equal(seen, ELEMENTSOF(items));
	assert_int_equal(m.size, ELEMENTSOF(items) / 2);
	for (unsigned i = 0; i < ELEMENTSOF(items); i++)
		assert_ptr_equal(map_gets(&m, items[i].key), i % 2 == 0 ? NULL : &items[i]);
	map_done(&m);
}

static void an_emptied_map_has_no_tombstones_left_to_probe(void **state)
{
	struct map m = MAP_NULL(item_key);
	struct item items[600];

	(void)state;
	for (unsigned i = 0; i < ELEMENTSOF(items); i++) {
		items[i] = item_of(i);
		assert_int_equal(map_add(&m, &items[i]), 0);
	}
	for (unsigned i = 0; i < ELEMENTSOF(items); i++)
		assert_ptr_equal(map_removes(&m, items[i].key), &items[i]);
	assert_int_equal(m.size, 0);
	assert_int_equal(m.used, 0);
	map_done(&m);
}

static void without_memory_nothing_changes(void **state)
{
	struct item items[100];

	(void)state;
	for (unsigned i = 0; i < ELEMENTSOF(items); i++)
		items[i] = item_of(i);
	FAULT_LOOP
	{
		struct map m = MAP_NULL(item_key);
		unsigned added = 0;
		void *old;
		int r = 0;

		for (; added < ELEMENTSOF(items); added++) {
			r = added % 2 ? map_add(&m, &items[added])
				      : map_replace(&m, &items[added], &old);
			if (r < 0)
				break;
		}
		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		assert_int_equal(m.size, added);
		for (unsigned i = 0; i < ELEMENTSOF(items); i++)
			assert_ptr_equal(map_gets(&m, items[i].key), i < added ? &items[i] : NULL);
		if (r < 0)
			assert_int_equal(map_add(&m, &items[added]), 0);
		map_done(&m);
	}
}

static void twelve_bytes_a_slot_in_one_block(void **state)
{
	struct map m = MAP_NULL(item_key);
	struct item a = item_of(1);

	(void)state;
	fault_arm(0);
	assert_int_equal(map_add(&m, &a), 0);
	assert_int_equal(fault_seen(), 1);
	fault_disarm();
	assert_ptr_equal(m.hashes, m.slots + m.cap);
	map_done(&m);
}

static void hash_depends_on_every_bit(void **state)
{
	unsigned char data[40] = {0};

	(void)state;
	for (size_t size = 1; size <= sizeof(data); size++) {
		uint64_t h = map_hash(data, size);

		assert_true(h == map_hash(data, size));
		assert_true(h != map_hash(data, size - 1));
		for (size_t bit = 0; bit < size * 8; bit++) {
			data[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_true(h != map_hash(data, size));
			data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_map),
		cmocka_unit_test(add_get_remove),
		cmocka_unit_test(replace_gives_the_old_one),
		cmocka_unit_test(keys_may_be_any_bytes),
		cmocka_unit_test(many_against_a_model),
		cmocka_unit_test(churn_does_not_grow_the_table),
		cmocka_unit_test(removal_while_walking),
		cmocka_unit_test(an_emptied_map_has_no_tombstones_left_to_probe),
		cmocka_unit_test(without_memory_nothing_changes),
		cmocka_unit_test(twelve_bytes_a_slot_in_one_block),
		cmocka_unit_test(hash_depends_on_every_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
