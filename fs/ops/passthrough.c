/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/passthrough.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fs/base/log.h"
#include "fs/ops/ops.h"
#include "fs/ops/set-ids.h"

/* Of the storage: not itself stacked, so that an overlay can still be mounted over the view. */
#define STACK_DEPTH_MAX 0

void nsm_passthrough_ask(struct nsm_fs *fs, struct fuse_conn_info *conn)
{
        bool on = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);

        if (on)
                conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
        atomic_store(&fs->view->stats->passthrough, on);
}

static bool is_on(const struct nsm_fs *fs)
{
        return atomic_load_explicit(&fs->view->stats->passthrough, memory_order_relaxed);
}

/*
 * The kernel wants CAP_SYS_ADMIN for both. It stays raised while requests only open
 * and close (nsm_thread_settle()): raising it costs as much as the rest of an open.
 */
static int register_as(struct nsm_thread *thread, int fuse_fd, struct nsm_wire_backing *backing)
{
        int r = nsm_set_ids_prepare_backing(thread);

        if (r == 0)
                r = nsm_thread_raise(thread, CAP_SYS_ADMIN);
        if (r < 0)
                return r;
        r = ioctl(fuse_fd, NSM_WIRE_BACKING_OPEN, backing);
        return r < 0 ? -errno : r;
}

int nsm_passthrough_register(struct nsm_fs *fs, int fd)
{
        struct nsm_wire_backing backing = { .fd = fd };
        struct nsm_thread *thread = nsm_thread_get(fs->view);

        if (!thread || !is_on(fs))
                return 0;
        int r = register_as(thread, fuse_session_fd(fs->fuse), &backing);
        if (r > 0) {
                atomic_store_explicit(&fs->has_passed, true, memory_order_relaxed);
                return r;
        }
        if (r != -ENOMEM && r != -ENOSPC && atomic_exchange(&fs->view->stats->passthrough, 0))
                nsm_log(LOG_NOTICE, "data goes through this view's process: the kernel cannot pass "
                        "it by: %s%s", strerror(-r), r == -ELOOP
                        ? " (the storage is itself stacked on another)" : r == -EPERM
                        ? " (that takes CAP_SYS_ADMIN)" : "");
        return 0;
}

void nsm_passthrough_unregister(struct nsm_fs *fs, int number)
{
        uint32_t argument = (uint32_t)number;

        if (!number)
                return;
        struct nsm_thread *thread = nsm_thread_get(fs->view);
        int r = thread ? nsm_thread_raise(thread, CAP_SYS_ADMIN) : -errno;
        if (r == 0 && ioctl(fuse_session_fd(fs->fuse), NSM_WIRE_BACKING_CLOSE, &argument) < 0)
                r = -errno;
        if (r < 0)
                nsm_log(LOG_WARNING, "a file stays registered with the kernel: %s", strerror(-r));
}

void nsm_passthrough_forget_times(struct nsm_fs *fs, uint64_t node)
{
        fuse_lowlevel_notify_inval_inode(fs->fuse, node, -1, 0);
}
