/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What procfs tells of a thread, and what the kernel would allow it. Values and
 * text alone: nothing is read here.
 */
#ifndef NSM_WITNESS_TASK_H
#define NSM_WITNESS_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct nsm_task {
        uint32_t fsuid, fsgid;  /* as the reader's user namespace has them */
        const char *groups;     /* supplementary ones; into the text of `status` */
        uint64_t effective;     /* capabilities, in the task's own user namespace */
        uint64_t pending;       /* signals, to the thread and to its process */
        bool initial;           /* that is the reader's user namespace */
        bool maps_uid, maps_gid; /* it has the ids that are asked about */
        bool chowns;            /* waits in a system call that changes owners */
};

/* The text of /proc/PID/status (proc(5)). 0, or -EBADMSG: a line that counts is missing. */
int nsm_task_parse_status(const char *text, struct nsm_task *ret);

/* The text of /proc/PID/uid_map or gid_map: whether a host id is in it. */
bool nsm_task_map_has(const char *text, uint32_t host);

/* The text of /proc/PID/syscall: whether it is of chown's family. */
bool nsm_task_is_chowning(const char *text);

/* The text of /proc/PID/stat: the processor that it ran on last, or -EBADMSG. */
int nsm_task_parse_processor(const char *text);

/* What a task may do to an inode with this owner and group: NSM_CALLER_* bits. */
unsigned nsm_task_judge(const struct nsm_task *task, uint32_t uid, uint32_t gid);

#endif
