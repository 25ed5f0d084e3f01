/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a configuration may say, and what is answered to each kind of mistake. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"
#include "fs/view/limits.h"
#include "tools/config/config.h"
#include "tools/config/interpret.h"

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        return remove(path);
}

static void make_dir(void)
{
        strcpy(dir, "/tmp/nsm-config-XXXXXX");
        cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(config, .init = make_dir, .fini = remove_dir);

/* Writes @name below the directory, with the directories above it. */
static void put(const char *name, const char *text)
{
        char path[256];
        cleanup_file FILE *f = NULL;

        snprintf(path, sizeof path, "%s/%s", dir, name);
        for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
                *p = '\0';
                mkdir(path, 0755);
        }
        f = fopen(path, "we");
        cr_assert(f, "%s: %m", path);
        fputs(text, f);
}

#define ROOT "[volume root]\nsource = /srv/a\n"
#define IDS "[tenant]\nids = 100000:65536\n"

Test(config, reads_what_design_shows)
{
        cleanup_config struct nsm_config *config = NULL;
        struct nsm_error err = { 0 };
        const struct nsm_tenant *t;
        const struct nsm_volume *v;
        uint32_t id;

        put("nsmount.conf", "[ids]\npool = 200000:655360\n\n[daemon]\nidle-close = 5\n");
        put("tenants.d/acme.conf",
            "# tenants.d/acme.conf\n"
            "[tenant]\n"
            "# host ids\n"
            "ids = 100000:65536\n"
            "[volume root]\n"
            "source = /srv/tenants/acme/root/\n"
            "access = ro\n"
            "storage-ids = 0:0:1000\n"
            "storage-uids = 1000:5000:1\n"
            "coherence = exclusive\n"
            "devices = allow\n"
            "suid = deny\n"
            "max-inodes = 2000\n"
            "; another\n"
            "[volume data]\n"
            "   source   =   /srv/a b;c #d   \n");
        put("tenants.d/beta.conf", "[tenant]\nuid-map = 0 300000 1000\nuid-map = 1000 400000 1\n"
                                   "gid-map = 0 300000 1000\nshared-source = yes\n" ROOT);
        cr_assert_eq(nsm_config_load(dir, &config, &err), 0, "%s", err.text);
        cr_assert_eq(config->pool_first, 200000);
        cr_assert_eq(config->pool_count, 655360);
        cr_assert_eq(config->idle_close_s, 5);
        cr_assert_eq(config->n_tenants, 2);

        t = nsm_config_find_tenant(config, "acme", &err);
        cr_assert(t && t->n_volumes == 2 && !t->shared_source);
        v = nsm_tenant_find_volume(t, NULL, &err);
        cr_assert_str_eq(v->source, "/srv/tenants/acme/root");
        cr_assert(v->read_only && v->exclusive && v->devices_allow && !v->suid_allow);
        cr_assert_eq(v->max_inodes, 2000);
        cr_assert_eq(nsm_idmap_shift(&v->storage_uids, NSM_ID_OUTWARD, 1000, &id), 0);
        cr_assert_eq(id, 5000);
        cr_assert_eq(nsm_idmap_shift(&v->storage_gids, NSM_ID_OUTWARD, 1000, &id), -EOVERFLOW);

        v = nsm_tenant_find_volume(t, "data", &err);
        cr_assert_str_eq(v->source, "/srv/a b;c #d");
        cr_assert(!v->read_only && !v->exclusive && !v->devices_allow && v->suid_allow);
        cr_assert_eq(v->max_inodes, NSM_INODES_MAX);
        cr_assert(!v->has_storage_uids && v->storage_uids.n == 1);
        cr_assert_eq(nsm_idmap_shift(&v->storage_uids, NSM_ID_OUTWARD, 65535, &id), 0);
        cr_assert_eq(id, 65535, "storage ids are the container's own numbers by default");

        t = nsm_config_find_tenant(config, "beta", &err);
        cr_assert(t->shared_source && t->uids.n == 2 && t->gids.n == 1);
        cr_assert(!nsm_config_find_tenant(config, "gamma", &err));
        cr_assert(strstr(err.text, "acme, beta"), "%s", err.text);
}

