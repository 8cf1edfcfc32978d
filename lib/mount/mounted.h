/* SPDX-License-Identifier: Apache-2.0 */
/* mounted.h: whether something is mounted at a place, what it is, and its space */
#ifndef BERTH_MOUNT_MOUNTED_H
#define BERTH_MOUNT_MOUNTED_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mount/place.h"

/*
 * From one statx(2) that asks no server (AT_STATX_DONT_SYNC). Where the kernel tells no mount ids
 * by it (before 5.8), they come from /proc/self/fdinfo.
 */
struct mounted {
	bool exists;
	bool is_root;      /* the root of a mount */
	bool is_directory; /* a symlink is none */
	uint64_t id;       /* as in the first column of mountinfo */
	dev_t dev;
	ino_t ino;
};

/* What is missing is no error: ret->exists is false. */
int mounted_at(const struct place_at *at, struct mounted *ret, struct err *e);
/* The same of an open descriptor (O_PATH suffices). shown: the path for messages. */
int mounted_fd(int fd, const char *shown, struct mounted *ret, struct err *e);

/* One mount in the kernel's own words, escapes resolved. Options: comma lists. */
struct mounted_what {
	uint64_t id;
	uint64_t parent;
	uint32_t flags;  /* MOUNTF_*, of this mount and of its file system together */
	uint32_t peer;   /* peer group, 0: not shared */
	uint32_t master; /* peer group that it is a slave of, 0: none */
	char fstype[64];
	char root[PATH_MAX];   /* path inside the file system */
	char target[PATH_MAX]; /* as seen from this process' root */
	char source[PATH_MAX];
	char options[1024]; /* of the file system ("super options") */
};

/* Looks the mount with this id up in /proc/self/mountinfo. -ENOENT: no such mount (any more). */
int mounted_describe(uint64_t id, struct mounted_what *ret, struct err *e);
/*
 * MOUNTF_* of the mount that fd (O_PATH suffices) lies on: statmount(2) where the kernel has it
 * (6.8), which takes 2 us, else as above, which takes 7 ms with 5,000 mounts.
 */
int mounted_flags(int fd, const char *shown, uint32_t *ret, struct err *e);
/* The length of the first item of a comma list; commas in double quotes are part of it. */
size_t mounted_option_length(const char *options);
/* The value of "name=value" in a comma list, or "" for "name" alone; false where it is not there.
 */
bool mounted_option(const char *options, const char *name, char *dst, size_t size);

/* Errors that say that the mount is there and its file system is not, whatever is done
 * (contracts.md 6.3; without EACCES, which a squashing NFS server gives on healthy mounts). */
bool mounted_errno_is_corrupted(int r);

/* statfs(2): asks the server, blocks with it. Bytes and inodes. */
struct mounted_space {
	uint64_t total;
	uint64_t free;
	uint64_t available; /* to who is not root */
	uint64_t files;
	uint64_t files_free;
	uint64_t type; /* f_type */
};
/* -ENOENT where the place is missing, -EINVAL where nothing is mounted there. */
int mounted_space(const struct place *p, struct mounted_space *ret, struct err *e);

#endif
