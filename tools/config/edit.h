/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes the text of a configuration file and leaves everything else in it,
 * comments and order, as an admin wrote it. Pure.
 */
#ifndef NSM_CONFIG_EDIT_H
#define NSM_CONFIG_EDIT_H

#include <stddef.h>

#include "fs/base/error.h"

/*
 * Gives a key of a section these values, one line for each, in place of those
 * that it has; no values remove it. A section that is not there is added at the
 * end. @text is valid configuration from malloc(3), ended by NUL, and is replaced.
 * -EINVAL: a value that a line cannot hold (a newline, blanks around it); -ENOMEM.
 */
int nsm_edit_set(char **text, const char *section, const char *key, const char *const *values,
                 size_t n, struct nsm_error *err);

/* Removes a section with its settings and the comments between them. 0, -ENOENT, -ENOMEM. */
int nsm_edit_remove_section(char **text, const char *section, struct nsm_error *err);

#endif
