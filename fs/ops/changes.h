/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What others change on the storage of a shared view: one thread tells the
 * kernel what to forget. It serves no request and holds no lock while it does,
 * because the kernel may wait then for requests that others serve.
 *
 * - Each change that comes through the pipe of fs/worker.h, exactly.
 * - Pages of open files that somebody may be storing into through a mapping,
 *   which no event and, while the page is dirty, no time of change tells:
 *   every NSM_PAGES_AGE_MS, see fs/view/age.h.
 */
#ifndef NSM_OPS_CHANGES_H
#define NSM_OPS_CHANGES_H

#include "fs/ops/ops.h"

/* For how long pages of a file may be kept that others may store into. */
#define NSM_PAGES_AGE_MS 400

struct nsm_changes;

/*
 * Starts the thread. @pipe_fd (-1: none), open for reading and writing so that it
 * has no end, goes to it. It ends with the process:
 * nothing but that takes a thread out of a kernel that waits for the storage.
 */
int nsm_changes_start(struct nsm_fs *fs, struct fuse_session *fuse, int pipe_fd,
                      struct nsm_changes **ret);

/* The kernel has been given pages of an open file. Any thread; NULL: nothing to do. */
void nsm_changes_note_pages(struct nsm_changes *changes, uint64_t handle);

#endif
