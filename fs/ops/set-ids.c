/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/set-ids.h"

#include <errno.h>

/* Several callers were told of: whoever comes next is taken for one of them. */
#define ANYBODY UINT32_MAX

void nsm_set_ids_say(fuse_req_t req, fuse_ino_t node)
{
        struct nsm_view *view = nsm_view_of(req);
        uint32_t pid = (uint32_t)fuse_req_ctx(req)->pid;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (inode)
                inode->stripper = pid && (!inode->stripper || inode->stripper == pid) ? pid
                                                                                      : ANYBODY;
        pthread_mutex_unlock(&view->lock);
}

/* Whether it was said of this request's caller; forgets it. */
static bool take_said(fuse_req_t req, fuse_ino_t node)
{
        struct nsm_view *view = nsm_view_of(req);
        uint32_t pid = (uint32_t)fuse_req_ctx(req)->pid;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        bool said = inode && inode->stripper &&
                    (inode->stripper == pid || inode->stripper == ANYBODY);
        if (said)
                inode->stripper = 0;
        pthread_mutex_unlock(&view->lock);
        return said;
}

static int become_stranger(struct nsm_thread *thread, const struct stat *st)
{
        int r = nsm_thread_become(thread, st->st_uid, st->st_gid == 0 ? 1 : 0);

        return r < 0 ? r : nsm_thread_join(thread, NSM_ID_INVALID);
}

/*
 * Whether S_ISGID without S_IXGRP goes, too, as for who is not in the group. It
 * was said that something goes; where that may be S_ISUID alone, the caller is
 * taken for the one of the owner, the group and the others whom the mode lets in.
 */
static bool is_stranger(const struct stat *st)
{
        return !(st->st_mode & S_ISUID) || (st->st_mode & S_IWOTH);
}

int nsm_set_ids_prepare(fuse_req_t req, struct nsm_thread *thread, fuse_ino_t node, int fd,
                        enum nsm_set_ids what)
{
        struct stat st;

        if (what == NSM_SET_IDS_STAY)
                return nsm_thread_keep_set_ids(thread, true);
        if (fstat(fd, &st) < 0)
                return -errno;
        bool bits = st.st_mode & (S_ISUID | S_ISGID);
        bool said = bits && take_said(req, node);
        int r = bits || what == NSM_SET_IDS_GO
                ? nsm_thread_keep_set_ids(thread, what == NSM_SET_IDS_AS_SAID && !said) : 0;
        if (r < 0 || !bits)
                return r;
        return said && is_stranger(&st) ? become_stranger(thread, &st)
                                        : nsm_thread_become(thread, st.st_uid, st.st_gid);
}

int nsm_set_ids_prepare_acl(struct nsm_thread *thread, int fd, bool kill_set_gid)
{
        struct stat st;
        int r = nsm_thread_keep_set_ids(thread, !kill_set_gid);

        if (r < 0 || !kill_set_gid)
                return r;
        return fstat(fd, &st) < 0 ? -errno : become_stranger(thread, &st);
}
