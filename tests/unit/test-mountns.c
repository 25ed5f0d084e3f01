/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of mountns: tables, plans, the journal. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mountns/holders.h"
#include "mountns/journal.h"
#include "mountns/plan.h"
#include "mountns/table.h"

#define OLD "20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
#define OLD_SHARED "20 1 8:1 / / rw,relatime shared:7 - ext4 /dev/sda1 rw\n"
#define OLD_ON_GRAFT "20 50 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
#define PROC "21 20 0:5 / /proc rw,nosuid,nodev,noexec - proc proc rw\n"
#define GRAFT_ON_OLD "50 20 0:60 / / rw,nodev - fuse.nsmountfs nsmount:a/root rw\n"
#define GRAFT_AS_ROOT "50 1 0:60 / / rw,nodev - fuse.nsmountfs nsmount:a/root rw\n"
#define GRAFT_BELOW "50 20 0:60 / /srv/data ro,nosuid - fuse.nsmountfs nsmount:a/data rw\n"
#define ANCHOR "40 20 0:70 / / ro,nosuid,nodev - tmpfs tmpfs rw\n"
#define ANCHOR_SHARED "40 20 0:70 / / ro,nosuid,nodev shared:9 - tmpfs tmpfs rw\n"
#define GRAFT_ON_ANCHOR "50 40 0:60 / / rw,nodev - fuse.nsmountfs nsmount:a/root rw\n"

static struct nsm_table parse(const char *text)
{
        struct nsm_table table = { 0 };
        struct nsm_error err = { 0 };

        cr_assert_eq(nsm_table_parse(text, &table, &err), 0, "%s", err.text);
        return table;
}

/* ---- tables ---- */

Test(table, finds_mounts)
{
        cleanup_table struct nsm_table t = parse(OLD PROC GRAFT_BELOW);

        cr_assert_eq(mnt_fs_get_id(nsm_table_find_root(&t)), 20);
        cr_assert_eq(mnt_fs_get_id(nsm_table_find_at(&t, "/proc")), 21);
        cr_assert_null(nsm_table_find_at(&t, "/srv"));
        cr_assert_null(nsm_table_find(&t, 99));
        cr_assert_eq(mnt_fs_get_id(nsm_table_find_child(&t, 20)), 21);
        cr_assert_null(nsm_table_find_child(&t, 50));
}

Test(table, root_is_the_top_of_the_pile_in_any_order)
{
        cleanup_table struct nsm_table a = parse(OLD ANCHOR GRAFT_ON_ANCHOR);
        cleanup_table struct nsm_table b = parse(GRAFT_ON_ANCHOR ANCHOR OLD);

        cr_assert_eq(mnt_fs_get_id(nsm_table_find_root(&a)), 50);
        cr_assert_eq(mnt_fs_get_id(nsm_table_find_root(&b)), 50);
}

Test(table, knows_views_and_flags)
{
        cleanup_table struct nsm_table t = parse(OLD_SHARED PROC GRAFT_BELOW);
        struct libmnt_fs *graft = nsm_table_find(&t, 50), *proc = nsm_table_find(&t, 21);

        cr_assert(nsm_table_is_view(graft, 0));
        cr_assert(!nsm_table_is_view(proc, 0));
        cr_assert(nsm_table_is_view(proc, makedev(0, 5)));
        cr_assert(nsm_table_has_flag(graft, "nosuid"));
        cr_assert(!nsm_table_has_flag(graft, "nodev"));
        cr_assert(!nsm_table_has_flag(graft, "no"));
        cr_assert(nsm_table_is_shared(nsm_table_find(&t, 20)));
        cr_assert(!nsm_table_is_shared(graft));
}

Test(table, knows_what_lies_below_what)
{
        cleanup_table struct nsm_table t = parse(OLD PROC GRAFT_BELOW);
        cleanup_table struct nsm_table circle = parse("7 8 0:1 / /a rw - tmpfs a rw\n"
                                                      "8 7 0:1 / /b rw - tmpfs b rw\n");

        cr_assert(nsm_table_is_below(&t, 50, 20));
        cr_assert(nsm_table_is_below(&t, 20, 20));
        cr_assert(!nsm_table_is_below(&t, 20, 50));
        cr_assert(!nsm_table_is_below(&t, 50, 21));
        cr_assert(!nsm_table_is_below(&circle, 7, 20));
}

