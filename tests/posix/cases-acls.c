/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

#define FULL "u=7,u5=7,g=5,g7=3,m=7,o=0"

static const struct px_case cases[] = {
        { "set, seen, removed", "T=%all K=access,default",
          "make $T f 0640; getacl f $K = ~; setacl f $K " FULL " = ~; getacl f $K = ~; "
          "stat f perm=~; listxattr f = ~; removexattr f system.posix_acl_$K = ~; "
          "stat f perm=~; getacl f $K = ~; removexattr f system.posix_acl_$K = ~" },
        { "without more than the mode says", "T=file,dir",
          "make $T f 0640; setacl f access u=7,g=5,o=1; getacl f access = ENODATA; "
          "stat f perm=0751; setacl f access " FULL "; setacl f access u=6,g=4,o=4; "
          "getacl f access = ENODATA; stat f perm=0644" },
        { "nothing at all", "T=file,dir K=access,default",
          "make $T f 0640; setxattr f system.posix_acl_$K \\0 = ~; setacl f $K " FULL " = ~; "
          "setxattr f system.posix_acl_$K \\0 = ~; getacl f $K = ~; stat f perm=~" },
        { "malformed", "T=file,dir K=access,default "
          "E=u=7\\x2cu5=7\\x2cg=5\\x2co=0,o=0\\x2cu=7\\x2cg=5,u=7\\x2cu9=7\\x2cu5=7\\x2cg=5\\x2c"
          "m=7\\x2co=0,u=7\\x2cu5=7\\x2cu5=6\\x2cg=5\\x2cm=7\\x2co=0,u=7\\x2cu=7\\x2cg=5\\x2co=0,"
          "u=7\\x2cg=5,g=5\\x2co=0,u=5\\x2co=0",
          "make $T f 0640; setacl f $K $E = ~; getacl f $K = ~; stat f perm=~" },
        { "malformed entries", "T=file,dir K=access,default "
          "E=u=10\\x2cg=5\\x2co=0,u=7777\\x2cg=5\\x2co=0,"
          "u=7\\x2cT3.5=7\\x2cg=5\\x2co=0,T0.0=7\\x2cu=7\\x2cg=5\\x2co=0,u=7\\x2cT2.4294967295=7"
          "\\x2cg=5\\x2cm=7\\x2co=0,m=7,u=7\\x2cg=5\\x2cg=5\\x2co=0,u=7\\x2cg=5\\x2cm=7\\x2cm=7"
          "\\x2co=0,u=7\\x2cg5=7\\x2cg=5\\x2cm=7\\x2co=0,u=7\\x2cg=5\\x2co=0\\x2co=0",
          "make $T f 0640; setacl f $K $E = ~; getacl f $K = ~; stat f perm=0640" },
        { "ids where there are none", "K=access",
          "create f 0640; setacl f $K T1.5=7,T4.6=5,T32.7=0; stat f perm=0750" },
        { "of another version", "V=0,1,3,65535", "create f; setacl f access " FULL " $V = ~; "
          "getacl f access = ~; stat f perm=0644" },
        { "of another size", "B=-1,-4,-7,-8,1,4,7,8,-52",
          "create f; setacl f access " FULL " 2 $B = ~; getacl f access = ~; stat f perm=~" },
        { "with many entries", "N=1,10,100,200,400,500",
          "create f; setacl f access u=7,x$N,g=5,m=7,o=0 = ~; getacl f access = ~" },
        /* The kernel asks for no more than a page of a FUSE filesystem. */
        { "with more entries than there is room for", "N=510,2000,5000,8187",
          "create f; setacl f access u=7,x$N,g=5,m=7,o=0 = ENOSPC view:E2BIG" },
        { "ids at the edge", "I=1,65533,65534,65535",
          "create f; setacl f access u=7,u$I=7,g=5,g$I=5,m=7,o=0 = ~; getacl f access = ~" },
        { "the mode follows", "E=u=1\\x2cg=2\\x2co=3,u=7\\x2cu5=6\\x2cg=1\\x2cm=6\\x2co=0,"
          "u=6\\x2cu5=6\\x2cg=7\\x2cm=0\\x2co=7",
          "create f 0640; setacl f access $E; stat f perm=~; getacl f access = ~" },
        { "the mask follows", "M=0777,0700,0640,0607,0070,0,04755,02750,06770",
          "create f; setacl f access " FULL "; chmod f $M; stat f perm=~; getacl f access = ~; "
          "open 1 f O_RDONLY; setacl #1 access " FULL "; chmod #1 $M; getacl #1 access = ~" },
        { "a change of owner leaves it", NULL,
          "create f; setacl f access " FULL "; chown f 5 7; getacl f access = " FULL },
        { "inherited by what is made", "U=0,022,077,0777 M=0666,0600,0777,0444,02755,04711 "
          "D=u=7\\x2cg=7\\x2co=5,u=7\\x2cu5=7\\x2cg=7\\x2cg7=6\\x2cm=6\\x2co=4,"
          "u=0\\x2cu5=5\\x2cg=0\\x2cm=7\\x2co=0",
          "mkdir d 0755; setacl d default $D = ~; umask $U; create d/f $M; stat d/f perm=~; "
          "getacl d/f access = ~; mkdir d/d $M; stat d/d perm=~; getacl d/d access = ~; "
          "getacl d/d default = ~; mkfifo d/p $M; stat d/p perm=~; getacl d/p access = ~; "
          "mknod d/n file $M; getacl d/n access = ~; symlink x d/l; getacl d/l access = ~; "
          "open 1 d O_TMPFILE|O_RDWR $M; stat #1 perm=~; getacl #1 access = ~; "
          "@u1 create d/u $M = ~" },
        { "inherited by others than root", "U=022,077 M=0666,0777",
          "mkdir d; chmod d 0777; setacl d default u=7,u1000=6,g=5,m=7,o=1; umask $U; "
          "@u1 create d/f $M; stat d/f perm=~ uid=65534; getacl d/f access = ~; "
          "@u1 mkdir d/d $M; getacl d/d default = ~; stat d/d perm=~" },
        { "inherited further", NULL,
          "mkdir d; setacl d default " FULL "; mkdir d/a; mkdir d/a/b; create d/a/b/f 0666; "
          "getacl d/a/b default = " FULL "; getacl d/a/b/f access = u=6,u5=7,g=5,g7=3,m=6,o=0" },
        { "moved and linked as it is", NULL,
          "mkdir d; setacl d default " FULL "; create f; create d/g; rename d/g g; "
          "getacl g access = u=6,u5=7,g=5,g7=3,m=4,o=0; rename f d/f; "
          "getacl d/f access = ENODATA; link g d/h; getacl d/h access = ~" },
        { "a user's entry decides", "P=7,6,4,2,0 A=R_OK,W_OK,R_OK|W_OK",
          "put f text; chown f 65534 65534; setacl f access u=6,u1000=$P,g=0,m=6,o=4; "
          "@1000 access f $A = ~; @1000 open - f O_RDONLY = ~; @1000 open - f O_WRONLY = ~; "
          "@1001 open - f O_RDONLY = 0; @1001 open - f O_WRONLY = EACCES" },
        { "groups' entries decide", "U=1000:60,1000:1000:60,1000:1000:61,1000:1000:60-61,1000",
          "put f text; chown f 0 60; setacl f access u=6,g=4,g61=2,m=6,o=0; "
          "@$U open - f O_RDONLY = ~; @$U open - f O_WRONLY = ~; @$U open - f O_RDWR = ~" },
        { "the mask bounds", "M=0,2,4,6",
          "put f text; setacl f access u=6,u1000=6,g=6,m=$M,o=0; "
          "@1000 open - f O_RDONLY = ~; @1000 open - f O_WRONLY = ~; @1000:0 open - f O_RDWR = ~" },
        { "directories", "P=7,5,3,1,4,0",
          "mkdir d; put d/f text; setacl d access u=7,u1000=$P,g=0,m=7,o=0; "
          "@1000 get d/f = ~; @1000 open - d O_RDONLY = ~; @1000 create d/n = ~; "
          "@1000 unlink d/f = ~; "
          "@1001 get d/f = EACCES" },
        { "whose it is to set", "U=u1,u2,root K=access,default",
          "mkdir d; chown d 65534 65534; @$U setacl d $K " FULL " = ~; getacl d $K = ~; "
          "setacl d $K " FULL "; @$U removexattr d system.posix_acl_$K = ~; @$U getacl d $K = ~" },
        { "times", NULL,
          "create f; watch f; setacl f access " FULL "; times f=c; watch f; getacl f access; "
          "times f=-; watch f; removexattr f system.posix_acl_access; times f=c" },
        { "S_ISGID of a group's own", "U=root,65534:60,65534:65534:60 T=file,dir",
          "make $T f 02664 65534 60; @$U setacl f access " FULL "; stat f perm=2770" },
        { "S_ISGID of a group that is not its owner's", "E=u=6\\x2cg=5\\x2co=4,u=7\\x2cu5=7\\x2c"
          "g=5\\x2cm=7\\x2co=0 T=file,dir",
          "make $T f 02664 65534 60; @u1 setacl f access $E; stat f perm=~" },
};

PX_SUBJECT(acls, cases)
