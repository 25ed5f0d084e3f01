/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The runtime directory: root's alone, one nsmountd at a time, with the
 * control socket and the records in it.
 *
 *   control   the socket
 *   lock      held (fcntl(2), which no child inherits) while nsmountd runs, and
 *             mapped, which children inherit: so a helper is known as one
 *   records/  one file per view and graft (records.h)
 */
#ifndef NSM_NSMOUNTD_RUNTIME_H
#define NSM_NSMOUNTD_RUNTIME_H

#include "fs/base/error.h"

struct runtime {
        char *path;
        int fd;         /* the directory */
        int records_fd; /* records/ */
        int lock_fd;
        void *lock_page;
};

/*
 * Makes the directory when it is missing (its parent must exist), checks owner
 * and mode, takes the lock, and removes the socket that a dead nsmountd left.
 * -EPERM: not root's, or open to others, or something else in the socket's
 * place. -EBUSY: an nsmountd runs there, which @err names by its pid.
 */
int runtime_open(const char *path, struct runtime *ret, struct nsm_error *err);

/* A listening socket, non-blocking, mode 0600. */
int runtime_listen(const struct runtime *runtime, int *ret_fd, struct nsm_error *err);

/* Removes the socket: clients learn that nobody serves. */
void runtime_unlisten(const struct runtime *runtime);

/* Closes; the lock goes with it. All zero with descriptors of -1 is fine. */
void runtime_close(struct runtime *runtime);

#define RUNTIME_NONE { .path = NULL, .fd = -1, .records_fd = -1, .lock_fd = -1, \
                       .lock_page = NULL }
#define cleanup_runtime __attribute__((cleanup(runtime_close)))

#endif
