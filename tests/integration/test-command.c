/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmount tenant ..., and all that can be asked while no nsmountd runs. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/harness.h"

/* A world whose tenants are made by the command: a pool, and directories a, b, ... on storage. */
static struct nsm_world *new_world(void)
{
        struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "mkdir -p storage/a/sub storage/b storage/c etc/tenants.d");
        nsm_world_must(w, "printf '[ids]\\npool = %u:%u\\n' >etc/nsmount.conf", w->first_id,
                       NSM_WORLD_IDS);
        return w;
}

static void expect(struct nsm_output *o, int status, const char *says)
{
        cr_expect_eq(o->status, status, "status %d instead of %d: %s", o->status, status, o->err);
        cr_expect(strstr(o->err, says), "'%s'\n  lacks '%s'", o->err, says);
        if (status == 1)
                cr_expect(strncmp(o->err, "nsmount: ", 9) == 0 && strchr(o->err, '\n') &&
                          !strchr(o->err, '\n')[1], "one line, not: %s", o->err);
        if (status == 2)
                cr_expect(strstr(o->err, "\nUsage: nsmount "), "%s", o->err);
}

Test(tenant, is_added_changed_shown_and_removed)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        const char *file = "etc/tenants.d/acme.conf", *out;

        out = nsm_world_must(w, "nsmount tenant add acme --ids auto --volume root=$PWD/storage/a "
                             "--volume data=$PWD/storage/b --access ro --storage-uids 0:0:10 "
                             "--storage-uids 10:100:5");
        cr_expect(strstr(out, "acme: host ids ") && strstr(out, "volumes root, data"), "%s", out);
        nsm_world_must(w, "grep -q '^ids = %u:65536$' %s", w->first_id, file);
        nsm_world_must(w, "sed -i '/access/i # kept' %s", file);
        nsm_world_must(w, "nsmount tenant set acme --volume data --access '' --storage-uids '' "
                       "--suid deny --coherence exclusive");
        nsm_world_must(w, "grep -q '# kept' %s", file);
        out = nsm_world_must(w, "nsmount tenant show acme");
        cr_expect(strstr(out, "[volume data]\nsource = "), "%s", out);
        cr_expect(strstr(out, "access = rw\nstorage-ids = 0:0:65536\ncoherence = exclusive\n"
                         "devices = deny\nsuid = deny\n"), "%s", out);

        /* What `show` prints is a file that means the same. */
        nsm_world_must(w, "nsmount tenant show acme >new && nsmount tenant show acme --json >1 && "
                       "cp new %s && nsmount tenant show acme --json >2 && cmp 1 2", file);
        out = nsm_world_must(w, "nsmount tenant list");
        cr_expect(strstr(out, "acme ") && strstr(out, "root, data"), "%s", out);
        out = nsm_world_must(w, "nsmount tenant list --json");
        cr_expect(strstr(out, "\"tenants\": ["), "%s", out);
        nsm_world_must(w, "nsmount tenant set acme --remove-volume data");
        out = nsm_world_must(w, "nsmount tenant show acme");
        cr_expect_not(strstr(out, "data"), "%s", out);
        nsm_world_must(w, "mkdir %s.d", file);
        expect(nsm_world_run(w, "nsmount tenant rm acme"), 0, "acme.conf.d stays, and counts");
        nsm_world_must(w, "! test -e %s", file);
        expect(nsm_world_run(w, "nsmount tenant show acme"), 1, "no tenant 'acme'");
}

