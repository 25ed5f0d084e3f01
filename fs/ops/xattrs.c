/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes. Those that hold ids are shifted. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/base/cleanup.h"
#include "fs/ops/set-ids.h"
#include "fs/view/resolve.h"

/*
 * KIND_ADMIN takes CAP_SYS_ADMIN in the initial user namespace, which the kernel
 * has asked of the caller: for trusted.* in any case (fs/xattr.c,
 * xattr_permission), for security.* when it is set or removed
 * (security/commoncap.c, cap_inode_setxattr).
 */
enum kind { KIND_PLAIN, KIND_ACL, KIND_FILE_CAPS, KIND_ADMIN };

static bool has_prefix(const char *name, const char *prefix)
{
        return strncmp(name, prefix, strlen(prefix)) == 0;
}

static enum kind kind_of(const char *name)
{
        if (strcmp(name, "system.posix_acl_access") == 0 ||
            strcmp(name, "system.posix_acl_default") == 0)
                return KIND_ACL;
        if (strcmp(name, "security.capability") == 0)
                return KIND_FILE_CAPS;
        return has_prefix(name, "trusted.") || has_prefix(name, "security.") ? KIND_ADMIN
                                                                             : KIND_PLAIN;
}

static int raise_for(struct nsm_thread *thread, enum kind kind)
{
        return kind == KIND_ADMIN ? nsm_thread_raise(thread, CAP_SYS_ADMIN) : 0;
}

static ssize_t shift(const struct nsm_view *view, enum kind kind, enum nsm_id_direction direction,
                     void *value, size_t size)
{
        if (kind == KIND_ACL)
                return nsm_ids_shift_acl(&view->config.ids, direction, value, size);
        if (kind == KIND_FILE_CAPS)
                return nsm_ids_shift_file_caps(&view->config.ids, direction, value, size);
        return (ssize_t)size;
}

/* An O_PATH descriptor to act on by nsm_fd_path(). */
static int hold(struct nsm_view *view, fuse_ino_t node, int *ret_fd)
{
        return nsm_thread_get(view) ? nsm_node_open(view, node, O_PATH, ret_fd, NULL) : -errno;
}

/* Replies with a value, or with its size when that was asked (@room 0). */
static void reply_value(fuse_req_t req, ssize_t n, const char *value, size_t room)
{
        if (n >= 0 && room && (size_t)n > room)
                n = -ERANGE;
        if (n < 0)
                nsm_reply(req, (int)n);
        else if (room)
                fuse_reply_buf(req, value, (size_t)n);
        else
                fuse_reply_xattr(req, (size_t)n);
}

/* Values with ids change their size, so they are read whole even for that. */
static ssize_t get_value(struct nsm_view *view, struct nsm_thread *thread, fuse_ino_t node,
                         const char *name, char *buffer, size_t size)
{
        enum kind kind = kind_of(name);
        cleanup_fd int fd = -1;

        int r = hold(view, node, &fd);
        if (r < 0)
                return r == -EXDEV ? -ENODATA : r;
        r = raise_for(thread, kind);
        if (r < 0)
                return r;
        ssize_t n = getxattr(nsm_fd_path(fd).text, name, buffer, size);
        r = -errno;
        if (kind == KIND_ADMIN) /* else it makes no difference: let the next open have it */
                nsm_thread_lower(thread, CAP_SYS_ADMIN);
        if (n < 0)
                return r;
        return size ? shift(view, kind, NSM_ID_OUTWARD, buffer, (size_t)n) : n;
}

void nsm_op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
        struct nsm_view *view = nsm_view_of(req);
        struct nsm_thread *thread = nsm_thread_get(view);
        enum kind kind = kind_of(name);
        size_t room = size;

        if (kind == KIND_ACL || kind == KIND_FILE_CAPS || size > NSM_XATTR_BYTES_MAX)
                room = NSM_XATTR_BYTES_MAX;
        char *buffer = thread ? nsm_thread_buffer(thread, room) : NULL;
        if (!thread || (room && !buffer)) {
                nsm_reply(req, -ENOMEM);
                return;
        }
        reply_value(req, get_value(view, thread, node, name, buffer, room), buffer, size);
}

