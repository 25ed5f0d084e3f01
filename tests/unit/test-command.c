/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command's tables, what is parsed by them, what is said about them, and the tree. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "tools/nsmount/help.h"
#include "tools/nsmount/options.h"
#include "tools/nsmount/output.h"
#include "tools/nsmount/tree.h"

static char *read_source(const char *path)
{
        char name[512];
        cleanup_file FILE *f = NULL;
        char *text = calloc(1, 65536);

        cr_assert(getenv("NSM_SOURCE_DIR"), "meson test sets NSM_SOURCE_DIR");
        snprintf(name, sizeof name, "%s/%s", getenv("NSM_SOURCE_DIR"), path);
        f = fopen(name, "re");
        cr_assert(f, "%s: %m", name);
        cr_assert(fread(text, 1, 65535, f) > 0);
        return text;
}

static char *print_help(const struct nsm_command *command)
{
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        nsm_help_print(out, command);
        fclose(out);
        return text;
}

/* The part of the manual page about one subcommand: from a heading that names it to the next. */
static char *find_section(const char *page, const char *command)
{
        char name[64];
        const char *p = page, *end;

        snprintf(name, sizeof name, "NSMOUNT %s", command);
        for (char *c = name; *c; c++)
                *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        while ((p = strstr(p, "\n# "))) {
                size_t n = strcspn(p + 1, "\n");
                const char *hit = memmem(p + 1, n, name, strlen(name));

                if (hit && (hit[strlen(name)] == '\n' || hit[strlen(name)] == ','))
                        break;
                p++;
        }
        cr_assert(p, "nsmount(1) has no section '%s'", name);
        end = strstr(p + 1, "\n# ");
        return strndup(p, end ? (size_t)(end - p) : strlen(p));
}

/* `tenant set` takes what `tenant add` takes, and its section says so. */
static void check_options(const char *where, const char *text, const char *instead,
                          const struct nsm_option *options, bool page)
{
        for (; options && options->name; options++) {
                char word[64];

                snprintf(word, sizeof word, "%s--%s%s", page ? "*" : "  ", options->name,
                         page ? "*" : "");
                cr_expect(strstr(text, word) || (instead && strstr(instead, word)),
                          "%s says nothing of %s", where, word);
        }
}

Test(tables, no_option_is_undocumented)
{
        cleanup_free char *page = read_source("tools/man/nsmount.1.scd");
        cleanup_free char *add = find_section(page, "tenant add");

        for (const struct nsm_command *const *p = nsm_commands; *p; p++) {
                const struct nsm_command *c = *p;
                cleanup_free char *section = find_section(page, c->name);
                cleanup_free char *help = print_help(c);
                bool set = strcmp(c->name, "tenant set") == 0;
                char line[64];

                check_options(c->name, help, NULL, c->options, false);
                check_options(c->name, help, NULL, nsm_global_options, false);
                check_options("nsmount(1)", section, set ? add : NULL, c->options, true);
                check_options("nsmount(1)", page, NULL, nsm_global_options, true);
                snprintf(line, sizeof line, "\nnsmount %s", c->name);
                cr_expect(strstr(section, "```\n") && strstr(section, line), "%s has no example",
                          c->name);
                cr_expect(strncmp(c->example, "nsmount ", 8) == 0 &&
                          strncmp(c->example + 8, c->name, strlen(c->name)) == 0);
                cr_expect(c->help && c->usage && c->run);
        }
}

Test(tables, nothing_documented_is_unknown)
{
        cleanup_free char *page = read_source("tools/man/nsmount.1.scd");

        for (const char *p = page; (p = strstr(p, "*--")); ) {
                const char *name = p + 3;
                size_t n = strcspn(name, "*");
                bool known = n == 0;

                for (const struct nsm_option *o = nsm_global_options; o->name; o++)
                        known |= strlen(o->name) == n && strncmp(o->name, name, n) == 0;
                for (const struct nsm_command *const *c = nsm_commands; *c; c++) {
                        for (const struct nsm_option *o = (*c)->options; o && o->name; o++)
                                known |= strlen(o->name) == n && strncmp(o->name, name, n) == 0;
                }
                cr_expect(known || strncmp(name, "rootfs", 6) == 0, "no such option: --%.*s",
                          (int)n, name);
                p = name + n;
        }
}

Test(tables, every_key_of_the_configuration_is_in_its_page)
{
        static const char *const keys[] = { "pool", "idle-close", "ids", "uid-map", "gid-map",
                                            "shared-source", "source", "access", "storage-ids",
                                            "storage-uids", "storage-gids", "coherence", "devices",
                                            "suid", "max-inodes" };
        cleanup_free char *page = read_source("tools/man/nsmount.conf.5.scd");

        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
                char line[64];

                snprintf(line, sizeof line, "\n*%s* = ", keys[i]);
                cr_expect(strstr(page, line), "nsmount.conf(5) says nothing of %s", keys[i]);
        }
}

