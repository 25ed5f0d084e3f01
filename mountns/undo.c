/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a new joiner does after one that stopped half-way. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/joiner.h"
#include "mountns/plan.h"

/* The container's former root becomes ours; nothing of the view is asked. */
static int stand_on(int root_fd)
{
        return fchdir(root_fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int pivot_back(const struct nsm_progress *p)
{
        int r = stand_on(p->graft_fd);

        if (r == 0 && fchdir(p->root_fd) < 0)
                r = -errno;
        if (r == 0)
                r = nsm_sys_pivot_root(".", ".");
        /* Our root was the graft, and has gone along to the former one. */
        return r < 0 || chdir("/") == 0 ? r : -errno;
}

/* Unmounts what stands on our root, when that is @mount_id: "/.." is the top of the pile. */
static int unmount_from_root(uint64_t mount_id)
{
        uint64_t id;
        int r = nsm_sys_mount_id(AT_FDCWD, "/..", 0, &id);

        if (r < 0)
                return r;
        if (id != mount_id)
                return -ESTALE;
        return umount2("/", MNT_DETACH) < 0 ? -errno : 0;
}

static int remove_anchor(const struct nsm_progress *p)
{
        /* Shared again, so that its copies go with it; refused when it is still shared. */
        if (p->group_fd >= 0)
                move_mount(p->group_fd, "", p->anchor_fd, "", MOVE_MOUNT_SET_GROUP |
                           MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        return unmount_from_root(p->anchor_id);
}

/* Our root is the former root, which stands on the graft. */
static int finish(const struct nsm_progress *p, unsigned plan)
{
        int r = plan & NSM_UNDO_ANCHOR ? unmount_from_root(p->anchor_id) : 0;

        return r < 0 ? r : unmount_from_root(p->root_id);
}

/*
 * For a graft whose path is not what it was, as someone renames directories:
 * by its descriptor onto our root, and from there, with what is mounted on it.
 */
static int unmount_by_descriptor(const struct nsm_progress *p)
{
        uint64_t id;
        int r;

        if (move_mount(p->graft_fd, "", p->root_fd, "", MOVE_MOUNT_F_EMPTY_PATH |
                       MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return -errno;
        do {
                r = nsm_sys_mount_id(AT_FDCWD, "/..", 0, &id);
                if (r == 0 && umount2("/", MNT_DETACH) < 0)
                        r = -errno;
        } while (r == 0 && id != p->result.place.mount_id);
        return r;
}

static int unmount_graft(const struct nsm_progress *p)
{
        int r;

        if (p->result.path && strcmp(p->result.path, "/") == 0)
                return unmount_from_root(p->result.place.mount_id);
        r = nsm_graft_unmount(p->result.path, p->result.place.mount_id, MNT_DETACH);
        return r < 0 ? unmount_by_descriptor(p) : 0;
}

static int undo(const struct nsm_joiner *j, unsigned plan)
{
        const struct nsm_progress *p = j->undo;
        int r = 0;

        if (plan & NSM_UNDO_FINISH)
                return finish(p, plan);
        if (plan & NSM_UNDO_PIVOT)
                r = pivot_back(p);
        if (j->attempt <= j->request->fault.kill_undoers)
                raise(SIGKILL);
        if (r == 0 && (plan & NSM_UNDO_UNMOUNT))
                r = unmount_graft(p);
        if (r == 0 && (plan & NSM_UNDO_ANCHOR))
                r = remove_anchor(p);
        /* Gone already, or used by someone meanwhile: both are as it should be. */
        if (r == 0 && (plan & NSM_UNDO_DIRECTORY) && p->parent_fd >= 0 &&
            unlinkat(p->parent_fd, p->directory, AT_REMOVEDIR) < 0 && errno != ENOENT &&
            errno != ENOTEMPTY && errno != EBUSY && errno != ENOTDIR)
                r = -errno;
        return r;
}

int nsm_undo_run(struct nsm_joiner *j, struct nsm_error *err)
{
        int plan, r = nsm_joiner_enter_user(j, err);

        if (r == 0)
                r = nsm_joiner_enter_mounts(j, err);
        if (r < 0)
                return r;
        r = stand_on(j->undo->root_fd);
        if (r < 0)
                return nsm_error_set(err, r, "cannot enter the container's former root: %s",
                                     strerror(-r));
        plan = nsm_joiner_ask(j, err); /* the helper reads the table that we see */
        if (plan < 0)
                return plan;
        r = undo(j, (unsigned)plan);
        if (r < 0)
                return nsm_error_set(err, r, "cannot take the graft back: %s", strerror(-r));
        return 0;
}
