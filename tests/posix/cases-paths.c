/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wrong with a path comes before what is wrong with anything else. */
#include "tests/posix/posix.h"

#define SCENE                                                                                 \
        "make file there; mkdir d; create d/f; symlink d/f link; symlink d dlink; "           \
        "symlink loop loop; symlink missing dangling; make file f 0644; mkdir closed 0700; "  \
        "create closed/f 0666; mkdir closed/d 0777; mkdir noread 0711; create noread/f 0600; "

#define SMALL                                                                                 \
        "make file there; mkdir d; create d/f; symlink d/f link; symlink d dlink; "           \
        "symlink loop loop; symlink missing dangling; "

static const struct px_case cases[] = {
        { "a component is missing", "o=%paths P=missing/x,d/missing/x,dangling/x,missing/../there",
          SCENE "$o = ENOENT" },
        { "no path at all", "o=%paths P=\\0", SCENE "$o = ENOENT" },
        { "a component is no directory", "o=%paths P=d/f/x,there/x,link/x,there/.,there/..",
          SCENE "$o = ENOTDIR" },
        { "a component of 255 bytes is missing", "o=%paths P={n255}/x", SCENE "$o = ENOENT" },
        { "a component is too long", "o=%paths P={n256}/x,d/{n256}/x,{n300}/x",
          SCENE "$o = ENAMETOOLONG" },
        { "a name is too long", "o=%paths P={n256},d/{n256},{n300}", SCENE "$o = ENAMETOOLONG" },
        { "a path is too long", "o=%paths P={p4096:f},{p5000:f},{P4096:f},{p4096:missing/x}",
          SCENE "$o = ENAMETOOLONG" },
        { "a component is a loop", "o=%paths P=loop/x,d/../loop/x", SCENE "$o = ELOOP" },
        { "a component may not be searched", "o=%paths P=closed/f,closed/missing,closed/d,"
          "closed/f/x,closed/missing/x,closed/. U=u1,1000:1000:5",
          SCENE "chmod . 0777; @$U $o = EACCES" },
        { "a name that may be as long", "o=%paths P={n255},d/{n255}", SCENE "$o = ~" },
        { "a path of all the length there is",
          "o=%paths P={p4095:f},{P4095:f},{p4095:d/f},{p4095:new}", SCENE "$o = ~" },
        { "all kinds of things at the end",
          "O=%paths P=there,d,link,dlink,loop,dangling,.,..,d/.,there/,d/,link/,dlink/,dangling/,"
          "missing,missing/", SMALL "$O = ~" },
        { "the same for others", "o=%paths P=there,d,link,dlink,loop,dangling,.,..,d/.,d/f/,"
          "there/,d/,dlink/,dangling/,missing,missing/,noread/f,noread/x,closed,closed/ U=u1,u2",
          SCENE "chown there 65534 65533; chmod there 0640; @$U $o = ~" },
        { "the same where they may write",
          "O=%paths P=there,d,d/f,link,dangling,missing,there/,missing/",
          SMALL "chmod . 0777; chmod d 0777; chown there 65534 65533; chmod there 0640; "
          "@u1 $O = ~" },
        { "the same where it is sticky", "O=%paths P=there,d,d/f",
          SMALL "chmod . 01777; chmod d 01777; chown d 65533 65533; chown there 65534 65533; "
          "chown d/f 65534 65534; @u1 $O = ~" },
        { "names of any bytes", "o=%paths P=\\xff,\\xc3\\x28,\\x01\\x02,a\\x0ab,\\x7f,-,*,\\s,...",
          SMALL "$o = ~; make file there; create $P = ~; $o = ~" },
        { "types of what is at the end", "O=%paths T=fifo,sock,char,full P=x",
          "make file there; make $T x; $O = ~" },
        { "many links in a row", "N=5,20,41,42",
          "chain $N c; make file c$N; open - c0 O_RDONLY = ~; stat c0 type=link; "
          "follow c0 = ~; chmod c0 0600 = ~; chain $N d/../e = ENOENT; mkdir d; chain $N d; "
          "make dir d$N; open - d0/x O_WRONLY|O_CREAT 0600 = ~; rename d0/x y = ~" },
};

PX_SUBJECT(paths, cases)
