/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * S_ISUID and S_ISGID of files whose content or owner changes, and capabilities
 * of files. Who may keep them depends on the caller's groups and capabilities,
 * which the view's witness knows. The storage takes them away, in one step with
 * the change where there is one: its rules are the ones that hold. It is only to
 * see the right groups and capabilities.
 */
#ifndef NSM_OPS_SET_IDS_H
#define NSM_OPS_SET_IDS_H

#include "fs/ops/ops.h"

/*
 * A SETATTR that sets nothing, for a file that is open as @fd (of any kind). It
 * comes before a write, fallocate or copy_file_range of somebody who may not keep
 * all of the bits, or of a file with capabilities; and of chown(2) to nobody,
 * which anybody may try. Takes away what the caller would by it. 0 or -errno.
 */
int nsm_set_ids_take_away(fuse_req_t req, struct nsm_thread *thread, int fd);

/*
 * Before content of a file that is open as @fd (of any kind) is written: gives
 * the thread ids and capabilities with which the storage takes away just what is
 * to go. @kill: as the kernel says, the caller may not keep what makes a program
 * set-id; what else is to go has gone by a SETATTR. Without it everything stays.
 * 0 or -errno.
 */
int nsm_set_ids_prepare_write(struct nsm_thread *thread, int fd, bool kill);

/*
 * Before a file is registered to be written by the kernel itself, after whatever
 * SETATTR comes before a write: everything stays. 0 or -errno.
 */
int nsm_set_ids_prepare_backing(struct nsm_thread *thread);

/*
 * The same for a truncation, a change of owner or a write that no page cache takes,
 * before which no SETATTR comes. @new_gid: the group that the file is given, a
 * storage id; (gid_t)-1: it stays.
 */
int nsm_set_ids_prepare_change(fuse_req_t req, struct nsm_thread *thread, int fd, bool kill,
                               gid_t new_gid);

/*
 * Before capabilities of a file are removed: the kernel does that for chown(2) to
 * nobody, too, before it asks whether that is allowed. 0, -EPERM or -errno.
 */
int nsm_set_ids_check_removal(fuse_req_t req, int fd);

/*
 * Before an ACL is set: the storage takes S_ISGID away as for somebody who is
 * not in the file's group, or leaves it. 0 or -errno.
 */
int nsm_set_ids_prepare_acl(struct nsm_thread *thread, int fd, bool kill_set_gid);

#endif
