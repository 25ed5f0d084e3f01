/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper's part of an attach: look, decide, prepare, let the joiner act, check. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "mountns/footholds.h"
#include "mountns/plan.h"
#include "mountns/proc.h"
#include "mountns/work.h"

/* A tenant whose processes come and go faster than we look is told to hold still. */
#define SCANS_MAX 16

/* What the helper knows of the container while it attaches. */
struct attach {
        uint64_t root_id;
        struct nsm_footholds footholds;
};

static void attach_clear(struct attach *a)
{
        nsm_footholds_clear(&a->footholds);
}
#define cleanup_attach __attribute__((cleanup(attach_clear)))

static const char *task_of(const struct nsm_work *w, char *buffer, size_t size)
{
        snprintf(buffer, size, "%d", w->request->target->pid);
        return buffer;
}

static int already_attached(struct nsm_work *w, const char *where, struct nsm_error *err)
{
        return nsm_work_refuse(w, err, -EEXIST,
                               "already attached: process %d has a graft at %s: detach that first",
                               w->request->target->pid, where);
}

static int read_before(struct nsm_work *w, struct attach *a, struct nsm_error *err)
{
        struct libmnt_fs *root, *graft;
        char task[24];
        int r = nsm_table_read(w->proc, task_of(w, task, sizeof task), &w->before, err);

        if (r < 0)
                return r;
        root = nsm_table_find_root(&w->before);
        if (!root)
                return nsm_work_refuse(w, err, -EINVAL,
                                       "the root of process %s is not a mount: it was changed by "
                                       "chroot; name a process with the container's own root",
                                       task);
        a->root_id = (uint64_t)mnt_fs_get_id(root);
        if (!w->request->at)
                return nsm_table_is_view(root, w->request->device) ?
                               already_attached(w, "/", err) : 0;
        graft = nsm_table_find_conflict(&w->before, w->request->at, w->request->device);
        return graft ? already_attached(w, mnt_fs_get_target(graft), err) : 0;
}

static int refuse_footholds(struct nsm_work *w, const struct nsm_holders *holders,
                            struct nsm_error *err)
{
        char text[700];

        nsm_holders_describe(holders, text, sizeof text);
        nsm_work_report_holders(w, holders);
        w->outcome = NSM_OUTCOME_BUSY;
        return nsm_error_set(err, -EBUSY,
                             "%zu process%s would keep a foothold in the old root, and with it the "
                             "tree of the host: %s: end %s, or start %s from / (cd /) and with "
                             "no directory open, or attach with --force", holders->total,
                             holders->total == 1 ? "" : "es", text,
                             holders->total == 1 ? "it" : "them",
                             holders->total == 1 ? "it" : "them");
}

static int find_footholds_before(struct nsm_work *w, struct attach *a, struct nsm_error *err)
{
        cleanup_free struct nsm_holders *holders = calloc(1, sizeof *holders);
        int r;

        if (!holders)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        nsm_footholds_init(&a->footholds, w->proc, w->request->target, a->root_id);
        r = nsm_footholds_scan(&a->footholds, holders, err);
        if (r < 0 || holders->total == 0 || w->request->force)
                return r < 0 ? r : 0;
        return refuse_footholds(w, holders, err);
}

static int say_reachable(struct nsm_work *w, const struct nsm_holders *holders)
{
        char text[700];

        nsm_holders_describe(holders, text, sizeof text);
        nsm_work_report_holders(w, holders);
        nsm_work_warn(w, "the old root stays reachable through: %s", text);
        return 0;
}

/* The roots are exchanged, and the old one still mounted: the joiner asks whether to drop it. */
static int answer_root(struct nsm_work *w, struct attach *a, pid_t joiner, struct nsm_error *err)
{
        cleanup_free struct nsm_holders *holders = calloc(1, sizeof *holders);
        cleanup_table struct nsm_table table = { 0 };
        char task[24];
        int r, scans = 0;

        snprintf(task, sizeof task, "%d", joiner);
        if (!holders)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_table_read(w->proc, task, &table, err);
        if (r < 0)
                return r;
        a->footholds.pivoted = &table;
        a->footholds.except = joiner;
        do
                r = nsm_footholds_scan(&a->footholds, holders, err);
        while (r > 0 && ++scans < SCANS_MAX && holders->total == 0);
        a->footholds.pivoted = NULL;
        if (r < 0)
                return r;
        if (holders->total > 0)
                return w->request->force ? say_reachable(w, holders) :
                                           refuse_footholds(w, holders, err);
        if (r > 0 && !w->request->force)
                return nsm_work_refuse(w, err, -EBUSY,
                                       "the container's processes or descriptors come and go too "
                                       "fast to be looked at: attach before they start, or "
                                       "pause them");
        return nsm_work_step(w, NSM_STEP_RESCAN, err);
}

