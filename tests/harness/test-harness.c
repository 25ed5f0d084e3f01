/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"

/* The harness itself needs root, and no program of ours. */
#define REQUIRE_ROOT()                                         \
        do {                                                   \
                if (geteuid() != 0 && nsm_harness_must_run())  \
                        cr_assert_fail("needs root");          \
                if (geteuid() != 0)                            \
                        cr_skip_test("needs root");            \
        } while (0)

Test(harness, world_is_its_own_and_leaves_nothing)
{
        REQUIRE_ROOT();
        struct nsm_world *a = nsm_world_new(), *b = nsm_world_new();
        char dir[256];
        struct stat st;

        snprintf(dir, sizeof(dir), "%s", a->dir);
        cr_assert_neq(a->first_id, b->first_id);
        cr_assert_str_neq(a->dir, b->dir);
        cr_assert_eq(stat(dir, &st), 0);
        cr_assert_eq(st.st_mode & 07777, 0700);
        nsm_world_free(a);
        cr_assert_eq(stat(dir, &st), -1);
        cr_assert_eq(stat(b->dir, &st), 0, "the other world is still there");
        nsm_world_free(b);
}

Test(harness, command_output_and_status)
{
        REQUIRE_ROOT();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_output *o = nsm_world_run(w, "echo out; echo err >&2; exit %d", 7);

        cr_assert_eq(o->status, 7);
        cr_assert_str_eq(o->out, "out\n");
        cr_assert_str_eq(o->err, "err\n");
        cr_assert_eq(o->out_len, 4);
        cr_assert_eq(nsm_world_run(w, "kill -9 $$")->status, 128 + SIGKILL);
        cr_assert_str_eq(nsm_world_must(w, "echo $NSMOUNT_RUNTIME_DIR"),
                         nsm_world_printf(w, "%s\n", w->runtime_dir));
        struct nsm_process *p = nsm_world_spawn(w, "echo begun; echo >begun; exec sleep 100");
        nsm_world_must(w, "until test -s begun; do sleep 0.01; done");
        o = nsm_process_wait(p, 1);
        cr_assert_eq(o->status, -ETIME);
        cr_assert_str_eq(o->out, "begun\n");
}

Test(harness, container_is_root_in_its_own_namespaces)
{
        REQUIRE_ROOT();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, NULL);

        cr_assert_str_eq(nsm_container_must(c, "id -u; id -g"), "0\n0\n");
        cr_assert_str_eq(nsm_container_must(c, "set -- $(cat /proc/self/uid_map); echo $*"),
                         nsm_world_printf(w, "0 %u %u\n", t->first_id, NSM_TENANT_IDS));
        cr_assert_str_eq(nsm_container_must(c, "echo $$ | grep -c . && readlink /proc/1/cwd"),
                         "1\n/\n");
        cr_assert_eq(nsm_container_run(c, "chown 1 %s", t->root)->status, 1);
        cr_assert(strstr(nsm_container_mountinfo(c), " /proc "));
        cr_assert(nsm_process_lives(c->pid));
        nsm_container_kill(c);
        cr_assert_not(nsm_process_lives(c->pid));
}

Test(harness, container_with_a_root_of_its_own)
{
        REQUIRE_ROOT();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_container_spec spec = {
                .root = NSM_ROOT_TMPFS, .shared = true,
                .more_namespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS};
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);

        cr_assert_str_eq(nsm_container_must(c, "mkdir /mine && ls -d /mine && cat /proc/1/comm"),
                         "/mine\ninit\n");
        cr_assert_neq(access("/mine", F_OK), 0);
        cr_assert(strstr(nsm_container_mountinfo(c), " shared:"));
        cr_assert_str_eq(nsm_container_must(c, "hostname inside; hostname"), "inside\n");
        cr_assert_str_neq(nsm_world_must(w, "hostname"), "inside\n");
}

Test(harness, container_without_a_map)
{
        REQUIRE_ROOT();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_container_spec spec = {.uid_map = "", .gid_map = ""};
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);

        cr_assert_str_eq(nsm_container_must(c, "cat /proc/self/uid_map"), "");
}

static int sum(void *arg)
{
        printf("%d in %d\n", *(int *)arg, getpid() < 100);
        return geteuid() == 0 ? *(int *)arg : 1;
}

