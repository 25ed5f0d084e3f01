/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

#define FLAGS "F=0,RENAME_NOREPLACE,RENAME_EXCHANGE,RENAME_WHITEOUT,"   \
              "RENAME_NOREPLACE|RENAME_EXCHANGE,RENAME_NOREPLACE|RENAME_WHITEOUT," \
              "RENAME_EXCHANGE|RENAME_WHITEOUT,8"

static const struct px_case cases[] = {
        { "every type onto every type", "T=%all,full V=none,%all,full",
          "make $T a 0640 7 8; make $V b 0600 9 10; watch . a; rename a b = ~; stat a = ~; "
          "stat b = ~; times .=~ a=~; stat . nlink=~" },
        { "every type onto every type, with flags",
          "T=file,dir,fifo,link,full V=none,file,dir,link,full "
          "F=RENAME_NOREPLACE,RENAME_EXCHANGE,RENAME_WHITEOUT",
          "make $T a; make $V b; mkdir d; rename a b $F = ~; stat a = ~; stat b = ~; "
          "stat . nlink=~; make $V d/b; rename b d/b $F = ~; stat d nlink=~; stat . nlink=~" },
        { "flags that exclude each other", FLAGS " V=none,file,dir",
          "make file a; make $V b; rename a b $F = ~" },
        { "flags on names that are not there", FLAGS,
          "rename a b $F = ~; create b; rename a b $F = ~; rename missing/a b $F = ~" },
        { "a file keeps its inode, ctime moves", "T=%all",
          "make $T a; link a same = ~; stat a; watch a .; rename a b; times b@a=c .=mc; "
          "rename b a; stat a type=$T; stat b = ENOENT" },
        { "times of both directories", "T=%all V=none,file",
          "mkdir x; mkdir y; make $T x/a; watch x y x/a .; rename x/a y/b; "
          "times x=mc y=mc y/b@x/a=c .=-" },
        { "a name that goes", "T=%files",
          "make $T a; make $T b; link b c; stat b nlink=2; watch c; rename a b; stat c nlink=1; "
          "times c=c; stat b ino=b; stat b nlink=1" },
        { "two names of one file", "T=%files",
          "make $T a; link a b; watch a .; rename a b = 0; stat a nlink=2; stat b ino=a; "
          "times a=~ .=~; rename a a = 0; rename a b RENAME_EXCHANGE = 0; "
          "rename a b RENAME_NOREPLACE = EEXIST" },
        { "onto itself", "T=%all",
          "make $T a; watch a .; rename a a = 0; times a=- .=-; rename a ./a = 0; "
          "rename a a RENAME_NOREPLACE = EEXIST; rename a a RENAME_EXCHANGE = 0" },
        { "into itself", "F=0,RENAME_NOREPLACE",
          "mkdir a; mkdir a/b; mkdir a/b/c; rename a a/x $F = EINVAL; rename a a/b/x $F = EINVAL; "
          "rename a a/b/c/x $F = EINVAL; rename a/b a/b/c/x $F = EINVAL; rename a/b a = ENOTEMPTY; "
          "rename a/b/c a = ENOTEMPTY; rename a a/b RENAME_EXCHANGE = EINVAL; "
          "rename a/b a RENAME_EXCHANGE = ~; rename a a/b = EINVAL; create f; "
          "rename a f/x = ENOTDIR" },
        { "dots", "o=.,..,a/.,a/..,./.,/",
          "mkdir a; create f; rename $o b = ~; rename a $o = ~; rename f $o = ~; "
          "rename $o a RENAME_EXCHANGE = ~; rename a $o RENAME_NOREPLACE = ~" },
        { "an exchange", "T=%all V=%all",
          "mkdir x; mkdir y; make $T x/a; make $V y/b; watch x/a y/b x y; "
          "rename x/a y/b RENAME_EXCHANGE; times y/b@x/a=c x/a@y/b=c x=mc y=mc; stat x nlink=~; "
          "stat y nlink=~; stat x/a type=$V; stat y/b type=$T" },
        { "a directory that moves has another parent", NULL,
          "mkdir x; mkdir y; mkdir x/d; stat x nlink=3; rename x/d y/d; stat x nlink=2; "
          "stat y nlink=3; stat y/d/.. ino=y; mkdir x/e; rename x/e y/d; stat x nlink=2; "
          "stat y nlink=3; create y/d/f; rename y/d y/e; get y/e/f = (empty); "
          "stat y/d/f = ENOENT" },
        { "whiteouts", "T=%all",
          "make $T a; watch .; rename a b RENAME_WHITEOUT; stat a type=char rdev=0:0 perm=0000 "
          "nlink=1 size=0 uid=0 gid=0; times .=mc; stat b type=$T; mkdir d; "
          "rename b d/b RENAME_WHITEOUT; stat b type=char; unlink a; rename d/b a; "
          "stat a type=$T" },
        { "whiteouts of others", "U=u1,u2",
          "chmod . 0777; make file a; rename a b RENAME_WHITEOUT; @$U create c; "
          "@$U rename c d RENAME_WHITEOUT = ~; stat c uid=~ gid=~ type=~" },
        { "open while it is renamed over", NULL,
          "put a one; put b two; open 1 b O_RDWR; rename a b; read 1 10 = two; "
          "stat #1 nlink=0 size=3; get b = one; write 1 more; chmod #1 0600; stat #1 perm=0600; "
          "stat b perm=0644" },
        { "open while it is renamed", "T=file,dir",
          "make $T a; open 1 a O_RDONLY; rename a b; stat #1 ino=b nlink=~; create a; rename b c; "
          "stat #1 ino=c; chmod #1 0700; stat c perm=0700" },
        { "without permission", "T=file,dir,link",
          "mkdir x; mkdir y; chmod x 0755; chmod y 0777; make $T x/a 0777 65534 65534; "
          "make $T y/b 0777 65534 65534; @u1 rename x/a y/a = EACCES; @u1 rename y/b x/b = EACCES; "
          "@u1 rename y/b y/c = 0; chmod y 0666; @u1 rename y/c y/d = EACCES" },
        { "a directory of somebody else changes its parent", "M=0755,0777,0555,0700,0070,0007",
          "mkdir x; mkdir y; chmod x 0777; chmod y 0777; make dir x/a $M 65533 65533; "
          "@u1 rename x/a x/b = ~; rename x/b x/a = ~; @u1 rename x/a y/a = ~; "
          "@u2 rename x/a y/b = ~; @u2 rename y/b x/b = ~" },
        { "sticky", "D=0,65534,65533,65532 A=65534,65533 B=65534,65533 T=file,dir",
          "make dir x 01777 $D $D; make dir y 01777 $D $D; make $T x/a; lchown x/a $A $A; "
          "make $T x/$B; lchown x/$B $B $B; @u1 rename x/a x/$B = ~; "
          "@u1 rename x/a y/a = ~; @u1 rename x/a x/c = ~; @u2 rename x/c y/c = ~; "
          "@u3 rename x/$B x/d = ~" },
        { "sticky, exchanged", "A=65534,65533 B=65534,65533 D=65534,65532",
          "make dir x 01777 $D $D; make file x/a 0666 $A $A; make file x/b 0666 $B $B; "
          "@u1 rename x/a x/b RENAME_EXCHANGE = ~; @u2 rename x/a x/b RENAME_EXCHANGE = ~; "
          "rename x/a x/b RENAME_EXCHANGE = 0" },
        { "trailing slashes", "T=file,dir,link,none V=none,file,dir,link",
          "make $T a; make $V b; rename a/ b = ~; rename b c = ~; make $T a = ~; rename a b/ = ~; "
          "make $T a = ~; rename a/ b/ = ~" },
        { "long names", "T=file,dir",
          "make $T a; rename a {n255} = 0; rename {n255} {n256} = ENAMETOOLONG; "
          "rename {n256} b = ENAMETOOLONG; rename {n255} b = 0; make $T {n255}; "
          "rename b {n255} = 0" },
        { "links in the middle", NULL,
          "mkdir d; create d/f; symlink d l; rename l/f l/g; stat d/g; rename l m; "
          "stat m type=link; rename m/g f; stat f type=file; symlink missing n; "
          "rename f n; stat n type=file; stat missing = ENOENT" },
};

PX_SUBJECT(rename, cases)
