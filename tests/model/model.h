/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A randomised test against a model, and the model is ext4: the same random
 * operations, one at a time, on a directory of ext4 and on a view of another
 * one. What each operation returns, what it leaves of the inodes that it
 * touched, and now and then the whole trees are compared.
 *
 * Operations are values, drawn before the first is run, and depend on nothing
 * that ran before: so any of them can be left out, written down and read again.
 *
 * One process with one thread runs a sequence; all functions are its own.
 */
#ifndef NSM_TESTS_MODEL_H
#define NSM_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#define MODEL_ARGS 4
#define MODEL_PATH 24
#define MODEL_SLOTS 6 /* open files of a side */
#define MODEL_MAPS 3  /* mappings of a side */
#define MODEL_USERS 4 /* the first is root */
#define MODEL_WHY 1024

/* What an argument of an operation is: which values are drawn for it. */
enum model_domain {
        D_NONE, D_SLOT, D_MAP, D_OFFSET, D_LENGTH, D_SIZE, D_OPEN, D_MODE, D_NODE, D_RENAME,
        D_BOOL, D_ID, D_TIME, D_NSEC, D_XATTR, D_VALUE, D_CREATE, D_FALLOCATE, D_WHENCE,
        D_PROTECTION, D_LOCK, D_MASK, D_ACL, D_BYTE,
};

enum model_profile {
        MODEL_TREE, /* names, attributes and a little data, by several users */
        MODEL_DATA, /* two files, opened several times */
        MODEL_PROFILES,
};

struct model_op {
        int kind; /* an index of the table of kinds */
        int user;
        char path[2][MODEL_PATH]; /* a/b; '#' stands for 255 letters, '%' for 256 */
        long n[MODEL_ARGS];
};

/* Where operations are run: below @top, its working directory while it acts. */
struct model_side {
        const char *name;
        int top;
        mode_t umask;
        bool vague; /* holes are not told from data for sure any more */
        bool late;  /* something was mapped: the kernel writes it some time, and moves times */
        int fd[MODEL_SLOTS]; /* or -1 */
        struct {
                char *at; /* NULL: none */
                size_t length;
                long offset; /* in the file */
                int fd;
        } map[MODEL_MAPS];
};

struct model_result {
        long value; /* -1: failed with @error */
        int error;
        uint64_t hash; /* of the data that came back */
        bool has_stat;
        struct statx stat;
        char text[MODEL_WHY]; /* whatever else came back */
};

struct model_kind {
        const char *name;
        long (*run)(struct model_side *side, const struct model_op *op, struct model_result *r);
        int paths; /* how many it takes */
        enum model_domain args[MODEL_ARGS];
        int weight[MODEL_PROFILES];
};

/* ---- kinds of operations: model-kinds.c ---- */

extern const struct model_kind model_kinds[];
extern const size_t model_kind_count;

/* model-names.c, model-attributes.c, model-data.c */
#define MODEL_RUN(name) \
        long model_##name(struct model_side *s, const struct model_op *op, struct model_result *r)
MODEL_RUN(open);
MODEL_RUN(close);
MODEL_RUN(tmpfile);
MODEL_RUN(mkdir);
MODEL_RUN(mknod);
MODEL_RUN(symlink);
MODEL_RUN(link);
MODEL_RUN(link_open);
MODEL_RUN(unlink);
MODEL_RUN(rmdir);
MODEL_RUN(rename);
MODEL_RUN(chmod);
MODEL_RUN(chown);
MODEL_RUN(truncate);
MODEL_RUN(stat);
MODEL_RUN(access);
MODEL_RUN(list);
MODEL_RUN(readlink);
MODEL_RUN(utimens);
MODEL_RUN(statfs);
MODEL_RUN(umask);
MODEL_RUN(setxattr);
MODEL_RUN(getxattr);
MODEL_RUN(listxattr);
MODEL_RUN(removexattr);
MODEL_RUN(fsetxattr);
MODEL_RUN(fgetxattr);
MODEL_RUN(setacl);
MODEL_RUN(setcap);
MODEL_RUN(write_here);
MODEL_RUN(read_here);
MODEL_RUN(pwrite);
MODEL_RUN(pread);
MODEL_RUN(seek);
MODEL_RUN(ftruncate);
MODEL_RUN(fchmod);
MODEL_RUN(fchown);
MODEL_RUN(fstat);
MODEL_RUN(fallocate);
MODEL_RUN(copy);
MODEL_RUN(sendfile);
MODEL_RUN(fsync);
MODEL_RUN(setfl);
MODEL_RUN(lock);
MODEL_RUN(flock);
MODEL_RUN(map);
MODEL_RUN(unmap);
MODEL_RUN(load);
MODEL_RUN(store);
MODEL_RUN(msync);

