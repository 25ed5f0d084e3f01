/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that the kernel reads, writes and maps on the storage by itself
 * (Documentation/filesystems/fuse/fuse-passthrough.rst): the view opens them and
 * is asked no more until they change otherwise. While one open file of an inode
 * goes this way, all of them must, by the same registered file, or the kernel
 * gives EIO: so the first open file decides, and the others follow (struct
 * nsm_handle, backing).
 *
 * The kernel acts with the credentials of who registered the file: nobody's for
 * room that the storage reserves, and with CAP_FSETID, because set-id bits go by
 * a SETATTR that it sends before.
 */
#ifndef NSM_OPS_PASSTHROUGH_H
#define NSM_OPS_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>

struct nsm_fs;
struct fuse_conn_info;

/* While INIT is answered: asks for it, where it can be had. Until then it is off. */
void nsm_passthrough_ask(struct nsm_fs *fs, struct fuse_conn_info *conn);

/*
 * Registers the file @fd of the storage, any that is not O_PATH. Its number, above
 * 0; 0: the view itself serves what is read and written. When nothing of this view
 * can go this way, that is logged, once. In the calling thread's credentials.
 */
int nsm_passthrough_register(struct nsm_fs *fs, int fd);

/* Takes back one that no open file needs any more; 0 is none. */
void nsm_passthrough_unregister(struct nsm_fs *fs, int number);

/*
 * The kernel does not learn what a store through a mapping does to times: it asks
 * again, and gets them for no time at all from then on (nsm_attr_timeout()).
 */
void nsm_passthrough_forget_times(struct nsm_fs *fs, uint64_t node);

#endif
