/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is read from the kernel's messages and put into its INIT, whatever arrives. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/idmap.h"
#include "fs/ops/wire.h"

struct message {
        size_t size;
        char bytes[256];
};

static void append(struct message *m, const void *bytes, size_t size)
{
        cr_assert(m->size + size <= sizeof m->bytes);
        memcpy(m->bytes + m->size, bytes, size);
        m->size += size;
}

static struct message message(uint32_t opcode, const void *body, size_t size)
{
        struct message m = { 0 };
        struct fuse_in_header header = { .opcode = opcode, .unique = 2 };

        append(&m, &header, sizeof header);
        append(&m, body, size);
        return m;
}

/* An extension of @type with @count words after its header, counted in the message's header. */
static void extend(struct message *m, uint32_t type, const uint32_t *words, uint32_t count)
{
        struct fuse_in_header header;
        uint32_t size = (8 + 4 * count + 7) / 8 * 8;
        const char padding[8] = { 0 };

        append(m, (uint32_t[]){ size, type }, 8);
        append(m, words, 4 * (size_t)count);
        append(m, padding, size - 8 - 4 * (size_t)count);
        memcpy(&header, m->bytes, sizeof header);
        header.total_extlen = (uint16_t)(header.total_extlen + size / 8);
        memcpy(m->bytes, &header, sizeof header);
}

static struct nsm_wire_extras extras_of(const struct message *m)
{
        /* In memory of just its size, for the address sanitizer. */
        char *copy = malloc(m->size + 1);
        memcpy(copy, m->bytes, m->size);
        struct nsm_wire_extras extras = nsm_wire_read_extras(copy, m->size, FUSE_SETXATTR_EXT);
        free(copy);
        return extras;
}

Test(view_wire, says_whether_set_ids_go)
{
        for (unsigned kill = 0; kill < 2; kill++) {
                struct fuse_write_in write = { .write_flags = kill ? 4 : 1 };
                struct fuse_open_in open = { .open_flags = kill };
                struct fuse_create_in create = { .open_flags = kill };
                struct fuse_setattr_in setattr = { .valid = kill ? FATTR_KILL_SUIDGID : 0x208 };
                struct message all[] = { message(FUSE_WRITE, &write, sizeof write),
                                         message(FUSE_OPEN, &open, sizeof open),
                                         message(FUSE_CREATE, &create, sizeof create),
                                         message(FUSE_SETATTR, &setattr, sizeof setattr) };
                for (size_t i = 0; i < 4; i++) {
                        cr_assert_eq(extras_of(&all[i]).kill_set_ids, kill);
                        all[i].size--; /* of the body: then the safe side */
                        cr_assert(extras_of(&all[i]).kill_set_ids);
                }
        }
}

Test(view_wire, says_whether_an_acl_kills_s_isgid)
{
        struct fuse_setxattr_in body = { .setxattr_flags = 0 };
        struct message m = message(FUSE_SETXATTR, &body, sizeof body);

        cr_assert_not(extras_of(&m).kill_set_gid);
        /* A kernel that was not asked for the flags sends a name in their place. */
        cr_assert(nsm_wire_read_extras(m.bytes, m.size, 0).kill_set_gid);
        body.setxattr_flags = FUSE_SETXATTR_ACL_KILL_SGID;
        m = message(FUSE_SETXATTR, &body, sizeof body);
        cr_assert(extras_of(&m).kill_set_gid);
}

Test(view_wire, finds_the_supplementary_group)
{
        struct fuse_mkdir_in body = { .mode = 0755 };
        struct message m = message(FUSE_MKDIR, &body, sizeof body);

        append(&m, "odd", 4);
        cr_assert_eq(extras_of(&m).group, NSM_ID_INVALID);
        struct message label = m;
        extend(&label, 1, (uint32_t[]){ 77, 78, 79 }, 3); /* a security context */
        cr_assert_eq(extras_of(&label).group, NSM_ID_INVALID);
        extend(&label, 32, (uint32_t[]){ 1, 4711 }, 2);
        cr_assert_eq(extras_of(&label).group, 4711);
        extend(&m, 32, (uint32_t[]){ 0, 4711 }, 2);
        cr_assert_eq(extras_of(&m).group, NSM_ID_INVALID);
}

Test(view_wire, refuses_extensions_that_lie)
{
        struct fuse_mkdir_in body = { .mode = 0755 };
        struct message m = message(FUSE_MKDIR, &body, sizeof body);
        size_t at = m.size;

        extend(&m, 32, (uint32_t[]){ 1, 4711 }, 2);
        const uint32_t sizes[] = { 0, 7, 8, 12, 17, 24, UINT32_MAX };
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                memcpy(m.bytes + at, &sizes[i], 4);
                cr_assert_eq(extras_of(&m).group, NSM_ID_INVALID, "size %u", sizes[i]);
        }
        memcpy(m.bytes + at, &(uint32_t){ 16 }, 4);
        cr_assert_eq(extras_of(&m).group, 4711);
        const uint16_t lengths[] = { 1, 5, 100, UINT16_MAX };
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                memcpy(m.bytes + offsetof(struct fuse_in_header, total_extlen), &lengths[i], 2);
                cr_assert_eq(extras_of(&m).group, NSM_ID_INVALID, "length %u", lengths[i]);
        }
}

