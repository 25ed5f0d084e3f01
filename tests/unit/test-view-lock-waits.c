/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits for locks that would lead back to whoever waits, and such that do not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fs/view/locks-private.h"

#define OWNERS 1000
#define NODE 7

static struct nsm_view view = { .limits.lock_owners = 2 * OWNERS };
static struct nsm_locks *locks;
static int file;

static struct member {
        struct nsm_lock_owner *owner; /* what it holds */
        struct nsm_lock_owner *waiter; /* the same process at what it waits for */
        struct nsm_lock_wait wait;
} members[OWNERS];

static void make_locks(void)
{
        struct rlimit files;

        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
        files.rlim_cur = files.rlim_max;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
        cr_assert_gt(files.rlim_max, 2 * OWNERS + 100, "needs so many descriptors");
        file = memfd_create("locked", MFD_CLOEXEC);
        /* Where a thread of a view stands: paths are descriptors there. */
        cr_assert(file >= 0 && chdir("/proc/self/fd") == 0);
        cr_assert_eq(nsm_locks_new(&view, &locks), 0);
}

static void free_locks(void)
{
        nsm_locks_free(locks);
        close(file);
}

TestSuite(view_lock_waits, .init = make_locks, .fini = free_locks);

static struct flock byte(unsigned n, short type)
{
        return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = n, .l_len = 1 };
}

static struct nsm_lock_owner *get(uint64_t node, uint64_t process)
{
        struct nsm_lock_owner *owner = NULL;

        cr_assert_eq(nsm_locks_get(locks, node, process, process, file, &owner), 0);
        return owner;
}

static struct nsm_lock_owner *hold_as(uint64_t node, uint64_t process, unsigned n, short type)
{
        struct nsm_lock_owner *owner = get(node, process);
        struct flock lock = byte(n, type);

        cr_assert_eq(nsm_lock_set(locks, owner, &lock), 0);
        return owner;
}

static struct nsm_lock_owner *hold(uint64_t node, uint64_t process, unsigned n)
{
        return hold_as(node, process, n, F_WRLCK);
}

static int wait_for(struct nsm_lock_wait *wait, struct nsm_lock_owner *owner, unsigned n)
{
        struct flock lock = byte(n, F_WRLCK);

        return nsm_lock_begin_wait(locks, wait, owner, &lock);
}

/* Waits that one search follows. */
static uint64_t followed_since(uint64_t before)
{
        return locks->waits.followed - before;
}

/* Each member holds its byte, and all but the last wait for that of the next. */
static void make_chain(bool one_file)
{
        for (unsigned i = 0; i < OWNERS; i++)
                members[i].owner = hold(one_file ? NODE : NODE + i, i + 1, i);
        for (unsigned i = 0; i < OWNERS - 1; i++) {
                members[i].waiter = get(one_file ? NODE : NODE + i + 1, i + 1);
                cr_assert_eq(wait_for(&members[i].wait, members[i].waiter, i + 1), 0);
        }
}

static void end_chain(void)
{
        for (unsigned i = 0; i < OWNERS - 1; i++) {
                nsm_lock_end_wait(locks, &members[i].wait);
                nsm_locks_put(locks, members[i].waiter);
        }
        for (unsigned i = 0; i < OWNERS; i++)
                nsm_locks_put(locks, members[i].owner);
}

static void close_chain(bool one_file)
{
        struct nsm_lock_wait wait;

        make_chain(one_file);
        struct nsm_lock_owner *last = get(NODE, OWNERS);
        uint64_t before = locks->waits.followed;
        cr_assert_eq(wait_for(&wait, last, 0), -EDEADLK);
        cr_assert_eq(followed_since(before), OWNERS);
        /* As often as somebody asks: it is not noted. */
        cr_assert_eq(wait_for(&wait, last, 0), -EDEADLK);
        /* Where the chain is broken there is no circle. */
        nsm_lock_end_wait(locks, &members[OWNERS / 2].wait);
        cr_assert_eq(wait_for(&wait, last, 0), 0);
        cr_assert_eq(wait_for(&members[OWNERS / 2].wait, members[OWNERS / 2].waiter,
                              OWNERS / 2 + 1), -EDEADLK);
        nsm_lock_end_wait(locks, &wait);
        cr_assert_eq(wait_for(&members[OWNERS / 2].wait, members[OWNERS / 2].waiter,
                              OWNERS / 2 + 1), 0);
        nsm_locks_put(locks, last);
        end_chain();
}