Test(table, finds_what_a_new_graft_would_meet)
{
        cleanup_table struct nsm_table t = parse(
                GRAFT_AS_ROOT "51 50 0:61 / /srv/data rw - fuse.nsmountfs x rw\n");
        static const struct {
                const char *path;
                bool conflict;
        } cases[] = {
                { "/srv/data", true },  { "/srv/data/x", true }, { "/srv", true },
                { "/srv/dat", false },  { "/srv/data2", false }, { "/other", false },
                { "/srv/other", false },
        };

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
                cr_assert_eq(nsm_table_find_conflict(&t, cases[i].path, 0) != NULL,
                             cases[i].conflict, "%s", cases[i].path);
}

Test(table, undoes_the_escapes_of_paths)
{
        cleanup_table struct nsm_table t = parse(OLD "22 20 0:5 / /a\\040b rw - tmpfs x rw\n");

        cr_assert_not_null(nsm_table_find_at(&t, "/a b"));
}

Test(table, refuses_what_it_cannot_read)
{
        struct nsm_table t = { 0 };
        struct nsm_error err = { 0 };

        cr_assert_eq(nsm_table_parse(OLD "garbage\n", &t, &err), -EBADMSG);
        cr_assert_null(t.text);
        cr_assert_eq(nsm_table_parse("", &t, NULL), 0);
        cr_assert_null(nsm_table_find_root(&t));
        nsm_table_clear(&t);
}

Test(table, compares)
{
        cleanup_table struct nsm_table a = parse(OLD PROC), b = parse(PROC OLD);
        cleanup_table struct nsm_table c = parse(OLD PROC GRAFT_BELOW), d = parse(OLD_SHARED PROC);
        struct nsm_error err = { 0 };

        cr_assert(nsm_table_is_equal(&a, &a, 0, NULL));
        cr_assert(nsm_table_is_equal(&a, &b, 0, NULL));
        cr_assert(nsm_table_is_equal(&a, &c, 50, NULL));
        cr_assert(!nsm_table_is_equal(&a, &d, 0, NULL));
        cr_assert(!nsm_table_is_equal(&a, &c, 0, &err));
        cr_assert(strstr(err.text, "/srv/data"), "%s", err.text);
}

/* ---- what is left to do ---- */

static unsigned plan(const char *text, uint64_t root, uint64_t anchor)
{
        cleanup_table struct nsm_table t = parse(text);

        return nsm_plan_undo(&t, 50, root, anchor);
}

Test(plan, root_attach)
{
        cr_assert_eq(plan(OLD PROC, 20, 0), NSM_UNDO_NOTHING);
        cr_assert_eq(plan(OLD PROC GRAFT_ON_OLD, 20, 0), NSM_UNDO_UNMOUNT);
        cr_assert_eq(plan(OLD_ON_GRAFT PROC, 20, 0), NSM_UNDO_PIVOT | NSM_UNDO_UNMOUNT);
        cr_assert_eq(plan("", 20, 0), NSM_UNDO_COMPLETE);
        cr_assert_eq(plan(GRAFT_AS_ROOT, 20, 0), NSM_UNDO_COMPLETE);
}

Test(plan, root_attach_with_an_anchor)
{
        cr_assert_eq(plan(OLD_SHARED PROC, 20, 40), NSM_UNDO_NOTHING);
        cr_assert_eq(plan(OLD_SHARED ANCHOR_SHARED, 20, 40), NSM_UNDO_ANCHOR);
        cr_assert_eq(plan(OLD_SHARED ANCHOR, 20, 40), NSM_UNDO_ANCHOR);
        cr_assert_eq(plan(OLD_SHARED ANCHOR GRAFT_ON_ANCHOR, 20, 40),
                     NSM_UNDO_UNMOUNT | NSM_UNDO_ANCHOR);
        cr_assert_eq(plan(OLD_ON_GRAFT ANCHOR, 20, 40),
                     NSM_UNDO_PIVOT | NSM_UNDO_UNMOUNT | NSM_UNDO_ANCHOR);
        /* From here on it had been agreed to. */
        cr_assert_eq(plan(OLD_ON_GRAFT ANCHOR_SHARED, 20, 40), NSM_UNDO_FINISH | NSM_UNDO_ANCHOR);
        cr_assert_eq(plan(OLD_ON_GRAFT, 20, 40), NSM_UNDO_FINISH);
        cr_assert_eq(plan("", 20, 40), NSM_UNDO_COMPLETE);
}

Test(plan, attach_below)
{
        cr_assert_eq(plan(OLD PROC, 0, 0), NSM_UNDO_DIRECTORY);
        cr_assert_eq(plan(OLD GRAFT_BELOW, 0, 0), NSM_UNDO_UNMOUNT | NSM_UNDO_DIRECTORY);
}

