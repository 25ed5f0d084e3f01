/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * S_ISUID and S_ISGID of files whose content changes. Who may keep them depends
 * on the caller's groups and capabilities, which the kernel alone knows. It
 * says so in two ways, and the storage is made to do as it says:
 *
 * - A flag of writes and truncations: S_ISUID goes, and S_ISGID beside S_IXGRP.
 * - Before a write, fallocate or copy_file_range, a SETATTR that sets nothing:
 *   all of them go, also S_ISGID without S_IXGRP, for the caller is not in the
 *   group; or only S_ISUID. chown(2) to nobody, which anybody may
 *   try, sends the same: so it is remembered until the same thread changes the
 *   content, and takes nothing away alone.
 */
#ifndef NSM_OPS_SET_IDS_H
#define NSM_OPS_SET_IDS_H

#include "fs/ops/ops.h"

enum nsm_set_ids {
        NSM_SET_IDS_STAY,
        NSM_SET_IDS_GO,     /* those that the flag means, and what was said before */
        NSM_SET_IDS_AS_SAID, /* only what was said before, if anything was */
};

/* Remembers that this request's caller may not keep the bits of a node. */
void nsm_set_ids_say(fuse_req_t req, fuse_ino_t node);

/*
 * Before this request changes the content of a node, which is open as @fd (of
 * any kind): gives the thread ids and capabilities with which the storage takes
 * away just what is to go. 0 or -errno.
 */
int nsm_set_ids_prepare(fuse_req_t req, struct nsm_thread *thread, fuse_ino_t node, int fd,
                        enum nsm_set_ids what);

/*
 * Before an ACL is set: the storage takes S_ISGID away as for somebody who is
 * not in the file's group, or leaves it. 0 or -errno.
 */
int nsm_set_ids_prepare_acl(struct nsm_thread *thread, int fd, bool kill_set_gid);

#endif
