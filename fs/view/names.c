/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/names.h"

#include <errno.h>
#include <string.h>

#define UNIT 8u
#define CLASSES ((sizeof(struct nsm_link) + NSM_FILE_NAME_MAX + UNIT - 1) / UNIT + 1)

/* At the start of the region: whoever maps it finds the free lists there. */
struct head {
        uint32_t top;           /* first unit never used */
        uint32_t free[CLASSES]; /* by size in units; linked through nsm_link.next */
};

#define HEAD_UNITS ((sizeof(struct head) + UNIT - 1) / UNIT)

static struct head *head_of(const struct nsm_names *names)
{
        return (struct head *)names->region.base;
}

static uint32_t units_for(size_t len)
{
        return (uint32_t)((offsetof(struct nsm_link, name) + len + UNIT - 1) / UNIT);
}

int nsm_names_init(struct nsm_names *names)
{
        int r = nsm_region_init(&names->region, "nsm-names", NSM_NAMES_BYTES_MAX);

        if (r < 0)
                return r;
        r = nsm_region_grow(&names->region, sizeof(struct head));
        if (r < 0) {
                nsm_names_free(names);
                return r;
        }
        head_of(names)->top = HEAD_UNITS;
        return 0;
}

void nsm_names_free(struct nsm_names *names)
{
        nsm_region_free(&names->region);
}

int nsm_names_add(struct nsm_names *names, uint32_t parent, const char *name, uint32_t *ret)
{
        size_t len = strlen(name);

        if (len > NSM_FILE_NAME_MAX)
                return -ENAMETOOLONG;
        struct head *head = head_of(names);
        uint32_t units = units_for(len);
        uint32_t at = head->free[units];

        if (at) {
                head->free[units] = nsm_names_at(names, at)->next;
        } else {
                int r = nsm_region_grow(&names->region, ((size_t)head->top + units) * UNIT);
                if (r < 0)
                        return r;
                at = head->top;
                head->top += units;
        }
        struct nsm_link *link = nsm_names_at(names, at);
        link->parent = parent;
        link->next = 0;
        link->len = (uint8_t)len;
        memcpy(link->name, name, len);
        *ret = at;
        return 0;
}

void nsm_names_remove(struct nsm_names *names, uint32_t at)
{
        struct head *head = head_of(names);
        struct nsm_link *link = nsm_names_at(names, at);
        uint32_t units = units_for(link->len);

        link->next = head->free[units];
        head->free[units] = at;
}

uint64_t nsm_names_bytes(const struct nsm_names *names)
{
        return names->region.base ? (uint64_t)head_of(names)->top * UNIT : 0;
}
