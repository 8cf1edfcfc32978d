/* SPDX-License-Identifier: Apache-2.0 */
/* mounter_child.h: a mount child and a resolver that do what an order's names say */
#ifndef BERTH_TESTS_MOUNTER_CHILD_H
#define BERTH_TESTS_MOUNTER_CHILD_H

/*
 * What a directory or target says decides about an order: "hang": no answer; "fail": EACCES; "die";
 * "busy": a plain unmount is, a lazy one is not; "late": mounted only with an address. Every order
 * is a line in $MOUNTER_LOG.
 */
int mounter_child_main(void);

#endif