Test(config, names_keep_all_their_bytes)
{
        cleanup_config struct nsm_config *config = NULL;
        struct nsm_error err = { 0 };
        char text[512], name[64];

        memset(name, 'v', 63);
        name[63] = '\0';
        snprintf(text, sizeof text, IDS "[volume %s]\nsource = /srv/a/%0200d\n", name, 7);
        put("tenants.d/a.conf", text);
        cr_assert_eq(nsm_config_load(dir, &config, &err), 0, "%s", err.text);
        cr_assert_str_eq(config->tenants[0].volumes[0].name, name);
        cr_assert_eq(strlen(config->tenants[0].volumes[0].source), 207);
}

Test(config, a_missing_directory_is_no_tenants)
{
        cleanup_config struct nsm_config *config = NULL;
        struct nsm_error err = { 0 };
        char none[80];

        snprintf(none, sizeof none, "%s/none", dir);
        cr_assert_eq(nsm_config_load(none, &config, &err), 0, "%s", err.text);
        cr_assert_eq(config->n_tenants, 0);
        cr_assert_eq(config->idle_close_s, 60);
}

Test(config, drop_ins_replace_add_and_forget)
{
        cleanup_config struct nsm_config *config = NULL;
        struct nsm_error err = { 0 };
        const struct nsm_volume *v;

        put("tenants.d/a.conf", IDS ROOT "access = ro\nstorage-ids = 0:0:10\n");
        put("tenants.d/a.conf.d/10-first.conf",
            "[volume root]\nsource = /srv/b\nstorage-ids = 10:10:10\n[volume more]\nsource = /m\n");
        put("tenants.d/a.conf.d/20-second.conf", "[volume root]\naccess =\nstorage-uids =\n");
        put("tenants.d/a.conf.d/.hidden.conf", "nonsense");
        put("tenants.d/a.conf.d/README", "nonsense");
        put("nsmount.conf.d/idle.conf", "[daemon]\nidle-close = 7\n");
        cr_assert_eq(nsm_config_load(dir, &config, &err), 0, "%s", err.text);
        cr_assert_eq(config->idle_close_s, 7);
        cr_assert_eq(config->tenants[0].n_volumes, 2);
        v = &config->tenants[0].volumes[0];
        cr_assert_str_eq(v->source, "/srv/b");
        cr_assert(strstr(v->place.file, "a.conf.d/10-first.conf") && v->place.line == 2);
        cr_assert(!v->read_only, "an empty value forgets");
        cr_assert_eq(v->storage_uids.n, 2);
}

struct mistake {
        const char *file, *text;
        unsigned line;       /* 0: the message names no line */
        const char *says[3]; /* what, and the way out */
};

