/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each step of an attach fails, or one of its processes is killed there, or it
 * hangs: afterwards the container's mount table is what it was, or the graft is
 * complete.
 */
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "fs/base/sys.h"
#include "tests/integration/graft-kit.h"

enum fault { FAIL, KILL_JOINER, KILL_HELPER, HANG };

static const char *const fault_names[] = { "fail", "kill joiner", "kill helper", "hang" };

static void set_fault(struct kit_job *job, enum fault fault, enum nsm_step step)
{
        struct nsm_fault *f = &job->request.fault;

        if (fault == FAIL)
                f->fail_at = step;
        else if (fault == KILL_JOINER)
                f->kill_joiner_at = step;
        else if (fault == KILL_HELPER)
                f->kill_helper_at = step;
        else
                f->hang_at = step;
        if (fault == HANG)
                job->timeout_ms = 300; /* the limit that is tested, no wait for an event */
}

/* Whether the container's table shows the graft just once, and as it has to be. */
static bool is_complete(struct nsm_fake_container *c, struct kit_view view, const char *path,
                        bool copied)
{
        char device[32], where[64];
        const char *text = nsm_container_mountinfo(c), *line;
        int found = 0, roots = 0;

        snprintf(device, sizeof device, " %u:%u ", major(view.device), minor(view.device));
        snprintf(where, sizeof where, " / %s rw,nodev,relatime - tmpfs ", path);
        for (line = text; *line; line += strcspn(line, "\n") + 1) {
                const char *end = line + strcspn(line, "\n");
                const char *dev = strstr(line, device), *at = strstr(line, where);
                const char *root = strstr(line, " / / ");

                roots += root && root < end;
                if (dev && dev < end)
                        found += at && at < end ? 1 : 100;
        }
        /* Below a shared root, the peer's copy of the directory has the graft, too. */
        return (found == 1 || (copied && found == 101)) && roots == 1;
}

static void try_fault(struct nsm_fake_tenant *t, struct kit_view view, bool shared, const char *at,
                      enum fault fault, enum nsm_step step)
{
        struct nsm_world *w = t->world;
        struct nsm_container_spec spec = { .shared = shared, .root = NSM_ROOT_TMPFS };
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);
        const char *before, *after;
        struct kit_job job = kit_attach(c, view, at);
        struct nsm_output *o;
        bool complete;

        /* A peer of the root: what is mounted on one of them appears on the other. */
        if (shared)
                nsm_container_must(c, "mkdir /peer && mount --bind / /peer");
        before = nsm_container_mountinfo(c);
        set_fault(&job, fault, step);
        o = kit_run(w, job);
        after = nsm_container_mountinfo(c);
        complete = is_complete(c, view, at ? at : "/", shared && at);
        if (o->status == 0)
                cr_assert(complete, "%s at step %d: done, but the table is:\n%s",
                          fault_names[fault], step, after);
        else
                cr_assert_str_eq(after, before, "%s at step %d: status %d: %s\n",
                                 fault_names[fault], step, o->status, o->out);
        if (o->status != 0 && at)
                cr_assert_eq(nsm_container_run(c, "test -e %s", at)->status, 1,
                             "%s at step %d: %s was left", fault_names[fault], step, at);
        cr_assert(nsm_process_lives(c->pid));
        /* What was not done then can be done now. */
        if (o->status != 0)
                kit_must(w, kit_attach(c, view, at));
        nsm_container_kill(c);
}

static void try_all(enum fault fault, bool shared, const char *at)
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct kit_view view = kit_view_new(t);

        for (int step = NSM_STEP_BEGIN; step < NSM_STEP_COUNT; step++)
                try_fault(t, view, shared, at, fault, step);
}

#define FAULT_TEST(name, fault, shared, at)        \
        Test(graft_faults, name, .timeout = 280)   \
        {                                          \
                KIT_REQUIRE();                     \
                try_all(fault, shared, at);        \
        }

