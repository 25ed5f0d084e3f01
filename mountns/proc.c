/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"

int nsm_proc_open(struct nsm_error *err)
{
        cleanup_fd int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct statfs fs;
        char self[24];
        pid_t pid;

        if (proc < 0)
                return nsm_error_set(err, -errno, "cannot open /proc: %s", strerror(errno));
        if (fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC ||
            nsm_proc_link(proc, "self", self, sizeof self) < 0 ||
            nsm_parse_pid(self, &pid) < 0 || pid != getpid())
                return nsm_error_set(err, -ENOSYS,
                                     "/proc is not the proc filesystem of this pid namespace: "
                                     "mount it there");
        return nsm_take_fd(&proc);
}

int nsm_proc_read(int proc, const char *path, char *buffer, size_t size)
{
        cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        size_t used = 0;

        if (fd < 0)
                return -errno;
        while (used + 1 < size) {
                ssize_t n = read(fd, buffer + used, size - 1 - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        buffer[used] = '\0';
        return (int)used;
}

static int by_number(const void *a, const void *b)
{
        int x = *(const int *)a, y = *(const int *)b;

        return (x > y) - (x < y);
}

int nsm_proc_list(int proc, const char *path, int **ret)
{
        cleanup_fd int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cleanup_dir DIR *dir = NULL;
        cleanup_free int *list = NULL;
        size_t n = 0, room = 0;
        struct dirent *entry;

        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir)
                return -errno;
        nsm_take_fd(&fd);
        while (errno = 0, (entry = readdir(dir))) {
                uint32_t number;

                if (nsm_parse_u32(entry->d_name, &number) < 0)
                        continue;
                if (n == room) {
                        int *more = realloc(list, (room = room ? 2 * room : 256) * sizeof *list);

                        if (!more)
                                return -ENOMEM;
                        list = more;
                }
                list[n++] = (int)number;
        }
        if (errno)
                return -errno;
        if (n)
                qsort(list, n, sizeof *list, by_number);
        *ret = nsm_take_ptr(list);
        return (int)n;
}

int nsm_proc_link(int proc, const char *path, char *buffer, size_t size)
{
        ssize_t n = readlinkat(proc, path, buffer, size - 1);

        if (n < 0)
                return -errno;
        buffer[n] = '\0';
        return (int)n;
}

int nsm_proc_namespace(int proc, const char *task, const char *name, uint64_t *ret)
{
        char path[80], text[48], *number, *end;
        unsigned long long inode;
        int r;

        snprintf(path, sizeof path, "%s/ns/%s", task, name);
        r = nsm_proc_link(proc, path, text, sizeof text); /* as "mnt:[4026531841]" */
        if (r < 0)
                return r;
        number = strstr(text, ":[");
        if (!number)
                return -EBADMSG;
        inode = strtoull(number + 2, &end, 10);
        if (*end != ']')
                return -EBADMSG;
        *ret = inode;
        return 0;
}

int nsm_proc_namespace_of(int proc, pid_t pid, const char *name, uint64_t *ret)
{
        cleanup_free int *tids = NULL;
        char task[40];
        int n, r;

        snprintf(task, sizeof task, "%d", pid);
        r = nsm_proc_namespace(proc, task, name, ret);
        if (r == 0)
                return 0;
        snprintf(task, sizeof task, "%d/task", pid);
        n = nsm_proc_list(proc, task, &tids);
        for (int i = 0; i < n && r < 0; i++) {
                snprintf(task, sizeof task, "%d/task/%d", pid, tids[i]);
                r = nsm_proc_namespace(proc, task, name, ret);
        }
        return r;
}

int nsm_proc_mount_id(int proc, const char *link, uint64_t *ret)
{
        cleanup_fd int fd = -1;
        char path[48], text[NSM_PROC_TEXT_MAX];
        const char *line;
        unsigned long long id;
        int r;

        /* Does not ask the server of a FUSE filesystem; one without allow_other says EACCES. */
        r = nsm_sys_mount_id(proc, link, 0, ret);
        if (r == 0 || r == -ENOENT || r == -ESRCH)
                return r;
        fd = openat(proc, link, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        snprintf(path, sizeof path, "self/fdinfo/%d", fd);
        r = nsm_proc_read(proc, path, text, sizeof text);
        if (r < 0)
                return r;
        line = strstr(text, "mnt_id:");
        if (!line || sscanf(line, "mnt_id: %llu", &id) != 1)
                return -EBADMSG;
        *ret = id;
        return 0;
}

void nsm_proc_command(int proc, pid_t pid, char *buffer, size_t size)
{
        char path[32];

        snprintf(path, sizeof path, "%d/comm", pid);
        if (nsm_proc_read(proc, path, buffer, size) < 0)
                snprintf(buffer, size, "?");
        buffer[strcspn(buffer, "\n")] = '\0';
}
