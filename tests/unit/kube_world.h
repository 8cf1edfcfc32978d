/* SPDX-License-Identifier: Apache-2.0 */
/* kube_world.h: a loop, a scripted server and a client of it whose seconds last 20 ms */
#ifndef BERTH_TESTS_KUBE_WORLD_H
#define BERTH_TESTS_KUBE_WORLD_H

#include "base/clock.h"
#include "base/str.h"
#include "fakeapi.h"
#include "kube/client.h"

#define WORLD_SECOND MILLISECONDS(20)

struct world {
	struct loop *loop;
	struct fakeapi *api;
	struct strpool *pool;
	struct kube_config config;
	struct kube_client *client;
	/* What world_on_answer() saw last. */
	unsigned answers;
	enum kube_status status;
	long http;
	char text[ERR_TEXT_MAX];
	json_t *object;
};

/* For cmocka: *state becomes a struct world. */
int world_setup(void **state);
int world_teardown(void **state);
/* Another client in place of the first. */
void world_client(struct world *w, const struct kube_options *o);
void world_on_answer(struct kube_request *q, const struct kube_response *res, void *world);
/* Sends it and waits for the answer. */
void world_do(struct world *w, const struct kube_request_spec *s);
void world_get(struct world *w, const char *path);
void world_post(struct world *w, const char *path, const char *body);
/* Waits for so many answers in all. */
bool world_answers(struct world *w, unsigned n);

#endif
