/* SPDX-License-Identifier: Apache-2.0 */
/* recover.h: berthctl restore and adopt */
#ifndef BERTH_BERTHCTL_RECOVER_H
#define BERTH_BERTHCTL_RECOVER_H

#include "tools/berthctl/cli.h"

int recover_restore(const struct cli *c);
int recover_adopt(const struct cli *c);

#endif
