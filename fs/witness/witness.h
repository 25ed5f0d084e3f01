/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The witness: a process beside a worker that tells it of a request's caller
 * what FUSE does not: whether it is in a group, what its capabilities are,
 * whether it is to be killed. Such a caller waits for its answer in the kernel,
 * so nothing of it changes meanwhile. The worker, which has no procfs of the
 * host's, asks by numbers and gets bits; no more passes between the two.
 */
#ifndef NSM_WITNESS_WITNESS_H
#define NSM_WITNESS_WITNESS_H

#include <stdint.h>
#include <sys/types.h>

/* Of a caller, with regard to an inode's owner and group. */
#define NSM_CALLER_OWNS 1u         /* as inode_owner_or_capable() has it (fs/inode.c) */
#define NSM_CALLER_IS_MEMBER 2u    /* in_group_or_capable(): also CAP_FSETID over the inode */
#define NSM_CALLER_KEEPS_SET_IDS 4u /* CAP_FSETID in the initial user namespace */
#define NSM_CALLER_IS_ADMIN 8u     /* CAP_SYS_ADMIN there */
#define NSM_CALLER_CHOWNS 16u      /* it waits in chown(2), or one of that family */
#define NSM_CALLER_IS_FOREIGN 64u  /* its user namespace has neither id: an id-mapped mount? */
#define NSM_CALLER_IS_KILLED 32u   /* it will end as soon as it is answered, or is gone */

#define NSM_WITNESS_HINT_MS 2

struct nsm_witness;

/*
 * Starts a witness, the caller's child. It sees processes by the procfs at
 * /proc, whose pid namespace must be the one that /dev/fuse tells of, and takes
 * CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH from the caller. *ret_fd is the end to
 * ask by; when that is closed, the witness ends. Single-threaded callers only, in
 * the namespaces of the host. 0 or -errno.
 */
int nsm_witness_start(int *ret_fd);

/*
 * Whoever asks by @fd, which goes to it on success; -1: whatever is asked, nobody
 * knows. Waits until the witness is ready. 0, -EPIPE: it could not be; -ETIMEDOUT,
 * -ENOMEM.
 */
int nsm_witness_new(int fd, struct nsm_witness **ret);
void nsm_witness_free(struct nsm_witness *witness);

/*
 * NSM_CALLER_* bits of the thread @pid, as the pid namespace of /dev/fuse has
 * it, with regard to an inode of these host ids (NSM_ID_INVALID: nobody's).
 * Any thread; one at a time. -EOPNOTSUPP: nobody knows; -ETIMEDOUT.
 */
int nsm_witness_ask(struct nsm_witness *witness, pid_t pid, uid_t uid, gid_t gid);

/*
 * The number of the processor that the thread @pid runs on, or ran on last. As
 * nsm_witness_ask(), but for a hint that is not worth waiting for: -ETIMEDOUT
 * comes after NSM_WITNESS_HINT_MS.
 */
int nsm_witness_ask_processor(struct nsm_witness *witness, pid_t pid);

#endif
