/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host's /proc says of other processes. Everything starts from one
 * descriptor of /proc, opened before any namespace is joined; links are read
 * or opened as O_PATH, so that no filesystem of a tenant is ever asked.
 */
#ifndef NSM_MOUNTNS_PROC_H
#define NSM_MOUNTNS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"

/* Enough for status, fdinfo and comm of a process. */
#define NSM_PROC_TEXT_MAX 4096

/* Opens /proc; refuses what is no procfs of our pid namespace. A descriptor or -errno. */
int nsm_proc_open(struct nsm_error *err);

/* Reads at most @size - 1 bytes of a file below /proc, ends them with NUL; the length or -errno. */
int nsm_proc_read(int proc, const char *path, char *buffer, size_t size);

/* All numbers in a directory of @proc (".", "12/task", "12/fd"), sorted; how many, or -errno. */
int nsm_proc_list(int proc, const char *path, int **ret);

/* The inode number behind @task/ns/@name; @task is "12", "12/task/13" or "self". */
int nsm_proc_namespace(int proc, const char *task, const char *name, uint64_t *ret);

/*
 * The same of a whole process. One whose first thread has ended, while others
 * run, is asked through those: else a tenant could hide that way.
 */
int nsm_proc_namespace_of(int proc, pid_t pid, const char *name, uint64_t *ret);

/* The text of a link, ended with NUL, cut to @size; its length or -errno. */
int nsm_proc_link(int proc, const char *path, char *buffer, size_t size);

/* The mount that a link (root, cwd, fd/N, map_files/...) leads into; asks no filesystem. */
int nsm_proc_mount_id(int proc, const char *link, uint64_t *ret);

/* /proc/PID/comm without the newline; "?" when it is gone. */
void nsm_proc_command(int proc, pid_t pid, char *buffer, size_t size);

#endif
