/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"
#include "mountns/table.h"

/* linux/nsfs.h has it from 6.11 on. */
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(NSIO, 0x5, uint64_t)
#endif

void nsm_place_of_self(int proc, struct nsm_place *place)
{
        cleanup_fd int fd = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);

        nsm_proc_namespace(proc, "self", "mnt", &place->mount_namespace);
        if (fd < 0 || ioctl(fd, NS_GET_MNTNS_ID, &place->mount_namespace_id) < 0)
                place->mount_namespace_id = 0;
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

/* The table of a process or, when its first thread has ended, of another one in the namespace. */
static int read_table(int proc, pid_t pid, uint64_t ns, struct nsm_table *ret)
{
        cleanup_free int *tids = NULL;
        char task[40];
        uint64_t inode;
        int n, r;

        snprintf(task, sizeof task, "%d", pid);
        r = nsm_table_read(proc, task, ret, NULL);
        if (r == 0)
                return 0;
        snprintf(task, sizeof task, "%d/task", pid);
        n = nsm_proc_list(proc, task, &tids);
        for (int i = 0; i < n && r < 0; i++) {
                snprintf(task, sizeof task, "%d/task/%d", pid, tids[i]);
                if (nsm_proc_namespace(proc, task, "mnt", &inode) == 0 && inode == ns)
                        r = nsm_table_read(proc, task, ret, NULL);
        }
        return r;
}

/* Looks for all places of one namespace in the table that @pid has of it. */
static void look_in_table(int proc, pid_t pid, uint64_t ns, const struct nsm_place *places,
                          size_t n, bool *open, struct nsm_presence *ret)
{
        cleanup_table struct nsm_table table = { 0 };
        bool have = false;

        for (size_t i = 0; i < n; i++) {
                struct libmnt_fs *mount;

                if (places[i].mount_namespace != ns)
                        continue;
                if (ret[i].pid == 0)
                        ret[i].pid = pid;
                if (!open[i])
                        continue;
                /* One whose root is elsewhere may not see the graft: the next one is asked, too. */
                if (!have && read_table(proc, pid, ns, &table) < 0)
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
