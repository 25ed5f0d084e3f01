/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fake tenants: a world of its own for each test, with a configuration and a
 * runtime directory, host ids that no other running test has, volumes with
 * files, a supervisor, and containers whose processes pause.
 *
 *         NSM_REQUIRE();
 *         cleanup_world struct nsm_world *w = nsm_world_new();
 *         struct nsm_fake_tenant *acme = nsm_world_add_tenant(w, "acme");
 *         nsm_world_start_supervisor(w);
 *         struct nsm_fake_container *c = nsm_tenant_add_container(acme, NULL);
 *         struct nsm_output *o = nsm_world_run(w, "nsmount attach acme --pid %d", c->pid);
 *         cr_assert_eq(o->status, 0, "%s", o->err);
 *         o = nsm_container_run(c, "id -u && cat /etc/hostname");
 *         cr_assert_str_eq(o->out, "0\nacme\n");
 *
 * A guardian, a process beside the test, makes all processes (it is their
 * subreaper). When the world is freed, or the test ends in whatever way, the
 * guardian kills what the test made, unmounts what lies below the world's
 * directory, and removes that directory.
 *
 * What the harness itself cannot do, for whatever reason, ends the test: it
 * prints why to stderr and aborts. So no function here needs to be checked; a
 * result that tests want to look at is in what is returned.
 *
 * All that is returned belongs to the world and lives as long. One thread of a
 * test uses a world. Nothing here prints to stdout, which belongs to TAP.
 */
#ifndef NSM_HARNESS_HARNESS_H
#define NSM_HARNESS_HARNESS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How long anything may take that is waited for here: on a slow and busy machine, too. */
#define NSM_HARNESS_LIMIT_MS 200000

/* Host ids of one world, and of each tenant in it. */
#define NSM_WORLD_IDS 0x1000000U
#define NSM_TENANT_IDS 65536U

/*
 * What this machine lacks for integration tests (root, /dev/fuse, a built
 * program), or NULL. NSM_REQUIRE() skips a Criterion test then, or fails it
 * where nothing may be skipped: CI=true or NSM_MUST_RUN=1 in the environment.
 */
const char *nsm_harness_missing(void);
bool nsm_harness_must_run(void);
#define NSM_REQUIRE()                                        \
        do {                                                 \
                const char *missing_ = nsm_harness_missing(); \
                if (missing_ && nsm_harness_must_run())      \
                        cr_assert_fail("%s", missing_);      \
                if (missing_)                                \
                        cr_skip_test("%s", missing_);        \
        } while (0)

/* Ends the test with a reason. */
void nsm_harness_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- the world ---- */

struct nsm_world {
        const char *dir;         /* absolute; only root can enter it */
        const char *config_dir;  /* DIR/etc: nsmount.conf, tenants.d/; NSMOUNT_CONFIG */
        const char *runtime_dir; /* DIR/run: NSMOUNT_RUNTIME_DIR */
        const char *storage_dir; /* DIR/storage: STORAGE/TENANT/VOLUME */
        const char *build_dir;   /* where nsmountd, nsmountfs and nsmount are */
        const char *log;         /* DIR/nsmountd.log: stderr of all supervisors */
        uint32_t first_id;       /* first of NSM_WORLD_IDS host ids that are this world's own */
        pid_t supervisor;        /* 0 while none runs */
        struct nsm_world_private *own;
};

struct nsm_world *nsm_world_new(void);

/* Tears all down; accepts NULL. Aborts when something could not be removed. */
void nsm_world_free(struct nsm_world *world);
void nsm_world_freep(struct nsm_world **world);
#define cleanup_world __attribute__((cleanup(nsm_world_freep)))

/* ---- the supervisor ---- */

/* Starts nsmountd, and returns when its control socket answers. */
void nsm_world_start_supervisor(struct nsm_world *world);

/* Sends @sig (SIGTERM, SIGKILL, ...) and waits for the end: status as in nsm_output. */
int nsm_world_end_supervisor(struct nsm_world *world, int sig);

/* ---- commands ---- */

struct nsm_output {
        int status;     /* exit status, 128 + signal, or -ETIME when killed at the limit */
        char *out;      /* what came to stdout and stderr, NUL-terminated */
        char *err;
        size_t out_len; /* without the NUL */
        size_t err_len;
};

/*
 * Runs a shell command on the host, as root, in the world's directory:
 * nsmountd, nsmountfs and nsmount are in PATH, NSMOUNT_CONFIG and
 * NSMOUNT_RUNTIME_DIR are set, standard input is empty. Returns at its end.
 */
