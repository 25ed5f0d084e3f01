/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room in the table of a view that may hold so many inodes and no more. When
 * it fills, one thread that serves no request chooses inodes which the kernel
 * has not asked for lately, and tells the kernel to forget them; the kernel
 * keeps those in use. Whoever needs a record meanwhile waits for that, and
 * fails when all are held.
 *
 * All of it is under the view's lock, which those that wait let go; nobody who
 * waits holds anything that forgetting needs. At most half of the threads that
 * serve wait at a time: the others take the kernel's FORGETs.
 */
#ifndef NSM_VIEW_ROOM_H
#define NSM_VIEW_ROOM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct nsm_view;

struct nsm_room {
        /* Called once, under the view's lock, when somebody has to run nsm_room_choose(). */
        void (*on_full)(void *arg);
        void *on_full_arg;

        pthread_cond_t work;    /* for the one that chooses */
        pthread_cond_t settled; /* for the same: as many as expected were dropped */
        pthread_cond_t change;  /* for those that wait: one was dropped, or all are held */
        uint32_t begin;   /* records from which on the kernel is to forget some */
        uint32_t target;  /* down to so many */
        uint32_t admit;   /* records from which on a lookup waits */
        uint32_t waiters; /* threads that do */
        uint32_t hand;    /* where the table is looked at next */
        uint32_t passed;  /* records looked at since one was dropped */
        uint32_t made;    /* generation of the table when all were found to be held */
        uint64_t round;   /* searches begun */
        uint64_t in_vain; /* the last one that found all to be held */
        uint64_t drops;   /* records dropped, ever */
        uint64_t expected; /* of them, when the kernel has done what it was told */
        bool served;      /* on_full was called, and nobody said stop */
        bool searching;
        bool stopped;
};

/* @limit: records of the view's table. 0 or -errno. */
int nsm_room_init(struct nsm_room *room, uint32_t limit);
void nsm_room_free(struct nsm_room *room);

/* A record was dropped. Under the lock. */
void nsm_room_dropped(struct nsm_room *room);

/*
 * Before a record is made: waits while the table is full and something may yet
 * be forgotten. 0 or -ENFILE. Under the lock, which it may let go meanwhile.
 */
int nsm_room_wait(struct nsm_view *view);

/* Whether the table has room for what nobody asked for by name. Under the lock. */
bool nsm_room_is_ample(const struct nsm_view *view);

/*
 * For the thread that tells the kernel: waits until it has to, and fills
 * @nodes with at most @max node ids. Their number, perhaps 0, or -ECANCELED
 * after nsm_room_stop(). Takes the lock.
 */
int nsm_room_choose(struct nsm_view *view, uint64_t *nodes, uint32_t max);

/*
 * For the same thread, when the kernel has been told of @told nodes: waits
 * until they are forgotten or nothing happens any more. @is_quiet says whether
 * the kernel has no message that nobody has read yet. False when the whole table
 * was looked through and nothing was forgotten. Takes the lock.
 */
bool nsm_room_settle(struct nsm_view *view, uint32_t told, bool (*is_quiet)(void *arg), void *arg);

/* For the same thread: all are held, and those that wait have waited in vain. Takes the lock. */
void nsm_room_give_up(struct nsm_view *view);

/* The kernel cannot be told, or the view ends: nobody waits any more. Takes the lock. */
void nsm_room_stop(struct nsm_view *view);

#endif
