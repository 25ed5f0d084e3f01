/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmountfs by itself: what it refuses, how it starts and ends, what it keeps. */
#include "tests/integration/view-kit.h"

struct refusal {
        const char *command;
        int status;
        const char *reason;
};

static const struct refusal refusals[] = {
        { "nsmountfs", 2, "SOURCE and MOUNTPOINT" },
        { "nsmountfs src mnt", 2, "no map of user ids" },
        { "nsmountfs src mnt -o uidmap=0:1:1", 2, "no map of group ids" },
        { "nsmountfs src mnt -o idmap=0:1:0", 2, "count" },
        { "nsmountfs src mnt -o idmap=0:1:-1", 2, "no id map" },
        { "nsmountfs src mnt -o idmap=0:1:1x", 2, "no id map" },
        { "nsmountfs src mnt -o idmap=0:4294967290:10", 2, "idmap=0:4294967290:10" },
        { "nsmountfs src mnt -o idmap=0:1:10,idmap=5:100:10", 2, "overlap" },
        { "nsmountfs src mnt -o idmap=0:1:10,frobnicate", 2, "unknown option 'frobnicate'" },
        { "nsmountfs src mnt -o idmap=0:1:10,coherence=maybe", 2, "unknown option" },
        { "nsmountfs src mnt -o idmap=0:1:10,beside", 2, "read-only" },
        { "nsmountfs -x src mnt -o idmap=0:1:10", 2, "unknown switch" },
        { "nsmountfs src mnt more -o idmap=0:1:10", 2, "'more'" },
        { "nsmountfs --worker src -o idmap=0:1:10", 2, "descriptors" },
        { "nsmountfs --worker -o idmap=0:1:10", 1, "nsmountd" },
        { "nsmountfs missing mnt -o idmap=0:1:10", 1, "source missing: No such file" },
        { "nsmountfs file mnt -o idmap=0:1:10", 1, "not a directory" },
        { "nsmountfs link mnt -o idmap=0:1:10", 1, "symbolic link" },
        { "nsmountfs src missing -o idmap=0:1:10", 1, "mountpoint missing: No such file" },
        { "nsmountfs src file -o idmap=0:1:10", 1, "mountpoint file: Not a directory" },
        { "setpriv --reuid 12345 --regid 12345 --clear-groups nsmountfs src mnt "
          "-o idmap=0:1:10", 1, "as root" },
        { "unshare -m sh -c 'mount -t tmpfs none /dev; exec nsmountfs src mnt -o idmap=0:1:10'", 1,
          "no /dev/fuse" },
};

Test(view_program, refuses_with_one_line)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "chmod 711 .; mkdir src mnt; touch file; ln -s src link");
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
                struct nsm_output *o = nsm_world_run(w, "%s", refusals[i].command);
                cr_assert_eq(o->status, refusals[i].status, "%s: %d %s", refusals[i].command,
                             o->status, o->err);
                cr_assert(strstr(o->err, refusals[i].reason), "%s: %s", refusals[i].command,
                          o->err);
                cr_assert(strncmp(o->err, "nsmountfs: ", 11) == 0 &&
                          strchr(o->err, '\n') == o->err + o->err_len - 1, "%s", o->err);
                cr_assert_eq(nsm_world_run(w, "mountpoint -q mnt")->status, 32);
        }
}

Test(view_program, takes_what_fstab_has)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "mkdir src mnt; touch src/f; nsmountfs src mnt -n -o rw,dev,suid,noauto,"
                       "_netdev,nofail,x-systemd.automount,noatime,idmap=0:%u:10", w->first_id);
        const char *info = nsm_world_must(w, "grep \" $PWD/mnt \" /proc/self/mountinfo");
        cr_assert(strstr(info, "rw,nodev,noatime") &&
                  strstr(info, nsm_world_printf(w, " fuse.nsmountfs %s/src ", w->dir)), "%s", info);
        nsm_world_must(w, "test -f mnt/f; umount mnt");
}

static bool is_mounted_with(struct nsm_world *w, const char *options)
{
        return nsm_world_run(w, "grep -q \" $PWD/mnt %s\" /proc/self/mountinfo",
                             options)->status == 0;
}

Test(view_program, is_remounted)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "mkdir src mnt; nsmountfs src mnt -o noatime,idmap=0:0:10");
        nsm_world_must(w, "nsmountfs src mnt -o remount,ro,nosuid,noatime,user_id=0");
        cr_assert(is_mounted_with(w, "ro,nosuid,nodev,noatime"));
        nsm_world_must(w, "! touch mnt/f && mount -o remount,bind,rw mnt && ! touch mnt/f");
        nsm_world_must(w, "nsmountfs src mnt -o remount,rw && touch mnt/f");
        cr_assert(is_mounted_with(w, "rw,nodev,relatime"));
        nsm_world_must(w, "umount mnt; nsmountfs src mnt -o ro,idmap=0:0:10");
        cr_assert(strstr(nsm_world_run(w, "nsmountfs src mnt -o remount,rw")->err,
                         "started read-only"));
        cr_assert(is_mounted_with(w, "ro,nodev"));
        nsm_world_must(w, "! touch mnt/f && umount mnt");
        cr_assert(strstr(nsm_world_run(w, "nsmountfs src mnt -o remount,ro")->err,
                         "no view is mounted at mnt"));
}

