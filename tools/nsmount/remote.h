/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands that ask nsmountd have in common. */
#ifndef NSM_NSMOUNT_REMOTE_H
#define NSM_NSMOUNT_REMOTE_H

#include <jansson.h>

#include "tools/nsmount/command.h"
#include "tools/nsmount/output.h"

/*
 * Connects, calls @method, and disconnects. @parameters is taken over, and may
 * be NULL only for want of memory, which is then the error. @fd: passed beside
 * it, or -1. Holders that a Busy error names follow the error as lines of their
 * own. *ret_reply is the caller's; may be NULL.
 */
int nsm_remote_call(const struct nsm_invocation *inv, const char *method, json_t *parameters,
                    int fd, json_t **ret_reply, struct nsm_error *err);

/*
 * A pidfd of the process that --pid names. Gone, a thread, not a number: each
 * has its own words. The caller closes it.
 */
int nsm_remote_open_process(const struct nsm_invocation *inv, struct nsm_error *err);

/* An absolute path of the host for @path, with no symlink followed. The caller frees *ret. */
int nsm_remote_absolute(const char *path, char **ret, struct nsm_error *err);

#endif
