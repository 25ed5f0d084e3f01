/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/wire.h"

#include <linux/fuse.h>
#include <string.h>

#include "fs/base/idmap.h"

/* Extensions of a request (protocol 7.38): at its end, each of a multiple of 8 bytes. */
struct extension {
        uint32_t size; /* with this header */
        uint32_t type;
};
#define EXTENSION_UNIT 8
#define EXTENSION_GROUPS 32

/* Copies the fixed part of a request's body. False: shorter than that. */
static bool get_body(const char *request, size_t size, void *ret, size_t body_size)
{
        if (size < sizeof(struct fuse_in_header) + body_size)
                return false;
        memcpy(ret, request + sizeof(struct fuse_in_header), body_size);
        return true;
}

/* The first group of an extension's list of them. */
static gid_t first_group(const char *list, size_t size)
{
        uint32_t groups[2]; /* their number, the first */

        if (size < sizeof groups)
                return NSM_ID_INVALID;
        memcpy(groups, list, sizeof groups);
        return groups[0] ? groups[1] : NSM_ID_INVALID;
}

static gid_t read_group(const char *request, size_t size, const struct fuse_in_header *header)
{
        size_t left = (size_t)header->total_extlen * EXTENSION_UNIT;
        struct extension extension;

        if (left > size - sizeof *header)
                return NSM_ID_INVALID;
        for (const char *at = request + size - left; left >= sizeof extension;) {
                memcpy(&extension, at, sizeof extension);
                if (extension.size < sizeof extension || extension.size > left)
                        break;
                if (extension.type == EXTENSION_GROUPS)
                        return first_group(at + sizeof extension,
                                           extension.size - sizeof extension);
                at += extension.size;
                left -= extension.size;
        }
        return NSM_ID_INVALID;
}

static bool kills_set_ids(const char *request, size_t size, uint32_t opcode)
{
        union {
                struct fuse_write_in write;
                struct fuse_open_in open;
                struct fuse_create_in create;
                struct fuse_setattr_in setattr;
        } body;

        switch (opcode) {
        case FUSE_WRITE:
                return !get_body(request, size, &body, sizeof body.write) ||
                       (body.write.write_flags & FUSE_WRITE_KILL_SUIDGID);
        case FUSE_OPEN:
                return !get_body(request, size, &body, sizeof body.open) ||
                       (body.open.open_flags & FUSE_OPEN_KILL_SUIDGID);
        case FUSE_CREATE:
                return !get_body(request, size, &body, sizeof body.create) ||
                       (body.create.open_flags & FUSE_OPEN_KILL_SUIDGID);
        case FUSE_SETATTR:
                return !get_body(request, size, &body, sizeof body.setattr) ||
                       (body.setattr.valid & FATTR_KILL_SUIDGID);
        default:
                return true;
        }
}

static bool opens(uint32_t opcode)
{
        switch (opcode) {
        case FUSE_LOOKUP:
        case FUSE_GETATTR:
        case FUSE_OPEN:
        case FUSE_CREATE:
        case FUSE_FLUSH:
        case FUSE_RELEASE:
        case FUSE_GETXATTR:
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
                return true;
        default:
                return false;
        }
}

static bool kills_set_gid(const char *request, size_t size, uint32_t opcode, uint64_t flags)
{
        struct fuse_setxattr_in body;

        return opcode != FUSE_SETXATTR || !(flags & FUSE_SETXATTR_EXT) ||
               !get_body(request, size, &body, sizeof body) ||
               (body.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID);
}

struct nsm_wire_extras nsm_wire_read_extras(const void *request, size_t size, uint64_t flags)
{
        struct fuse_in_header header;

        if (size < sizeof header)
                return NSM_WIRE_EXTRAS_UNKNOWN;
        memcpy(&header, request, sizeof header);
        return (struct nsm_wire_extras){
                .opens = opens(header.opcode),
                .kill_set_ids = kills_set_ids(request, size, header.opcode),
                .kill_set_gid = kills_set_gid(request, size, header.opcode, flags),
                .group = read_group(request, size, &header),
        };
}

bool nsm_wire_is_init(const void *request, size_t size, uint64_t *ret_unique,
                      uint64_t *ret_offered)
{
        struct fuse_in_header header;
        struct fuse_init_in init;

        if (size < sizeof header)
                return false;
        memcpy(&header, request, sizeof header);
        if (header.opcode != FUSE_INIT || !get_body(request, size, &init, sizeof init))
                return false;
        *ret_unique = header.unique;
        *ret_offered = init.flags;
        if (init.flags & FUSE_INIT_EXT)
                *ret_offered |= (uint64_t)init.flags2 << 32;
        return true;
}

#define OPCODE_STATX 52
#define STATX_BY_HANDLE 1

struct statx_in {
        uint32_t flags, reserved;
        uint64_t handle;
        uint32_t sx_flags, sx_mask;
};

/* The attributes are laid out as statx(2) has them, without what follows the devices. */
struct statx_out {
        struct fuse_out_header header;
        uint64_t valid;
        uint32_t valid_nsec, flags;
        uint64_t spare[2];
        struct statx stat;
};
_Static_assert(sizeof(struct statx_out) == NSM_WIRE_STATX_SIZE, "layout of struct fuse_statx_out");

bool nsm_wire_is_statx(const void *request, size_t size, struct nsm_wire_statx *ret)
{
        struct fuse_in_header header;
        struct statx_in body;

        if (size < sizeof header)
                return false;
        memcpy(&header, request, sizeof header);
        if (header.opcode != OPCODE_STATX || !get_body(request, size, &body, sizeof body))
                return false;
        *ret = (struct nsm_wire_statx){ .unique = header.unique, .node = header.nodeid,
                                        .by_handle = body.flags & STATX_BY_HANDLE,
                                        .handle = body.handle };
        return true;
}

size_t nsm_wire_put_statx(const struct nsm_wire_statx *request, int error, const struct statx *stx,
                          double timeout, char ret[NSM_WIRE_STATX_SIZE])
{
        struct statx_out out = { .header = { .len = sizeof out, .error = error,
                                             .unique = request->unique } };

        if (error < 0) {
                out.header.len = sizeof out.header;
        } else {
                out.valid = (uint64_t)timeout;
                out.valid_nsec = (uint32_t)((timeout - (double)out.valid) * 1e9);
                memcpy(&out.stat, stx, offsetof(struct statx, stx_mnt_id));
                out.stat.stx_mask &= STATX_BASIC_STATS | STATX_BTIME;
        }
        memcpy(ret, &out, out.header.len);
        return out.header.len;
}

uint64_t nsm_wire_extend_init(void *body, size_t size, uint64_t add)
{
        struct fuse_init_out init;

        if (size < sizeof init)
                return 0;
        memcpy(&init, body, sizeof init);
        uint64_t flags = init.flags | add;
        if (init.flags & FUSE_INIT_EXT)
                flags |= (uint64_t)init.flags2 << 32;
        if (flags >> 32)
                flags |= FUSE_INIT_EXT;
        init.flags = (uint32_t)flags;
        init.flags2 = (uint32_t)(flags >> 32);
        memcpy(body, &init, sizeof init);
        return flags;
}
