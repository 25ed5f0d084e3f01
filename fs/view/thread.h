/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a thread of a view has of its own: file system ids, umask, working
 * directory, and a buffer. The working directory is the private procfs's
 * /proc/self/fd, so that a relative path "12" is whatever descriptor 12 is;
 * unshare(CLONE_FS) makes it and the umask the thread's.
 */
#ifndef NSM_VIEW_THREAD_H
#define NSM_VIEW_THREAD_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nsm_view;

struct nsm_thread {
        uid_t uid; /* storage ids in force */
        gid_t gid;
        gid_t group; /* the one supplementary group; NSM_ID_INVALID: none */
        mode_t umask;
        uint64_t permitted; /* capabilities, as bits */
        uint64_t effective;
        char *buffer; /* owned, see nsm_thread_buffer() */
        size_t buffer_size;
};

/*
 * Capabilities that are effective only around the calls that they are for, when
 * the kernel has found that the caller has them (or has decided about set-id
 * bits). What else a thread is permitted is always effective.
 */
#define NSM_CAPS_HELD_BACK                                                      \
        ((uint64_t)1 << CAP_FSETID | (uint64_t)1 << CAP_LINUX_IMMUTABLE |       \
         (uint64_t)1 << CAP_SYS_ADMIN)

/* Decimal text of a descriptor: its path in the thread's working directory. */
struct nsm_fd_path {
        char text[12];
};

/* The calling thread's own, made on first use. NULL and errno when it cannot be. */
struct nsm_thread *nsm_thread_get(struct nsm_view *view);

/* Pthread-key destructor. */
void nsm_thread_free(void *thread);

/* From here on the thread creates as this owner, given as storage ids. 0 or -errno. */
int nsm_thread_become(struct nsm_thread *thread, uid_t uid, gid_t gid);

/* From here on @group, a storage id, is its only supplementary group; NSM_ID_INVALID: none. */
int nsm_thread_join(struct nsm_thread *thread, gid_t group);

/* From here on the thread creates with this umask. */
void nsm_thread_set_umask(struct nsm_thread *thread, mode_t mask);

/*
 * Whether set-id bits stay (CAP_FSETID): off for whatever a tenant writes, so
 * that the storage strips them; on where the kernel has decided already. 0 or -errno.
 */
int nsm_thread_keep_set_ids(struct nsm_thread *thread, bool keep);

/*
 * Makes one of NSM_CAPS_HELD_BACK (CAP_*) effective until nsm_thread_lower().
 * Where it is not permitted nothing happens, and the storage will refuse. 0 or -errno.
 */
int nsm_thread_raise(struct nsm_thread *thread, int cap);
void nsm_thread_lower(struct nsm_thread *thread, int cap);

/* Lowers what the thread's last request has left raised for the next of its kind. */
void nsm_thread_settle(struct nsm_view *view);

/* Room for @size bytes, the thread's until its next call. NULL: no memory. */
char *nsm_thread_buffer(struct nsm_thread *thread, size_t size);

/* Gives the memory of the buffer back. */
void nsm_thread_trim(struct nsm_thread *thread);

struct nsm_fd_path nsm_fd_path(int fd);

/* Sets the size of an open file, also of one that is open for reading alone. 0 or -errno. */
int nsm_fd_truncate(int fd, off_t size);

#endif
