/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One view: a directory tree of the storage as one tenant sees it. This is all
 * state that its operations share. No FUSE here.
 *
 * Locks, in the order in which they are taken:
 *   changes  shared by operations that change names, from before the system
 *            call until the table says the same; exclusive by whoever did not
 *            find an inode where the table has it, or was overtaken again and
 *            again by changes (see moves.h), to look again while nothing changes
 *            (see resolve.h). Nothing is resolved under it when shared.
 *   lock     the table, the caches and all counters; no slow call under it.
 */
#ifndef NSM_VIEW_VIEW_H
#define NSM_VIEW_VIEW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/base/error.h"
#include "fs/view/dircache.h"
#include "fs/view/handles.h"
#include "fs/view/ids.h"
#include "fs/view/limits.h"
#include "fs/view/moves.h"
#include "fs/view/room.h"
#include "fs/view/streams.h"
#include "fs/view/table.h"
#include "fs/worker.h"

enum nsm_coherence {
        NSM_COHERENCE_SHARED,    /* others write to the storage, too */
        NSM_COHERENCE_EXCLUSIVE, /* nobody else does: caches live without end */
        NSM_COHERENCE_BESIDE,    /* read-only beside a view that writes: no caches */
};

/* What a view is told when it is made. Constant afterwards. */
struct nsm_view_config {
        struct nsm_ids ids; /* owned by the view once it is made */
        enum nsm_coherence coherence;
        bool read_only;
        uint32_t inodes; /* that the kernel may hold; 0: as many as the table can */
        bool devices; /* device nodes may be opened: its mounts are not nodev */
};

/* What reading does to access times on the source's mount. */
enum nsm_atime { NSM_ATIME_NEVER, NSM_ATIME_RELATIVE, NSM_ATIME_STRICT };

struct nsm_view {
        struct nsm_view_config config;
        struct nsm_limits limits;
        int root_fd; /* O_PATH, owned */
        int proc_fd; /* /proc/self/fd of a private procfs instance, owned */
        dev_t root_dev;
        enum nsm_atime atime;
        struct nsm_worker_stats *stats; /* borrowed, shared with the supervisor */
        pthread_key_t thread_key;       /* struct nsm_thread of each thread */

        pthread_rwlock_t changes;
        pthread_mutex_t lock;
        /* all below are under @lock */
        struct nsm_table table;
        struct nsm_dircache dirs;
        struct nsm_handles handles;
        struct nsm_room room;
        struct nsm_moves moves;
        struct nsm_streams streams;
        uint32_t handles_reserved; /* for files that are being made */
        uint32_t pins; /* records with a descriptor of their own */
};

/*
 * Makes a view of the directory @root_fd (any kind of descriptor). @proc_fd is
 * /proc/self/fd. Both, and the maps in @config, go to the view on success. The
 * calling process's limits decide how many descriptors it may use.
 */
int nsm_view_new(const struct nsm_view_config *config, int root_fd, int proc_fd,
                 struct nsm_worker_stats *stats, struct nsm_view **ret, struct nsm_error *err);

/* Closes all. No operation may be running. */
void nsm_view_free(struct nsm_view *view);

/* Gives memory back that nothing needs any more: for quiet moments. Takes the lock. */
void nsm_view_shrink(struct nsm_view *view);

/* Brings the shared figures up to date. Takes the lock. */
void nsm_view_publish(struct nsm_view *view);

/* Which inode of the storage this is, as the table keeps it. @stx: BASIC and BTIME asked for. */
void nsm_view_identify(const struct nsm_view *view, const struct statx *stx,
                       struct nsm_identity *ret);

/* What the kernel is shown of an inode: ids shifted. */
void nsm_view_show(const struct nsm_view *view, const struct statx *stx, struct stat *ret);

#endif
