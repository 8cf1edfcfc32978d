/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.h: scope-bound release of memory, descriptors and objects, and how ownership leaves a
 * scope */
#ifndef BERTH_BASE_CLEANUP_H
#define BERTH_BASE_CLEANUP_H

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _must_check_ __attribute__((warn_unused_result))

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Yields the pointer and leaves NULL behind: the scope no longer owns it. */
#define TAKE_PTR(p)                          \
	({                                   \
		__typeof__(p) *_pp = &(p);   \
		__typeof__(p) _taken = *_pp; \
		*_pp = NULL;                 \
		_taken;                      \
	})

/* The same for a descriptor, which leaves -1 behind. */
#define TAKE_FD(fd)                   \
	({                            \
		int *_pf = &(fd);     \
		int _taken_fd = *_pf; \
		*_pf = -1;            \
		_taken_fd;            \
	})

/* Defines func##p() for _cleanup_(): calls func() on what the variable holds unless that is NULL.
 */
#define DEFINE_CLEANUP(type, func)          \
	static inline void func##p(type *p) \
	{                                   \
		if (*p)                     \
			func(*p);           \
	}

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* Closes *fd unless it is negative; errno survives. */
void cleanup_closep(int *fd);

#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_closep)

#endif
