/* SPDX-License-Identifier: Apache-2.0 */
/* kube_world.h: a loop, a scripted server and a client of it whose seconds last 20 ms */
#ifndef BERTH_TESTS_KUBE_WORLD_H
#define BERTH_TESTS_KUBE_WORLD_H

#include "base/clock.h"
#include "base/str.h"
#include "fakeapi.h"
#include "kube/client.h"

#define WORLD_SECOND MILLISECONDS(20)

struct kube_world {
	struct loop *loop;
	struct fakeapi *api;
	struct strpool *pool;
	struct kube_config config;
	struct kube_client *client;
	/* What kube_world_on_answer() saw last. */
	unsigned answers;
	enum kube_status status;
	long http;
	char text[ERR_TEXT_MAX];
	json_t *object;
};

/* For cmocka: *state becomes a struct kube_world. */
int kube_world_setup(void **state);
int kube_world_teardown(void **state);
/* In place, for a struct that begins with one; not to be moved afterwards. */
int kube_world_init(struct kube_world *w);
/* Another client in place of the first. */
void kube_world_client(struct kube_world *w, const struct kube_options *o);
void kube_world_on_answer(struct kube_request *q, const struct kube_response *res, void *world);
/* Sends it and waits for the answer. */
void kube_world_do(struct kube_world *w, const struct kube_request_spec *s);
void kube_world_get(struct kube_world *w, const char *path);
void kube_world_post(struct kube_world *w, const char *path, const char *body);
/* Waits for so many answers in all. */
bool kube_world_answers(struct kube_world *w, unsigned n);

#endif
