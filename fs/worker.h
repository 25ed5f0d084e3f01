/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the supervisor and a worker agree on. nsmountd starts
 *
 *     nsmountfs --worker -o uidmap=STORAGE:HOST:COUNT,gidmap=...[,OPTION...]
 *
 * as process 1 of a pid namespace, with the descriptors below and nothing else
 * of value open; every other descriptor from 3 on is closed by the worker.
 * OPTION: ro, coherence=shared|exclusive, devices=deny|allow, beside. Standard
 * input and output should be /dev/null, standard error takes the log.
 *
 * The worker exits 0 when the view's superblock is gone, when the connection
 * was aborted, or on SIGTERM; 1 when it cannot start or the device fails. It
 * ignores SIGHUP, SIGPIPE and SIGXFSZ.
 */
#ifndef NSM_WORKER_H
#define NSM_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

/* The /dev/fuse descriptor that the view's superblock was made with. */
#define NSM_WORKER_FD_FUSE 3
/*
 * A detached mount of the source directory: open_tree(OPEN_TREE_CLONE), not
 * recursive, nosuid and nodev, read-only for a view that is.
 */
#define NSM_WORKER_FD_SOURCE 4
/* A memfd of one page at least; struct nsm_worker_stats is at its start. */
#define NSM_WORKER_FD_STATE 5
/*
 * A detached mount of the view itself. Never used by the worker: held so that
 * the next supervisor finds it here (pidfd_getfd(2)). May be absent.
 */
#define NSM_WORKER_FD_MOUNT 6
/* The last of the fixed descriptors. */
#define NSM_WORKER_FD_LAST 6

#define NSM_WORKER_STATS_MAGIC 0x6e736d77u /* "nsmw" */
#define NSM_WORKER_STATS_VERSION 1u

enum nsm_worker_state {
        NSM_WORKER_STARTING = 0,
        NSM_WORKER_SERVING = 1,  /* confined, and INIT has been answered */
        NSM_WORKER_STOPPING = 2, /* SIGTERM or the superblock's end was seen */
};

/*
 * Written by the worker alone, with relaxed atomics; whoever maps it reads a
 * figure at a time. A hostile worker may write anything here: readers show the
 * numbers and decide nothing by them.
 */
struct nsm_worker_stats {
        uint32_t magic;   /* NSM_WORKER_STATS_MAGIC, written by the supervisor or the worker */
        uint32_t version; /* NSM_WORKER_STATS_VERSION */
        _Atomic uint32_t state; /* enum nsm_worker_state */
        _Atomic uint32_t threads;
        _Atomic uint64_t requests;    /* answered, forgets included */
        _Atomic uint64_t errors;      /* answered with an error other than ENOENT and ENODATA */
        _Atomic uint64_t descriptors; /* open for directories, handles, pins and locks */
        _Atomic uint64_t descriptors_peak;
        _Atomic uint64_t inodes;      /* records in use */
        _Atomic uint64_t table_bytes; /* memory of records, names and hash */
};

#endif
