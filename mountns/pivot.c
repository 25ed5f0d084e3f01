/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A graft as the container's root: the joiner's part. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/api.h"
#include "mountns/joiner.h"

/* The whole root, in the joiner's copy of the scratch namespace. A detached tree or -errno. */
static int assemble(struct nsm_joiner *j, struct nsm_error *err)
{
        const struct nsm_target *target = j->request->target;
        cleanup_fd int root = -1, tree = -1;

        /* sysfs shows the network namespace of who mounts it, mqueue the ipc namespace. */
        if (j->request->api &&
            ((target->owned[NSM_NAMESPACE_NET] &&
              setns(target->namespaces[NSM_NAMESPACE_NET], CLONE_NEWNET) < 0) ||
             (target->owned[NSM_NAMESPACE_IPC] &&
              setns(target->namespaces[NSM_NAMESPACE_IPC], CLONE_NEWIPC) < 0)))
                return nsm_error_set(err, -errno, "cannot join the container's namespaces: %s",
                                     strerror(errno));
        root = open(NSM_SCRATCH_VIEW, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return nsm_error_set(err, -errno, "cannot open the view: %s", strerror(errno));
        if (j->request->api)
                nsm_api_mount(j, root);
        tree = open_tree(AT_FDCWD, NSM_SCRATCH_VIEW,
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (tree < 0)
                return nsm_error_set(err, -errno, "cannot clone the new root: %s",
                                     strerror(errno));
        return nsm_take_fd(&tree);
}

static int set_private(int fd)
{
        struct mount_attr attr = { .propagation = MS_PRIVATE };

        return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ? -errno : 0;
}

/*
 * pivot_root(2) wants the mount below the new root not to be shared. Making
 * the old root private would be seen, and could not be taken back exactly. So
 * an empty mount comes between: it is mounted on the shared root, made private,
 * and leaves with it. A peer of it is kept until then: with that its
 * propagation can be given back, so that unmounting it reaches all copies.
 */
struct anchor {
        int fd; /* -1: there is none */
        int peer;
};

static void anchor_clear(struct anchor *anchor)
{
        nsm_close_fd(anchor->fd);
        nsm_close_fd(anchor->peer);
}
#define cleanup_anchor __attribute__((cleanup(anchor_clear)))

static int set_anchor(struct nsm_joiner *j, int root, struct anchor *ret, struct nsm_error *err)
{
        struct nsm_record record = { .kind = NSM_RECORD_ANCHOR };
        cleanup_fd int peer = -1, anchor = -1;
        int r;

        anchor = nsm_api_new_mount("tmpfs", "mode=0555,size=4k,nr_inodes=2",
                                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        r = anchor < 0 ? anchor : nsm_sys_mount_id(anchor, "", AT_EMPTY_PATH, &record.number);
        if (r < 0)
                return nsm_error_set(err, r, "cannot make a tmpfs: %s", strerror(-r));
        r = nsm_joiner_say(j, &record, &anchor, 1, err);
        if (r < 0)
                return r;
        if (move_mount(anchor, "", root, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return nsm_error_set(err, -errno, "cannot mount onto the shared root: %s",
                                     strerror(errno));
        peer = open_tree(anchor, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (peer < 0)
                return nsm_error_set(err, -errno, "cannot clone a mount: %s", strerror(errno));
        record = (struct nsm_record){ .kind = NSM_RECORD_GROUP };
        r = nsm_joiner_say(j, &record, &peer, 1, err);
        if (r < 0)
                return r;
        r = set_private(anchor);
        if (r < 0)
                return nsm_error_set(err, r, "cannot make a mount private: %s", strerror(-r));
        ret->fd = nsm_take_fd(&anchor);
        ret->peer = nsm_take_fd(&peer);
        return 0;
}

/*
 * From the old root, as the view cannot be asked when its worker has died: "/"
 * is the top of what stands on that, and in the end itself.
 */
static int drop_old_root(struct nsm_joiner *j, int root, const struct anchor *anchor,
                         struct nsm_error *err)
{
        int r = 0;

        if (fchdir(root) < 0 || chroot(".") < 0)
                return nsm_error_set(err, -errno, "cannot enter the old root: %s", strerror(errno));
        if (anchor->fd >= 0 &&
            (move_mount(anchor->peer, "", anchor->fd, "", MOVE_MOUNT_SET_GROUP |
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ||
             umount2("/", MNT_DETACH) < 0))
                return nsm_error_set(err, -errno, "cannot unmount what stands on the old root: %s",
                                     strerror(errno));
        if (anchor->fd >= 0)
                r = nsm_joiner_step(j, NSM_STEP_RELEASE, err);
        if (r == 0 && umount2("/", MNT_DETACH) < 0)
                r = nsm_error_set(err, -errno, "cannot unmount the old root: %s",
                                  strerror(errno));
        return r;
}

/* The exchange itself, in the container's mount namespace. */
static int exchange(struct nsm_joiner *j, int tree, int root, struct anchor *anchor,
                    struct nsm_error *err)
{
        int r = nsm_joiner_intend(j, tree, root, "/", err);

        if (r == 0)
                r = nsm_joiner_step(j, NSM_STEP_ENTER, err);
        if (r == 0 && j->root_is_shared)
                r = set_anchor(j, root, anchor, err);
        if (r == 0)
                r = nsm_joiner_step(j, NSM_STEP_ANCHOR, err);
        if (r < 0)
                return r;
        if (move_mount(tree, "", anchor->fd >= 0 ? anchor->fd : root, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return nsm_error_set(err, -errno, "cannot mount the new root: %s",
                                     strerror(errno));
        r = nsm_joiner_step(j, NSM_STEP_MOVE, err);
        if (r < 0)
                return r;
        if (fchdir(tree) < 0)
                return nsm_error_set(err, -errno, "cannot enter the new root: %s",
                                     strerror(errno));
        r = nsm_sys_pivot_root(".", ".");
        if (r < 0)
                return nsm_error_set(err, r,
                                     "the kernel does not exchange the roots (%s): the "
                                     "container's root is no mount of its own, or stands on a "
                                     "shared one; start the container on a directory made by "
                                     "`nsmount mount` instead", strerror(-r));
        return 0;
}

/* Until here the roots can be exchanged back. */
static int commit(struct nsm_joiner *j, int root, struct nsm_error *err)
{
        int r = nsm_joiner_step(j, NSM_STEP_PIVOT, err);

        if (r == 0)
                r = nsm_joiner_ask(j, err); /* nobody keeps the old root? */
        /*
         * Who undoes would do it, but must enter the graft for that, which asks
         * the view. The exchange has made the graft our root without asking.
         */
        if (r < 0 && fchdir(root) == 0)
                nsm_sys_pivot_root(".", ".");
        return r;
}

int nsm_pivot_run(struct nsm_joiner *j, struct nsm_error *err)
{
        cleanup_anchor struct anchor anchor = { -1, -1 };
        cleanup_fd int tree = -1, root = -1;
        int r = nsm_joiner_lock_mounts(j, err);

        if (r < 0)
                return r;
        r = nsm_joiner_step(j, NSM_STEP_LOCK, err);
        tree = r == 0 ? assemble(j, err) : r;
        if (tree < 0)
                return tree;
        r = nsm_joiner_step(j, NSM_STEP_ASSEMBLE, err);
        if (r == 0)
                r = nsm_joiner_enter_mounts(j, err);
        if (r < 0)
                return r;
        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return nsm_error_set(err, -errno, "cannot open the container's root: %s",
                                     strerror(errno));
        r = exchange(j, tree, root, &anchor, err);
        if (r == 0)
                r = commit(j, root, err);
        if (r == 0)
                r = drop_old_root(j, root, &anchor, err);
        return r < 0 ? r : nsm_joiner_step(j, NSM_STEP_DROP, err);
}
