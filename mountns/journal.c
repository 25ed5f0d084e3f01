/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fs/base/cleanup.h"

void nsm_progress_init(struct nsm_progress *progress)
{
        memset(progress, 0, sizeof *progress);
        progress->joiner_pidfd = -1;
        progress->graft_fd = -1;
        progress->root_fd = -1;
        progress->anchor_fd = -1;
        progress->group_fd = -1;
        progress->parent_fd = -1;
}

void nsm_progress_close(struct nsm_progress *progress)
{
        int *fds[] = { &progress->joiner_pidfd, &progress->graft_fd, &progress->root_fd,
                       &progress->anchor_fd, &progress->group_fd, &progress->parent_fd };

        for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
                nsm_close_fd(nsm_take_fd(fds[i]));
}

void nsm_progress_clear(struct nsm_progress *progress)
{
        nsm_progress_close(progress);
        nsm_result_clear(&progress->result);
        nsm_progress_init(progress);
}

static void take_fd_into(int *slot, int *fds, unsigned n_fds, unsigned index)
{
        if (index >= n_fds || fds[index] < 0)
                return;
        nsm_close_fd(*slot);
        *slot = nsm_take_fd(&fds[index]);
}

static void add_warning(struct nsm_result *result, const char *text)
{
        char *copy;

        if (result->n_warnings == NSM_WARNINGS_MAX)
                return;
        copy = strdup(text);
        if (copy)
                result->warnings[result->n_warnings++] = copy;
}

static void set_path(struct nsm_result *result, const char *path)
{
        free(result->path);
        result->path = strdup(path);
}

void nsm_progress_apply(struct nsm_progress *p, const struct nsm_record *record, int *fds,
                        unsigned n_fds)
{
        switch ((enum nsm_record_kind)record->kind) {
        case NSM_RECORD_JOINER:
                take_fd_into(&p->joiner_pidfd, fds, n_fds, 0);
                break;
        case NSM_RECORD_STEP:
                p->step = record->step;
                break;
        case NSM_RECORD_INTENT:
                p->has_intent = true;
                p->root_id = record->number;
                p->result.place = record->place;
                set_path(&p->result, record->text);
                take_fd_into(&p->graft_fd, fds, n_fds, 0);
                take_fd_into(&p->root_fd, fds, n_fds, 1);
                break;
        case NSM_RECORD_ANCHOR:
                p->anchor_id = record->number;
                take_fd_into(&p->anchor_fd, fds, n_fds, 0);
                break;
        case NSM_RECORD_GROUP:
                take_fd_into(&p->group_fd, fds, n_fds, 0);
                break;
        case NSM_RECORD_DIRECTORY:
                snprintf(p->directory, sizeof p->directory, "%.255s", record->text);
                take_fd_into(&p->parent_fd, fds, n_fds, 0);
                break;
        case NSM_RECORD_WARNING:
                add_warning(&p->result, record->text);
                break;
        case NSM_RECORD_HOLDERS:
                p->result.holders.n = 0;
                p->result.holders.total = record->number;
                break;
        case NSM_RECORD_HOLDER:
                if (p->result.holders.n < NSM_HOLDERS_MAX)
                        p->result.holders.list[p->result.holders.n++] = record->holder;
                break;
        case NSM_RECORD_FAILURE:
                p->has_failure = true;
                p->result.outcome = record->outcome;
                nsm_error_set(&p->error, record->code, "%s", record->text);
                break;
        case NSM_RECORD_RESULT:
                p->has_result = true;
                p->result.outcome = record->outcome;
                if (record->outcome == NSM_OUTCOME_DONE) {
                        p->result.place = record->place;
                        set_path(&p->result, record->text);
                        break;
                }
                nsm_error_reset(&p->error);
                nsm_error_set(&p->error, record->code, "%s", record->text);
                break;
        case NSM_RECORD_ASK:
        case NSM_RECORD_DIE:
                break;
        }
        for (unsigned i = 0; i < n_fds; i++)
                nsm_close_fd(nsm_take_fd(&fds[i]));
}

int nsm_record_send(int socket, const struct nsm_record *record, const int *fds, unsigned n_fds)
{
        union {
                struct cmsghdr align;
                char space[CMSG_SPACE(sizeof(int) * NSM_RECORD_FDS_MAX)];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)record, .iov_len = sizeof *record };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (n_fds > 0) {
                struct cmsghdr *c = &control.align;

                msg.msg_control = control.space;
                msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
        }
        while (sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int nsm_record_receive(int socket, struct nsm_record *ret, int *fds, unsigned *ret_n_fds)
{
        union {
                struct cmsghdr align;
                char space[CMSG_SPACE(sizeof(int) * NSM_RECORD_FDS_MAX)];
        } control;
        struct iovec iov = { .iov_base = ret, .iov_len = sizeof *ret };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
                              .msg_controllen = sizeof control };
        struct cmsghdr *c;
        ssize_t n;

        for (unsigned i = 0; i < NSM_RECORD_FDS_MAX; i++)
                fds[i] = -1;
        *ret_n_fds = 0;
        do
                n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                        *ret_n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
                        memcpy(fds, CMSG_DATA(c), *ret_n_fds * sizeof(int));
                }
        if (n == sizeof *ret)
                return 1;
        for (unsigned i = 0; i < *ret_n_fds; i++)
                nsm_close_fd(nsm_take_fd(&fds[i]));
        return -EBADMSG;
}

int nsm_journal_open(int *ret_reader, int *ret_writer)
{
        int pair[2], room = (NSM_HOLDERS_MAX + NSM_WARNINGS_MAX + 2 * NSM_STEP_COUNT) * 4096;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        /* Without the privilege the limit of the system stays, and long lists are cut. */
        if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
                setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        *ret_reader = pair[0];
        *ret_writer = pair[1];
        return 0;
}

void nsm_result_clear(struct nsm_result *result)
{
        for (size_t i = 0; i < result->n_warnings; i++)
                free(result->warnings[i]);
        free(result->path);
        memset(result, 0, sizeof *result);
}
