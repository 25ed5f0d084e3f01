/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What locks and the waits for them share. */
#ifndef NSM_VIEW_LOCKS_PRIVATE_H
#define NSM_VIEW_LOCKS_PRIVATE_H

#include "fs/view/lock-waits.h"

#define NSM_LOCKS_BUCKETS 64u

struct nsm_lock_owner {
        struct nsm_lock_owner *next;
        uint64_t node, owner;
        int fd;               /* owned */
        bool lent;            /* the description is that of the open file @handle */
        pthread_mutex_t busy; /* from a change on the storage until it is written down */
        /* below under the lock of struct nsm_locks */
        unsigned refs; /* operations */
        struct nsm_ranges ranges;
        uint64_t handle; /* through which it asked first */
        bool process;    /* it asked through another one, too: it is no open file */
        pid_t pid;       /* the kernel's, of the process that locked last */
};

struct nsm_locks {
        struct nsm_view *view;
        pthread_mutex_t lock;
        /* below under @lock */
        struct nsm_lock_owner *buckets[NSM_LOCKS_BUCKETS];
        uint32_t count;
        struct nsm_lock_waits waits;
};

#endif
