/* SPDX-License-Identifier: Apache-2.0 */
/* kube_world.c: a loop, a scripted server and a client of it */
#include "kube_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void kube_world_client(struct kube_world *w, const struct kube_options *o)
{
	struct kube_options options = *o;

	options.second_ns = WORLD_SECOND;
	options.user_agent = "test/1";
	kube_client_free(w->client);
	if (kube_client_new(&w->client, w->loop, &w->config, &options, NULL) < 0)
		abort();
}

int kube_world_init(struct kube_world *w)
{
	log_set_level(LOG_LEVEL_ERROR);
	if (loop_new(&w->loop) < 0 || strpool_new(&w->pool) < 0)
		return -1;
	w->api = fakeapi_new(w->loop);
	w->config.server = strdup(fakeapi_url(w->api));
	kube_world_client(w, &(struct kube_options){.qps = 0});
	return 0;
}

int kube_world_setup(void **state)
{
	struct kube_world *w = calloc(1, sizeof(*w));

	*state = w;
	return w ? kube_world_init(w) : -1;
}

int kube_world_teardown(void **state)
{
	struct kube_world *w = *state;

	kube_client_free(w->client);
	fakeapi_free(w->api);
	kube_config_done(&w->config);
	json_decref(w->object);
	strpool_free(w->pool);
	loop_free(w->loop);
	free(w);
	return 0;
}

void kube_world_on_answer(struct kube_request *q, const struct kube_response *res, void *world)
{
	struct kube_world *w = world;

	(void)q;
	w->answers++;
	w->status = res->status;
	w->http = res->http;
	str_copy_cut(w->text, sizeof(w->text), res->err.text);
	json_decref(w->object);
	w->object = json_incref(res->object);
}

struct wanted {
	struct kube_world *w;
	unsigned n;
};

static bool have_answers(void *userdata)
{
	struct wanted *v = userdata;

	return v->w->answers >= v->n;
}

bool kube_world_answers(struct kube_world *w, unsigned n)
{
	struct wanted v = {w, n};

	return fake_run(w->loop, have_answers, &v, 5000);
}

void kube_world_do(struct kube_world *w, const struct kube_request_spec *s)
{
	unsigned before = w->answers;

	if (kube_request(w->client, s, kube_world_on_answer, w, NULL) < 0 || w->answers != before ||
		!kube_world_answers(w, before + 1))
		abort();
}

void kube_world_get(struct kube_world *w, const char *path)
{
	kube_world_do(w, &(struct kube_request_spec){.method = KUBE_GET, .path = path});
}

void kube_world_post(struct kube_world *w, const char *path, const char *body)
{
	kube_world_do(w, &(struct kube_request_spec){.method = KUBE_POST,
				 .path = path,
				 .body = body,
				 .body_size = strlen(body)});
}
