/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/members.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "mountns/proc.h"

void nsm_pids_clear(struct nsm_pids *pids)
{
        int saved = errno;

        free(pids->list);
        *pids = (struct nsm_pids){ 0 };
        errno = saved;
}

static int pids_add(struct nsm_pids *pids, pid_t pid)
{
        if (pids->n == pids->room) {
                size_t room = pids->room ? 2 * pids->room : 64;
                pid_t *more = reallocarray(pids->list, room, sizeof *more);

                if (!more)
                        return -ENOMEM;
                pids->list = more;
                pids->room = room;
        }
        pids->list[pids->n++] = pid;
        return 0;
}

static int compare_pids(const void *a, const void *b)
{
        pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

        return (x > y) - (x < y);
}

static bool pids_have(const struct nsm_pids *pids, pid_t pid)
{
        return pids->n && bsearch(&pid, pids->list, pids->n, sizeof pid, compare_pids);
}

void nsm_members_clear(struct nsm_members *m)
{
        for (size_t i = 0; i < m->n_namespaces; i++)
                nsm_close_fd(m->namespaces[i].fd);
        nsm_pids_clear(&m->above);
        nsm_pids_clear(&m->apart);
        *m = (struct nsm_members){ 0 };
}

static bool is_above(const struct nsm_members *m, uint64_t inode)
{
        for (size_t i = 0; i < m->n_ancestors; i++)
                if (m->ancestors[i] == inode)
                        return true;
        return false;
}

/* The next user namespace above the one behind @fd, or -1, with its inode number in @ret. */
static int open_parent(int fd, uint64_t *ret)
{
        cleanup_fd int parent = ioctl(fd, NS_GET_PARENT); /* EPERM above the top */
        struct stat st;

        if (parent < 0 || fstat(parent, &st) < 0)
                return -1;
        *ret = st.st_ino;
        return nsm_take_fd(&parent);
}

void nsm_members_init(struct nsm_members *m, int proc, const struct nsm_target *target)
{
        cleanup_fd int fd = -1;
        int at = target->namespaces[NSM_NAMESPACE_USER];

        *m = (struct nsm_members){ .proc = proc, .target = target, .last_pid = -1 };
        while (m->n_ancestors < NSM_MEMBERS_DEPTH_MAX) {
                at = open_parent(at, &m->ancestors[m->n_ancestors]);
                nsm_close_fd(fd);
                fd = at;
                if (at < 0)
                        break; /* above ours */
                m->n_ancestors++;
        }
}

/* Where the walk up meets the container's namespace, or one that is above both. */
static enum nsm_relation walk_up(const struct nsm_members *m, int first, uint64_t inode)
{
        cleanup_fd int fd = -1;

        if (is_above(m, inode))
                return NSM_RELATION_ABOVE;
        for (int at = first; at >= 0 && !is_above(m, inode);) {
                int parent;

                if (inode == m->target->inodes[NSM_NAMESPACE_USER])
                        return NSM_RELATION_INSIDE;
                parent = open_parent(at, &inode);
                nsm_close_fd(fd);
                at = fd = parent;
        }
        return NSM_RELATION_APART;
}

static void remember(struct nsm_members *m, uint64_t inode, enum nsm_relation relation, int fd)
{
        size_t at = m->n_namespaces;

        if (at == NSM_MEMBERS_NAMESPACES_MAX) {
                at = m->next++ % NSM_MEMBERS_NAMESPACES_MAX;
                nsm_close_fd(m->namespaces[at].fd);
        } else {
                m->n_namespaces++;
        }
        m->namespaces[at].inode = inode;
        m->namespaces[at].relation = relation;
        m->namespaces[at].fd = fd;
}

/*
 * How the user namespace of @pid, of which /proc says @inode, stands to the
 * container's. One that we have a descriptor of is not asked twice: it has its
 * number as long as that is open, and its parent for ever.
 */