Test(view_wire, survives_any_bytes)
{
        struct nsm_wire_statx asked;
        struct message m;
        uint64_t unique, offered;

        srandom(1);
        for (int i = 0; i < 200000; i++) {
                m.size = (size_t)random() % sizeof m.bytes;
                for (size_t at = 0; at < m.size; at++)
                        m.bytes[at] = (char)(random() % 8 ? random() % 3 : random());
                extras_of(&m);
                nsm_wire_is_init(m.bytes, m.size, &unique, &offered);
                nsm_wire_is_statx(m.bytes, m.size, &asked);
                nsm_wire_extend_init(m.bytes, m.size, NSM_WIRE_ALLOW_IDMAP);
        }
}

Test(view_wire, answers_statx)
{
        const uint32_t body[] = { 1, 0, 4711, 0, 0, STATX_BTIME };
        struct message m = message(52, body, sizeof body);
        struct nsm_wire_statx asked = { 0 };
        struct statx stx = { .stx_mask = ~0U, .stx_size = 77, .stx_dev_minor = 5,
                             .stx_mnt_id = 99 };
        char reply[NSM_WIRE_STATX_SIZE];
        struct fuse_out_header header;

        cr_assert(nsm_wire_is_statx(m.bytes, m.size, &asked));
        cr_assert(asked.unique == 2 && asked.by_handle && asked.handle == 4711);
        m.size--;
        cr_assert_not(nsm_wire_is_statx(m.bytes, m.size, &asked));
        cr_assert_eq(nsm_wire_put_statx(&asked, 0, &stx, 1.5, reply), sizeof reply);
        memcpy(&header, reply, sizeof header);
        cr_assert(header.len == sizeof reply && header.error == 0 && header.unique == 2);
        const uint64_t second[] = { 1, 500000000 };
        cr_assert_arr_eq(reply + sizeof header, second, sizeof second);
        memcpy(&stx, reply + sizeof header + 32, sizeof stx);
        cr_assert_eq(stx.stx_mask, STATX_BASIC_STATS | STATX_BTIME);
        cr_assert(stx.stx_size == 77 && stx.stx_dev_minor == 5 && stx.stx_mnt_id == 0);
        cr_assert_eq(nsm_wire_put_statx(&asked, -ESTALE, &stx, 1, reply), sizeof header);
        memcpy(&header, reply, sizeof header);
        cr_assert(header.len == sizeof header && header.error == -ESTALE);
}

Test(view_wire, knows_init_and_adds_to_its_reply)
{
        struct fuse_init_in in = { .flags = FUSE_INIT_EXT | 1, .flags2 = 1 << 8 };
        struct fuse_init_out out = { .flags = 1, .max_write = 4711 };
        uint64_t unique = 0, offered = 0;

        struct message m = message(FUSE_INIT, &in, sizeof in);
        cr_assert(nsm_wire_is_init(m.bytes, m.size, &unique, &offered));
        cr_assert_eq(unique, 2);
        cr_assert(offered & NSM_WIRE_ALLOW_IDMAP);
        cr_assert_not(offered & NSM_WIRE_CREATE_SUPP_GROUP);
        m.size--;
        cr_assert_not(nsm_wire_is_init(m.bytes, m.size, &unique, &offered));
        in.flags = 1; /* what is in flags2 then means nothing */
        m = message(FUSE_INIT, &in, sizeof in);
        cr_assert(nsm_wire_is_init(m.bytes, m.size, &unique, &offered));
        cr_assert_eq(offered, 1);
        m = message(FUSE_LOOKUP, &in, sizeof in);
        cr_assert_not(nsm_wire_is_init(m.bytes, m.size, &unique, &offered));

        cr_assert_eq(nsm_wire_extend_init(&out, sizeof out, 0), 1);
        cr_assert_eq(out.flags, 1);
        cr_assert_eq(nsm_wire_extend_init(&out, sizeof out, NSM_WIRE_ALLOW_IDMAP),
                     NSM_WIRE_ALLOW_IDMAP | FUSE_INIT_EXT | 1);
        cr_assert_eq(out.flags, FUSE_INIT_EXT | 1);
        cr_assert_eq(out.flags2, 1 << 8);
        cr_assert_eq(out.max_write, 4711);
        cr_assert_eq(nsm_wire_extend_init(&out, sizeof out - 1, 1), 0);
}
