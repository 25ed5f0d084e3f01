/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmountd, the supervisor: see nsmountd(8) and supervisor.h. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "tools/nsmountd/supervisor.h"

#define EXIT_USAGE 2

#define RUNTIME_DIR_DEFAULT "/run/nsmount"

static const char usage[] =
        "usage: nsmountd [-f] [--config DIR] [--runtime-dir DIR]\n"
        "Serves tenants' volumes to their containers.\n"
        "  -f, --foreground    stay in the foreground, as systemd wants it\n"
        "  --config DIR        configuration; default $NSMOUNT_CONFIG or " NSM_CONFIG_DIR_DEFAULT
        "\n"
        "  --runtime-dir DIR   socket and records; default $NSMOUNT_RUNTIME_DIR or "
        RUNTIME_DIR_DEFAULT "\n"
        "  -h, --help; -V, --version\n";

struct options {
        struct supervisor_options supervisor;
        bool foreground;
};

static const char *from_environment(const char *name, const char *otherwise)
{
        const char *value = getenv(name);

        return value && *value ? value : otherwise;
}

/* -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *ret)
{
        static const struct option known[] = {
                { "foreground", no_argument, NULL, 'f' },
                { "config", required_argument, NULL, 'c' },
                { "runtime-dir", required_argument, NULL, 'r' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { 0 },
        };
        int c;

        ret->supervisor.config_dir = from_environment("NSMOUNT_CONFIG", NSM_CONFIG_DIR_DEFAULT);
        ret->supervisor.runtime_dir = from_environment("NSMOUNT_RUNTIME_DIR", RUNTIME_DIR_DEFAULT);
        while ((c = getopt_long(argc, argv, "fhV", known, NULL)) >= 0) {
                switch (c) {
                case 'f':
                        ret->foreground = true;
                        break;
                case 'c':
                        ret->supervisor.config_dir = optarg;
                        break;
                case 'r':
                        ret->supervisor.runtime_dir = optarg;
                        break;
                case 'h':
                        fputs(usage, stdout);
                        return EXIT_SUCCESS;
                case 'V':
                        puts("nsmountd " NSM_VERSION);
                        return EXIT_SUCCESS;
                default:
                        fputs("nsmountd: see \"nsmountd --help\"\n", stderr);
                        return EXIT_USAGE;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "nsmountd: %s: takes no arguments; see \"nsmountd --help\"\n",
                        argv[optind]);
                return EXIT_USAGE;
        }
        return -1;
}

static int check_privilege(struct nsm_error *err)
{
        cap_flag_value_t has = CAP_CLEAR;
        cap_t caps = cap_get_proc();

        if (caps) {
                (void)cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &has);
                cap_free(caps);
        }
        if (geteuid() == 0 && has == CAP_SET)
                return 0;
        return nsm_error_set(err, -EPERM, "nsmountd must be root with CAP_SYS_ADMIN, to mount and "
                             "to enter containers: run it as root");
}

/* Three descriptors per view and a handful per request: as many as we may. */
static void raise_limits(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &files);
        }
}

/*
 * Splits off a child that serves. The parent waits on *ret_ready until it does,
 * or has said why not: whoever starts us in a script can go on with requests.
 */
static int daemonize(int *ret_ready)
{
        int ready[2];
        char go;
        pid_t pid;

        if (pipe2(ready, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid > 0) {
                close(ready[1]);
                _exit(read(ready[0], &go, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        close(ready[0]);
        setsid();
        *ret_ready = ready[1];
        return 0;
}

/* Where log lines go in the background: the journal, or a file where there is none. */
static int open_log(const char *runtime_dir)
{
        cleanup_free char *path = NULL;
        char stream[64];
        struct stat st;
        int fd = sd_journal_stream_fd("nsmountd", LOG_INFO, true);

        if (fd >= 0 && fstat(fd, &st) == 0) {
                snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev,
                         (uintmax_t)st.st_ino);
                (void)setenv("JOURNAL_STREAM", stream, true); /* log lines begin with <N> then */
                return fd;
        }
        nsm_close_fd(fd);
        if (asprintf(&path, "%s/log", runtime_dir) < 0)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : fd;
}

/*
 * Serving now: lets the starter go, and its terminal or pipe with it, which may
 * end long before us. A file that somebody chose for stderr stays.
 */
static void leave_terminal(const char *runtime_dir, int *ready)
{
        cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        cleanup_fd int log = -1;
        struct stat st;

        if (null >= 0) {
                (void)dup2(null, STDIN_FILENO);
                (void)dup2(null, STDOUT_FILENO);
        }
        if (fstat(STDERR_FILENO, &st) < 0 || !S_ISREG(st.st_mode)) {
                log = open_log(runtime_dir);
                (void)dup2(log >= 0 ? log : null, STDERR_FILENO);
        }
        if (write(*ready, "r", 1) != 1)
                nsm_log(LOG_WARNING, "who started us has not waited");
        nsm_close_fd(nsm_take_fd(ready));
}

/* We leave the working directory, and keep none busy: so the names must hold from anywhere. */
static int make_absolute(const char **path, char **ret_owned)
{
        cleanup_free char *cwd = NULL;

        if (**path == '/')
                return 0;
        cwd = getcwd(NULL, 0);
        if (!cwd || asprintf(ret_owned, "%s/%s", cwd, *path) < 0)
                return -errno;
        *path = *ret_owned;
        return 0;
}

static int serve(struct options *options, struct nsm_error *err)
{
        cleanup_free char *config_dir = NULL;
        cleanup_free char *runtime_dir = NULL;
        cleanup_supervisor struct supervisor *supervisor = NULL;
        cleanup_fd int ready = -1;
        int r = check_privilege(err);

        if (r < 0)
                return r;
        r = make_absolute(&options->supervisor.config_dir, &config_dir);
        if (r == 0)
                r = make_absolute(&options->supervisor.runtime_dir, &runtime_dir);
        if (r < 0 || chdir("/") < 0)
                return nsm_error_set(err, -EIO, "the working directory: %s", strerror(errno));
        if (!options->foreground) {
                r = daemonize(&ready);
                if (r < 0)
                        return nsm_error_set(err, r, "cannot fork: %s", strerror(-r));
        }
        r = supervisor_new(&options->supervisor, &supervisor, err);
        if (r < 0)
                return r;
        if (!options->foreground)
                leave_terminal(options->supervisor.runtime_dir, &ready);
        return supervisor_run(supervisor, err);
}

int main(int argc, char **argv)
{
        struct options options = { 0 };
        struct nsm_error err = { 0 };
        int status = parse_options(argc, argv, &options);

        if (status >= 0)
                return status;
        umask(022);
        (void)signal(SIGPIPE, SIG_IGN); /* whoever reads our log may end before us */
        close_range(STDERR_FILENO + 1, ~0u, 0); /* what whoever started us left open */
        raise_limits();
        if (serve(&options, &err) < 0) {
                nsm_log(LOG_ERR, "%s", err.text);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
