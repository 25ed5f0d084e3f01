/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading what the daemon trusts: directories and files that belong to root (or
 * to the caller) and that nobody else may write. Inside tools/config only.
 */
#ifndef NSM_CONFIG_FILE_H
#define NSM_CONFIG_FILE_H

#include <stddef.h>

#include "fs/base/error.h"

/*
 * Opens a directory. A descriptor that is close-on-exec, or -ENOENT (quietly: @err
 * stays as it is), -EPERM when others may write it, or another errno.
 */
int nsm_config_open_dir(const char *path, struct nsm_error *err);

/*
 * The whole content, ended by a NUL that *ret_size does not count; the caller's
 * to free. @path is for messages, @name is looked up in @dir_fd. -ENOENT quietly;
 * -EPERM (others may write it), -EINVAL (no regular file, a NUL byte in it),
 * -EFBIG (past NSM_CONFIG_FILE_MAX).
 */
int nsm_config_read_file(int dir_fd, const char *name, const char *path, char **ret,
                         size_t *ret_size, struct nsm_error *err);

/* Names in a directory that end in .conf and do not begin with a dot, sorted. */
int nsm_config_list_dir(int dir_fd, char ***ret, size_t *ret_n);

void nsm_config_free_names(char **names, size_t n);

#endif
