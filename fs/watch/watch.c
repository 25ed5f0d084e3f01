/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/watch/watch.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "fs/watch/private.h"

/* After each batch of events: what comes meanwhile is merged by the kernel, and read at once. */
#define BREATH_NSEC 5000000

int nsm_watch_make_pipe(int *ret_worker, int *ret_watcher)
{
        char path[32];
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        cleanup_fd int reader = ends[0];
        cleanup_fd int writer = ends[1];
        /* A reader that could write, too, never sees the end of writers. */
        snprintf(path, sizeof path, "/proc/self/fd/%d", reader);
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_worker = fd;
        *ret_watcher = nsm_take_fd(&writer);
        return 0;
}

int nsm_watch_reopen_pipe(int worker_fd, int *ret_watcher)
{
        char path[32];
        struct stat st;

        if (fstat(worker_fd, &st) < 0 || !S_ISFIFO(st.st_mode))
                return -EBADF;
        snprintf(path, sizeof path, "/proc/self/fd/%d", worker_fd);
        int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_watcher = fd;
        return 0;
}

int nsm_watch_send(int socket_fd, const struct nsm_watch_order *order, int source_fd, int pipe_fd)
{
        union {
                struct cmsghdr head;
                char room[CMSG_SPACE(2 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)order, .iov_len = sizeof *order };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control };
        int fds[2] = { source_fd, pipe_fd };

        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
        return sendmsg(socket_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int nsm_watch_receive(int socket_fd, struct nsm_watch_answer *ret)
{
        ssize_t n = recv(socket_fd, ret, sizeof *ret, MSG_DONTWAIT);

        if (n < 0)
                return errno == ECONNRESET ? 0 : -errno;
        return n == sizeof *ret;
}

static void __attribute__((noreturn)) run_child(const char *program, int socket_fd)
{
        char *argv[] = { (char *)"nsmountfs", (char *)"--watch", NULL };
        char *environment[] = { NULL };
        struct sigaction normal = { .sa_handler = SIG_DFL };
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        sigset_t none;

        for (int s = 1; s < NSIG; s++)
                (void)sigaction(s, &normal, NULL);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
                dup2(null, fd);
        /* dup2(2) clears close-on-exec only where it does something. */
        if ((socket_fd == NSM_WATCH_FD_SOCKET ? fcntl(socket_fd, F_SETFD, 0) == 0
                                              : dup2(socket_fd, NSM_WATCH_FD_SOCKET) >= 0) &&
            close_range(NSM_WATCH_FD_SOCKET + 1, ~0U, 0) == 0)
                execve(program, argv, environment);
        _exit(127);
}

int nsm_watch_start(const char *program, int *ret_socket, int *ret_pidfd)
{
        cleanup_fd int pidfd = -1;
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        cleanup_fd int mine = ends[0];
        cleanup_fd int its = ends[1];
        /* Waits until it has let go of what we have open: a mount would be busy. */
        pid_t pid = nsm_sys_fork(CLONE_VFORK, &pidfd);
        if (pid == 0)
                run_child(program, its);
        if (pid < 0)
                return pid;
        *ret_socket = nsm_take_fd(&mine);
        *ret_pidfd = nsm_take_fd(&pidfd);
        return 0;
}

/* 1; 0: nobody orders any more; -EAGAIN; or -errno. The descriptors are the caller's. */
static int receive_order(int socket_fd, struct nsm_watch_order *ret, int fds[2])
{
        union {
                struct cmsghdr head;
                char room[CMSG_SPACE(2 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = ret, .iov_len = sizeof *ret };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control };

        fds[0] = fds[1] = -1;
        ssize_t n = recvmsg(socket_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        if (n != sizeof *ret || !head || head->cmsg_type != SCM_RIGHTS ||
            head->cmsg_len != CMSG_LEN(2 * sizeof(int)))
                return -EBADMSG;
        memcpy(fds, CMSG_DATA(head), 2 * sizeof(int));
        return 1;
}

static void note_twins(struct nsm_watch *watch)
{
        watch->twins = false;
        for (size_t i = 0; i < watch->n_views; i++)
                for (size_t j = 0; j < i; j++)
                        watch->twins |= watch->views[i]->source == watch->views[j]->source;
        watch->generation++; /* a new source is found from now on */
}

/* @pipe_fd is taken on success. */
static int add_view(struct nsm_watch *watch, const struct nsm_watch_order *order, int source_fd,
                    int *pipe_fd)
{
        struct stat st;
        int r = 0;

        if (watch->n_views >= NSM_WATCH_VIEWS_MAX)
                return -ENOSPC;
        if (watch->group_fd < 0)
                r = nsm_watch_open(watch, source_fd);
        if (r < 0)
                return r;
        if (fstat(source_fd, &st) < 0)
                return -errno;
        if (st.st_dev != watch->device)
                return -EXDEV;
        struct nsm_watched_view **grown = reallocarray(watch->views, watch->n_views + 1,
                                                       sizeof *grown);
        if (!grown)
                return -ENOMEM;
        watch->views = grown;
        struct nsm_watched_view *view = calloc(1, sizeof *view);
        if (!view)
                return -ENOMEM;
        view->source = st.st_ino;
        view->pid = order->pid;
        view->pipe_fd = nsm_take_fd(pipe_fd);
        watch->views[watch->n_views++] = view;
        note_twins(watch);
        return 0;
}

static void take_orders(struct nsm_watch *watch)
{
        struct nsm_watch_order order;
        int fds[2], r = 1;

        while (watch->socket_fd >= 0 && r > 0) {
                r = receive_order(watch->socket_fd, &order, fds);
                if (r > 0) {
                        struct nsm_watch_answer answer = { .view = order.view };
                        answer.result = add_view(watch, &order, fds[0], &fds[1]);
                        watch->stay |= order.stay != 0;
                        (void)!send(watch->socket_fd, &answer, sizeof answer,
                                    MSG_DONTWAIT | MSG_NOSIGNAL);
                        nsm_close_fd(fds[0]);
                        nsm_close_fd(fds[1]);
                } else if (r != -EAGAIN && r != -EINTR) {
                        nsm_close_fd(nsm_take_fd(&watch->socket_fd));
                }
        }
}

static void drop_view(struct nsm_watch *watch, size_t i)
{
        nsm_close_fd(watch->views[i]->pipe_fd);
        free(watch->views[i]);
        watch->views[i] = watch->views[--watch->n_views];
        note_twins(watch);
}

/* Waits until something is to be done, and does it. False: there is no more use for us. */
static bool turn(struct nsm_watch *watch, struct pollfd *polls)
{
        const struct timespec breath = { .tv_nsec = BREATH_NSEC };
        size_t n = watch->n_views;

        polls[0] = (struct pollfd){ .fd = watch->socket_fd, .events = POLLIN };
        polls[1] = (struct pollfd){ .fd = watch->group_fd, .events = POLLIN };
        for (size_t i = 0; i < n; i++)
                polls[2 + i] = (struct pollfd){ .fd = watch->views[i]->pipe_fd };
        if (poll(polls, (nfds_t)n + 2, -1) < 0)
                return errno == EINTR;
        if (polls[1].revents) {
                int r = nsm_watch_read(watch);
                if (r < 0 && r != -EAGAIN && r != -EINTR)
                        return false;
                nanosleep(&breath, NULL);
        }
        for (size_t i = n; i-- > 0;)
                if (polls[2 + i].revents & (POLLERR | POLLHUP | POLLNVAL))
                        drop_view(watch, i);
        take_orders(watch);
        return watch->n_views && (watch->socket_fd >= 0 || watch->stay);
}

/* Opening the group has taken the rest; what comes from events takes this alone. */
static int drop_privilege(void)
{
        uint64_t keep = (uint64_t)1 << CAP_DAC_READ_SEARCH;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return nsm_sys_set_capabilities(keep, keep);
}

static int watch(struct nsm_watch *w, struct pollfd *polls)
{
        struct pollfd first = { .fd = w->socket_fd, .events = POLLIN };

        while (w->n_views == 0) { /* the first order makes the group */
                if (poll(&first, 1, -1) < 0 && errno != EINTR)
                        return -errno;
                take_orders(w);
                if (w->group_fd < 0 || w->n_views == 0)
                        return 0;
        }
        int r = drop_privilege();
        while (r == 0 && turn(w, polls))
                ;
        return r;
}

int nsm_watch_main(int socket_fd)
{
        struct nsm_watch w = { .socket_fd = socket_fd, .group_fd = -1, .mount_fd = -1,
                               .generation = 1 };
        struct pollfd *polls = calloc(NSM_WATCH_VIEWS_MAX + 2, sizeof *polls);

        w.places = calloc(NSM_WATCH_PLACES, sizeof *w.places);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        if (!polls || !w.places || chdir("/") < 0)
                return EXIT_FAILURE;
        prctl(PR_SET_NAME, "nsm-watcher");
        if (socket_fd > STDERR_FILENO + 1)
                close_range(STDERR_FILENO + 1, (unsigned)socket_fd - 1, 0);
        close_range((unsigned)socket_fd + 1, ~0U, 0);
        int r = watch(&w, polls);
        while (w.n_views)
                drop_view(&w, w.n_views - 1);
        free(w.views);
        free(w.places);
        free(polls);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
