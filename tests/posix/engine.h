/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the POSIX suite share; tables of cases need only posix.h. */
#ifndef NSM_TESTS_POSIX_ENGINE_H
#define NSM_TESTS_POSIX_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tests/posix/posix.h"

#define PX_TEXT_MAX 8192 /* of an argument or a result */
#define PX_WORDS_MAX 64
#define PX_SLOTS 10
#define PX_WATCHES 16

/* Where a case runs. */
struct px_place {
        const char *name;
        const char *dir;
        bool view, tenant, exclusive;
        bool attached; /* by nsmountd */
        bool unlocked; /* a view that is read-only, on a mount that is not */
        struct nsm_fake_container *container; /* where from; NULL: the host */
        int reference; /* index of another place, or -1 */
};

#define PX_PLACES_MAX 7

struct px_scene {
        size_t n;
        struct px_place places[PX_PLACES_MAX];
};

/* places.c: makes them all; @read_only as in struct px_subject. */
void px_scene_make(struct nsm_world *w, const char *read_only, struct px_scene *ret);

/* What came out of every assertion, in order; in memory that forked processes share. */
struct px_log {
        size_t used;
        size_t assertions;
        size_t failures;
        size_t n_cases;
        size_t seen;   /* cases that were looked at, run or not */
        bool finished; /* there are no more */
        unsigned pool; /* device nodes taken from the pool */
        size_t case_at[20000];
        char report[65536]; /* what failed */
        char text[];
};
#define PX_LOG_BYTES ((size_t)64 << 20)

struct px_watch {
        char path[PX_TEXT_MAX];
        struct statx stx;
        bool there;
};

/* One run of one subject on one place. */
struct px {
        const struct px_subject *subject;
        const struct px_place *place;
        struct px_log *log;
        const struct px_log *reference; /* NULL where there is none */
        size_t reference_at;            /* in its text */

        int place_fd, case_fd;
        char case_dir[16]; /* its name */
        const char *case_name;
        char step[256]; /* as written, for messages */
        char user[64];
        unsigned case_failures;
        int slots[PX_SLOTS];
        struct px_watch *watches;
        size_t n_watches;
        struct timespec watched; /* when the last watch began */
        char text[PX_TEXT_MAX];  /* an operation's result, where it is not a number */
};

/* An operation: a number or -errno; or 0 with px->text filled. Ends its process when misused. */
typedef int px_op(struct px *px, char **args, int n);

struct px_operation {
        const char *name;
        px_op *op;
        int min, max; /* arguments */
};

extern const struct px_operation px_ops_names[], px_ops_files[], px_ops_attributes[],
        px_ops_times[], px_ops_xattrs[], px_ops_data[], px_ops_probes[];

/* Compares and counts. @what: which part of the step; NULL: its result. */
void px_check(struct px *px, const char *what, const char *expected, const char *actual);

/* A mistake in a table: says where, and ends the process. */
void px_die(struct px *px, const char *fmt, ...)
        __attribute__((format(printf, 2, 3), noreturn));

/* script.c: one combination of a case's variables; false when there is none of that number. */
bool px_script_expand(const struct px_case *c, size_t number, char *name, size_t name_size,
                      char *script, size_t script_size);

/* script.c: splits a step in place into words. Returns how many. */
int px_script_words(char *step, char **words, int max);

/* script.c: undoes the escapes of an argument. */
void px_script_argument(struct px *px, const char *word, char *ret, size_t size);

/* engine.c: the next cases of a subject on one place, so many that nobody waits too long. */
void px_run_some(const struct px_subject *subject, const struct px_place *place,
                  struct px_log *log, const struct px_log *reference);

/* args.c: what arguments mean. */
struct px_path {
        int fd;
        const char *name;
        int empty; /* AT_EMPTY_PATH, or 0 */
};
struct px_path px_path(struct px *px, const char *arg);
int px_slot(struct px *px, const char *arg);
int64_t px_number(struct px *px, const char *arg);
int px_flags(struct px *px, const char *arg);
const char *px_result_text(int r, char *buf, size_t size);

/* tree.c: everything below the case's directory, compared with the reference. */
void px_check_tree(struct px *px);
void px_type_name(mode_t mode, char *ret);

/* users.c: becomes another user, in all ids, or root again. */
int px_become(struct px *px, const char *user);
void px_become_root(void);

#endif
