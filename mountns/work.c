/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"
#include "mountns/process.h"

int nsm_work_step(struct nsm_work *w, enum nsm_step step, struct nsm_error *err)
{
        const struct nsm_fault *fault = &w->request->fault;
        struct nsm_record record = { .kind = NSM_RECORD_STEP, .step = step };

        nsm_record_send(w->journal, &record, NULL, 0);
        if (fault->kill_helper_at == step)
                raise(SIGKILL);
        if (fault->kill_joiner_at == step && w->joiner_pidfd >= 0)
                nsm_sys_pidfd_send_signal(w->joiner_pidfd, SIGKILL);
        while (fault->hang_at == step)
                pause();
        if (fault->fail_at == step)
                return nsm_error_set(err, fault->fail_with ? fault->fail_with : -EIO,
                                     "step %d fails because a test wants it", step);
        return 0;
}

int nsm_work_refuse(struct nsm_work *w, struct nsm_error *err, int code, const char *fmt, ...)
{
        char text[NSM_ERROR_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        w->outcome = NSM_OUTCOME_REFUSED;
        return nsm_error_set(err, code, "%s", text);
}

void nsm_work_warn(struct nsm_work *w, const char *fmt, ...)
{
        struct nsm_record record = { .kind = NSM_RECORD_WARNING };
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(record.text, sizeof record.text, fmt, ap);
        va_end(ap);
        nsm_record_send(w->journal, &record, NULL, 0);
}

void nsm_work_report_holders(struct nsm_work *w, const struct nsm_holders *holders)
{
        struct nsm_record record = { .kind = NSM_RECORD_HOLDERS, .number = holders->total };

        nsm_record_send(w->journal, &record, NULL, 0);
        record.kind = NSM_RECORD_HOLDER;
        for (size_t i = 0; i < holders->n; i++) {
                record.holder = holders->list[i];
                nsm_record_send(w->journal, &record, NULL, 0);
        }
}

int nsm_work_clone_view(struct nsm_work *w, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        uint64_t attributes = nsm_scratch_attributes(q->read_only, q->nosuid, q->nodev);
        bool again = q->fault.old_kernel && q->fuse_fd >= 0;
        cleanup_fd int clone = nsm_scratch_clone_view(again ? -1 : q->view_fd, q->fuse_fd,
                                                      attributes, err);
        struct statx stx;

        if (clone < 0)
                return clone;
        if (statx(clone, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0)
                return nsm_error_set(err, -errno, "cannot look at the view: %s", strerror(errno));
        if (q->device != makedev(stx.stx_dev_major, stx.stx_dev_minor))
                return nsm_error_set(err, -EINVAL, "the view is not the one that was meant");
        return nsm_take_fd(&clone);
}

/* Takes in what the joiner says until it is silent for ever. */
static int serve(struct nsm_work *w, int link, pid_t pid, nsm_work_answer *answer, void *context,
                 struct nsm_error *err)
{
        struct nsm_record record;
        int fds[NSM_RECORD_FDS_MAX], r, result = 0;
        unsigned n_fds;

        while ((r = nsm_record_receive(link, &record, fds, &n_fds)) > 0) {
                nsm_progress_apply(&w->progress, &record, fds, n_fds);
                if (record.kind == NSM_RECORD_DIE)
                        raise(SIGKILL);
                if (record.kind == NSM_RECORD_ASK) {
                        char reply;

                        r = answer(w, pid, context, err);
                        if (r < 0)
                                result = r;
                        reply = (char)(r < 0 ? -1 : r);
                        if (send(link, &reply, 1, MSG_NOSIGNAL) < 0 && errno != EPIPE)
                                result = result ? result : -errno;
                }
        }
        return r < 0 && r != -ECONNRESET ? r : result;
}

int nsm_work_run_joiner(struct nsm_work *w, struct nsm_joiner *j, nsm_joiner_body *body,
                        nsm_work_answer *answer, void *context, struct nsm_error *err)
{
        cleanup_fd int link = -1, pidfd = -1;
        siginfo_t info = { 0 };
        pid_t pid = 0;
        int r;

        j->request = w->request;
        j->journal = w->journal;
        r = nsm_joiner_start(j, body, &pid, &pidfd, &link, err);
        if (r < 0)
                return r;
        w->joiner_pidfd = pidfd;
        r = serve(w, link, pid, answer, context, err);
        while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
        w->joiner_pidfd = -1;
        if (w->progress.has_failure) {
                struct nsm_error *e = &w->progress.error;

                /* A refusal of ours came first, and has said why. */
                if (err->code == 0)
                        w->outcome = w->progress.result.outcome;
                r = nsm_error_set(err, e->code, "%s", e->text);
                w->progress.has_failure = false;
                nsm_error_reset(e);
                return r;
        }
        if (r < 0)
                return nsm_error_set(err, r, "lost the process in the container: %s",
                                     strerror(-r));
        if (info.si_code != CLD_EXITED || info.si_status != 0)
                return nsm_error_set(err, -EINTR,
                                     "the process that worked in the container was killed "
                                     "(signal %d)", info.si_status);
        return 0;
}

static int dispatch(struct nsm_work *w, struct nsm_error *err)
{
        switch (w->request->job) {
        case NSM_JOB_ATTACH:
                return nsm_attach_work(w, err);
        case NSM_JOB_DETACH:
                return nsm_detach_work(w, err);
        case NSM_JOB_MOUNT:
                return nsm_mount_work(w, err);
        case NSM_JOB_UNMOUNT:
                return nsm_unmount_work(w, err);
        }
        return nsm_error_set(err, -EINVAL, "unknown job");
}

/* What becomes of a job that failed: undone, or complete nevertheless. */
static int settle(struct nsm_work *w, int failure, struct nsm_error *err)
{
        struct nsm_error why = { 0 };
        bool complete = false;
        int r = nsm_recover_work(w, &complete, &why);

        if (r < 0) {
                char first[NSM_ERROR_TEXT_MAX];

                snprintf(first, sizeof first, "%.500s", err->text);
                nsm_error_reset(err);
                w->outcome = NSM_OUTCOME_FAILED;
                return nsm_error_set(err, failure, "%s; and that could not be undone: %.400s",
                                     first, why.text);
        }
        if (!complete)
                return failure;
        if (err->code)
                nsm_work_warn(w, "it is done all the same: %s", err->text);
        return 0;
}

static void report(struct nsm_work *w, int r, const struct nsm_error *err)
{
        struct nsm_record record = { .kind = NSM_RECORD_RESULT, .code = r };

        if (r == 0) {
                record.outcome = NSM_OUTCOME_DONE;
                record.place = w->progress.result.place;
                snprintf(record.text, sizeof record.text, "%s",
                         w->progress.result.path ? w->progress.result.path : "");
        } else {
                record.outcome = w->outcome ? w->outcome : NSM_OUTCOME_FAILED;
                snprintf(record.text, sizeof record.text, "%s",
                         err->code ? err->text : strerror(-r));
        }
        nsm_record_send(w->journal, &record, NULL, 0);
}

static int keep_fds(const struct nsm_work *w)
{
        const struct nsm_target *t = w->request->target;
        const struct nsm_progress *p = &w->progress;
        int keep[NSM_NAMESPACE_COUNT + 12] = {
                w->journal, w->proc, w->request->view_fd, w->request->fuse_fd, p->joiner_pidfd,
                p->graft_fd, p->root_fd, p->anchor_fd, p->group_fd, p->parent_fd,
                t ? t->pidfd : -1,
        };
        unsigned n = 11;

        for (int i = 0; t && i < NSM_NAMESPACE_COUNT; i++)
                keep[n++] = t->namespaces[i];
        return nsm_process_keep_fds(keep, n);
}

_Noreturn void nsm_work_main(const struct nsm_request *request, int journal,
                             struct nsm_progress *progress)
{
        struct nsm_work w = { .request = request, .journal = journal, .joiner_pidfd = -1,
                              .proc = -1 };
        struct nsm_error err = { 0 };
        int r = nsm_process_harden("nsm-helper");

        if (progress)
                w.progress = *progress;
        else
                nsm_progress_init(&w.progress);
        w.outcome = NSM_OUTCOME_FAILED;
        if (r < 0)
                nsm_error_set(&err, r, "cannot set up the helper: %s", strerror(-r));
        if (r == 0)
                r = w.proc = nsm_proc_open(&err);
        if (r >= 0)
                r = keep_fds(&w);
        if (r >= 0 && !progress)
                r = dispatch(&w, &err);
        else if (r >= 0)
                r = nsm_error_set(&err, -EINTR, "it took too long, or was killed, and is undone");
        if (r < 0 && w.proc >= 0 && (progress || w.outcome == NSM_OUTCOME_FAILED ||
                                     w.progress.has_intent))
                r = settle(&w, r, &err);
        report(&w, r, &err);
        _exit(r < 0 ? 1 : 0);
}