/* Those who undo are killed, too. */
static void try_double(unsigned undoers, unsigned helpers, bool undone)
{
        const struct nsm_container_spec spec = { .shared = true };
        cleanup_kit struct kit k = kit_new(&spec);
        const char *before = nsm_container_mountinfo(k.c);
        struct kit_job job = kit_attach(k.c, k.view, NULL);

        set_fault(&job, KILL_HELPER, NSM_STEP_RESCAN);
        job.request.fault.kill_undoers = undoers;
        job.request.fault.kill_second_helpers = helpers;
        kit_must_not(k.w, job, 12, undone ? "is undone" : "");
        if (undone)
                cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
}

/* EAGAIN is what nsm_helper_finish() says of a job that is not over. */
Test(graft_faults, any_errno_ends_a_job, .timeout = 200)
{
        KIT_REQUIRE();
        static const enum nsm_step steps[] = { NSM_STEP_SCAN, NSM_STEP_JOIN, NSM_STEP_MOVE };
        cleanup_kit struct kit k = kit_new(NULL);

        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
                struct kit_job job = kit_attach(k.c, k.view, "/mnt");

                job.request.fault.fail_at = steps[i];
                job.request.fault.fail_with = -EAGAIN;
                kit_must_not(k.w, job, 12, "a test wants it");
        }
}

Test(graft_faults, undoers_are_killed)
{
        KIT_REQUIRE();
        try_double(2, 0, true);
}

Test(graft_faults, helpers_that_undo_are_killed)
{
        KIT_REQUIRE();
        try_double(1, 2, true);
}

Test(graft_faults, all_are_killed)
{
        KIT_REQUIRE();
        try_double(0, 9, false);
}

FAULT_TEST(root_fails, FAIL, false, NULL)
FAULT_TEST(root_joiner_killed, KILL_JOINER, false, NULL)
FAULT_TEST(root_helper_killed, KILL_HELPER, false, NULL)
FAULT_TEST(root_hangs, HANG, false, NULL)
FAULT_TEST(shared_root_fails, FAIL, true, NULL)
FAULT_TEST(shared_root_joiner_killed, KILL_JOINER, true, NULL)
FAULT_TEST(shared_root_helper_killed, KILL_HELPER, true, NULL)
FAULT_TEST(below_fails, FAIL, false, "/data")
FAULT_TEST(below_joiner_killed, KILL_JOINER, false, "/data")
FAULT_TEST(below_helper_killed, KILL_HELPER, false, "/data")
FAULT_TEST(below_hangs, HANG, false, "/data")
FAULT_TEST(below_shared_joiner_killed, KILL_JOINER, true, "/data")

/* In the container, as its root: renames the directory above the graft once that is there. */
static void rename_above(pid_t pid, struct kit_view view)
{
        char path[48], device[32], text[1 << 14];
        int table, pidfd = nsm_sys_pidfd_open(pid);
        ssize_t n;

        snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
        snprintf(device, sizeof device, " %u:%u ", major(view.device), minor(view.device));
        table = open(path, O_RDONLY | O_CLOEXEC);
        if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0 || setgid(0) < 0 || setuid(0) < 0)
                _exit(1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        do {
                n = pread(table, text, sizeof text - 1, 0);
                text[n > 0 ? n : 0] = '\0';
        } while (n > 0 && !strstr(text, device));
        _exit(rename("/above", "/renamed") < 0);
}

Test(graft_faults, renamed_meanwhile)
{
        KIT_REQUIRE();
        const struct nsm_container_spec spec = { .root = NSM_ROOT_TMPFS };
        cleanup_kit struct kit k = kit_new(&spec);
        const char *before = nsm_container_mountinfo(k.c);
        struct kit_job job = kit_attach(k.c, k.view, "/above/data");

        nsm_container_must(k.c, "mkdir /above");
        set_fault(&job, HANG, NSM_STEP_MOVE);
        if (fork() == 0)
                rename_above(k.c->pid, k.view);
        kit_must_not(k.w, job, 12, "is undone");
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
        nsm_container_must(k.c, "test -d /renamed && test ! -e /renamed/data");
}

/* ---- the view's server dies meanwhile ---- */

