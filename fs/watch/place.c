/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filesystem that is watched, and where on it something lies. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/watch/private.h"

#define MASK (STATX_BASIC_STATS | STATX_BTIME)
/* Directories from an event's place up to its volume; deeper ones learn by timeouts. */
#define CLIMB_MAX 4096
#define EVENTS (FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | \
                FAN_ONDIR)

/* Filesystems all changes of which come through this kernel. */
static bool tells_all(int fd)
{
        static const long local[] = { 0xef53 /* ext */, 0x58465342 /* xfs */, BTRFS_SUPER_MAGIC,
                                      TMPFS_MAGIC, F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
                                      0xca451a4e /* bcachefs */, 0x2fc12fc1 /* zfs */ };
        struct statfs sfs;

        if (fstatfs(fd, &sfs) < 0)
                return false;
        for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
                if ((long)sfs.f_type == local[i])
                        return true;
        return false;
}

static int look_at(int fd, struct statx *ret)
{
        return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, MASK, ret) < 0 ? -errno : 0;
}

static bool is_mount_root(const struct statx *stx)
{
        return (stx->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
               (stx->stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* A mount of our own, which keeps nobody from unmounting the host's, from its root on. */
static int clone_mount(int source_fd, int *ret)
{
        cleanup_fd int fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 0);
        struct statx stx;
        int r = fd < 0 ? -errno : look_at(fd, &stx);

        for (int i = 0; r == 0 && !is_mount_root(&stx); i++) {
                int up = i < CLIMB_MAX ? openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
                if (up < 0)
                        return i < CLIMB_MAX ? -errno : -ENAMETOOLONG;
                close(fd);
                fd = up;
                r = look_at(fd, &stx);
        }
        if (r < 0)
                return r;
        cleanup_fd int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
                                                        OPEN_TREE_CLOEXEC);
        if (tree < 0)
                return -errno;
        /* open_by_handle_at(2) takes no O_PATH. */
        *ret = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret < 0 ? -errno : 0;
}

int nsm_watch_open(struct nsm_watch *watch, int source_fd)
{
        cleanup_fd int mount = -1;
        struct stat st;

        if (fstat(source_fd, &st) < 0)
                return -errno;
        if (!tells_all(source_fd))
                return -EOPNOTSUPP;
        int r = clone_mount(source_fd, &mount);
        if (r < 0)
                return r;
        /* Of bounded length: what overflows is seen by timeouts. */
        cleanup_fd int group = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME_TARGET |
                                                     FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
        if (group < 0 ||
            fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, mount, ".") < 0)
                return -errno;
        watch->mount_fd = nsm_take_fd(&mount);
        watch->group_fd = nsm_take_fd(&group);
        watch->device = st.st_dev;
        return 0;
}

int nsm_watch_look(const struct nsm_watch *watch, struct file_handle *handle, int *ret_fd,
                   struct statx *ret)
{
        cleanup_fd int fd = open_by_handle_at(watch->mount_fd, handle, O_PATH | O_CLOEXEC);
        int r = fd < 0 ? -errno : look_at(fd, ret);

        if (r == 0)
                *ret_fd = nsm_take_fd(&fd);
        return r;
}

static bool is_source(const struct nsm_watch *watch, const struct statx *stx)
{
        for (size_t i = 0; i < watch->n_views; i++)
                if (watch->views[i]->source == stx->stx_ino)
                        return true;
        return false;
}

/* The first source on the way up from @fd, which is taken; 0: there is none. */
static uint64_t climb(const struct nsm_watch *watch, int fd, struct statx stx)
{
        cleanup_fd int at = fd;

        for (int i = 0; i < CLIMB_MAX; i++) {
                if (is_source(watch, &stx))
                        return stx.stx_ino;
                if (is_mount_root(&stx))
                        return 0;
                /* Outside of the mount there is no way up: ENOENT. */
                int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (up < 0)
                        return 0;
                close(at);
                at = up;
                if (look_at(at, &stx) < 0)
                        return 0;
        }
        return 0;
}

/* Where such a handle would be remembered; NULL: it is too long. */
static struct nsm_watched_place *slot_of(struct nsm_watch *watch,
                                         const struct file_handle *handle)
{
        uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

        if (handle->handle_bytes > NSM_WATCH_HANDLE_MAX)
                return NULL;
        for (unsigned i = 0; i < handle->handle_bytes; i++)
                hash = (hash ^ handle->f_handle[i]) * 0x100000001b3u;
        return &watch->places[(hash ^ hash >> 32) % NSM_WATCH_PLACES];
}

static bool is_of(const struct nsm_watched_place *place, uint64_t generation,
                  const struct file_handle *handle)
{
        return place->generation == generation && place->handle_type == handle->handle_type &&
               place->handle_bytes == handle->handle_bytes &&
               memcmp(place->handle, handle->f_handle, handle->handle_bytes) == 0;
}

int nsm_watch_find_place(struct nsm_watch *watch, struct file_handle *handle,
                         struct nsm_watched_place *ret)
{
        struct nsm_watched_place *slot = slot_of(watch, handle);
        struct statx stx;
        int fd;

        if (slot && is_of(slot, watch->generation, handle)) {
                *ret = *slot;
                return 0;
        }
        int r = nsm_watch_look(watch, handle, &fd, &stx);
        if (r < 0)
                return r;
        *ret = (struct nsm_watched_place){
                .generation = watch->generation,
                .ino = stx.stx_ino,
                .birth = nsm_watch_birth(&stx),
                .source = climb(watch, fd, stx),
                .handle_type = handle->handle_type,
                .handle_bytes = handle->handle_bytes,
        };
        if (slot) {
                memcpy(ret->handle, handle->f_handle, handle->handle_bytes);
                *slot = *ret;
        }
        return 0;
}