Test(view_lock_waits, a_long_circle_is_found_in_one_file)
{
        close_chain(true);
}

Test(view_lock_waits, a_long_circle_is_found_through_many_files)
{
        close_chain(false);
}

Test(view_lock_waits, a_long_chain_is_no_circle)
{
        struct nsm_lock_wait wait;

        make_chain(true);
        struct nsm_lock_owner *other = hold(NODE, OWNERS + 1, OWNERS);
        struct nsm_lock_owner *asks = get(NODE, OWNERS + 2);
        uint64_t before = locks->waits.followed;
        cr_assert_eq(wait_for(&wait, asks, 0), 0); /* whom nobody waits for */
        cr_assert_eq(followed_since(before), OWNERS);
        nsm_lock_end_wait(locks, &wait);
        cr_assert_eq(wait_for(&wait, members[OWNERS - 1].owner, OWNERS), 0);
        nsm_lock_end_wait(locks, &wait);
        nsm_locks_put(locks, asks);
        nsm_locks_put(locks, other);
        end_chain();
}

/* Each waits for all who hold the first byte: a thousand times a thousand ways. */
Test(view_lock_waits, each_wait_is_followed_once_by_whatever_ways)
{
        struct nsm_lock_wait wait, back;

        for (unsigned i = 0; i < OWNERS; i++)
                members[i].owner = hold_as(NODE, i + 1, 0, F_RDLCK);
        struct nsm_lock_owner *blocker = hold(NODE, OWNERS + 1, 1);
        for (unsigned i = 0; i < OWNERS; i++)
                cr_assert_eq(wait_for(&members[i].wait, members[i].owner, 1), 0);
        struct nsm_lock_owner *asks = get(NODE, OWNERS + 2);
        uint64_t before = locks->waits.followed;
        cr_assert_eq(wait_for(&wait, asks, 0), 0);
        cr_assert_eq(followed_since(before), OWNERS + 1);
        cr_assert_eq(wait_for(&back, blocker, 0), -EDEADLK);
        nsm_lock_end_wait(locks, &wait);
        for (unsigned i = 0; i < OWNERS; i++)
                nsm_lock_end_wait(locks, &members[i].wait);
        nsm_locks_put(locks, asks);
        nsm_locks_put(locks, blocker);
        for (unsigned i = 0; i < OWNERS; i++)
                nsm_locks_put(locks, members[i].owner);
}

/* A process waits by several threads, of which any may close the circle. */
Test(view_lock_waits, all_threads_of_a_process_are_followed)
{
        struct nsm_lock_wait first, second, back;

        struct nsm_lock_owner *a = hold(NODE, 1, 1), *b = hold(NODE, 2, 2), *c = hold(NODE, 3, 3);
        cr_assert_eq(wait_for(&first, a, 2), 0);
        cr_assert_eq(wait_for(&second, a, 3), 0);
        cr_assert_eq(wait_for(&back, b, 1), -EDEADLK);
        cr_assert_eq(wait_for(&back, c, 1), -EDEADLK);
        nsm_lock_end_wait(locks, &first);
        cr_assert_eq(wait_for(&back, b, 1), 0);
        nsm_lock_end_wait(locks, &back);
        nsm_lock_end_wait(locks, &second);
        nsm_locks_put(locks, a);
        nsm_locks_put(locks, b);
        nsm_locks_put(locks, c);
}
