/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/footholds.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"

struct scan {
        const struct nsm_footholds *q;
        struct nsm_holders *out;
        pid_t *members;
        size_t n_members, room;
        uint64_t own_user_namespace; /* the host's */
};

/*
 * What a thread may hold: what is in this table and not below that mount.
 * Without a table: the old root itself, and no directory.
 */
struct allowance {
        const struct nsm_table *table;
        uint64_t barred;        /* mount id, or 0 */
        uint64_t own_namespace; /* of the thread */
};

void nsm_footholds_clear(struct nsm_footholds *query)
{
        free(query->members);
        query->members = NULL;
        query->n_members = 0;
}

/* A mount of no namespace, too, can hold anything. */
static bool is_allowed(const struct scan *s, const struct allowance *may, uint64_t mount_id)
{
        if (!may->table)
                return mount_id == s->q->old_root;
        return nsm_table_find(may->table, mount_id) &&
               !(may->barred && nsm_table_is_below(may->table, mount_id, may->barred));
}

static void add(struct scan *s, pid_t pid, int tid, const char *what, const char *path)
{
        if (tid == pid)
                nsm_holders_add(s->out, s->q->proc, pid, "%s %.60s", what, path);
        else
                nsm_holders_add(s->out, s->q->proc, pid, "%s %.40s of thread %d", what, path, tid);
}

static void check_link(struct scan *s, const struct allowance *may, pid_t pid, int tid,
                       const char *link, const char *what)
{
        char path[64], text[256];
        uint64_t id;
        int r;

        snprintf(path, sizeof path, "%d/task/%d/%s", pid, tid, link);
        r = nsm_proc_link(s->q->proc, path, text, sizeof text);
        if (r < 0)
                return; /* it has just ended */
        /* Before the pivot anything but the very root stays behind. */
        if (!may->table && strcmp(text, "/") != 0) {
                add(s, pid, tid, what, text);
                return;
        }
        r = nsm_proc_mount_id(s->q->proc, path, &id);
        if (r == -ENOENT || r == -ESRCH)
                return;
        if (r < 0 || !is_allowed(s, may, id))
                add(s, pid, tid, what, text);
}

