/* SPDX-License-Identifier: Apache-2.0 */
/* mount_world.h: a private mount namespace with a tmpfs to play in, for the tests of lib/mount */
#ifndef BERTH_TESTS_MOUNT_WORLD_H
#define BERTH_TESTS_MOUNT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Group set-up and tear-down: one namespace a program, one empty tmpfs a group. */
int mount_world_setup(void **state);
int mount_world_teardown(void **state);
/* First line of a test that needs it: skips, with the reason said, where there is none. */
void mount_world_need(void);

/* The tmpfs. */
const char *mount_world_root(void);
/* Its path with another behind it; one of four buffers in turn. */
const char *mount_world_path(const char *path);
/* All of these fail the test where they cannot. Paths below the root. */
void mount_world_mkdir(const char *path); /* with its parents */
void mount_world_write(const char *path, const char *text);
void mount_world_tmpfs(const char *path, const char *options);
void mount_world_umount_all(const char *path);
/* -errno of writing a file there, 0 where it works. */
int mount_world_try_write(const char *path);
bool mount_world_exists(const char *path);
/* Lines of /proc/self/mountinfo with exactly this mount point, or (all) with one below the root. */
unsigned mount_world_count(const char *path);
unsigned mount_world_count_all(void);

/*
 * Runs fn in a child whose listed system calls (ends with -1) fail with errnum; what fn returns,
 * below 100; 100 where it could not be set up. mask: deny mount(2) only where its flags have these
 * bits.
 */
int mount_world_deny(int errnum, const int *calls, unsigned long mask, int (*fn)(void));

/* A mount whose file system is gone: FUSE without its server. false where this kernel has no FUSE.
 */
bool mount_world_dead(const char *path);

#endif
