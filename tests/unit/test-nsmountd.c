/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nsmountd writes down, reads again, and tells its workers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "fs/view/limits.h"
#include "tools/nsmountd/records.h"
#include "tools/nsmountd/runtime.h"
#include "tools/nsmountd/viewstart.h"

/* ---- records ---- */

static char dir[64];
static int dir_fd;
static unsigned warnings;

static void count_warning(const char *text)
{
        warnings++;
}

static void make_directory(void)
{
        strcpy(dir, "/tmp/nsm-records-XXXXXX");
        cr_assert_not_null(mkdtemp(dir));
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_directory(void)
{
        char command[128];

        close(dir_fd);
        snprintf(command, sizeof command, "rm -rf %s", dir);
        cr_assert_eq(system(command), 0);
}

TestSuite(records, .init = make_directory, .fini = remove_directory);

static void put_file(const char *name, const char *text)
{
        cleanup_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static json_t *load(void)
{
        json_t *all = NULL;
        struct nsm_error err = { 0 };

        warnings = 0;
        cr_assert_eq(records_load(dir_fd, &all, count_warning, &err), 0, "%s", err.text);
        return all;
}

Test(records, are_found_again)
{
        json_t *a = json_pack("{s:i}", "n", 1), *b = json_pack("{s:i}", "n", 2), *all;
        struct stat st;

        cr_assert_eq(records_write(dir_fd, "view-1", a, NULL), 0);
        cr_assert_eq(records_write(dir_fd, "graft-1", a, NULL), 0);
        cr_assert_eq(records_write(dir_fd, "graft-1", b, NULL), 0, "replaced");
        cr_assert_null(json_object_get(a, "boot"), "what was given is left alone");
        cr_assert_eq(fstatat(dir_fd, "view-1.json", &st, 0), 0);
        cr_assert_eq(st.st_mode & 07777, 0600);
        all = load();
        cr_assert_eq(json_object_size(all), 2);
        cr_assert_eq(json_integer_value(json_object_get(json_object_get(all, "graft-1"), "n")), 2);
        json_decref(all);
        records_remove(dir_fd, "graft-1");
        records_remove(dir_fd, "never-there");
        all = load();
        cr_assert_eq(json_object_size(all), 1);
        json_decref(all);
        json_decref(a);
        json_decref(b);
}

Test(records, what_is_none_is_set_aside)
{
        static const char *const bad[] = { "", "{", "[]", "{}", "{\"boot\":1}",
                                           "{\"boot\":\"a\"} x" };
        json_t *all;
        char name[32];

        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                snprintf(name, sizeof name, "view-%zu.json", i);
                put_file(name, bad[i]);
        }
        put_file("readme", "no record by its name");
        all = load();
        cr_assert_eq(json_object_size(all), 0);
        cr_assert_eq(warnings, sizeof bad / sizeof bad[0]);
        json_decref(all);
        cr_assert_eq(faccessat(dir_fd, "view-0.json.bad", F_OK, 0), 0);
        cr_assert_eq(faccessat(dir_fd, "readme", F_OK, 0), 0);
        json_decref(load());
        cr_assert_eq(warnings, 0, "once is enough");
}

Test(records, of_an_earlier_boot_are_dropped)
{
        put_file("view-1.json", "{\"boot\":\"00000000-0000-0000-0000-000000000000\"}");
        put_file("view-2.part", "{\"bo");
        json_decref(load());
        cr_assert_eq(warnings, 0);
        cr_assert_neq(faccessat(dir_fd, "view-1.json", F_OK, 0), 0);
        cr_assert_neq(faccessat(dir_fd, "view-2.part", F_OK, 0), 0);
}

Test(records, are_not_followed_elsewhere)
{
        json_t *a = json_pack("{s:i}", "n", 1);
        char target[128];

        put_file("victim", "mine");
        snprintf(target, sizeof target, "%s/victim", dir);
        cr_assert_eq(symlinkat(target, dir_fd, "view-1.part"), 0);
        cr_assert_lt(records_write(dir_fd, "view-1", a, NULL), 0);
        cr_assert_eq(records_write(dir_fd, "view-1", a, NULL), 0, "the link was removed");
        json_decref(a);
}

/* ---- the runtime directory ---- */

Test(runtime, one_at_a_time, .init = make_directory, .fini = remove_directory)
{
        cleanup_runtime struct runtime first = RUNTIME_NONE;
        struct nsm_error err = { 0 };
        int status;
        pid_t pid;

        if (geteuid() != 0)
                cr_skip_test("needs root: the directory must be root's");
        cr_assert_eq(runtime_open(dir, &first, &err), 0, "%s", err.text);
        pid = fork();
        if (pid == 0) {
                struct runtime second = RUNTIME_NONE;

                _exit(runtime_open(dir, &second, &err) == -EBUSY && strstr(err.text, "pid ") ? 0
                                                                                             : 1);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
}

/* ---- what a worker is told ---- */

static const char *options_of(const struct nsm_extent *ids, const struct nsm_extent *storage,
                              size_t n, struct nsm_volume *volume, bool read_only,
                              struct nsm_error *err)
{
        static char text[512];
        cleanup_free char *options = NULL;
        struct nsm_tenant tenant = { .name = (char *)"acme" };

        for (size_t i = 0; i < n; i++) {
                cr_assert_eq(nsm_idmap_add(&tenant.uids, ids[i], NULL), 0);
                cr_assert_eq(nsm_idmap_add(&tenant.gids, ids[i], NULL), 0);
                cr_assert_eq(nsm_idmap_add(&volume->storage_uids, storage[i], NULL), 0);
                cr_assert_eq(nsm_idmap_add(&volume->storage_gids, storage[i], NULL), 0);
        }
        text[0] = '\0';
        if (view_format_options(&tenant, volume, read_only, &options, err) == 0)
                snprintf(text, sizeof text, "%s", options);
        nsm_idmap_clear(&tenant.uids);
        nsm_idmap_clear(&tenant.gids);
        nsm_idmap_clear(&volume->storage_uids);
        nsm_idmap_clear(&volume->storage_gids);
        return text;
}

Test(options, storage_to_host)
{
        const struct nsm_extent ids[] = { { 0, 100000, 1000 }, { 1000, 300000, 10 } };
        const struct nsm_extent storage[] = { { 0, 0, 1000 }, { 1000, 5000, 10 } };
        struct nsm_volume volume = { .exclusive = true, .max_inodes = NSM_INODES_MAX };

        cr_assert_str_eq(options_of(ids, storage, 2, &volume, false, NULL),
                         "uidmap=0:100000:1000,uidmap=5000:300000:10,"
                         "gidmap=0:100000:1000,gidmap=5000:300000:10,"
                         "coherence=exclusive,devices=deny");
}

Test(options, flags)
{
        const struct nsm_extent one[] = { { 0, 0, 1 } };
        struct nsm_volume volume = { .devices_allow = true, .max_inodes = 2000 };

        cr_assert_str_eq(options_of(one, one, 1, &volume, true, NULL),
                         "uidmap=0:0:1,gidmap=0:0:1,coherence=shared,devices=allow,ro,beside,"
                         "max-inodes=2000");
        volume.read_only = true;
        volume.max_inodes = NSM_INODES_MAX;
        cr_assert_str_eq(options_of(one, one, 1, &volume, true, NULL),
                         "uidmap=0:0:1,gidmap=0:0:1,coherence=shared,devices=allow,ro");
}

Test(options, maps_that_never_meet)
{
        const struct nsm_extent ids[] = { { 0, 100000, 10 } }, storage[] = { { 10, 10, 10 } };
        struct nsm_volume volume = { 0 };
        struct nsm_error err = { 0 };

        cr_assert_str_eq(options_of(ids, storage, 1, &volume, false, &err), "");
        cr_assert_eq(err.code, -EINVAL);
}