#define WORDS_MAX 12

/* Parses @words, split at blanks. */
static int parse(const char *words, struct nsm_command_line *line, struct nsm_error *err)
{
        static char copy[256];
        char *argv[WORDS_MAX + 1] = { 0 };
        int argc = 0;

        snprintf(copy, sizeof copy, "nsmount %s", words);
        for (char *p = strtok(copy, " "); p && argc < WORDS_MAX; p = strtok(NULL, " "))
                argv[argc++] = p;
        *line = (struct nsm_command_line){ 0 };
        *err = (struct nsm_error){ 0 };
        return nsm_command_line_parse(argc, argv, line, err);
}

Test(options, stand_anywhere)
{
        static const char *const same[] = {
                "--config /c attach acme --pid 5 --at /x",
                "attach --pid 5 acme --at /x --config /c",
                "attach --pid=5 --at=/x --config=/c acme",
                "--config=/c attach --at /x --pid 5 -- acme",
        };

        for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
                struct nsm_command_line line;
                struct nsm_error err;

                cr_assert_eq(parse(same[i], &line, &err), 0, "%s: %s", same[i], err.text);
                cr_expect_eq(line.invocation.command, &nsm_command_attach);
                cr_expect_str_eq(line.invocation.config_dir, "/c");
                cr_expect_str_eq(line.invocation.runtime_dir, "/run/nsmount");
                cr_expect_eq(line.invocation.n_args, 1);
                cr_expect_str_eq(line.invocation.args[0], "acme");
                cr_expect_str_eq(nsm_invocation_value(&line.invocation, "pid"), "5");
                cr_expect_str_eq(nsm_invocation_value(&line.invocation, "at"), "/x");
                cr_expect_not(nsm_invocation_has(&line.invocation, "read-only"));
                nsm_command_line_clear(&line);
        }
}

Test(options, wrong_usage_is_named)
{
        static const struct {
                const char *words, *says;
        } wrong[] = {
                { "", "no subcommand: see nsmount help" },
                { "frobnicate", "frobnicate: unknown subcommand: see nsmount help" },
                { "umount", "umount: unknown subcommand: did you mean unmount?" },
                { "add x", "add: unknown subcommand: did you mean tenant add?" },
                { "tenants", "tenants: unknown subcommand: did you mean tenant?" },
                { "tenant", "tenant: which? add, set, rm, show or list" },
                { "tenant frob", "frob: unknown subcommand: see nsmount help" },
                { "tenant remove", "remove: unknown subcommand: see nsmount help" },
                { "tenant sett x", "sett: unknown subcommand: did you mean tenant set?" },
                { "--frob list", "--frob: unknown option" },
                { "list --frob", "--frob: unknown option" },
                { "list -x", "-x: unknown option" },
                { "list --json=yes", "--json=yes: this option takes no value" },
                { "attach acme --pid", "--pid wants a value" },
                { "attach acme --pid --at /mnt", "--pid wants a value, and not the option --at" },
                { "attach --pid 5", "attach: TENANT is missing" },
                { "attach a b --pid 5", "attach: 'b' is one word too many" },
                { "attach a --pid 5 --pid 6", "--pid is given twice" },
                { "list --kill", "--kill: unknown option" },
                { "help frob", "frob: unknown subcommand: see nsmount help" },
                { "mount acme", "mount: DIR is missing" },
                { "detach", "detach: GRAFT or TENANT is missing" },
                { "tenant add", "tenant add: NAME is missing" },
        };

        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                struct nsm_command_line line;
                struct nsm_error err;

                cr_expect_eq(parse(wrong[i].words, &line, &err), NSM_CODE_USAGE, "%s",
                             wrong[i].words);
                cr_expect_str_eq(err.text, wrong[i].says);
                nsm_command_line_clear(&line);
        }
}

Test(options, help_and_version_are_had_in_every_way)
{
        static const struct {
                const char *words;
                enum nsm_wish wish;
                const struct nsm_command *command;
        } ways[] = {
                { "--help", NSM_WISH_HELP, NULL },
                { "-h", NSM_WISH_HELP, NULL },
                { "help", NSM_WISH_HELP, NULL },
                { "help tenant", NSM_WISH_HELP, NULL },
                { "tenant --help", NSM_WISH_HELP, NULL },
                { "tenant -h", NSM_WISH_HELP, NULL },
                { "help attach", NSM_WISH_HELP, &nsm_command_attach },
                { "attach --help", NSM_WISH_HELP, &nsm_command_attach },
                { "attach acme -h", NSM_WISH_HELP, &nsm_command_attach },
                { "help tenant add", NSM_WISH_HELP, &nsm_command_tenant_add },
                { "tenant add --help", NSM_WISH_HELP, &nsm_command_tenant_add },
                { "--version", NSM_WISH_VERSION, NULL },
                { "version", NSM_WISH_VERSION, NULL },
                { "-V", NSM_WISH_VERSION, NULL },
        };

        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
                struct nsm_command_line line;
                struct nsm_error err;

                cr_expect_eq(parse(ways[i].words, &line, &err), 0, "%s: %s", ways[i].words,
                             err.text);
                cr_expect_eq(line.wish, ways[i].wish, "%s", ways[i].words);
                cr_expect_eq(line.invocation.command, ways[i].command, "%s", ways[i].words);
                cr_expect_eq(line.group != NULL,
                             !ways[i].command && strstr(ways[i].words, "tenant"), "%s",
                             ways[i].words);
                nsm_command_line_clear(&line);
        }
}

