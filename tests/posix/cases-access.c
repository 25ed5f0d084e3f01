/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "every mode", "T=file,dir M=0000,0100,0200,0300,0400,0500,0600,0700,0010,0020,0030,0040,"
          "0050,"
          "0060,0070,0001,0002,0003,0004,0005,0006,0007,0707,0070,0077,0770 "
          "U=root,65534,65533:65534,65533:65533:65534,65533",
          "make $T f $M 65534 65534; @$U access f F_OK = ~; @$U access f R_OK = ~; "
          "@$U access f W_OK = ~; @$U access f X_OK = ~; @$U access f R_OK|W_OK = ~; "
          "@$U access f R_OK|W_OK|X_OK = ~; @$U access f R_OK AT_EACCESS = ~; "
          "@$U access f X_OK AT_EACCESS = ~" },
        { "other types", "T=fifo,sock,link,char,block U=root,65534,65533 M=0000,0644,0755,0111",
          "make $T f $M = ~; create target 0640; lchown f 65534 65534; @$U access f R_OK = ~; "
          "@$U access f W_OK = ~; @$U access f X_OK = ~; "
          "@$U access f W_OK AT_SYMLINK_NOFOLLOW = ~; @$U access f X_OK AT_SYMLINK_NOFOLLOW = ~" },
        { "by descriptor", "A=O_RDONLY,O_PATH U=root,u1,u2",
          "make file f 0640 65534 65534; open 1 f $A; @$U access #1 R_OK = ~; "
          "@$U access #1 W_OK = ~; "
          "@$U access #1 X_OK = ~; unlink f; @$U access #1 R_OK = ~" },
        { "modes that are none", "M=8,16,-1,07777", "create f; access f $M = ~" },
        { "a hundred groups", "G=65000,65001,65099,65100 M=0040,0020,0010",
          "make file f $M 0 $G; @1000:1000:65000-65099 access f R_OK = ~; "
          "@1000:1000:65000-65099 access f W_OK = ~; @1000:1000:65000-65099 access f X_OK = ~; "
          "@1000:1000:65000-65099 open - f O_RDONLY = ~; "
          "@1000:1000:65000-65099 open - f O_WRONLY = ~; "
          "make dir d 0070 0 $G; @1000:1000:65000-65099 create d/f = ~; "
          "@1000:1000:65000-65099 chdir d = ~" },
};

PX_SUBJECT(access, cases)
