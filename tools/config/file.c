/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"
#include "tools/config/config.h"

/* Whoever may write the configuration may have any directory of the host as a volume. */
static int check_owner(const struct stat *st, const char *path, struct nsm_error *err)
{
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return nsm_error_set(err, -EPERM,
                                     "%s: belongs to user %u, and is trusted as root: "
                                     "chown root it", path, st->st_uid);
        if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != 0))
                return nsm_error_set(err, -EPERM,
                                     "%s: others than root may write it (mode %04o), and it is "
                                     "trusted as root: chmod go-w it", path, st->st_mode & 07777);
        return 0;
}

int nsm_config_open_dir(const char *path, struct nsm_error *err)
{
        cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        if (fd < 0 || fstat(fd, &st) < 0)
                return nsm_error_set(err, -errno, "%s: cannot open the directory: %m", path);
        r = check_owner(&st, path, err);
        return r < 0 ? r : nsm_take_fd(&fd);
}

static int read_all(int fd, char *buf, size_t size, size_t *ret)
{
        size_t used = 0;

        while (used < size) {
                ssize_t n = read(fd, buf + used, size - used);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        *ret = used;
        return 0;
}

int nsm_config_read_file(int dir_fd, const char *name, const char *path, char **ret,
                         size_t *ret_size, struct nsm_error *err)
{
        /* O_NONBLOCK: a fifo must not hold us before we see what it is. */
        cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        cleanup_free char *buf = NULL;
        struct stat st;
        size_t size = 0;
        int r;

        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        if (fd < 0 || fstat(fd, &st) < 0)
                return nsm_error_set(err, -errno, "%s: cannot open it: %m", path);
        if (!S_ISREG(st.st_mode))
                return nsm_error_set(err, -EINVAL, "%s: is no regular file: remove it", path);
        r = check_owner(&st, path, err);
        if (r < 0)
                return r;
        buf = malloc(NSM_CONFIG_FILE_MAX + 2);
        if (!buf)
                return nsm_error_set(err, -ENOMEM, "%s: out of memory", path);
        r = read_all(fd, buf, NSM_CONFIG_FILE_MAX + 1, &size);
        if (r < 0)
                return nsm_error_set(err, r, "%s: cannot read it: %s", path, strerror(-r));
        if (size > NSM_CONFIG_FILE_MAX)
                return nsm_error_set(err, -EFBIG, "%s: is larger than %d bytes: split it", path,
                                     NSM_CONFIG_FILE_MAX);
        if (memchr(buf, '\0', size))
                return nsm_error_set(err, -EINVAL, "%s: holds a NUL byte: it is no text", path);
        buf[size] = '\0';
        *ret = nsm_take_ptr(buf);
        *ret_size = size;
        return 0;
}

void nsm_config_free_names(char **names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

static int is_conf(const char *name)
{
        size_t n = strlen(name);

        return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".conf") == 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

int nsm_config_list_dir(int dir_fd, char ***ret, size_t *ret_n)
{
        /* A description of its own: the caller's offset stays where it is. */
        cleanup_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        char **names = NULL;
        size_t n = 0;
        struct dirent *entry;

        if (!dir)
                return -errno;
        nsm_take_fd(&fd);
        while ((errno = 0, entry = readdir(dir))) {
                char **more;

                if (!is_conf(entry->d_name))
                        continue;
                more = reallocarray(names, n + 1, sizeof *names);
                names = more ? more : names;
                if (!more || !(names[n] = strdup(entry->d_name))) {
                        errno = ENOMEM;
                        break;
                }
                n++;
        }
        if (errno) {
                int r = -errno;
                nsm_config_free_names(names, n);
                return r;
        }
        if (n > 1)
                qsort(names, n, sizeof *names, compare_names);
        *ret = names;
        *ret_n = n;
        return 0;
}
