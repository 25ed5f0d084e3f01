/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/handles.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/base/cleanup.h"

/* Nodes are numbers without gaps, so a bucket holds about as many as this goes into the limit. */
#define BUCKETS_MAX 65536u

static struct nsm_handle *at(const struct nsm_handles *handles, uint32_t number)
{
        return &handles->chunks[number / NSM_HANDLES_CHUNK][number % NSM_HANDLES_CHUNK];
}

int nsm_handles_init(struct nsm_handles *handles, uint32_t limit)
{
        uint32_t n = limit / NSM_HANDLES_CHUNK + 1;

        *handles = (struct nsm_handles){ .limit = limit, .n_buckets = 1 };
        while (handles->n_buckets < limit && handles->n_buckets < BUCKETS_MAX)
                handles->n_buckets *= 2;
        handles->chunks = calloc(n, sizeof(struct nsm_handle *));
        handles->buckets = calloc(handles->n_buckets, sizeof(uint32_t));
        if (!handles->chunks || !handles->buckets) {
                nsm_handles_free(handles);
                return -ENOMEM;
        }
        handles->n_chunks = n;
        return 0;
}

void nsm_handles_free(struct nsm_handles *handles)
{
        for (uint32_t i = 0; i < handles->top; i++)
                if (at(handles, i)->node)
                        nsm_close_fd(at(handles, i)->fd);
        for (uint32_t i = 0; i < handles->n_chunks; i++)
                free(handles->chunks[i]);
        free(handles->chunks);
        free(handles->buckets);
        *handles = (struct nsm_handles){ 0 };
}

static int take_number(struct nsm_handles *handles, uint32_t *ret)
{
        if (handles->free) {
                *ret = handles->free - 1;
                handles->free = at(handles, *ret)->chain;
                return 0;
        }
        struct nsm_handle **chunk = &handles->chunks[handles->top / NSM_HANDLES_CHUNK];
        if (!*chunk)
                *chunk = calloc(NSM_HANDLES_CHUNK, sizeof(struct nsm_handle));
        if (!*chunk)
                return -ENOMEM;
        *ret = handles->top++;
        return 0;
}

/* The place that says which handle is the first of a node's ring, or the end of its bucket. */
static uint32_t *find_ring(const struct nsm_handles *handles, uint32_t node)
{
        uint32_t *place = &handles->buckets[node & (handles->n_buckets - 1)];

        while (*place && at(handles, *place - 1)->node != node)
                place = &at(handles, *place - 1)->chain;
        return place;
}

static void ring_in(struct nsm_handles *handles, uint32_t number)
{
        struct nsm_handle *handle = at(handles, number);
        uint32_t *first = find_ring(handles, handle->node);

        if (!*first) {
                handle->prev = handle->next = number;
                handle->chain = 0;
                *first = number + 1;
                return;
        }
        handle->prev = *first - 1;
        handle->next = at(handles, handle->prev)->next;
        at(handles, handle->prev)->next = number;
        at(handles, handle->next)->prev = number;
}

static void ring_out(struct nsm_handles *handles, uint32_t number)
{
        struct nsm_handle *handle = at(handles, number);
        uint32_t *first = find_ring(handles, handle->node);

        if (*first == number + 1) {
                *first = handle->chain;
                if (handle->next != number) {
                        at(handles, handle->next)->chain = handle->chain;
                        *first = handle->next + 1;
                }
        }
        at(handles, handle->prev)->next = handle->next;
        at(handles, handle->next)->prev = handle->prev;
}

int nsm_handles_add(struct nsm_handles *handles, int fd, uint32_t node, uint64_t *ret)
{
        uint32_t number;

        if (handles->used >= handles->limit)
                return -ENFILE;
        int r = take_number(handles, &number);
        if (r < 0)
                return r;
        *at(handles, number) = (struct nsm_handle){ .fd = fd, .node = node, .dir_pos = 0 };
        ring_in(handles, number);
        handles->used++;
        *ret = number;
        return 0;
}

struct nsm_handle *nsm_handles_get(const struct nsm_handles *handles, uint64_t number)
{
        if (number >= handles->top)
                return NULL;
        struct nsm_handle *handle = at(handles, (uint32_t)number);
        return handle->node ? handle : NULL;
}

struct nsm_handle *nsm_handles_of(const struct nsm_handles *handles, uint32_t node)
{
        uint32_t first = node ? *find_ring(handles, node) : 0;

        return first ? at(handles, first - 1) : NULL;
}

bool nsm_handles_is_last(const struct nsm_handles *handles, uint64_t number)
{
        const struct nsm_handle *handle = nsm_handles_get(handles, number);

        return handle && handle->next == number;
}

int nsm_handles_remove(struct nsm_handles *handles, uint64_t number)
{
        struct nsm_handle *handle = nsm_handles_get(handles, number);

        if (!handle)
                return -1;
        int fd = handle->fd;
        ring_out(handles, (uint32_t)number);
        handle->node = 0;
        handle->chain = handles->free;
        handles->free = (uint32_t)number + 1;
        handles->used--;
        return fd;
}
