/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/lock-waits.h"

#include <errno.h>

#include "fs/view/locks-private.h"

/* A search: the waits that it has reached and not followed yet. */
struct search {
        struct nsm_locks *locks;
        uint64_t number;
        uint64_t self;
        struct nsm_lock_wait *todo;
};

static struct nsm_lock_wait **bucket_of(struct nsm_lock_waits *waits, uint64_t owner)
{
        /* The kernel makes owners of addresses, and mixes them. */
        return &waits->buckets[(owner ^ owner >> 32) % NSM_LOCK_WAITS_BUCKETS];
}

/* The first wait of an owner from @wait on that was not reached yet, or NULL. */
static struct nsm_lock_wait *skip(const struct search *s, struct nsm_lock_wait *wait,
                                  uint64_t owner)
{
        while (wait && (wait->owner->owner != owner || wait->reached == s->number))
                wait = wait->next;
        return wait;
}

/*
 * Reaches what those wait for who hold what @wait wants. Who waits for nothing, or
 * was reached before, is passed over without a look at what he holds. -EDEADLK: it
 * is the very one who asks.
 */
static int follow(struct search *s, const struct nsm_lock_wait *wait)
{
        s->locks->waits.followed++;
        for (unsigned b = 0; b < NSM_LOCKS_BUCKETS; b++) {
                for (struct nsm_lock_owner *o = s->locks->buckets[b]; o; o = o->next) {
                        if (o->node != wait->owner->node || o->owner == wait->owner->owner)
                                continue;
                        struct nsm_lock_wait *w = *bucket_of(&s->locks->waits, o->owner);
                        w = skip(s, w, o->owner);
                        if ((!w && o->owner != s->self) ||
                            !nsm_ranges_conflict(&o->ranges, &wait->range))
                                continue;
                        if (o->owner == s->self)
                                return -EDEADLK;
                        for (; w; w = skip(s, w->next, o->owner)) {
                                w->reached = s->number;
                                w->then = s->todo;
                                s->todo = w;
                        }
                }
        }
        return 0;
}

/* Whether @first leads back to its owner. Follows each wait once at most. */
static int find_circle(struct nsm_locks *locks, const struct nsm_lock_wait *first)
{
        struct search s = { .locks = locks, .number = ++locks->waits.searches,
                            .self = first->owner->owner };

        int r = follow(&s, first);
        while (r == 0 && s.todo) {
                struct nsm_lock_wait *wait = s.todo;
                s.todo = wait->then;
                r = follow(&s, wait);
        }
        return r;
}

int nsm_lock_begin_wait(struct nsm_locks *locks, struct nsm_lock_wait *wait,
                        struct nsm_lock_owner *owner, const struct flock *lock)
{
        *wait = (struct nsm_lock_wait){ .owner = owner, .range = nsm_range_of(lock) };
        pthread_mutex_lock(&locks->lock);
        int r = find_circle(locks, wait);
        if (r == 0) /* so that nothing fails once the storage has the lock */
                r = nsm_ranges_promise(&owner->ranges, NSM_LOCK_RANGES_MAX);
        if (r == 0) {
                struct nsm_lock_wait **bucket = bucket_of(&locks->waits, owner->owner);
                wait->next = *bucket;
                *bucket = wait;
        }
        pthread_mutex_unlock(&locks->lock);
        return r;
}

void nsm_lock_end_wait(struct nsm_locks *locks, struct nsm_lock_wait *wait)
{
        pthread_mutex_lock(&locks->lock);
        struct nsm_lock_wait **at = bucket_of(&locks->waits, wait->owner->owner);
        while (*at && *at != wait)
                at = &(*at)->next;
        if (*at)
                *at = wait->next;
        nsm_ranges_redeem(&wait->owner->ranges);
        pthread_mutex_unlock(&locks->lock);
}
