# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the benchmark works: one directory, in a mount namespace of its own;
all that is mounted or started goes with it, in whatever way it ends."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '../../..'))
BUILD = os.path.abspath(os.environ.get('NSM_BUILD_DIR') or os.path.join(TOP, 'build'))
FIRST_ID = 0x60000000  # the host's id of the tenant's root
IDS = 65536
MARK = 'NSM_BENCH_INSIDE'


class Failed(Exception):
    """A command did not do its work; says which, and what it said."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def enter_own_mounts():
    """Starts the program again in a mount namespace of its own, once."""
    if os.environ.get(MARK) == str(os.getpid()):
        return
    # unshare does not fork: the process stays the same.
    os.environ[MARK] = str(os.getpid())
    os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable,
                          *sys.argv])


class Place:
    def __init__(self, parent=None):
        for sig in signal.SIGTERM, signal.SIGHUP:
            signal.signal(sig, lambda number, frame: sys.exit(128 + number))
        self.dir = tempfile.mkdtemp(prefix='nsm-bench.', dir=parent)
        os.chmod(self.dir, 0o711)
        self.mounts = []
        self.daemons = []
        self.mkdir('home')
        os.chmod(self.path('home'), 0o777)
        self.env = {'PATH': os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin'),
                    'HOME': self.path('home'), 'LC_ALL': 'C', 'TMPDIR': '/tmp',
                    'GIT_CONFIG_NOSYSTEM': '1', 'GIT_CONFIG_GLOBAL': '/dev/null'}
        self.tenant = self.make_tenant()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def mkdir(self, *names):
        os.makedirs(self.path(*names))
        return self.path(*names)

    def make_tenant(self):
        """A process whose user namespace is a tenant's."""
        holder = self.start(['unshare', '--user', 'sleep', 'infinity'])
        own = os.readlink('/proc/self/ns/user')
        while os.readlink('/proc/%d/ns/user' % holder.pid) == own:
            if holder.poll() is not None:
                raise Failed('no user namespace can be made')
        for kind in 'uid_map', 'gid_map':
            with open('/proc/%d/%s' % (holder.pid, kind), 'w') as f:
                f.write('0 %d %d' % (FIRST_ID, IDS))
        return holder.pid

    # ---- processes

    def start(self, command):
        """A daemon, which ends with the benchmark, even when that is killed."""
        with open(os.path.join(self.dir, 'log'), 'a') as log:
            daemon = subprocess.Popen(['setpriv', '--pdeathsig', 'KILL', *map(str, command)],
                                      cwd='/', stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      start_new_session=True)
        self.daemons.append(daemon)
        return daemon

    def prefix(self, inside, user):
        """What runs a command as a user id of the tenant, or of the host."""
        if inside:
            return ['nsenter', '-U', '-t', str(self.tenant), '-S', str(user), '-G', str(user)]
        return ['setpriv', '--reuid', str(user), '--regid', str(user), '--clear-groups']

    def shell(self, script, inside=False, user=0, cwd='/', limit=600):
        """Runs a script; what it prints."""
        command = [*self.prefix(inside, user), 'bash', '-euo', 'pipefail', '-c', script]
        child = subprocess.Popen(command, cwd=cwd, env=self.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 start_new_session=True)
        try:
            out, err = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failed('not done within %d s: %s' % (limit, script.strip())) from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if child.returncode != 0:
            raise Failed('status %d of: %s\n%s' % (child.returncode, script.strip(), err.strip()))
        return out

    def must(self, *command):
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed('%s: %s' % (' '.join(map(str, command)), done.stderr.strip()))
        return done.stdout

    # ---- mounts

    def mount(self, where, *options):
        self.must('mount', *options, where)
        self.mounts.append(where)

    def unmount(self, where):
        self.must('umount', '-l', where)
        self.mounts.remove(where)

    def close(self):
        # A second Ctrl-C must not end the cleaning.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for where in reversed(self.mounts):
            subprocess.run(['umount', '-l', where], check=False, capture_output=True)
        for daemon in self.daemons:
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.dir)
