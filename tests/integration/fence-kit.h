/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Things that code may try which an attacker runs in a worker. Each runs in a
 * process of its own that is confined by nsm_confine(), as a worker is.
 */
#ifndef NSM_TESTS_FENCE_KIT_H
#define NSM_TESTS_FENCE_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "fs/nsmountfs-confine.h"
#include "tests/harness/harness.h"

/* What comes of an attempt: an errno, 0 for success, or one of these. */
enum { FENCE_KILLED = -1, /* by the filter */ FENCE_DIED = -2 /* of something else */ };

/* What an attempt finds in its process. */
struct fence {
        int proc_fd; /* the own descriptors */
        int root_fd; /* the volume, which is also "/" */
};

struct attempt {
        const char *name;
        /* Returns 0 when it worked, else errno. NULL: the raw system call below. */
        int (*fn)(const struct fence *fence);
        int expect;
        long number, arguments[6];
};

/* A raw system call that must end the process. Arguments: numbers, or pointers as long. */
#define KILLED(call, ...) \
        { #call, NULL, FENCE_KILLED, SYS_##call, { __VA_ARGS__ } }
#define P(pointer) ((long)(uintptr_t)(pointer))

static inline int fence_try(const struct attempt *attempt, const struct fence *fence)
{
        const long *a = attempt->arguments;

        if (attempt->fn)
                return attempt->fn(fence);
        return syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0;
}

/* In the process to be confined. Does not return. */
static inline void fence_be_worker(const char *source, bool read_only,
                                   const struct attempt *attempt)
{
        struct nsm_view_config config = { .read_only = read_only };
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                   .propagation = MS_PRIVATE };
        struct nsm_error err = { 0 };
        struct fence fence = { .root_fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE) };

        if (read_only)
                attr.attr_set |= MOUNT_ATTR_RDONLY;
        if (fence.root_fd < 0 ||
            mount_setattr(fence.root_fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ||
            nsm_confine(&config, fence.root_fd, &fence.proc_fd, &err) < 0) {
                fprintf(stderr, "%s: %s (%m)\n", attempt->name, err.text);
                _exit(255);
        }
        _exit(fence_try(attempt, &fence));
}

static inline int fence_result(int status)
{
        if (WIFSIGNALED(status))
                return WTERMSIG(status) == SIGSYS ? FENCE_KILLED : FENCE_DIED;
        return WEXITSTATUS(status);
}

struct attempts {
        const char *source;
        bool read_only;
        const struct attempt *list;
        size_t n;
};

/* For nsm_world_call(): names what does not come as expected; 1 when there is such. */
static inline int fence_try_all(void *arg)
{
        const struct attempts *all = arg;
        int bad = 0;

        for (size_t i = 0; i < all->n; i++) {
                const struct attempt *attempt = &all->list[i];
                cleanup_fd int pidfd = -1;
                int status;
                pid_t pid = nsm_sys_fork(CLONE_NEWPID, &pidfd);

                if (pid == 0)
                        fence_be_worker(all->source, all->read_only, attempt);
                if (pid < 0 || waitpid(pid, &status, 0) != pid)
                        return 2;
                int result = fence_result(status);
                if (result != attempt->expect) {
                        fprintf(stderr, "%s: %d, not %d (0 works, -1 killed by the filter, -2 "
                                "another signal, else errno)\n", attempt->name, result,
                                attempt->expect);
                        bad = 1;
                }
        }
        return bad;
}

#define FENCE_TRY(world, source_dir, ro, attempts_array)                                        \
        do {                                                                                    \
                struct attempts all_ = { source_dir, ro, attempts_array,                        \
                                         sizeof(attempts_array) / sizeof((attempts_array)[0]) }; \
                struct nsm_output *o_ = nsm_world_call(world, fence_try_all, &all_);            \
                cr_assert_eq(o_->status, 0, "%s", o_->err);                                     \
        } while (0)

#endif
