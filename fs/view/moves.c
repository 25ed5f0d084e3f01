/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/moves.h"

/* Inode numbers come in runs, so that their last digits are as good as any hash. */
static unsigned place_of(uint64_t ino)
{
        return ino % NSM_MOVES_PLACES;
}

uint64_t nsm_moves_now(const struct nsm_moves *moves)
{
        return atomic_load(&moves->now);
}

void nsm_moves_note(struct nsm_moves *moves, uint64_t ino)
{
        moves->last[place_of(ino)] = atomic_fetch_add(&moves->now, 1) + 1;
}

bool nsm_moves_since(const struct nsm_moves *moves, uint64_t ino, uint64_t then)
{
        return moves->last[place_of(ino)] > then;
}
