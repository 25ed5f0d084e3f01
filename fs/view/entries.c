/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/entries.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "fs/view/pins.h"
#include "fs/view/resolve-private.h"

int nsm_entry_check_name(const char *name)
{
        size_t len = strlen(name);

        if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
                return -EINVAL;
        return len > NSM_FILE_NAME_MAX ? -ENAMETOOLONG : 0;
}

int nsm_caller_become(struct nsm_view *view, struct nsm_thread *thread,
                      const struct nsm_caller *caller)
{
        uint32_t uid, gid, group;

        int r = nsm_ids_store(&view->config.ids.uids, caller->uid, &uid);
        if (r == 0)
                r = nsm_ids_store(&view->config.ids.gids, caller->gid, &gid);
        if (r == 0)
                r = nsm_thread_become(thread, uid, gid);
        if (nsm_ids_store(&view->config.ids.gids, caller->group, &group) < 0)
                group = NSM_ID_INVALID;
        if (r == 0)
                r = nsm_thread_join(thread, group);
        if (r == 0)
                nsm_thread_set_umask(thread, caller->umask);
        return r;
}

/* How an inode came to be known. */
enum finding {
        MADE,   /* or opened; there was room when that began */
        WANTED, /* by name: worth waiting for room */
        LISTED, /* among others */
};

/* Whether the table takes an inode. Under the lock, which it may let go meanwhile. */
static int admit(struct nsm_view *view, const struct nsm_identity *identity, enum finding how)
{
        if (how == MADE || nsm_table_find(&view->table, identity))
                return 0;
        if (how == LISTED)
                return nsm_room_is_ample(view) ? 0 : -ENFILE;
        return nsm_room_wait(view);
}

/* Where something is looked for. */
struct place {
        int dir_fd;
        uint64_t parent;
        const char *name; /* NULL: what is made has none */
        uint64_t since;   /* nsm_moves_now(), from before that */
};

/* No rename comes between looking and noting: under the exclusive lock of changes. */
#define SINCE_NEVER UINT64_MAX

/* Of try_note(): what was found may have gone from there. */
#define OVERTAKEN 1

/* Looks again before changes are made to wait for it. */
#define LOOKS_MAX 4

/* Counts a lookup of what was found or made at a place. 0, OVERTAKEN or -errno. */
static int try_note(struct nsm_view *view, const struct place *at, const struct statx *stx,
                    enum finding how, struct nsm_entry *ret)
{
        struct nsm_identity identity;
        uint32_t node;

        nsm_view_identify(view, stx, &identity);
        pthread_mutex_lock(&view->lock);
        int r = admit(view, &identity, how);
        if (r == 0 && at->name && nsm_moves_since(&view->moves, identity.ino, at->since))
                r = OVERTAKEN;
        if (r == 0)
                r = nsm_table_remember(&view->table, &identity, (uint32_t)at->parent, at->name,
                                       &node);
        if (r == 0) {
                ret->node = node;
                ret->generation = nsm_table_get(&view->table, node)->generation;
        }
        pthread_mutex_unlock(&view->lock);
        if (r == 0)
                nsm_view_show(view, stx, &ret->attr);
        return r;
}

static int try_note_at(struct nsm_view *view, const struct place *at, enum finding how,
                       struct nsm_entry *ret)
{
        struct statx stx;

        int r = nsm_statx(at->dir_fd, at->name, &stx);
        return r < 0 ? r : try_note(view, at, &stx, how, ret);
}

/* Looks a name up, and notes what is there. */
static int note_at(struct nsm_view *view, int dir_fd, uint64_t parent, const char *name,
                   enum finding how, struct nsm_entry *ret)
{
        struct place at = { .dir_fd = dir_fd, .parent = parent, .name = name };
        int r = OVERTAKEN;

        for (int i = 0; r == OVERTAKEN && i < LOOKS_MAX; i++) {
                at.since = nsm_moves_now(&view->moves);
                r = try_note_at(view, &at, how, ret);
        }
        if (r != OVERTAKEN)
                return r;
        at.since = SINCE_NEVER;
        pthread_rwlock_wrlock(&view->changes);
        /* Room has been waited for, and is not under this lock. */
        r = try_note_at(view, &at, how == WANTED ? MADE : how, ret);
        pthread_rwlock_unlock(&view->changes);
        return r;
}

