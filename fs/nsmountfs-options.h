/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nsmountfs is told on its command line. Pure. */
#ifndef NSM_NSMOUNTFS_OPTIONS_H
#define NSM_NSMOUNTFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/error.h"
#include "fs/view/view.h"

struct nsm_options {
        struct nsm_view_config view; /* maps owned */
        const char *source;          /* borrowed from argv; NULL for a worker */
        const char *mountpoint;
        uint64_t mount_attr; /* MOUNT_ATTR_* of a mount of one's own */
        bool atime;          /* an option about access times was given */
        bool remount;        /* change the view that is mounted at mountpoint */
        bool worker;
        bool watch; /* a watcher (fs/watch/watch.h), and nothing else */
        bool foreground;
        bool help;
        bool version;
};

/*
 * Reads argv. 0, or -EINVAL (and others of nsm_idmap_add()) with the reason.
 * Generic options of mount(8) that ask nothing of a view (rw, defaults, auto,
 * _netdev, x-*, ...) are taken and ignored.
 */
int nsm_options_parse(int argc, char **argv, struct nsm_options *ret, struct nsm_error *err);

void nsm_options_clear(struct nsm_options *options);

/* Text of --help. */
extern const char nsm_options_usage[];

#endif
