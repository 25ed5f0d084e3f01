/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-session.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/nsmountfs-forgetting.h"
#include "fs/nsmountfs-hands.h"
#include "fs/nsmountfs-transport.h"
#include "fs/nsmountfs-turns.h"
#include "fs/ops/changes.h"
#include "fs/view/thread.h"

#define STACK_SIZE ((size_t)256 << 10)
#define SIGNAL_WAKE SIGUSR1 /* takes a thread out of read(2) */
#define SIGNAL_END SIGUSR2  /* a thread tells the main one that the session ended */
#define SIGNAL_LOOK SIGALRM /* and that it should look after what the storage does not end */
#define LOOK_MS 100 /* between such looks */
#define STOP_ROUNDS 200 /* of waiting for requests in hand, each of: */
#define STOP_ROUND_NSEC 10000000
#define PUBLISH_EVERY 64 /* requests, after which all shared figures are fresh */
#define IDLE_SECONDS 5   /* without a request, after which memory is given back */
#define QUIET_SECONDS 10 /* between looks while there is nothing to give back */

struct session {
        struct nsm_transport transport;
        struct nsm_fs fs;
        struct nsm_session_start start; /* descriptors owned; -1 once told */

        pthread_mutex_t lock;
        /* below under @lock */
        pthread_cond_t changed;
        pthread_t ids[NSM_THREADS_STUCK_MAX];
        bool running[NSM_THREADS_STUCK_MAX];
        bool reading[NSM_THREADS_STUCK_MAX]; /* or to be: a signal disturbs nothing */
        struct nsm_turns turns;
        struct nsm_near_rules near;
        struct nsm_hand hands[NSM_THREADS_STUCK_MAX];
        uint64_t progress; /* requests that have been answered */
        unsigned threads; /* that run */
        unsigned waiting; /* of them, for a request or their turn to wait for one */
        unsigned trim;    /* generation: goes up when idle threads should give memory back */
        int result;
};

struct start {
        struct session *session;
        unsigned slot;
};

static void *serve_thread(void *arg);

/* Under the lock. */
static int start_thread(struct session *s)
{
        pthread_attr_t attr;
        unsigned slot = 0;

        while (slot < NSM_THREADS_STUCK_MAX && s->running[slot])
                slot++;
        if (slot == NSM_THREADS_STUCK_MAX)
                return -EAGAIN;
        struct start *start = malloc(sizeof *start);
        if (!start || pthread_attr_init(&attr) != 0) {
                free(start);
                return -ENOMEM;
        }
        *start = (struct start){ .session = s, .slot = slot };
        pthread_attr_setstacksize(&attr, STACK_SIZE);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        int r = -pthread_create(&s->ids[slot], &attr, serve_thread, start);
        pthread_attr_destroy(&attr);
        if (r < 0) {
                free(start);
                return r;
        }
        s->running[slot] = s->reading[slot] = true;
        s->threads++;
        s->waiting++;
        atomic_store_explicit(&s->fs.view->stats->threads, s->threads, memory_order_relaxed);
        return 0;
}

/* A request has come: sees to it that somebody can wait for the next one. */
static void leave_wait(struct session *s, unsigned slot, struct nsm_near *near,
                       const struct fuse_buf *buf)
{
        bool look, more = false, soon = true;

        if (!near->on)
                more = nsm_turns_came(&s->turns, &soon);
        int cpu = nsm_near_came(near, nsm_hand_caller(buf->mem, buf->size), soon);
        pthread_mutex_lock(&s->lock);
        nsm_turns_go(&s->turns, near, cpu);
        nsm_turns_give(&s->turns, more);
        s->reading[slot] = false;
        if (--s->waiting == 0 && s->threads < NSM_THREADS_MAX)
                start_thread(s);
        look = nsm_hand_take(s->hands, NSM_THREADS_STUCK_MAX, slot, buf->mem, buf->size) ||
               s->waiting == 0;
        pthread_mutex_unlock(&s->lock);
        if (look)
                kill(getpid(), SIGNAL_LOOK);
        uint64_t n = atomic_fetch_add_explicit(&s->fs.view->stats->requests, 1,
                                               memory_order_relaxed);
        if (n % PUBLISH_EVERY == 0)
                nsm_view_publish(s->fs.view);
}