static const struct mistake mistakes[] = {
        { "tenants.d/a.conf", "", 0, { "has no ids", "ids = HOST:COUNT" } },
        { "tenants.d/a.conf", IDS, 0, { "no volume", "[volume root]" } },
        { "tenants.d/a.conf", IDS "colour = red\n" ROOT,
          3, { "colour: unknown key", "shared-source" } },
        { "tenants.d/a.conf", IDS ROOT "sorce = /x\n", 5, { "sorce: unknown key", "source" } },
        { "tenants.d/a.conf", IDS ROOT "[limits]\n",
          5, { "[limits]: unknown section", "[volume NAME]" } },
        { "tenants.d/a.conf", IDS "[volume]\n", 3, { "unknown section" } },
        { "tenants.d/a.conf", IDS "[volume Root]\n", 3, { "a volume's name is", "a-z" } },
        { "tenants.d/a.conf", IDS "[volume 9a]\n", 3, { "a volume's name is" } },
        { "tenants.d/a.conf", IDS "[volume root]\naccess = rw\n",
          3, { "no source", "source = /A" } },
        { "tenants.d/a.conf", IDS ROOT "source = /srv/b\n", 5, { "set already in line 4" } },
        { "tenants.d/a.conf", IDS ROOT ROOT, 5, { "[volume root] is there already in line 3" } },
        { "tenants.d/a.conf", "ids = 1:1\n", 1, { "before any section" } },
        { "tenants.d/a.conf", IDS "what is this\n", 3, { "neither [section] nor KEY = VALUE" } },
        { "tenants.d/a.conf", IDS "= 5\n", 3, { "neither" } },
        { "tenants.d/a.conf", "[tenant] # here\n", 1, { "nothing behind it" } },
        { "tenants.d/a.conf", "[tenant\n", 1, { "a section is written [name]" } },
        { "tenants.d/a.conf", IDS ROOT "access = rw # or ro\n", 5,
          { "write rw or ro; a comment has" } },
        { "tenants.d/a.conf", "[tenant]\nids = 100000\n" ROOT, 2, { "HOST:COUNT, such as" } },
        { "tenants.d/a.conf", "[tenant]\nids = 100000:0\n" ROOT, 2, { "count 0", "at least 1" } },
        { "tenants.d/a.conf", "[tenant]\nids = -5:10\n" ROOT, 2, { "plain decimal digits" } },
        { "tenants.d/a.conf", "[tenant]\nids = 100000:65536x\n" ROOT,
          2, { "plain decimal digits" } },
        { "tenants.d/a.conf", "[tenant]\nids = 100000:65536:1\n" ROOT, 2, { "HOST:COUNT" } },
        { "tenants.d/a.conf", "[tenant]\nids = 0x100:65536\n" ROOT, 2, { "plain decimal digits" } },
        { "tenants.d/a.conf", "[tenant]\nids = +100:65536\n" ROOT, 2, { "plain decimal digits" } },
        { "tenants.d/a.conf", "[tenant]\nids = 100 : 65536\n" ROOT, 2, { "HOST:COUNT" } },
        { "tenants.d/a.conf", "[tenant]\nids = 4294967295:1\n" ROOT, 2, { "past 4294967294" } },
        { "tenants.d/a.conf", "[tenant]\nids = 4294900000:67296\n" ROOT,
          2, { "past 4294967294", "smaller" } },
        { "tenants.d/a.conf", "[tenant]\nids = 99999999999:1\n" ROOT, 2, { "past 4294967294" } },
        { "tenants.d/a.conf", "[tenant]\nids = 0:65536\n" ROOT, 2, { "the host's root" } },
        { "tenants.d/a.conf", IDS "uid-map = 0 1 1\n" ROOT, 3, { "either ids, or uid-map" } },
        { "tenants.d/a.conf", "[tenant]\nuid-map = 0 1 1\n" ROOT, 2, { "gid-map is missing" } },
        { "tenants.d/a.conf", "[tenant]\ngid-map = 0 1 1\n" ROOT, 2, { "uid-map is missing" } },
        { "tenants.d/a.conf", "[tenant]\nuid-map = 0 5 9\nuid-map = 9 8 1\ngid-map = 0 5 9\n" ROOT,
          3, { "overlap" } },
        { "tenants.d/a.conf", "[tenant]\nuid-map = 0:5:9\ngid-map = 0 5 9\n" ROOT,
          2, { "CONTAINER HOST COUNT" } },
        { "tenants.d/a.conf", "[tenant]\nuid-map = 0 5 9\ngid-map = 0 0 9\n" ROOT,
          3, { "the host's root" } },
        { "tenants.d/a.conf", "[tenant]\nids = 5:5\nshared-source = maybe\n" ROOT,
          3, { "write no or yes" } },
        { "tenants.d/a.conf", IDS "[volume root]\nsource = srv/a\n",
          4, { "relative", "from / on" } },
        { "tenants.d/a.conf", IDS "[volume root]\nsource = /\n", 4, { "the host's root" } },
        { "tenants.d/a.conf", IDS "[volume root]\nsource = /srv/../etc\n",
          4, { "without . and .." } },
        { "tenants.d/a.conf", IDS "[volume root]\nsource =\n", 3, { "no source" } },
        { "tenants.d/a.conf", IDS ROOT "storage-ids = 0:0\n", 5, { "CONTAINER:STORAGE:COUNT" } },
        { "tenants.d/a.conf", IDS ROOT "storage-ids = 0:0:0\n", 5, { "count 0" } },
        { "tenants.d/a.conf", IDS ROOT "storage-ids = 0:0:9\nstorage-uids = 5:50:1\n",
          6, { "overlap" } },
        { "tenants.d/a.conf", IDS ROOT "storage-gids = 0:4294967290:9\n",
          5, { "past 4294967294" } },
        { "tenants.d/a.conf", IDS ROOT "coherence = strict\n", 5, { "write shared or exclusive" } },
        { "tenants.d/a.conf", IDS ROOT "devices = yes\n", 5, { "write deny or allow" } },
        { "tenants.d/a.conf", IDS ROOT "suid = \x01\n", 5, { "control character 0x01" } },
        { "tenants.d/a.conf", IDS ROOT "max-inodes = 255\n", 5, { "from 256 to 16777215" } },
        { "tenants.d/a.conf", IDS ROOT "max-inodes = 16777216\n", 5, { "from 256" } },
        { "tenants.d/a.conf", IDS ROOT "max-inodes = 1k\n", 5, { "from 256" } },
        { "tenants.d/A.conf", IDS ROOT, 0, { "'A' is no tenant's name", "rename it" } },
        { "tenants.d/a_b.conf", IDS ROOT, 0, { "no tenant's name" } },
        { "nsmount.conf", "[ids]\npool = 5\n", 2, { "HOST:COUNT" } },
        { "nsmount.conf", "[ids]\npool = 0:5\n", 2, { "the host's root" } },
        { "nsmount.conf", "[ids]\npool = 5:4294967295\n", 2, { "past" } },
        { "nsmount.conf", "[daemon]\nidle-close = 1m\n", 2, { "number of seconds" } },
        { "nsmount.conf", "[daemon]\nidle = 1\n", 2, { "idle: unknown key", "idle-close" } },
        { "nsmount.conf", "[tenant]\n", 1, { "unknown section", "[ids], [daemon]" } },
        { "nsmount.conf.d/x.conf", "[daemon]\nidle-close = -1\n", 2, { "number of seconds" } },
};

