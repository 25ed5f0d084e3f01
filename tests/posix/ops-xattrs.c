/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on extended attributes; ACLs and file capabilities in words. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "tests/posix/engine.h"

#define VALUE_MAX (128 << 10)
#define NO_ID 0xffffffffU

static int result(ssize_t r)
{
        return r < 0 ? -errno : (int)r;
}

/* Of what a path names, never of a link's target; or of what is open in a slot. */
static int set(struct px *px, const char *path, const char *name, const void *value, size_t size,
               int flags)
{
        struct px_path p = px_path(px, path);

        return result(p.empty ? fsetxattr(p.fd, name, value, size, flags)
                              : lsetxattr(path, name, value, size, flags));
}

static ssize_t get(struct px *px, const char *path, const char *name, void *value, size_t size)
{
        struct px_path p = px_path(px, path);

        return p.empty ? fgetxattr(p.fd, name, value, size) : lgetxattr(path, name, value, size);
}

/* setxattr PATH NAME VALUE [FLAGS]; VALUE *N: that many bytes */
static int op_setxattr(struct px *px, char **a, int n)
{
        static char bytes[VALUE_MAX];
        int flags = n > 3 ? px_flags(px, a[3]) : 0;

        if (a[2][0] != '*')
                return set(px, a[0], a[1], a[2], strlen(a[2]), flags);
        size_t size = (size_t)px_number(px, a[2] + 1);
        if (size > sizeof bytes)
                px_die(px, "more than %zu bytes", sizeof bytes);
        memset(bytes, 'x', sizeof bytes);
        return set(px, a[0], a[1], bytes, size, flags);
}

/* getxattr PATH NAME [ROOM]: the value, or the size of a long one, or the size for ROOM 0 */
static int op_getxattr(struct px *px, char **a, int n)
{
        static char bytes[VALUE_MAX];
        size_t room = n > 2 ? (size_t)px_number(px, a[2]) : sizeof bytes;
        ssize_t size = get(px, a[0], a[1], bytes, room);

        if (size >= 0 && room == 0)
                snprintf(px->text, sizeof px->text, "size-%zd", size);
        else if (size > 64)
                snprintf(px->text, sizeof px->text, "%zd-bytes", size);
        else if (size >= 0)
                snprintf(px->text, sizeof px->text, "%.*s", (int)size, size ? bytes : "");
        if (size == 0 && room)
                strcpy(px->text, "(empty)");
        return result(size);
}

static int by_text(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* listxattr PATH [ROOM]: the names in order, or the size for ROOM 0 */
static int op_listxattr(struct px *px, char **a, int n)
{
        static char bytes[VALUE_MAX];
        struct px_path p = px_path(px, a[0]);
        size_t room = n > 1 ? (size_t)px_number(px, a[1]) : sizeof bytes, used = 0, count = 0;
        ssize_t size = p.empty ? flistxattr(p.fd, bytes, room) : llistxattr(a[0], bytes, room);
        char *names[1000];

        if (size < 0)
                return -errno;
        if (room == 0)
                return (int)size;
        for (ssize_t at = 0; at < size && count < 1000; at += (ssize_t)strlen(bytes + at) + 1)
                names[count++] = bytes + at;
        qsort(names, count, sizeof *names, by_text);
        strcpy(px->text, count ? "" : "(none)");
        for (size_t i = 0; i < count && used < sizeof px->text - 300; i++)
                used += (size_t)sprintf(px->text + used, "%s%s", i ? "," : "", names[i]);
        return 0;
}

static int op_removexattr(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(p.empty ? fremovexattr(p.fd, a[1]) : lremovexattr(a[0], a[1]));
}

/* ---- ACLs ---- */

struct entry {
        uint16_t tag, perm;
        uint32_t id;
};

static const char *acl_name(struct px *px, const char *kind)
{
        if (strcmp(kind, "access") == 0)
                return "system.posix_acl_access";
        if (strcmp(kind, "default") == 0)
                return "system.posix_acl_default";
        px_die(px, "no kind of ACL: %s", kind);
}

/* "u=7", "u5=7", "g=5", "g7=3", "m=7", "o=0", "T3.5=7" (tag 3, id 5) */
static const char *parse_entry(struct px *px, const char *text, struct entry *ret)
{
        char *at = (char *)text + 1;
        bool named = *at >= '0' && *at <= '9';

        ret->id = NO_ID;
        switch (*text) {
        case 'u': ret->tag = named ? 0x02 : 0x01; break;
        case 'g': ret->tag = named ? 0x08 : 0x04; break;
        case 'm': ret->tag = 0x10; break;
        case 'o': ret->tag = 0x20; break;
        case 'T': ret->tag = (uint16_t)strtoul(at, &at, 0); at++; break;
        default: px_die(px, "no entry of an ACL: %s", text);
        }
        if (named)
                ret->id = (uint32_t)strtoul(at, &at, 10);
        if (*at != '=')
                px_die(px, "no entry of an ACL: %s", text);
        ret->perm = (uint16_t)strtoul(at + 1, &at, 8);
        return *at == ',' ? at + 1 : at;
}

/*
 * setacl PATH access|default ENTRIES [VERSION [BYTES]]: ENTRIES in this order;
 * `xN` stands for N users with an entry each; BYTES more or less than there are
 */
static int op_setacl(struct px *px, char **a, int n)
{
        static char bytes[VALUE_MAX];
        uint32_t version = n > 3 ? (uint32_t)px_number(px, a[3]) : 2;
        const char *at = a[2];
        size_t size = sizeof version;

        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, &version, sizeof version);
        while (*at) {
                struct entry e = { .tag = 0x02, .perm = 7 };
                unsigned long times = 1;
                char *end;

                if (*at == 'x') {
                        times = strtoul(at + 1, &end, 10);
                        at = *end == ',' ? end + 1 : end;
                } else {
                        at = parse_entry(px, at, &e);
                }
                for (unsigned long i = 0; i < times; i++, size += sizeof e) {
                        if (times > 1)
                                e.id = (uint32_t)(i + 1);
                        memcpy(bytes + size, &e, sizeof e);
                }
        }
        if (n > 4)
                size = (size_t)((ssize_t)size + (ssize_t)px_number(px, a[4]));
        return set(px, a[0], acl_name(px, a[1]), bytes, size, 0);
}

