/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper's part of bringing a job that stopped anywhere to one of its ends. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/plan.h"
#include "mountns/work.h"

/* As often as something kills the one who undoes: each starts from what it finds. */
#define ATTEMPTS_MAX 3

/*
 * Nothing may be looked at while the one that did it still acts. But who waits
 * for a FUSE filesystem of the tenant may not even end by SIGKILL, and that is
 * nearly always before it has done anything: then it dies on its way back.
 */
static int end_joiner(struct nsm_work *w)
{
        struct pollfd p = { .fd = w->progress.joiner_pidfd, .events = POLLIN };

        if (p.fd < 0)
                return 0;
        nsm_sys_pidfd_send_signal(p.fd, SIGKILL);
        if (!w->progress.has_intent)
                return 0;
        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* The new joiner stands on the former root: its table decides. */
static int answer(struct nsm_work *w, pid_t joiner, void *context, struct nsm_error *err)
{
        const struct nsm_progress *p = &w->progress;
        cleanup_table struct nsm_table table = { 0 };
        bool *complete = context;
        char task[24];
        unsigned plan;
        int r;

        snprintf(task, sizeof task, "%d", joiner);
        r = nsm_table_read(w->proc, task, &table, err);
        if (r < 0)
                return r;
        plan = nsm_plan_undo(&table, p->result.place.mount_id,
                             w->request->at ? 0 : p->root_id, p->anchor_id);
        *complete = plan & (NSM_UNDO_COMPLETE | NSM_UNDO_FINISH);
        return (int)plan;
}

static int undo_attach(struct nsm_work *w, bool *ret_complete, struct nsm_error *err)
{
        struct nsm_progress undo = w->progress;
        struct nsm_joiner joiner = NSM_JOINER_INIT;
        int r = 0;

        /* Before the intent was told, nothing was done in the container. */
        if (!undo.has_intent)
                return 0;
        joiner.undo = &undo;
        do {
                joiner.attempt++;
                nsm_error_reset(err);
                r = nsm_work_run_joiner(w, &joiner, nsm_undo_run, answer, ret_complete, err);
        } while (r < 0 && joiner.attempt < ATTEMPTS_MAX);
        return r;
}

/* A graft that was to go: is it gone? */
static int look_for_graft(struct nsm_work *w, bool *ret_complete, struct nsm_error *err)
{
        cleanup_table struct nsm_table table = { 0 };
        const struct nsm_target *t = w->request->target;
        const struct nsm_place *place = &w->progress.result.place;
        struct libmnt_fs *mount;
        char task[24] = "self";
        int r;

        /* Before the intent was told, nothing was touched. */
        if (!w->progress.has_intent)
                return 0;
        if (t && !nsm_target_is_alive(t)) {
                cleanup_free pid_t *pids = NULL;

                /* Its namespace goes with the last process. */
                r = nsm_place_list_pids(t->inodes[NSM_NAMESPACE_MNT], &pids);
                *ret_complete = r == 0;
                return r < 0 ? nsm_error_set(err, r, "cannot read /proc: %s", strerror(-r)) : 0;
        }
        if (t)
                snprintf(task, sizeof task, "%d", t->pid);
        r = nsm_table_read(w->proc, task, &table, err);
        if (r < 0)
                return r;
        /* When it is gone, the next mount that somebody makes may have its id. */
        mount = nsm_table_find(&table, place->mount_id);
        *ret_complete = !mount || mnt_fs_get_devno(mount) != place->device;
        return 0;
}

int nsm_recover_work(struct nsm_work *w, bool *ret_complete, struct nsm_error *err)
{
        int r = end_joiner(w);

        if (r < 0)
                return nsm_error_set(err, r, "cannot end the process in the container: %s",
                                     strerror(-r));
        switch (w->request->job) {
        case NSM_JOB_ATTACH:
                return undo_attach(w, ret_complete, err);
        case NSM_JOB_MOUNT:
                return nsm_mount_recover(w, err);
        case NSM_JOB_DETACH:
        case NSM_JOB_UNMOUNT:
                return look_for_graft(w, ret_complete, err);
        }
        return 0;
}