Test(harness, function_inside)
{
        REQUIRE_ROOT();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, NULL);
        int seven = 7;
        struct nsm_output *o = nsm_container_call(c, sum, &seven);

        cr_assert_eq(o->status, 7);
        cr_assert_str_eq(o->out, "7 in 1\n");
        cr_assert_eq(nsm_world_call(w, sum, &seven)->status, 7);
}

/* What a test leaves that dies at once; told through shared memory. */
struct left {
        pid_t sleeper, orphan, container;
        char dir[256];
};

static void make_and_die(struct left *left)
{
        struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_tenant(w, "acme");

        snprintf(left->dir, sizeof(left->dir), "%s", w->dir);
        left->sleeper = nsm_world_spawn(w, "exec sleep 1000")->pid;
        left->container = nsm_tenant_add_container(t, NULL)->pid;
        left->orphan = (pid_t)strtol(
                nsm_world_must(w, "(setsid sleep 1000 >/dev/null & echo $!)"), NULL, 10);
        nsm_world_must(w, "mkdir 'a b' && mount -t tmpfs none 'a b' && mkdir 'a b/c' && "
                          "mount --bind /usr 'a b/c'");
        abort();
}

static bool is_away(void *arg)
{
        const struct left *left = arg;

        return access(left->dir, F_OK) < 0 && errno == ENOENT;
}

Test(harness, a_test_that_dies_leaves_nothing)
{
        REQUIRE_ROOT();
        struct left *left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t pid = fork();

        if (pid == 0)
                make_and_die(left);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        cr_assert_gt(left->sleeper, 0);
        cr_assert_gt(left->orphan, 0);
        cr_assert_gt(left->container, 0);
        cr_assert(nsm_wait_until(20000, is_away, left));
        cr_assert_not(nsm_process_lives(left->sleeper));
        cr_assert_not(nsm_process_lives(left->orphan));
        cr_assert_not(nsm_process_lives(left->container));
        cr_assert_eq(access("/usr/bin", F_OK), 0);
}

Test(harness, tenant_configuration)
{
        REQUIRE_ROOT();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *a = nsm_world_add_tenant(w, "acme");
        struct nsm_fake_tenant *b = nsm_world_add_empty_tenant(w, "beta");
        const char *data = nsm_tenant_add_volume(a, "data");

        nsm_tenant_configure(a, "data", "access = ro\n");
        nsm_tenant_configure(a, NULL, "shared-source = yes\n");
        cr_assert_geq(b->first_id, a->first_id + NSM_TENANT_IDS);
        const char *path = nsm_world_printf(w, "%s/tenants.d/acme.conf", w->config_dir);

        cr_assert_str_eq(
                nsm_world_read_file(w, path),
                nsm_world_printf(w, "[tenant]\nids = %u:65536\nshared-source = yes\n"
                                    "[volume root]\nsource = %s\n"
                                    "[volume data]\nsource = %s\naccess = ro\n",
                                 a->first_id, a->root, data));
        cr_assert_str_eq(nsm_world_must(w, "cat %s/etc/hostname && stat -c %%u %s/home/user "
                                           "&& chroot %s sh -c 'ls /home/user'",
                                        a->root, a->root, a->root),
                         "acme\n1000\nhello\n");
}

static bool loop_is_free(void *arg)
{
        struct nsm_world *w = nsm_world_new();
        bool is_free = !strstr(nsm_world_must(w, "losetup -l -O BACK-FILE"), arg);

        nsm_world_free(w);
        return is_free;
}

Test(harness, ext4_comes_and_goes_with_its_world)
{
        REQUIRE_ROOT();
        struct nsm_world *w = nsm_world_new();
        const char *disk = nsm_world_add_ext4(w, "disk", 64 << 20);
        char image[256];

        snprintf(image, sizeof(image), "%s.img", disk);
        cr_assert_str_eq(nsm_world_must(w, "stat -fc %%T %s", disk), "ext2/ext3\n");
        nsm_world_must(w, "cd %s; echo x > f; setfattr -n user.a -v 1 f; setfacl -m u:5:r f", disk);
        /* Somebody is still in it when the world ends. */
        nsm_world_spawn(w, "cd %s; exec sleep 1000", disk);
        nsm_world_free(w);
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, loop_is_free, image),
                  "the loop device of %s is left", image);
}