/* Pages that data comes from and goes to. */
#define MODEL_BUFFER 0x20000
/* Fills @n bytes (at most MODEL_BUFFER) by @seed; the buffer is page-aligned. */
char *model_buffer(size_t n, long seed);
uint64_t model_hash(uint64_t hash, const void *data, size_t n);

/* The path with what its letters stand for; valid until the next call but three. */
const char *model_path(const char *path);

/* ---- sides: model-side.c ---- */

/* Takes the ids of user 0 (root) to MODEL_USERS - 1; the process must be root. */
void model_become(int user);

/* Makes the directory @name/top below @fd, which anybody may use. Aborts when it cannot. */
void model_side_begin(struct model_side *side, const char *name, int fd, const char *dir);
/* The same directory, which is there already. */
void model_side_open(struct model_side *side, const char *name, int fd, const char *dir);
void model_side_end(struct model_side *side);

/* Runs one operation as its user. */
void model_run(struct model_side *side, const struct model_op *op, struct model_result *ret);

/* ---- comparing: model-compare.c ---- */

/*
 * Runs an operation on both sides. False when they differ: @why, of MODEL_WHY bytes, says how.
 * @watch: compare the inodes that it names before and after, too.
 */
bool model_step(struct model_side sides[2], const struct model_op *op, bool watch,
                char *why);

/*
 * A mode but for what is not sure: the kernel does not tell a view of all that
 * makes S_ISGID go of a file that its group cannot execute.
 */
mode_t model_sure_mode(const struct statx *stx);

/* ---- trees: model-tree.c ---- */

/*
 * Compares all that is below two directories: names, attributes, xattrs,
 * content, which names are links to one inode. @exact: two ways to the same
 * inodes, so that numbers and times are equal, too.
 */
bool model_same_trees(int a, int b, bool exact, char *why);

/* Removes all that is below a directory, as root. */
void model_empty(int dir);

/* ---- sequences: model-draw.c ---- */

void model_draw(uint64_t *random, enum model_profile profile, struct model_op *ret);
uint64_t model_random(uint64_t *state);
void model_write(FILE *to, const struct model_op *op);
/* False: the line is no operation. */
bool model_read(const char *line, struct model_op *ret);

/* ---- the place: model-place.c ---- */

struct model_config {
        bool shared; /* coherence */
        bool tenant; /* in a user namespace with shifted ids */
};

/*
 * A private mount namespace, ext4 on a loop device, a view of one of its
 * directories, and another one as the model: id-mapped for a tenant.
 */
struct model_place {
        int native;  /* directories */
        int view;
        int storage; /* what @view shows */
        int userns;  /* -1: the host's */
        int worker;  /* the pid of nsmountfs -f */
};

/* Once per process, before the first model_place_open(); aborts when it cannot. */
void model_place_prepare(const char *dir);
void model_place_open(const struct model_config *config, struct model_place *ret);
/* Unmounts the view; false when the worker did not end well. */
bool model_place_close(struct model_place *place);

/* Enters the tenant's user namespace, where there is one, as its root. */
void model_place_enter(const struct model_place *place);

/* ---- sequences: model-sequence.c ---- */

struct model_sequence {
        struct model_op *ops;
        size_t count;
        bool watch;    /* look at all inodes before and after each operation */
        size_t stride; /* compare the trees after so many operations, and at the end */
};

/*
 * Runs a sequence in a process of its own, in empty directories that are left
 * empty. False: *ret_at says where the two differ, and @why how.
 */
bool model_sequence_run(const struct model_place *place, const struct model_sequence *sequence,
                        size_t *ret_at, char *why);

/* Leaves out what a failing sequence does not need, in so many runs at most. */
void model_sequence_shrink(const struct model_place *place, struct model_sequence *sequence,
                           unsigned runs, char *why);

/* ---- several at once: model-parallel.c ---- */

/*
 * Several processes, each with @count operations of its own, in one directory of
 * the view. False, and @why: one got an error that no local filesystem gives, or
 * afterwards the view shows not what is stored, or the worker still holds files.
 */
bool model_parallel_run(const struct model_place *place, uint64_t seed, size_t count, char *why);

#endif
