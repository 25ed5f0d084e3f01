/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* perf_event_open(2): one ring of memory per processor, which all tracepoints share. */
#include "tests/costs/tracing.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/cleanup.h"

#define RING_BYTES ((size_t)512 << 10)
#define KINDS 3

/* A sample of what open_point() asks for, up to the record of its tracepoint. */
struct sample {
        struct perf_event_header header;
        uint32_t pid, tid;
        uint64_t at_ns;
        uint32_t size;
        char raw[];
};

struct point {
        const char *path;
        uint16_t id;
        unsigned number_at, number_size, unique_at, first_at; /* in its record; 0: has none */
};

struct ring {
        struct perf_event_mmap_page *page; /* and RING_BYTES after it; NULL: no such processor */
        int fds[KINDS];
};

struct tracing {
        struct point points[KINDS];
        struct ring *rings;
        int cpus;
        struct traced_all all;
        size_t room;
};

static const char *const paths[KINDS] = {
        [TRACED_SENT] = "fuse/fuse_request_send",
        [TRACED_ANSWERED] = "fuse/fuse_request_end",
        [TRACED_CALL] = "raw_syscalls/sys_enter",
};

static const char *point_file(struct nsm_world *w, int kind, const char *name)
{
        return nsm_world_printf(w, "%s/tracing/events/%s/%s", w->dir, paths[kind], name);
}

const char *tracing_missing(struct nsm_world *w)
{
        nsm_world_run(w, "mkdir tracing && mount -t tracefs tracefs tracing");
        for (int i = 0; i < KINDS; i++)
                if (access(point_file(w, i, "id"), R_OK) < 0)
                        return nsm_world_printf(w, "needs a kernel with the tracepoint %s",
                                                paths[i]);
        return NULL;
}

/* Where a field lies in the records of a tracepoint. */
static unsigned offset_of(const char *format, const char *field)
{
        const char *found = strstr(format, field);
        unsigned offset = 0;

        if (!found || sscanf(found + strlen(field), ";\toffset:%u", &offset) != 1)
                nsm_harness_die("a tracepoint without the field%s", field);
        return offset;
}

static struct point find_point(struct nsm_world *w, enum traced_kind kind)
{
        const char *id = nsm_world_read_file(w, point_file(w, (int)kind, "id"));
        const char *format = nsm_world_read_file(w, point_file(w, (int)kind, "format"));

        if (!id || !format)
                nsm_harness_die("the tracepoint %s cannot be read", paths[kind]);
        struct point p = { .path = paths[kind], .id = (uint16_t)strtoul(id, NULL, 10) };
        if (kind == TRACED_CALL) {
                p.number_at = offset_of(format, " id");
                p.number_size = sizeof(long);
                p.first_at = offset_of(format, " args[6]");
                return p;
        }
        p.unique_at = offset_of(format, " unique");
        if (kind == TRACED_SENT) {
                p.number_at = offset_of(format, " opcode");
                p.number_size = sizeof(uint32_t);
        }
        return p;
}

/* -1: there is no such processor. */
static int open_point(const struct point *point, int cpu, const char *filter)
{
        struct perf_event_attr attr = {
                .type = PERF_TYPE_TRACEPOINT,
                .size = sizeof attr,
                .config = point->id,
                .sample_period = 1,
                .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
                .disabled = 1,
                .use_clockid = 1,
                .clockid = CLOCK_MONOTONIC,
        };
        int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

        if (fd < 0 && errno != ENODEV)
                nsm_harness_die("tracing %s: %s", point->path, strerror(errno));
        if (fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0)
                nsm_harness_die("tracing %s where %s: %s", point->path, filter, strerror(errno));
        return fd;
}

static size_t page_size(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}

static void open_ring(struct tracing *t, int cpu, const char *const filters[])
{
        struct ring *ring = &t->rings[cpu];

        for (int i = 0; i < KINDS; i++)
                ring->fds[i] = filters[i] ? open_point(&t->points[i], cpu, filters[i]) : -1;
        if (ring->fds[0] < 0)
                return;
        void *at = mmap(NULL, page_size() + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                        ring->fds[0], 0);
        if (at == MAP_FAILED)
                nsm_harness_die("memory for tracing: %s", strerror(errno));
        ring->page = at;
        for (int i = 0; i < KINDS; i++)
                if (ring->fds[i] >= 0 &&
                    ((i && ioctl(ring->fds[i], PERF_EVENT_IOC_SET_OUTPUT, ring->fds[0]) < 0) ||
                     ioctl(ring->fds[i], PERF_EVENT_IOC_ENABLE, 0) < 0))
                        nsm_harness_die("tracing %s: %s", paths[i], strerror(errno));
}