static void check_descriptor(struct scan *s, const struct allowance *may, pid_t pid, int tid,
                             int fd)
{
        cleanup_fd int dir = -1;
        char path[64], text[256];
        unsigned long long inode;
        uint64_t id;

        snprintf(path, sizeof path, "%d/task/%d/fd/%d", pid, tid, fd);
        if (nsm_proc_link(s->q->proc, path, text, sizeof text) < 0)
                return;
        if (sscanf(text, "mnt:[%llu]", &inode) == 1) {
                if (inode != may->own_namespace)
                        nsm_holders_add(s->out, s->q->proc, pid,
                                        "descriptor %d: another mount namespace", fd);
                return;
        }
        if (text[0] != '/')
                return; /* pipe:, socket:, anon_inode: */
        dir = openat(s->q->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return; /* no directory */
        if (may->table && nsm_proc_mount_id(s->q->proc, path, &id) == 0 &&
            is_allowed(s, may, id))
                return;
        nsm_holders_add(s->out, s->q->proc, pid, "descriptor %d (directory %.60s)", fd, text);
}

/* Root, working directory and descriptors, unless they are the first thread's. */
static void check_holdings(struct scan *s, const struct allowance *may, pid_t pid, int tid)
{
        cleanup_free int *fds = NULL;
        char path[48];
        int n = 0;

        if (tid == pid || nsm_sys_kcmp(pid, tid, KCMP_FS) != 0) {
                check_link(s, may, pid, tid, "root", "root directory");
                check_link(s, may, pid, tid, "cwd", "working directory");
        }
        snprintf(path, sizeof path, "%d/task/%d/fd", pid, tid);
        if (tid == pid || nsm_sys_kcmp(pid, tid, KCMP_FILES) != 0)
                n = nsm_proc_list(s->q->proc, path, &fds);
        for (int i = 0; i < n; i++)
                check_descriptor(s, may, pid, tid, fds[i]);
}

/* Views of the kernel on itself: to have one of them mounted is to hold nothing. */
static bool is_kernel_filesystem(struct libmnt_fs *mount)
{
        static const char *const types[] = { "proc",   "sysfs",   "devtmpfs", "devpts",
                                             "mqueue", "cgroup2", "cgroup" };
        const char *type = mnt_fs_get_fstype(mount);

        for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
                if (strcmp(type, types[i]) == 0)
                        return true;
        return false;
}

/* Whether a filesystem of the old tree is mounted in another namespace, too. */
static bool has_old_filesystem(const struct scan *s, const struct nsm_table *nested)
{
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;
        bool found = !iter; /* what cannot be looked through may have it */

        while (!found && mnt_table_next_fs(nested->mounts, iter, &mount) == 0)
                found = !is_kernel_filesystem(mount) &&
                        mnt_table_find_devno(s->q->before->mounts, mnt_fs_get_devno(mount),
                                             MNT_ITER_FORWARD);
        mnt_free_iter(iter);
        return found;
}

static void check_nested(struct scan *s, pid_t pid, int tid, const char *task, uint64_t inode)
{
        cleanup_table struct nsm_table nested = { 0 };
        struct allowance may = { .own_namespace = inode };

        if (nsm_table_read(s->q->proc, task, &nested, NULL) < 0)
                return; /* it has just ended */
        if (has_old_filesystem(s, &nested)) {
                add(s, pid, tid, "a mount namespace with the old tree in it", "");
                return;
        }
        may.table = &nested;
        check_holdings(s, &may, pid, tid);
}

/* One thread, which may have a mount namespace, a root and descriptors of its own. */
static void check_thread(struct scan *s, pid_t pid, int tid)
{
        struct allowance may = { .table = s->q->pivoted, .barred = s->q->old_root,
                                 .own_namespace = s->q->target->inodes[NSM_NAMESPACE_MNT] };
        uint64_t inode;
        char task[40];

        snprintf(task, sizeof task, "%d/task/%d", pid, tid);
        if (nsm_proc_namespace(s->q->proc, task, "mnt", &inode) < 0)
                return;
        if (inode == may.own_namespace)
                check_holdings(s, &may, pid, tid);
        else
                check_nested(s, pid, tid, task, inode);
}

static int add_member(struct scan *s, pid_t pid)
{
        if (s->n_members == s->room) {
                pid_t *more = realloc(s->members, (s->room = s->room ? 2 * s->room : 64) *
                                                          sizeof *more);

                if (!more)
                        return -ENOMEM;
                s->members = more;
        }
        s->members[s->n_members++] = pid;
        return 0;
}

static int check_process(struct scan *s, pid_t pid)
{
        cleanup_free int *tids = NULL;
        uint64_t mnt, user;
        char path[32];
        int n, r;

        if (nsm_proc_namespace_of(s->q->proc, pid, "user", &user) < 0 ||
            nsm_proc_namespace_of(s->q->proc, pid, "mnt", &mnt) < 0)
                return 0; /* a zombie, or gone */
        if (mnt != s->q->target->inodes[NSM_NAMESPACE_MNT] &&
            (user == s->own_user_namespace ||
             !nsm_proc_is_in_user_namespace(s->q->proc, pid,
                                            s->q->target->inodes[NSM_NAMESPACE_USER])))
                return 0;
        r = add_member(s, pid);
        if (r < 0)
                return r;
        snprintf(path, sizeof path, "%d/task", pid);
        n = nsm_proc_list(s->q->proc, path, &tids);
        for (int i = 0; i < n; i++)
                check_thread(s, pid, tids[i]);
        return 0;
}

/* Both lists are sorted, as /proc is read sorted. */
static bool has_new_members(const struct scan *s)
{
        size_t k = 0;

        for (size_t i = 0; i < s->n_members; i++) {
                while (k < s->q->n_members && s->q->members[k] < s->members[i])
                        k++;
                if (k == s->q->n_members || s->q->members[k] != s->members[i])
                        return true;
        }
        return false;
}

int nsm_footholds_scan(struct nsm_footholds *query, struct nsm_holders *ret, struct nsm_error *err)
{
        struct scan s = { .q = query, .out = ret };
        cleanup_free int *pids = NULL;
        bool again;
        int n, r;

        memset(ret, 0, sizeof *ret);
        n = nsm_proc_list(query->proc, ".", &pids);
        r = n < 0 ? n : nsm_proc_namespace(query->proc, "self", "user", &s.own_user_namespace);
        for (int i = 0; i < n && r >= 0; i++)
                if (pids[i] != query->except && pids[i] != getpid())
                        r = check_process(&s, pids[i]);
        if (r < 0) {
                free(s.members);
                return nsm_error_set(err, r, "cannot look at the container's processes: %s",
                                     strerror(-r));
        }
        again = has_new_members(&s);
        nsm_footholds_clear(query);
        query->members = s.members;
        query->n_members = s.n_members;
        return again ? 1 : 0;
}