Test(config, answers_each_mistake_with_file_line_why_and_way_out)
{
        for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
                const struct mistake *m = &mistakes[i];
                cleanup_config struct nsm_config *config = NULL;
                struct nsm_error err = { 0 };
                char place[256];
                int r;

                put(m->file, m->text);
                r = nsm_config_load(dir, &config, &err);
                cr_expect_eq(r, -EINVAL, "%s: '%s' gave %d", m->file, m->text, r);
                cr_expect_null(config, "nothing half loaded");
                snprintf(place, sizeof place, m->line ? "%s/%s:%u: " : "%s/%s: ", dir, m->file,
                         m->line);
                cr_expect(strncmp(err.text, place, strlen(place)) == 0, "%s\n  does not begin %s",
                          err.text, place);
                for (unsigned j = 0; j < 3 && m->says[j]; j++)
                        cr_expect(strstr(err.text, m->says[j]), "%s\n  lacks '%s'", err.text,
                                  m->says[j]);
                cr_expect_null(strchr(err.text, '\n'));
                snprintf(place, sizeof place, "%s/%s", dir, m->file);
                unlink(place);
        }
}

static void expect_refused(int code, const char *what)
{
        cleanup_config struct nsm_config *config = NULL;
        struct nsm_error err = { 0 };

        cr_expect_eq(nsm_config_load(dir, &config, &err), code, "%s", err.text);
        cr_expect(strstr(err.text, what), "%s\n  lacks '%s'", err.text, what);
}

Test(config, host_ids_of_two_tenants_never_overlap)
{
        cleanup_config struct nsm_config *config = NULL;
        struct nsm_error err = { 0 };

        put("tenants.d/a.conf", "[tenant]\nids = 1000:100\n" ROOT);
        put("tenants.d/b.conf", "[tenant]\nids = 1100:100\n" ROOT);
        cr_expect_eq(nsm_config_load(dir, &config, &err), 0, "neighbours may touch: %s", err.text);
        put("tenants.d/b.conf", "[tenant]\nids = 1099:100\n" ROOT);
        expect_refused(-EINVAL, "b.conf:2: host user ids 1099..1198 overlap 1000..1099 of");
        put("tenants.d/b.conf", "[tenant]\nuid-map = 0 9000 1\ngid-map = 0 1050 1\n" ROOT);
        expect_refused(-EINVAL, "group ids 1050..1050 overlap");
        put("tenants.d/a.conf", "[tenant]\nuid-map = 0 1 1\ngid-map = 0 2 1\n" ROOT);
        put("tenants.d/b.conf", "[tenant]\nuid-map = 0 2 1\ngid-map = 0 1 1\n" ROOT);
        nsm_config_free(config);
        config = NULL;
        nsm_error_reset(&err);
        cr_expect_eq(nsm_config_load(dir, &config, &err), 0, "users are no groups: %s", err.text);
}

