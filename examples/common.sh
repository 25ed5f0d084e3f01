# SPDX-License-Identifier: LGPL-2.1-or-later
# What the examples share; sourced with `top` set. Everything that an example
# makes lies in $state, a directory that only root can enter.
# shellcheck shell=bash disable=SC2154

build=${NSM_BUILD_DIR:-$top/build}
failures=0
supervisor=
started=()
workers=()

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# check WHAT COMMAND...: says whether it holds, and remembers when it does not.
check() {
        local what=$1
        shift
        if "$@" >/dev/null 2>&1; then
                say "  ok      $what"
        else
                say "  FAILED  $what"
                failures=$((failures + 1))
        fi
}

same() { [ "$1" = "$2" ]; }

# Ends for want of something; as a test (tests/integration) it is skipped.
lacks() {
        printf '%s: %s\n' "${0##*/}" "$*" >&2
        [ -z "${NSM_BUILD_DIR:-}" ] || exit 77
        exit 1
}

# Builds, unless tests have done so.
prepare() {
        [ "$(id -u)" = 0 ] || lacks "needs root: containers and mounts are made"
        if [ -z "${NSM_BUILD_DIR:-}" ]; then
                "$top"/tools/setup
                [ -f "$build"/build.ninja ] || meson setup "$build" "$top" >/dev/null ||
                        die "meson setup failed: see $build/meson-logs/meson-log.txt"
                [ -x "$build"/nsmountd ] || say "Building, which takes a minute or two"
                meson compile -C "$build" >"$build"/compile.log 2>&1 ||
                        die "the build failed: see $build/compile.log"
        fi
        [ -c /dev/fuse ] || lacks "/dev/fuse is missing: load the kernel module fuse"
        export PATH=$build:$PATH
}

# make_state [DIRECTORY]: the state directory, and a configuration of its own.
make_state() {
        if [ -n "${1:-}" ]; then
                mkdir -m 0700 -- "$1" || die "$1 is there already: name a new directory"
                state=$(realpath -- "$1")
        else
                state=$(mktemp -d /tmp/nsmount-example.XXXXXX)
        fi
        export NSMOUNT_CONFIG=$state/etc NSMOUNT_RUNTIME_DIR=$state/run
        mkdir -m 0700 "$state"/{etc,etc/tenants.d,run,storage}
        # Views are closed as soon as nothing uses them, so that none is left at the end.
        printf '[daemon]\nidle-close = 0\n' >"$state"/etc/nsmount.conf
}

# fill_busybox DIRECTORY NAME FIRST-ID: a small real system, owned by FIRST-ID and up.
fill_busybox() {
        mkdir -p "$1"/{bin,etc,proc,sys,dev,run,root,home/user,mnt,var}
        mkdir -m 1777 "$1"/tmp
        cp "$(command -v busybox)" "$1"/bin/busybox
        chroot "$1" /bin/busybox --install -s /bin
        printf '%s\n' "$2" >"$1"/etc/hostname
        printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' \
                >"$1"/etc/passwd
        printf 'root:x:0:\nuser:x:1000:\n' >"$1"/etc/group
        printf 'hello from %s\n' "$2" >"$1"/home/user/hello
        chown -hR "$3:$3" "$1"
        chown -R "$(($3 + 1000)):$(($3 + 1000))" "$1"/home/user
}

start_supervisor() {
        nsmountd -f 2>"$state"/nsmountd.log &
        supervisor=$!
        local i
        for ((i = 0; i < 200; i++)); do
                nsmount list >/dev/null 2>&1 && return
                kill -0 "$supervisor" 2>/dev/null || break
                sleep 0.05
        done
        cat "$state"/nsmountd.log >&2
        die "nsmountd did not start (see above)"
}

# Remembers the workers of all views, to see at the end that they are gone.
note_workers() {
        mapfile -t workers < <(nsmount list --json |
                python3 -c 'import json, sys; [print(v["pid"]) for v in json.load(sys.stdin)["views"]]')
}

# inside PID COMMAND...: a command in all namespaces of a container, as its root.
inside() {
        local pid=$1
        shift
        env -i PATH=/bin:/usr/bin:/sbin:/usr/sbin HOME=/root \
                nsenter --target "$pid" --all --setuid 0 --setgid 0 -- "$@" </dev/null
}

lives() { [ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# wait_for SECONDS COMMAND...: until it holds.
wait_for() {
        local end=$((SECONDS + $1))
        shift
        until "$@"; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.05
        done
}

no_views() { nsmount list --json | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)["views"] != [])'; }

stop_supervisor() {
        [ -n "$supervisor" ] || return 0
        kill "$supervisor" 2>/dev/null || true
        wait "$supervisor" 2>/dev/null || true
        supervisor=
        # Of interest where the tests build with sanitizers.
        if grep -qE 'Sanitizer:|: runtime error: ' "$state"/nsmountd.log; then
                cat "$state"/nsmountd.log >&2
                failures=$((failures + 1))
        fi
}

# For a trap: ends everything that was started, in whatever state things are.
clean_up() {
        local pid where
        set +e
        [ -z "$supervisor" ] || note_workers 2>/dev/null
        for pid in "${started[@]}"; do
                kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
        done
        stop_supervisor
        for pid in "${workers[@]}"; do
                grep -qs nsmountfs "/proc/$pid/comm" && kill -KILL "$pid" 2>/dev/null
        done
        [ -n "${state:-}" ] || return 0
        # The deepest first.
        while read -r where; do
                umount -l "$where" 2>/dev/null
        done < <(awk '{ print $5 }' /proc/self/mountinfo | grep -F "$state/" | sort -r)
        grep -qF " $state/" /proc/self/mountinfo ||
                rm -rf --one-file-system -- "$state"
}
