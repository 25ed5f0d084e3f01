/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "mountns/members.h"
#include "mountns/proc.h"

static struct nsm_holder *find_or_add(struct nsm_holders *holders, int proc, pid_t pid)
{
        struct nsm_holder *h;

        /* A scan goes process by process. */
        if (holders->n > 0 && holders->list[holders->n - 1].pid == pid)
                return &holders->list[holders->n - 1];
        if (holders->last == pid)
                return NULL;
        holders->last = pid;
        holders->total++;
        if (holders->n == NSM_HOLDERS_MAX)
                return NULL;
        h = &holders->list[holders->n++];
        memset(h, 0, sizeof *h);
        h->pid = pid;
        nsm_proc_command(proc, pid, h->command, sizeof h->command);
        return h;
}

void nsm_holders_add(struct nsm_holders *holders, int proc, pid_t pid, const char *fmt, ...)
{
        struct nsm_holder *h = find_or_add(holders, proc, pid);
        va_list ap;

        if (!h || h->n_holds == NSM_HOLDS_MAX)
                return;
        va_start(ap, fmt);
        vsnprintf(h->holds[h->n_holds++], NSM_HOLD_TEXT_MAX, fmt, ap);
        va_end(ap);
}

void nsm_holders_describe(const struct nsm_holders *holders, char *buffer, size_t size)
{
        size_t used = 0;

        *buffer = '\0';
        for (size_t i = 0; i < holders->n && used < size; i++) {
                const struct nsm_holder *h = &holders->list[i];

                used += (size_t)snprintf(buffer + used, size - used, "%s%d (%s): ", i ? "; " : "",
                                         h->pid, h->command);
                for (size_t k = 0; k < h->n_holds && used < size; k++)
                        used += (size_t)snprintf(buffer + used, size - used, "%s%s", k ? ", " : "",
                                                 h->holds[k]);
        }
        if (holders->total > holders->n && used < size)
                snprintf(buffer + used, size - used, "; and %zu more",
                         holders->total - holders->n);
}

struct users_query {
        int proc;
        uint64_t mount_id;
        dev_t device;
        struct nsm_holders *out;
};

static void check_link(const struct users_query *q, pid_t pid, int tid, const char *link,
                       const char *what)
{
        char path[64];
        uint64_t id;

        snprintf(path, sizeof path, "%d/task/%d/%s", pid, tid, link);
        if (nsm_proc_mount_id(q->proc, path, &id) < 0 || id != q->mount_id)
                return;
        if (tid == pid)
                nsm_holders_add(q->out, q->proc, pid, "%s", what);
        else
                nsm_holders_add(q->out, q->proc, pid, "%s of thread %d", what, tid);
}

/* Descriptors of files count, too: their mount is in fdinfo. */
static void check_descriptors(const struct users_query *q, pid_t pid)
{
        cleanup_free int *fds = NULL;
        char path[64], text[NSM_PROC_TEXT_MAX];
        int n;

        snprintf(path, sizeof path, "%d/fd", pid);
        n = nsm_proc_list(q->proc, path, &fds);
        for (int i = 0; i < n; i++) {
                const char *line;
                uint64_t id;

                snprintf(path, sizeof path, "%d/fdinfo/%d", pid, fds[i]);
                if (nsm_proc_read(q->proc, path, text, sizeof text) < 0)
                        continue;
                line = strstr(text, "mnt_id:");
                if (line && sscanf(line, "mnt_id: %" SCNu64, &id) == 1 && id == q->mount_id)
                        nsm_holders_add(q->out, q->proc, pid, "descriptor %d", fds[i]);
        }
}

/* The program itself is a mapping as any other. */
static void check_mappings(const struct users_query *q, pid_t pid)
{
        cleanup_file FILE *maps = NULL;
        cleanup_free char *line = NULL;
        cleanup_fd int fd = -1;
        size_t room = 0;
        char path[96];

        snprintf(path, sizeof path, "%d/maps", pid);
        fd = openat(q->proc, path, O_RDONLY | O_CLOEXEC);
        maps = fd >= 0 ? fdopen(fd, "r") : NULL;
        if (!maps)
                return;
        nsm_take_fd(&fd);
        while (getline(&line, &room, maps) > 0) {
                unsigned long from, to;
                unsigned major, minor;
                uint64_t id;

                if (sscanf(line, "%lx-%lx %*s %*x %x:%x", &from, &to, &major, &minor) != 4 ||
                    makedev(major, minor) != q->device)
                        continue;
                snprintf(path, sizeof path, "%d/map_files/%lx-%lx", pid, from, to);
                if (nsm_proc_mount_id(q->proc, path, &id) < 0 || id != q->mount_id)
                        continue;
                nsm_holders_add(q->out, q->proc, pid, "a mapped file");
                return;
        }
}

static void check_process(const struct users_query *q, pid_t pid)
{
        cleanup_free int *tids = NULL;
        char path[32];
        int n;

        snprintf(path, sizeof path, "%d/task", pid);
        n = nsm_proc_list(q->proc, path, &tids);
        for (int i = 0; i < n; i++) {
                check_link(q, pid, tids[i], "root", "root directory");
                check_link(q, pid, tids[i], "cwd", "working directory");
        }
        check_descriptors(q, pid);
        check_mappings(q, pid);
}

static int find_processes(int proc, const struct nsm_target *target, struct nsm_pids *ret)
{
        cleanup_members struct nsm_members members = { 0 };
        int n;

        if (target) {
                nsm_members_init(&members, proc, target);
                return nsm_members_list(&members, 0, false, ret);
        }
        n = nsm_proc_list(proc, ".", &ret->list);
        ret->n = n < 0 ? 0 : (size_t)n;
        return n < 0 ? n : 0;
}

int nsm_holders_find_users(int proc, const struct nsm_target *target, uint64_t mount_id,
                           dev_t device, struct nsm_holders *ret, struct nsm_error *err)
{
        struct users_query q = { proc, mount_id, device, ret };
        cleanup_pids struct nsm_pids pids = { 0 };
        int r = find_processes(proc, target, &pids);

        if (r < 0)
                return nsm_error_set(err, r, "cannot look at the processes in /proc: %s",
                                     strerror(-r));
        for (size_t i = 0; i < pids.n; i++)
                if (pids.list[i] != getpid())
                        check_process(&q, pids.list[i]);
        return 0;
}
