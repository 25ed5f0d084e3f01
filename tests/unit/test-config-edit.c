/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Editing a file's text, choosing free ids, and the line reader below both. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "tools/config/edit.h"
#include "tools/config/ini.h"
#include "tools/config/write.h"

static void expect_set(const char *before, const char *section, const char *key,
                       const char *const *values, size_t n, const char *after)
{
        cleanup_free char *text = strdup(before);
        struct nsm_error err = { 0 };

        cr_expect_eq(nsm_edit_set(&text, section, key, values, n, &err), 0, "%s", err.text);
        cr_expect_str_eq(text, after);
}

#define FILE_TEXT "# top\n[a]\nx = 1\n# in between\ny = 2\n\n# about b\n[b]\nx = 9\n"

Test(edit, replaces_where_the_line_stood)
{
        const char *one[] = { "7" }, *two[] = { "7", "8" };

        expect_set(FILE_TEXT, "a", "x", one, 1,
                   "# top\n[a]\nx = 7\n# in between\ny = 2\n\n# about b\n[b]\nx = 9\n");
        expect_set(FILE_TEXT, "b", "x", two, 2,
                   "# top\n[a]\nx = 1\n# in between\ny = 2\n\n# about b\n[b]\nx = 7\nx = 8\n");
        expect_set("[a]\nx = 1\nz = 0\nx = 2\n", "a", "x", one, 1, "[a]\nx = 7\nz = 0\n");
}

Test(edit, adds_at_the_end_of_its_section)
{
        const char *one[] = { "7" };

        expect_set(FILE_TEXT, "a", "z", one, 1,
                   "# top\n[a]\nx = 1\n# in between\ny = 2\nz = 7\n\n# about b\n[b]\nx = 9\n");
        expect_set("[a]\n", "a", "z", one, 1, "[a]\nz = 7\n");
        expect_set("[a]\nx = 1", "a", "z", one, 1, "[a]\nx = 1\nz = 7\n");
        expect_set("[a]", "b", "z", one, 1, "[a]\n\n[b]\nz = 7\n");
        expect_set("", "b", "z", one, 1, "[b]\nz = 7\n");
}

Test(edit, removes)
{
        cleanup_free char *text = strdup(FILE_TEXT);
        struct nsm_error err = { 0 };

        expect_set(FILE_TEXT, "a", "x", NULL, 0,
                   "# top\n[a]\n# in between\ny = 2\n\n# about b\n[b]\nx = 9\n");
        expect_set(FILE_TEXT, "c", "x", NULL, 0, FILE_TEXT);
        cr_expect_eq(nsm_edit_remove_section(&text, "a", &err), 0);
        cr_expect_str_eq(text, "# top\n[b]\nx = 9\n");
        cr_expect_eq(nsm_edit_remove_section(&text, "a", &err), -ENOENT);
        cr_expect_str_eq(err.text, "there is no [a]");
}

Test(edit, refuses_what_a_line_cannot_hold)
{
        static const char *const bad[] = { "a\nids = 0:1", "", " a", "a ", "a\tb", "a\r", "\x7f" };
        cleanup_free char *text = strdup(FILE_TEXT);

        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct nsm_error err = { 0 };

                cr_expect_eq(nsm_edit_set(&text, "a", "x", &bad[i], 1, &err), -EINVAL, "%zu", i);
                cr_expect_str_eq(text, FILE_TEXT);
                cr_expect_null(strchr(err.text, '\n'));
        }
}

Test(ini, reads_any_bytes_without_harm)
{
        static const char alphabet[] = "[]=#; \t\r\nab\x01\xff";
        struct nsm_ini_line line;
        unsigned seed = 1;
        char text[64];

        for (unsigned round = 0; round < 20000; round++) {
                struct nsm_ini_scanner s = { .text = text, .size = round % sizeof text };
                unsigned lines = 0;

                for (size_t i = 0; i < s.size; i++) {
                        seed = seed * 1103515245 + 12345;
                        text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
                }
                while (nsm_ini_next(&s, &line, NULL) > 0) {
                        cr_assert(line.begin < line.end && line.end <= s.size);
                        cr_assert(++lines == s.line && lines <= s.size);
                }
        }
}

Test(ini, lines_too_long_are_errors)
{
        static char text[3 * PATH_MAX];
        struct nsm_ini_scanner s = { .text = text, .size = sizeof text };
        struct nsm_error err = { 0 };
        struct nsm_ini_line line;

        memset(text, 'v', sizeof text);
        text[3] = '=';
        cr_expect_eq(nsm_ini_next(&s, &line, &err), -EINVAL);
        cr_expect(strstr(err.text, "the value of 12284 bytes is too long: 4223 at most"), "%s",
                  err.text);
}

/* A configuration whose tenants have these host ids, for users and for groups. */
static struct nsm_config *make_config(const struct nsm_extent *uids, const struct nsm_extent *gids,
                                      size_t n)
{
        struct nsm_config *config = calloc(1, sizeof *config);

        config->dir = strdup("/etc/x");
        config->tenants = calloc(n, sizeof *config->tenants);
        for (; config->n_tenants < n; config->n_tenants++) {
                struct nsm_tenant *t = &config->tenants[config->n_tenants];

                nsm_idmap_add(&t->uids, uids[config->n_tenants], NULL);
                nsm_idmap_add(&t->gids, gids[config->n_tenants], NULL);
        }
        return config;
}

Test(free_ids, are_the_first_that_no_tenant_has)
{
        const struct nsm_extent uids[] = { { 0, 1000, 100 }, { 0, 1150, 50 }, { 0, 1300, 1 } };
        const struct nsm_extent gids[] = { { 0, 1000, 100 }, { 0, 1100, 10 }, { 0, 1300, 1 } };
        cleanup_config struct nsm_config *config = make_config(uids, gids, 3);
        struct nsm_error err = { 0 };
        uint32_t first = 0;

        cr_expect_eq(nsm_config_find_free_ids(config, 10, &first, &err), -ENOENT);
        cr_expect(strstr(err.text, "[ids] pool = HOST:COUNT into /etc/x/nsmount.conf"), "%s",
                  err.text);
        config->pool_first = 1000;
        config->pool_count = 400;
        cr_expect_eq(nsm_config_find_free_ids(config, 40, &first, NULL), 0);
        cr_expect_eq(first, 1110, "neither users nor groups: %u", first);
        cr_expect_eq(nsm_config_find_free_ids(config, 100, &first, NULL), 0);
        cr_expect_eq(first, 1200, "%u", first);
        nsm_error_reset(&err);
        cr_expect_eq(nsm_config_find_free_ids(config, 101, &first, &err), -ENOSPC);
        cr_expect(strstr(err.text, "1000:400 has no 101 ids in a row left: enlarge it"), "%s",
                  err.text);
        config->pool_first = UINT32_MAX - 10;
        config->pool_count = 10;
        cr_expect_eq(nsm_config_find_free_ids(config, 10, &first, NULL), 0);
        cr_expect_eq(first, UINT32_MAX - 10);
        cr_expect_eq(nsm_config_find_free_ids(config, UINT32_MAX, &first, NULL), -ENOSPC);
}