/* Answers that its root is a directory, so many times; then it ends, and the connection with it. */
static void serve_some(int fuse, int answers, uint32_t owner)
{
        static char buffer[1 << 17];
        struct {
                struct fuse_out_header header;
                union {
                        struct fuse_init_out init;
                        struct fuse_attr_out attr;
                };
        } reply;

        while (read(fuse, buffer, sizeof buffer) > 0) {
                const struct fuse_in_header *in = (const struct fuse_in_header *)buffer;

                memset(&reply, 0, sizeof reply);
                reply.header.unique = in->unique;
                reply.header.len = sizeof reply.header;
                if (in->opcode == FUSE_INIT) {
                        reply.header.len += sizeof reply.init;
                        reply.init = (struct fuse_init_out){ .major = 7, .minor = 31,
                                                             .max_write = 4096 };
                } else if (in->opcode == FUSE_GETATTR && answers-- > 0) {
                        reply.header.len += sizeof reply.attr;
                        reply.attr.attr = (struct fuse_attr){ .ino = 1, .mode = S_IFDIR | 0755,
                                                              .nlink = 2, .uid = owner,
                                                              .gid = owner };
                } else if (in->opcode == FUSE_GETATTR) {
                        return;
                } else {
                        reply.header.error = -ENOSYS;
                }
                if (write(fuse, &reply, reply.header.len) < 0)
                        return;
        }
}

static struct kit_view dying_view(struct nsm_fake_tenant *t, int answers)
{
        int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), fs = fsopen("fuse", FSOPEN_CLOEXEC);
        struct kit_view view = { .fd = -1 };
        struct statx st;
        char number[16];

        snprintf(number, sizeof number, "%d", fuse);
        if (fuse < 0 || fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "fd", number, 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "rootmode", "40000", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "user_id", "0", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "group_id", "0", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                nsm_harness_die("fuse: %s", strerror(errno));
        view.fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        if (view.fd < 0 ||
            statx(view.fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                nsm_harness_die("fsmount: %s", strerror(errno));
        view.device = makedev(st.stx_dev_major, st.stx_dev_minor);
        close(fs);
        if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve_some(fuse, answers, t->first_id);
                _exit(0);
        }
        close(fuse);
        kit_make_clonable(t->world, view.fd);
        return view;
}

static void try_dying_view(bool shared, enum nsm_step fail_at)
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        const struct nsm_container_spec spec = { .shared = shared, .root = NSM_ROOT_TMPFS };

        for (int answers = 0; answers < 6; answers++) {
                struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);
                struct kit_view view = dying_view(t, answers);
                const char *before = nsm_container_mountinfo(c), *after;
                struct kit_job job = kit_attach(c, view, NULL);
                struct nsm_output *o;
                char device[32];

                job.request.api = false;
                job.request.fault.fail_at = fail_at;
                o = kit_run(w, job);
                after = nsm_container_mountinfo(c);
                snprintf(device, sizeof device, " %u:%u / / ", major(view.device),
                         minor(view.device));
                if (o->status == 0)
                        cr_assert(strstr(after, device), "%d answers: %s", answers, after);
                else
                        cr_assert_str_eq(after, before, "%d answers: status %d: %s", answers,
                                         o->status, o->out);
                cr_assert(o->status == 0 || !strstr(o->out, "could not be undone"), "%s", o->out);
                close(view.fd);
                nsm_container_kill(c);
        }
}

#define DYING_TEST(name, shared, step)          \
        Test(graft_dying_view, name)            \
        {                                       \
                KIT_REQUIRE();                  \
                try_dying_view(shared, step);   \
        }

DYING_TEST(nothing_fails, false, NSM_STEP_NONE)
DYING_TEST(shared_root, true, NSM_STEP_NONE)
DYING_TEST(after_the_exchange, false, NSM_STEP_PIVOT)
DYING_TEST(after_the_scan, false, NSM_STEP_RESCAN)
DYING_TEST(shared_after_the_scan, true, NSM_STEP_RESCAN)
