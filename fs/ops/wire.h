/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's messages (linux/fuse.h) say and libfuse neither passes on
 * nor lets a program ask for. Pure: bytes in, values out. Every length is
 * checked against what has arrived.
 */
#ifndef NSM_OPS_WIRE_H
#define NSM_OPS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>

/* INIT flags of Linux 6.3 and 6.12, which libfuse cannot request. */
#define NSM_WIRE_CREATE_SUPP_GROUP (UINT64_C(1) << 34)
#define NSM_WIRE_ALLOW_IDMAP (UINT64_C(1) << 40)

/* The device's ioctls that register a file for passthrough (Linux 6.9, linux/fuse.h). */
struct nsm_wire_backing {
        int32_t fd;
        uint32_t flags;
        uint64_t padding;
};
#define NSM_WIRE_BACKING_OPEN _IOW(229, 1, struct nsm_wire_backing)
#define NSM_WIRE_BACKING_CLOSE _IOW(229, 2, uint32_t)

/* One request's. */
struct nsm_wire_extras {
        bool opens; /* or comes with that: no privilege decides it, or it sees to that itself */
        /*
         * WRITE, OPEN, CREATE, SETATTR: the caller may not keep set-id bits.
         * S_ISGID goes only with S_IXGRP: the caller's groups are not looked at.
         */
        bool kill_set_ids;
        /* SETXATTR of an ACL: the caller may not keep S_ISGID. */
        bool kill_set_gid;
        /*
         * What creates: the host gid of the directory's group, when it is a
         * supplementary group of the caller; NSM_ID_INVALID: it is not.
         */
        gid_t group;
};

/* What holds of a request that is not known: the safe side. */
#define NSM_WIRE_EXTRAS_UNKNOWN                                                       \
        ((struct nsm_wire_extras){ .kill_set_ids = true, .kill_set_gid = true, \
                                   .group = (gid_t)-1 })

/*
 * Reads the extras of a request, of whatever kind. @flags: what the INIT reply
 * asked for. What is missing or malformed is as in NSM_WIRE_EXTRAS_UNKNOWN.
 */
struct nsm_wire_extras nsm_wire_read_extras(const void *request, size_t size, uint64_t flags);

/* Whether it is INIT; then its number, and the flags that the kernel offers. */
bool nsm_wire_is_init(const void *request, size_t size, uint64_t *ret_unique,
                      uint64_t *ret_offered);

/* STATX (protocol 7.39), which libfuse knows since 3.18. */
struct nsm_wire_statx {
        uint64_t unique, node;
        bool by_handle;
        uint64_t handle;
};

bool nsm_wire_is_statx(const void *request, size_t size, struct nsm_wire_statx *ret);

/* Room for the reply to it. */
#define NSM_WIRE_STATX_SIZE 304

/*
 * Writes the reply to STATX: attributes as the kernel is to be shown them, for
 * @timeout seconds; or, for @error below 0, that. Returns its size.
 */
size_t nsm_wire_put_statx(const struct nsm_wire_statx *request, int error, const struct statx *stx,
                          double timeout, char ret[NSM_WIRE_STATX_SIZE]);

/*
 * Adds flags to the body of an INIT reply. Returns all
 * flags that the reply then has, or 0 when it is too short to have flags.
 */
uint64_t nsm_wire_extend_init(void *body, size_t size, uint64_t add);

#endif
