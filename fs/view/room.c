/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/room.h"

#include <errno.h>
#include <time.h>

#include "fs/view/view.h"

/* Records looked at before others get the lock. */
#define STEPS_AT_ONCE 4096u

/* Records that are forgotten at a time, at most: they may be wanted again. */
#define STEP_MAX 65536u

/* One wait for the kernel's FORGETs, and how many in vain are an answer. */
#define SETTLE_MSEC 10
#define SETTLE_ROUNDS_QUIET 3 /* the kernel has no message left for us */
#define SETTLE_ROUNDS 200     /* it has, but perhaps no FORGET */

int nsm_room_init(struct nsm_room *room, uint32_t limit)
{
        pthread_condattr_t attr;

        uint32_t step = limit / 8 < STEP_MAX ? limit / 8 : STEP_MAX;

        *room = (struct nsm_room){
                .begin = limit - step,
                .target = limit - 2 * step,
                .admit = limit - NSM_ROOM_RESERVE,
                .hand = NSM_TABLE_ROOT,
        };
        int r = pthread_condattr_init(&attr);
        if (r != 0)
                return -r;
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        r = pthread_cond_init(&room->work, &attr);
        if (r == 0)
                r = pthread_cond_init(&room->settled, &attr);
        if (r == 0)
                r = pthread_cond_init(&room->change, &attr);
        pthread_condattr_destroy(&attr);
        return -r;
}

void nsm_room_free(struct nsm_room *room)
{
        pthread_cond_destroy(&room->work);
        pthread_cond_destroy(&room->settled);
        pthread_cond_destroy(&room->change);
}

static void wait_for(pthread_cond_t *cond, struct nsm_view *view, unsigned msec)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)msec * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(cond, &view->lock, &until);
}

void nsm_room_dropped(struct nsm_room *room)
{
        room->passed = 0;
        if (++room->drops == room->expected)
                pthread_cond_signal(&room->settled);
        if (room->waiters)
                pthread_cond_broadcast(&room->change);
}

/* Sees to it that somebody makes the kernel forget. */
static void call_for_help(struct nsm_room *room)
{
        if (!room->served && !room->stopped && room->on_full) {
                room->served = true;
                room->on_full(room->on_full_arg);
        }
        pthread_cond_signal(&room->work);
}

int nsm_room_wait(struct nsm_view *view)
{
        struct nsm_room *room = &view->room;

        if (nsm_table_count(&view->table) >= room->begin)
                call_for_help(room);
        if (nsm_table_count(&view->table) < room->admit)
                return 0;
        if (!room->served || room->stopped || room->waiters >= NSM_ROOM_WAITERS_MAX)
                return nsm_table_count(&view->table) < view->table.limit ? 0 : -ENFILE;
        /* Only a search that begins from now on has seen all that is unused now. */
        uint64_t round = room->round + 1;
        room->waiters++;
        while (nsm_table_count(&view->table) >= room->admit && room->in_vain < round &&
               !room->stopped)
                pthread_cond_wait(&room->change, &view->lock);
        room->waiters--;
        return nsm_table_count(&view->table) < room->admit ? 0 : -ENFILE;
}

bool nsm_room_is_ample(const struct nsm_view *view)
{
        return nsm_table_count(&view->table) < view->room.begin;
}

static bool has_work(const struct nsm_view *view)
{
        const struct nsm_room *room = &view->room;
        uint32_t made = nsm_table_generation(&view->table) - room->made;

        /* After a search in vain, not again for each single record. */
        return room->searching || room->waiters ||
               (nsm_table_count(&view->table) >= room->begin &&
                made > (room->admit - room->begin) / 8);
}

/* Whether the kernel may be able to forget it: what is open or above others is held. */
static bool is_candidate(struct nsm_inode *inode)
{
        if (!inode->type || !inode->nlookup || inode->opens || inode->children ||
            inode->pin >= 0)
                return false;
        bool used = inode->used;
        inode->used = false;
        return !used;
}

static uint32_t look_around(struct nsm_view *view, uint64_t *nodes, uint32_t max)
{
        struct nsm_room *room = &view->room;
        uint32_t top = nsm_table_top(&view->table);
        uint32_t n = 0;

        for (uint32_t i = 0; n < max && i < STEPS_AT_ONCE && room->passed < 2 * top; i++) {
                uint32_t next = nsm_table_next(&view->table, room->hand);
                /* What is not in use has been passed, too; behind the last comes the first. */
                room->passed += next ? next - room->hand : top;
                room->hand = next ? next : NSM_TABLE_ROOT;
                if (next && is_candidate(nsm_table_get(&view->table, next)))
                        nodes[n++] = next;
        }
        return n;
}

int nsm_room_choose(struct nsm_view *view, uint64_t *nodes, uint32_t max)
{
        struct nsm_room *room = &view->room;
        int r = -ECANCELED;

        pthread_mutex_lock(&view->lock);
        while (!room->stopped && !has_work(view))
                pthread_cond_wait(&room->work, &view->lock);
        if (!room->stopped) {
                if (!room->searching) {
                        room->searching = true;
                        room->round++;
                        room->passed = 0;
                }
                uint32_t count = nsm_table_count(&view->table);
                uint32_t wanted = count > room->target ? count - room->target : 1;
                r = (int)look_around(view, nodes, wanted < max ? wanted : max);
        }
        pthread_mutex_unlock(&view->lock);
        return r;
}

bool nsm_room_settle(struct nsm_view *view, uint32_t told, bool (*is_quiet)(void *arg), void *arg)
{
        struct nsm_room *room = &view->room;

        pthread_mutex_lock(&view->lock);
        bool last = room->passed >= 2 * nsm_table_top(&view->table);
        uint64_t drops = room->drops, seen = drops;
        unsigned rounds = 0, quiet = 0;
        room->expected = drops + told;
        while (!room->stopped && (last || room->drops < room->expected) &&
               nsm_table_count(&view->table) > room->target && rounds < SETTLE_ROUNDS &&
               quiet < (last ? SETTLE_ROUNDS_QUIET : 1)) {
                wait_for(&room->settled, view, SETTLE_MSEC);
                quiet = is_quiet(arg) && room->drops == seen ? quiet + 1 : 0;
                rounds = room->drops == seen ? rounds + 1 : 0;
                seen = room->drops;
        }
        bool done = nsm_table_count(&view->table) <= room->target;
        if (done)
                room->searching = false;
        bool in_vain = !done && last && room->drops == drops;
        pthread_mutex_unlock(&view->lock);
        return !in_vain;
}

void nsm_room_give_up(struct nsm_view *view)
{
        struct nsm_room *room = &view->room;

        pthread_mutex_lock(&view->lock);
        room->searching = false;
        room->in_vain = room->round;
        room->made = nsm_table_generation(&view->table);
        pthread_cond_broadcast(&room->change);
        pthread_mutex_unlock(&view->lock);
}

void nsm_room_stop(struct nsm_view *view)
{
        pthread_mutex_lock(&view->lock);
        view->room.stopped = true;
        pthread_cond_broadcast(&view->room.work);
        pthread_cond_broadcast(&view->room.change);
        pthread_mutex_unlock(&view->lock);
}
