/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/set-ids.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * Whose changes these are to the storage: not the host's root's, whom some let
 * have the room that is reserved for it.
 */
#define NOBODY 65534

/* S_ISGID that makes nothing set-id stays, also where nobody knows better. */
#define KEEPS_SET_GID (NSM_CALLER_IS_MEMBER | NSM_CALLER_IS_FOREIGN)

/*
 * NSM_CALLER_* bits. Of whom nobody knows anything, none: then all of the bits
 * go, as after a stranger's write.
 */
static unsigned ask(fuse_req_t req, uid_t uid, gid_t gid)
{
        const struct nsm_ids *ids = &nsm_view_of(req)->config.ids;
        int r = nsm_witness_ask(nsm_fs_of(req)->witness, fuse_req_ctx(req)->pid,
                                nsm_ids_show(&ids->uids, uid), nsm_ids_show(&ids->gids, gid));

        return r < 0 ? 0 : (unsigned)r;
}

/* Without S_IXGRP it makes nothing set-id, and the file's group may keep it. */
static bool asks_for_group(mode_t mode)
{
        return (mode & (S_ISGID | S_IXGRP)) == S_ISGID;
}

/* fs/attr.c, setattr_should_drop_suidgid() */
static bool bits_go(mode_t mode, bool member)
{
        return (mode & S_ISUID) || ((mode & S_ISGID) && (!asks_for_group(mode) || !member));
}

/*
 * chown(2) by who may not change the mode that it would have to change. By which
 * ids a caller behind an id-mapped mount goes here, nobody knows.
 */
static bool is_refused(mode_t mode, unsigned caller)
{
        return (caller & NSM_CALLER_CHOWNS) && !(caller & NSM_CALLER_OWNS) &&
               !(caller & NSM_CALLER_IS_FOREIGN) && bits_go(mode, caller & NSM_CALLER_IS_MEMBER);
}

/* Without CAP_FSETID: for the storage it is somebody of the file's group, or not. */
static int become(struct nsm_thread *thread, const struct stat *st, bool member)
{
        gid_t other = st->st_gid == NOBODY ? NOBODY - 1 : NOBODY;
        int r = nsm_thread_become(thread, NOBODY, member ? st->st_gid : other);

        return r < 0 ? r : nsm_thread_join(thread, NSM_ID_INVALID);
}

/* Owner and group stay; bits and capabilities of other than directories go, and ctime moves. */
static int chown_nothing(const char *path)
{
        return chown(path, (uid_t)-1, (gid_t)-1) < 0 ? -errno : 0;
}

static int remove_capabilities(const char *path)
{
        return removexattr(path, "security.capability") < 0 && errno != ENODATA ? -errno : 0;
}

int nsm_set_ids_take_away(fuse_req_t req, struct nsm_thread *thread, int fd)
{
        struct nsm_fd_path path = nsm_fd_path(fd);
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode) || !(st.st_mode & (S_ISUID | S_ISGID)))
                return chown_nothing(path.text);
        unsigned caller = ask(req, st.st_uid, st.st_gid);
        bool member = caller & NSM_CALLER_IS_MEMBER;
        if (is_refused(st.st_mode, caller))
                return -EPERM;
        if ((caller & NSM_CALLER_CHOWNS) && (caller & NSM_CALLER_IS_FOREIGN))
                return 0;
        /* Then it was for the capabilities alone that the kernel asked. */
        if (!(caller & NSM_CALLER_CHOWNS) && (caller & NSM_CALLER_KEEPS_SET_IDS))
                return remove_capabilities(path.text);
        int r = nsm_thread_keep_set_ids(thread, false);
        if (r == 0)
                r = become(thread, &st, member);
        return r < 0 ? r : chown_nothing(path.text);
}

/* CAP_FSETID as @kill wants it; and what the bits are, where they count. */
static int look(struct nsm_thread *thread, int fd, bool kill, struct stat *ret)
{
        int r = nsm_thread_keep_set_ids(thread, !kill);

        return r == 0 && kill && fstat(fd, ret) < 0 ? -errno : r;
}

int nsm_set_ids_prepare_write(struct nsm_thread *thread, int fd, bool kill)
{
        struct stat st;
        int r = look(thread, fd, kill, &st);

        if (r < 0)
                return r;
        return kill ? become(thread, &st, true) : nsm_thread_become(thread, NOBODY, NOBODY);
}

int nsm_set_ids_prepare_backing(struct nsm_thread *thread)
{
        int r = nsm_thread_keep_set_ids(thread, true);

        /* A change of the group is saved where there is one. */
        gid_t gid = thread->gid == NSM_ID_INVALID ? NOBODY : thread->gid;
        return r < 0 ? r : nsm_thread_become(thread, NOBODY, gid);
}

int nsm_set_ids_prepare_change(fuse_req_t req, struct nsm_thread *thread, int fd, bool kill,
                               gid_t new_gid)
{
        struct stat st;
        int r = look(thread, fd, kill, &st);

        if (r < 0)
                return r;
        if (!kill)
                return nsm_thread_become(thread, NOBODY, NOBODY);
        if (!asks_for_group(st.st_mode))
                return become(thread, &st, true);
        r = become(thread, &st, ask(req, st.st_uid, st.st_gid) & KEEPS_SET_GID);
        if (r < 0 || new_gid == (gid_t)-1)
                return r;
        /* What S_ISUID leaves behind is set anew, as by somebody of the new group or not. */
        bool member = ask(req, st.st_uid, new_gid) & KEEPS_SET_GID;
        return nsm_thread_join(thread, member ? new_gid : NSM_ID_INVALID);
}

int nsm_set_ids_check_removal(fuse_req_t req, int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode) || !(st.st_mode & (S_ISUID | S_ISGID)))
                return 0;
        return is_refused(st.st_mode, ask(req, st.st_uid, st.st_gid)) ? -EPERM : 0;
}

int nsm_set_ids_prepare_acl(struct nsm_thread *thread, int fd, bool kill_set_gid)
{
        struct stat st;
        int r = nsm_thread_keep_set_ids(thread, !kill_set_gid);

        if (r < 0 || !kill_set_gid)
                return r;
        return fstat(fd, &st) < 0 ? -errno : become(thread, &st, false);
}
