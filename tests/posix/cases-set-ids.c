/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Set-id bits and file capabilities: what takes them away, and what leaves them. */
#include "tests/posix/posix.h"

#define WRITES "write,write-nothing,pwrite,writev,append,sync,direct,fallocate,keep-size," \
        "punch,zero,sendfile,splice,copy,mmap"
#define WAYS "W=" WRITES ",truncate,ftruncate,ftruncate-up,open-trunc,open-trunc-creat," \
        "open-trunc-read"
/* Its owner in and out of its group, a member, a stranger. */
#define USERS "U=root,u1,65534:60,1000:60,1000"
#define CHANGE "put f abcdef; chown f 65534 60; chmod f $M; @$U change $W f; stat f perm=~ size=~"

static const struct px_case cases[] = {
        { "a change of content", WAYS " M=06777,04666 " USERS, CHANGE },
        { "S_ISGID without S_IXGRP and a write", "W=" WRITES " M=02666 " USERS ",1000:1000:60",
          CHANGE },
        { "both without S_IXGRP and one of the group", WAYS " M=06664 U=65534:60,65534:65534:60",
          CHANGE },
        { "both without S_IXGRP and a stranger", "W=" WRITES " M=06666 U=u1,1000", CHANGE },
        { "S_ISGID without S_IXGRP and a truncation", "M=02666,06666 "
          "W=truncate,ftruncate,open-trunc U=1000,1000:60,u1,root", CHANGE },
        { "both without S_IXGRP and others who may not write", "W=" WRITES " U=u1,65534:60,root",
          "put f abcdef; chown f 65534 60; chmod f 06664; @$U change $W f; stat f perm=~" },
        { "both without S_IXGRP and a member", "W=" WRITES " U=1000:60,1000:1000:60",
          "put f abcdef; chown f 65534 60; chmod f 06666; @$U change $W f; stat f perm=~" },
        { "capabilities and a change of content", WAYS " U=root,u1,1000 M=0666,02666,06777",
          "put f abcdef; chown f 65534 60; chmod f $M; setcaps f v2; @$U change $W f; "
          "getcaps f = ~; stat f perm=~" },
        { "a member by supplement", "M=06777,02677,02666 W=write,fallocate",
          "put f abcdef; chown f 65534 60; chmod f $M; @1000:1000:60 change $W f; "
          "stat f perm=~" },
        { "a change of owner", "T=file,dir M=06755,02711,06644 O=0,1 G=-,60,61",
          "make $T f $M 65534 60; chown f $O $G; stat f perm=~ uid=~ gid=~" },
        { "a change of group by the owner", "T=file,dir M=06755,02711,02644,06644 G=60,65534 "
          "U=u1,65534:60,65534:65534:60",
          "make $T f $M 65534 60; @$U chown f - $G = ~; stat f perm=~ gid=~" },
        { "a change to the same owner", "M=06755,04644",
          "make file f $M 65534 60; chown f 65534 60; stat f perm=~; chmod f $M; "
          "open 1 f O_RDONLY; fchown 1 65534 60; stat f perm=~" },
        /* It looks like what the kernel asks for before anybody's write. */
        { "a change of owner to none", "T=file,fifo M=06755,04711,02711,02644,06644 "
          "U=root,u1,u2,65534:60,1000:60",
          "make $T f $M 65534 60; watch f; @$U chown f - - = ~; stat f perm=~; times f=~" },
        { "a change of owner to none by descriptor", "M=06755,04711,02711,02644 U=root,u1,u2",
          "make file f $M 65534 60; open 1 f O_RDONLY = ~; @$U fchown 1 - - = ~; stat f perm=~" },
        { "a change of owner to none, of capabilities", "U=root,u1,u2 M=0755,06755",
          "make file f 0755 65534 60; setcaps f v2; chmod f $M; @$U chown f - - = ~; "
          "getcaps f = ~; stat f perm=~" },
        { "a change of owner to none, of nothing to take away", "T=file,dir,fifo,sock U=root,u1,u2",
          "make $T f 0755 65534 60; watch f; @$U chown f - -; times f=c; stat f perm=0755" },
        { "capabilities and a change of owner", "O=-,0,1 G=-,60",
          "make file f 0755 65534 60; setcaps f v2; chown f $O $G; getcaps f = ~" },
        { "a change of mode", "T=file,dir M=06777,02755,04755,02644,01777,0 " USERS,
          "make $T f 0644 65534 60; @$U chmod f $M = ~; stat f perm=~" },
        { "a change of mode by a member by supplement", "T=file,dir M=6777,2755,2644",
          "make $T f 0644 65534 60; @65534:65534:60 chmod f 0$M; stat f perm=$M" },
        { "what leaves them", "M=6755,2644",
          "make file f 0$M 65534 60; setcaps f v2; utimens f 1 2; stat f perm=$M; "
          "setxattr f user.a b; removexattr f user.a; link f g; rename f h; unlink g; "
          "stat h perm=$M; chmod h 0$M; stat h perm=$M; getcaps h = v2" },
        { "a file that is made", "M=06777,04755,02755,02644 U=root,u1,1000:60,1000:1000:61",
          "chmod . 0777; @$U open 1 f O_CREAT|O_WRONLY $M; stat f perm=~; "
          "@$U write 1 abc; stat f perm=~; @$U mkdir d $M; stat d perm=~; "
          "@$U mknod n file $M; stat n perm=~" },
        { "a directory that passes its group on", "M=02777,03777 F=02755,02644,0755 "
          "U=root,u1,1000:60,1000:1000:61",
          "mkdir d; chown d 0 61; chmod d $M; @$U create d/f $F; stat d/f perm=~ gid=61; "
          "@$U mkdir d/d $F; stat d/d perm=~ gid=61; @$U symlink x d/l; stat d/l gid=61" },
};

PX_SUBJECT(set_ids, cases)
