/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A graft below the container's root, and its removal: the joiner's part. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/joiner.h"
#include "mountns/resolve.h"

/* Where the graft goes. */
struct spot {
        struct nsm_resolved at;
        char path[PATH_MAX]; /* in the container's root, symlinks resolved */
};

/* The process that was named may have another root than its namespace. */
static int enter_root(const struct nsm_joiner *j, struct nsm_error *err)
{
        if (j->root_fd < 0)
                return 0;
        if (fchdir(j->root_fd) < 0 || chroot(".") < 0)
                return nsm_error_set(err, -errno, "cannot enter the container's root: %s",
                                     strerror(errno));
        return 0;
}

static int explain(int code, const char *at, struct nsm_error *err)
{
        switch (code) {
        case -EXDEV:
                return nsm_error_set(err, -ECANCELED,
                                     "%s leads through a symlink out of the container's root: "
                                     "name the directory itself", at);
        case -ELOOP:
                return nsm_error_set(err, -ECANCELED, "%s leads through too many symlinks, or one of "
                                     "/proc", at);
        case -EEXIST:
                return nsm_error_set(err, -ECANCELED,
                                     "%s is a symlink to nothing: name a directory, or a name "
                                     "that is free", at);
        case -ENOTDIR:
                return nsm_error_set(err, -ECANCELED,
                                     "%s is not a directory: name one, or a name that is free",
                                     at);
        case -ENOENT:
                return nsm_error_set(err, -ECANCELED,
                                     "the directory above %s does not exist in the container: "
                                     "make it first", at);
        default:
                return nsm_error_set(err, code, "cannot open %s in the container: %s", at,
                                     strerror(-code));
        }
}

static int path_of(int dir, char *ret, size_t size)
{
        return fchdir(dir) < 0 || !getcwd(ret, size) ? -errno : 0;
}

static int find_spot(int root, const char *at, struct spot *spot, struct nsm_error *err)
{
        struct nsm_resolved *to = &spot->at;
        int r = nsm_resolve(root, at, to);
        size_t n;

        if (r == 0)
                r = path_of(to->dir < 0 ? to->parent : to->dir, spot->path, sizeof spot->path);
        if (r < 0)
                return explain(r, at, err);
        if (to->dir >= 0)
                return 0;
        n = strlen(spot->path);
        if (n == 1)
                n = 0;
        return snprintf(spot->path + n, sizeof spot->path - n, "/%s", to->name) >=
               (int)(sizeof spot->path - n) ? explain(-ENAMETOOLONG, at, err) : 0;
}

static int make_directory(struct nsm_joiner *j, struct spot *spot, struct nsm_error *err)
{
        struct nsm_record record = { .kind = NSM_RECORD_DIRECTORY };
        int r;

        snprintf(record.text, sizeof record.text, "%s", spot->at.name);
        /* Said before it is done: a removal of what was not made does no harm. */
        r = nsm_joiner_say(j, &record, &spot->at.parent, 1, err);
        if (r < 0)
                return r;
        if (mkdirat(spot->at.parent, spot->at.name, 0755) < 0)
                return nsm_error_set(err, -errno, "cannot make the directory %s in the "
                                     "container: %s", spot->path, strerror(errno));
        spot->at.dir = nsm_sys_openat2(spot->at.parent, spot->at.name, O_PATH | O_DIRECTORY, 0,
                                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        return spot->at.dir < 0 ? explain(spot->at.dir, spot->path, err) : 0;
}

static int mount_there(int tree, const struct spot *spot, struct nsm_error *err)
{
        struct mount_attr attr = { .propagation = MS_PRIVATE };

        if (move_mount(tree, "", spot->at.dir, "", MOVE_MOUNT_F_EMPTY_PATH |
                       MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return nsm_error_set(err, -errno, "cannot mount at %s in the container: %s",
                                     spot->path, strerror(errno));
        /* On a shared mount it has become shared itself: nothing below may spread. */
        if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                return nsm_error_set(err, -errno, "cannot make the graft private: %s",
                                     strerror(errno));
        return 0;
}

static int place_graft(struct nsm_joiner *j, int tree, struct spot *spot, struct nsm_error *err)
{
        cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (root < 0)
                return nsm_error_set(err, -errno, "cannot open the container's root: %s",
                                     strerror(errno));
        r = find_spot(root, j->request->at, spot, err);
        if (r == 0)
                r = nsm_joiner_intend(j, tree, root, spot->path, err);
        if (r == 0)
                r = nsm_joiner_step(j, NSM_STEP_ENTER, err);
        if (r == 0)
                r = nsm_joiner_ask(j, err); /* no other graft there? */
        if (r >= 0 && spot->at.dir < 0)
                r = make_directory(j, spot, err);
        if (r >= 0)
                r = nsm_joiner_step(j, NSM_STEP_DIRECTORY, err);
        if (r == 0)
                r = mount_there(tree, spot, err);
        return r < 0 ? r : nsm_joiner_step(j, NSM_STEP_MOVE, err);
}

int nsm_graft_run(struct nsm_joiner *j, struct nsm_error *err)
{
        struct spot spot = { .at = NSM_RESOLVED_INIT };
        cleanup_fd int tree = -1;
        int r = nsm_joiner_lock_mounts(j, err);

        if (r < 0)
                return r;
        tree = open_tree(AT_FDCWD, NSM_SCRATCH_VIEW, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0)
                return nsm_error_set(err, -errno, "cannot clone the graft: %s", strerror(errno));
        r = nsm_joiner_step(j, NSM_STEP_LOCK, err);
        if (r == 0)
                r = nsm_joiner_enter_mounts(j, err);
        if (r == 0)
                r = enter_root(j, err);
        if (r == 0)
                r = place_graft(j, tree, &spot, err);
        nsm_resolved_clear(&spot.at);
        return r;
}

int nsm_graft_unmount(const char *path, uint64_t mount_id, int flags)
{
        const char *slash = strrchr(path, '/');
        cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), parent = -1;
        char above[PATH_MAX];
        uint64_t id;
        int r;

        if (root < 0 || !slash || !slash[1])
                return -EINVAL;
        snprintf(above, sizeof above, ".%.*s", (int)(slash - path), path);
        parent = nsm_sys_openat2(root, above, O_PATH | O_DIRECTORY, 0,
                                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (parent < 0)
                return parent;
        r = nsm_sys_mount_id(parent, slash + 1, AT_SYMLINK_NOFOLLOW, &id);
        if (r < 0)
                return r;
        if (id != mount_id)
                return -ESTALE;
        if (fchdir(parent) < 0 || umount2(slash + 1, flags | UMOUNT_NOFOLLOW) < 0)
                return -errno;
        return 0;
}

int nsm_graft_remove_run(struct nsm_joiner *j, struct nsm_error *err)
{
        int r = nsm_joiner_enter_user(j, err);

        if (r == 0)
                r = nsm_joiner_step(j, NSM_STEP_JOIN, err);
        if (r == 0)
                r = nsm_joiner_enter_mounts(j, err);
        if (r == 0)
                r = enter_root(j, err);
        if (r == 0)
                r = nsm_joiner_step(j, NSM_STEP_ENTER, err);
        if (r < 0)
                return r;
        r = nsm_graft_unmount(j->path, j->request->place.mount_id, 0);
        if (r == -ESTALE)
                return nsm_error_set(err, r,
                                     "something else is mounted over %s: unmount that first, in "
                                     "the container", j->path);
        if (r < 0)
                return nsm_error_set(err, r, "cannot unmount %s: %s", j->path, strerror(-r));
        return nsm_joiner_step(j, NSM_STEP_UNMOUNT, err);
}
