/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which processes are a container's. Each test has a pid namespace to itself,
 * where nobody else makes processes: so it knows their numbers.
 */
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "fs/base/sys.h"
#include "mountns/members.h"
#include "mountns/proc.h"
#include "tests/integration/graft-kit.h"

/* What is wrong goes up a pipe, for the test itself to say. */
static int complaints = -1;

static void __attribute__((format(printf, 2, 3))) must(bool ok, const char *fmt, ...)
{
        va_list ap;

        if (ok)
                return;
        va_start(ap, fmt);
        vdprintf(complaints, fmt, ap);
        va_end(ap);
        _exit(1); /* process 1 of the namespace: all others end, too */
}

/* Process 1 of a pid namespace that is our child runs @fn. */
static void in_pid_namespace(void (*fn)(void))
{
        char text[512];
        int pipefd[2], status;
        ssize_t n;
        pid_t outer;

        cr_assert_eq(pipe2(pipefd, O_CLOEXEC), 0);
        outer = fork();
        if (outer == 0) {
                complaints = pipefd[1];
                must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                     unshare(CLONE_NEWPID | CLONE_NEWNS) == 0, "unshare: %m");
                if (fork() == 0) {
                        must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                             mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                             mount("proc", "/proc", "proc", 0, NULL) == 0, "proc: %m");
                        fn();
                        _exit(0);
                }
                must(wait(&status) > 0 && status == 0, "it ended with %d", status);
                _exit(0);
        }
        close(pipefd[1]);
        n = read(pipefd[0], text, sizeof text - 1);
        close(pipefd[0]);
        waitpid(outer, &status, 0);
        text[n < 0 ? 0 : n] = '\0';
        cr_assert_eq(n, 0, "%s", text);
        cr_assert_eq(status, 0);
}

/* A process that has done @fn(@arg), and pauses. */
static pid_t start(int (*fn)(pid_t), pid_t arg)
{
        int ready[2];
        char c = 'n';
        pid_t pid;

        must(pipe(ready) == 0, "pipe: %m");
        pid = fork();
        if (pid == 0) {
                if (fn(arg) < 0)
                        must(false, "a process could not get where it should: %m");
                if (write(ready[1], "y", 1) == 1)
                        for (;;)
                                pause();
                _exit(1);
        }
        close(ready[1]);
        must(pid > 0 && read(ready[0], &c, 1) == 1, "a process did not start");
        close(ready[0]);
        return pid;
}

static void stop(pid_t pid)
{
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static int be_host(pid_t unused)
{
        return 0;
}

static bool put(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY);
        bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

        close(fd);
        return ok;
}

/* With a map, so that user namespaces may be made below. */
static int be_container(pid_t unused)
{
        return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put("/proc/self/uid_map", "0 0 1") &&
               put("/proc/self/setgroups", "deny") && put("/proc/self/gid_map", "0 0 1") ? 0 : -1;
}

static int join(pid_t pid, int namespaces)
{
        int pidfd = nsm_sys_pidfd_open(pid);

        return pidfd < 0 ? -1 : setns(pidfd, namespaces);
}

static int join_mounts(pid_t pid)
{
        return join(pid, CLONE_NEWNS);
}

/* In the container's user namespace, and in the host's mount namespace: that is the host's tree. */
static int join_user(pid_t pid)
{
        return join(pid, CLONE_NEWUSER);
}

static int nest(pid_t pid)
{
        return join(pid, CLONE_NEWUSER | CLONE_NEWNS) < 0 ? -1 :
               unshare(CLONE_NEWUSER | CLONE_NEWNS);
}

static int wait_to_join_mounts(pid_t pid)
{
        sigset_t set;
        int sig;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (fork() == 0)
                return 0; /* the one that is started; its parent waits */
        return sigwait(&set, &sig) == 0 ? join_mounts(pid) : -1;
}

struct look {
        int proc;
        struct nsm_target *target;
        struct nsm_members members;
        struct nsm_pids found;
};

static struct look look_at(pid_t container)
{
        struct nsm_error err = { 0 };
        struct look l = { .proc = nsm_proc_open(&err) };
        int pidfd = nsm_sys_pidfd_open(container);

        must(l.proc >= 0 && nsm_target_open(pidfd, &l.target, &err) == 0, "%s", err.text);
        nsm_members_init(&l.members, l.proc, l.target);
        return l;
}