Test(tenant, a_refused_change_changes_nothing)
{
        static const struct {
                const char *options;
                int status;
                const char *says;
        } refused[] = {
                { "tenant add beta --ids FIRST:65536 --volume root=$PWD/storage/c", 1,
                  "tenant beta: host user ids " },
                { "tenant add beta --ids 5:1 --volume root=$PWD/storage/a", 1, "is the same as" },
                { "tenant add beta --ids 5:1 --volume root=$PWD/storage/a/sub", 1, "lies inside" },
                { "tenant add beta --ids 5:1 --volume root=$PWD/storage", 1,
                  "tenant beta: volume root: source = " },
                { "tenant add beta --ids 5:1 --volume root=$PWD/storage", 1, "/storage: holds" },
                { "tenant add beta --ids 5:1 --volume root=storage/c", 1, "path is relative" },
                { "tenant add beta --ids 5:1 --volume root=$PWD/nowhere", 1, "no such directory" },
                { "tenant add beta --ids 5:1 --volume root=$PWD/link", 1, "is a symlink" },
                { "tenant add beta --ids 5:1 --volume root=$PWD/link/", 1, "is a symlink" },
                { "tenant add beta --ids 5:1 --volume root=$PWD/file", 1, "is no directory" },
                { "tenant add beta --ids 5:1 --volume root=/usr", 1, "others than root" },
                { "tenant add beta --ids 5:0 --volume root=$PWD/storage/c", 1,
                  ": tenant beta: ids = 5:0: an extent with count 0" },
                { "tenant add beta --ids -5:1 --volume root=$PWD/storage/c", 1, "decimal digits" },
                { "tenant add beta --ids 5:1x --volume root=$PWD/storage/c", 1, "decimal digits" },
                { "tenant add beta --ids 4294967295:1 --volume root=$PWD/storage/c", 1,
                  "past 4294967294" },
                { "tenant add beta --ids auto:999999999 --volume root=$PWD/storage/c", 1,
                  "in a row" },
                { "tenant add beta --ids 5:1 --volume \"root=$PWD/storage/c\nids = 1:1\"", 1,
                  "control character" },
                { "tenant add beta --ids auto:x --volume root=$PWD/storage/c", 2, "auto:COUNT" },
                { "tenant add Beta --ids 5:1 --volume root=$PWD/storage/c", 2, "no tenant's name" },
                { "tenant add beta --ids 5:1 --volume Root=$PWD/storage/c", 2, "a volume's name" },
                { "tenant add beta --ids 5:1", 2, "--volume is missing" },
                { "tenant add beta --volume root=$PWD/storage/c", 2, "--ids is missing" },
                { "tenant add beta --ids 5:1 --access ro --volume r=/x", 2, "speaks of no volume" },
                { "tenant add beta", 2, "is missing" },
                { "tenant add acme --ids 5:1 --volume root=$PWD/storage/c", 1, "tenant set" },
                { "tenant set beta --ids 5:1", 1, "no tenant 'beta'" },
                { "tenant set acme", 2, "what?" },
                { "tenant set acme --volume root --access maybe", 1,
                  ": tenant acme: volume root: access = maybe: write rw or ro" },
                { "tenant set acme --volume root --access ro --access rw", 1, "given twice" },
                { "tenant set acme --remove-volume data", 1, "there is no [volume data]" },
                { "tenant set acme --remove-volume root", 1, "no volume" },
                { "tenant rm beta", 1, "no tenant 'beta'" },
        };

        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();

        nsm_world_must(w, "ln -s storage/c link; touch file; "
                       "nsmount tenant add acme --ids %u:65536 --volume root=$PWD/storage/a; "
                       "cp -r etc before", w->first_id);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
                struct nsm_output *o = nsm_world_run(w, "FIRST=%u; nsmount %s", w->first_id,
                                                     refused[i].options);
                if (strstr(refused[i].options, "FIRST:"))
                        o = nsm_world_run(w, "nsmount tenant add beta --ids %u:65536 --volume "
                                          "root=$PWD/storage/c", w->first_id);
                expect(o, refused[i].status, refused[i].says);
                nsm_world_must(w, "diff -r before etc");
        }
}

Test(tenant, sources_are_compared_by_what_they_are)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        const char *add = "nsmount tenant add beta --ids auto --volume root=$PWD";

        nsm_world_must(w, "nsmount tenant add acme --ids auto --volume root=$PWD/storage/a");
        nsm_world_must(w, "mkdir bound deep; mount --bind storage/a bound; "
                       "mount --bind storage/a/sub deep; ln -s storage way");
        expect(nsm_world_run(w, "%s/bound", add), 1, "is the same as");
        expect(nsm_world_run(w, "%s/bound/sub", add), 1, "lies inside");
        expect(nsm_world_run(w, "%s/deep", add), 1, "lies inside");
        expect(nsm_world_run(w, "%s/way/a", add), 1, "is the same as");
        expect(nsm_world_run(w, "%s/deep --shared-source yes", add), 1, "for both");
        nsm_world_must(w, "nsmount tenant set acme --shared-source yes");
        nsm_world_must(w, "%s/deep --shared-source yes", add);
        expect(nsm_world_run(w, "nsmount tenant set acme --shared-source no"), 1, ": holds");
        nsm_world_must(w, "umount bound deep");
}

