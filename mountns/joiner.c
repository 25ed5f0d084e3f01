/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/joiner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"
#include "mountns/process.h"

int nsm_joiner_say(struct nsm_joiner *j, const struct nsm_record *record, const int *fds,
                   unsigned n_fds, struct nsm_error *err)
{
        /* The journal first: what only the helper knew would be lost with it. */
        int r = nsm_record_send(j->journal, record, fds, n_fds);

        if (r == 0)
                r = nsm_record_send(j->link, record, fds, n_fds);
        if (r < 0)
                return nsm_error_set(err, r, "cannot report to the supervisor: %s", strerror(-r));
        return 0;
}

void nsm_joiner_warn(struct nsm_joiner *j, const char *fmt, ...)
{
        struct nsm_record record = { .kind = NSM_RECORD_WARNING };
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(record.text, sizeof record.text, fmt, ap);
        va_end(ap);
        nsm_joiner_say(j, &record, NULL, 0, NULL);
}

/* For ever, until someone ends this process. */
static void hang(void)
{
        for (;;)
                pause();
}

int nsm_joiner_step(struct nsm_joiner *j, enum nsm_step step, struct nsm_error *err)
{
        const struct nsm_fault *fault = &j->request->fault;
        struct nsm_record record = { .kind = NSM_RECORD_STEP, .step = step };
        int r = nsm_joiner_say(j, &record, NULL, 0, err);

        if (r < 0 || j->undo)
                return r;
        if (fault->kill_joiner_at == step)
                raise(SIGKILL);
        if (fault->kill_helper_at == step) {
                record.kind = NSM_RECORD_DIE;
                nsm_record_send(j->link, &record, NULL, 0);
                hang();
        }
        if (fault->hang_at == step)
                hang();
        if (fault->fail_at == step)
                return nsm_error_set(err, fault->fail_with ? fault->fail_with : -EIO,
                                     "step %d fails because a test wants it", step);
        return 0;
}

int nsm_joiner_ask(struct nsm_joiner *j, struct nsm_error *err)
{
        struct nsm_record record = { .kind = NSM_RECORD_ASK };
        int r = nsm_record_send(j->link, &record, NULL, 0);
        ssize_t n;
        char answer;

        if (r < 0)
                return nsm_error_set(err, r, "cannot ask the helper: %s", strerror(-r));
        do
                n = recv(j->link, &answer, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n != 1 || answer < 0)
                return nsm_error_set(err, -ECANCELED, "the helper does not want to go on");
        return answer;
}

int nsm_joiner_intend(struct nsm_joiner *j, int graft_fd, int root_fd, const char *path,
                      struct nsm_error *err)
{
        const struct nsm_target *target = j->request->target;
        struct nsm_record record = { .kind = NSM_RECORD_INTENT };
        int fds[2] = { graft_fd, root_fd };
        int r;

        nsm_place_of_target(target, &record.place);
        record.place.device = j->request->device;
        snprintf(record.text, sizeof record.text, "%s", path);
        r = nsm_sys_mount_id(graft_fd, "", AT_EMPTY_PATH, &record.place.mount_id);
        if (r == 0)
                r = nsm_sys_mount_id(root_fd, "", AT_EMPTY_PATH, &record.number);
        if (r < 0)
                return nsm_error_set(err, r, "cannot learn the id of a mount: %s", strerror(-r));
        if (nsm_sys_unique_mount_id(graft_fd, "", AT_EMPTY_PATH, &record.place.mount_id_unique) < 0)
                record.place.mount_id_unique = 0;
        return nsm_joiner_say(j, &record, fds, 2, err);
}

