/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's part: start, poll, finish. */
#include "mountns/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/journal.h"
#include "mountns/process.h"
#include "mountns/work.h"

/* The job itself, and as often as something kills whoever undoes it. */
#define PROCESSES_MAX 4

struct nsm_helper {
        int poll_fd; /* epoll(7), on the pidfd of the process that works now */
        int pidfd;
        int journal; /* the reading end */
        unsigned processes; /* started so far */
        bool given_up;
        struct nsm_request request; /* own copies of what it points to */
        struct nsm_target *target;
        struct nsm_progress progress;
};

static void helper_freep(struct nsm_helper **helper)
{
        nsm_helper_free(*helper);
}

static int copy_text(const char *text, const char **ret)
{
        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? -ENOMEM : 0;
}

static int copy_request(struct nsm_helper *h, const struct nsm_request *request)
{
        int r;

        h->request = *request;
        h->request.at = h->request.directory = NULL;
        h->request.target = NULL;
        h->request.view_fd = h->request.fuse_fd = -1;
        r = copy_text(request->at, &h->request.at);
        if (r == 0)
                r = copy_text(request->directory, &h->request.directory);
        if (r == 0 && request->target)
                r = nsm_target_copy(request->target, &h->target);
        h->request.target = h->target;
        return r;
}

/*
 * Starts a process for the job or, without @request, for undoing it; its end
 * makes poll_fd readable.
 */
static int start_process(struct nsm_helper *h, const struct nsm_request *request,
                         struct nsm_error *err)
{
        cleanup_fd int reader = -1, writer = -1, pidfd = -1;
        struct epoll_event event = { .events = EPOLLIN };
        pid_t pid;
        int r = nsm_journal_open(&reader, &writer);

        if (r < 0)
                return nsm_error_set(err, r, "socketpair: %s", strerror(-r));
        pid = nsm_sys_fork(0, &pidfd);
        if (pid < 0)
                return nsm_error_set(err, pid, "cannot fork: %s", strerror(-pid));
        if (pid == 0) {
                h->request.view_fd = request ? request->view_fd : -1;
                h->request.fuse_fd = request ? request->fuse_fd : -1;
                if (!request && h->processes <= h->request.fault.kill_second_helpers)
                        raise(SIGKILL);
                nsm_work_main(&h->request, writer, request ? NULL : &h->progress);
        }
        h->processes++;
        nsm_close_fd(h->journal);
        nsm_close_fd(h->pidfd); /* and the poll forgets it */
        h->journal = nsm_take_fd(&reader);
        h->pidfd = nsm_take_fd(&pidfd);
        if (epoll_ctl(h->poll_fd, EPOLL_CTL_ADD, h->pidfd, &event) < 0)
                return nsm_error_set(err, -errno, "epoll: %s", strerror(errno));
        return 0;
}

int nsm_helper_start(const struct nsm_request *request, struct nsm_helper **ret,
                     struct nsm_error *err)
{
        __attribute__((cleanup(helper_freep))) struct nsm_helper *h = calloc(1, sizeof *h);
        int r;

        if (!h)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        h->pidfd = h->journal = -1;
        nsm_progress_init(&h->progress);
        h->poll_fd = epoll_create1(EPOLL_CLOEXEC);
        r = h->poll_fd < 0 ? -errno : copy_request(h, request);
        if (r < 0)
                return nsm_error_set(err, r, "cannot prepare a job: %s", strerror(-r));
        r = start_process(h, request, err);
        if (r < 0)
                return r;
        *ret = nsm_take_ptr(h);
        return 0;
}

int nsm_helper_fd(const struct nsm_helper *helper)
{
        return helper->poll_fd;
}

/* All that the process has said; it has ended, so that nothing is waited for. */
static void read_journal(struct nsm_helper *h)
{
        struct nsm_record record;
        int fds[NSM_RECORD_FDS_MAX], flags = fcntl(h->journal, F_GETFL);
        unsigned n_fds;

        fcntl(h->journal, F_SETFL, flags | O_NONBLOCK); /* its joiner may not have ended */
        while (nsm_record_receive(h->journal, &record, fds, &n_fds) > 0)
                nsm_progress_apply(&h->progress, &record, fds, n_fds);
}

static void take_result(struct nsm_helper *h, struct nsm_result *ret)
{
        *ret = h->progress.result;
        h->progress.result = (struct nsm_result){ 0 };
}

int nsm_helper_finish(struct nsm_helper *h, struct nsm_result *ret, struct nsm_error *err)
{
        int r;

        if (!nsm_process_has_ended(h->pidfd))
                return -EAGAIN;
        waitid(P_PIDFD, (id_t)h->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
        read_journal(h);
        if (h->progress.has_result) {
                /* Before it is known to be done, as someone may unmount it at once. */
                nsm_progress_close(&h->progress);
                r = h->progress.error.code;
                /* The job's own reason must not read as "not over". */
                if (h->progress.result.outcome != NSM_OUTCOME_DONE && (r == 0 || r == -EAGAIN))
                        r = -EIO;
                take_result(h, ret);
                return h->progress.error.code == 0 && r == 0 ?
                               0 : nsm_error_set(err, r, "%s", h->progress.error.text);
        }
        if (h->processes < PROCESSES_MAX && !h->given_up) {
                r = start_process(h, NULL, err);
                if (r == 0)
                        return -EAGAIN;
        }
        h->progress.result.outcome = NSM_OUTCOME_FAILED;
        take_result(h, ret);
        return nsm_error_set(err, -EIO,
                             "the processes that did it, and undid it, were all killed: look at "
                             "the container's mounts");
}

void nsm_helper_kill(struct nsm_helper *h)
{
        if (h->processes > 1)
                h->given_up = true;
        nsm_sys_pidfd_send_signal(h->pidfd, SIGKILL);
}

void nsm_helper_free(struct nsm_helper *h)
{
        if (!h)
                return;
        if (h->pidfd >= 0) {
                nsm_sys_pidfd_send_signal(h->pidfd, SIGKILL);
                waitid(P_PIDFD, (id_t)h->pidfd, &(siginfo_t){ 0 }, WEXITED);
        }
        nsm_close_fd(h->pidfd);
        nsm_close_fd(h->journal);
        nsm_close_fd(h->poll_fd);
        nsm_progress_clear(&h->progress);
        nsm_target_free(h->target);
        free((char *)h->request.at);
        free((char *)h->request.directory);
        nsm_cleanup_freep(&h);
}

int nsm_helper_run(const struct nsm_request *request, int timeout_ms, struct nsm_result *ret,
                   struct nsm_error *err)
{
        __attribute__((cleanup(helper_freep))) struct nsm_helper *h = NULL;
        int r = nsm_helper_start(request, &h, err);

        if (r < 0)
                return r;
        for (;;) {
                struct pollfd p = { .fd = h->poll_fd, .events = POLLIN };
                bool undoes = h->processes > 1 && timeout_ms >= 0;
                int n = poll(&p, 1, undoes && timeout_ms < NSM_HELPER_UNDO_MS ?
                                            NSM_HELPER_UNDO_MS : timeout_ms);

                if (n == 0)
                        nsm_helper_kill(h);
                if (n < 0 && errno != EINTR)
                        return nsm_error_set(err, -errno, "poll: %s", strerror(errno));
                if (n <= 0)
                        continue;
                r = nsm_helper_finish(h, ret, err);
                if (r != -EAGAIN)
                        return r;
        }
}
