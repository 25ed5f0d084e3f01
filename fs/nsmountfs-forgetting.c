/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-forgetting.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <time.h>

#include "fs/view/thread.h"

#define STACK_SIZE ((size_t)128 << 10)
#define NODES_AT_ONCE 512
#define END_SECONDS 2

/* As in linux/fuse.h of 7.45, which older headers lack. */
#define NOTIFY_PRUNE 9

struct message {
        uint32_t len;
        int32_t code;
        uint64_t unique; /* 0: a notification */
        uint32_t count;
        uint32_t padding;
        uint64_t spare;
};

/* 0 or -errno; -EINVAL from a kernel that does not know the message. */
static int tell(int fuse_fd, uint64_t *nodes, uint32_t n)
{
        struct message m = { .code = NOTIFY_PRUNE, .count = n };
        struct iovec parts[] = { { &m, sizeof m }, { nodes, n * sizeof *nodes } };

        m.len = (uint32_t)(parts[0].iov_len + parts[1].iov_len);
        return writev(fuse_fd, parts, 2) < 0 ? -errno : 0;
}

static bool is_quiet(void *arg)
{
        const struct nsm_forgetting *f = arg;
        struct pollfd p = { .fd = f->fuse_fd, .events = POLLIN };

        return poll(&p, 1, 0) == 0;
}

/* The kernel drops all that nobody uses. It writes back first, so others must serve. */
static bool drop_all(struct nsm_forgetting *f)
{
        struct nsm_thread *thread = nsm_thread_get(f->view);

        if (f->superblock_fd < 0 || !thread || nsm_thread_raise(thread, CAP_SYS_ADMIN) < 0)
                return false;
        bool done = fsconfig(f->superblock_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0;
        nsm_thread_lower(thread, CAP_SYS_ADMIN);
        return done;
}

static void *forget(void *arg)
{
        struct nsm_forgetting *f = arg;
        uint64_t nodes[NODES_AT_ONCE];
        int n;

        while ((n = nsm_room_choose(f->view, nodes, NODES_AT_ONCE)) >= 0) {
                if (f->prunes && n > 0)
                        f->prunes = tell(f->fuse_fd, nodes, (uint32_t)n) == 0;
                if (f->prunes && nsm_room_settle(f->view, (uint32_t)n, is_quiet, f))
                        continue;
                if (!drop_all(f) || !nsm_room_settle(f->view, UINT32_MAX, is_quiet, f))
                        nsm_room_give_up(f->view);
        }
        return NULL;
}

/* Under the view's lock. */
static void start(void *arg)
{
        struct nsm_forgetting *f = arg;
        pthread_attr_t attr;

        if (pthread_attr_init(&attr) != 0)
                return;
        pthread_attr_setstacksize(&attr, STACK_SIZE);
        f->started = pthread_create(&f->thread, &attr, forget, f) == 0;
        if (!f->started)
                f->view->room.served = false; /* the next one who needs room tries again */
        pthread_attr_destroy(&attr);
}

void nsm_forgetting_init(struct nsm_forgetting *f, struct nsm_view *view, int fuse_fd,
                         int superblock_fd)
{
        *f = (struct nsm_forgetting){ .view = view, .fuse_fd = fuse_fd,
                                      .superblock_fd = superblock_fd, .prunes = true };
        view->room.on_full_arg = f;
        view->room.on_full = start;
}

bool nsm_forgetting_end(struct nsm_forgetting *f)
{
        struct timespec until;

        nsm_room_stop(f->view);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += END_SECONDS;
        return !f->started || pthread_timedjoin_np(f->thread, NULL, &until) == 0;
}
