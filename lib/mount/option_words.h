/* SPDX-License-Identifier: Apache-2.0 */
/* option_words.h: the mount options that are known, one row each */
#ifndef BERTH_MOUNT_OPTION_WORDS_H
#define BERTH_MOUNT_OPTION_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
	OPTION_DROP,    /* of user space, or without effect: with or without a value */
	OPTION_REFUSE,  /* would change where data goes: with or without a value */
	OPTION_FLAG,    /* set and clear of MOUNTF_* */
	OPTION_WORD,    /* goes into the data, as text where that is given */
	OPTION_VERSION, /* text: the version, for words without a value */
	OPTION_MINOR,
	OPTION_NUMBER,  /* from min to max */
	OPTION_ACTIMEO, /* the four attribute cache times at once */
	OPTION_CHOICE,
	OPTION_CHOICES, /* a list of them with colons */
	OPTION_TEXT,
};

struct option_word {
	const char *name;
	enum option_kind kind;
	bool nfs_only;
	bool valued;
	const char *group; /* words of one group take the place of each other */
	const char *text;
	const char *const *choices; /* ends with NULL */
	uint32_t min;
	uint32_t max;
	uint32_t set;
	uint32_t clear;
};

/* Ends with a row without a name. Source: contracts.md 6.5 (fs/nfs/fs_context.c). */
extern const struct option_word option_words[];
/* What actimeo= stands for; ends with NULL. */
extern const char *const option_actimeo[];

#endif
