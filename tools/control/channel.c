/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fs/base/cleanup.h"
#include "tools/control/client.h"

/* Bytes per read: a request fits in one as a rule. */
#define READ_SIZE 16384

/* Copies the descriptors of @msg to @fds, of NSM_MESSAGE_FDS_MAX places; their number. */
static size_t collect_fds(struct msghdr *msg, int *fds)
{
        size_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                size_t bytes;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                bytes = c->cmsg_len - CMSG_LEN(0);
                memcpy(fds + n, CMSG_DATA(c), bytes);
                n += bytes / sizeof(int);
        }
        return n;
}

int nsm_channel_receive(int fd, struct nsm_input *input)
{
        char bytes[READ_SIZE];
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(NSM_MESSAGE_FDS_MAX * sizeof(int))];
        } control;
        struct iovec iov = { .iov_base = bytes, .iov_len = sizeof bytes };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control };
        int fds[sizeof control / sizeof(int)];
        size_t n_fds;
        ssize_t n;
        int r;

        do
                n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        n_fds = collect_fds(&msg, fds);
        if (msg.msg_flags & MSG_CTRUNC) {
                for (size_t i = 0; i < n_fds; i++)
                        nsm_close_fd(fds[i]);
                return -E2BIG;
        }
        r = nsm_input_feed(input, bytes, (size_t)n, fds, n_fds);
        if (r < 0)
                return r;
        return n > 0;
}

ssize_t nsm_channel_send(int fd, const char *bytes, size_t n, const int *fds, size_t n_fds)
{
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(NSM_MESSAGE_FDS_MAX * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)bytes, .iov_len = n };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t sent;

        if (n_fds > NSM_MESSAGE_FDS_MAX)
                return -E2BIG;
        if (n_fds > 0) {
                struct cmsghdr *c;

                msg.msg_control = &control;
                msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
        }
        do
                sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : sent;
}

int nsm_channel_open_directory(const char *runtime_dir, char *path, size_t size)
{
        int fd = open(runtime_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        snprintf(path, size, "/proc/self/fd/%d/%s", fd, NSM_CONTROL_SOCKET);
        return fd;
}
