# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is asked of nsmount alone: its start, its memory, many views."""
import os
import statistics
import subprocess
import time

from .peers import Ours
from .place import BUILD, FIRST_ID, IDS, Failed
from .rows import MICRO

VIEWS = 100


class Own:
    """A figure with the limit that it should stay below."""

    def __init__(self, name, title, unit, limit, fn):
        self.name, self.title, self.unit, self.limit, self.fn = name, title, unit, limit, fn


def pss_bytes(pid):
    with open('/proc/%d/smaps_rollup' % pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith('Pss:'))


def workers_of(where):
    """The processes that serve the view at a place, which their arguments name."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid) as f:
                if where in f.read().split('\0') and \
                   os.readlink('/proc/%s/exe' % pid) == os.path.join(BUILD, 'nsmountfs'):
                    found.append(int(pid))
        except OSError:
            continue
    return found


def pss_of(where):
    return sum(pss_bytes(pid) for pid in workers_of(where))


class Views:
    """Views of their own, mounted and unmounted here, on a tmpfs of their own."""

    def __init__(self, p, name):
        self.p, self.dir = p, p.mkdir(name)
        self.shown = []
        p.mount(self.dir, '-t', 'tmpfs', '-o', 'mode=711,size=8G,nr_inodes=4M', 'tmpfs')

    def __enter__(self):
        return self

    def add(self):
        n = len(self.shown)
        source, where = '%s/%d' % (self.dir, n), '%s/%d.view' % (self.dir, n)
        for made in source, where:
            os.mkdir(made)
        self.shown.append(where)
        return source, where

    def start(self):
        """Mounts one in the background, as mount(8) does; its place and milliseconds."""
        source, where = self.add()
        command = [os.path.join(BUILD, 'nsmountfs'), source, where, '-o',
                   'idmap=0:%d:%d,coherence=exclusive' % (FIRST_ID, IDS)]
        begin = time.monotonic()
        done = subprocess.run(command, cwd='/', stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed('a view cannot be mounted')
        os.stat(where + '/.')
        took = (time.monotonic() - begin) * 1000
        self.p.mounts.append(where)
        return where, took

    def __exit__(self, *_):
        for where in self.shown:
            if where in self.p.mounts:
                self.p.unmount(where)
        self.p.unmount(self.dir)


def start(p, sizes):
    with Views(p, 'start') as views:
        return statistics.median(views.start()[1] for _ in range(21))


def at_rest(p, sizes):
    with Views(p, 'rest') as views:
        return pss_of(views.start()[0]) / (1 << 20)


def per_inode(p, sizes):
    with Views(p, 'inodes') as views:
        source, where = views.add()
        p.shell('cd %s; seq -f d%%.0f %d | xargs mkdir; for d in d*; do (cd $d; seq -f '
                'file-%%08.0f 1000 | xargs touch); done' % (source, sizes.inodes // 1000))
        Ours().show(p, source, where)
        before = pss_of(where)
        p.shell('find . -ls >/dev/null', inside=True, cwd=where)
        return (pss_of(where) - before) / sizes.inodes


def busy_among_many(p, sizes):
    """How fast the one is alone, by how fast it is among others that rest."""
    with Views(p, 'many') as views:
        where, _ = views.start()

        def figures():
            said = p.shell('mkdir many fresh; (cd many; seq 0 999 | xargs touch); '
                           '%s names many fresh 1 %s; rm -rf many fresh' % (MICRO, sizes.seconds),
                           inside=True, cwd=where)
            of = dict(line.split() for line in said.splitlines())
            return [float(of[name]) for name in ('open', 'create', 'unlink')]

        def medians():
            return [statistics.median(column) for column in zip(*(figures() for _ in range(5)))]
        figures()
        alone = medians()
        for _ in range(VIEWS - 1):
            views.start()
        return statistics.geometric_mean(a / b for a, b in zip(alone, medians()))


OWN = [
    Own('start', 'worker start to first answer', 'ms', 20, start),
    Own('rest', 'memory at rest', 'MiB', 1.5, at_rest),
    Own('inode', 'memory per inode', 'B', 200, per_inode),
    Own('many', 'one busy among %d views: alone / among' % VIEWS, '', 1.05, busy_among_many),
]
