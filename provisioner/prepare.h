/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.h: what a claim needs before anything is written (internal to the provision machine) */
#ifndef BERTH_PROVISIONER_PREPARE_H
#define BERTH_PROVISIONER_PREPARE_H

#include "provisioner/provision.h"

/* What to do first for a claim of which nothing is known: LOOK, READ, PROBE, INTEND or CREATE. */
int prepare_next(struct provision *op, enum provision_event *ret, struct err *e);
/* Does it, or ends. */
void prepare_go(struct provision *op);
/* A token that every attempt for this claim arrives at: where no BerthVolume can remember one. */
void prepare_token(struct provision *op);
void prepare_forget_probe(struct provision *op);

/* The actions of the machine's states. */
int prepare_do_read(void *op);
int prepare_do_probe(void *op);
int selected_do_look(void *op);
int selected_do_drop(void *op);

#endif