/* Notes an open file, which is the one that it is whatever became of its name. */
static int note_open(struct nsm_view *view, const struct place *at, const struct statx *stx,
                     struct nsm_entry *ret)
{
        struct place now = { .dir_fd = at->dir_fd, .parent = at->parent, .since = SINCE_NEVER };
        struct nsm_identity identity;
        struct statx there;

        int r = try_note(view, at, stx, MADE, ret);
        if (r != OVERTAKEN)
                return r;
        nsm_view_identify(view, stx, &identity);
        pthread_rwlock_wrlock(&view->changes);
        if (nsm_statx(at->dir_fd, at->name, &there) == 0 &&
            nsm_resolve_is_same(view, &identity, &there))
                now.name = at->name;
        r = try_note(view, &now, stx, MADE, ret);
        pthread_rwlock_unlock(&view->changes);
        return r;
}

int nsm_entry_list(struct nsm_view *view, int dir_fd, uint64_t parent, const char *name,
                   struct nsm_entry *ret)
{
        int r = nsm_entry_check_name(name);

        return r < 0 ? r : note_at(view, dir_fd, parent, name, LISTED, ret);
}

int nsm_entry_lookup(struct nsm_view *view, uint64_t parent, const char *name,
                     struct nsm_entry *ret)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };

        int r = nsm_dir_get(view, parent, &dir);
        if (r == -EXDEV)
                return -ENOENT; /* a foreign directory is shown empty */
        if (r == 0)
                r = nsm_entry_check_name(name);
        return r < 0 ? r : note_at(view, dir.fd, parent, name, WANTED, ret);
}

void nsm_entry_forget(struct nsm_view *view, uint64_t node, uint64_t n)
{
        pthread_mutex_lock(&view->lock);
        nsm_table_forget(&view->table, node, n);
        pthread_mutex_unlock(&view->lock);
}

/* Room for what will be made: nothing is left behind for want of it. */
static int make_room(struct nsm_view *view)
{
        pthread_mutex_lock(&view->lock);
        int r = nsm_room_wait(view);
        pthread_mutex_unlock(&view->lock);
        return r;
}

/* All that comes before something is made: room, the directory, the thread's credentials. */
static int prepare(struct nsm_view *view, uint64_t parent, const char *name, mode_t mode,
                   const struct nsm_caller *caller, struct nsm_dir *ret)
{
        struct nsm_thread *thread = nsm_thread_get(view);

        if (!thread)
                return -errno;
        if (view->config.read_only)
                return -EROFS;
        int r = nsm_entry_check_name(name);
        if (r == 0)
                r = make_room(view);
        if (r == 0)
                r = nsm_dir_get(view, parent, ret);
        if (r == 0)
                r = nsm_caller_become(view, thread, caller);
        /*
         * The kernel has taken S_ISGID away where this caller may not set it. A
         * caller in the directory's group keeps it as such, others by privilege.
         */
        if (r == 0 && (mode & S_ISGID))
                r = nsm_thread_keep_set_ids(thread, caller->group == NSM_ID_INVALID);
        return r;
}

int nsm_entry_make(struct nsm_view *view, uint64_t parent, const char *name,
                   const struct nsm_make *make, const struct nsm_caller *caller,
                   struct nsm_entry *ret)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };

        int r = prepare(view, parent, name, make->mode, caller, &dir);
        if (r < 0)
                return r;
        if (S_ISDIR(make->mode))
                r = mkdirat(dir.fd, name, make->mode & ~S_IFMT);
        else if (S_ISLNK(make->mode))
                r = symlinkat(make->target, dir.fd, name);
        else
                r = mknodat(dir.fd, name, make->mode, make->rdev);
        return r < 0 ? -errno : note_at(view, dir.fd, parent, name, MADE, ret);
}

int nsm_data_flags(int flags)
{
        /*
         * Not O_APPEND: pages of a mapping are written back through any open
         * file, at their own offset. Not O_DIRECT: the worker's buffers are
         * not aligned, and the kernel does what the caller means by it.
         */
        return (flags & (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME)) | O_NOFOLLOW | O_NONBLOCK |
               O_CLOEXEC | O_NOCTTY;
}

