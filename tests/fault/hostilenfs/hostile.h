/* SPDX-License-Identifier: Apache-2.0 */
/* hostile.h: the parts of hostilenfs: XDR, a tree in memory, procedures, misbehaviours */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODES_MAX 256
#define NAME_LEN_MAX 255
/* Content kept of a file; records are smaller. */
#define DATA_MAX 16384
/* A call's record: a WRITE of DATA_MAX and its head would do. */
#define RECORD_MAX 262144
#define REPLY_MAX 262144
#define RULES_MAX 16

enum evil {
	EVIL_NONE,
	EVIL_SHORT, /* the reply ends in its middle, in a record of that length */
	EVIL_WRONG_XID,
	EVIL_HUGE,      /* the last length in the reply becomes 0x7fffffff */
	EVIL_NEGATIVE,  /* … 0xffffffff */
	EVIL_HUGE_MARK, /* the record mark promises 0x7fffffff bytes */
	EVIL_GARBAGE,   /* the result is noise */
	EVIL_TWICE,     /* the reply comes twice */
	EVIL_SILENCE,
	EVIL_RST,
	EVIL_EMPTY_RECORD, /* fragments of 0 bytes for ever, 1,000 at once, then silence */
	/* READDIR and READDIRPLUS */
	EVIL_STUCK,   /* every entry has the cookie that was asked for; never at the end */
	EVIL_LOOP,    /* starts again after the last entry; never at the end */
	EVIL_ENDLESS, /* new names for ever */
	EVIL_NAME_DOTDOT,
	EVIL_NAME_SLASH,
	EVIL_NAME_EMPTY,
	EVIL_NAME_LONG, /* 300 bytes */
	EVIL_NAME_NUL,
	EVIL_READ_ONLY, /* REMOVE and RMDIR: as in a snapshot */
};

struct rule {
	char proc[16];           /* or any */
	unsigned long nth, seen; /* 0: every one */
	enum evil evil;
};

struct xdr_in {
	const uint8_t *p;
	size_t left;
	bool bad;
};
struct xdr_out {
	uint8_t *p;
	size_t len, last_length; /* where the last opaque's length stands; 0: none */
};
uint32_t get32(struct xdr_in *in);
uint64_t get64(struct xdr_in *in);
/* Points into the input. */
const uint8_t *get_opaque(struct xdr_in *in, uint32_t *ret_size);
void put32(struct xdr_out *out, uint32_t v);
void put64(struct xdr_out *out, uint64_t v);
void put_opaque(struct xdr_out *out, const void *data, size_t size);

struct node {
	bool used, dir;
	uint32_t parent, generation, mode, uid, gid, size;
	char name[NAME_LEN_MAX + 1];
	uint8_t data[DATA_MAX];
};
extern struct node nodes[NODES_MAX]; /* 0 is the root */
void tree_init(void);
/* .berth/trash/NAME with some files, and a directory with some more. */
void tree_trash(const char *name);
/* An index, or -1. */
int tree_find(uint32_t parent, const uint8_t *name, uint32_t size);
int tree_add(uint32_t parent, const uint8_t *name, uint32_t size, bool dir);
bool tree_has_children(uint32_t dir);

/* Names in calls that no directory has: empty, ".", "..", with a slash or NUL, too long. */
extern unsigned long foreign_names;

/* Answers one call: the whole reply without record mark, 0 for none; the name of the procedure for
 * rules. */
const char *procedure_name(const uint8_t *call, size_t size);
size_t answer(const uint8_t *call, size_t size, uint16_t port, enum evil evil, struct xdr_out *out);
