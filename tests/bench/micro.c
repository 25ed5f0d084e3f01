/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls that a filesystem is asked most, timed without an interpreter:
 *
 *     nsm-bench-micro names MANY FRESH PROCESSES SECONDS
 *     nsm-bench-micro mmap FILE SECONDS
 *
 * `names` works on the files 0, 1, ... of the directory MANY, which is there
 * and full, and makes, renames and removes as many in the directory FRESH,
 * which is empty. Each phase ends after SECONDS, or when all is done; then its
 * name and how much was done per second is printed, a line each. `mmap` touches
 * the pages of a file in random order, in one mapping after the other.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 64
#define PAGE 4096
#define LISTINGS 1000000 /* the time is over before */

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What the processes share. */
struct common {
        pthread_barrier_t together;
        double begin[MAX_PROCESSES], end[MAX_PROCESSES];
        long done[MAX_PROCESSES];
};

struct worker {
        int many, fresh; /* directories */
        long first, files; /* this process's share of the files of @many */
        long made, renamed; /* files in @fresh: 0 to @made, and those of them with a new name */
};

/* Does the nth of a phase's steps: how much it counts for; ends the program when it fails. */
typedef long step_fn(struct worker *w, long n);

static const char *name_of(struct worker *w, const char *prefix, long n)
{
        static char name[64];

        snprintf(name, sizeof name, "%s%ld", prefix, w->first + n);
        return name;
}

static long must(int result, const char *what)
{
        if (result < 0)
                err(1, "%s", what);
        return 1;
}