struct nsm_output *nsm_world_run(struct nsm_world *world, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* As nsm_world_run(), and a status other than 0 ends the test. Returns its stdout. */
const char *nsm_world_must(struct nsm_world *world, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* A command that is not waited for. */
struct nsm_process {
        pid_t pid; /* of the host; the shell's, which `exec` in the command replaces */
        struct nsm_world *world;
        int status_fd; /* readable at its end */
        int out_fd, err_fd;
};

struct nsm_process *nsm_world_spawn(struct nsm_world *world, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* Waits for the end; kills it after @limit_ms (-ETIME). Once per process. */
struct nsm_output *nsm_process_wait(struct nsm_process *process, int limit_ms);

/* ---- tenants ---- */

struct nsm_fake_tenant {
        const char *name;
        struct nsm_world *world;
        uint32_t first_id; /* host ids FIRST..FIRST+65535 are container ids 0..65535 */
        const char *root;  /* source of its volume `root` on storage */
        struct nsm_tenant_private *own;
};

/*
 * Writes tenants.d/NAME.conf with an id range of its own and a volume `root`
 * that holds a busybox system whose /etc/hostname is NAME. Storage ids are the
 * container's, unless changed by nsm_tenant_configure(). The supervisor has to
 * be started or reloaded afterwards.
 */
struct nsm_fake_tenant *nsm_world_add_tenant(struct nsm_world *world, const char *name);

/* The same with a volume `root` that is empty (mode 0755): quick, for many tenants. */
struct nsm_fake_tenant *nsm_world_add_empty_tenant(struct nsm_world *world, const char *name);

/* One more volume, an empty directory with the file `hello` in it. Returns its source. */
const char *nsm_tenant_add_volume(struct nsm_fake_tenant *tenant, const char *volume);

/* Adds lines to the section [volume @volume] ("access = ro\n"), or to [tenant] for NULL. */
void nsm_tenant_configure(struct nsm_fake_tenant *tenant, const char *volume, const char *lines);

/* Puts a busybox system into a directory, all of it owned by @first_id and up. */
void nsm_fill_busybox(const char *dir, const char *hostname, uint32_t first_id);

/* ---- containers ---- */

enum nsm_container_root {
        NSM_ROOT_HOST,  /* the host's root, as `unshare` leaves it */
        NSM_ROOT_TMPFS, /* a tmpfs with the host's /usr, /etc and /dev bound into it; writable */
};

/* All zero is the usual container. */
struct nsm_container_spec {
        int namespaces;               /* CLONE_NEW*; 0: NEWUSER | NEWNS | NEWPID */
        int more_namespaces;          /* CLONE_NEW* besides those */
        enum nsm_container_root root;
        const char *uid_map;          /* "0 100000 65536\n..."; NULL: the tenant's; "": none */
        const char *gid_map;
        bool shared;                  /* mounts propagate among themselves, as in lxc */
        const char *work_dir;         /* working directory of process 1; NULL: "/" */
};

/* A process paused in namespaces of its own, as root there, with no descriptors. */
struct nsm_fake_container {
        pid_t pid; /* of the host */
        struct nsm_world *world;
        struct nsm_fake_tenant *tenant;
};

struct nsm_fake_container *nsm_tenant_add_container(struct nsm_fake_tenant *tenant,
                                                    const struct nsm_container_spec *spec);

/* Ends all its processes, and returns when they are gone. */
void nsm_container_kill(struct nsm_fake_container *container);

/* Runs a shell command in all its namespaces, as root there, in its root directory. */
struct nsm_output *nsm_container_run(struct nsm_fake_container *container, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
const char *nsm_container_must(struct nsm_fake_container *container, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
struct nsm_process *nsm_container_spawn(struct nsm_fake_container *container, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* The text of /proc/PID/mountinfo. */
const char *nsm_container_mountinfo(struct nsm_fake_container *container);

/* ---- storage ---- */

/*
 * Makes an ext4 of @size bytes in the sparse file DIR/NAME.img and mounts it by
 * a loop device at DIR/NAME, which is returned: xattrs and ACLs on, blocks of
 * 4096 bytes, inodes of 256, no journal, one inode for every 4096 bytes, and
 * the same order of names in directories as on every other of them. So a
 * test does not depend on what /tmp is. @size: 16 MiB and more. It goes with
 * the world, whatever is still open below it.
 */
const char *nsm_world_add_ext4(struct nsm_world *world, const char *name, uint64_t size);

/* ---- functions ---- */

/*
 * Runs @fn in a forked process, which has one thread: setns(2) to a user
 * namespace refuses a Criterion test body, which has two. Its result (0 to
 * 125) is the status. What it prints is collected; a failing cr_assert would
 * not be, so return a number instead.
 */
struct nsm_output *nsm_world_call(struct nsm_world *world, int (*fn)(void *), void *arg);

/* The same inside a container. */
struct nsm_output *nsm_container_call(struct nsm_fake_container *container, int (*fn)(void *),
                                      void *arg);

/* ---- files and waiting ---- */

/* The content, NUL-terminated, owned by the world; NULL when it cannot be opened. */
const char *nsm_world_read_file(struct nsm_world *world, const char *path);

/* Makes or replaces a file. */
void nsm_world_write_file(struct nsm_world *world, const char *path, const char *text);

/* A text that lives as long as the world. */
char *nsm_world_printf(struct nsm_world *world, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* Asks every 5 ms until @condition holds; false when it never did within @limit_ms. */
bool nsm_wait_until(int limit_ms, bool (*condition)(void *), void *arg);

/* Whether a process is there and no zombie. */
bool nsm_process_lives(pid_t pid);

/* Waits until it is gone; false when it still lived after @limit_ms. */
bool nsm_process_wait_gone(pid_t pid, int limit_ms);

/* Waits until it sleeps in the system call @number (SYS_fcntl); false as above. */
bool nsm_process_wait_asleep(pid_t pid, long number, int limit_ms);

#endif
