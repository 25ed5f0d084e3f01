/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What carries requests from the kernel to libfuse and replies back. It sees
 * the bytes of both, so it is here that a view asks the kernel for what libfuse
 * cannot ask for, and learns what libfuse leaves out of a request. How requests
 * are waited for is its business alone.
 */
#ifndef NSM_NSMOUNTFS_TRANSPORT_H
#define NSM_NSMOUNTFS_TRANSPORT_H

#include "fs/base/error.h"
#include "fs/ops/ops.h"

struct nsm_transport {
        struct nsm_fs *fs;         /* borrowed */
        struct fuse_session *fuse; /* owned, and with it the descriptor */
        /* Of INIT, which is answered before anything else is asked. */
        uint64_t init_unique;
        uint64_t init_offered;
        _Atomic uint64_t flags; /* what its reply asked for; 0 until then */
};

/*
 * Makes a libfuse session over @fuse_fd, which goes to it on success. @fs is
 * the operations' userdata. 0, or -errno with the reason.
 */
int nsm_transport_open(struct nsm_transport *ret, struct nsm_fs *fs, int fuse_fd,
                       struct nsm_error *err);

/* Ends the libfuse session. */
void nsm_transport_close(struct nsm_transport *transport);

/*
 * Waits for a request. @buf->mem is allocated on first use, and the caller's
 * to free. Any thread. Its size; 0 when the session has ended; -EINTR when a
 * signal came; -errno.
 */
int nsm_transport_receive(struct nsm_transport *transport, struct fuse_buf *buf);

/* Has the request answered, in this thread. */
void nsm_transport_process(struct nsm_transport *transport, const struct fuse_buf *buf);

#endif