static void enter_wait(struct session *s, unsigned slot)
{
        pthread_mutex_lock(&s->lock);
        s->reading[slot] = true;
        s->waiting++;
        s->progress++;
        s->hands[slot] = (struct nsm_hand){ 0 };
        pthread_mutex_unlock(&s->lock);
}

/* Woken for nothing: gives memory back, or says that the thread may go. */
static bool trim_thread(struct session *s, struct fuse_buf *buf, unsigned *seen)
{
        struct nsm_thread *thread = nsm_thread_get(s->fs.view);
        bool go = false;

        pthread_mutex_lock(&s->lock);
        if (*seen != s->trim) {
                *seen = s->trim;
                go = s->waiting > 1;
                if (go)
                        s->waiting--;
                free(nsm_take_ptr(buf->mem));
                if (thread)
                        nsm_thread_trim(thread);
        }
        pthread_mutex_unlock(&s->lock);
        return go;
}

static void end_thread(struct session *s, unsigned slot, struct nsm_near *near)
{
        pthread_mutex_lock(&s->lock);
        nsm_turns_go(&s->turns, near, -1);
        s->running[slot] = false;
        s->threads--;
        atomic_store_explicit(&s->fs.view->stats->threads, s->threads, memory_order_relaxed);
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->lock);
}

/* Waits for its turn and then for a request. As nsm_transport_receive(). */
static int receive(struct session *s, struct nsm_near *near, struct fuse_buf *buf)
{
        pthread_mutex_lock(&s->lock);
        bool turn = nsm_turns_take(&s->turns, near);
        pthread_mutex_unlock(&s->lock);
        if (!turn)
                return -EINTR;
        if (near->on && !nsm_near_wait(near, s->turns.fd)) {
                pthread_mutex_lock(&s->lock);
                bool robbed = !near->on;
                nsm_turns_go(&s->turns, near, -1);
                pthread_mutex_unlock(&s->lock);
                if (robbed)
                        return -EINTR;
        }
        if (!near->on && !nsm_turns_look(&s->turns))
                nsm_thread_settle(s->fs.view);
        int r = nsm_transport_receive(&s->transport, buf);
        if (r <= 0) {
                pthread_mutex_lock(&s->lock);
                nsm_turns_give(&s->turns, true);
                pthread_mutex_unlock(&s->lock);
        }
        return r;
}

static void *serve_thread(void *arg)
{
        struct start start = *(struct start *)arg;
        struct session *s = start.session;
        struct fuse_buf buf = { 0 };
        struct nsm_near near;
        unsigned seen = s->trim;
        int r = 0;

        free(arg);
        nsm_near_init(&near, &s->near);
        /* At once: it has inherited whatever its starter had raised. A failure is asked again. */
        (void)nsm_thread_get(s->fs.view);
        while (!fuse_session_exited(s->transport.fuse)) {
                r = receive(s, &near, &buf);
                if (r == -EINTR) {
                        if (trim_thread(s, &buf, &seen))
                                goto out;
                        r = 0;
                        continue;
                }
                if (r <= 0)
                        break;
                leave_wait(s, start.slot, &near, &buf);
                nsm_transport_process(&s->transport, &buf);
                enter_wait(s, start.slot);
        }
        pthread_mutex_lock(&s->lock);
        if (r < 0 && s->result == 0)
                s->result = r;
        pthread_mutex_unlock(&s->lock);
        fuse_session_exit(s->transport.fuse);
        /* Not pthread_kill(): after a clone3(2) of our own the C library's thread id is stale. */
        kill(getpid(), SIGNAL_END);
out:
        free(buf.mem);
        end_thread(s, start.slot, &near);
        return NULL;
}

static void tell_ready(void *arg)
{
        struct session *s = arg;

        atomic_store_explicit(&s->fs.view->stats->state, NSM_WORKER_SERVING, memory_order_relaxed);
        if (s->start.background)
                dup2(STDOUT_FILENO, STDERR_FILENO); /* which takes nothing */
        if (s->start.ready_fd >= 0 && write(s->start.ready_fd, "", 1) != 1)
                nsm_log(LOG_WARNING, "nobody waits for this view to be ready: %m");
        nsm_close_fd(nsm_take_fd(&s->start.ready_fd));
}

