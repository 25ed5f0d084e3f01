/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "every type", "T=%all",
          "make $T a 0640 5 6 = ~; watch a .; link a b = ~; stat a nlink=~; times a=~ .=~; "
          "stat b = ~; link a b = ~" },
        { "the two are one", "T=file,fifo,sock,char",
          "make $T a; link a b; stat b ino=a nlink=2 dev=a btime=a; link b c; stat a nlink=3; "
          "chown b 7 8; lchown b 7 8; stat a uid=~ gid=~; watch a b c; lchown c 9 10; "
          "times a=c b=c c=c; unlink a; stat c nlink=2; unlink b; stat c nlink=1" },
        { "onto every type", "T=file,dir,link,fifo V=%all,full,dangling,loop",
          "make $T a; make $V b; link a b = ~; stat a nlink=~" },
        { "a link by its name", NULL,
          "create f; symlink f l; link l a; stat a type=link nlink=2; "
          "link l b AT_SYMLINK_FOLLOW; stat b type=file ino=f; stat f nlink=2; "
          "symlink missing m; link m c; stat c type=link; link m d AT_SYMLINK_FOLLOW = ENOENT; "
          "symlink loop loop; link loop e; link loop g AT_SYMLINK_FOLLOW = ELOOP; mkdir h; "
          "symlink h hl; link hl i; link hl j AT_SYMLINK_FOLLOW = EPERM" },
        { "by descriptor", "F=O_RDONLY,O_PATH,O_RDWR",
          "create f; open 1 f $F; link #1 g = ~; @u1 link #1 h = ~; stat f nlink=~; "
          "open 2 f O_PATH; unlink f; link #2 i = ~; link #1 j = ~" },
        { "flags that are none", "F=1,0x200,0x100,0x10000", "create f; link f g $F = ~" },
        { "without permission", "M=0700,0711,0755,0733,0777 N=0700,0733,0755,0777",
          "mkdir x; mkdir y; create x/f; chown x/f 65534 65534; chmod x $M; chmod y $N; "
          "@u1 link x/f y/f = ~; @u1 link x/f x/g = ~" },
        { "of somebody else's file", "M=0000,0400,0444,0644,0666,0777,04755,02755,02745 U=u1,u2",
          "chmod . 0777; make file f $M 65534 65534; @$U link f g = ~" },
        { "of somebody else's other things", "T=%nolink U=u1,u2",
          "chmod . 0777; make $T f 0666; @$U link f g = ~; chown f 65534 65534; @$U link f h = ~" },
        { "names", NULL,
          "create f; link f {n255}; link {n255} g; link f {n256} = ENAMETOOLONG; "
          "link {n256} h = ENAMETOOLONG; stat f nlink=3; link f g/ = ~; link f x/ = ~; "
          "link f/ y = ~; link f . = EEXIST; link f .. = EEXIST; mkdir d; link d e = EPERM; "
          "link d f = ~; link f d/. = EEXIST; link . x = EPERM; link .. x = EPERM" },
        { "a hundred names", "N=20,60",
          "create f; links $N f; stat f nlink=~; stat f-1 ino=f; unlink f; stat f-1 nlink=~; "
          "chmod f-2 0600; stat f-3 perm=0600; rename f-1 f; stat f-4 nlink=~ ino=f" },
        { "many names of one file in many directories", NULL,
          "mkdir a; mkdir b; mkdir c; create a/f; link a/f b/f; link a/f c/f; rename a b/a; "
          "stat b/a/f nlink=3; stat c/f ino=b/a/f; unlink b/f; chmod c/f 0600; "
          "stat b/a/f perm=0600 "
          "nlink=2; rename b d; stat d/a/f nlink=2; unlink c/f; stat d/a/f nlink=1" },
};

PX_SUBJECT(link, cases)