/* The first id of a map of ours that is there: what @name (uid_map, gid_map) begins with. */
static uint32_t first_mapped(const char *name)
{
        char path[40], text[4096];
        cleanup_fd int fd = -1;
        uint32_t first[3];
        ssize_t n;

        snprintf(path, sizeof path, "/proc/self/%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
        if (n <= 0)
                return 0;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return nsm_parse_u32_list(text, ' ', first, 3) == 0 ? first[0] : 0;
}

/* Whatever is created from now on belongs to the container's root. */
static int become_root(void)
{
        int r = nsm_sys_set_thread_ids(0, 0);

        /* A container without an id 0 still has someone. */
        if (r == -EINVAL)
                r = nsm_sys_set_thread_ids(first_mapped("uid_map"), first_mapped("gid_map"));
        return r;
}

int nsm_joiner_enter_user(struct nsm_joiner *j, struct nsm_error *err)
{
        const struct nsm_target *target = j->request->target;
        pid_t parent = getppid();
        int r;

        if (setns(target->namespaces[NSM_NAMESPACE_USER], CLONE_NEWUSER) < 0)
                return nsm_error_set(err, -errno, "cannot join the container's user namespace: %s",
                                     strerror(errno));
        r = become_root();
        /* New credentials make a process dumpable again, and forget whom it follows. */
        if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
                r = -errno;
        if (r == 0)
                r = nsm_process_follow(parent);
        if (r < 0)
                return nsm_error_set(err, r, "cannot become the container's root: %s",
                                     strerror(-r));
        return 0;
}

int nsm_joiner_lock_mounts(struct nsm_joiner *j, struct nsm_error *err)
{
        int r = nsm_joiner_enter_user(j, err);

        if (r == 0)
                r = nsm_joiner_step(j, NSM_STEP_JOIN, err);
        if (r < 0)
                return r;
        if (unshare(CLONE_NEWNS) < 0)
                return nsm_error_set(err, -errno, "cannot copy the mounts: %s", strerror(errno));
        return 0;
}

int nsm_joiner_enter_mounts(struct nsm_joiner *j, struct nsm_error *err)
{
        const struct nsm_target *target = j->request->target;

        if (setns(target->namespaces[NSM_NAMESPACE_MNT], CLONE_NEWNS) < 0)
                return nsm_error_set(err, -errno, "cannot join the container's mount namespace: "
                                     "%s", strerror(errno));
        return 0;
}

void nsm_joiner_close_fds(struct nsm_joiner *j)
{
        nsm_close_fd(j->root_fd);
        for (int i = 0; i < NSM_DEVICE_COUNT; i++)
                nsm_close_fd(j->devices[i]);
}

static int keep_fds(const struct nsm_joiner *j)
{
        const struct nsm_progress *undo = j->undo;
        int keep[NSM_NAMESPACE_COUNT + NSM_DEVICE_COUNT + 8];
        unsigned n = 0;

        keep[n++] = j->journal;
        keep[n++] = j->link;
        keep[n++] = j->root_fd;
        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++)
                keep[n++] = j->request->target->namespaces[i];
        for (int i = 0; i < NSM_DEVICE_COUNT; i++)
                keep[n++] = j->devices[i];
        if (undo) {
                keep[n++] = undo->graft_fd;
                keep[n++] = undo->root_fd;
                keep[n++] = undo->anchor_fd;
                keep[n++] = undo->group_fd;
                keep[n++] = undo->parent_fd;
        }
        return nsm_process_keep_fds(keep, n);
}

static void be_joiner(struct nsm_joiner *j, nsm_joiner_body *body, pid_t parent)
{
        struct nsm_record record = { .kind = NSM_RECORD_JOINER };
        struct nsm_error err = { 0 };
        int r = nsm_process_follow(parent);

        /* Before anything else: whoever undoes must be able to wait for our end. */
        if (r == 0) {
                cleanup_fd int self = nsm_sys_pidfd_open(getpid());

                r = self < 0 ? self : nsm_joiner_say(j, &record, &self, 1, &err);
        }
        if (r == 0)
                r = prctl(PR_SET_NAME, "nsm-joiner") < 0 ? -errno : keep_fds(j);
        if (r == 0)
                r = body(j, &err);
        if (r < 0) {
                record = (struct nsm_record){ .kind = NSM_RECORD_FAILURE, .code = r,
                                              .outcome = r == -ECANCELED ? NSM_OUTCOME_REFUSED :
                                                                           NSM_OUTCOME_FAILED };
                snprintf(record.text, sizeof record.text, "%s", err.code ? err.text : strerror(-r));
                nsm_record_send(j->link, &record, NULL, 0);
        }
        _exit(r < 0 ? 1 : 0);
}

int nsm_joiner_start(struct nsm_joiner *j, nsm_joiner_body *body, pid_t *ret_pid, int *ret_pidfd,
                     int *ret_link, struct nsm_error *err)
{
        cleanup_fd int ours = -1, theirs = -1;
        pid_t parent = getpid(), pid;
        int r = nsm_journal_open(&ours, &theirs);

        if (r < 0)
                return nsm_error_set(err, r, "socketpair: %s", strerror(-r));
        j->link = theirs;
        pid = nsm_sys_fork(0, ret_pidfd);
        if (pid < 0)
                return nsm_error_set(err, pid, "cannot fork: %s", strerror(-pid));
        if (pid == 0)
                be_joiner(j, body, parent);
        *ret_pid = pid;
        *ret_link = nsm_take_fd(&ours);
        return 0;
}
