/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmount and nsmountd together, as a storage admin and a launcher meet them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/harness.h"

static void expect(struct nsm_output *o, int status, const char *says)
{
        cr_expect_eq(o->status, status, "status %d instead of %d: %s%s", o->status, status, o->out,
                     o->err);
        cr_expect(strstr(o->err, says), "'%s'\n  lacks '%s'", o->err, says);
}

static void expect_out(struct nsm_output *o, const char *says)
{
        cr_expect_eq(o->status, 0, "status %d: %s", o->status, o->err);
        cr_expect(strstr(o->out, says), "'%s'\n  lacks '%s'", o->out, says);
}

Test(live, a_tenant_added_while_it_runs_is_served_at_once)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *acme = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c;

        nsm_world_start_supervisor(w);
        c = nsm_tenant_add_container(acme, NULL);
        nsm_world_must(w, "mkdir storage/acme/new; nsmount tenant set acme --volume "
                       "new=$PWD/storage/acme/new");
        expect_out(nsm_world_run(w, "nsmount attach acme --pid %d --volume new --at /mnt", c->pid),
                   "g1 /mnt\n");
        expect_out(nsm_world_run(w, "LC_ALL=C nsmount list"), "  `- g1 at /mnt of mnt:[");
        expect_out(nsm_world_run(w, "LC_ALL=C.UTF-8 nsmount list"), "  └─ g1 at /mnt of mnt:[");
        expect(nsm_world_run(w, "nsmount tenant rm acme"), 1, "in use (g1): nsmount detach");
        expect(nsm_world_run(w, "nsmount attach acme --pid %d --volume new --at /mnt", c->pid), 1,
               "already attached");
        expect(nsm_world_run(w, "nsmount tenant set acme --volume new --access ro"), 0,
               "note: acme/new goes on as it was started");
        nsm_world_must(w, "mkdir storage/b; nsmount tenant add beta --ids 5:5 --volume "
                       "root=$PWD/storage/b 2>notes; ! test -s notes; nsmount tenant rm beta");
        expect_out(nsm_world_run(w, "nsmount detach g1"), "g1 /mnt\n");
        expect(nsm_world_run(w, "nsmount detach g1"), 1, "g1");
        expect(nsm_world_run(w, "nsmount tenant rm acme"), 0, "");
        expect(nsm_world_run(w, "nsmount attach acme --pid %d", c->pid), 1, "no tenant 'acme'");
}

Test(live, who_is_in_the_way_is_named_once)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *acme = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c;
        const char *holds = "working directory";
        struct nsm_output *o;

        nsm_world_start_supervisor(w);
        c = nsm_tenant_add_container(acme, NULL);
        nsm_world_must(w, "nsmount attach acme --pid %d --at /mnt", c->pid);
        nsm_container_spawn(c, "cd /mnt && touch here && exec sleep 1000");
        nsm_world_must(w, "until test -e %s/here; do sleep 0.01; done", acme->root);
        o = nsm_world_run(w, "nsmount detach acme --pid %d --at /mnt", c->pid);
        expect(o, 1, "working directory");
        cr_assert(strstr(o->err, holds), "%s", o->err);
        cr_expect_null(strstr(strstr(o->err, holds) + 1, holds), "named twice: %s", o->err);
}

