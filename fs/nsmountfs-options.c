/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"

const char nsm_options_usage[] =
        "Usage: nsmountfs [-f] SOURCE MOUNTPOINT -o idmap=STORAGE:HOST:COUNT[,OPTION...]\n"
        "\n"
        "Shows the directory SOURCE at MOUNTPOINT with shifted ids.\n"
        "\n"
        "  -f, --foreground            stay in the foreground\n"
        "  -o idmap=STORAGE:HOST:COUNT shift COUNT ids from STORAGE (on disk) to HOST, for users\n"
        "                              and groups; repeat for more extents\n"
        "  -o uidmap=..., gidmap=...   the same for users or groups alone\n"
        "  -o ro                       read-only\n"
        "  -o coherence=shared         others change SOURCE, too (default)\n"
        "  -o coherence=exclusive      nobody else does: caches live without end\n"
        "  -o devices=deny             device nodes cannot be opened (default)\n"
        "  -o devices=allow            they can\n"
        "  -o max-inodes=COUNT         how many inodes the kernel may hold of it\n"
        "  -o nosuid,noexec,noatime    and the like, as in mount(8)\n"
        "  -o remount,...              changes ro and those of a view that is mounted\n"
        "  --config DIR, --runtime-dir DIR\n"
        "                              taken as by nsmount and nsmountd, without effect here\n"
        "  -h, --help; -V, --version\n";

struct map_option {
        const char *name;
        bool uids, gids;
};

static const struct map_option map_options[] = {
        { "idmap", true, true },
        { "uidmap", true, false },
        { "gidmap", false, true },
};

static int add_extent(const struct map_option *option, const char *value, struct nsm_ids *ids,
                      struct nsm_error *err)
{
        uint32_t n[3];

        int r = nsm_parse_u32_list(value, ':', n, 3);
        if (r < 0)
                return nsm_error_set(err, r, "%s=%s is no id map: give STORAGE:HOST:COUNT in "
                                     "decimal numbers", option->name, value);
        struct nsm_extent extent = { .inside = n[0], .outside = n[1], .count = n[2] };
        if (option->uids)
                r = nsm_idmap_add(&ids->uids, extent, err);
        if (r == 0 && option->gids)
                r = nsm_idmap_add(&ids->gids, extent, err);
        if (r < 0)
                nsm_error_prefix(err, "%s=%s", option->name, value);
        return r;
}

/* Options with a fixed text. Those without an effect are there so that they are known. */
struct flag_option {
        const char *text;
        uint64_t attr_set, attr_clear;
};

static const struct flag_option flag_options[] = {
        { "nosuid", MOUNT_ATTR_NOSUID, 0 },  { "suid", 0, MOUNT_ATTR_NOSUID },
        { "noexec", MOUNT_ATTR_NOEXEC, 0 },  { "exec", 0, MOUNT_ATTR_NOEXEC },
        { "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "relatime", 0, MOUNT_ATTR__ATIME }, { "atime", 0, MOUNT_ATTR__ATIME },
        { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 }, { "diratime", 0, MOUNT_ATTR_NODIRATIME },
        { "lazytime", 0, 0 }, { "user_id=0", 0, 0 }, { "group_id=0", 0, 0 }, { "defaults", 0, 0 }, { "async", 0, 0 }, { "dev", 0, 0 }, { "nodev", 0, 0 },
        { "auto", 0, 0 }, { "noauto", 0, 0 }, { "nofail", 0, 0 }, { "_netdev", 0, 0 },
        { "nouser", 0, 0 }, { "owner", 0, 0 }, { "group", 0, 0 }, { "allow_other", 0, 0 },
        { "default_permissions", 0, 0 }, { "fsname=nsmountfs", 0, 0 },
};

static bool take_flag(const char *text, struct nsm_options *options)
{
        for (size_t i = 0; i < sizeof flag_options / sizeof *flag_options; i++) {
                if (strcmp(text, flag_options[i].text) == 0) {
                        options->mount_attr &= ~flag_options[i].attr_clear;
                        options->mount_attr |= flag_options[i].attr_set;
                        options->atime |= strstr(text, "atime") != NULL;
                        return true;
                }
        }
        return strncmp(text, "x-", 2) == 0 || strncmp(text, "X-", 2) == 0 ||
               strncmp(text, "comment=", 8) == 0 || strncmp(text, "fsname=", 7) == 0 ||
               strncmp(text, "subtype=", 8) == 0;
}

static bool take_view_option(const char *text, struct nsm_view_config *view)
{
        if (strcmp(text, "ro") == 0)
                view->read_only = true;
        else if (strcmp(text, "rw") == 0)
                view->read_only = false;
        else if (strcmp(text, "coherence=shared") == 0)
                view->coherence = NSM_COHERENCE_SHARED;
        else if (strcmp(text, "coherence=exclusive") == 0)
                view->coherence = NSM_COHERENCE_EXCLUSIVE;
        else if (strcmp(text, "beside") == 0)
                view->coherence = NSM_COHERENCE_BESIDE;
        else if (strcmp(text, "devices=deny") == 0)
                view->devices = false;
        else if (strcmp(text, "devices=allow") == 0)
                view->devices = true;
        else
                return false;
        return true;
}

static int take_inodes(const char *value, struct nsm_view_config *view, struct nsm_error *err)
{
        if (nsm_parse_u32(value, &view->inodes) < 0 || view->inodes < NSM_INODES_MIN ||
            view->inodes > NSM_INODES_MAX)
                return nsm_error_set(err, -EINVAL, "max-inodes=%s: give a number from %d to %d",
                                     value, NSM_INODES_MIN, NSM_INODES_MAX);
        return 0;
}

static int take_option(const char *text, struct nsm_options *options, struct nsm_error *err)
{
        const char *value = strchr(text, '=');

        for (size_t i = 0; value && i < sizeof map_options / sizeof *map_options; i++) {
                size_t len = strlen(map_options[i].name);
                if ((size_t)(value - text) == len && strncmp(text, map_options[i].name, len) == 0)
                        return add_extent(&map_options[i], value + 1, &options->view.ids, err);
        }
        if (strncmp(text, "max-inodes=", 11) == 0)
                return take_inodes(text + 11, &options->view, err);
        if (strcmp(text, "remount") == 0)
                options->remount = true;
        else if (*text && !take_view_option(text, &options->view) && !take_flag(text, options))
                return nsm_error_set(err, -EINVAL, "unknown option '%s': see nsmountfs --help",
                                     text);
        return 0;
}

/* The list after -o. */
static int take_list(const char *list, struct nsm_options *options, struct nsm_error *err)
{
        cleanup_free char *copy = list ? strdup(list) : NULL;
        char *rest = copy;
        int r = 0;

        if (!list)
                return nsm_error_set(err, -EINVAL, "-o needs a list of options");
        if (!copy)
                return nsm_error_set(err, -ENOMEM, "no memory for the options");
        for (char *text; r == 0 && (text = strsep(&rest, ","));)
                r = take_option(text, options, err);
        return r;
}

/*
 * What all three programs take, with its value beside it or after '='. Neither
 * means anything to a view: the number of arguments that it takes, or 0.
 */
static int common_arguments(const char *arg, const char *next)
{
        static const char *const names[] = { "--config", "--runtime-dir" };

        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                size_t len = strlen(names[i]);
                if (strncmp(arg, names[i], len) != 0)
                        continue;
                if (arg[len] == '=')
                        return 1;
                if (!arg[len] && next)
                        return 2;
        }
        return 0;
}

