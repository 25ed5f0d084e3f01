/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher: a process that hears what is changed on one filesystem of the
 * host (fanotify(7)) and tells each view what concerns its own volume, through
 * the pipe of fs/worker.h. It takes CAP_SYS_ADMIN to watch a filesystem and
 * CAP_DAC_READ_SEARCH to open what an event is about, which no worker may have;
 * and it may wait for the storage, which nsmountd must not.
 *
 * Nothing here has to arrive: an event that is lost, by an overflow of the
 * kernel's queue, by a full pipe, or because nobody watches for a moment, is a
 * change that is seen by timeouts.
 *
 * It is a process of its own, `nsmountfs --watch`, with the descriptor below and
 * standard ones. It is asked over a SOCK_SEQPACKET socket: one struct nsm_watch_order and two
 * descriptors per message; struct nsm_watch_answer comes back for each.
 */
#ifndef NSM_WATCH_WATCH_H
#define NSM_WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NSM_WATCH_FD_SOCKET 3

/* Views that one watcher tells. More is -ENOSPC: they learn by timeouts. */
#define NSM_WATCH_VIEWS_MAX 1024

/*
 * With it come the source directory (O_PATH, in a mount of the host, the same
 * filesystem for all orders) and the writing end of the view's pipe. A view is
 * dropped when nobody reads its pipe any more; without views the watcher ends.
 */
struct nsm_watch_order {
        uint64_t view; /* whatever the answer is to carry */
        int32_t pid;   /* of the worker, whose own changes it knows already */
        uint32_t stay; /* go on when the socket ends, as long as there are views */
};

struct nsm_watch_answer {
        uint64_t view;
        int32_t result; /* 0, or a negative errno: the view learns by timeouts */
        uint32_t unused;
};

/*
 * A pipe as fs/worker.h has it: *ret_worker goes to the worker, *ret_watcher to
 * whoever watches. 0 or -errno.
 */
int nsm_watch_make_pipe(int *ret_worker, int *ret_watcher);

/* The writing end, by a descriptor of the worker's that is not trusted. 0 or -errno. */
int nsm_watch_reopen_pipe(int worker_fd, int *ret_watcher);

/* Sends an order. The descriptors stay the caller's. 0 or -errno, -EAGAIN included. */
int nsm_watch_send(int socket_fd, const struct nsm_watch_order *order, int source_fd, int pipe_fd);

/* Takes an answer. 1; 0: the watcher has ended; -EAGAIN; or -errno. Non-blocking. */
int nsm_watch_receive(int socket_fd, struct nsm_watch_answer *ret);

/*
 * Starts a watcher that is the caller's child: @program is the path of nsmountfs.
 * *ret_socket is our end; *ret_pidfd says when it has ended, and it has to be
 * waited for. Single-threaded callers only. 0 or -errno.
 */
int nsm_watch_start(const char *program, int *ret_socket, int *ret_pidfd);

/*
 * The watcher itself: the rest of a process with one thread and root's
 * privilege. Every descriptor but @socket_fd and standard ones is closed.
 * Returns its exit status.
 */
int nsm_watch_main(int socket_fd);

#endif
