/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the harness asks of the guardian, over a SOCK_SEQPACKET socket that is
 * the guardian's standard input. One request, one reply; the end of the socket
 * is the end of the world.
 */
#ifndef NSM_HARNESS_GUARDIAN_H
#define NSM_HARNESS_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define NSM_GUARDIAN_MESSAGE_MAX 65536
#define NSM_GUARDIAN_TEXT_MAX 60000

enum nsm_guardian_op {
        /* A shell command: three descriptors (stdout, stderr, where the status goes). */
        NSM_GUARDIAN_SPAWN,
        /* A container: no descriptors; texts[0] uid_map, texts[1] gid_map. */
        NSM_GUARDIAN_CONTAINER,
        /* All down; the reply comes when it is done. */
        NSM_GUARDIAN_FINISH,
};

struct nsm_guardian_request {
        enum nsm_guardian_op op;
        pid_t enter;    /* SPAWN: the container to run it in, or 0 */
        int namespaces; /* CONTAINER: CLONE_NEW* */
        int root;       /* CONTAINER: enum nsm_container_root */
        int shared;     /* CONTAINER: whether its mounts propagate */
        char texts[];   /* NUL-terminated, one after the other */
};

_Static_assert(sizeof(struct nsm_guardian_request) == offsetof(struct nsm_guardian_request, texts),
               "texts begin where the struct ends");

struct nsm_guardian_reply {
        int error; /* negative errno, or 0 */
        pid_t pid; /* what was made */
        char text[256];
};

/*
 * Makes a container's first process, which is the caller's child. 0 or a
 * negative errno, and what failed in @reply->text. Its mounts are a copy of the
 * host's without what lies beside @world_dir: other tests mount there, and what
 * they remove would go from the container's table while its test looks.
 */
int nsm_guardian_make_container(const struct nsm_guardian_request *request, const char *world_dir,
                                const char *uid_map, const char *gid_map, const char *work_dir,
                                struct nsm_guardian_reply *reply);

/* Unmounts, lazily, all that is mounted below a directory or (@itself) at it. 0 or -errno. */
int nsm_guardian_unmount(const char *dir, bool itself);

/* Joins all namespaces of a process that differ from ours. 0 or a negative errno. */
int nsm_guardian_enter(pid_t pid);

#endif