static const char list_text[] =
        "{'tenants': [{'name': 'acme', 'uids': [{'inside': 0, 'outside': 100000, 'count': 65536}],"
        " 'gids': [{'inside': 0, 'outside': 100000, 'count': 65536}]},"
        " {'name': 'beta', 'uids': [{'inside': 0, 'outside': 5, 'count': 1}],"
        " 'gids': [{'inside': 0, 'outside': 6, 'count': 1},"
        " {'inside': 1, 'outside': 9, 'count': 2}]}],"
        " 'views': [{'name': 'acme/root', 'tenant': 'acme', 'volume': 'root', 'readOnly': false,"
        " 'pid': 71, 'state': 'serving', 'engine': 'fuse', 'transport': '/dev/fuse',"
        " 'passthrough': false, 'unopenedDirectories': false, 'nearCallers': false,"
        " 'quota': 'unlimited', 'device': '0:61', 'requests': 1,"
        " 'errors': 0, 'descriptors': 9, 'inodes': 120, 'tableBytes': 30720,"
        " 'changes': 'events', 'changesHeard': 7},"
        " {'name': 'gone/root', 'tenant': 'gone', 'volume': 'root', 'readOnly': true,"
        " 'pid': 72, 'state': 'dead', 'engine': 'fuse', 'transport': '/dev/fuse',"
        " 'passthrough': true, 'unopenedDirectories': true, 'nearCallers': true,"
        " 'quota': 'unlimited', 'device': '0:62', 'requests': 12,"
        " 'errors': 3, 'descriptors': 0, 'inodes': 0, 'tableBytes': 0,"
        " 'changes': 'none', 'changesHeard': 0}],"
        " 'grafts': [{'name': 'g1', 'view': 'acme/root', 'tenant': 'acme', 'volume': 'root',"
        " 'readOnly': false, 'kind': 'container', 'pid': 4711, 'mountNamespace': 4026532200,"
        " 'path': '/'}, {'name': 'g2', 'view': 'acme/root', 'tenant': 'acme', 'volume': 'root',"
        " 'readOnly': false, 'kind': 'host', 'pid': 0, 'mountNamespace': 1,"
        " 'path': '/run/b/root'}],"
        " 'containers': [{'mountNamespace': 4026532200, 'tenant': 'acme',"
        " 'pids': [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],"
        " 'grafts': ['g1']}]}";

static const char tree_ascii[] =
        "acme  ids 0..65535 -> 100000..165535\n"
        "|- view acme/root  rw  serving   pid 71  dev 0:61\n"
        "|  |  fuse over /dev/fuse, no passthrough, quota unlimited, "
        "changes by others: events\n"
        "|  |  1 request, 0 errors, 9 descriptors, 120 inodes in 30.0 KiB\n"
        "|  |- g1 at / of mnt:[4026532200], pid 4711\n"
        "|  `- g2 at /run/b/root of the host\n"
        "`- container mnt:[4026532200]  pids 1 2 3 4 5 6 7 8 and 2 more  grafts g1\n"
        "beta  ids 0 -> 5; groups 0 -> 6, 1..2 -> 9..10\n"
        "gone  no longer configured\n"
        "`- view gone/root  ro  dead      pid 72  dev 0:62\n"
        "      fuse over /dev/fuse, passthrough, unopened directories, near callers, "
        "quota unlimited, changes by others: none\n"
        "      12 requests, 3 errors, 0 descriptors, 0 inodes in 0 B\n";

Test(tree, is_drawn)
{
        cleanup_free char *json = strdup(list_text), *ascii = NULL, *utf8 = NULL;
        cleanup_json json_t *list = NULL;
        size_t size;
        FILE *out;

        for (char *p = json; (p = strchr(p, '\''));)
                *p = '"';
        list = json_loads(json, 0, NULL);
        cr_assert(list);
        out = open_memstream(&ascii, &size);
        nsm_tree_print(out, list, false);
        fclose(out);
        cr_expect_str_eq(ascii, tree_ascii);
        out = open_memstream(&utf8, &size);
        nsm_tree_print(out, list, true);
        fclose(out);
        cr_expect(strstr(utf8, "│  ├─ g1 at /"), "%s", utf8);
        cr_expect(strstr(utf8, "0..65535 → 100000..165535"), "%s", utf8);
}
