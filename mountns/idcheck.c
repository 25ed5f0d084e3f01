/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"
#include "mountns/target.h"

/* 340 lines of three numbers of ten digits and blanks. */
#define MAP_TEXT_MAX (NSM_IDMAP_EXTENTS_MAX * 36)

/* The child: joins, says how that went, and waits until the parent has read its maps. */
static void be_inside(int user_namespace, int link)
{
        int r = 0;
        char wait;

        /* Nothing of the container may look into this process. */
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
            setns(user_namespace, CLONE_NEWUSER) < 0)
                r = -errno;
        if (send(link, &r, sizeof r, MSG_NOSIGNAL) == sizeof r && r == 0)
                while (recv(link, &wait, 1, 0) < 0 && errno == EINTR)
                        ;
        _exit(0);
}

/* Reads the map of @child, which is that of the container @pid. */
static int check_map(pid_t child, pid_t pid, const char *name, const char *kind,
                     const struct nsm_idmap *whole, struct nsm_error *err)
{
        cleanup_idmap struct nsm_idmap map = { 0 };
        cleanup_fd int proc = nsm_proc_open(err);
        cleanup_free char *text = malloc(MAP_TEXT_MAX);
        const struct nsm_extent *first = whole->by_inside;
        struct nsm_extent bad;
        char path[48], good[48] = "";
        int r;

        if (proc < 0)
                return proc;
        if (!text)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (whole->n > 0)
                snprintf(good, sizeof good, "%u %u %u", first->inside, first->outside,
                         first->count);
        snprintf(path, sizeof path, "%d/%s", child, name);
        r = nsm_proc_read(proc, path, text, MAP_TEXT_MAX);
        if (r < 0)
                return nsm_error_set(err, r, "cannot read the container's %s: %s", name,
                                     strerror(-r));
        r = nsm_idmap_parse_proc(text, &map, err);
        if (r < 0)
                return r;
        if (map.n == 0)
                return nsm_error_set(err, -EPERM,
                                     "the container's %s is empty: write it before the container "
                                     "is attached: echo '%s' >/proc/%d/%s", name, good, pid, name);
        if (nsm_idmap_contains(whole, &map, &bad))
                return 0;
        return nsm_error_set(err, -EPERM,
                             "the container maps %s %u..%u to host ids %u..%u, which the tenant's "
                             "ids do not: start it anew and give it a map within the tenant's: "
                             "echo '%s' >/proc/PID/%s", kind, bad.inside,
                             bad.inside + (bad.count - 1), bad.outside,
                             bad.outside + (bad.count - 1), good, name);
}

int nsm_target_check_ids(const struct nsm_target *target, const struct nsm_idmap *uids,
                         const struct nsm_idmap *gids, struct nsm_error *err)
{
        cleanup_fd int ours = -1, theirs = -1, pidfd = -1;
        int pair[2], joined = -EPIPE, r;
        pid_t child;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return nsm_error_set(err, -errno, "socketpair: %s", strerror(errno));
        ours = pair[0];
        theirs = pair[1];
        child = nsm_sys_fork(0, &pidfd);
        if (child < 0)
                return nsm_error_set(err, child, "cannot fork: %s", strerror(-child));
        if (child == 0) {
                close(ours);
                be_inside(target->namespaces[NSM_NAMESPACE_USER], theirs);
        }
        nsm_close_fd(nsm_take_fd(&theirs));
        while (recv(ours, &joined, sizeof joined, 0) < 0 && errno == EINTR)
                ;
        if (joined < 0)
                r = nsm_error_set(err, joined, "cannot join the container's user namespace: %s",
                                  strerror(-joined));
        else
                r = check_map(child, target->pid, "uid_map", "users", uids, err);
        if (r == 0)
                r = check_map(child, target->pid, "gid_map", "groups", gids, err);
        nsm_close_fd(nsm_take_fd(&ours));
        while (waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 && errno == EINTR)
                ;
        return r;
}
