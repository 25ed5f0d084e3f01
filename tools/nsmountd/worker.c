/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "tools/nsmountd/superblock.h"

/* Where descriptors wait before they get their numbers: above all fixed ones. */
#define FD_SPARE (NSM_WORKER_FD_LAST + 10)

/* Bytes of the state that is shared with a worker. */
#define STATE_SIZE 4096

#define FUSE_MAJOR 10
#define FUSE_MINOR 229

/* The environment of a worker: what says where its log goes, and no more. */
static char **worker_environment(char *ret[8])
{
        static const char *const names[] = { "PATH", "JOURNAL_STREAM", "ASAN_OPTIONS",
                                             "UBSAN_OPTIONS", "LSAN_OPTIONS" };
        size_t n = 0;

        for (char **e = environ; e && *e; e++)
                for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                        size_t length = strlen(names[i]);

                        if (n < 7 && strncmp(*e, names[i], length) == 0 && (*e)[length] == '=')
                                ret[n++] = *e;
                }
        ret[n] = NULL;
        return ret;
}

/* Gives each descriptor of @fds (-1: none) its number; dup2 clears close-on-exec. */
static int place_descriptors(const int *fds, const int *numbers, size_t n)
{
        int spare[8];

        for (size_t i = 0; i < n; i++) {
                spare[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, FD_SPARE);
                if (fds[i] >= 0 && spare[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < n; i++)
                if (spare[i] >= 0 && dup2(spare[i], numbers[i]) < 0)
                        return -errno;
        return 0;
}

static void reset_signals(void)
{
        struct sigaction normal = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int s = 1; s < NSIG; s++)
                (void)sigaction(s, &normal, NULL);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

struct start {
        const char *program;
        char *const *argv;
        int gate;
        int fds[7];
};

/* The child, until its program starts. Exit status 127 has its reason on stderr. */
static void __attribute__((noreturn)) run_child(const struct start *start)
{
        static const int numbers[7] = { STDIN_FILENO, STDOUT_FILENO, NSM_WORKER_FD_FUSE,
                                        NSM_WORKER_FD_SOURCE, NSM_WORKER_FD_STATE,
                                        NSM_WORKER_FD_MOUNT, NSM_WORKER_FD_CHANGES };
        char *environment[8];
        char go;
        ssize_t n;

        reset_signals();
        setsid();
        do
                n = read(start->gate, &go, 1);
        while (n < 0 && errno == EINTR);
        if (n != 1)
                _exit(0); /* the supervisor has died: as if we had never been */
        if (place_descriptors(start->fds, numbers, 7) == 0)
                execve(start->program, start->argv, worker_environment(environment));
        dprintf(STDERR_FILENO, "nsmountd: %s: %s\n", start->program, strerror(errno));
        _exit(127);
}

static int make_state(struct nsm_worker_stats **ret, int *ret_fd)
{
        cleanup_fd int fd = memfd_create("nsmount-view", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct nsm_worker_stats *stats;

        /* Of fixed size: a worker that truncates it would kill us by SIGBUS. */
        if (fd < 0 || ftruncate(fd, STATE_SIZE) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        stats = mmap(NULL, STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (stats == MAP_FAILED)
                return -errno;
        stats->magic = NSM_WORKER_STATS_MAGIC;
        stats->version = NSM_WORKER_STATS_VERSION;
        *ret = stats;
        *ret_fd = nsm_take_fd(&fd);
        return 0;
}

int worker_spawn(const char *program, const char *options,
                 const struct worker_descriptors *descriptors, struct worker *ret,
                 int *ret_gate, struct nsm_error *err)
{
        char *argv[] = { (char *)"nsmountfs", (char *)"--worker", (char *)"-o", (char *)options,
                         NULL };
        struct worker worker = WORKER_NONE;
        cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        cleanup_fd int state = -1;
        cleanup_fd int gate_read = -1;
        cleanup_fd int gate_write = -1;
        int gate[2], r;

        if (null < 0 || pipe2(gate, O_CLOEXEC) < 0)
                return nsm_error_set(err, -errno, "starting a worker: %s", strerror(errno));
        gate_read = gate[0];
        gate_write = gate[1];
        r = make_state(&worker.stats, &state);
        if (r < 0)
                return nsm_error_set(err, r, "starting a worker: %s", strerror(-r));
        worker.pid = nsm_sys_fork(CLONE_NEWPID, &worker.pidfd);
        if (worker.pid == 0) {
                struct start start = { program, argv, gate_read,
                                       { null, null, descriptors->fuse, descriptors->source,
                                         state, descriptors->mount, descriptors->changes } };
                nsm_close_fd(gate_write); /* or we would wait for ourselves */
                run_child(&start);
        }
        r = worker.pid < 0 ? (int)worker.pid
                           : worker_get_start_time(worker.pid, &worker.start_time);
        if (r < 0) {
                worker.pid = worker.pid < 0 ? 0 : worker.pid;
                worker_kill(&worker, SIGKILL);
                worker_clear(&worker);
                return nsm_error_set(err, r, "starting a worker: %s", strerror(-r));
        }
        *ret = worker;
        *ret_gate = nsm_take_fd(&gate_write);
        return 0;
}

int worker_release(int *gate)
{
        ssize_t n = write(*gate, "g", 1);

        nsm_close_fd(nsm_take_fd(gate));
        return n == 1 ? 0 : -EPIPE;
}

int worker_get_start_time(pid_t pid, uint64_t *ret)
{
        char path[32], text[1024], *at;
        cleanup_fd int fd = -1;
        unsigned long long value;
        ssize_t n;

        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        n = read(fd, text, sizeof text - 1);
        if (n <= 0)
                return -ESRCH;
        text[n] = '\0';
        /* Field 22, counted behind the name, which may hold blanks and brackets. */
        at = strrchr(text, ')');
        for (int i = 2; at && i < 22; i++)
                at = strchr(at + 1, ' ');
        if (!at || sscanf(at, " %llu", &value) != 1)
                return -EIO;
        *ret = value;
        return 0;
}

static bool is_fuse_device(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
               st.st_rdev == makedev(FUSE_MAJOR, FUSE_MINOR);
}

static struct nsm_worker_stats *map_state(int fd)
{
        struct stat st;
        struct nsm_worker_stats *stats;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 || st.st_size < STATE_SIZE)
                return NULL;
        stats = mmap(NULL, STATE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
        if (stats == MAP_FAILED)
                return NULL;
        if (stats->magic == NSM_WORKER_STATS_MAGIC && stats->version == NSM_WORKER_STATS_VERSION)
                return stats;
        munmap(stats, STATE_SIZE);
        return NULL;
}

int worker_adopt(pid_t pid, uint64_t start_time, dev_t device, struct worker *ret,
                 int *ret_fuse, int *ret_mount, struct nsm_error *err)
{
        struct worker worker = { .pid = pid, .pidfd = nsm_sys_pidfd_open(pid) };
        cleanup_fd int fuse = -1;
        cleanup_fd int mount = -1;
        cleanup_fd int state = -1;
        dev_t found = 0;

        /* The pidfd first: what is read by number afterwards is then the same process, or gone. */
        if (worker.pidfd < 0)
                return -ESRCH;
        if (worker_get_start_time(pid, &worker.start_time) < 0 ||
            worker.start_time != start_time) {
                worker_clear(&worker);
                return -ESRCH;
        }
        fuse = nsm_sys_pidfd_getfd(worker.pidfd, NSM_WORKER_FD_FUSE);
        state = nsm_sys_pidfd_getfd(worker.pidfd, NSM_WORKER_FD_STATE);
        mount = nsm_sys_pidfd_getfd(worker.pidfd, NSM_WORKER_FD_MOUNT);
        if (fuse == -EPERM || fuse == -ENOSYS) {
                worker_clear(&worker);
                return nsm_error_set(err, -EPERM, "worker %d runs, and its descriptors may not be "
                                     "taken back: allow pidfd_getfd(2) (kernel.yama.ptrace_scope "
                                     "below 3, no system call filter), then start again",
                                     (int)pid);
        }
        if (fuse >= 0 && mount >= 0 && state >= 0 && is_fuse_device(fuse) &&
            superblock_get_device(mount, &found) == 0 && found == device)
                worker.stats = map_state(state);
        if (!worker.stats) {
                worker_kill(&worker, SIGKILL);
                worker_clear(&worker);
                return nsm_error_set(err, -EBADF, "worker %d does not hold what its record says: "
                                     "killed", (int)pid);
        }
        *ret = worker;
        *ret_fuse = nsm_take_fd(&fuse);
        *ret_mount = nsm_take_fd(&mount);
        return 0;
}

int worker_get_changes(const struct worker *worker, int *ret)
{
        int fd = nsm_sys_pidfd_getfd(worker->pidfd, NSM_WORKER_FD_CHANGES);

        if (fd >= 0)
                *ret = fd;
        return fd < 0 ? fd : 0;
}

enum nsm_worker_state worker_get_state(const struct worker *worker)
{
        uint32_t state = atomic_load_explicit(&worker->stats->state, memory_order_relaxed);

        return state > NSM_WORKER_STOPPING ? NSM_WORKER_STOPPING : (enum nsm_worker_state)state;
}

void worker_reap(struct worker *worker, char *text, size_t size)
{
        siginfo_t info = { 0 };

        /* An adopted one is not our child: nobody tells us how it ended. */
        if (waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
                snprintf(text, size, "ended");
        else if (info.si_code == CLD_EXITED)
                snprintf(text, size, "exit status %d", info.si_status);
        else if (info.si_status == SIGSYS)
                snprintf(text, size, "killed by its filter of system calls");
        else
                snprintf(text, size, "signal %d", info.si_status);
}

void worker_kill(const struct worker *worker, int signal)
{
        if (worker->pidfd >= 0)
                (void)nsm_sys_pidfd_send_signal(worker->pidfd, signal);
}

void worker_clear(struct worker *worker)
{
        if (worker->stats)
                munmap(worker->stats, STATE_SIZE);
        nsm_close_fd(worker->pidfd);
        *worker = (struct worker)WORKER_NONE;
}
