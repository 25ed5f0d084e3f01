/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/footholds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"

struct scan {
        const struct nsm_footholds *q;
        struct nsm_holders *out;
        struct statx own_mounts;     /* the host's mount namespace, a file of nsfs */
        bool changed;                /* what was listed was gone when it was looked at */
};

static int cannot_look(int r, struct nsm_error *err)
{
        return nsm_error_set(err, r, "cannot look at the container's processes: %s", strerror(-r));
}

/*
 * Before the pivot: the old root itself. After it: what is in the table and not
 * below the old root. A mount of no namespace, too, can hold anything.
 */
static bool is_allowed(const struct scan *s, uint64_t mount_id)
{
        if (!s->q->pivoted)
                return mount_id == s->q->old_root;
        return nsm_table_find(s->q->pivoted, mount_id) &&
               !nsm_table_is_below(s->q->pivoted, mount_id, s->q->old_root);
}

static void add(struct scan *s, pid_t pid, int tid, const char *what, const char *path)
{
        const char *space = *path ? " " : "";

        if (tid == pid)
                nsm_holders_add(s->out, s->q->proc, pid, "%s%s%.60s", what, space, path);
        else
                nsm_holders_add(s->out, s->q->proc, pid, "%s%s%.40s of thread %d", what, space,
                                path, tid);
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
        if (r < 0 || !is_allowed(s, id))
                add(s, pid, tid, what, text);
}

/* What the kernel says of a descriptor: the text from @key on, in @buffer, or NULL. */
static const char *find_info(struct scan *s, const char *task, int fd, const char *key,
                             char *buffer, size_t size)
{
        char path[64];

        snprintf(path, sizeof path, "%s/fdinfo/%d", task, fd);
        if (nsm_proc_read(s->q->proc, path, buffer, size) < 0) {
                s->changed = true;
                return NULL;
        }
        return strstr(buffer, key);
}

/* Kernel objects that can keep files which nobody has a descriptor of. */
static void check_object(struct scan *s, pid_t pid, const char *task, int fd, const char *link)
{
        char text[NSM_PROC_TEXT_MAX];
        const char *line;
        unsigned n;

        if (strncmp(link, "socket:", 7) == 0) {
                line = find_info(s, task, fd, "scm_fds:", text, sizeof text);
                if (line && sscanf(line, "scm_fds: %u", &n) == 1 && n > 0)
                        nsm_holders_add(s->out, s->q->proc, pid,
                                        "descriptor %d: descriptors in flight in a socket", fd);
        } else if (strcmp(link, "anon_inode:[io_uring]") == 0) {
                /* The line is missing while the ring is in use: then it may have some. */
                line = find_info(s, task, fd, "UserFiles:", text, sizeof text);
                if (!line || sscanf(line, "UserFiles: %u", &n) != 1 || n > 0)
                        nsm_holders_add(s->out, s->q->proc, pid,
                                        "descriptor %d: an io_uring, perhaps with files", fd);
        } else if (strcmp(link, "anon_inode:[fscontext]") == 0) {
                nsm_holders_add(s->out, s->q->proc, pid,
                                "descriptor %d: a filesystem that is not mounted yet", fd);
        }
}

