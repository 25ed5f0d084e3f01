/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* symlink and readlink, and the ways through links. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "targets", "O=x,{n255},{n256},{p4095:f},{p59:f},{p60:f},{p61:f},{p4094:f},\\xff\\x0a,.,"
          "/,..,"
          "/{n255}/x,\\s", "watch .; symlink $O l; times .=mc; readlink l = $O; stat l type=link "
          "perm=0777 nlink=1 size=~ blocks=~ uid=0 gid=0; unlink l" },
        { "targets that are none", NULL,
          "symlink \\0 l = ENOENT; symlink {p4096:f} l = ENAMETOOLONG; symlink x \\0 = ENOENT" },
        { "a name that is taken", "T=%all,dangling,loop,full",
          "make $T l; symlink x l = EEXIST; symlink x l/ = ~; readlink l = ~" },
        { "readlink of every type", "T=%all", "make $T f; watch f; readlink f 3 = ~; times f=~; "
          "watch f; "
          "readlink f = ~; times f=~" },
        { "with little room", "N=1,2,5,6,7,100", "symlink target l; readlink l $N = ~" },
        { "no room", NULL, "symlink target l; readlink l 0 = EINVAL; create f; readlink f 0 = ~" },
        { "umask is not for links", "U=0,022,077,0777",
          "umask $U; symlink x l; stat l perm=0777" },
        { "belongs to its maker", "U=u1,u2,1000:7",
          "chmod . 0777; @$U symlink x l; stat l uid=~ gid=~; @$U readlink l = x" },
        { "without permission", "U=u1",
          "mkdir d; chmod d 0755; @$U symlink x d/l = EACCES; chmod d 0733; @$U symlink x d/l; "
          "chmod d 0744; @$U readlink d/l = EACCES; chmod d 0711; @$U readlink d/l = x" },
        { "a sticky directory that all may write", "U=u1,u2,root O=65534,65533,0",
          "mkdir d; chmod d 01777; chown d $O $O; make file f 0666; symlink ../f d/l; "
          "lchown d/l 65533 65533; @$U get d/l = ~; @$U follow d/l = ~; @$U chmod d/l 0666 = ~" },
        { "an inherited group", NULL,
          "make dir d 02777 0 65530; @u1 symlink x d/l; stat d/l gid=65530 uid=65534" },
        { "by descriptor", NULL,
          "symlink x l; open 1 l O_PATH|O_NOFOLLOW; readlink #1 = x; stat #1 type=link; "
          "open 2 l O_RDONLY|O_NOFOLLOW = ELOOP; rename l m; readlink #1 = x; unlink m; "
          "readlink #1 = x; stat #1 nlink=0" },
        { "many in a row", "N=1,10,20,41",
          "chain $N l; mkdir l$N; create l$N/f; stat l0/f = ~; get l0/f = ~; chdir l0 = ~" },
        { "links within links", NULL,
          "mkdir a; mkdir a/b; symlink a x; symlink x/b y; symlink y/../f z; create a/f; "
          "stat y/.. ino=a; follow z ino=a/f; put z text; get a/f = text; "
          "symlink ./././a p; stat p/f ino=a/f; rename a c; stat y/.. = ENOENT; "
          "symlink c a; stat y/.. ino=c" },
        { "times of a link", NULL,
          "symlink x l; watch l; readlink l; times l=~; lutimens l 5 6; gettime l m = 6.0; "
          "gettime l a = 5.0; watch l; lchown l 4 5; times l=c; stat l uid=4 gid=5" },
};

PX_SUBJECT(symlink, cases)
