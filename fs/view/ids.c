/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/ids.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>

#define ACL_VERSION 2u
#define ACL_TAG_USER 0x02u
#define ACL_TAG_GROUP 0x08u

struct acl_entry {
        uint16_t tag;
        uint16_t perm;
        uint32_t id;
};

_Static_assert(sizeof(struct acl_entry) == NSM_ACL_ENTRY_SIZE, "layout of posix_acl_xattr.h");
_Static_assert(sizeof(struct vfs_ns_cap_data) == NSM_FILE_CAPS_SIZE_MAX, "version 3");

void nsm_ids_clear(struct nsm_ids *ids)
{
        nsm_idmap_clear(&ids->uids);
        nsm_idmap_clear(&ids->gids);
}

uint32_t nsm_ids_show(const struct nsm_idmap *map, uint32_t storage_id)
{
        uint32_t host = NSM_ID_INVALID;

        nsm_idmap_shift(map, NSM_ID_OUTWARD, storage_id, &host);
        return host;
}

int nsm_ids_store(const struct nsm_idmap *map, uint32_t host_id, uint32_t *ret)
{
        return nsm_idmap_shift(map, NSM_ID_INWARD, host_id, ret);
}

/* Shifts one entry. 1 when it stays, 0 when it is left out, or -EOVERFLOW. */
static int shift_entry(const struct nsm_ids *ids, enum nsm_id_direction direction,
                       struct acl_entry *entry)
{
        uint16_t tag = le16toh(entry->tag);
        uint32_t id;

        if (tag != ACL_TAG_USER && tag != ACL_TAG_GROUP)
                return 1;
        int r = nsm_idmap_shift(tag == ACL_TAG_USER ? &ids->uids : &ids->gids, direction,
                                le32toh(entry->id), &id);
        if (r < 0)
                return direction == NSM_ID_INWARD ? r : 0;
        entry->id = htole32(id);
        return 1;
}

ssize_t nsm_ids_shift_acl(const struct nsm_ids *ids, enum nsm_id_direction direction,
                          void *value, size_t size)
{
        char *bytes = value;
        uint32_t version;
        size_t out = NSM_ACL_HEADER_SIZE;

        if (size < NSM_ACL_HEADER_SIZE || (size - NSM_ACL_HEADER_SIZE) % NSM_ACL_ENTRY_SIZE)
                return -EINVAL;
        memcpy(&version, bytes, sizeof version);
        if (le32toh(version) != ACL_VERSION)
                return -EINVAL;
        for (size_t in = NSM_ACL_HEADER_SIZE; in < size; in += NSM_ACL_ENTRY_SIZE) {
                struct acl_entry entry;

                memcpy(&entry, bytes + in, sizeof entry);
                int stays = shift_entry(ids, direction, &entry);
                if (stays < 0)
                        return stays;
                if (stays) {
                        memcpy(bytes + out, &entry, sizeof entry);
                        out += NSM_ACL_ENTRY_SIZE;
                }
        }
        return (ssize_t)out;
}

ssize_t nsm_ids_shift_file_caps(const struct nsm_ids *ids, enum nsm_id_direction direction,
                                void *value, size_t size)
{
        struct vfs_ns_cap_data data = { 0 };
        uint32_t root;

        if (size != XATTR_CAPS_SZ_2 && size != XATTR_CAPS_SZ_3)
                return -EINVAL;
        memcpy(&data, value, size);
        uint32_t magic = le32toh(data.magic_etc);
        uint32_t revision = magic & VFS_CAP_REVISION_MASK;
        if (revision != (size == XATTR_CAPS_SZ_2 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3))
                return -EINVAL;

        int r = nsm_idmap_shift(&ids->uids, direction, le32toh(data.rootid), &root);
        if (r < 0)
                return direction == NSM_ID_INWARD ? r : -ENODATA;
        size_t out = root ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2;
        magic = (magic & VFS_CAP_FLAGS_MASK) | (root ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2);
        data.magic_etc = htole32(magic);
        data.rootid = htole32(root);
        memcpy(value, &data, out);
        return (ssize_t)out;
}
