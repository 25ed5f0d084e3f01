/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/plan.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

unsigned nsm_plan_undo(const struct nsm_table *table, uint64_t graft_id, uint64_t root_id,
                       uint64_t anchor_id)
{
        struct libmnt_fs *root = root_id ? nsm_table_find(table, root_id) : NULL;
        struct libmnt_fs *stand = anchor_id ? nsm_table_find(table, anchor_id) : NULL;
        unsigned anchor = stand ? NSM_UNDO_ANCHOR : 0;

        /* The former root stands nowhere in the namespace any more. */
        if (root_id && !root)
                return NSM_UNDO_COMPLETE;
        /* It stands on the graft, which it hides: the roots are exchanged. */
        if (root && (uint64_t)mnt_fs_get_parent_id(root) == graft_id) {
                /* An anchor is shared again, then unmounted, only after all was agreed to. */
                if (anchor_id && (!stand || nsm_table_is_shared(stand)))
                        return NSM_UNDO_FINISH | anchor;
                return NSM_UNDO_PIVOT | NSM_UNDO_UNMOUNT | anchor;
        }
        if (nsm_table_find(table, graft_id))
                return NSM_UNDO_UNMOUNT | anchor | (root_id ? 0 : NSM_UNDO_DIRECTORY);
        return anchor | (root_id ? 0 : NSM_UNDO_DIRECTORY);
}

int nsm_plan_check_path(const char *path, struct nsm_error *err)
{
        const char *p = path;

        if (*path != '/')
                return nsm_error_set(err, -EINVAL, "%s is not absolute: begin with /", path);
        if (strcmp(path, "/") == 0)
                return nsm_error_set(err, -EINVAL,
                                     "/ is the root itself: leave the path out for that");
        if (strlen(path) >= PATH_MAX - 2)
                return nsm_error_set(err, -ENAMETOOLONG, "the path is too long");
        while (*p == '/') {
                size_t n = strcspn(++p, "/");

                if (n == 0)
                        return nsm_error_set(err, -EINVAL, "%s has an empty component", path);
                if (n > NAME_MAX)
                        return nsm_error_set(err, -ENAMETOOLONG,
                                             "%s has a component that is too long", path);
                if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return nsm_error_set(err, -EINVAL,
                                             "%s has . or .. in it: name the directory itself",
                                             path);
                p += n;
        }
        return 0;
}