Test(plan, paths)
{
        static const char *const good[] = { "/a", "/a/b", "/...", "/a/..b", "/.a" };
        static const char *const bad[] = { "", "a", "/", "//", "/a/", "/a//b", "/.", "/..", "/a/..",
                                           "/a/../b", "/a/./b", "a/b" };
        char name[400] = "/";

        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
                cr_assert_eq(nsm_plan_check_path(good[i], NULL), 0, "%s", good[i]);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                cr_assert_eq(nsm_plan_check_path(bad[i], NULL), -EINVAL, "%s", bad[i]);
        memset(name + 1, 'x', 256);
        cr_assert_eq(nsm_plan_check_path(name, NULL), -ENAMETOOLONG);
        name[256] = '\0';
        cr_assert_eq(nsm_plan_check_path(name, NULL), 0);
}

/* ---- the journal ---- */

Test(journal, keeps_what_a_dead_sender_said)
{
        int reader, writer, fds[NSM_RECORD_FDS_MAX], pipes[2];
        unsigned n_fds;
        struct nsm_record record = { .kind = NSM_RECORD_INTENT, .number = 20,
                                     .place.mount_id = 50, .text = "/" };
        struct nsm_progress p;

        cr_assert_eq(nsm_journal_open(&reader, &writer), 0);
        cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
        cr_assert_eq(nsm_record_send(writer, &record, pipes, 2), 0);
        record = (struct nsm_record){ .kind = NSM_RECORD_WARNING, .text = "left out" };
        cr_assert_eq(nsm_record_send(writer, &record, NULL, 0), 0);
        close(writer);
        close(pipes[0]);
        close(pipes[1]);
        nsm_progress_init(&p);
        while (nsm_record_receive(reader, &record, fds, &n_fds) > 0)
                nsm_progress_apply(&p, &record, fds, n_fds);
        cr_assert(p.has_intent && !p.has_result);
        cr_assert_eq(p.root_id, 20);
        cr_assert_eq(p.result.place.mount_id, 50);
        cr_assert(fcntl(p.graft_fd, F_GETFD) == FD_CLOEXEC);
        cr_assert(fcntl(p.root_fd, F_GETFD) == FD_CLOEXEC);
        cr_assert_eq(p.result.n_warnings, 1);
        cr_assert_str_eq(p.result.warnings[0], "left out");
        nsm_progress_clear(&p);
        close(reader);
}

Test(journal, has_room_for_all_that_a_job_may_say)
{
        int reader, writer;
        struct nsm_record record = { .kind = NSM_RECORD_HOLDER };

        if (geteuid() != 0)
                cr_skip_test("needs root: the system's limit for sockets is lower");
        cr_assert_eq(nsm_journal_open(&reader, &writer), 0);
        for (int i = 0; i < NSM_HOLDERS_MAX + NSM_WARNINGS_MAX + NSM_STEP_COUNT + 8; i++)
                cr_assert_eq(nsm_record_send(writer, &record, NULL, 0), 0, "record %d", i);
        close(writer);
        close(reader);
}

Test(journal, refuses_half_a_record)
{
        int reader, writer, fds[NSM_RECORD_FDS_MAX];
        struct nsm_record record = { 0 };
        unsigned n_fds;

        cr_assert_eq(nsm_journal_open(&reader, &writer), 0);
        cr_assert_eq(send(writer, &record, sizeof record / 2, 0), sizeof record / 2);
        cr_assert_eq(nsm_record_receive(reader, &record, fds, &n_fds), -EBADMSG);
        close(writer);
        close(reader);
}

Test(holders, are_described_within_the_space)
{
        static struct nsm_holders h;
        char text[200], small[20];

        for (pid_t pid = 1; pid <= NSM_HOLDERS_MAX + 3; pid++)
                nsm_holders_add(&h, -1, 100000 + pid, "working directory /");
        for (int fd = 3; fd < 6; fd++)
                nsm_holders_add(&h, -1, 100000 + NSM_HOLDERS_MAX + 4, "descriptor %d", fd);
        cr_assert_eq(h.n, NSM_HOLDERS_MAX);
        cr_assert_eq(h.total, NSM_HOLDERS_MAX + 4);
        nsm_holders_describe(&h, text, sizeof text);
        cr_assert(strstr(text, "100001 (?): working directory /; 100002"), "%s", text);
        nsm_holders_describe(&h, small, sizeof small);
        cr_assert_eq(strlen(small), sizeof small - 1);
}
