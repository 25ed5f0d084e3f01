/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/witness/task.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/idmap.h"
#include "fs/witness/witness.h"

#define FIELD_PROCESSOR 39 /* of /proc/PID/stat, counted from 1: proc(5) */

/*
 * Numbers of chown, fchown, lchown, fchownat and their 32 bit kind, of x86 and
 * arm, and of the same machine's 32 bit programs. In none of these is it the
 * number of a call that changes content, so that no more has to be known.
 */
static const int chown_calls[] = {
#if defined(__x86_64__) || defined(__i386__)
        92, 93, 94, 260, /* x86-64 */
        182, 95, 16, 212, 207, 198, 298, /* i386 */
#elif defined(__aarch64__) || defined(__arm__)
        54, 55, /* arm64 */
        182, 95, 16, 212, 207, 198, 325, /* arm */
#else
        54, 55, /* asm-generic/unistd.h */
#endif
};

/* What follows @name at the start of a line, or NULL. */
static const char *find_line(const char *text, const char *name)
{
        size_t len = strlen(name);

        for (const char *line = text; line && *line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, len) == 0)
                        return line + len;
        }
        return NULL;
}

int nsm_task_parse_status(const char *text, struct nsm_task *ret)
{
        const char *uids = find_line(text, "Uid:"), *gids = find_line(text, "Gid:");
        const char *effective = find_line(text, "CapEff:"), *groups = find_line(text, "Groups:");
        const char *own = find_line(text, "SigPnd:"), *shared = find_line(text, "ShdPnd:");
        struct nsm_task task = { .groups = groups };
        uint64_t signals;

        if (!uids || !gids || !effective || !groups || !own || !shared ||
            sscanf(uids, "%*u %*u %*u %" SCNu32, &task.fsuid) != 1 ||
            sscanf(gids, "%*u %*u %*u %" SCNu32, &task.fsgid) != 1 ||
            sscanf(effective, "%" SCNx64, &task.effective) != 1 ||
            sscanf(own, "%" SCNx64, &task.pending) != 1 ||
            sscanf(shared, "%" SCNx64, &signals) != 1)
                return -EBADMSG;
        task.pending |= signals;
        *ret = task;
        return 0;
}

int nsm_task_parse_processor(const char *text)
{
        const char *at = strrchr(text, ')'); /* whatever a process calls itself */
        int field = 2, cpu;

        for (; at && field < FIELD_PROCESSOR; field++) {
                at = strchr(at, ' ');
                at = at ? at + 1 : NULL;
        }
        return at && sscanf(at, "%d", &cpu) == 1 && cpu >= 0 ? cpu : -EBADMSG;
}

bool nsm_task_map_has(const char *text, uint32_t host)
{
        unsigned long outside, count;
        int used;

        for (; sscanf(text, "%*u %lu %lu%n", &outside, &count, &used) == 2; text += used)
                if (host >= outside && host - outside < count)
                        return true;
        return false;
}

bool nsm_task_is_chowning(const char *text)
{
        char *end;
        long number = strtol(text, &end, 10);

        for (size_t i = 0; end != text && i < sizeof chown_calls / sizeof chown_calls[0]; i++)
                if (number == chown_calls[i])
                        return true;
        return false;
}

static bool has_group(const struct nsm_task *task, uint32_t gid)
{
        const char *at = task->groups;
        char *end;

        if (task->fsgid == gid)
                return true;
        for (at += strspn(at, " \t"); *at >= '0' && *at <= '9'; at = end + strspn(end, " \t"))
                if (strtoul(at, &end, 10) == gid)
                        return true;
        return false;
}

static bool is_capable(const struct nsm_task *task, int cap)
{
        return task->effective & (uint64_t)1 << cap;
}

unsigned nsm_task_judge(const struct nsm_task *task, uint32_t uid, uint32_t gid)
{
        /* kernel/capability.c, privileged_wrt_inode_uidgid(); nobody is anybody's. */
        bool rules = uid != NSM_ID_INVALID && gid != NSM_ID_INVALID &&
                     (task->initial || (task->maps_uid && task->maps_gid));
        unsigned ret = 0;

        if ((task->fsuid == uid && uid != NSM_ID_INVALID) ||
            (rules && is_capable(task, CAP_FOWNER)))
                ret |= NSM_CALLER_OWNS;
        if ((gid != NSM_ID_INVALID && has_group(task, gid)) ||
            (rules && is_capable(task, CAP_FSETID)))
                ret |= NSM_CALLER_IS_MEMBER;
        if (task->initial && is_capable(task, CAP_FSETID))
                ret |= NSM_CALLER_KEEPS_SET_IDS;
        if (task->initial && is_capable(task, CAP_SYS_ADMIN))
                ret |= NSM_CALLER_IS_ADMIN;
        if (uid != NSM_ID_INVALID && gid != NSM_ID_INVALID && !task->initial &&
            !task->maps_uid && !task->maps_gid)
                ret |= NSM_CALLER_IS_FOREIGN;
        if (task->chowns)
                ret |= NSM_CALLER_CHOWNS;
        if (task->pending & (uint64_t)1 << (SIGKILL - 1))
                ret |= NSM_CALLER_IS_KILLED;
        return ret;
}