static long list_step(struct worker *w, long n)
{
        int fd = openat(w->many, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        long entries = 0;

        if (!d)
                err(1, "opendir");
        while (readdir(d))
                entries++;
        closedir(d);
        return entries;
}

static long stat_step(struct worker *w, long n)
{
        struct stat st;

        return must(fstatat(w->many, name_of(w, "", n), &st, 0), "stat");
}

static long open_step(struct worker *w, long n)
{
        int fd = openat(w->many, name_of(w, "", n), O_RDONLY | O_CLOEXEC);

        must(fd, "open");
        return must(close(fd), "close");
}

static long create_step(struct worker *w, long n)
{
        int fd = openat(w->fresh, name_of(w, "f", n), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        0644);

        must(fd, "create");
        w->made = n + 1;
        return must(close(fd), "close");
}

static long rename_step(struct worker *w, long n)
{
        char from[64];

        snprintf(from, sizeof from, "%s", name_of(w, "f", n));
        w->renamed = n + 1;
        return must(renameat(w->fresh, from, w->fresh, name_of(w, "g", n)), "rename");
}

static long unlink_step(struct worker *w, long n)
{
        return must(unlinkat(w->fresh, name_of(w, n < w->renamed ? "g" : "f", n), 0), "unlink");
}

static long mkdir_step(struct worker *w, long n)
{
        return must(mkdirat(w->fresh, name_of(w, "d", n), 0755), "mkdir");
}

/* Which steps a phase has. */
enum scope { OF_MANY, OF_MADE, LISTED };

static const struct phase {
        const char *name;
        step_fn *step;
        enum scope scope;
        bool primed; /* once untimed before, so that all is known */
} phases[] = {
        { "readdir", list_step, LISTED, false },
        { "stat", stat_step, OF_MANY, true },
        { "open", open_step, OF_MANY, false },
        { "create", create_step, OF_MANY, false },
        { "rename", rename_step, OF_MADE, false },
        { "unlink", unlink_step, OF_MADE, false },
        { "mkdir", mkdir_step, OF_MANY, false },
};
#define PHASES (sizeof phases / sizeof *phases)

static void run_phase(const struct phase *p, struct worker *w, struct common *c, int i,
                      double limit)
{
        long steps = p->scope == OF_MANY ? w->files : p->scope == OF_MADE ? w->made : LISTINGS;

        for (long n = 0; p->primed && n < steps; n++)
                p->step(w, n);
        pthread_barrier_wait(&c->together);
        c->begin[i] = now();
        c->done[i] = 0;
        /* Some steps between two looks at the clock, unless each is long. */
        for (long n = 0; n < steps; n++) {
                c->done[i] += p->step(w, n);
                if ((n % 16 == 15 || p->scope == LISTED) && now() - c->begin[i] > limit)
                        break;
        }
        c->end[i] = now();
        pthread_barrier_wait(&c->together);
        if (p->step == unlink_step) /* what is left, so that the next phase finds no files */
                for (long n = c->done[i]; n < steps; n++)
                        p->step(w, n);
}

static void report(const char *name, const struct common *c, int processes)
{
        double begin = c->begin[0], end = c->end[0];
        long done = 0;

        for (int i = 0; i < processes; i++) {
                begin = c->begin[i] < begin ? c->begin[i] : begin;
                end = c->end[i] > end ? c->end[i] : end;
                done += c->done[i];
        }
        printf("%s %.1f\n", name, (double)done / (end - begin));
        fflush(stdout);
}

static struct common *common_new(unsigned int processes)
{
        struct common *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pthread_barrierattr_t attr;

        if (c == MAP_FAILED)
                err(1, "mmap");
        pthread_barrierattr_init(&attr);
        pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        pthread_barrier_init(&c->together, &attr, processes);
        return c;
}

static void run_worker(struct worker w, struct common *c, int i, int processes, double limit)
{
        for (size_t p = 0; p < PHASES; p++) {
                run_phase(&phases[p], &w, c, i, limit);
                if (i == 0)
                        report(phases[p].name, c, processes);
                pthread_barrier_wait(&c->together); /* what is reported is written anew next */
        }
}

static int open_directory(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                err(1, "%s", path);
        return fd;
}

static long count_files(int dir)
{
        struct worker w = { .many = dir };

        return list_step(&w, 0) - 2;
}

static int run_names(const char *many, const char *fresh, int processes, double limit)
{
        int many_fd = open_directory(many), fresh_fd = open_directory(fresh);
        long share = count_files(many_fd) / processes;
        struct worker w = { .many = many_fd, .fresh = fresh_fd, .files = share };
        struct common *c = common_new((unsigned int)processes);
        int status, result = 0;

        for (int i = 1; i < processes; i++) {
                pid_t pid = fork();
                if (pid < 0)
                        err(1, "fork");
                if (pid == 0) {
                        w.first = i * share;
                        run_worker(w, c, i, processes, limit);
                        _exit(0);
                }
        }
        run_worker(w, c, 0, processes, limit);
        while (wait(&status) > 0)
                result |= status != 0;
        return result;
}

/* The next of a sequence in which every number below 2^64 comes once. */
static unsigned long next_random(unsigned long *state)
{
        *state = *state * 6364136223846793005UL + 1442695040888963407UL;
        return *state >> 33;
}

static int run_mmap(const char *path, double limit)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        unsigned long state = 1, touched = 0;
        double begin = now(), end;

        if (fd < 0 || fstat(fd, &st) < 0)
                err(1, "%s", path);
        size_t size = (size_t)st.st_size, pages = size / PAGE;
        do {
                volatile unsigned char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
                if (map == MAP_FAILED)
                        err(1, "mmap %s", path);
                madvise((void *)map, size, MADV_RANDOM);
                for (size_t n = 0; n < pages / 4; n++, touched++)
                        (void)map[next_random(&state) % pages * PAGE];
                munmap((void *)map, size);
                end = now();
        } while (end - begin < limit);
        printf("mmap %.1f\n", (double)touched / (end - begin));
        return 0;
}

int main(int argc, char **argv)
{
        if (argc == 6 && strcmp(argv[1], "names") == 0) {
                int processes = atoi(argv[4]);
                if (processes < 1 || processes > MAX_PROCESSES)
                        errx(2, "1 to %d processes", MAX_PROCESSES);
                return run_names(argv[2], argv[3], processes, atof(argv[5]));
        }
        if (argc == 4 && strcmp(argv[1], "mmap") == 0)
                return run_mmap(argv[2], atof(argv[3]));
        errx(2, "names MANY FRESH PROCESSES SECONDS, or mmap FILE SECONDS");
}