Test(tenant, a_source_is_where_only_root_gets_to)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        const char *add = "nsmount tenant add acme --ids auto --volume root=$PWD/storage/a";

        nsm_world_must(w, "chmod 0711 . storage");
        expect(nsm_world_run(w, "%s", add), 1, "chmod 0700 ");
        nsm_world_must(w, "chmod 0710 storage; chgrp 12345 storage");
        expect(nsm_world_run(w, "%s", add), 1, "chmod 0700 ");
        nsm_world_must(w, "chgrp 0 storage; %s; nsmount tenant rm acme; chmod 0711 storage", add);
        nsm_world_must(w, "mount --bind storage storage && "
                       "mount -o remount,bind,nosuid,nodev storage && %s", add);
        nsm_world_must(w, "nsmount tenant rm acme; mount -o remount,bind,nosuid,dev storage");
        expect(nsm_world_run(w, "%s", add), 1, "nosuid,nodev");
        nsm_world_must(w, "umount storage");
}

Test(tenant, twenty_at_once_never_share_ids, .timeout = 280)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        const char *out;

        nsm_world_must(w, "for i in $(seq 20); do mkdir storage/t$i; done; "
                       "for i in $(seq 20); do nsmount tenant add t$i --ids auto:100 "
                       "--volume root=$PWD/storage/t$i & done; wait; "
                       "test $(ls etc/tenants.d/*.conf | wc -l) = 20");
        out = nsm_world_must(w, "cat etc/tenants.d/*.conf | grep ^ids | sort -u | wc -l");
        cr_expect_str_eq(out, "20\n");
        nsm_world_must(w, "nsmount tenant list");
}

/* Killed wherever it may be, it leaves the old file or the new one, and the lock free. */
Test(tenant, a_killed_change_leaves_a_whole_file, .timeout = 280)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();

        nsm_world_must(w, "nsmount tenant add acme --ids auto --volume root=$PWD/storage/a; "
                       "cp etc/tenants.d/acme.conf rw; nsmount tenant set acme --volume root "
                       "--access ro; cp etc/tenants.d/acme.conf ro");
        nsm_world_must(w, "for i in $(seq 60); do "
                       "if [ $((i %% 2)) = 1 ]; then a=rw; else a=ro; fi; "
                       "nsmount tenant set acme --volume root --access $a & "
                       "sleep 0.00$((i %% 9)); kill -9 $! 2>/dev/null; wait $! 2>/dev/null; "
                       "nsmount tenant show acme >/dev/null || exit 1; "
                       "grep -q '^access = r[wo]$' etc/tenants.d/acme.conf || "
                       "cmp -s etc/tenants.d/acme.conf rw || exit 2; done");
        nsm_world_must(w, "nsmount tenant set acme --volume root --access ro; "
                       "cmp etc/tenants.d/acme.conf ro; ! test -e etc/tenants.d/.new");
}

Test(tenant, a_full_disk_keeps_the_old_file)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        const char *set = "nsmount --config $PWD/full tenant set acme --volume root --access ro";

        nsm_world_must(w, "mkdir full; mount -t tmpfs -o size=32k,mode=0700 none full; "
                       "nsmount --config $PWD/full tenant add acme --ids 5:5 "
                       "--volume root=$PWD/storage/a; cp full/tenants.d/acme.conf before; "
                       "dd if=/dev/zero of=full/fill bs=1k 2>/dev/null || true");
        expect(nsm_world_run(w, "%s", set), 1, "acme.conf: cannot write it: No space left");
        nsm_world_must(w, "cmp before full/tenants.d/acme.conf; ! test -e full/tenants.d/.new");
        nsm_world_must(w, "rm full/fill; %s; umount full", set);
}

Test(command, says_how_to_start_what_does_not_run)
{
        static const char *const asks[] = { "list", "reload", "mount acme dir", "unmount dir",
                                            "attach acme --pid $$", "detach g1",
                                            "detach acme --pid $$ --at /x" };
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();

        for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
                struct nsm_output *o = nsm_world_run(w, "nsmount %s", asks[i]);

                expect(o, 1, "nsmountd is not running");
                expect(o, 1, "start it with");
        }
}

