/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.c: what a claim needs before anything is written: its directory's name, its server, its
 * token */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/decode.h"
#include "provisioner/paths.h"
#include "provisioner/prepare.h"

/* How long the server of a list that answered last is taken without asking again. */
#define CHOSEN_FOR SECONDS(10)
/* How long a server that answered waits for one that the list names before it. */
#define BETTER_WITHIN MILLISECONDS(500)
#define SERVERS_NONE UINT_MAX

static int expand(struct provision *op, const struct pattern_source *s, struct err *e)
{
	char path[PATH_RELATIVE_MAX];
	int r = pattern_expand(op->class->p.pattern, s, path, e);

	if (r < 0)
		return r;
	return str_replace(&op->directory, path) < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int expand_plain(struct provision *op, struct err *e)
{
	_cleanup_free_ char *pv = NULL;
	struct pattern_source s = {.namespace_ = op->namespace_, .name = op->name};

	if (facts_pv_name(&op->uid, &pv) < 0)
		return err_set(e, ENOMEM, "out of memory");
	s.pv = pv;
	return expand(op, &s, e);
}

static const char *claim_label(const char *key, void *userdata)
{
	return json_string_at(userdata, "metadata", "labels", key, NULL);
}

static const char *claim_annotation(const char *key, void *userdata)
{
	return json_string_at(userdata, "metadata", "annotations", key, NULL);
}

static int expand_live(struct provision *op, json_t *claim, struct err *e)
{
	_cleanup_free_ char *pv = NULL;
	struct pattern_source s = {
		.namespace_ = op->namespace_,
		.name = op->name,
		.label = claim_label,
		.annotation = claim_annotation,
		.userdata = claim,
	};

	if (facts_pv_name(&op->uid, &pv) < 0)
		return err_set(e, ENOMEM, "out of memory");
	s.pv = pv;
	return expand(op, &s, e);
}

/* Without a BerthVolume the next attempt must still prove that the record of an earlier one is its
 * own. */
void prepare_token(struct provision *op)
{
	for (size_t i = 0; i < sizeof(op->uid.b); i++)
		snprintf(op->facts.token + 2 * i, 3, "%02x", op->uid.b[i]);
}

/* What is missing before anything is written: the node, the directory's name, the server, facts. */
int prepare_next(struct provision *op, enum provision_event *ret, struct err *e)
{
	const struct class_info *class = op->class;
	const struct pvc *c = provision_claim(op);
	unsigned chosen = class->chosen_until > clock_now() ? class->chosen : 0;

	if (class->wait_for_consumer && !op->node_seen) {
		*ret = GO_LOOK;
		return 0;
	}
	if (!op->directory && pattern_needs_claim(class->p.pattern)) {
		*ret = GO_READ;
		return 0;
	}
	if (!op->directory && expand_plain(op, e) < 0)
		return -e->code;
	if (class->p.n_servers > 1 && class->chosen_until <= clock_now()) {
		*ret = GO_PROBE;
		return 0;
	}
	if (!c)
		return err_set(e, ESTALE, "the claim is gone");
	facts_done(&op->facts);
	if (facts_from_class(
		    &op->facts, op->p->config->driver, class, class->p.servers[chosen], c) < 0 ||
		str_replace(&op->facts.directory, op->directory) < 0)
		return err_set(e, ENOMEM, "out of memory");
	op->has_facts = true;
	if (!provisioner_has_intents(op->p))
		prepare_token(op);
	*ret = provisioner_has_intents(op->p) ? GO_INTEND : GO_CREATE;
	return 0;
}

void prepare_go(struct provision *op)
{
	enum provision_event ev = GO_END;
	struct err e = ERR_NULL;
	int r = prepare_next(op, &ev, &e);

	if (r >= 0)
		provision_go(op, ev);
	else if (r == -ESTALE)
		provision_end(op, PROVISION_GONE, &e);
	else
		provision_end(op, r == -ENOMEM ? PROVISION_RETRY : PROVISION_INFEASIBLE, &e);
}

static void on_read(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;
	struct err e = ERR_NULL;
	int r;

	(void)q;
	op->request = NULL;
	provision_timed(op, STEP_READ);
	if (res->status == KUBE_E_NOT_FOUND) {
		provision_end(op, PROVISION_GONE, &res->err);
		return;
	}
	if (res->status != KUBE_OK) {
		provision_end_answer(op, "cannot read the claim", res);
		return;
	}
	if (!streq_null(json_string_at(res->object, "metadata", "uid", NULL), op->uid_text)) {
		err_set(&e, ESTALE, "the claim was made anew");
		provision_end(op, PROVISION_GONE, &e);
		return;
	}
	r = expand_live(op, res->object, &e);
	if (r < 0)
		provision_end(op, r == -ENOMEM ? PROVISION_RETRY : PROVISION_INFEASIBLE, &e);
	else
		prepare_go(op);
}

int prepare_do_read(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];

	return provision_send(
		op, KUBE_GET, api_path_claim(path, op->namespace_, op->name, ""), NULL, on_read);
}

