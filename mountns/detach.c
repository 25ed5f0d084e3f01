/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper's part of a detach. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"
#include "mountns/work.h"

static int answer(struct nsm_work *w, pid_t joiner, void *context, struct nsm_error *err)
{
        return 0; /* nobody asks */
}

/* The graft that is meant: by its mount, or by where it is. */
static struct libmnt_fs *find_graft(struct nsm_work *w, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        const char *at = q->at ? q->at : "/";
        struct libmnt_fs *graft;

        if (q->place.mount_id)
                graft = nsm_table_find(&w->before, q->place.mount_id);
        else
                graft = nsm_table_find_at(&w->before, at);
        if (graft && nsm_table_is_view(graft, q->place.device) &&
            (q->place.device == 0 || mnt_fs_get_devno(graft) == q->place.device))
                return graft;
        nsm_work_refuse(w, err, -ENOENT, "process %d has no graft%s%s: `nsmount list` shows where "
                        "there are some", q->target->pid, q->place.mount_id ? " any more" : " at ",
                        q->place.mount_id ? "" : at);
        return NULL;
}

/* The processes of the container, each holding its root. */
static int list_inhabitants(struct nsm_work *w, struct nsm_holders *ret, struct nsm_error *err)
{
        cleanup_free pid_t *pids = NULL;
        int n = nsm_place_list_pids(w->request->target->inodes[NSM_NAMESPACE_MNT], &pids);

        if (n < 0)
                return nsm_error_set(err, n, "cannot read /proc: %s", strerror(-n));
        memset(ret, 0, sizeof *ret);
        for (int i = 0; i < n; i++)
                nsm_holders_add(ret, w->proc, pids[i], "root directory");
        return n;
}

/* SIGKILL through a pidfd, if that process is in the namespace still; waits for its end. */
static int end_process(struct nsm_work *w, pid_t pid)
{
        cleanup_fd int pidfd = nsm_sys_pidfd_open(pid);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        uint64_t ns;
        int r;

        if (pidfd < 0 || nsm_proc_namespace_of(w->proc, pid, "mnt", &ns) < 0 ||
            ns != w->request->target->inodes[NSM_NAMESPACE_MNT])
                return 0;
        r = nsm_sys_pidfd_send_signal(pidfd, SIGKILL);
        if (r < 0)
                return r == -ESRCH ? 0 : r;
        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

static int end_container(struct nsm_work *w, struct nsm_error *err)
{
        /* Its processes may start others meanwhile; the caller's time limit ends a race. */
        for (;;) {
                cleanup_free pid_t *pids = NULL;
                int r = 0, n = nsm_place_list_pids(w->request->target->inodes[NSM_NAMESPACE_MNT],
                                                   &pids);

                if (n <= 0)
                        return n < 0 ? nsm_error_set(err, n, "cannot read /proc: %s",
                                                     strerror(-n)) : 0;
                for (int i = 0; i < n && r == 0; i++)
                        r = end_process(w, pids[i]);
                if (r < 0)
                        return nsm_error_set(err, r, "cannot end the container's processes: %s",
                                             strerror(-r));
        }
}

static int detach_root(struct nsm_work *w, struct nsm_error *err)
{
        cleanup_free struct nsm_holders *holders = calloc(1, sizeof *holders);
        char text[700];
        int r;

        if (!holders)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (w->request->kill)
                return end_container(w, err);
        r = list_inhabitants(w, holders, err);
        if (r < 0)
                return r;
        nsm_holders_describe(holders, text, sizeof text);
        nsm_work_report_holders(w, holders);
        w->outcome = NSM_OUTCOME_BUSY;
        return nsm_error_set(err, -EBUSY,
                             "a root ends with its container, where %d process%s: %s: end %s, or "
                             "detach with --kill", r, r == 1 ? " lives" : "es live", text,
                             r == 1 ? "it" : "them");
}

static int explain_busy(struct nsm_work *w, uint64_t mount_id, const char *path,
                        struct nsm_error *err)
{
        cleanup_free struct nsm_holders *holders = calloc(1, sizeof *holders);
        struct libmnt_fs *child;
        char text[700] = "";
        int r;

        w->outcome = NSM_OUTCOME_BUSY;
        nsm_error_reset(err);
        if (!holders)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_holders_find_users(w->proc, w->request->target, mount_id,
                                   w->request->place.device, holders, err);
        if (r < 0)
                return r;
        nsm_work_report_holders(w, holders);
        nsm_holders_describe(holders, text, sizeof text);
        if (holders->total > 0)
                return nsm_error_set(err, -EBUSY, "%s is in use by %s: end %s first", path, text,
                                     holders->total == 1 ? "it" : "them");
        child = nsm_table_find_child(&w->before, mount_id);
        if (child)
                return nsm_error_set(err, -EBUSY, "%s is in use: something is mounted below it at "
                                     "%s: unmount that first", path, mnt_fs_get_target(child));
        return nsm_error_set(err, -EBUSY, "%s is in use by something that shows in no process "
                             "(a descriptor under way between two, a swap file): try again", path);
}

/* From now on whoever recovers knows which mount was to go. */
static int intend(struct nsm_work *w, struct libmnt_fs *graft, struct nsm_error *err)
{
        struct nsm_request *q = (struct nsm_request *)w->request; /* this process's own copy */
        struct nsm_record record = { .kind = NSM_RECORD_INTENT };
        int r;

        nsm_place_of_target(q->target, &q->place);
        q->place.mount_id = (uint64_t)mnt_fs_get_id(graft);
        q->place.device = mnt_fs_get_devno(graft);
        record.place = q->place;
        snprintf(record.text, sizeof record.text, "%s", mnt_fs_get_target(graft));
        r = nsm_record_send(w->journal, &record, NULL, 0);
        if (r < 0)
                return nsm_error_set(err, r, "cannot report to the supervisor: %s", strerror(-r));
        nsm_progress_apply(&w->progress, &record, NULL, 0);
        return 0;
}

int nsm_detach_work(struct nsm_work *w, struct nsm_error *err)
{
        __attribute__((cleanup(nsm_joiner_close_fds))) struct nsm_joiner joiner = NSM_JOINER_INIT;
        const struct nsm_request *q = w->request;
        struct libmnt_fs *graft, *root;
        char task[24], path[32];
        int r = nsm_work_step(w, NSM_STEP_BEGIN, err);

        snprintf(task, sizeof task, "%d", q->target->pid);
        if (r == 0)
                r = nsm_table_read(w->proc, task, &w->before, err);
        graft = r == 0 ? find_graft(w, err) : NULL;
        if (!graft)
                return r < 0 ? r : err->code;
        r = intend(w, graft, err);
        if (r == 0)
                r = nsm_work_step(w, NSM_STEP_SCAN, err);
        if (r < 0)
                return r;
        root = nsm_table_find_root(&w->before);
        if (root && graft == root)
                return detach_root(w, err);
        joiner.path = mnt_fs_get_target(graft);
        snprintf(path, sizeof path, "%s/root", task);
        joiner.root_fd = openat(w->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (joiner.root_fd < 0)
                return nsm_error_set(err, -errno, "cannot open the root of process %s: %s", task,
                                     strerror(errno));
        r = nsm_work_run_joiner(w, &joiner, nsm_graft_remove_run, answer, NULL, err);
        if (r == -EBUSY)
                return explain_busy(w, q->place.mount_id, joiner.path, err);
        return r < 0 ? r : nsm_work_step(w, NSM_STEP_CHECK, err);
}
