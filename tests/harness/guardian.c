/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guardian of one test's world: a program of its own, in a session of its
 * own, so that it outlives the test. It makes the world's processes and is
 * their subreaper, and at the end (asked for, or the test is gone) it leaves
 * nothing behind.
 *
 *     nsm-guardian DIR     with the socket as standard input
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"
#include "tests/harness/guardian.h"

#define WAITED_MAX 4096

/* Processes whose status somebody wants. */
struct waited {
        pid_t pid;
        int status_fd;
};

struct guardian {
        const char *dir;
        size_t n;
        struct waited waited[WAITED_MAX];
};

static void report_status(struct guardian *g, pid_t pid, int status)
{
        for (size_t i = 0; i < g->n; i++) {
                if (g->waited[i].pid != pid)
                        continue;
                if (write(g->waited[i].status_fd, &status, sizeof(status)) < 0)
                        fprintf(stderr, "guardian: nobody waits for %d\n", pid);
                close(g->waited[i].status_fd);
                g->waited[i] = g->waited[--g->n];
                return;
        }
}

static void reap(struct guardian *g)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                report_status(g, pid, status);
}

/* ---- making ---- */

static void set_signals(void (*disposition)(int))
{
        static const int signals[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP};

        for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
                signal(signals[i], disposition);
}

__attribute__((noreturn)) static void become_shell(const char *command)
{
        sigset_t none;

        set_signals(SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        execl("/bin/sh", "sh", "-c", command, NULL);
        fprintf(stderr, "/bin/sh: %s\n", strerror(errno));
        _exit(127);
}

/* Inside a container: one more process, because only children enter a pid namespace. */
__attribute__((noreturn)) static void enter_and_become_shell(pid_t container, const char *command)
{
        int r = nsm_guardian_enter(container), status;
        pid_t pid;

        if (r < 0) {
                fprintf(stderr, "entering the namespaces of %d: %s\n", container, strerror(-r));
                _exit(126);
        }
        pid = fork();
        if (pid < 0)
                _exit(126);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                clearenv();
                setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
                setenv("HOME", "/root", 1);
                become_shell(command);
        }
        if (waitpid(pid, &status, 0) < 0)
                _exit(126);
        if (WIFSIGNALED(status)) {
                signal(WTERMSIG(status), SIG_DFL);
                kill(getpid(), WTERMSIG(status));
        }
        _exit(WEXITSTATUS(status));
}

static int spawn(struct guardian *g, const struct nsm_guardian_request *request, const int *fds,
                 pid_t *ret)
{
        pid_t pid;

        if (g->n == WAITED_MAX)
                return -E2BIG;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (null < 0 || dup2(null, 0) < 0 || dup2(fds[0], 1) < 0 || dup2(fds[1], 2) < 0 ||
                    close_range(3, ~0U, 0) < 0)
                        _exit(126);
                if (request->enter)
                        enter_and_become_shell(request->enter, request->texts);
                become_shell(request->texts);
        }
        g->waited[g->n++] = (struct waited){pid, fcntl(fds[2], F_DUPFD_CLOEXEC, 3)};
        *ret = pid;
        return 0;
}

/* ---- ending ---- */

/* Kills our children, those that others left us included. Returns how many there were. */
static int kill_children(void)
{
        char path[64];
        cleanup_file FILE *f = NULL;
        cleanup_free char *word = NULL;
        size_t size = 0;
        int n = 0;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        f = fopen(path, "re");
        while (f && getdelim(&word, &size, ' ', f) > 0) {
                pid_t pid;

                word[strcspn(word, " ")] = '\0';
                if (nsm_parse_pid(word, &pid) < 0)
                        continue;
                kill(pid, SIGKILL);
                n++;
        }
        return n;
}