/* ---- the server of a list ---------------------------------------------------------------- */

/*
 * All servers of a list are asked at once, for one that does not answer takes its whole deadline to
 * say so. The first of the list wins if it answers; another one waits a moment for those before it.
 * Outlives its provision where that ends first: a backend's call cannot be taken back.
 */
struct probe {
	struct provision *op; /* NULL: nobody waits any more */
	struct delay patience;
	unsigned calls;  /* on their way */
	unsigned best;   /* index of the best that answered, SERVERS_NONE */
	unsigned failed; /* bit by index */
	struct probe_call {
		struct probe *probe;
		unsigned index;
	} call[VOLUME_SERVERS_MAX];
};

static void probe_settle(struct probe *b)
{
	struct provision *op = b->op;

	b->op = NULL;
	if (!op)
		return;
	delay_stop(op->p->delays, &b->patience);
	op->probe = NULL;
	op->class->chosen = b->best;
	op->class->chosen_until = clock_now() + CHOSEN_FOR;
	prepare_go(op);
}

static void probe_failed(struct probe *b, const struct err *why)
{
	struct provision *op = b->op;
	struct err e = ERR_NULL;

	b->op = NULL;
	if (!op)
		return;
	delay_stop(op->p->delays, &b->patience);
	op->probe = NULL;
	err_copy(&e, why);
	err_prefix(&e, "no server of the list answers");
	provision_end(op, PROVISION_SILENT, &e);
}

static void on_patience(struct delay *d, void *userdata)
{
	(void)d;
	probe_settle(userdata);
}

static void on_probe(const struct volume_result *res, void *userdata)
{
	struct probe_call *c = userdata;
	struct probe *b = c->probe;
	unsigned before = (1U << c->index) - 1;

	b->calls--;
	if (res->err.code)
		b->failed |= 1U << c->index;
	else if (c->index < b->best)
		b->best = c->index;
	if (b->best != SERVERS_NONE)
		before = (1U << b->best) - 1;
	if (b->best != SERVERS_NONE && (b->failed & before) == before)
		probe_settle(b);
	else if (b->best != SERVERS_NONE && b->op && !delay_waits(&b->patience) &&
		 delay_start(b->op->p->delays, &b->patience, BETTER_WITHIN) < 0)
		probe_settle(b);
	if (b->calls > 0)
		return;
	if (b->best == SERVERS_NONE)
		probe_failed(b, &res->err);
	else
		probe_settle(b);
	free(b);
}

void prepare_forget_probe(struct provision *op)
{
	if (!op->probe)
		return;
	delay_stop(op->p->delays, &op->probe->patience);
	op->probe->op = NULL;
	op->probe = NULL;
}

static int probe_one(struct probe *b, struct provision *op, unsigned index)
{
	const struct parameters *p = &op->class->p;
	const struct volume_place place = parameters_place(p, p->servers[index]);

	b->call[index] = (struct probe_call){b, index};
	return op->p->nfs->ops->space(op->p->nfs, &place, on_probe, &b->call[index]);
}

int prepare_do_probe(void *obj)
{
	struct provision *op = obj;
	struct probe *b = calloc(1, sizeof(*b));
	int r = -ENOMEM;

	if (!b)
		return r;
	b->op = op;
	b->best = SERVERS_NONE;
	b->patience = (struct delay){.due = on_patience, .userdata = b};
	for (unsigned i = 0; i < op->class->p.n_servers; i++) {
		r = probe_one(b, op, i);
		if (r < 0)
			b->failed |= 1U << i;
		else
			b->calls++;
	}
	if (b->calls == 0) {
		free(b);
		return r;
	}
	op->probe = b;
	return 0;
}