static void wake_nothing(int sig)
{
}

static void wake_threads(struct session *s)
{
        nsm_turns_kick(&s->turns);
        for (unsigned i = 0; i < NSM_THREADS_STUCK_MAX; i++)
                if (s->running[i] && s->reading[i])
                        pthread_kill(s->ids[i], SIGNAL_WAKE);
}

/* What a busy time left behind: buffers, threads, records. */
static void give_memory_back(struct session *s)
{
        nsm_view_shrink(s->fs.view);
        pthread_mutex_lock(&s->lock);
        s->trim++;
        wake_threads(s);
        pthread_mutex_unlock(&s->lock);
        malloc_trim(0);
}

/* Whether a caller waits for nothing but to end. Where nobody knows it is let go, too. */
static bool is_killed(struct session *s, const struct nsm_hand *hand)
{
        int r = nsm_witness_ask(s->fs.witness, hand->pid, NSM_ID_INVALID, NSM_ID_INVALID);

        return r < 0 || (r & NSM_CALLER_IS_KILLED);
}

/*
 * When the storage ends nothing: whoever is to be killed is let go, and one more
 * thread takes what comes. Whether to look again soon.
 */
static bool look_at_stuck(struct session *s, uint64_t *progress)
{
        struct nsm_hand due[NSM_THREADS_STUCK_MAX];
        bool again;

        pthread_mutex_lock(&s->lock);
        if (s->waiting == 0 && *progress == s->progress)
                start_thread(s);
        *progress = s->progress;
        unsigned n = nsm_hand_find_due(s->hands, NSM_THREADS_STUCK_MAX, due, &again);
        again |= s->waiting == 0;
        pthread_mutex_unlock(&s->lock);
        for (unsigned i = 0; i < n; i++)
                if (is_killed(s, &due[i]))
                        nsm_hand_answer(fuse_session_fd(s->transport.fuse), due[i].unique);
        return again;
}

/* Waits for a signal that ends the session; in quiet times memory is given back. */
static void wait_for_end(struct session *s, const sigset_t *signals)
{
        struct nsm_worker_stats *stats = s->fs.view->stats;
        uint64_t seen = 0, progress = 0, look = 0; /* when to look at what is stuck; 0: never */
        bool settled = false;

        for (;;) {
                struct timespec wait = { .tv_sec = settled ? QUIET_SECONDS : IDLE_SECONDS };

                if (look)
                        wait = (struct timespec){ .tv_nsec = LOOK_MS * 1000000 };
                int sig = sigtimedwait(signals, NULL, &wait);
                if (sig > 0 && sig != SIGNAL_LOOK)
                        return;
                uint64_t at = nsm_hand_now_ms();
                if (sig == SIGNAL_LOOK && !look)
                        look = at + LOOK_MS;
                else if (look && at >= look)
                        look = look_at_stuck(s, &progress) ? at + LOOK_MS : 0;
                if (look || sig == SIGNAL_LOOK)
                        continue;
                uint64_t now = atomic_load_explicit(&stats->requests, memory_order_relaxed);
                nsm_view_publish(s->fs.view);
                if (now == seen && !settled)
                        give_memory_back(s);
                settled = now == seen;
                seen = now;
        }
}

/* Lets requests in hand end, for a moment; a storage that hangs holds nothing up. */
static void stop_threads(struct session *s)
{
        atomic_store_explicit(&s->fs.view->stats->state, NSM_WORKER_STOPPING,
                              memory_order_relaxed);
        fuse_session_exit(s->transport.fuse);
        pthread_mutex_lock(&s->lock);
        /* Again and again: a signal just before read(2) is lost. */
        for (unsigned i = 0; s->threads && i < STOP_ROUNDS; i++) {
                struct timespec until;

                wake_threads(s);
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_nsec += STOP_ROUND_NSEC;
                if (until.tv_nsec >= 1000000000) {
                        until.tv_nsec -= 1000000000;
                        until.tv_sec++;
                }
                pthread_cond_timedwait(&s->changed, &s->lock, &until);
        }
        pthread_mutex_unlock(&s->lock);
}

