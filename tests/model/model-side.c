/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/model/model.h"

static void must(bool done, const char *what)
{
        if (!done) {
                fprintf(stderr, "model: %s: %m\n", what);
                abort();
        }
}

void model_become(int user)
{
        static const struct { uid_t uid; gid_t gid; gid_t groups[40]; int count; } users[] = {
                { 0, 0, { 0 }, 0 },
                { 1000, 1000, { 1001, 1002 }, 2 },
                { 1001, 1001, { 1000 }, 1 },
                /* More than fit into any array of a fixed size that somebody thought enough. */
                { 1002, 1000, { 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
                                1014, 1015, 1016, 1017, 1018, 1019, 1020, 1021, 1022, 1023, 1024,
                                1025, 1026, 1027, 1028, 1029, 1030, 1031, 1032, 1033, 1034, 1035,
                                1036, 1037, 1038, 1039, 1040, 1041, 1042 }, 40 },
        };

        must(seteuid(0) == 0 && setegid(0) == 0, "becoming root");
        must(setgroups((size_t)users[user].count, users[user].groups) == 0, "setgroups");
        must(setegid(users[user].gid) == 0 && seteuid(users[user].uid) == 0, "becoming a user");
        must(prctl(PR_SET_DUMPABLE, 1) == 0, "looking like one who has executed a program");
}

void model_side_open(struct model_side *side, const char *name, int fd, const char *dir)
{
        char path[64];

        memset(side, 0, sizeof *side);
        side->name = name;
        side->umask = 022;
        for (int i = 0; i < MODEL_SLOTS; i++)
                side->fd[i] = -1;
        snprintf(path, sizeof path, "%s/top", dir);
        side->top = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        must(side->top >= 0, path);
}

void model_side_begin(struct model_side *side, const char *name, int fd, const char *dir)
{
        char path[64];

        umask(0);
        snprintf(path, sizeof path, "%s/top", dir);
        /* Twice: symbolic links lead one up. */
        must(mkdirat(fd, dir, 0777) == 0 && mkdirat(fd, path, 0777) == 0, path);
        model_side_open(side, name, fd, dir);
}

void model_side_end(struct model_side *side)
{
        for (int i = 0; i < MODEL_SLOTS; i++) {
                if (side->fd[i] >= 0)
                        close(side->fd[i]);
        }
        for (int i = 0; i < MODEL_MAPS; i++) {
                if (side->map[i].at) {
                        munmap(side->map[i].at, side->map[i].length);
                        close(side->map[i].fd);
                }
        }
        close(side->top);
}

void model_run(struct model_side *side, const struct model_op *op, struct model_result *ret)
{
        ret->hash = 0;
        ret->has_stat = false;
        ret->text[0] = '\0';
        must(fchdir(side->top) == 0, "fchdir");
        model_become(op->user);
        umask(side->umask);
        errno = 0;
        ret->value = model_kinds[op->kind].run(side, op, ret);
        ret->error = ret->value == -1 ? errno : 0;
        model_become(0);
}
