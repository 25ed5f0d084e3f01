/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/api.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"

#define PLAIN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define STRICT (PLAIN | MOUNT_ATTR_NOEXEC)

/*
 * Every filesystem in memory has a limit of bytes and of inodes. /dev/pts alone
 * is not nodev, for its devices are what it is for.
 */
const struct nsm_api_entry nsm_api_entries[] = {
        { "proc", "proc", NULL, STRICT, NSM_NAMESPACE_PID },
        { "sys", "sysfs", NULL, STRICT | MOUNT_ATTR_RDONLY, NSM_NAMESPACE_NET },
        { "dev", "tmpfs", "mode=0755,size=1m,nr_inodes=1024", STRICT, -1 },
        { "dev/pts", "devpts", "mode=0620,ptmxmode=0666,gid=5",
          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, -1 },
        { "dev/shm", "tmpfs", "mode=1777,size=64m,nr_inodes=16384", PLAIN, -1 },
        { "dev/mqueue", "mqueue", NULL, STRICT, NSM_NAMESPACE_IPC },
        { "run", "tmpfs", "mode=0755,size=64m,nr_inodes=16384", PLAIN, -1 },
        { "tmp", "tmpfs", "mode=1777,size=25%,nr_inodes=262144", PLAIN, -1 },
        { NULL, NULL, NULL, 0, -1 },
};

static const struct {
        const char *name, *target;
} links[] = {
        { "fd", "/proc/self/fd" },         { "stdin", "/proc/self/fd/0" },
        { "stdout", "/proc/self/fd/1" },   { "stderr", "/proc/self/fd/2" },
        { "ptmx", "pts/ptmx" },
};

static const char *const namespace_names[NSM_NAMESPACE_COUNT] = {
        [NSM_NAMESPACE_PID] = "pid", [NSM_NAMESPACE_NET] = "network", [NSM_NAMESPACE_IPC] = "ipc",
};

int nsm_api_open_directory(int root, const char *path)
{
        const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        cleanup_fd int parent = -1;
        char above[64];
        int fd = nsm_sys_openat2(root, path, O_PATH | O_DIRECTORY, 0, resolve);

        if (fd != -ENOENT)
                return fd;
        snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
        parent = nsm_sys_openat2(root, above, O_PATH | O_DIRECTORY, 0, resolve);
        if (parent < 0)
                return parent;
        if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        return nsm_sys_openat2(parent, name, O_PATH | O_DIRECTORY, 0, resolve);
}

static int set_options(int fs, const char *options)
{
        cleanup_free char *copy = strdup(options);
        char *save = NULL;

        if (!copy)
                return -ENOMEM;
        for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
                char *value = strchr(o, '=');

                if (value)
                        *value++ = '\0';
                if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o, value, 0) < 0)
                        return -errno;
        }
        return 0;
}

static int finish_mount(int fs, uint64_t attributes)
{
        int mnt;

        if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return mnt < 0 ? -errno : mnt;
}

int nsm_api_new_mount(const char *type, const char *options, uint64_t attributes)
{
        cleanup_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
        int r;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0) < 0)
                return -errno;
        r = options ? set_options(fs, options) : 0;
        return r < 0 ? r : finish_mount(fs, attributes);
}

/* Group 5 owns terminals on Debian; a container may not have it. */
static int new_devpts(const struct nsm_api_entry *e)
{
        int fd = nsm_api_new_mount(e->type, e->options, e->attributes);

        return fd >= 0 ? fd : nsm_api_new_mount(e->type, "mode=0620,ptmxmode=0666", e->attributes);
}

static int new_entry(struct nsm_joiner *j, const struct nsm_api_entry *e)
{
        if (e->needs == NSM_NAMESPACE_PID)
                return nsm_api_new_proc(j, e->attributes);
        if (strcmp(e->type, "devpts") == 0)
                return new_devpts(e);
        return nsm_api_new_mount(e->type, e->options, e->attributes);
}

static const char *reason(int code, bool read_only)
{
        switch (code) {
        case -ELOOP:
                return "the volume has a symlink there";
        case -ENOTDIR:
                return "the volume has no directory there";
        case -EROFS:
                return read_only ? "the volume has no such directory, and the graft is read-only" :
                                   "the volume has no such directory, and is read-only";
        case -EPERM:
                return "the kernel does not allow it in the container's user namespace";
        default:
                return strerror(-code);
        }
}

/* Mounts one entry; false when it is left out, which is then said. */
static bool mount_entry(struct nsm_joiner *j, int root, const struct nsm_api_entry *e)
{
        cleanup_fd int dir = -1, mnt = -1;

        if (e->needs >= 0 && !j->request->target->owned[e->needs]) {
                nsm_joiner_warn(j, "left out /%s: the container has no %s namespace of its own",
                                e->path, namespace_names[e->needs]);
                return false;
        }
        dir = nsm_api_open_directory(root, e->path);
        mnt = dir < 0 ? dir : new_entry(j, e);
        if (mnt >= 0 && move_mount(mnt, "", dir, "", MOVE_MOUNT_F_EMPTY_PATH |
                                   MOVE_MOUNT_T_EMPTY_PATH) < 0)
                mnt = (nsm_close_fd(mnt), -errno);
        if (mnt < 0)
                nsm_joiner_warn(j, "left out /%s: %s", e->path, reason(mnt, j->request->read_only));
        return mnt >= 0;
}

/* The one exception to "nothing of the host": these files, as mounts of their own. */
static void fill_dev(struct nsm_joiner *j, int root)
{
        cleanup_fd int dev = nsm_api_open_directory(root, "dev");

        for (int i = 0; i < NSM_DEVICE_COUNT; i++) {
                const char *name = nsm_device_names[i];
                cleanup_fd int file = -1;

                if (j->devices[i] >= 0)
                        file = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
                if (file < 0 || move_mount(j->devices[i], "", file, "", MOVE_MOUNT_F_EMPTY_PATH |
                                           MOVE_MOUNT_T_EMPTY_PATH) < 0)
                        nsm_joiner_warn(j, "left out /dev/%s: %s", name,
                                        j->devices[i] < 0 ? "the host has none" : strerror(errno));
        }
        for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
                if (symlinkat(links[i].target, dev, links[i].name) < 0)
                        nsm_joiner_warn(j, "left out /dev/%s: %s", links[i].name, strerror(errno));
}

void nsm_api_mount(struct nsm_joiner *j, int root)
{
        bool dev = false;

        for (const struct nsm_api_entry *e = nsm_api_entries; e->path; e++) {
                bool below_dev = strncmp(e->path, "dev/", 4) == 0;

                /* Without our own /dev, nothing is put into the volume's. */
                if (below_dev && !dev)
                        continue;
                if (!mount_entry(j, root, e) || strcmp(e->path, "dev") != 0)
                        continue;
                dev = true;
                fill_dev(j, root);
        }
}