static bool is_switch(const char *arg, const char *brief, const char *full)
{
        return strcmp(arg, brief) == 0 || strcmp(arg, full) == 0;
}

static int take_argument(const char *arg, struct nsm_options *options, struct nsm_error *err)
{
        if (is_switch(arg, "-f", "--foreground"))
                options->foreground = true;
        else if (is_switch(arg, "-h", "--help"))
                options->help = true;
        else if (is_switch(arg, "-V", "--version"))
                options->version = true;
        else if (strcmp(arg, "--worker") == 0)
                options->worker = true;
        else if (strcmp(arg, "--watch") == 0)
                options->watch = true;
        else if (strcmp(arg, "-n") == 0 || strcmp(arg, "-s") == 0 || strcmp(arg, "-v") == 0)
                return 0; /* mount(8) passes these on */
        else if (arg[0] == '-' && arg[1])
                return nsm_error_set(err, -EINVAL, "unknown switch '%s': see nsmountfs --help",
                                     arg);
        else if (!options->source)
                options->source = arg;
        else if (!options->mountpoint)
                options->mountpoint = arg;
        else
                return nsm_error_set(err, -EINVAL, "one argument too many: '%s'", arg);
        return 0;
}

static int check(const struct nsm_options *options, struct nsm_error *err)
{
        if (options->help || options->version || options->watch)
                return 0;
        if (options->worker && options->source)
                return nsm_error_set(err, -EINVAL, "a worker is given descriptors, not '%s'",
                                     options->source);
        if (!options->worker && !options->mountpoint)
                return nsm_error_set(err, -EINVAL, "give SOURCE and MOUNTPOINT: see "
                                     "nsmountfs --help");
        if (options->remount)
                return 0;
        if (!options->view.ids.uids.n || !options->view.ids.gids.n)
                return nsm_error_set(err, -EINVAL, "no map of %s ids: give -o "
                                     "idmap=STORAGE:HOST:COUNT",
                                     options->view.ids.uids.n ? "group" : "user");
        if (options->view.coherence == NSM_COHERENCE_BESIDE && !options->view.read_only)
                return nsm_error_set(err, -EINVAL, "a view beside another is read-only: add ro");
        return 0;
}

int nsm_options_parse(int argc, char **argv, struct nsm_options *ret, struct nsm_error *err)
{
        struct nsm_options options = { 0 };
        bool only_operands = false;
        int r = 0;

        for (int i = 1, n; r == 0 && i < argc; i++) {
                if (only_operands || argv[i][0] != '-' || !argv[i][1])
                        r = take_argument(argv[i], &options, err);
                else if (strcmp(argv[i], "--") == 0)
                        only_operands = true;
                else if (strcmp(argv[i], "-o") == 0)
                        r = take_list(i + 1 < argc ? argv[++i] : NULL, &options, err);
                else if (strncmp(argv[i], "-o", 2) == 0)
                        r = take_list(argv[i] + 2, &options, err);
                else if ((n = common_arguments(argv[i], i + 1 < argc ? argv[i + 1] : NULL)))
                        i += n - 1;
                else
                        r = take_argument(argv[i], &options, err);
        }
        if (r == 0)
                r = check(&options, err);
        if (r < 0) {
                nsm_options_clear(&options);
                return r;
        }
        if (!options.view.devices)
                options.mount_attr |= MOUNT_ATTR_NODEV;
        if (options.view.read_only)
                options.mount_attr |= MOUNT_ATTR_RDONLY;
        *ret = options;
        return 0;
}

void nsm_options_clear(struct nsm_options *options)
{
        nsm_ids_clear(&options->view.ids);
}