/* Whether the caller is one to whom a storage lists trusted.*: CAP_SYS_ADMIN of the host. */
static bool is_admin(fuse_req_t req)
{
        int r = nsm_witness_ask(nsm_fs_of(req)->witness, fuse_req_ctx(req)->pid, NSM_ID_INVALID,
                                NSM_ID_INVALID);

        return r >= 0 && (r & NSM_CALLER_IS_ADMIN);
}

/* With the capability, or as a tenant. */
static ssize_t list_as(struct nsm_thread *thread, enum kind kind, int fd, char *buffer,
                       size_t room)
{
        int r = raise_for(thread, kind);

        if (r < 0)
                return r;
        ssize_t n = listxattr(nsm_fd_path(fd).text, buffer, room);
        r = -errno;
        nsm_thread_lower(thread, CAP_SYS_ADMIN);
        return n < 0 ? r : n;
}

/* Who asks is only asked where it makes a difference. */
static ssize_t list_names(fuse_req_t req, struct nsm_thread *thread, fuse_ino_t node, char *buffer,
                          size_t room)
{
        cleanup_fd int fd = -1;

        int r = hold(nsm_view_of(req), node, &fd);
        if (r < 0)
                return r == -EXDEV ? 0 : r;
        ssize_t n = list_as(thread, KIND_PLAIN, fd, buffer, room);
        if (n >= 0 && list_as(thread, KIND_ADMIN, fd, NULL, 0) > n && is_admin(req))
                n = list_as(thread, KIND_ADMIN, fd, buffer, room);
        return n;
}

void nsm_op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
        struct nsm_thread *thread = nsm_thread_get(nsm_view_of(req));
        size_t room = size > NSM_XATTR_BYTES_MAX ? NSM_XATTR_BYTES_MAX : size;
        char *buffer = thread && room ? nsm_thread_buffer(thread, room) : NULL;

        if (!thread || (room && !buffer))
                nsm_reply(req, -ENOMEM);
        else
                reply_value(req, list_names(req, thread, node, buffer, room), buffer, size);
}

static int set_value(fuse_req_t req, fuse_ino_t node, const char *name, const char *value,
                     size_t size, int flags)
{
        struct nsm_view *view = nsm_view_of(req);
        struct nsm_thread *thread = nsm_thread_get(view);
        enum kind kind = kind_of(name);
        cleanup_fd int fd = -1;

        if (!thread)
                return -errno;
        if (view->config.read_only)
                return -EROFS;
        if (size > NSM_XATTR_BYTES_MAX)
                return -E2BIG;
        size_t room = size > NSM_FILE_CAPS_SIZE_MAX ? size : NSM_FILE_CAPS_SIZE_MAX;
        char *copy = nsm_thread_buffer(thread, room);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, value, size);
        ssize_t n = shift(view, kind, NSM_ID_INWARD, copy, size);
        int r = n < 0 ? (int)n : hold(view, node, &fd);
        if (r == 0 && kind == KIND_ACL)
                r = nsm_set_ids_prepare_acl(thread, fd, nsm_extras_of(req).kill_set_gid);
        if (r == 0)
                r = raise_for(thread, kind);
        if (r == 0 && setxattr(nsm_fd_path(fd).text, name, copy, (size_t)n, flags) < 0)
                r = -errno;
        nsm_thread_lower(thread, CAP_SYS_ADMIN);
        return r;
}

void nsm_op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name, const char *value,
                     size_t size, int flags)
{
        int r = set_value(req, node, name, value, size, flags);

        nsm_op_forget_listing(nsm_fs_of(req), node);
        nsm_reply(req, r);
}

static int remove_value(fuse_req_t req, fuse_ino_t node, const char *name)
{
        struct nsm_view *view = nsm_view_of(req);
        struct nsm_thread *thread = nsm_thread_get(view);
        cleanup_fd int fd = -1;

        if (!thread)
                return -errno;
        if (view->config.read_only)
                return -EROFS;
        int r = hold(view, node, &fd);
        if (r == 0 && kind_of(name) == KIND_FILE_CAPS)
                r = nsm_set_ids_check_removal(req, fd);
        if (r == 0)
                r = raise_for(thread, kind_of(name));
        if (r == 0 && removexattr(nsm_fd_path(fd).text, name) < 0)
                r = -errno;
        nsm_thread_lower(thread, CAP_SYS_ADMIN);
        return r;
}

void nsm_op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name)
{
        int r = remove_value(req, node, name);

        nsm_op_forget_listing(nsm_fs_of(req), node);
        nsm_reply(req, r);
}