struct tracing *tracing_new(struct nsm_world *w, const char *dir, const char *program)
{
        struct tracing *t = calloc(1, sizeof *t);
        struct stat st;

        if (!t || stat(dir, &st) < 0)
                nsm_harness_die("%s: %s", dir, strerror(errno));
        /* The kernel's own form of a device number: 20 bits are the minor one. */
        const char *requests = nsm_world_printf(w, "connection == %u",
                                                major(st.st_dev) << 20 | minor(st.st_dev));
        /* Waiting for requests, turns and processors takes calls as it happens to. */
        const char *calls = !program ? NULL : nsm_world_printf(
                w, "comm == \"%s\" && id != %d && id != %d && id != %d && id != %d", program,
                SYS_poll, SYS_futex, SYS_sched_yield, SYS_sched_setaffinity);
        const char *const filters[KINDS] = { requests, requests, calls };

        for (int i = 0; i < KINDS; i++)
                t->points[i] = find_point(w, (enum traced_kind)i);
        t->cpus = get_nprocs_conf();
        t->rings = calloc((size_t)t->cpus, sizeof *t->rings);
        if (!t->rings)
                nsm_harness_die("no memory");
        for (int i = 0; i < t->cpus; i++)
                open_ring(t, i, filters);
        return t;
}

static uint64_t number_in(const struct sample *sample, unsigned offset, unsigned size)
{
        uint64_t value = 0;

        if (offset)
                memcpy(&value, sample->raw + offset, size);
        return value;
}

static void add(struct tracing *t, const struct sample *sample)
{
        struct traced e = { .at_ns = sample->at_ns, .tid = (pid_t)sample->tid };
        uint16_t id;

        memcpy(&id, sample->raw, sizeof id);
        while (e.kind < TRACED_CALL && t->points[e.kind].id != id)
                e.kind++;
        const struct point *point = &t->points[e.kind];
        e.number = (long)number_in(sample, point->number_at, point->number_size);
        e.unique = number_in(sample, point->unique_at, sizeof e.unique);
        e.first = number_in(sample, point->first_at, sizeof e.first);
        if (t->all.n == t->room) {
                t->room = t->room ? 2 * t->room : 4096;
                t->all.of = reallocarray(t->all.of, t->room, sizeof *t->all.of);
                if (!t->all.of)
                        nsm_harness_die("no memory");
        }
        t->all.of[t->all.n++] = e;
}

/* A record may end at the beginning of the ring. */
static void copy_out(const struct ring *ring, uint64_t at, char *to, size_t size)
{
        const char *data = (const char *)ring->page + page_size();

        for (size_t i = 0; i < size; i++)
                to[i] = data[(at + i) % RING_BYTES];
}

static void drain(struct tracing *t, struct ring *ring)
{
        uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
        uint64_t tail = ring->page->data_tail;
        union {
                struct perf_event_header header;
                struct sample sample;
                char bytes[UINT16_MAX];
        } record;

        while (tail < head) {
                copy_out(ring, tail, record.bytes, sizeof record.header);
                copy_out(ring, tail, record.bytes, record.header.size);
                if (record.header.type == PERF_RECORD_SAMPLE)
                        add(t, &record.sample);
                t->all.lost |= record.header.type == PERF_RECORD_LOST;
                tail += record.header.size;
        }
        __atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

static int by_time(const void *a, const void *b)
{
        const struct traced *x = a, *y = b;

        return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

struct traced_all tracing_read(struct tracing *t)
{
        for (int i = 0; i < t->cpus; i++)
                if (t->rings[i].page)
                        drain(t, &t->rings[i]);
        if (t->all.n)
                qsort(t->all.of, t->all.n, sizeof *t->all.of, by_time);
        return t->all;
}

void tracing_clear(struct tracing *t)
{
        tracing_read(t);
        t->all.n = 0;
        t->all.lost = false;
}

void tracing_free(struct tracing *t)
{
        for (int i = 0; i < t->cpus; i++) {
                for (int j = 0; j < KINDS; j++)
                        nsm_close_fd(t->rings[i].fds[j]);
                if (t->rings[i].page)
                        munmap(t->rings[i].page, page_size() + RING_BYTES);
        }
        free(t->rings);
        free(t->all.of);
        free(t);
}