/* A name that is there already when a file is to be made without O_EXCL. */
static int open_existing(struct nsm_view *view, const struct place *at, int flags,
                         struct nsm_entry *ret, int *ret_fd)
{
        struct statx stx;

        int r = nsm_statx(at->dir_fd, at->name, &stx);
        if (r < 0)
                return r;
        if (!S_ISREG(stx.stx_mode))
                return S_ISDIR(stx.stx_mode) ? -EISDIR : -EEXIST;
        cleanup_fd int fd = openat(at->dir_fd, at->name, nsm_data_flags(flags));
        if (fd < 0)
                return -errno;
        r = nsm_statx(fd, "", &stx);
        if (r == 0 && !S_ISREG(stx.stx_mode))
                r = -ESTALE;
        if (r == 0 && (flags & O_TRUNC)) {
                r = nsm_fd_truncate(fd, 0);
                if (r == 0)
                        r = nsm_statx(fd, "", &stx);
        }
        if (r == 0)
                r = note_open(view, at, &stx, ret);
        if (r == 0)
                *ret_fd = nsm_take_fd(&fd);
        return r;
}

int nsm_entry_create(struct nsm_view *view, uint64_t parent, const char *name, mode_t mode,
                     int flags, const struct nsm_caller *caller, struct nsm_entry *ret,
                     int *ret_fd)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        struct statx stx;

        int r = prepare(view, parent, name, mode, caller, &dir);
        if (r < 0)
                return r;
        struct place at = { dir.fd, parent, name, nsm_moves_now(&view->moves) };
        cleanup_fd int fd = openat(dir.fd, name, nsm_data_flags(flags) | O_CREAT | O_EXCL,
                                   mode & ~S_IFMT);
        if (fd < 0 && errno == EEXIST && !(flags & O_EXCL))
                return open_existing(view, &at, flags, ret, ret_fd);
        if (fd < 0)
                return -errno;
        r = nsm_statx(fd, "", &stx);
        if (r == 0)
                r = note_open(view, &at, &stx, ret);
        if (r == 0)
                *ret_fd = nsm_take_fd(&fd);
        return r;
}

int nsm_entry_tmpfile(struct nsm_view *view, uint64_t parent, mode_t mode, int flags,
                      const struct nsm_caller *caller, struct nsm_entry *ret, int *ret_fd)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        struct statx stx;

        int r = prepare(view, parent, "tmpfile", mode, caller, &dir);
        if (r < 0)
                return r;
        cleanup_fd int fd = openat(dir.fd, ".", (nsm_data_flags(flags) & ~O_NOFOLLOW) |
                                                        O_TMPFILE | (flags & O_EXCL),
                                   mode & ~S_IFMT);
        if (fd < 0)
                return -errno;
        r = nsm_statx(fd, "", &stx);
        if (r == 0)
                r = note_open(view, &(struct place){ 0 }, &stx, ret);
        if (r == 0)
                *ret_fd = nsm_take_fd(&fd);
        return r;
}

int nsm_entry_link(struct nsm_view *view, uint64_t node, uint64_t parent, const char *name,
                   struct nsm_entry *ret)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        cleanup_fd int fd = -1;
        struct statx stx;

        if (!nsm_thread_get(view))
                return -errno;
        if (view->config.read_only)
                return -EROFS;
        int r = nsm_entry_check_name(name);
        if (r == 0)
                r = nsm_node_open(view, node, O_PATH, &fd, NULL);
        if (r == 0)
                r = nsm_dir_get(view, parent, &dir);
        if (r < 0)
                return r;
        struct place at = { dir.fd, parent, name, nsm_moves_now(&view->moves) };
        if (linkat(AT_FDCWD, nsm_fd_path(fd).text, dir.fd, name, AT_SYMLINK_FOLLOW) < 0)
                return -errno;
        r = nsm_statx(fd, "", &stx);
        if (r == 0)
                r = note_open(view, &at, &stx, ret);
        if (r == 0)
                nsm_unpin_named(view, ret->node);
        return r;
}
