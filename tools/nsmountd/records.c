/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"

#define SUFFIX ".json"
#define SUFFIX_PART ".part" /* a write that has not ended */
#define SUFFIX_BAD ".bad"
#define BOOT_KEY "boot"

static int read_boot_id(char *ret, size_t size)
{
        cleanup_file FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

        if (!f || !fgets(ret, (int)size, f))
                return -EIO;
        ret[strcspn(ret, "\n")] = '\0';
        return 0;
}

static int write_all(int fd, const char *text)
{
        size_t n = strlen(text);

        while (n > 0) {
                ssize_t w = write(fd, text, n);

                if (w < 0 && errno != EINTR)
                        return -errno;
                if (w > 0) {
                        text += w;
                        n -= (size_t)w;
                }
        }
        return 0;
}

static char *with_boot(const json_t *json, int *ret)
{
        char boot[64], *text;
        json_t *whole;

        *ret = read_boot_id(boot, sizeof boot);
        if (*ret < 0)
                return NULL;
        whole = json_copy((json_t *)json);
        json_object_set_new(whole, BOOT_KEY, json_string(boot));
        text = json_dumps(whole, JSON_COMPACT);
        json_decref(whole);
        *ret = text ? 0 : -ENOMEM;
        return text;
}

static int replace(int dir_fd, const char *name, const char *text)
{
        char part[NAME_MAX + 1], final[NAME_MAX + 1];
        cleanup_fd int fd = -1;
        int r;

        snprintf(part, sizeof part, "%s" SUFFIX_PART, name);
        snprintf(final, sizeof final, "%s" SUFFIX, name);
        fd = openat(dir_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        r = fd < 0 ? -errno : write_all(fd, text);
        if (r == 0 && renameat(dir_fd, part, dir_fd, final) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir_fd, part, 0);
        return r;
}

int records_write(int dir_fd, const char *name, const json_t *json, struct nsm_error *err)
{
        int r;
        cleanup_free char *text = with_boot(json, &r);

        if (text && strlen(text) >= RECORD_MAX)
                r = -EMSGSIZE;
        if (r == 0)
                r = replace(dir_fd, name, text);
        if (r < 0)
                return nsm_error_set(err, r, "cannot write the record %s in the runtime "
                                     "directory: %s", name, strerror(-r));
        return 0;
}

void records_remove(int dir_fd, const char *name)
{
        char final[NAME_MAX + 1];

        snprintf(final, sizeof final, "%s" SUFFIX, name);
        (void)unlinkat(dir_fd, final, 0);
}

static json_t *read_record(int dir_fd, const char *file)
{
        cleanup_free char *text = malloc(RECORD_MAX);
        cleanup_fd int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        size_t n = 0;
        json_t *json;

        if (!text || fd < 0)
                return NULL;
        for (;;) {
                ssize_t r = read(fd, text + n, RECORD_MAX - n);

                if (r < 0 || n + (size_t)r >= RECORD_MAX)
                        return NULL;
                if (r == 0)
                        break;
                n += (size_t)r;
        }
        json = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(json) && json_is_string(json_object_get(json, BOOT_KEY)))
                return json;
        json_decref(json);
        return NULL;
}

static void set_aside(int dir_fd, const char *file, void (*warn)(const char *text))
{
        char bad[NAME_MAX + 1], text[NAME_MAX + 128];

        if ((size_t)snprintf(bad, sizeof bad, "%s" SUFFIX_BAD, file) >= sizeof bad)
                return;
        (void)renameat(dir_fd, file, dir_fd, bad);
        snprintf(text, sizeof text, "the record %s cannot be read: set aside as %s", file, bad);
        warn(text);
}

static bool ends_with(const char *name, const char *suffix)
{
        size_t n = strlen(name), m = strlen(suffix);

        return n > m && strcmp(name + n - m, suffix) == 0;
}

static void load_one(int dir_fd, const char *file, const char *boot, json_t *all,
                     void (*warn)(const char *text))
{
        char name[NAME_MAX + 1];
        json_t *json;

        if (ends_with(file, SUFFIX_PART))
                (void)unlinkat(dir_fd, file, 0);
        if (!ends_with(file, SUFFIX))
                return;
        json = read_record(dir_fd, file);
        if (!json) {
                set_aside(dir_fd, file, warn);
                return;
        }
        if (strcmp(json_string_value(json_object_get(json, BOOT_KEY)), boot) != 0) {
                (void)unlinkat(dir_fd, file, 0);
                json_decref(json);
                return;
        }
        snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(SUFFIX)), file);
        json_object_set_new(all, name, json);
}

int records_load(int dir_fd, json_t **ret, void (*warn)(const char *text), struct nsm_error *err)
{
        char boot[64];
        cleanup_dir DIR *dir = NULL;
        cleanup_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = read_boot_id(boot, sizeof boot);
        json_t *all;

        if (fd >= 0)
                dir = fdopendir(fd);
        if (r < 0 || !dir)
                return nsm_error_set(err, -EIO, "cannot read the records: %s", strerror(errno));
        nsm_take_fd(&fd);
        all = json_object();
        for (struct dirent *e = readdir(dir); e; e = readdir(dir))
                load_one(dir_fd, e->d_name, boot, all, warn);
        *ret = all;
        return 0;
}
