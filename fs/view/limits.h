/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bounds on what a tenant can make a worker hold, beside those in table.h
 * and names.h. Shares of descriptors are parts of RLIMIT_NOFILE. Pure.
 */
#ifndef NSM_VIEW_LIMITS_H
#define NSM_VIEW_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* Threads that answer requests, and threads that wait for a file lock. */
#define NSM_THREADS_MAX 16
/* The same when the storage makes no progress: so that what it can answer is answered. */
#define NSM_THREADS_STUCK_MAX 64
/*
 * One file has a share: whoever waits on it without end leaves room for those who
 * wait on others. By whom is not told to a view, so that nobody has a share of his own.
 */
#define NSM_LOCK_WAITERS_MAX 1088
#define NSM_LOCK_WAITERS_OF_FILE_MAX 1024

/* Ranges of bytes that one process has locked of one file. */
#define NSM_LOCK_RANGES_MAX 4096

/* Directories that wait, open, to be read on (streams.h). */
#define NSM_STREAMS_MAX 16

/* Bytes of one write, read or directory reply (max_write). */
#define NSM_REQUEST_BYTES_MAX ((uint32_t)1 << 20)

/* Requests that the kernel queues in the background (max_background). */
#define NSM_REQUESTS_BACKGROUND_MAX 64

/* Bytes of one extended attribute, or of a list of names (XATTR_SIZE_MAX). */
#define NSM_XATTR_BYTES_MAX 65536

/* Records on the way up to a known directory: a deeper path is ESTALE. */
#define NSM_DEPTH_MAX 65536

/* Inodes that the kernel holds of a view: the most, and the least that may be set. */
#define NSM_INODES_MAX 16777215
#define NSM_INODES_MIN 256

/* Threads that wait until it forgets some, and room for what is made by then. */
#define NSM_ROOM_WAITERS_MAX (NSM_THREADS_MAX / 2)
#define NSM_ROOM_RESERVE 32

struct nsm_limits {
        uint32_t directories; /* directories held open to find names below them */
        uint32_t pins;        /* inodes without a name and not open, until they are forgotten */
        uint32_t handles;     /* open files and directories */
        uint32_t file_handles; /* of them, so that directories can be read when files are many */
        uint32_t lock_owners; /* pairs of an inode and a process that locks it */
};

/* Divides the descriptors that a process may have. @locks: it holds those of others. */
struct nsm_limits nsm_limits_divide(uint64_t descriptors, bool locks);

#endif
