/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers of the harness: making the first process, and entering. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "tests/harness/guardian.h"
#include "tests/harness/harness.h"

static int write_map(pid_t pid, const char *which, const char *text)
{
        char path[64];
        cleanup_fd int fd = -1;

        if (!*text)
                return 0;
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return -errno;
        return 0;
}

/* Root's ids, where the user namespace maps them. */
static void become_root(void)
{
        setgroups(0, NULL);
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return;
}

/* A directory of the host's root, or the symlink that stands for it (/bin). */
static int take_over(const char *name)
{
        char from[64], link[64];
        struct stat st;

        snprintf(from, sizeof(from), "/%s", name);
        if (lstat(from, &st) < 0)
                return 0;
        if (S_ISLNK(st.st_mode)) {
                ssize_t n = readlink(from, link, sizeof(link) - 1);
                if (n < 0)
                        return -errno;
                link[n] = '\0';
                return symlink(link, name) < 0 ? -errno : 0;
        }
        if (mkdir(name, 0755) < 0 || mount(from, name, NULL, MS_BIND | MS_REC, NULL) < 0)
                return -errno;
        return 0;
}

static int make_tmpfs_root(bool own_pids)
{
        static const char *const taken[] = {"usr", "bin", "sbin", "lib", "lib64", "etc", "dev"};

        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0755") < 0 || chdir("/tmp") < 0)
                return -errno;
        for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++) {
                int r = take_over(taken[i]);
                if (r < 0)
                        return r;
        }
        if (mkdir("proc", 0755) < 0 || mkdir("tmp", 01777) < 0 || mkdir("run", 0755) < 0)
                return -errno;
        if (own_pids && mount("proc", "proc", "proc", 0, NULL) < 0)
                return -errno;
        if (nsm_sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return -errno;
        return 0;
}

static int set_up(const struct nsm_guardian_request *request, const char *work_dir)
{
        int flags = request->namespaces;

        become_root();
        if (flags & CLONE_NEWNS) {
                if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                        return -errno;
                if (request->root == NSM_ROOT_TMPFS) {
                        int r = make_tmpfs_root(flags & CLONE_NEWPID);
                        if (r < 0)
                                return r;
                } else if (flags & CLONE_NEWPID) {
                        /* As unshare --mount-proc; not where the host's is partly covered. */
                        if (mount("proc", "/proc", "proc", 0, NULL) < 0 && errno != EPERM)
                                return -errno;
                }
                if (request->shared && mount("none", "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
                        return -errno;
        }
        return chdir(*work_dir ? work_dir : "/") < 0 ? -errno : 0;
}

__attribute__((noreturn)) static void be_first(const struct nsm_guardian_request *request,
                                               const char *work_dir, int go, int ready)
{
        char c;
        int r;
        sigset_t none;

        if (read(go, &c, 1) != 1)
                _exit(1);
        r = set_up(request, work_dir);
        if (write(ready, &r, sizeof(r)) != sizeof(r) || r < 0)
                _exit(1);
        prctl(PR_SET_NAME, "init");
        prctl(PR_SET_DUMPABLE, 1);
        signal(SIGTERM, SIG_DFL);
        signal(SIGCHLD, SIG_IGN); /* orphans are reaped by themselves */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        close_range(0, UINT_MAX, 0);
        for (;;)
                pause();
}

/* The parent's half: maps, then go, then what the child says. */
static int lead(const struct nsm_guardian_request *request, pid_t pid, const char *uid_map,
                const char *gid_map, int go, int ready, struct nsm_guardian_reply *reply)
{
        int r = 0;

        if (request->namespaces & CLONE_NEWUSER) {
                r = write_map(pid, "gid_map", gid_map);
                if (r == 0)
                        r = write_map(pid, "uid_map", uid_map);
                if (r < 0) {
                        snprintf(reply->text, sizeof(reply->text), "writing the id maps");
                        return r;
                }
        }
        if (write(go, "", 1) != 1)
                return -errno;
        if (read(ready, &r, sizeof(r)) != sizeof(r))
                r = -ECHILD;
        if (r < 0)
                snprintf(reply->text, sizeof(reply->text), "setting up inside the container");
        return r;
}

/* A copy of our mounts without those beside the world: what it copies in turn is its own. */
static int leave_others_mounts(const char *world_dir)
{
        char beside[PATH_MAX], *slash;

        snprintf(beside, sizeof(beside), "%s", world_dir);
        slash = strrchr(beside, '/');
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        if (!slash || slash == beside)
                return 0;
        *slash = '\0';
        return nsm_guardian_unmount(beside, false);
}

/* clone(2) from such a copy; the caller itself comes back. 0 in the child. */
static pid_t fork_container(int namespaces, const char *world_dir, int *ret_pidfd)
{
        cleanup_fd int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        pid_t pid;
        int r;

        if (!(namespaces & CLONE_NEWNS))
                return nsm_sys_fork((uint64_t)namespaces, ret_pidfd);
        if (mounts < 0 || here < 0)
                return -errno;
        r = leave_others_mounts(world_dir);
        pid = r < 0 ? r : nsm_sys_fork((uint64_t)namespaces, ret_pidfd);
        if (pid == 0)
                return 0;
        if (setns(mounts, CLONE_NEWNS) < 0 || fchdir(here) < 0)
                return -errno;
        return pid;
}

int nsm_guardian_make_container(const struct nsm_guardian_request *request, const char *world_dir,
                                const char *uid_map, const char *gid_map, const char *work_dir,
                                struct nsm_guardian_reply *reply)
{
        cleanup_fd int pidfd = -1, go_r = -1, go_w = -1, ready_r = -1, ready_w = -1;
        int go[2], ready[2], r;
        pid_t pid;

        if (pipe2(go, O_CLOEXEC) < 0)
                return -errno;
        go_r = go[0];
        go_w = go[1];
        if (pipe2(ready, O_CLOEXEC) < 0)
                return -errno;
        ready_r = ready[0];
        ready_w = ready[1];
        pid = fork_container(request->namespaces, world_dir, &pidfd);
        if (pid < 0) {
                snprintf(reply->text, sizeof(reply->text), "clone with new namespaces");
                return pid;
        }
        if (pid == 0)
                be_first(request, work_dir, go_r, ready_w);
        close(nsm_take_fd(&ready_w));
        r = lead(request, pid, uid_map, gid_map, go_w, ready_r, reply);
        if (r < 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                return r;
        }
        reply->pid = pid;
        return 0;
}

int nsm_guardian_enter(pid_t pid)
{
        static const struct {
                const char *name;
                int flag;
        } kinds[] = {
                {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID},
                {"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
                {"cgroup", CLONE_NEWCGROUP},
        };
        int flags = 0;
        cleanup_fd int pidfd = nsm_sys_pidfd_open(pid);

        if (pidfd < 0)
                return pidfd;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
                char path[64];
                struct stat theirs, ours;

                snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kinds[i].name);
                if (stat(path, &theirs) < 0)
                        return -errno;
                snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
                if (stat(path, &ours) < 0)
                        return -errno;
                if (theirs.st_ino != ours.st_ino)
                        flags |= kinds[i].flag;
        }
        if (flags && setns(pidfd, flags) < 0)
                return -errno;
        if (flags & CLONE_NEWUSER)
                become_root();
        return chdir("/") < 0 ? -errno : 0;
}
