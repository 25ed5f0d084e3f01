/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The POSIX suite: tables of cases, run on ext4 and on views of ext4 with the
 * same expectations. One file per subject, cases-SUBJECT.c, named in
 * meson.build; it includes this header alone:
 *
 *     static const struct px_case cases[] = {
 *             { "a name that is taken", "T=%all",
 *               "make $T f; mkdir f 0755 = EEXIST" },
 *     };
 *     PX_SUBJECT(mkdir, cases)
 *
 * A CASE is a name, variables, and steps. Its steps run in an empty directory of
 * its own (root's, 0755), as root with umask 0. Variables "T=file,dir U=u1,u2"
 * make one case of every combination; $T in a step stands for the value. With a
 * small letter, "o=chmod+f+0600,unlink+f", the steps that hold $o are repeated
 * within one case instead. In a value '+' is a space, and another variable may
 * be named. %NAME as a value stands for a list (script.c has more):
 *     %all    file dir fifo sock link char block     %files  all but dir
 *     %plain  file dir fifo sock link                %nolink all but link
 *     %paths  every operation on the path $P
 *
 * A STEP is one operation with its arguments, ended by ';' or a newline:
 *
 *     [?PLACE] [@USER] OPERATION ARGUMENT... [= EXPECTATION...]
 *
 * ?PLACE: only there (?host, ?tenant, ?ext4, ?view, or a place by its name).
 * @USER: as root, or u1 .. u9 (uid and gid 65534 .. 65526), or UID[:GID[:G,G...]]
 * with supplementary groups. `as USER` and `umask 022` hold for later steps.
 * EXPECTATION: an errno by name, a number or text; none: anything but an error.
 * `A|B` is either. `PLACE:WORD` after it holds for that place, the last that
 * matches counts: `mknod f char 0600 1 3 = 0 tenant:EPERM`. `~` is what the
 * reference of the place gave: for combinations without number.
 *
 * An ARGUMENT: \xHH and \s (a space) for bytes; {n255} a name of so many bytes;
 * {p4095:f} the relative path to f padded to so many bytes; {P4095:f} the same
 * absolute; {d} the case's directory, absolute. Where a path is wanted, #1 is
 * the file open in slot 1 and #1/f a name below it (the *at calls). Numbers as
 * in C (0644 is octal); flags by name: O_RDWR|O_TRUNC.
 *
 * OPERATIONS are in ops-*.c, one table each. Those of use for all subjects:
 *     make TYPE PATH [MODE [UID GID]]  an object of any type, `none` included
 *     open SLOT PATH FLAGS [MODE]      stays open in #SLOT till `close SLOT`
 *     create PATH [MODE]               a new file
 *     write SLOT TEXT, read SLOT N, put PATH TEXT, get PATH
 *     stat PATH [KEY=VALUE...]         lstat; each KEY is an assertion of its own:
 *             type perm uid gid nlink size rdev blocks; ino, dev, btime
 *             compare with another path: ino=f
 *     watch PATH...                    remember all times (and wait a clock tick)
 *     times PATH=amc...                which of atime, mtime, ctime have moved since
 *             (`-` for none); new@old=c compares with what was watched as `old`
 *     change HOW PATH                  every way to change content (ops-data.c)
 *     setxattr, setacl, setcaps, ...   ops-xattrs.c, ACLs in words: u=7,u5=6,g=5,m=7,o=0
 *     probe NAME                       a function (probes.h): 0, or the line that failed
 *
 * After each case the whole directory is listed, and type, mode, owner, links,
 * size and link targets of everything are compared with the reference's.
 *
 * PLACES: ext4 (its own reference), view (a view of ext4 with an identity map;
 * ext4), tenant-ext4 (an id-mapped mount of ext4, seen in a tenant's user
 * namespace), tenant (a view with shifted ids and coherence=exclusive, seen
 * there; tenant-ext4); view-exclusive and tenant-shared, the same two with the
 * other coherence; graft (attached by nsmountd, which passes events of the storage
 * on; tenant-ext4).
 * Environment, to look closer: NSM_POSIX_CASE=TEXT runs the cases whose name has
 * that text, NSM_POSIX_SHOW=1 prints every step with its result.
 */
#ifndef NSM_TESTS_POSIX_POSIX_H
#define NSM_TESTS_POSIX_POSIX_H

#include <criterion/criterion.h>
#include <stddef.h>

#include "tests/harness/harness.h"

struct px_case {
        const char *name;
        const char *each; /* variables; NULL for none */
        const char *steps;
};

struct px_subject {
        const char *name;
        const struct px_case *cases;
        size_t n;
        const char *read_only; /* a shell command; NULL: what is made may be written */
};

/*
 * Runs a subject on all places, and prints the number of assertions to stderr.
 * Returns NULL, or a text of what failed, which the caller frees.
 */
char *px_run(const struct px_subject *subject);

#define PX_SUBJECT(subject, table) PX_SUBJECT_READ_ONLY(subject, table, NULL)

/*
 * The same where nothing may be written: all cases run in one directory, in
 * which the shell command @make has made things before. Places are a read-only
 * ext4, read-only views, and one that only its worker knows to be read-only.
 */
#define PX_SUBJECT_READ_ONLY(subject, table, make)                                     \
        Test(posix, subject)                                                           \
        {                                                                              \
                NSM_REQUIRE();                                                         \
                const struct px_subject it = { #subject, table,                        \
                                               sizeof(table) / sizeof(*(table)), make };\
                char *failures = px_run(&it);                                          \
                cr_assert(!failures, "%s", failures);                                  \
        }

#endif