/* The policy of access times is the storage's mount's, unless the view's options say one. */
Test(view_program, keeps_access_times_as_told)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        static const struct {
                const char *option;
                bool old_moves, new_moves; /* atime older or newer than mtime */
        } cases[] = {
                { "noatime", false, false }, { "relatime", true, false },
                { "strictatime", true, true },
        };

        nsm_world_must(w, "mkdir src mnt");
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                const char *then = "2001-02-03", *out;

                nsm_world_must(w, "for f in old new; do echo x >src/$f; touch -a -d %s src/$f; "
                               "done; touch -m -d 2001-02-02 src/new", then);
                /* relatime compares with the change of attributes, too: later than that, then. */
                nsm_world_must(w, "touch -a -d '1 hour' src/new");
                nsm_world_must(w, "nsmountfs src mnt -o %s,coherence=exclusive,idmap=0:0:65536",
                               cases[i].option);
                out = nsm_world_must(w, "for f in old new; do a=$(stat -c %%X src/$f); "
                                     "cat mnt/$f >cat.out; [ $a = $(stat -c %%X src/$f) ] && "
                                     "echo stays || echo moves; done; umount mnt");
                cr_assert_str_eq(out, nsm_world_printf(w, "%s\n%s\n",
                                                       cases[i].old_moves ? "moves" : "stays",
                                                       cases[i].new_moves ? "moves" : "stays"),
                                 "%s: %s", cases[i].option, out);
        }
}

/* Whatever it started has nothing of the mount open: the more so on a busy machine. */
Test(view_program, is_unmounted_at_once)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_process *busy[4];

        for (size_t i = 0; i < sizeof busy / sizeof *busy; i++)
                busy[i] = nsm_world_spawn(w, "until test -e done; do :; done");
        nsm_world_must(w, "mkdir src mnt; for i in $(seq 40); do nsmountfs src mnt -o idmap=0:%u:10"
                       " && umount mnt || exit 1; done; touch done", w->first_id);
        for (size_t i = 0; i < sizeof busy / sizeof *busy; i++)
                cr_assert_eq(nsm_process_wait(busy[i], NSM_HARNESS_LIMIT_MS)->status, 0);
}

Test(view_program, mount_calls_it)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        if (nsm_world_run(w, "command -v mount.fuse3")->status != 0)
                cr_skip_test("mount.fuse3 is missing: install fuse3");
        nsm_world_must(w, "mkdir src mnt; touch src/f; mount.fuse3 src mnt -t fuse.nsmountfs "
                       "-o ro,idmap=0:%u:10; test -f mnt/f; grep -q \" $PWD/mnt ro,\" "
                       "/proc/self/mountinfo; umount mnt", w->first_id);
}

Test(view_program, foreground_ends_with_its_mount_and_on_a_signal)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const char *start = nsm_world_printf(w, "exec nsmountfs -f src mnt -o idmap=0:%u:10",
                                             w->first_id);

        nsm_world_must(w, "mkdir src mnt; touch src/f");
        struct nsm_process *p = nsm_world_spawn(w, "%s", start);
        nsm_world_must(w, "until mountpoint -q mnt; do sleep 0.05; done; test -f mnt/f; umount mnt");
        cr_assert_eq(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS)->status, 0);

        p = nsm_world_spawn(w, "%s", start);
        nsm_world_must(w, "until mountpoint -q mnt; do sleep 0.05; done; test -f mnt/f; kill %d",
                       p->pid);
        cr_assert_eq(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS)->status, 0);
        cr_assert_eq(nsm_world_run(w, "mountpoint -q mnt")->status, 32);
}

Test(view_program, a_killed_worker_hangs_nobody)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; test -f mnt/f");
        struct nsm_process *p = nsm_world_spawn(k.w, "mkfifo go; exec 9<mnt/f; echo >opened; "
                                                "read x <go; cat mnt/f");
        nsm_world_must(k.w, "until test -s opened; do sleep 0.01; done; "
                       "kill -9 $(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:\"); echo x >go",
                       k.base);
        cr_assert_neq(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS)->status, 0);
        cr_assert_neq(nsm_world_run(k.w, "ls mnt")->status, 0);
}

Test(view_program, it_is_confined)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");
        const char *out = nsm_world_must(
                k.w, "p=$(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:\"); cat /proc/$p/status; "
                "echo root $(stat -L -c %%i /proc/$p/root/.) $(stat -c %%i src); "
                "cut -d ' ' -f 4-6 /proc/$p/mountinfo; for n in mnt net ipc uts cgroup pid; do "
                "test $(readlink /proc/$p/ns/$n) != $(readlink /proc/self/ns/$n) && echo own $n; "
                "done; cat /proc/$p/net/dev | wc -l", k.base);

        cr_assert(strstr(out, "NoNewPrivs:\t1"), "%s", out);
        cr_assert(strstr(out, "CapBnd:\t0000000000000000"), "%s", out);
        /*
         * CHOWN DAC_OVERRIDE FOWNER FSETID SETGID SETUID SETFCAP, LINUX_IMMUTABLE MKNOD
         * SYS_ADMIN SYS_NICE, and not one more.
         */
        cr_assert(strstr(out, "CapPrm:\t0000000088a002db"), "%s", out);
        cr_assert(strstr(out, "CapEff:\t00000000888000cb"), "%s", out);
        cr_assert(strstr(out, "Seccomp:\t2"), "%s", out);
        cr_assert(strstr(out, "own mnt\nown net\nown ipc\nown uts\nown cgroup\nown pid\n"), "%s",
                  out);
        cr_assert(strstr(out, " / nosuid") || strstr(out, "/ rw,nosuid,nodev"), "%s", out);
        unsigned long a = 1, b = 2;
        cr_assert_eq(sscanf(strstr(out, "root "), "root %lu %lu", &a, &b), 2);
        cr_assert_eq(a, b, "its root is not the source");
}

Test(view_program, a_read_only_worker_has_less)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",ro");
        const char *out = nsm_world_must(
                k.w, "cat /proc/$(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:\")/status", k.base);

        cr_assert(strstr(out, "CapPrm:\t0000000000a000c2"), "%s", out);
}
