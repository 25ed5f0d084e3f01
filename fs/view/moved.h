/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inodes that somebody else moves on the storage. */
#ifndef NSM_VIEW_MOVED_H
#define NSM_VIEW_MOVED_H

#include "fs/view/view.h"

/*
 * A node is said to be at @name in the directory @dir now: notes it, if it is.
 * May wait for the storage; no lock of the view's may be held.
 */
void nsm_moved_note(struct nsm_view *view, uint64_t node, uint64_t dir, const char *name);

#endif
