/* SPDX-License-Identifier: Apache-2.0 */
/* kube_world.c: a loop, a scripted server and a client of it */
#include "kube_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void world_client(struct world *w, const struct kube_options *o)
{
	struct kube_options options = *o;

	options.second_ns = WORLD_SECOND;
	options.user_agent = "test/1";
	kube_client_free(w->client);
	if (kube_client_new(&w->client, w->loop, &w->config, &options, NULL) < 0)
		abort();
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	log_set_level(LOG_LEVEL_ERROR);
	if (!w || loop_new(&w->loop) < 0 || strpool_new(&w->pool) < 0)
		return -1;
	w->api = fakeapi_new(w->loop);
	w->config.server = strdup(fakeapi_url(w->api));
	world_client(w, &(struct kube_options){.qps = 0});
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	kube_client_free(w->client);
	fakeapi_free(w->api);
	kube_config_done(&w->config);
	json_decref(w->object);
	strpool_free(w->pool);
	loop_free(w->loop);
	free(w);
	return 0;
}

void world_on_answer(struct kube_request *q, const struct kube_response *res, void *world)
{
	struct world *w = world;

	(void)q;
	w->answers++;
	w->status = res->status;
	w->http = res->http;
	str_copy_cut(w->text, sizeof(w->text), res->err.text);
	json_decref(w->object);
	w->object = json_incref(res->object);
}

struct wanted {
	struct world *w;
	unsigned n;
};

static bool have_answers(void *userdata)
{
	struct wanted *v = userdata;

	return v->w->answers >= v->n;
}

bool world_answers(struct world *w, unsigned n)
{
	struct wanted v = {w, n};

	return fake_run(w->loop, have_answers, &v, 5000);
}

void world_do(struct world *w, const struct kube_request_spec *s)
{
	unsigned before = w->answers;

	if (kube_request(w->client, s, world_on_answer, w, NULL) < 0 || w->answers != before ||
		!world_answers(w, before + 1))
		abort();
}

void world_get(struct world *w, const char *path)
{
	world_do(w, &(struct kube_request_spec){.method = KUBE_GET, .path = path});
}

void world_post(struct world *w, const char *path, const char *body)
{
	world_do(w, &(struct kube_request_spec){.method = KUBE_POST,
			    .path = path,
			    .body = body,
			    .body_size = strlen(body)});
}
