/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on attributes, extended ones, ACLs and file capabilities. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/model/model.h"

MODEL_RUN(chmod)
{
        return chmod(model_path(op->path[0]), (mode_t)op->n[0]);
}

/* Of chown(-1, -1) the kernel tells a FUSE filesystem nothing. */
static bool untold(long uid, long gid)
{
        return uid == -1 && gid == -1;
}

MODEL_RUN(chown)
{
        if (untold(op->n[0], op->n[1]))
                return -1;
        return fchownat(AT_FDCWD, model_path(op->path[0]), (uid_t)op->n[0], (gid_t)op->n[1],
                        op->n[2] ? 0 : AT_SYMLINK_NOFOLLOW);
}

MODEL_RUN(fchmod)
{
        return fchmod(s->fd[op->n[0]], (mode_t)op->n[1]);
}

MODEL_RUN(fchown)
{
        if (untold(op->n[1], op->n[2]))
                return -1;
        return fchown(s->fd[op->n[0]], (uid_t)op->n[1], (gid_t)op->n[2]);
}

MODEL_RUN(umask)
{
        long before = s->umask;

        s->umask = (mode_t)op->n[0] & 0777;
        return before;
}

MODEL_RUN(utimens)
{
        struct timespec times[2] = { { op->n[0], op->n[1] }, { op->n[0] + 1, op->n[2] } };

        return utimensat(AT_FDCWD, model_path(op->path[0]), times,
                         op->n[3] ? 0 : AT_SYMLINK_NOFOLLOW);
}

/* What does not change while others write: the type is another, of course. */
MODEL_RUN(statfs)
{
        struct statfs st;

        if (statfs(model_path(op->path[0]), &st) < 0)
                return -1;
        snprintf(r->text, sizeof r->text, "%ld %ld %ld %ld %ld", (long)st.f_bsize,
                 (long)st.f_frsize, (long)st.f_blocks, (long)st.f_files, (long)st.f_namelen);
        return 0;
}

static const char *xattr_name(long n)
{
        static const char *const names[] = { "user.a", "user.b", "user.c", "user.", "nonsense",
                                             "security.nsm", "system.nonsense", "user.#",
                                             "trusted.nsm" };

        if (strchr(names[n], '#'))
                return "user.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        return names[n];
}

MODEL_RUN(setxattr)
{
        return lsetxattr(model_path(op->path[0]), xattr_name(op->n[0]),
                         model_buffer((size_t)op->n[1], op->n[0]), (size_t)op->n[1], (int)op->n[2]);
}

MODEL_RUN(fsetxattr)
{
        return fsetxattr(s->fd[op->n[0]], xattr_name(op->n[1]),
                         model_buffer((size_t)op->n[2], op->n[0]), (size_t)op->n[2], (int)op->n[3]);
}

static long got(struct model_result *r, const char *value, ssize_t n, long room)
{
        if (n > 0 && room > 0)
                r->hash = model_hash(0, value, (size_t)n);
        return n;
}

MODEL_RUN(getxattr)
{
        char *value = model_buffer((size_t)op->n[1], 0);

        return got(r, value, lgetxattr(model_path(op->path[0]), xattr_name(op->n[0]), value,
                                       (size_t)op->n[1]), op->n[1]);
}

MODEL_RUN(fgetxattr)
{
        char *value = model_buffer((size_t)op->n[2], 0);

        return got(r, value, fgetxattr(s->fd[op->n[0]], xattr_name(op->n[1]), value,
                                       (size_t)op->n[2]), op->n[2]);
}

/* The kernel does not say who lists: users see the names of trusted.* too, which is skipped. */
MODEL_RUN(listxattr)
{
        char *names = model_buffer((size_t)op->n[0], 0);
        bool user = op->user != 0;
        ssize_t n = llistxattr(model_path(op->path[0]), names, (size_t)op->n[0]);
        uint64_t sum = 0;

        /* In whatever order. */
        for (ssize_t at = 0; op->n[0] && at < n; at += (ssize_t)strlen(names + at) + 1) {
                if (!user || strncmp(names + at, "trusted.", 8) != 0)
                        sum += model_hash(0, names + at, strlen(names + at));
        }
        r->hash = user && op->n[0] < 1000 ? 0 : sum;
        return user && (n >= 0 || errno == ERANGE) ? 0 : n;
}

MODEL_RUN(removexattr)
{
        return lremovexattr(model_path(op->path[0]), xattr_name(op->n[0]));
}

struct acl {
        uint32_t version;
        struct { uint16_t tag, perm; uint32_t id; } entry[8];
};

static void add_entry(struct acl *acl, int *n, unsigned tag, long perm, unsigned id)
{
        acl->entry[*n].tag = htole16((uint16_t)tag);
        acl->entry[*n].perm = htole16((uint16_t)(perm & 7));
        acl->entry[(*n)++].id = htole32(id);
}

/* n[0]: the default one; n[1]: which, some of them malformed; n[2]: permissions. */
MODEL_RUN(setacl)
{
        const char *name = op->n[0] ? "system.posix_acl_default" : "system.posix_acl_access";
        const char *path = model_path(op->path[0]);
        struct acl acl = { .version = htole32(POSIX_ACL_XATTR_VERSION) };
        int n = 0;

        if (op->n[1] == 0)
                return lremovexattr(path, name);
        add_entry(&acl, &n, ACL_USER_OBJ, op->n[2] >> 6, ACL_UNDEFINED_ID);
        if (op->n[1] >= 3)
                add_entry(&acl, &n, ACL_USER, op->n[2] >> 3, op->n[1] == 9 ? 60000 : 1001);
        if (op->n[1] >= 4)
                add_entry(&acl, &n, ACL_USER, 7, op->n[1] == 8 ? 1000 : 1002);
        add_entry(&acl, &n, ACL_GROUP_OBJ, op->n[2] >> 3, ACL_UNDEFINED_ID);
        if (op->n[1] >= 5)
                add_entry(&acl, &n, ACL_GROUP, op->n[2], 1030);
        if (op->n[1] >= 3 && op->n[1] != 7)
                add_entry(&acl, &n, ACL_MASK, op->n[1] == 6 ? 5 : 7, ACL_UNDEFINED_ID);
        add_entry(&acl, &n, ACL_OTHER, op->n[2], ACL_UNDEFINED_ID);
        return lsetxattr(path, name, &acl, 4 + (size_t)n * 8 - (op->n[1] == 2 && op->n[2] & 1), 0);
}

/* n[0]: the root id; n[1]: version 3 rather than 2. */
MODEL_RUN(setcap)
{
        struct vfs_ns_cap_data cap = {
                .magic_etc = htole32(op->n[1] ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2),
                .data[0].permitted = htole32(1U << CAP_NET_RAW),
                .rootid = htole32((uint32_t)op->n[0]),
        };

        /* A root that is storage id 0 is stored as version 2, which may change nothing. */
        if (op->n[0] == 0 && op->n[1])
                return -1;
        return lsetxattr(model_path(op->path[0]), "security.capability", &cap,
                         op->n[1] ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2, 0);
}