/* A reload that fails leaves what runs; a change that nsmountd would refuse leaves the files. */
Test(live, bad_configuration_is_refused_and_the_old_one_stays)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *acme = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c;

        nsm_world_add_empty_tenant(w, "beta");
        nsm_world_start_supervisor(w);
        c = nsm_tenant_add_container(acme, NULL);
        nsm_world_must(w, "cp -r etc before; echo 'colour = red' >>etc/tenants.d/acme.conf");
        expect(nsm_world_run(w, "nsmount reload"), 1, "acme.conf:");
        expect(nsm_world_run(w, "nsmount reload"), 1, "colour: unknown key");
        expect_out(nsm_world_run(w, "nsmount attach acme --pid %d --at /mnt", c->pid), "g1 /mnt");
        nsm_world_must(w, "cp before/tenants.d/* etc/tenants.d/");
        expect_out(nsm_world_run(w, "nsmount reload"), "2 tenants");

        /* Another tenant's storage is not what it was: nsmountd refuses, and nothing is written. */
        nsm_world_must(w, "mv storage/beta/root storage/away; ln -s ../away storage/beta/root;"
                       " mkdir storage/acme/more");
        expect(nsm_world_run(w, "nsmount tenant set acme --volume more=$PWD/storage/acme/more"), 1,
               "nothing changed, because nsmountd refused it");
        nsm_world_must(w, "diff -r before/tenants.d etc/tenants.d; rm storage/beta/root");
        nsm_world_must(w, "nsmount tenant set acme --volume more=$PWD/storage/acme/more");
}

Test(live, a_running_one_is_told_apart_from_one_that_was_killed)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_add_empty_tenant(w, "acme");
        nsm_world_start_supervisor(w);
        nsm_world_must(w, "nsmount list");
        nsm_world_end_supervisor(w, SIGKILL);
        expect(nsm_world_run(w, "nsmount list"), 1, "nsmountd is not running");
        nsm_world_start_supervisor(w);
        nsm_world_must(w, "nsmount list");
}

/* What --json prints has the members that io.nsmount.varlink names, and no others. */
static const char check_types[] =
        "import json, os, re, sys\n"
        "text = open(os.environ['NSM_SOURCE_DIR'] + '/tools/control/io.nsmount.varlink').read()\n"
        "text = re.sub('#.*', '', text)\n"
        "types = {}\n"
        "for name, body in re.findall(r'type (\\w+) \\(([^)]*)\\)', text):\n"
        "    types[name] = dict(f.split(':') for f in re.sub(r'\\s', '', body).split(','))\n"
        "def check(value, kind, where):\n"
        "    if kind.startswith('[]'):\n"
        "        assert isinstance(value, list), where\n"
        "        for item in value:\n"
        "            check(item, kind[2:], where + '[]')\n"
        "    elif kind in types:\n"
        "        assert set(value) == set(types[kind]), (where, set(value) ^ set(types[kind]))\n"
        "        for key, item in value.items():\n"
        "            check(item, types[kind][key], where + '.' + key)\n"
        "    else:\n"
        "        python = {'string': str, 'int': int, 'bool': bool}[kind]\n"
        "        assert type(value) is python, (where, value)\n"
        "check(json.load(sys.stdin), sys.argv[1], sys.argv[1])\n";

Test(live, json_is_what_the_interface_says)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *acme = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c;

        nsm_world_start_supervisor(w);
        c = nsm_tenant_add_container(acme, NULL);
        nsm_world_must(w, "cat >check.py <<'EOF'\n%sEOF", check_types);
        nsm_world_must(w, "nsmount attach acme --pid %d --at /mnt --json | python3 check.py Graft",
                       c->pid);
        nsm_world_must(w, "nsmount tenant show acme --json | python3 check.py Tenant");
        nsm_world_must(w, "nsmount tenant list --json >l; python3 -c 'import json\n"
                       "json.dump(json.load(open(\"l\"))[\"tenants\"], open(\"t\", \"w\"))' && "
                       "python3 check.py '[]Tenant' <t");
        nsm_world_must(w, "nsmount list --json >list; for k in tenants:Tenant views:View "
                       "grafts:Graft containers:Container; do python3 -c 'import json, sys\n"
                       "json.dump(json.load(open(\"list\"))[sys.argv[1]], sys.stdout)' ${k%%:*} | "
                       "python3 check.py \"[]${k#*:}\" || exit 1; done");
        nsm_world_must(w, "nsmount detach g1 --json | python3 check.py Graft");
        nsm_world_must(w, "nsmount reload --json | grep -q '\"tenants\": 1'");
}