Test(config, is_trusted_only_when_nobody_else_writes_it)
{
        char path[128];

        put("tenants.d/a.conf", IDS ROOT);
        snprintf(path, sizeof path, "%s/tenants.d/a.conf", dir);
        chmod(path, 0666);
        expect_refused(-EPERM, "a.conf: others than root may write it (mode 0666)");
        chmod(path, 0644);
        snprintf(path, sizeof path, "%s/tenants.d", dir);
        chmod(path, 01777);
        expect_refused(-EPERM, "tenants.d: others than root may write it");
        chmod(path, 0755);
        chmod(dir, 0702);
        expect_refused(-EPERM, "chmod go-w");
        chmod(dir, 0700);
        if (geteuid() == 0) {
                snprintf(path, sizeof path, "%s/tenants.d/a.conf", dir);
                cr_assert_eq(chown(path, 12345, 0), 0);
                expect_refused(-EPERM, "belongs to user 12345");
        }
}

Test(config, takes_regular_files_of_a_sane_size_only)
{
        char path[128];
        FILE *f;

        put("tenants.d/a.conf", IDS ROOT);
        snprintf(path, sizeof path, "%s/tenants.d/b.conf", dir);
        cr_assert_eq(mkfifo(path, 0600), 0);
        expect_refused(-EINVAL, "b.conf: is no regular file");
        unlink(path);
        cr_assert_eq(symlink("nowhere", path), 0);
        expect_refused(-ENOENT, "b.conf: a symlink to nothing");
        unlink(path);
        f = fopen(path, "we");
        fwrite("[tenant]\0\n", 10, 1, f);
        fflush(f);
        expect_refused(-EINVAL, "b.conf: holds a NUL byte");
        cr_assert_eq(ftruncate(fileno(f), NSM_CONFIG_FILE_MAX + 1), 0);
        fclose(f);
        expect_refused(-EFBIG, "b.conf: is larger than");
}

/* Whatever stands in a file, it is either taken or answered in one line; sanitizers watch. */
Test(settings, any_bytes_are_taken_or_refused)
{
        static const char good[] = "[tenant]\nuid-map = 0 100000 65536\ngid-map = 0 100000 9\n"
                                   "shared-source = yes\n[volume root]\nsource = /srv/a\n"
                                   "access = ro\nstorage-ids = 0:0:65536\nstorage-uids =\n"
                                   "# x\n[volume b]\nsource = /b\nsuid = deny\n";
        static const char bytes[] = "[]=#\n \t:09a-/\x01\xff";
        unsigned seed = 7, taken = 0;

        for (unsigned round = 0; round < 5000; round++) {
                cleanup_settings struct nsm_settings list = { 0 };
                struct nsm_tenant tenant = { 0 };
                struct nsm_error err = { 0 };
                char text[sizeof good];
                int r;

                memcpy(text, good, sizeof good);
                for (unsigned i = 0; i < 1 + round % 4; i++) {
                        seed = seed * 1103515245 + 12345;
                        text[(seed >> 8) % (sizeof good - 1)] =
                                bytes[(seed >> 20) % (sizeof bytes - 1)];
                }
                r = nsm_settings_add_text(&list, "f", text, sizeof good - 1 - round % 50,
                                          nsm_tenant_specs, &err);
                if (r == 0)
                        r = nsm_tenant_interpret("a", "f", &list, &tenant, &err);
                cr_assert(r == 0 || (r == -EINVAL && *err.text && !strchr(err.text, '\n')), "%s",
                          text);
                taken += r == 0;
                nsm_tenant_clear(&tenant);
        }
        cr_expect(taken > 20 && taken < 4500, "%u taken", taken);
}
