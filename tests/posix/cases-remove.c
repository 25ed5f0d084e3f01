/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unlink and rmdir. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "unlink of every type", "T=%all,full,none",
          "make $T f; watch .; unlink f = ~; times .=~; stat f = ~; stat . nlink=~" },
        { "rmdir of every type", "T=%all,full,none,dangling,loop",
          "make $T f; watch .; rmdir f = ~; times .=~; stat f = ~; stat . nlink=~" },
        { "other names stay", "T=%files",
          "make $T a 0640 3 4; link a b; link a c; stat a nlink=3; watch b .; unlink a; "
          "stat b nlink=2; times b=c .=mc; watch c; unlink b; stat c nlink=1 uid=~; times c=c" },
        { "open while it goes", NULL,
          "put f text; open 1 f O_RDWR; watch #1; unlink f; stat #1 nlink=0 size=4; times #1=c; "
          "read 1 10 = text; write 1 more; stat #1 size=8; chmod #1 0600; stat #1 perm=0600; "
          "chown #1 1 2; stat #1 uid=1 gid=2; ftruncate 1 2; stat #1 size=2; utimens #1 1 2; "
          "gettime #1 m = 2.0; create f; stat f size=0 perm=0644; stat #1 size=2; "
          "link #1 g AT_EMPTY_PATH = ENOENT" },
        { "held by O_PATH while it goes", "T=%all",
          "make $T f; open 1 f O_PATH|O_NOFOLLOW; unlink f = ~; rmdir f = ~; "
          "stat #1 nlink=~ type=$T" },
        { "a directory that is open goes", NULL,
          "mkdir d; open 1 d O_RDONLY|O_DIRECTORY; rmdir d; stat #1 nlink=0; create #1/f = ENOENT; "
          "mkdir #1/d = ENOENT; symlink x #1/l = ENOENT; mkfifo #1/p = ENOENT; stat #1/x = ENOENT; "
          "open - #1/f O_WRONLY|O_CREAT 0600 = ENOENT; stat #1/. nlink=0; stat #1/.. ino=.; "
          "create f; link f #1/g = ENOENT; rename f #1/g = ENOENT; chmod #1 0700; "
          "stat #1 perm=0700" },
        { "the working directory goes", NULL,
          "mkdir d; chdir d; rmdir ../d; stat . nlink=0; create f = ENOENT; mkdir e = ENOENT; "
          "stat .. type=dir; chdir . = ~; chdir .. = 0" },
        { "dots", "o=.,..,d/.,d/..,d/./.,./d/.",
          "mkdir d; mkdir d/e; rmdir $o = ~; unlink $o = ~" },
        { "trailing slashes", "T=%all,dangling,none",
          "make $T f; unlink f/ = ~; rmdir f/ = ~; stat f = ~" },
        { "a link count of the parent", NULL,
          "mkdir a; mkdir a/b; mkdir a/c; stat a nlink=4; rmdir a/b; stat a nlink=3; "
          "rmdir a = ENOTEMPTY; rmdir a/c; stat a nlink=2; rmdir a; stat . nlink=2" },
        { "without permission", "T=file,dir,link U=u1,u2 M=0700,0755,0733,0722,0777,0711,0444",
          "make dir d $M; make $T d/f; @$U unlink d/f = ~; @$U rmdir d/f = ~" },
        { "sticky", "D=0,65534,65533 A=0,65534,65533 T=file,dir,link U=u1,u2",
          "make dir d 01777 $D $D; make $T d/f; lchown d/f $A $A; @$U unlink d/f = ~; "
          "@$U rmdir d/f = ~" },
        { "sticky by group", "T=file,dir G=65534,65533",
          "make dir d 01770 0 $G; make $T d/f; lchown d/f 65533 $G; "
          "@65534:65534:$G unlink d/f = ~; "
          "@65534:65534:$G rmdir d/f = ~; @65533:65533:$G unlink d/f = ~; "
          "@65533:65533:$G rmdir d/f = ~" },
        { "a full directory", "T=file,dir,link,fifo,sock",
          "mkdir d; make $T d/x; rmdir d = ENOTEMPTY; rename d/x x; rmdir d; mkdir d" },
        { "many names go and come", NULL,
          "create a; link a b; unlink a; link b a; unlink b; link a b; unlink a; stat b nlink=1; "
          "mkdir d; rmdir d; create d; unlink d; symlink x d; unlink d; mkdir d; stat d nlink=2" },
};

PX_SUBJECT(remove, cases)