Test(command, says_that_it_takes_root)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        /* Through a descriptor: where it was built, others need not get to. */
        const char *nobody = "exec 9<$(command -v nsmount); chmod 0755 .; setpriv --reuid 65534 "
                             "--regid 65534 --clear-groups /proc/self/fd/9";

        nsm_world_must(w, "mkdir -m 0700 run2");
        expect(nsm_world_run(w, "%s list --runtime-dir $PWD/run2", nobody), 1, "run this as root");
        expect(nsm_world_run(w, "%s tenant add acme --ids 5:5 --volume root=/x", nobody), 1,
               "run this as root");
        expect(nsm_world_run(w, "%s tenant add acme --ids 5:5 --volume root=/x --config $PWD/new",
                             nobody), 1, "run this as root");
        nsm_world_must(w, "! test -e new && ! test -e etc/.lock");
}

Test(command, names_what_is_wrong_with_a_pid)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();

        expect(nsm_world_run(w, "sleep 0 & wait $!; nsmount attach acme --pid $!"), 1,
               "there is no such process");
        expect(nsm_world_run(w, "nsmount attach acme --pid 0"), 2, "no process id");
        expect(nsm_world_run(w, "nsmount attach acme --pid -1"), 2, "no process id");
        expect(nsm_world_run(w, "nsmount attach acme --pid 12x"), 2, "no process id");
        expect(nsm_world_run(w, "nsmount attach acme --pid 99999999999"), 2, "no process id");
        expect(nsm_world_run(w, "nsmount attach acme"), 2, "--pid is missing");
        nsm_world_must(w, "cat >threads.py <<'EOF'\n"
                       "import os, subprocess, threading\n"
                       "def other():\n"
                       "    tid = str(threading.get_native_id())\n"
                       "    r = subprocess.run(['nsmount', 'attach', 'acme', '--pid', tid],\n"
                       "                       capture_output=True, text=True)\n"
                       "    assert r.returncode == 1 and 'is a thread of process' in r.stderr, r\n"
                       "t = threading.Thread(target=other)\n"
                       "t.start()\n"
                       "t.join()\n"
                       "EOF\n"
                       "python3 threads.py 2>&1 | tee out && ! grep -q Error out");
}

Test(command, a_listing_that_cannot_be_written_fails)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();

        nsm_world_must(w, "nsmount tenant add acme --ids auto --volume root=$PWD/storage/a");
        expect(nsm_world_run(w, "nsmount tenant list >/dev/full"), 1, "cannot write");
        expect(nsm_world_run(w, "nsmount --help >/dev/full"), 1, "cannot write");
        cr_expect_eq(nsm_world_run(w, "nsmount tenant list >&-")->status, 1);
}

Test(command, takes_its_directories_from_options_and_environment)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = new_world();
        struct nsm_output *o;

        nsm_world_must(w, "nsmount tenant add acme --ids auto --volume root=$PWD/storage/a");
        o = nsm_world_run(w, "nsmount --config $PWD/other tenant list");
        cr_expect(o->status == 0 && strstr(o->err, "/other has no tenants"), "%s", o->err);
        expect(nsm_world_run(w, "nsmount --config $PWD/other tenant rm acme"), 1, "no tenant");
        expect(nsm_world_run(w, "nsmount --config $PWD/no/other tenant add acme --ids 5:5 "
                             "--volume root=$PWD/storage/a"), 1, "mkdir -p it");
        nsm_world_must(w, "! test -e other && ! test -e no");
        o = nsm_world_run(w, "nsmount --config $PWD/new tenant add acme --ids 5:5 "
                          "--volume root=$PWD/storage/a");
        cr_expect(o->status == 0 && strstr(o->err, "made the configuration directory") &&
                  strstr(o->err, "takes effect when it starts"), "%s", o->err);
        o = nsm_world_run(w, "NSMOUNT_CONFIG=$PWD/other nsmount tenant list --config $PWD/etc");
        cr_expect(o->status == 0 && strstr(o->out, "acme"), "%s", o->err);
        expect(nsm_world_run(w, "nsmount list --runtime-dir $PWD/elsewhere"), 1, "/elsewhere");
}

/* nsmount's own pages are checked against its tables in the unit test. */
Test(command, other_programs_options_are_in_their_pages)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "for p in nsmountd nsmountfs; do "
                       "for o in $($p --help | grep -oE -e '--[a-z-]+' -e '[a-z-]+=' | sort -u); do "
                       "grep -q -e \"\\*$o\" $NSM_SOURCE_DIR/tools/man/$p.8.scd || "
                       "{ echo $p $o >&2; exit 1; }; done; done");
}
