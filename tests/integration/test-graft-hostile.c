/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tenant that wants the host to wait for it. */
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "fs/base/sys.h"
#include "tests/integration/graft-kit.h"

/* With the host's pid namespace, and so its /proc, which is what the test needs inside. */
static const struct nsm_container_spec host_pids = { .namespaces = CLONE_NEWUSER | CLONE_NEWNS };

/* Answers INIT, and takes every other request without a word. */
static void serve_silence(int fuse)
{
        static char buffer[1 << 17];
        struct {
                struct fuse_out_header header;
                struct fuse_init_out init;
        } reply = { .header.len = sizeof reply,
                    .init = { .major = 7, .minor = 31, .max_write = 4096 } };

        while (read(fuse, buffer, sizeof buffer) > 0) {
                const struct fuse_in_header *in = (const struct fuse_in_header *)buffer;

                if (in->opcode != FUSE_INIT)
                        continue;
                reply.header.unique = in->unique;
                if (write(fuse, &reply, sizeof reply) < 0)
                        return;
        }
}

/* In the container, as its root: a filesystem at /mnt that never answers. */
static int mount_silence(int node)
{
        char path[32], options[80];
        int fuse;

        snprintf(path, sizeof path, "/proc/self/fd/%d", node);
        fuse = open(path, O_RDWR | O_CLOEXEC);
        snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
        return fuse < 0 || mount("silence", "/mnt", "fuse", 0, options) < 0 ? -1 : fuse;
}

static pid_t start_silence(struct nsm_world *w, struct nsm_fake_container *c)
{
        const char *path = nsm_world_printf(w, "%s/fuse", w->dir);
        int ready[2], node;
        char answer = 'n';
        pid_t pid;

        nsm_world_must(w, "mknod -m 666 %s c 10 229", path);
        node = open(path, O_PATH | O_CLOEXEC);
        if (node < 0 || pipe2(ready, O_CLOEXEC) < 0)
                nsm_harness_die("%s: %s", path, strerror(errno));
        pid = fork();
        if (pid == 0) {
                int pidfd = nsm_sys_pidfd_open(c->pid), fuse = -1;

                if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) == 0 && setgid(0) == 0 &&
                    setuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0)
                        fuse = mount_silence(node);
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
                if (write(ready[1], fuse < 0 ? "n" : "y", 1) == 1)
                        serve_silence(fuse);
                _exit(0);
        }
        close(ready[1]);
        close(node);
        if (pid < 0 || read(ready[0], &answer, 1) != 1 || answer != 'y')
                nsm_harness_die("cannot mount a FUSE filesystem in the container");
        close(ready[0]);
        return pid;
}

/*
 * In the container: joins its own mount namespace again and again, because
 * that leads to the old root for as long as that stands on the new one.
 */
static void race(int ready)
{
        int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        uint64_t old, now;

        if (own < 0 || nsm_sys_mount_id(AT_FDCWD, "/", 0, &old) < 0 || write(ready, "y", 1) != 1)
                _exit(1);
        do
                nsm_sys_mount_id(AT_FDCWD, "/", 0, &now);
        while (now == old);
        do {
                if (setns(own, CLONE_NEWNS) < 0)
                        _exit(1);
                nsm_sys_mount_id(AT_FDCWD, "/", 0, &now);
        } while (now != old);
        for (;;)
                pause();
}

static pid_t start_race(struct nsm_fake_container *c)
{
        int ready[2];
        char answer = 'n';
        pid_t pid;

        if (pipe2(ready, O_CLOEXEC) < 0)
                nsm_harness_die("pipe: %s", strerror(errno));
        pid = fork();
        if (pid == 0) {
                int pidfd = nsm_sys_pidfd_open(c->pid);

                if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0 || setgid(0) < 0 ||
                    setuid(0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0 ||
                    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                        _exit(1);
                close_range(3, (unsigned)ready[1] - 1, 0);
                close_range((unsigned)ready[1] + 1, ~0U, 0);
                race(ready[1]);
        }
        close(ready[1]);
        if (pid < 0 || read(ready[0], &answer, 1) != 1)
                nsm_harness_die("cannot enter the container");
        close(ready[0]);
        return pid;
}

/* Refused, or named in a warning, or not in the old root: never in it and not named. */
Test(graft_hostile, process_that_joins_again_while_roots_are_exchanged)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&host_pids);

        for (int i = 0; i < 10; i++) {
                struct nsm_fake_container *c = nsm_tenant_add_container(k.t, &host_pids);
                pid_t racer = start_race(c);
                struct nsm_output *o = kit_run(k.w, kit_attach(c, k.view, NULL));
                uint64_t root = 0, graft = 0;
                const char *line = strstr(o->out, "mount ");

                nsm_sys_mount_id(AT_FDCWD, nsm_world_printf(k.w, "/proc/%d/root", racer), 0, &root);
                if (line)
                        graft = strtoull(line + strlen("mount "), NULL, 10);
                cr_assert(o->status == 13 || root == graft || strstr(o->out, "stays reachable"),
                          "racer %d: %s", racer, o->out);
                kill(racer, SIGKILL);
                waitpid(racer, NULL, 0);
                nsm_container_kill(c);
        }
}

Test(graft_hostile, filesystem_that_never_answers)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&host_pids);
        pid_t server = start_silence(k.w, k.c);
        const char *before = nsm_container_mountinfo(k.c);
        struct kit_job job = kit_attach(k.c, k.view, "/mnt/below");

        job.timeout_ms = 300; /* the limit that is tested, no wait for an event */
        kit_must_not(k.w, job, 12, "it took too long");
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
        /* The root is another mount: the tenant hinders only itself. */
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        nsm_container_must(k.c, "umount -l /mnt");
        kit_must(k.w, kit_attach(k.c, k.view, NULL));
}