/* @file is O_PATH. Known by its device, as a FUSE filesystem would be asked by statfs(2). */
static bool is_other_mount_namespace(const struct scan *s, int file)
{
        cleanup_fd int namespace = -1;
        char path[32];
        struct statx st;

        if (statx(file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0 ||
            st.stx_dev_major != s->own_mounts.stx_dev_major ||
            st.stx_dev_minor != s->own_mounts.stx_dev_minor ||
            st.stx_ino == s->q->target->inodes[NSM_NAMESPACE_MNT])
                return false;
        snprintf(path, sizeof path, "self/fd/%d", file);
        namespace = openat(s->q->proc, path, O_RDONLY | O_CLOEXEC);
        return namespace < 0 || ioctl(namespace, NS_GET_NSTYPE) == CLONE_NEWNS;
}

static void check_descriptor(struct scan *s, pid_t pid, const char *task, int fd)
{
        cleanup_fd int file = -1, dir = -1;
        char path[64], text[256];
        uint64_t id;

        snprintf(path, sizeof path, "%s/fd/%d", task, fd);
        if (nsm_proc_link(s->q->proc, path, text, sizeof text) < 0) {
                s->changed = true;
                return;
        }
        check_object(s, pid, task, fd, text);
        if (strncmp(text, "socket:", 7) == 0 || strncmp(text, "pipe:", 5) == 0 ||
            strncmp(text, "anon_inode:", 11) == 0)
                return;
        file = openat(s->q->proc, path, O_PATH | O_CLOEXEC);
        if (file < 0) {
                s->changed = true;
                return;
        }
        if (is_other_mount_namespace(s, file)) {
                nsm_holders_add(s->out, s->q->proc, pid, "descriptor %d: another mount namespace",
                                fd);
                return;
        }
        snprintf(path, sizeof path, "self/fd/%d", file);
        dir = openat(s->q->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 && errno == ENOTDIR)
                return;
        if (s->q->pivoted && nsm_proc_mount_id(s->q->proc, path, &id) == 0 && is_allowed(s, id))
                return;
        nsm_holders_add(s->out, s->q->proc, pid, "descriptor %d (directory %.60s)", fd, text);
}

/*
 * A descriptor that is moved about (dup2(2), close(2)) may be at no place when
 * that is looked at. But then it has gone from where it was listed, or was not
 * listed: since Linux 6.2 the directory's size is the number of descriptors.
 */
static void check_descriptors(struct scan *s, pid_t pid, int tid)
{
        cleanup_free int *fds = NULL;
        char task[40], path[48];
        struct stat st;
        int n;

        snprintf(task, sizeof task, "%d/task/%d", pid, tid);
        snprintf(path, sizeof path, "%s/fd", task);
        n = nsm_proc_list(s->q->proc, path, &fds);
        if (n >= 0 && fstatat(s->q->proc, path, &st, 0) == 0 && st.st_size > 0 && st.st_size != n)
                s->changed = true;
        for (int i = 0; i < n; i++)
                check_descriptor(s, pid, task, fds[i]);
}

/* One thread, which may have a mount namespace, a root and descriptors of its own. */
static void check_thread(struct scan *s, pid_t pid, int tid)
{
        uint64_t inode;
        char task[40];

        snprintf(task, sizeof task, "%d/task/%d", pid, tid);
        if (nsm_proc_namespace(s->q->proc, task, "mnt", &inode) < 0) {
                s->changed = s->changed || tid != pid; /* the first one may be a zombie */
                return;
        }
        /* However it looks now: it is a copy of one with the old root, or was made from such. */
        if (inode != s->q->target->inodes[NSM_NAMESPACE_MNT]) {
                add(s, pid, tid, "a mount namespace of its own, made from the old root", "");
                return;
        }
        if (tid == pid || nsm_sys_kcmp(pid, tid, KCMP_FS) != 0) {
                check_link(s, pid, tid, "root", "root directory");
                check_link(s, pid, tid, "cwd", "working directory");
        }
        if (tid == pid || nsm_sys_kcmp(pid, tid, KCMP_FILES) != 0)
                check_descriptors(s, pid, tid);
}

static void check_process(struct scan *s, pid_t pid)
{
        cleanup_free int *tids = NULL;
        char path[32];
        int n;

        snprintf(path, sizeof path, "%d/task", pid);
        n = nsm_proc_list(s->q->proc, path, &tids);
        for (int i = 0; i < n; i++)
                check_thread(s, pid, tids[i]);
}

static bool are_same(const struct nsm_pids *a, const struct nsm_pids *b)
{
        return a->n == b->n &&
               (a->n == 0 || memcmp(a->list, b->list, a->n * sizeof *a->list) == 0);
}

void nsm_footholds_init(struct nsm_footholds *q, int proc, const struct nsm_target *target,
                        uint64_t old_root)
{
        *q = (struct nsm_footholds){ .proc = proc, .target = target, .old_root = old_root };
        nsm_members_init(&q->members, proc, target);
}

void nsm_footholds_clear(struct nsm_footholds *query)
{
        nsm_members_clear(&query->members);
        nsm_pids_clear(&query->met);
}

int nsm_footholds_scan(struct nsm_footholds *query, struct nsm_holders *ret, struct nsm_error *err)
{
        cleanup_pids struct nsm_pids members = { 0 };
        struct scan s = { .q = query, .out = ret };
        bool again;
        int r;

        memset(ret, 0, sizeof *ret);
        if (statx(query->proc, "self/ns/mnt", 0, STATX_INO, &s.own_mounts) < 0)
                return cannot_look(-errno, err);
        r = nsm_members_list(&query->members, query->except, query->last, &members);
        if (r < 0)
                return cannot_look(r, err);
        for (size_t i = 0; i < members.n; i++)
                check_process(&s, members.list[i]);
        again = s.changed || !are_same(&members, &query->met);
        nsm_pids_clear(&query->met);
        query->met = members;
        members = (struct nsm_pids){ 0 };
        return again ? 1 : 0;
}
