/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

#define MODES "M=0644,0755,02755,04755,06755,02644,04644,06644,07777,02010,06711"

static const struct px_case cases[] = {
        { "root, to every owner", "T=%all U=0,1,65533,65534 G=0,1,65533,65534",
          "make $T f; watch f .; lchown f $U $G; stat f uid=$U gid=$G; times f=c .=-" },
        { "-1 stays", "T=%all O=-+6,5+-,5+6,3+-,-+4 M=0644,06755",
          "make $T f $M; lchown f 3 4; chmod f $M = ~; watch f; lchown f $O; stat f uid=~ gid=~ "
          "perm=~; times f=~" },
        { "set-id bits of files, by root", "O=0+-,-+0,65534+-,-+65534,5+5,65534+65534,-+5 " MODES,
          "make file f $M 65534 65534; chown f $O; stat f perm=~ uid=~ gid=~" },
        { "set-id bits, by its owner", "T=file,fifo O=-+65534,65534+65533,-+65530,65534+-,65534+5,"
          "-+5 " MODES,
          "make $T f $M 65534 65534; watch f; @65534:65534:65533,65530 chown f $O = ~; "
          "times f=~; stat f perm=~ uid=~ gid=~" },
        { "set-id bits of directories", "A=root,65534:65534:65533 U=-,65534 G=-,65533,65534 "
          "M=0755,02755,04755,06755,07777",
          "make dir f $M 65534 65534; watch f; @$A chown f $U $G = ~; times f=~; stat f perm=~" },
        { "set-id bits by descriptor", "O=65534+-,-+65534,-+65533,65534+65533 M=06755,02644,06711 "
          "A=root,65534:65534:65533",
          "make file f $M 65534 65534; open 1 f O_RDONLY = ~; @$A fchown 1 $O = ~; stat f perm=~; "
          "open 2 f O_PATH; chmod f $M; @$A chown #2 $O = ~; stat f perm=~" },
        { "giving away", "T=file,dir,link A=u1,65534:65533,65534:65533:65530,u2,1000:65534 U=-,"
          "65534,65533,0 "
          "G=-,65534,65533,65530,7",
          "make $T f; lchown f 65534 65534; watch f; @$A lchown f $U $G = ~; times f=~; "
          "stat f uid=~ gid=~" },
        { "nothing is asked, of what has no set-id bits", "T=%all A=root,u1,u2",
          "make $T f; lchown f 65534 65534; watch f; @$A lchown f - -; times f=c" },
        { "nothing is asked, of what has", "M=04755,02755,06711,04644 A=root,u1,u2",
          "make file f $M 65534 65534; watch f; @$A chown f - - = ~; times f=~; stat f perm=~" },
        { "through a link", "U=5,- G=6,-",
          "create f; symlink f l; watch f l; chown l $U $G; times f=~ l=~; stat f uid=~; "
          "stat l uid=0; watch f l; lchown l $U $G; times f=- l=~; stat l uid=~ gid=~; "
          "symlink missing m; chown m 1 2 = ENOENT; lchown m 1 2; stat m uid=1; symlink n n; "
          "chown n 1 2 = ELOOP; lchown n 1 2" },
        { "after its names are gone", "T=file,fifo",
          "make $T f; open 1 f O_PATH; open 2 f O_RDONLY|O_NONBLOCK; unlink f; chown #1 7 8; "
          "stat #1 uid=7 gid=8; fchown 2 9 -1; stat #1 uid=9 gid=8" },
        { "who is it then", NULL,
          "make file f 0600 65534 65534; @u1 get f; chown f 65533 65533; @u1 get f = EACCES; "
          "@u2 get f; chown f - 65534; @u2 get f; chmod f 0060; @u2 get f = EACCES; "
          "@u1 get f = ~" },
        { "ids at the ends", "U=65535,65534,0", "create f; lchown f $U $U = ~; "
          "stat f uid=~ gid=~" },
        { "without permission on the way", "T=%all",
          "make dir d 0700 65533 65533; make $T d/f; lchown d/f 65534 65534; "
          "@65534:65534:65530 lchown d/f - 65530 = EACCES; chmod d 0711; "
          "@65534:65534:65530 lchown d/f - 65530; stat d/f gid=65530" },
};

PX_SUBJECT(chown, cases)
