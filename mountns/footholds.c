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

/* Mount namespaces beside the container's that were looked into already. */
#define NESTED_MAX 64

struct scan {
        const struct nsm_footholds *q;
        struct nsm_holders *out;
        pid_t *members;
        size_t n_members, room;
        uint64_t own_user_namespace; /* the host's */
        struct {
                uint64_t inode;
                bool has_old_root;
        } nested[NESTED_MAX];
        size_t n_nested;
};

void nsm_footholds_clear(struct nsm_footholds *query)
{
        free(query->members);
        query->members = NULL;
        query->n_members = 0;
}

/* Whether a mount is of the tree that is left, or of none: a detached one can hold anything. */
static bool is_old(const struct scan *s, uint64_t mount_id)
{
        const struct nsm_table *table = s->q->pivoted;

        if (!table)
                return mount_id != s->q->old_root;
        return !nsm_table_find(table, mount_id) ||
               nsm_table_is_below(table, mount_id, s->q->old_root);
}

static void add(struct scan *s, pid_t pid, int tid, const char *what, const char *path)
{
        if (tid == pid)
                nsm_holders_add(s->out, s->q->proc, pid, "%s %.60s", what, path);
        else
                nsm_holders_add(s->out, s->q->proc, pid, "%s %.40s of thread %d", what, path, tid);
}

static void check_link(struct scan *s, pid_t pid, int tid, const char *link, const char *what)
{
        char path[64], text[256];
        uint64_t id;
        int r;

        snprintf(path, sizeof path, "%d/task/%d/%s", pid, tid, link);
        r = nsm_proc_link(s->q->proc, path, text, sizeof text);
        if (r < 0)
                return; /* it has just ended */
        /* Before the pivot anything but the very root stays behind. */
        if (!s->q->pivoted && strcmp(text, "/") != 0) {
                add(s, pid, tid, what, text);
                return;
        }
        r = nsm_proc_mount_id(s->q->proc, path, &id);
        if (r == -ENOENT || r == -ESRCH)
                return;
        if (r < 0 || is_old(s, id))
                add(s, pid, tid, what, text);
}

static void check_descriptor(struct scan *s, pid_t pid, int tid, int fd)
{
        cleanup_fd int dir = -1;
        char path[64], text[256];
        unsigned long long inode;
        uint64_t id;

        snprintf(path, sizeof path, "%d/task/%d/fd/%d", pid, tid, fd);
        if (nsm_proc_link(s->q->proc, path, text, sizeof text) < 0)
                return;
        if (sscanf(text, "mnt:[%llu]", &inode) == 1) {
                if (inode != s->q->target->inodes[NSM_NAMESPACE_MNT])
                        nsm_holders_add(s->out, s->q->proc, pid,
                                        "descriptor %d: another mount namespace", fd);
                return;
        }
        if (text[0] != '/')
                return; /* pipe:, socket:, anon_inode: */
        dir = openat(s->q->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return; /* no directory */
        if (s->q->pivoted && nsm_proc_mount_id(s->q->proc, path, &id) == 0 && !is_old(s, id))
                return;
        nsm_holders_add(s->out, s->q->proc, pid, "descriptor %d (directory %.60s)", fd, text);
}

static void check_descriptors(struct scan *s, pid_t pid, int tid)
{
        cleanup_free int *fds = NULL;
        char path[48];
        int n;

        snprintf(path, sizeof path, "%d/task/%d/fd", pid, tid);
        n = nsm_proc_list(s->q->proc, path, &fds);
        for (int i = 0; i < n; i++)
                check_descriptor(s, pid, tid, fds[i]);
}

static bool has_old_root(struct scan *s, const char *task, uint64_t inode)
{
        cleanup_table struct nsm_table table = { 0 };
        struct libmnt_iter *iter;
        struct libmnt_fs *mount;
        bool found = true; /* what cannot be read may hold it */

        for (size_t i = 0; i < s->n_nested; i++)
                if (s->nested[i].inode == inode)
                        return s->nested[i].has_old_root;
        iter = mnt_new_iter(MNT_ITER_FORWARD);
        if (iter && nsm_table_read(s->q->proc, task, &table, NULL) == 0) {
                found = false;
                while (!found && mnt_table_next_fs(table.mounts, iter, &mount) == 0)
                        found = mnt_fs_get_devno(mount) == s->q->old_device;
        }
        mnt_free_iter(iter);
        if (s->n_nested < NESTED_MAX) {
                s->nested[s->n_nested].inode = inode;
                s->nested[s->n_nested++].has_old_root = found;
        }
        return found;
}

/* One thread, which may have a mount namespace, a root and descriptors of its own. */
static void check_thread(struct scan *s, pid_t pid, int tid)
{
        bool shares_files = tid != pid && nsm_sys_kcmp(pid, tid, KCMP_FILES) == 0;
        bool shares_fs = tid != pid && nsm_sys_kcmp(pid, tid, KCMP_FS) == 0;
        char task[40];
        uint64_t inode;

        snprintf(task, sizeof task, "%d/task/%d", pid, tid);
        if (nsm_proc_namespace(s->q->proc, task, "mnt", &inode) < 0)
                return;
        if (inode != s->q->target->inodes[NSM_NAMESPACE_MNT]) {
                if (has_old_root(s, task, inode))
                        add(s, pid, tid, "a mount namespace with the old root in it", "");
                return;
        }
        if (!shares_fs) {
                check_link(s, pid, tid, "root", "root directory");
                check_link(s, pid, tid, "cwd", "working directory");
        }
        if (!shares_files)
                check_descriptors(s, pid, tid);
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

        snprintf(path, sizeof path, "%d", pid);
        if (nsm_proc_namespace(s->q->proc, path, "user", &user) < 0 ||
            nsm_proc_namespace(s->q->proc, path, "mnt", &mnt) < 0)
                return 0; /* a zombie, or gone */
        if (mnt != s->q->target->inodes[NSM_NAMESPACE_MNT] &&
            (user == s->own_user_namespace ||
             !nsm_proc_is_in_user_namespace(s->q->proc, path,
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
