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
 * A detached mount of the view itself. Held so that the next supervisor finds it
 * here (pidfd_getfd(2)); the worker has the kernel drop through it what is cached
 * of the view, when that is too much. May be absent.
 */
#define NSM_WORKER_FD_MOUNT 6
/*
 * A pipe of struct nsm_worker_change, O_NONBLOCK: what others change on the
 * storage of a view with coherence=shared. May be absent. The worker has it open
 * for reading and writing, so that it has no end when nobody watches. Whoever
 * watches writes whole records, at most PIPE_BUF bytes at once, and drops what
 * the pipe has no room for: events make a change seen sooner, timeouts make it
 * seen in any case. The next supervisor takes the pipe back with pidfd_getfd(2)
 * and opens its writing end anew by its name in /proc/self/fd.
 */
#define NSM_WORKER_FD_CHANGES 7
/* The last of the fixed descriptors. */
#define NSM_WORKER_FD_LAST 7

/* What a change is about. */
#define NSM_CHANGE_NAME 1u /* @name in @dir came, went, or leads elsewhere */
#define NSM_CHANGE_HERE 2u /* the inode has been moved to this name */
#define NSM_CHANGE_ATTR 4u /* attributes of the inode */
#define NSM_CHANGE_DATA 8u /* its content, and so its attributes */

/*
 * One change within the worker's own volume, made by somebody else. An inode is
 * told by number and birth time (nanoseconds, 0: unknown), as statx(2) has them.
 */
struct nsm_worker_change {
        uint16_t size; /* of the record, its name and padding included: a multiple of 8 */
        uint16_t what; /* NSM_CHANGE_* */
        uint16_t type; /* S_IFMT part of the inode's mode; 0: nothing is known of an inode */
        uint16_t name_len; /* 0 unless NSM_CHANGE_NAME */
        uint64_t dir_ino, dir_birth;
        uint64_t ino, birth;
        char name[]; /* NUL-terminated */
};

/* Of a record with the longest name. */
#define NSM_WORKER_CHANGE_MAX (sizeof(struct nsm_worker_change) + 256)

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
        _Atomic uint64_t changes;     /* by others, of which the kernel has been told */
        _Atomic uint64_t passthrough; /* 1: the kernel reads and writes open files by itself */
        _Atomic uint64_t unopened;    /* 1: and reads directories without opening them */
        _Atomic uint64_t near;        /* 1: a busy caller is served on its own processor */
};

#endif