/* Exactly these processes, which end with 0, are found. */
static void finds(struct look *l, int doubt, ...)
{
        va_list ap;
        pid_t pid;
        size_t n = 0;
        int r = nsm_members_list(&l->members, 0, doubt != 0, &l->found);

        must(r == 0, "the processes cannot be listed: %s", strerror(-r));
        va_start(ap, doubt);
        for (; (pid = va_arg(ap, pid_t)); n++)
                must(n < l->found.n && l->found.list[n] == pid, "process %d is not number %zu",
                     pid, n);
        va_end(ap);
        must(n == l->found.n, "process %d is no member", n < l->found.n ? l->found.list[n] : 0);
}

static void find_all_that_belong(void)
{
        pid_t host = start(be_host, 0);
        pid_t container = start(be_container, 0), apart = start(be_container, 0);
        pid_t mounts = start(join_mounts, container), user = start(join_user, container);
        pid_t nested = start(nest, container), other = start(nest, apart);
        struct look inner, l = look_at(container);

        finds(&l, false, container, mounts, user, nested, 0);
        inner = look_at(nested);
        finds(&inner, false, nested, 0);
        must(host > 1 && other > host, "no processes");
}

Test(graft_members, are_found_by_either_namespace)
{
        KIT_REQUIRE();
        in_pid_namespace(find_all_that_belong);
}

static void remember_strangers(void)
{
        pid_t container = start(be_container, 0), young;
        struct look l;

        for (int i = 0; i < 300; i++)
                start(i % 3 ? be_container : be_host, 0);
        l = look_at(container);
        finds(&l, false, container, 0);
        must(l.members.asked == 301, "%zu were asked, not 301", l.members.asked);
        must(l.members.n_namespaces == NSM_MEMBERS_NAMESPACES_MAX, "namespaces are not limited");
        finds(&l, false, container, 0);
        must(l.members.asked == 1, "%zu were asked, not 1", l.members.asked);
        young = start(join_mounts, container);
        finds(&l, false, container, young, 0);
        must(l.members.asked == 2, "%zu were asked, not 2", l.members.asked);
        finds(&l, true, container, young, 0);
        must(l.members.asked == 102, "%zu were asked, not 102", l.members.asked);
        stop(young);
        finds(&l, false, container, 0);
}

Test(graft_members, strangers_are_asked_once)
{
        KIT_REQUIRE();
        in_pid_namespace(remember_strangers);
}

static void move_a_stranger(void)
{
        pid_t container = start(be_container, 0), stranger = start(wait_to_join_mounts, container);
        struct look l = look_at(container);
        char path[32], link[2][64] = { "", "-" };

        finds(&l, false, container, 0);
        kill(stranger, SIGUSR1);
        snprintf(path, sizeof path, "%d/ns/mnt", container);
        nsm_proc_link(l.proc, path, link[0], sizeof link[0]);
        snprintf(path, sizeof path, "%d/ns/mnt", stranger);
        while (strcmp(link[0], link[1]) != 0)
                nsm_proc_link(l.proc, path, link[1], sizeof link[1]);
        finds(&l, false, container, 0);
        finds(&l, true, container, stranger, 0);
}

Test(graft_members, stranger_that_joins_is_found_when_in_doubt)
{
        KIT_REQUIRE();
        in_pid_namespace(move_a_stranger);
}

/* The next process gets this number. */
static void give_next(pid_t pid)
{
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);

        must(fd >= 0 && dprintf(fd, "%d", pid - 1) > 0, "ns_last_pid: %m");
        close(fd);
}

static void reuse_the_number_of_a_stranger(void)
{
        pid_t container = start(be_container, 0), stranger = start(be_container, 0);
        pid_t later = start(be_host, 0), heir;
        struct look l = look_at(container);

        finds(&l, false, container, 0);
        stop(stranger);
        give_next(stranger);
        heir = start(join_mounts, container);
        must(heir == stranger, "the number is %d, not %d", heir, stranger);
        finds(&l, false, container, heir, 0);
        must(later > heir, "numbers go up");
}

Test(graft_members, number_of_a_stranger_given_anew)
{
        KIT_REQUIRE();
        in_pid_namespace(reuse_the_number_of_a_stranger);
}
