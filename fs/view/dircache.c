/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/dircache.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/base/cleanup.h"

static void list_remove(struct nsm_dircache *cache, uint32_t slot)
{
        struct nsm_dircache_slot *s = cache->slots;

        s[s[slot].prev].next = s[slot].next;
        s[s[slot].next].prev = s[slot].prev;
}

static void list_insert(struct nsm_dircache *cache, uint32_t slot)
{
        struct nsm_dircache_slot *s = cache->slots;

        s[slot].prev = 0;
        s[slot].next = s[0].next;
        s[s[0].next].prev = slot;
        s[0].next = slot;
}

static void clear(struct nsm_dircache *cache, uint32_t slot)
{
        nsm_close_fd(cache->slots[slot].fd);
        cache->slots[slot].fd = -1;
        cache->slots[slot].node = 0;
        cache->used--;
}

int nsm_dircache_init(struct nsm_dircache *cache, uint32_t capacity)
{
        if (capacity == 0)
                capacity = 1;
        cache->slots = calloc((size_t)capacity + 1, sizeof *cache->slots);
        if (!cache->slots)
                return -ENOMEM;
        cache->capacity = capacity;
        cache->used = 0;
        /* Free slots stand at the far end of the list, so they are taken first. */
        for (uint32_t i = 1; i <= capacity; i++) {
                cache->slots[i].fd = -1;
                list_insert(cache, i);
        }
        return 0;
}

void nsm_dircache_free(struct nsm_dircache *cache)
{
        if (!cache->slots)
                return;
        for (uint32_t i = 1; i <= cache->capacity; i++)
                nsm_close_fd(cache->slots[i].fd);
        free(cache->slots);
        *cache = (struct nsm_dircache){ 0 };
}

int nsm_dircache_put(struct nsm_dircache *cache, uint32_t node, int fd, uint32_t *ret_evicted)
{
        uint32_t slot = cache->slots[0].prev;

        while (slot && cache->slots[slot].refs)
                slot = cache->slots[slot].prev;
        if (!slot)
                return -ENFILE;
        *ret_evicted = cache->slots[slot].node;
        if (cache->slots[slot].fd >= 0)
                clear(cache, slot);
        cache->slots[slot].fd = fd;
        cache->slots[slot].node = node;
        cache->slots[slot].refs = 1;
        cache->used++;
        list_remove(cache, slot);
        list_insert(cache, slot);
        return (int)slot;
}

int nsm_dircache_ref(struct nsm_dircache *cache, uint32_t slot)
{
        cache->slots[slot].refs++;
        list_remove(cache, slot);
        list_insert(cache, slot);
        return cache->slots[slot].fd;
}

void nsm_dircache_unref(struct nsm_dircache *cache, uint32_t slot)
{
        if (--cache->slots[slot].refs == 0 && cache->slots[slot].node == 0)
                clear(cache, slot);
}

void nsm_dircache_drop(struct nsm_dircache *cache, uint32_t slot)
{
        struct nsm_dircache_slot *s = cache->slots;

        s[slot].node = 0;
        if (s[slot].refs == 0)
                clear(cache, slot);
        /* To the far end: the next to be taken. */
        list_remove(cache, slot);
        s[slot].next = 0;
        s[slot].prev = s[0].prev;
        s[s[0].prev].next = slot;
        s[0].prev = slot;
}
