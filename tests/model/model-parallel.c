/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/model/model.h"

#define PROCESSES 6
/* One that takes longer hangs. */
#define SECONDS 300

/* What no local filesystem answers to any of the operations. */
static bool is_strange(int error)
{
        return error == ESTALE || error == EIO || error == ENOTCONN || error == ECONNABORTED ||
               error == ENOSYS || error == EPROTO || error == EREMOTEIO || error == ECONNREFUSED;
}

/* As one of several: at random, in one directory with all others. */
static int act(const struct model_place *place, uint64_t seed, size_t count)
{
        struct model_side side;
        struct model_result result;
        struct model_op op;

        alarm(SECONDS);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        model_place_enter(place);
        model_side_open(&side, "the view", place->view, "model");
        for (size_t i = 0; i < count; i++) {
                model_draw(&seed, i % 4 ? MODEL_TREE : MODEL_DATA, &op);
                model_run(&side, &op, &result);
                if (is_strange(result.error)) {
                        printf("# in parallel, operation %zu gives %s: ", i,
                               strerrorname_np(result.error));
                        model_write(stdout, &op);
                        fflush(stdout);
                        return 1;
                }
        }
        model_side_end(&side);
        return 0;
}

/* How many regular files a process and its children have open. */
static int open_files(pid_t pid, char *ret_one)
{
        char path[64], children[256] = "";
        int count = 0;

        snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
        cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, children, sizeof children - 1) < 0)
                return 0;
        for (char *word = strtok(children, " "); word; word = strtok(NULL, " "))
                count += open_files(atoi(word), ret_one);
        snprintf(path, sizeof path, "/proc/%d/fd", pid);
        cleanup_dir DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));) {
                struct stat st;
                char target[512];
                ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
                target[n < 0 ? 0 : n] = '\0';
                /* Not its memory, nor its log. */
                if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
                    strstr(target, "/model/")) {
                        snprintf(ret_one, MODEL_WHY,
                                 "the worker holds what nobody has open: %.400s", target);
                        count++;
                }
        }
        return count;
}

/* The kernel releases files some time after the last close. */
static bool becomes_idle(pid_t worker, char *why)
{
        for (int i = 0; i < 5000 && open_files(worker, why) > 0; i++)
                usleep(2000);
        return open_files(worker, why) == 0;
}

bool model_parallel_run(const struct model_place *place, uint64_t seed, size_t count, char *why)
{
        struct model_side side;
        bool same = true;
        pid_t pids[PROCESSES];
        int status;

        pid_t maker = fork();
        if (maker == 0) {
                model_place_enter(place);
                model_side_begin(&side, "the view", place->view, "model");
                _exit(0);
        }
        waitpid(maker, NULL, 0);
        fflush(NULL);
        for (unsigned i = 0; i < PROCESSES; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        _exit(act(place, seed * PROCESSES + i + 1, count));
        }
        snprintf(why, MODEL_WHY, "one of several processes failed");
        for (unsigned i = 0; i < PROCESSES; i++) {
                waitpid(pids[i], &status, 0);
                same = WIFEXITED(status) && WEXITSTATUS(status) == 0 && same;
        }
        same = same && becomes_idle(place->worker, why);
        if (same) {
                pid_t comparer = fork();
                if (comparer == 0) {
                        model_place_enter(place);
                        same = model_same_trees(place->storage, place->view, true, why);
                        if (!same)
                                printf("# in parallel: %s\n", why);
                        fflush(stdout);
                        _exit(same ? 0 : 1);
                }
                waitpid(comparer, &status, 0);
                snprintf(why, MODEL_WHY, "the view and its storage differ");
                same = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        model_empty(place->view);
        return same;
}
