/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/model/model.h"

#define TENANT_FIRST 1610612736U /* host ids */
#define TENANT_IDS 65536U

static void must(bool done, const char *what)
{
        if (!done) {
                fprintf(stderr, "model: %s: %m\n", what);
                exit(1);
        }
}

static int run(const char *command)
{
        int status = system(command);

        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void model_place_prepare(const char *dir)
{
        char command[1024];

        must(unshare(CLONE_NEWNS) == 0, "unshare");
        must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
        must(chdir(dir) == 0, dir);
        snprintf(command, sizeof command, "mkdir disk view && truncate -s 4G image && "
                 "mke2fs -q -t ext4 -F image && mount -o loop,nosuid,nodev image disk && rm image");
        must(run(command) == 0, "ext4 on a loop device");
}

/* A user namespace with the tenant's ids: the process that made it need not live. */
static int make_user_namespace(void)
{
        char path[64], map[64], byte;
        int made[2], go[2];

        must(pipe2(made, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0, "pipe");
        pid_t pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWUSER) < 0 || write(made[1], "", 1) != 1)
                        _exit(1);
                close(go[1]);
                _exit(read(go[0], &byte, 1) != 0);
        }
        must(pid > 0 && read(made[0], &byte, 1) == 1, "user namespace");
        int n = snprintf(map, sizeof map, "0 %u %u", TENANT_FIRST, TENANT_IDS);
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof path, "/proc/%d/%cid_map", pid, "ug"[i]);
                cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
                must(write(fd, map, (size_t)n) == n, path);
        }
        snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
        int ns = open(path, O_RDONLY | O_CLOEXEC);
        must(ns >= 0, path);
        close(made[0]);
        close(made[1]);
        close(go[0]);
        close(go[1]);
        waitpid(pid, NULL, 0);
        return ns;
}

/* A detached mount of a directory of ext4, with the tenant's ids where there are some. */
static int clone_mount(const char *dir, int userns)
{
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
        int fd = open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        must(fd >= 0, "open_tree");
        if (userns >= 0)
                must(mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0, "id-mapping");
        return fd;
}

static void serve(const struct model_config *config)
{
        const char *build = getenv("NSM_BUILD_DIR");
        char program[512], options[200];

        snprintf(program, sizeof program, "%s/nsmountfs", build ? build : "build");
        snprintf(options, sizeof options, "idmap=0:%u:%u,coherence=%s",
                 config->tenant ? TENANT_FIRST : 0, TENANT_IDS,
                 config->shared ? "shared" : "exclusive");
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(program, "nsmountfs", "-f", "disk/storage", "view", "-o", options, NULL);
        perror(program);
        _exit(127);
}

void model_place_open(const struct model_config *config, struct model_place *ret)
{
        struct stat before, now;

        must(run("mkdir disk/storage disk/native") == 0 && stat("view", &before) == 0,
             "directories");
        ret->userns = config->tenant ? make_user_namespace() : -1;
        ret->native = clone_mount("disk/native", ret->userns);
        ret->storage = clone_mount("disk/storage", ret->userns);
        fflush(NULL);
        ret->worker = fork();
        if (ret->worker == 0)
                serve(config);
        do {
                must(waitpid(ret->worker, NULL, WNOHANG) == 0, "nsmountfs");
                usleep(1000);
                must(stat("view", &now) == 0, "view");
        } while (now.st_dev == before.st_dev);
        ret->view = open("view", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        must(ret->view >= 0, "view");
}

void model_place_enter(const struct model_place *place)
{
        if (place->userns < 0)
                return;
        must(setns(place->userns, CLONE_NEWUSER) == 0, "entering the user namespace");
        must(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0, "becoming the tenant's root");
}

bool model_place_close(struct model_place *place)
{
        int status;

        nsm_close_fd(place->view);
        nsm_close_fd(place->native);
        nsm_close_fd(place->storage);
        nsm_close_fd(place->userns);
        must(umount2("view", 0) == 0, "unmounting the view");
        must(waitpid(place->worker, &status, 0) == place->worker, "nsmountfs");
        must(run("rm -rf disk/storage disk/native") == 0, "removing");
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