static int block_signals(sigset_t *ret)
{
        struct sigaction wake = { .sa_handler = wake_nothing };
        struct sigaction ignore = { .sa_handler = SIG_IGN };

        sigemptyset(ret);
        sigaddset(ret, SIGTERM);
        sigaddset(ret, SIGINT);
        sigaddset(ret, SIGNAL_END);
        sigaddset(ret, SIGNAL_LOOK);
        /* Process 1 of a pid namespace: what is not asked for would be lost. */
        if (pthread_sigmask(SIG_BLOCK, ret, NULL) != 0 || sigaction(SIGNAL_WAKE, &wake, NULL) < 0)
                return -EINVAL;
        sigaction(SIGHUP, &ignore, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
        sigaction(SIGXFSZ, &ignore, NULL); /* a limit that a shell left: EFBIG instead */
        return 0;
}

int nsm_session_serve(struct nsm_view *view, int fuse_fd, const struct nsm_session_start *start,
                      struct nsm_error *err)
{
        struct session s = {
                .fs = { .view = view, .policy = nsm_policy_for(view->config.coherence),
                        .on_ready = tell_ready,
                        .waiters = { .lock = PTHREAD_MUTEX_INITIALIZER } },
                .start = *start,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .changed = PTHREAD_COND_INITIALIZER,
        };
        struct nsm_forgetting forgetting;
        sigset_t signals;

        s.fs.on_ready_arg = &s;
        nsm_turns_init(&s.turns, &s.lock, fuse_fd);
        /* Many short-lived threads, few of them busy: no memory kept for each of them. */
        mallopt(M_ARENA_MAX, 2);
        mallopt(M_MMAP_THRESHOLD, 128 << 10);
        int r = nsm_witness_new(start->witness_fd, &s.fs.witness);
        if (r < 0)
                return nsm_error_set(err, r, "the view's witness did not start: it needs /proc, "
                                     "CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_SYS_CHROOT");
        nsm_near_rules_init(&s.near, s.fs.witness);
        atomic_store(&view->stats->near, s.near.usable);
        if (s.fs.policy.forward_locks)
                r = nsm_locks_new(view, &s.fs.locks);
        if (r == 0)
                r = block_signals(&signals);
        if (r < 0)
                return nsm_error_set(err, r, "signals cannot be set up");
        r = nsm_transport_open(&s.transport, &s.fs, fuse_fd, err);
        if (r < 0)
                return r;
        s.fs.fuse = s.transport.fuse;
        nsm_forgetting_init(&forgetting, view, fuse_session_fd(s.transport.fuse),
                            start->superblock_fd);
        if (view->config.coherence == NSM_COHERENCE_SHARED &&
            nsm_changes_start(&s.fs, s.transport.fuse, start->changes_fd, &s.fs.changes) < 0)
                nsm_log(LOG_WARNING, "changes by others are seen by timeouts alone");
        pthread_mutex_lock(&s.lock);
        r = start_thread(&s);
        pthread_mutex_unlock(&s.lock);
        if (r < 0)
                return nsm_error_set(err, r, "no thread can be started");
        wait_for_end(&s, &signals);
        bool ended = nsm_forgetting_end(&forgetting);
        stop_threads(&s);
        if (nsm_lock_waiters(&s.fs))
                _exit(s.result < 0 ? EXIT_FAILURE : EXIT_SUCCESS); /* and their threads with it */
        if (s.threads || !ended) {
                nsm_log(LOG_WARNING, "requests that the storage does not end are left behind");
                _exit(EXIT_FAILURE);
        }
        if (s.result < 0) {
                errno = -s.result;
                return nsm_error_set(err, s.result, "the connection broke: %m");
        }
        if (s.fs.changes)
                _exit(EXIT_SUCCESS); /* and its thread with it */
        nsm_transport_close(&s.transport);
        nsm_locks_free(s.fs.locks);
        nsm_witness_free(s.fs.witness);
        return 0;
}
