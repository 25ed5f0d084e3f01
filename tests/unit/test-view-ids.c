/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>

#include "fs/view/ids.h"

/* Storage 0..9 are host 100000.., storage 20..29 are host 200000..; users and groups differ. */
static struct nsm_ids sample_ids(void)
{
        struct nsm_ids ids = { 0 };

        cr_assert_eq(nsm_idmap_add(&ids.uids, (struct nsm_extent){ 0, 100000, 10 }, NULL), 0);
        cr_assert_eq(nsm_idmap_add(&ids.uids, (struct nsm_extent){ 20, 200000, 10 }, NULL), 0);
        cr_assert_eq(nsm_idmap_add(&ids.gids, (struct nsm_extent){ 0, 300000, 10 }, NULL), 0);
        return ids;
}

#define cleanup_ids __attribute__((cleanup(nsm_ids_clear)))

Test(view_ids, shows_and_stores)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        uint32_t id = 7;

        cr_assert_eq(nsm_ids_show(&ids.uids, 29), 200009);
        cr_assert_eq(nsm_ids_show(&ids.uids, 10), NSM_ID_INVALID);
        cr_assert_eq(nsm_ids_show(&ids.uids, NSM_ID_INVALID), NSM_ID_INVALID);
        cr_assert_eq(nsm_ids_store(&ids.uids, 200000, &id), 0);
        cr_assert_eq(id, 20);
        cr_assert_eq(nsm_ids_store(&ids.uids, 0, &id), -EOVERFLOW);
        cr_assert_eq(nsm_ids_store(&ids.uids, NSM_ID_INVALID, &id), -EOVERFLOW);
        cr_assert_eq(id, 20);
}

struct entry {
        uint16_t tag, perm;
        uint32_t id;
};

struct acl {
        uint32_t version;
        struct entry entries[6];
};

static struct acl sample(uint32_t user, uint32_t group)
{
        return (struct acl){ htole32(2), {
                { htole16(0x01), htole16(6), htole32(UINT32_MAX) },
                { htole16(0x02), htole16(4), htole32(user) },
                { htole16(0x04), htole16(4), htole32(UINT32_MAX) },
                { htole16(0x08), htole16(5), htole32(group) },
                { htole16(0x10), htole16(7), htole32(UINT32_MAX) },
                { htole16(0x20), htole16(0), htole32(UINT32_MAX) },
        } };
}

Test(view_ids, acl_is_shifted_both_ways)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        struct acl acl = sample(25, 3), stored = sample(25, 3), shown = sample(200005, 300003);

        cr_assert_eq(nsm_ids_shift_acl(&ids, NSM_ID_OUTWARD, &acl, sizeof acl), sizeof acl);
        cr_assert_eq(memcmp(&acl, &shown, sizeof acl), 0);
        cr_assert_eq(nsm_ids_shift_acl(&ids, NSM_ID_INWARD, &acl, sizeof acl), sizeof acl);
        cr_assert_eq(memcmp(&acl, &stored, sizeof acl), 0);
}

Test(view_ids, acl_entry_without_partner)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        struct acl acl = sample(11, 3);

        cr_assert_eq(nsm_ids_shift_acl(&ids, NSM_ID_OUTWARD, &acl, sizeof acl), sizeof acl - 8,
                     "it is left out of what is shown");
        cr_assert_eq(le16toh(acl.entries[1].tag), 0x04);
        cr_assert_eq(le32toh(acl.entries[2].id), 300003);
        acl = sample(11, 300003);
        cr_assert_eq(nsm_ids_shift_acl(&ids, NSM_ID_INWARD, &acl, sizeof acl), -EOVERFLOW);
        /* Users and groups have maps of their own. */
        acl = sample(200005, 200005);
        cr_assert_eq(nsm_ids_shift_acl(&ids, NSM_ID_INWARD, &acl, sizeof acl), -EOVERFLOW);
}

Test(view_ids, acl_malformed)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        struct acl acl = sample(200005, 300003);

        for (size_t size = 0; size < sizeof acl; size++) {
                struct acl copy = acl;
                ssize_t r = nsm_ids_shift_acl(&ids, NSM_ID_INWARD, &copy, size);
                cr_assert_eq(r, size >= 4 && size % 8 == 4 ? (ssize_t)size : -EINVAL);
        }
        acl.version = htole32(1);
        cr_assert_eq(nsm_ids_shift_acl(&ids, NSM_ID_INWARD, &acl, sizeof acl), -EINVAL);
}

static struct vfs_ns_cap_data caps(uint32_t revision, uint32_t root)
{
        return (struct vfs_ns_cap_data){ .magic_etc = htole32(revision | VFS_CAP_FLAGS_EFFECTIVE),
                                         .data[0].permitted = htole32(0x2000),
                                         .rootid = htole32(root) };
}

Test(view_ids, file_caps_of_storage_root_are_version_2_there)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        struct vfs_ns_cap_data data = caps(VFS_CAP_REVISION_2, 0);

        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, &data, XATTR_CAPS_SZ_2),
                     XATTR_CAPS_SZ_3);
        cr_assert_eq(le32toh(data.magic_etc), VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE);
        cr_assert_eq(le32toh(data.rootid), 100000);
        cr_assert_eq(le32toh(data.data[0].permitted), 0x2000);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_INWARD, &data, XATTR_CAPS_SZ_3),
                     XATTR_CAPS_SZ_2);
        cr_assert_eq(le32toh(data.magic_etc), VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE);
}

Test(view_ids, file_caps_of_others)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        struct vfs_ns_cap_data data = caps(VFS_CAP_REVISION_3, 21);

        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, &data, XATTR_CAPS_SZ_3),
                     XATTR_CAPS_SZ_3);
        cr_assert_eq(le32toh(data.rootid), 200001);
        data = caps(VFS_CAP_REVISION_3, 10);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, &data, XATTR_CAPS_SZ_3),
                     -ENODATA);
        data = caps(VFS_CAP_REVISION_2, 0);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_INWARD, &data, XATTR_CAPS_SZ_2),
                     -EOVERFLOW, "the host's root is not the tenant's");
}

Test(view_ids, file_caps_of_the_hosts_root_stay_version_2)
{
        cleanup_ids struct nsm_ids ids = { 0 };
        struct vfs_ns_cap_data data = caps(VFS_CAP_REVISION_2, 0);

        nsm_idmap_add(&ids.uids, (struct nsm_extent){ 0, 0, 10 }, NULL);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, &data, XATTR_CAPS_SZ_2),
                     XATTR_CAPS_SZ_2);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_INWARD, &data, XATTR_CAPS_SZ_2),
                     XATTR_CAPS_SZ_2);
}

Test(view_ids, file_caps_malformed)
{
        cleanup_ids struct nsm_ids ids = sample_ids();
        char value[64] = { 0 };

        for (size_t size = 0; size < sizeof value; size++)
                cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, value, size), -EINVAL);
        struct vfs_ns_cap_data data = caps(VFS_CAP_REVISION_1, 0);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, &data, XATTR_CAPS_SZ_1),
                     -EINVAL);
        data = caps(VFS_CAP_REVISION_3, 0);
        cr_assert_eq(nsm_ids_shift_file_caps(&ids, NSM_ID_OUTWARD, &data, XATTR_CAPS_SZ_2),
                     -EINVAL, "version 3 is longer");
}