/* Some 20 s at most: a process in an uninterruptible wait must not keep us. */
static int end_processes(struct guardian *g)
{
        for (int i = 0; i < 4000; i++) {
                struct timespec pause = {0, 5000000};

                if (kill_children() == 0 && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
                        return 0;
                reap(g);
                if (i > 0)
                        nanosleep(&pause, NULL);
        }
        fprintf(stderr, "guardian: processes are left\n");
        return -EBUSY;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st;
        (void)kind;
        (void)at;
        return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/* FTW_MOUNT: what is still mounted is left alone. */
static int remove_all(const char *dir)
{
        if (nftw(dir, remove_one, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT) {
                fprintf(stderr, "guardian: removing %s: %s\n", dir, strerror(errno));
                return -errno;
        }
        return 0;
}

static int finish(struct guardian *g)
{
        int r = end_processes(g), s = nsm_guardian_unmount(g->dir, true);

        /* Processes that are left may still change what lies below: keep it then. */
        if (r < 0 || s < 0)
                return r < 0 ? r : s;
        if (chdir("/") < 0)
                return -errno;
        return remove_all(g->dir);
}

/* ---- asking and answering ---- */

/* Splits what came into its texts. */
static const char *text_at(const struct nsm_guardian_request *request, size_t len, int n)
{
        const char *p = request->texts;
        const char *end = (const char *)request + len;

        for (; n > 0 && p < end; n--)
                p += strlen(p) + 1;
        return p < end ? p : "";
}

static void answer(struct guardian *g, const struct nsm_guardian_request *request, size_t len,
                   const int *fds, struct nsm_guardian_reply *reply)
{
        switch (request->op) {
        case NSM_GUARDIAN_SPAWN:
                reply->error = spawn(g, request, fds, &reply->pid);
                break;
        case NSM_GUARDIAN_CONTAINER:
                reply->error = nsm_guardian_make_container(request, g->dir,
                                                           text_at(request, len, 0),
                                                           text_at(request, len, 1),
                                                           text_at(request, len, 2), reply);
                break;
        case NSM_GUARDIAN_FINISH:
                reply->error = finish(g);
                break;
        }
}

/* False at the end of the world. */
static bool serve_one(struct guardian *g)
{
        static _Alignas(16) char buffer[NSM_GUARDIAN_MESSAGE_MAX];
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
        struct iovec iov = {buffer, sizeof(buffer) - 1};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
        struct nsm_guardian_request *request = (void *)buffer;
        struct nsm_guardian_reply reply = {0};
        int fds[3] = {-1, -1, -1};
        ssize_t n = recvmsg(0, &msg, MSG_CMSG_CLOEXEC);
        struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

        if (n <= (ssize_t)sizeof(*request))
                return false;
        buffer[n] = '\0';
        if (c && c->cmsg_type == SCM_RIGHTS)
                memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        answer(g, request, (size_t)n, fds, &reply);
        for (int i = 0; i < 3; i++)
                nsm_close_fd(fds[i]);
        if (send(0, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
                return false;
        return request->op != NSM_GUARDIAN_FINISH;
}

static int watch(struct guardian *g)
{
        sigset_t chld;
        struct pollfd polled[2] = {{.fd = 0, .events = POLLIN}, {.events = POLLIN}};

        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        sigprocmask(SIG_SETMASK, &chld, NULL);
        polled[1].fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
        if (polled[1].fd < 0)
                return -errno;
        for (;;) {
                struct signalfd_siginfo info;

                if (poll(polled, 2, -1) < 0 && errno != EINTR)
                        return -errno;
                while (read(polled[1].fd, &info, sizeof(info)) > 0)
                        ;
                reap(g);
                if (polled[0].revents && !serve_one(g))
                        return 0;
        }
}

int main(int argc, char **argv)
{
        static struct guardian g;

        if (argc != 2 || argv[1][0] != '/') {
                fprintf(stderr, "usage: nsm-guardian DIR, with a socket as standard input\n");
                return 2;
        }
        g.dir = argv[1];
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        set_signals(SIG_IGN);
        if (watch(&g) < 0)
                fprintf(stderr, "guardian: %s\n", strerror(errno));
        return finish(&g) < 0;
}