static size_t print_entry(struct entry e, char *ret)
{
        static const char letters[] = "?uu?g???g";

        if (e.tag == 0x10 || e.tag == 0x20)
                return (size_t)sprintf(ret, "%c=%o", e.tag == 0x10 ? 'm' : 'o', e.perm);
        char letter = e.tag < sizeof letters ? letters[e.tag] : '?';
        if (e.tag == 0x02 || e.tag == 0x08)
                return (size_t)sprintf(ret, "%c%u=%o", letter, e.id, e.perm);
        return (size_t)sprintf(ret, "%c=%o", letter, e.perm);
}

/* getacl PATH access|default: as setacl has it, or the number of many entries */
static int op_getacl(struct px *px, char **a, int n)
{
        static char bytes[VALUE_MAX];
        ssize_t size = get(px, a[0], acl_name(px, a[1]), bytes, sizeof bytes);
        size_t used = 0;

        if (size < 0)
                return -errno;
        if (size > 200) {
                snprintf(px->text, sizeof px->text, "%zd-entries", (size - 4) / 8);
                return 0;
        }
        for (ssize_t at = 4; at + 8 <= size; at += 8) {
                struct entry e;

                memcpy(&e, bytes + at, sizeof e);
                if (used)
                        px->text[used++] = ',';
                used += print_entry(e, px->text + used);
        }
        return 0;
}

/* ---- file capabilities ---- */

/* setcaps PATH v2|v3,ROOTID|v1|bad [BYTES more or less] */
static int op_setcaps(struct px *px, char **a, int n)
{
        struct vfs_ns_cap_data caps = { .data = { { .permitted = 1U << CAP_NET_RAW } } };
        const char *kind = a[1];
        size_t size = XATTR_CAPS_SZ_2;

        caps.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
        if (strncmp(kind, "v3,", 3) == 0) {
                caps.magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE;
                caps.rootid = (uint32_t)px_number(px, kind + 3);
                size = XATTR_CAPS_SZ_3;
        } else if (strcmp(kind, "v1") == 0) {
                caps.magic_etc = VFS_CAP_REVISION_1 | VFS_CAP_FLAGS_EFFECTIVE;
                size = XATTR_CAPS_SZ_1;
        } else if (strcmp(kind, "bad") == 0) {
                caps.magic_etc = 0x7f000000;
        } else if (strcmp(kind, "v2") != 0) {
                px_die(px, "no version of capabilities: %s", kind);
        }
        if (n > 2)
                size = (size_t)((ssize_t)size + (ssize_t)px_number(px, a[2]));
        return set(px, a[0], "security.capability", &caps, size, 0);
}

static int op_getcaps(struct px *px, char **a, int n)
{
        struct vfs_ns_cap_data caps = { 0 };
        ssize_t size = get(px, a[0], "security.capability", &caps, sizeof caps);

        if (size < 0)
                return -errno;
        const char *what = caps.data[0].permitted == 1U << CAP_NET_RAW ? "" : "other-";
        switch (caps.magic_etc & VFS_CAP_REVISION_MASK) {
        case VFS_CAP_REVISION_3:
                snprintf(px->text, sizeof px->text, "%sv3,%u", what, caps.rootid);
                break;
        case VFS_CAP_REVISION_2:
                snprintf(px->text, sizeof px->text, "%sv2", what);
                break;
        default:
                snprintf(px->text, sizeof px->text, "%x,%zd", caps.magic_etc, size);
        }
        return 0;
}

const struct px_operation px_ops_xattrs[] = {
        { "setxattr", op_setxattr, 3, 4 },
        { "getxattr", op_getxattr, 2, 3 },
        { "listxattr", op_listxattr, 1, 2 },
        { "removexattr", op_removexattr, 2, 2 },
        { "setacl", op_setacl, 3, 5 },
        { "getacl", op_getacl, 2, 2 },
        { "setcaps", op_setcaps, 2, 3 },
        { "getcaps", op_getcaps, 1, 1 },
        { NULL },
};
