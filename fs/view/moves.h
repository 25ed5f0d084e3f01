/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which inodes have lost a name, and when. What is found at a name is noted some
 * time after it was looked at; meanwhile another thread may have moved or removed
 * it, and noted that. So whoever notes asks whether he was overtaken, and looks
 * again if so. Inodes share places here: that one is looked at again in vain is
 * no harm.
 */
#ifndef NSM_VIEW_MOVES_H
#define NSM_VIEW_MOVES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NSM_MOVES_PLACES 64u

struct nsm_moves {
        _Atomic uint64_t now; /* goes up with each; written under the view's lock */
        uint64_t last[NSM_MOVES_PLACES]; /* under the view's lock */
};

/* To be asked for before the storage is looked at. Any thread. */
uint64_t nsm_moves_now(const struct nsm_moves *moves);

/* An inode (nsm_identity.ino) has lost a name, on the storage and in the table. Under the lock. */
void nsm_moves_note(struct nsm_moves *moves, uint64_t ino);

/* Whether it may have lost one since nsm_moves_now() was @then. Under the lock. */
bool nsm_moves_since(const struct nsm_moves *moves, uint64_t ino, uint64_t then);

#endif
