/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes and descriptors over a connected unix stream socket: the only code of
 * the control socket that calls recvmsg(2) and sendmsg(2). Both ends use it.
 */
#ifndef NSM_CONTROL_CHANNEL_H
#define NSM_CONTROL_CHANNEL_H

#include <stddef.h>
#include <sys/types.h>

#include "tools/control/message.h"

/*
 * Reads once and feeds @input. 1 when bytes came, 0 at the end of the stream,
 * else a negative errno: -EAGAIN (nothing there), -E2BIG (too many
 * descriptors; those that came are closed).
 */
int nsm_channel_receive(int fd, struct nsm_input *input);

/*
 * Sends once, without SIGPIPE; the descriptors travel with the first byte.
 * Returns how many bytes went, or a negative errno.
 */
ssize_t nsm_channel_send(int fd, const char *bytes, size_t n, const int *fds, size_t n_fds);

/*
 * Opens @runtime_dir, and fills @path (of sun_path's size) with a name of the
 * control socket in it that always fits. The descriptor must live as long as
 * the path is used. A descriptor or a negative errno; does not follow a
 * symbolic link in the last component.
 */
int nsm_channel_open_directory(const char *runtime_dir, char *path, size_t size);

#endif
