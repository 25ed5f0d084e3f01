/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "user attributes, by type", "T=%all",
          "make $T f; setxattr f user.a one = ~; getxattr f user.a = ~; getxattr f user.a 0 = ~; "
          "listxattr f = ~; removexattr f user.a = ~; getxattr f user.a = ~" },
        { "names of no known kind", "T=%all N=os2.a,user,a,system.a,nonsense.a,system.posix_acl,"
          "user.,security.,trusted.,gnu.translator,btrfs.compression",
          "make $T f; setxattr f $N v = ~; getxattr f $N = ~; removexattr f $N = ~" },
        { "an empty name", NULL,
          "create f; setxattr f \\0 v = ERANGE; getxattr f \\0 = ERANGE; "
          "removexattr f \\0 = ERANGE" },
        { "the length of a name", NULL,
          "create f; setxattr f user.{n250} v; getxattr f user.{n250} = v; "
          "setxattr f user.{n251} v = ERANGE; getxattr f user.{n251} = ERANGE; "
          "removexattr f user.{n251} = ERANGE; removexattr f user.{n250}" },
        { "bytes of names and values", NULL,
          "create f; setxattr f user.\\xff\\xfe\\x0a \\x01\\xff; getxattr f user.\\xff\\xfe\\x0a = "
          "\\x01\\xff; listxattr f = user.\\xff\\xfe\\x0a" },
        { "create and replace", NULL,
          "create f; setxattr f user.a 1 XATTR_REPLACE = ENODATA; setxattr f user.a 1 "
          "XATTR_CREATE; setxattr f user.a 2 XATTR_CREATE = EEXIST; getxattr f user.a = 1; "
          "setxattr f user.a 3 XATTR_REPLACE; getxattr f user.a = 3; "
          "setxattr f user.a 4 XATTR_CREATE|XATTR_REPLACE = ~; getxattr f user.a = ~; "
          "setxattr f user.b 4 XATTR_CREATE|XATTR_REPLACE = ~; getxattr f user.b = ~; "
          "setxattr f user.a 4 4 = EINVAL; setxattr f user.a 4 128 = EINVAL" },
        { "the size of a value", "S=0,1,100,3000,3900,4000,4030,4040,4064,4096,10000,65535,65536,"
          "65537,100000",
          "create f; setxattr f user.a *$S = ~; getxattr f user.a = ~; getxattr f user.a 0 = ~; "
          "getxattr f user.a 1 = ~; getxattr f user.a 65536 = ~; getxattr f user.a 100000 = ~" },
        { "too little room", NULL,
          "create f; setxattr f user.a *100; getxattr f user.a 99 = ERANGE; "
          "getxattr f user.a 1 = ERANGE; getxattr f user.a 100; getxattr f user.a 101; "
          "listxattr f 0 = 7; listxattr f 6 = ERANGE; listxattr f 7 = user.a; "
          "setxattr f user.bb v; listxattr f 7 = ERANGE; listxattr f = user.a,user.bb" },
        { "a value that grows and shrinks", NULL,
          "create f; setxattr f user.a one; setxattr f user.a longer; getxattr f user.a = longer; "
          "setxattr f user.a s; getxattr f user.a = s; setxattr f user.a \\0; "
          "getxattr f user.a = (empty); getxattr f user.a 0 = size-0; listxattr f = user.a" },
        { "more than there is room for", "N=1,2,3,4,5,6,7,8",
          "create f; setxattr f user.1 *500; setxattr f user.2 *500; setxattr f user.3 *500; "
          "setxattr f user.4 *500; setxattr f user.5 *500; setxattr f user.6 *500; "
          "setxattr f user.7 *500; setxattr f user.8 *500 = ~; setxattr f user.9 *500 = ~; "
          "listxattr f = ~; removexattr f user.$N = ~; setxattr f user.9 *480 = ~; "
          "listxattr f = ~" },
        { "removed twice", "T=file,dir",
          "make $T f; setxattr f user.a 1; removexattr f user.a; removexattr f user.a = ENODATA; "
          "listxattr f = (none)" },
        { "errors of paths", "O=setxattr,getxattr,removexattr",
          "create f; make link dead; ?host create g; getxattr none user.a = ENOENT; "
          "setxattr none user.a v = ENOENT; getxattr f/x user.a = ENOTDIR; "
          "listxattr none = ENOENT; listxattr {n256} = ENAMETOOLONG; removexattr f/ user.a = "
          "ENOTDIR" },
        { "through a descriptor", NULL,
          "create f; open 1 f O_RDONLY; setxattr #1 user.a v; getxattr f user.a = v; "
          "listxattr #1 = user.a; removexattr #1 user.a; open 2 f O_PATH; "
          "setxattr #2 user.a v = EBADF; getxattr #2 user.a = EBADF; listxattr #2 = EBADF; "
          "unlink f; setxattr #1 user.b v; getxattr #1 user.b = v; listxattr #1 = user.b; "
          "removexattr #1 user.b; listxattr #1 = (none); open 3 . O_TMPFILE|O_RDWR 0600; "
          "setxattr #3 user.c v; getxattr #3 user.c = v" },
        { "whoever may write", "M=0666,0644,0444,0222,0200,0 U=u1,u2,root",
          "make file f $M 65534 65534; @$U setxattr f user.a v = ~; @$U getxattr f user.a = ~; "
          "setxattr f user.b v; @$U getxattr f user.b = ~; @$U listxattr f = ~; "
          "@$U removexattr f user.b = ~" },
        { "whoever may write by a supplementary group", NULL,
          "make file f 0660 0 60; @1000:1000:60 setxattr f user.a v; "
          "@1000:1000:60 getxattr f user.a = v; @1000:1000:61 getxattr f user.a = EACCES; "
          "@1000:1000:61 setxattr f user.a w = EACCES" },
        { "sticky directories are their owner's", "M=01777,0777 U=u1,u2,root",
          "make dir d $M 65534 65534; @$U setxattr d user.a v = ~; setxattr d user.b v; "
          "@$U removexattr d user.b = ~; @$U getxattr d user.a = ~" },
        { "what only the storage's keeper may", "T=file,dir U=root,u1 "
          "N=security.capability,security.x,trusted.x",
          "make $T f 0666 65534 65534; @$U setxattr f $N v = ~; @$U getxattr f $N = ~; "
          "@$U removexattr f $N = ~" },
        { "trusted attributes", "T=%all",
          "make $T f; setxattr f trusted.a v = 0 tenant:EPERM; getxattr f trusted.a = ~; "
          "setxattr f trusted.a w XATTR_CREATE = EEXIST tenant:EPERM; listxattr f = ~; "
          "@u1 listxattr f = (none); "
          "@u1 getxattr f trusted.a = ENODATA; "
          "@u1 setxattr f trusted.b v = EPERM; @u1 removexattr f trusted.a = EPERM; "
          "removexattr f trusted.a = ~; getxattr f trusted.a = ~" },
        { "security attributes", "T=%plain N=security.a,security.ima,security.SMACK64",
          "make $T f; setxattr f $N v = 0 tenant:EPERM; getxattr f $N = ~; listxattr f = ~; "
          "@u1 listxattr f = ~; @u1 getxattr f $N = ~; @u1 removexattr f $N = EPERM; "
          "removexattr f $N = ~; getxattr f $N = ~" },
        { "times", NULL,
          "create f; watch f; setxattr f user.a v; times f=c; watch f; setxattr f user.a w; "
          "times f=c; watch f; getxattr f user.a; listxattr f; times f=-; watch f; "
          "removexattr f user.a; times f=c; watch f; removexattr f user.a = ENODATA; times f=-" },
        { "they stay with the inode", NULL,
          "create f; setxattr f user.a v; link f g; getxattr g user.a = v; rename f h; "
          "getxattr h user.a = v; chmod h 0600; chown h 1 2; put h text; getxattr g user.a = v; "
          "create x; rename x h; getxattr h user.a = ENODATA; getxattr g user.a = v" },
        { "file capabilities", "C=v2,v1,bad",
          "make file f 0755; setcaps f $C = ~; getcaps f = ~; listxattr f = ~; "
          "removexattr f security.capability = ~; getcaps f = ~" },
        { "the root of file capabilities", "R=0,1,5,1000,65535",
          "make file f 0755; setcaps f v3,$R = ~; getcaps f = ~; getxattr f security.capability "
          "0 = ~" },
        { "malformed file capabilities", "C=v1,v2,v3\\x2c0,bad B=-1,-4,1,4",
          "make file f 0755; setcaps f $C $B = ~; getcaps f = ~" },
        { "whose file capabilities", "C=v2,v3\\x2c0,v3\\x2c5 T=%plain",
          "make $T f 0777 65534 65534; @u1 setcaps f $C = EPERM; setcaps f $C = ~; "
          "@u1 getcaps f = ~; @u1 removexattr f security.capability = ~; getcaps f = ~" },
};

PX_SUBJECT(xattrs, cases)