/* The path is known with its symlinks resolved: may a graft be there? */
static int answer_path(struct nsm_work *w, struct nsm_error *err)
{
        const char *path = w->progress.result.path;
        struct libmnt_fs *graft;

        if (!path || strcmp(path, "/") == 0)
                return nsm_work_refuse(w, err, -EINVAL,
                                       "%s is the container's root itself: leave the path out for "
                                       "that", w->request->at);
        graft = nsm_table_find_conflict(&w->before, path, w->request->device);
        return graft ? already_attached(w, mnt_fs_get_target(graft), err) : 0;
}

static int answer(struct nsm_work *w, pid_t joiner, void *context, struct nsm_error *err)
{
        return w->request->at ? answer_path(w, err) : answer_root(w, context, joiner, err);
}

static int prepare(struct nsm_work *w, struct nsm_joiner *j, int *ret_clone, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        char path[32];
        int r;

        if (q->at) {
                snprintf(path, sizeof path, "%d/root", q->target->pid);
                j->root_fd = openat(w->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (j->root_fd < 0)
                        return nsm_error_set(err, -errno, "cannot open the root of process %d: %s",
                                             q->target->pid, strerror(errno));
        } else if (q->api) {
                nsm_scratch_clone_devices(j->devices);
        }
        r = nsm_work_clone_view(w, err);
        if (r < 0)
                return r;
        *ret_clone = r;
        return nsm_scratch_enter(*ret_clone, q->api && !q->at, err);
}

/*
 * While the old root stood on the new one, setns(2) into the namespace led to
 * it: who did that after the second scan has it. Nobody can any more, so that
 * this scan is the last word; but nothing can be taken back.
 */
static void look_again(struct nsm_work *w, struct attach *a, const struct nsm_table *after)
{
        cleanup_free struct nsm_holders *holders = calloc(1, sizeof *holders);

        a->footholds.pivoted = after;
        a->footholds.except = 0;
        a->footholds.last = true;
        if (!holders || nsm_footholds_scan(&a->footholds, holders, NULL) < 0)
                nsm_work_warn(w, "could not look whether someone entered the old root meanwhile");
        else if (holders->total > 0)
                say_reachable(w, holders);
        a->footholds.pivoted = NULL;
}

/* Afterwards the graft is where it should be, with its flags, and the old root is gone. */
static int check_after(struct nsm_work *w, struct attach *a, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        cleanup_table struct nsm_table after = { 0 };
        struct libmnt_fs *graft;
        char task[24];
        bool ok;

        if (nsm_table_read(w->proc, task_of(w, task, sizeof task), &after, NULL) < 0) {
                nsm_work_warn(w, "process %s has ended meanwhile", task);
                return 0;
        }
        graft = nsm_table_find(&after, w->progress.result.place.mount_id);
        ok = graft && mnt_fs_get_devno(graft) == q->device && !nsm_table_is_shared(graft) &&
             mnt_fs_get_target(graft) &&
             strcmp(mnt_fs_get_target(graft), w->progress.result.path) == 0 &&
             (!q->read_only || nsm_table_has_flag(graft, "ro")) &&
             (!q->nosuid || nsm_table_has_flag(graft, "nosuid")) &&
             (!q->nodev || nsm_table_has_flag(graft, "nodev"));
        if (!ok)
                return nsm_error_set(err, -EIO,
                                     "the container's mount table does not show the graft as it "
                                     "should be: someone in it changes mounts meanwhile");
        if (!q->at && nsm_table_find(&after, a->root_id))
                nsm_work_warn(w, "the old root is still mounted somewhere in the container");
        if (!q->at && !q->force)
                look_again(w, a, &after);
        return 0;
}

int nsm_attach_work(struct nsm_work *w, struct nsm_error *err)
{
        __attribute__((cleanup(nsm_joiner_close_fds))) struct nsm_joiner joiner = NSM_JOINER_INIT;
        cleanup_attach struct attach attach = { 0 };
        cleanup_fd int clone = -1;
        struct libmnt_fs *root;
        int r = nsm_work_step(w, NSM_STEP_BEGIN, err);

        if (r == 0 && w->request->at && nsm_plan_check_path(w->request->at, err) < 0)
                r = nsm_work_refuse(w, err, err->code, "bad path");
        if (r == 0)
                r = read_before(w, &attach, err);
        if (r == 0 && !w->request->at)
                r = find_footholds_before(w, &attach, err);
        if (r == 0)
                r = nsm_work_step(w, NSM_STEP_SCAN, err);
        if (r == 0)
                r = prepare(w, &joiner, &clone, err);
        if (r == 0)
                r = nsm_work_step(w, NSM_STEP_SCRATCH, err);
        if (r < 0)
                return r;
        root = nsm_table_find(&w->before, attach.root_id);
        joiner.root_is_shared = root && nsm_table_is_shared(root);
        r = nsm_work_run_joiner(w, &joiner, w->request->at ? nsm_graft_run : nsm_pivot_run,
                                answer, &attach, err);
        if (r == 0)
                r = nsm_work_step(w, NSM_STEP_CHECK, err);
        return r == 0 ? check_after(w, &attach, err) : r;
}