static int find_relation(struct nsm_members *m, pid_t pid, uint64_t inode)
{
        enum nsm_relation relation;
        cleanup_fd int fd = -1;
        struct stat st;
        char path[40];

        if (is_above(m, inode))
                return NSM_RELATION_ABOVE;
        for (size_t i = 0; i < m->n_namespaces; i++)
                if (m->namespaces[i].inode == inode)
                        return (int)m->namespaces[i].relation;
        /* That of a process whose first thread has ended can still be opened. */
        snprintf(path, sizeof path, "%d/ns/user", pid);
        fd = openat(m->proc, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        relation = walk_up(m, fd, st.st_ino);
        remember(m, st.st_ino, relation, nsm_take_fd(&fd));
        return (int)relation;
}

/* EACCES is what the links of a process say when it ends while they are read. */
static bool has_ended(int r)
{
        return r == -ENOENT || r == -ESRCH || r == -EACCES;
}

/* Puts @pid into the list where it belongs; nowhere when it has ended. */
static int ask(struct nsm_members *m, pid_t pid, struct nsm_pids *members, struct nsm_pids *above,
               struct nsm_pids *apart)
{
        uint64_t user, mnt;
        int relation, r;

        m->asked++;
        r = nsm_proc_namespace_of(m->proc, pid, "user", &user);
        relation = r < 0 ? r : find_relation(m, pid, user);
        if (relation < 0)
                return has_ended(relation) ? 0 : relation;
        r = nsm_proc_namespace_of(m->proc, pid, "mnt", &mnt);
        if (r < 0 && !has_ended(r))
                return r;
        if (relation == NSM_RELATION_INSIDE ||
            (r == 0 && mnt == m->target->inodes[NSM_NAMESPACE_MNT]))
                return pids_add(members, pid);
        /* Without a mount namespace it is dead, or its last thread becomes the first just now. */
        return pids_add(relation == NSM_RELATION_ABOVE || r < 0 ? above : apart, pid);
}

/* The pid that our pid namespace gave last, or -1: not every kernel says. */
static pid_t read_last_pid(int proc)
{
        char text[24];
        pid_t pid;

        if (nsm_proc_read(proc, "sys/kernel/ns_last_pid", text, sizeof text) < 0)
                return -1;
        text[strcspn(text, "\n")] = '\0';
        return nsm_parse_pid(text, &pid) < 0 ? -1 : pid;
}

/* Whether @pid was given after @before and not after @now; pids go up, and begin anew at the top. */
static bool is_new(pid_t pid, pid_t before, pid_t now)
{
        if (before < 0 || now < 0)
                return true;
        return before <= now ? before < pid && pid <= now : before < pid || pid <= now;
}

int nsm_members_list(struct nsm_members *m, pid_t except, bool doubt, struct nsm_pids *ret)
{
        cleanup_pids struct nsm_pids members = { 0 }, above = { 0 }, apart = { 0 };
        cleanup_free int *pids = NULL;
        pid_t self = getpid(), before = read_last_pid(m->proc), now;
        int n = nsm_proc_list(m->proc, ".", &pids), r = n < 0 ? n : 0;

        nsm_pids_clear(ret);
        m->asked = 0;
        now = read_last_pid(m->proc);
        for (int i = 0; i < n && r == 0; i++) {
                bool known = !is_new(pids[i], m->last_pid, now);

                if (pids[i] == self || pids[i] == except)
                        continue;
                if (known && pids_have(&m->apart, pids[i]))
                        r = pids_add(&apart, pids[i]);
                else if (known && !doubt && pids_have(&m->above, pids[i]))
                        r = pids_add(&above, pids[i]);
                else
                        r = ask(m, pids[i], &members, &above, &apart);
        }
        if (r < 0)
                return r;
        nsm_pids_clear(&m->above);
        nsm_pids_clear(&m->apart);
        m->above = above;
        m->apart = apart;
        m->last_pid = before;
        *ret = members;
        members = above = apart = (struct nsm_pids){ 0 };
        return 0;
}
