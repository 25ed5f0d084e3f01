/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers that outlived their nsmountd. A helper is a fork of it, and so has
 * the lock file of its runtime directory mapped (runtime.h): that is how it is
 * known, whatever it has closed.
 */
#ifndef NSM_NSMOUNTD_LEFTOVER_H
#define NSM_NSMOUNTD_LEFTOVER_H

#include "tools/nsmountd/runtime.h"

/*
 * Waits until none is left; those that are still there after @limit_s seconds
 * are killed. We hold the lock, so that no new ones come. 0 or a negative errno.
 */
int leftover_wait(const struct runtime *runtime, unsigned limit_s, struct nsm_error *err);

#endif
