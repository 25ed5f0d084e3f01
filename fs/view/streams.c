/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "fs/base/cleanup.h"
#include "fs/view/resolve.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

bool nsm_streams_suit(const struct nsm_view *view)
{
        struct statfs st;

        if (fstatfs(view->root_fd, &st) < 0)
                return false;
        switch ((unsigned long)st.f_type) {
        case EXT4_SUPER_MAGIC:
        case XFS_SUPER_MAGIC:
        case BTRFS_SUPER_MAGIC:
        case TMPFS_MAGIC: /* since Linux 6.6 */
                return true;
        default:
                return false;
        }
}

static void clear(struct nsm_stream *stream)
{
        *stream = (struct nsm_stream){ .fd = -1 };
}

/* Under the lock. */
static bool take_kept(struct nsm_view *view, uint64_t node, int64_t off, struct nsm_stream *ret)
{
        const struct nsm_inode *inode = nsm_table_get(&view->table, node);

        for (unsigned i = 0; inode && off && i < NSM_STREAMS_MAX; i++) {
                struct nsm_stream *s = &view->streams.kept[i];
                if (s->node != node || s->next != off || s->generation != inode->generation)
                        continue;
                *ret = *s;
                clear(s);
                return true;
        }
        *ret = (struct nsm_stream){ .fd = -1, .node = (uint32_t)node, .next = off,
                                    .generation = inode ? inode->generation : 0 };
        return false;
}

int nsm_stream_take(struct nsm_view *view, uint64_t node, int64_t off, struct nsm_stream *ret)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };

        pthread_mutex_lock(&view->lock);
        bool kept = take_kept(view, node, off, ret);
        pthread_mutex_unlock(&view->lock);
        if (kept)
                return 0;
        int r = nsm_dir_get(view, node, &dir);
        if (r < 0)
                return r;
        ret->fd = openat(dir.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return ret->fd < 0 ? -errno : 0;
}

void nsm_stream_keep(struct nsm_view *view, struct nsm_stream *stream)
{
        struct nsm_streams *streams = &view->streams;

        pthread_mutex_lock(&view->lock);
        unsigned turn = streams->turn++ % NSM_STREAMS_MAX;
        int old = streams->kept[turn].node ? streams->kept[turn].fd : -1;
        streams->kept[turn] = *stream;
        pthread_mutex_unlock(&view->lock);
        clear(stream);
        nsm_close_fd(old);
}

void nsm_streams_drop(struct nsm_view *view)
{
        struct nsm_streams dropped;

        pthread_mutex_lock(&view->lock);
        dropped = view->streams;
        memset(&view->streams, 0, sizeof view->streams);
        pthread_mutex_unlock(&view->lock);
        for (unsigned i = 0; i < NSM_STREAMS_MAX; i++)
                if (dropped.kept[i].node)
                        nsm_close_fd(dropped.kept[i].fd);
}
