/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h: what server.c (connections) and exchange.c (answers) share; for lib/http only */
#ifndef BERTH_HTTP_EXCHANGE_H
#define BERTH_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/server.h"

enum exchange_state {
	EXCHANGE_RECEIVING, /* headers or body are coming */
	EXCHANGE_HANDLED,   /* the handler has it and has not answered */
	EXCHANGE_ANSWERED,  /* response is made, libmicrohttpd has not seen it */
	EXCHANGE_SENDING,   /* libmicrohttpd has the response */
	EXCHANGE_DROPPED,   /* to be closed without an answer, or without the rest of it */
};

struct http_exchange {
	struct list item; /* in server->exchanges */
	struct http_server *server;
	struct MHD_Connection *connection;
	struct MHD_Response *response;
	const char *method, *path;
	struct buf body;
	void *userdata;
	enum exchange_state state;
	unsigned status;
	bool finished;  /* the handler has no more to say: no gone() */
	bool suspended; /* libmicrohttpd does not look at the socket, peer_gone does */
	struct io *peer_gone;

	bool streaming, ended;
	struct buf queue; /* bytes [sent, len) wait for the client */
	size_t sent;
	size_t limit;
};

struct http_server {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct io *io;
	struct timer *timer;
	struct defer *defer;
	struct http_handler handler;
	void *userdata;
	struct list exchanges;
	struct acceptor *acceptor;
	size_t body_max;
	uint16_t port;
	bool stopping;
};

/* Suspends the connection and watches its socket for the client's leaving. */
void exchange_suspend(struct http_exchange *x);
/* Undoes that and has libmicrohttpd run at the end of this turn. */
void exchange_resume(struct http_exchange *x);
void exchange_free(struct http_exchange *x);

#endif
