/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers with processes that keep something of the old root. */
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fs/base/sys.h"
#include "tests/integration/graft-kit.h"

/* Without a pid namespace, so that a holder may have threads, and the host's /proc. */
static const struct nsm_container_spec host_pids = { .namespaces = CLONE_NEWUSER | CLONE_NEWNS };

/* Tells the test that it holds; for one that cannot return. */
static int told = -1;

static int hold_nothing(void)
{
        return 0;
}

static int hold_working_directory(void)
{
        return chdir("/usr");
}

static int hold_root(void)
{
        return chroot("/usr") < 0 ? -1 : chdir("/");
}

static int hold_directory(void)
{
        return open("/etc", O_RDONLY | O_DIRECTORY) < 0;
}

static int hold_path_of_root(void)
{
        return open("/", O_PATH) < 0;
}

static void *be_thread(void *ready)
{
        int r = unshare(CLONE_FS) < 0 || chdir("/usr") < 0;

        if (write(*(int *)ready, r ? "n" : "y", 1) == 1)
                for (;;)
                        pause();
        return NULL;
}

static int hold_in_thread(void)
{
        pthread_t thread;
        int ready[2];
        char c = 'n';

        if (pipe(ready) < 0 || pthread_create(&thread, NULL, be_thread, &ready[1]) != 0 ||
            read(ready[0], &c, 1) != 1)
                return -1;
        return c == 'y' ? 0 : -1;
}

/* The first thread ends: /proc/PID shows a zombie, and the others live on. */
static int hold_behind_a_zombie(void)
{
        if (hold_in_thread() < 0)
                return -1;
        if (write(told, "y", 1) == 1)
                syscall(SYS_exit, 0);
        return -1;
}

/* A directory on its way: no process has a descriptor of it. */
static int hold_in_flight(void)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                                  .cmsg_type = SCM_RIGHTS } };
        char byte = 0;
        struct iovec data = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof control };
        int pair[2], dir = open("/", O_PATH);

        memcpy(CMSG_DATA(&control.header), &dir, sizeof dir);
        if (dir < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
            sendmsg(pair[0], &message, 0) != 1)
                return -1;
        return close(dir);
}

static int hold_in_io_uring(void)
{
        struct io_uring_params params = { 0 };
        int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
        int file = open("/etc/passwd", O_RDONLY);

        if (ring < 0 || file < 0 ||
            syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &file, 1) < 0)
                return -1;
        return close(file);
}

/* An overlay in the making keeps its lower directory. */
static int hold_in_fscontext(void)
{
        int fs = fsopen("overlay", 0);

        return fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "/:/usr", 0) < 0 ? -1 : 0;
}

/*
 * Its link shows a path, not a namespace. Only a later namespace can be bound,
 * and what is later the kernel knows for each processor, roughly.
 */
static int hold_bound_namespace(void)
{
        int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), other, r = -1;
        char path[32];

        for (int i = 0; i < 1000 && own >= 0 && r < 0; i++) {
                cpu_set_t one;

                CPU_ZERO(&one);
                CPU_SET(i % CPU_SETSIZE, &one);
                if (sched_setaffinity(0, sizeof one, &one) < 0)
                        continue;
                if (unshare(CLONE_NEWNS) < 0)
                        return -1;
                other = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
                snprintf(path, sizeof path, "/proc/self/fd/%d", other);
                if (setns(own, CLONE_NEWNS) < 0)
                        return -1;
                r = mount(path, "/etc/passwd", NULL, MS_BIND, NULL);
                close(other);
        }
        close(own);
        return r < 0 || open("/etc/passwd", O_RDONLY) < 0 ? -1 : 0;
}

/* Never where it was a moment ago. */
static int hold_on_the_move(void)
{
        int now = open("/", O_PATH);

        for (bool ok = now >= 0 && write(told, "y", 1) == 1; ok;) {
                int next = 10 + rand() % 1000;

                if (next == now)
                        continue;
                ok = dup2(now, next) == next;
                close(now);
                now = next;
        }
        return -1;
}

