/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage of a known kind: tests must not depend on what /tmp is. */
#include <stdint.h>

#include "tests/harness/private.h"

#define HASH_SEED "6e736d6f-756e-7400-8000-000000000000"

const char *nsm_world_add_ext4(struct nsm_world *world, const char *name, uint64_t size)
{
        /*
         * No journal: a crash loses nothing here that anybody misses. The block
         * and inode sizes are those of any but the smallest disks. The same
         * names make a directory of the same size and order on every disk.
         */
        nsm_world_must(world,
                       "truncate -s %ju %s.img && "
                       "mkfs.ext4 -q -F -b 4096 -I 256 -i 4096 -m 0 -O ^has_journal "
                       "-E nodiscard,lazy_itable_init=1,hash_seed=" HASH_SEED " %s.img && "
                       "mkdir -m 755 %s && mount -o loop,acl,user_xattr %s.img %s",
                       (uintmax_t)size, name, name, name, name, name);
        return nsm_world_printf(world, "%s/%s", world->dir, name);
}
