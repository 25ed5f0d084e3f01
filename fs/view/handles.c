/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/handles.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/base/cleanup.h"

static struct nsm_handle *at(const struct nsm_handles *handles, uint32_t number)
{
        return &handles->chunks[number / NSM_HANDLES_CHUNK][number % NSM_HANDLES_CHUNK];
}

int nsm_handles_init(struct nsm_handles *handles, uint32_t limit)
{
        uint32_t n = limit / NSM_HANDLES_CHUNK + 1;

        *handles = (struct nsm_handles){ .limit = limit };
        handles->chunks = calloc(n, sizeof(struct nsm_handle *));
        if (!handles->chunks)
                return -ENOMEM;
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
        *handles = (struct nsm_handles){ 0 };
}

static int take_number(struct nsm_handles *handles, uint32_t *ret)
{
        if (handles->free) {
                *ret = handles->free - 1;
                handles->free = at(handles, *ret)->next_free;
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

int nsm_handles_add(struct nsm_handles *handles, int fd, uint32_t node, uint64_t *ret)
{
        uint32_t number;

        if (handles->used >= handles->limit)
                return -ENFILE;
        int r = take_number(handles, &number);
        if (r < 0)
                return r;
        *at(handles, number) = (struct nsm_handle){ .fd = fd, .node = node, .dir_pos = 0 };
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

int nsm_handles_remove(struct nsm_handles *handles, uint64_t number)
{
        struct nsm_handle *handle = nsm_handles_get(handles, number);

        if (!handle)
                return -1;
        int fd = handle->fd;
        handle->node = 0;
        handle->next_free = handles->free;
        handles->free = (uint32_t)number + 1;
        handles->used--;
        return fd;
}
