/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "tools/config/file.h"
#include "tools/config/load.h"

#define LOCK_NAME ".lock"
/* Under the lock one is enough; what a crash leaves behind, the next change overwrites. */
#define NEW_NAME ".new"

static int open_tenants(const char *dir, struct nsm_error *err)
{
        cleanup_free char *path = NULL;
        int fd;

        if (asprintf(&path, "%s/tenants.d", dir) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        fd = nsm_config_open_dir(path, err);
        return fd == -ENOENT ? nsm_error_set(err, fd, "%s: there is no such directory", path) : fd;
}

static int make_dirs(const char *dir, struct nsm_error *err)
{
        cleanup_free char *path = NULL;

        if (asprintf(&path, "%s/tenants.d", dir) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
                if (errno != ENOENT)
                        return nsm_error_set(err, -errno,
                                             "%s: cannot make the configuration directory: %m%s",
                                             dir, errno == EACCES ? ": run this as root" : "");
                return nsm_error_set(err, -ENOENT,
                                     "%s: there is no such directory, and none above to make it "
                                     "in: mkdir -p it, or name another with --config", dir);
        }
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return nsm_error_set(err, -errno, "%s: cannot make the directory: %m%s", path,
                                     errno == EACCES ? ": run this as root" : "");
        return 0;
}

int nsm_config_lock(const char *dir, struct nsm_error *err)
{
        cleanup_fd int dir_fd = -1, fd = -1;
        int r = make_dirs(dir, err);

        if (r < 0)
                return r;
        dir_fd = nsm_config_open_dir(dir, err);
        if (dir_fd < 0)
                return dir_fd;
        fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return nsm_error_set(err, -errno, "%s/" LOCK_NAME ": cannot open it: %m%s", dir,
                                     errno == EACCES ? ": run this as root" : "");
        while (flock(fd, LOCK_EX) < 0) {
                if (errno != EINTR)
                        return nsm_error_set(err, -errno, "%s/" LOCK_NAME ": cannot lock it: %m",
                                             dir);
        }
        return nsm_take_fd(&fd);
}

int nsm_config_read_tenant(const char *dir, const char *name, char **ret, struct nsm_error *err)
{
        cleanup_fd int fd = open_tenants(dir, err);
        cleanup_free char *path = NULL;
        size_t size;

        if (fd < 0)
                return fd;
        if (asprintf(&path, "%s/tenants.d/%s.conf", dir, name) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        return nsm_config_read_file(fd, strrchr(path, '/') + 1, path, ret, &size, err);
}

static int write_all(int fd, const char *p, size_t n)
{
        while (n > 0) {
                ssize_t done = write(fd, p, n);

                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return -errno;
                p += done;
                n -= (size_t)done;
        }
        return 0;
}

/* Puts @text where @name is, on disk before the name leads to it. */
static int replace_file(int dir_fd, const char *name, const char *text)
{
        cleanup_fd int fd = -1;
        struct stat st;
        int r;

        if (unlinkat(dir_fd, NEW_NAME, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            fchmod(fd, st.st_mode & 0777) < 0)
                return -errno;
        r = write_all(fd, text, strlen(text));
        if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, NEW_NAME, dir_fd, name) < 0))
                r = -errno;
        if (r < 0)
                unlinkat(dir_fd, NEW_NAME, 0);
        return r;
}

static int check_change(const char *dir, const char *name, const char *text, struct nsm_error *err)
{
        struct nsm_config_change change = { name, text, text ? strlen(text) : 0 };
        cleanup_config struct nsm_config *config = NULL;
        int r = nsm_config_load_changed(dir, &change, &config, err);

        if (r < 0 || !text)
                return r;
        return nsm_config_check_tenant_sources(config, name, err);
}

int nsm_config_write_tenant(const char *dir, const char *name, const char *text,
                            struct nsm_error *err)
{
        cleanup_fd int fd = -1;
        char file[NSM_NAME_MAX + sizeof ".conf"];
        int r = check_change(dir, name, text, err);

        if (r < 0)
                return r;
        fd = open_tenants(dir, err);
        if (fd < 0)
                return fd;
        snprintf(file, sizeof file, "%s.conf", name);
        if (text)
                r = replace_file(fd, file, text);
        else if (unlinkat(fd, file, 0) < 0)
                r = -errno;
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                return nsm_error_set(err, r, "%s/tenants.d/%s: cannot write it: %s", dir, file,
                                     strerror(-r));
        return 0;
}

/* The end of an extent of @map that overlaps [first, first + count), or 0. */
static uint64_t find_end(const struct nsm_idmap *map, uint64_t first, uint64_t count)
{
        for (size_t i = 0; i < map->n; i++) {
                uint64_t begin = map->by_outside[i].outside, end = begin + map->by_outside[i].count;

                if (begin < first + count && first < end)
                        return end;
        }
        return 0;
}

int nsm_config_find_free_ids(const struct nsm_config *config, uint32_t count, uint32_t *ret_first,
                             struct nsm_error *err)
{
        uint64_t first = config->pool_first, end = first + config->pool_count;
        bool moved = true;

        if (config->pool_count == 0)
                return nsm_error_set(err, -ENOENT,
                                     "no pool of ids is configured: write [ids] pool = HOST:COUNT "
                                     "into %s/nsmount.conf, or give --ids HOST:COUNT", config->dir);
        /* Each round jumps behind somebody's extent, until one round meets none. */
        while (moved && first + count <= end) {
                moved = false;
                for (size_t i = 0; i < config->n_tenants; i++) {
                        uint64_t u = find_end(&config->tenants[i].uids, first, count);
                        uint64_t g = find_end(&config->tenants[i].gids, first, count);

                        if (u || g) {
                                first = u > g ? u : g;
                                moved = true;
                        }
                }
        }
        if (first + count > end)
                return nsm_error_set(err, -ENOSPC,
                                     "the pool %" PRIu32 ":%" PRIu32 " has no %" PRIu32
                                     " ids in a row left: enlarge it in %s/nsmount.conf",
                                     config->pool_first, config->pool_count, count, config->dir);
        *ret_first = (uint32_t)first;
        return 0;
}
