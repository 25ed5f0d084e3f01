/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"
#include "mountns/table.h"
#include "mountns/target.h"

/* linux/nsfs.h has it from 6.11 on. */
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(NSIO, 0x5, uint64_t)
#endif

/* Both numbers of the mount namespace behind @task/ns/mnt; false when it is gone. */
static bool find_namespace(int proc, const char *task, struct nsm_place *ret)
{
        cleanup_fd int fd = -1;
        char path[48];
        struct stat st;

        snprintf(path, sizeof path, "%s/ns/mnt", task);
        fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        ret->mount_namespace = st.st_ino;
        if (ioctl(fd, NS_GET_MNTNS_ID, &ret->mount_namespace_id) < 0)
                ret->mount_namespace_id = 0;
        return true;
}

void nsm_place_of_self(int proc, struct nsm_place *place)
{
        find_namespace(proc, "self", place);
}

void nsm_place_of_target(const struct nsm_target *target, struct nsm_place *place)
{
        place->mount_namespace = target->inodes[NSM_NAMESPACE_MNT];
        place->mount_namespace_id = target->mount_namespace_id;
}

bool nsm_place_shares_namespace(const struct nsm_place *a, const struct nsm_place *b)
{
        return a->mount_namespace == b->mount_namespace &&
               (!a->mount_namespace_id || !b->mount_namespace_id ||
                a->mount_namespace_id == b->mount_namespace_id);
}

/* By unique numbers. 1 it is there, 0 it is not, negative: this kernel cannot tell. */
static int ask_kernel(const struct nsm_place *place)
{
        dev_t device;
        int r;

        if (!place->mount_namespace_id || !place->mount_id_unique)
                return -EOPNOTSUPP;
        r = nsm_sys_statmount_device(place->mount_namespace_id, place->mount_id_unique, &device);
        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : device == place->device;
}

/* The process or, when its first thread has ended, one of the others: whose /proc tells more. */
static bool find_task(int proc, pid_t pid, uint64_t ns, char *task, size_t size)
{
        cleanup_free int *tids = NULL;
        uint64_t inode;
        int n;

        snprintf(task, size, "%d", pid);
        if (nsm_proc_namespace(proc, task, "mnt", &inode) == 0)
                return inode == ns;
        snprintf(task, size, "%d/task", pid);
        n = nsm_proc_list(proc, task, &tids);
        for (int i = 0; i < n; i++) {
                snprintf(task, size, "%d/task/%d", pid, tids[i]);
                if (nsm_proc_namespace(proc, task, "mnt", &inode) == 0 && inode == ns)
                        return true;
        }
        return false;
}

/* Looks for all places of the namespace @ns in the table that @pid has of it. */
static void look_in_table(int proc, pid_t pid, uint64_t ns, const struct nsm_place *places,
                          size_t n, bool *open, struct nsm_presence *ret)
{
        cleanup_table struct nsm_table table = { 0 };
        struct nsm_place here = { 0 };
        char task[40];
        bool have = false;

        if (!find_task(proc, pid, ns, task, sizeof task) || !find_namespace(proc, task, &here))
                return;
        for (size_t i = 0; i < n; i++) {
                struct libmnt_fs *mount;

                if (!nsm_place_shares_namespace(&places[i], &here))
                        continue;
                if (ret[i].pid == 0)
                        ret[i].pid = pid;
                if (!open[i])
                        continue;
                /* One whose root is elsewhere may not see the graft: the next one is asked, too. */
                if (!have && nsm_table_read(proc, task, &table, NULL) < 0)
                        return;
                have = true;
                mount = nsm_table_find(&table, places[i].mount_id);
                if (mount && mnt_fs_get_devno(mount) == places[i].device) {
                        ret[i].alive = true;
                        open[i] = false;
                }
        }
}

static bool is_wanted(const struct nsm_place *places, size_t n, uint64_t ns)
{
        for (size_t i = 0; i < n; i++)
                if (places[i].mount_namespace == ns)
                        return true;
        return false;
}

int nsm_place_check(const struct nsm_place *places, size_t n, bool want_pids,
                    struct nsm_presence *ret, struct nsm_error *err)
{
        cleanup_free bool *open = calloc(n ? n : 1, sizeof *open);
        cleanup_free int *pids = NULL;
        cleanup_fd int proc = -1;
        bool any = want_pids;
        int n_pids;

        if (!open)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; i < n; i++) {
                int r = ask_kernel(&places[i]);

                ret[i] = (struct nsm_presence){ .alive = r > 0 };
                open[i] = r < 0;
                any |= open[i];
        }
        if (!any || n == 0)
                return 0;
        proc = nsm_proc_open(err);
        if (proc < 0)
                return proc;
        n_pids = nsm_proc_list(proc, ".", &pids);
        if (n_pids < 0)
                return nsm_error_set(err, n_pids, "cannot read /proc: %s", strerror(-n_pids));
        for (int i = 0; i < n_pids; i++) {
                uint64_t ns;

                if (nsm_proc_namespace_of(proc, pids[i], "mnt", &ns) == 0 &&
                    is_wanted(places, n, ns))
                        look_in_table(proc, pids[i], ns, places, n, open, ret);
        }
        return 0;
}

int nsm_place_list_pids(uint64_t mount_namespace, pid_t **ret)
{
        cleanup_fd int proc = nsm_proc_open(NULL);
        cleanup_free int *pids = NULL;
        int n, found = 0;

        if (proc < 0)
                return proc;
        n = nsm_proc_list(proc, ".", &pids);
        for (int i = 0; i < n; i++) {
                uint64_t ns;

                if (nsm_proc_namespace_of(proc, pids[i], "mnt", &ns) == 0 && ns == mount_namespace)
                        pids[found++] = pids[i];
        }
        if (n < 0)
                return n;
        *ret = nsm_take_ptr(pids);
        return found;
}

/* The devices of one process's mounts, crossed against the wanted ones. */
static void look_for_devices(int proc, pid_t pid, const dev_t *devices, size_t n, bool *found)
{
        cleanup_free char *line = NULL;
        cleanup_file FILE *f = NULL;
        char path[32];
        size_t size = 0;
        int fd;

        snprintf(path, sizeof path, "%d/mountinfo", pid);
        fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        f = fd < 0 ? NULL : fdopen(fd, "r");
        if (!f)
                nsm_close_fd(fd); /* it has ended */
        while (f && getline(&line, &size, f) > 0) {
                unsigned major, minor;

                if (sscanf(line, "%*u %*u %u:%u ", &major, &minor) != 2)
                        continue;
                for (size_t i = 0; i < n; i++)
                        found[i] |= devices[i] == makedev(major, minor);
        }
}

int nsm_place_find_devices(const dev_t *devices, size_t n, bool *ret, struct nsm_error *err)
{
        cleanup_fd int proc = nsm_proc_open(err);
        cleanup_free int *pids = NULL;
        int n_pids = proc < 0 ? proc : nsm_proc_list(proc, ".", &pids);

        if (n_pids < 0)
                return nsm_error_set(err, n_pids, "cannot read /proc: %s", strerror(-n_pids));
        memset(ret, 0, n * sizeof *ret);
        for (int i = 0; i < n_pids; i++)
                look_for_devices(proc, pids[i], devices, n, ret);
        return 0;
}
