/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The beginning of a nsmountd that is not the first: takes back what lives,
 * by the records of the one before, which may have been killed at any instant.
 */
#ifndef NSM_NSMOUNTD_ADOPT_H
#define NSM_NSMOUNTD_ADOPT_H

#include "tools/nsmountd/supervisor.h"

/*
 * Before serving. Views whose workers run go on; the others are dead, as long
 * as they have grafts. Helpers of the former nsmountd are waited for
 * (HELPER_LIMIT_S at most, then killed), because they complete or undo what they
 * were at; then the tables say which grafts there are.
 */
int adopt_all(struct supervisor *supervisor, struct nsm_error *err);

#endif