/* A mount namespace with nothing of the old tree but a descriptor. */
static int hold_from_a_clean_namespace(void)
{
        if (open("/usr", O_PATH) < 0 || unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("t", "/mnt", "tmpfs", 0, NULL) < 0 || chdir("/mnt") < 0 ||
            nsm_sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return -1;
        return chdir("/");
}

static int hold_nested_namespace(void)
{
        return unshare(CLONE_NEWNS);
}

static int hold_descriptor_of_namespace(void)
{
        int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

        if (own < 0 || unshare(CLONE_NEWNS) < 0 || open("/proc/self/ns/mnt", O_RDONLY) < 0 ||
            setns(own, CLONE_NEWNS) < 0)
                return -1;
        return close(own);
}

static int hold_file(void)
{
        return open("/etc/passwd", O_RDONLY) < 0;
}

/* Starts a process in the container that holds something, and returns when it does. */
static pid_t start_holder(struct nsm_fake_container *c, int (*hold)(void))
{
        int ready[2];
        char answer = 'n';
        pid_t pid;

        if (pipe2(ready, O_CLOEXEC) < 0)
                nsm_harness_die("pipe: %s", strerror(errno));
        pid = fork();
        if (pid == 0) {
                int pidfd = nsm_sys_pidfd_open(c->pid);
                int r = setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
                        setgid(0) < 0 || setuid(0) < 0;

                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
                close_range(3, (unsigned)ready[1] - 1, 0);
                close_range((unsigned)ready[1] + 1, ~0U, 0);
                told = ready[1];
                r = r || hold() != 0;
                if (write(ready[1], r ? "n" : "y", 1) == 1)
                        for (;;)
                                pause();
                _exit(1);
        }
        close(ready[1]);
        if (pid < 0 || read(ready[0], &answer, 1) != 1 || answer != 'y')
                nsm_harness_die("cannot hold it: %s", strerror(errno));
        close(ready[0]);
        return pid;
}

static void end_holder(pid_t pid)
{
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void refused_because(int (*hold)(void), const char *text)
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &host_pids);
        struct kit_view view = kit_view_new_root(t);
        pid_t holder = start_holder(c, hold);
        const char *before = nsm_container_mountinfo(c), *out;
        struct kit_job job = kit_attach(c, view, NULL);
        char line[128];

        snprintf(line, sizeof line, "holder %d ", holder);
        out = kit_must_not(w, job, 13, "foothold");
        cr_assert(strstr(out, line), "%s is not in %s", line, out);
        cr_assert(strstr(out, text), "%s is not in %s", text, out);
        cr_assert_str_eq(nsm_container_mountinfo(c), before);
        cr_assert_str_eq(nsm_world_must(w, "readlink /proc/%d/root", c->pid), "/\n");

        job.request.force = true;
        out = kit_must(w, job);
        cr_assert(strstr(out, "the old root stays reachable through"), "%s", out);
        cr_assert(strstr(out, line), "%s is not in %s", line, out);
        end_holder(holder);
}

#define FOOTHOLD_TEST(name, hold, text)      \
        Test(graft_footholds, name)          \
        {                                    \
                KIT_REQUIRE();               \
                refused_because(hold, text); \
        }

#define NAMESPACE ": a mount namespace of its own, made from the old root\n"

FOOTHOLD_TEST(working_directory, hold_working_directory, ": working directory /usr\n")
FOOTHOLD_TEST(root_directory, hold_root, ": root directory /usr\n")
FOOTHOLD_TEST(directory, hold_directory, " (directory /etc)\n")
FOOTHOLD_TEST(path_descriptor_of_root, hold_path_of_root, " (directory /)\n")
FOOTHOLD_TEST(thread, hold_in_thread, ": working directory /usr of thread ")
FOOTHOLD_TEST(thread_of_a_zombie, hold_behind_a_zombie, ": working directory /usr of thread ")
FOOTHOLD_TEST(clean_namespace, hold_from_a_clean_namespace, NAMESPACE)
FOOTHOLD_TEST(nested_namespace, hold_nested_namespace, NAMESPACE)
FOOTHOLD_TEST(namespace_descriptor, hold_descriptor_of_namespace, ": another mount namespace\n")
FOOTHOLD_TEST(bound_namespace, hold_bound_namespace, ": another mount namespace\n")
FOOTHOLD_TEST(in_flight, hold_in_flight, ": descriptors in flight in a socket\n")
FOOTHOLD_TEST(io_uring, hold_in_io_uring, ": an io_uring, perhaps with files\n")
FOOTHOLD_TEST(fscontext, hold_in_fscontext, ": a filesystem that is not mounted yet\n")

Test(graft_footholds, descriptor_on_the_move)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&host_pids);
        pid_t holder = start_holder(k.c, hold_on_the_move);
        const char *before = nsm_container_mountinfo(k.c);

        for (int i = 0; i < 5; i++) {
                struct nsm_output *o = kit_run(k.w, kit_attach(k.c, k.view, NULL));

                cr_assert(o->status == 11 || o->status == 13, "status %d: %s", o->status, o->out);
                cr_assert(strstr(o->out, "foothold") || strstr(o->out, "too fast"), "%s", o->out);
        }
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
        end_holder(holder);
}

static void allowed_although(int (*hold)(void))
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &host_pids);
        struct kit_view view = kit_view_new_root(t);
        pid_t holder = start_holder(c, hold);

        cr_assert(!strstr(kit_must(w, kit_attach(c, view, NULL)), "reachable"));
        cr_assert_str_eq(nsm_world_must(w, "cat /proc/%d/root/etc/hostname", holder), "acme\n");
        end_holder(holder);
}

Test(graft_footholds, process_at_the_root_is_none)
{
        KIT_REQUIRE();
        allowed_although(hold_nothing);
}

Test(graft_footholds, open_file_is_none)
{
        KIT_REQUIRE();
        allowed_although(hold_file);
}

Test(graft_footholds, do_not_matter_below_the_root)
{
        KIT_REQUIRE();
        const struct nsm_container_spec spec = { .root = NSM_ROOT_TMPFS };
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);
        struct kit_view view = kit_view_new(t);
        pid_t holder = start_holder(c, hold_working_directory);

        kit_must(w, kit_attach(c, view, "/data"));
        end_holder(holder);
}
