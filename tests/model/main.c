/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/model/model.h"

static const char usage[] =
        "Usage: view-model [--seed N] [--seeds N] [--ops N] [--endless] [--only WORDS]\n"
        "       view-model --replay FILE\n"
        "\n"
        "Runs random operations on ext4 and on a view, and compares. A sequence that\n"
        "differs is shrunk and printed; what was printed is a FILE.\n"
        "\n"
        "  --seed N      the first seed, 1 unless told\n"
        "  --seeds N     how many, 3 unless told; each with every configuration\n"
        "  --ops N       operations of each sequence, 1500 unless told\n"
        "  --stride N    compare the whole trees after so many, 250 unless told\n"
        "  --endless     goes on with further seeds until one fails\n"
        "  --only WORDS  of the configurations only those named so: shared, exclusive,\n"
        "                tenant, identity, tree, data\n"
        "\n"
        "Needs root and /dev/fuse. Exit status: 0 no difference, 1 a difference, 77 cannot run.\n";

struct arguments {
        unsigned long seed, seeds, ops, stride;
        bool endless;
        const char *only, *replay;
};

static const char *const profile_names[MODEL_PROFILES] = { "tree", "data" };

static void print_failure(const struct model_config *config, enum model_profile profile,
                          unsigned long seed, const struct model_sequence *sequence,
                          const char *why)
{
        printf("# seed %lu: %s\n", seed, why);
        printf("! %s %s %s %s\n", config->shared ? "shared" : "exclusive",
               config->tenant ? "tenant" : "identity", profile_names[profile],
               sequence->watch ? "watched" : "unwatched");
        for (size_t i = 0; i < sequence->count; i++)
                model_write(stdout, &sequence->ops[i]);
        fflush(stdout);
}

/* One sequence of one seed. */
static bool try_seed(const struct arguments *args, const struct model_place *place,
                     const struct model_config *config, enum model_profile profile,
                     unsigned long seed)
{
        size_t count = args->ops;
        struct model_sequence s = { calloc(count, sizeof *s.ops), count, seed % 2,
                                    args->stride };
        uint64_t random = seed * 0x9E3779B97F4A7C15ULL + 1;
        char why[MODEL_WHY];
        size_t at = 0;

        for (size_t i = 0; i < count; i++)
                model_draw(&random, profile, &s.ops[i]);
        bool same = model_sequence_run(place, &s, &at, why);
        if (!same) {
                printf("# seed %lu: operation %zu: %s\n", seed, at, why);
                fflush(stdout);
                s.count = at + 1;
                model_sequence_shrink(place, &s, 1000, why);
                print_failure(config, profile, seed, &s, why);
        }
        free(s.ops);
        return same;
}

static bool wanted(const struct arguments *args, const struct model_config *config,
                   enum model_profile profile)
{
        const char *has[] = { config->shared ? "shared" : "exclusive",
                              config->tenant ? "tenant" : "identity", profile_names[profile] };
        char words[200];

        snprintf(words, sizeof words, "%s", args->only ? args->only : "");
        for (char *word = strtok(words, ", "); word; word = strtok(NULL, ", ")) {
                if (strcmp(word, has[0]) != 0 && strcmp(word, has[1]) != 0 &&
                    strcmp(word, has[2]) != 0)
                        return false;
        }
        return true;
}

/* All seeds with one configuration: a place of its own. */
static bool try_config(const struct arguments *args, const struct model_config *config)
{
        struct model_place place;
        bool same = true;

        model_place_open(config, &place);
        for (enum model_profile p = 0; p < MODEL_PROFILES; p++) {
                if (!wanted(args, config, p))
                        continue;
                for (unsigned long i = 0; i < args->seeds; i++)
                        same = try_seed(args, &place, config, p, args->seed + i) && same;
        }
        for (unsigned long i = 0; i < args->seeds && wanted(args, config, MODEL_TREE); i++) {
                char why[MODEL_WHY];
                if (model_parallel_run(&place, args->seed + i, args->ops, why))
                        continue;
                printf("# seed %lu, in parallel: %s\n", args->seed + i, why);
                same = false;
        }
        if (!model_place_close(&place)) {
                printf("# the worker did not end well\n");
                same = false;
        }
        return same;
}

static bool try_all(const struct arguments *args)
{
        bool same = true;

        for (int i = 0; i < 4; i++) {
                struct model_config config = { .shared = i & 1, .tenant = i & 2 };
                if (wanted(args, &config, MODEL_TREE) || wanted(args, &config, MODEL_DATA))
                        same = try_config(args, &config) && same;
        }
        return same;
}

static bool replay(FILE *from)
{
        struct model_sequence s = { calloc(100000, sizeof *s.ops), 0, false, 250 };
        struct model_config config = { 0 };
        struct model_place place;
        char line[256], why[MODEL_WHY] = "";
        size_t at = 0;

        while (s.count < 100000 && fgets(line, sizeof line, from)) {
                if (line[0] == '!') {
                        config.shared = strstr(line, "shared");
                        config.tenant = strstr(line, "tenant");
                        s.watch = strstr(line, " watched");
                } else if (line[0] != '#' && !model_read(line, &s.ops[s.count++])) {
                        fprintf(stderr, "view-model: no operation: %s", line);
                        exit(2);
                }
        }
        model_place_open(&config, &place);
        bool same = model_sequence_run(&place, &s, &at, why);
        if (!same) {
                printf("operation %zu: %s: ", at, why);
                model_write(stdout, &s.ops[at]);
        }
        same = model_place_close(&place) && same;
        free(s.ops);
        return same;
}

static struct arguments parse(int argc, char **argv)
{
        static const struct option options[] = {
                { "seed", required_argument, NULL, 's' },
                { "seeds", required_argument, NULL, 'n' },
                { "ops", required_argument, NULL, 'o' },
                { "stride", required_argument, NULL, 't' },
                { "endless", no_argument, NULL, 'e' },
                { "only", required_argument, NULL, 'w' },
                { "replay", required_argument, NULL, 'r' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        struct arguments args = { .seed = 1, .seeds = 3, .ops = 1500, .stride = 250 };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
                switch (c) {
                case 's': args.seed = strtoul(optarg, NULL, 10); break;
                case 'n': args.seeds = strtoul(optarg, NULL, 10); break;
                case 'o': args.ops = strtoul(optarg, NULL, 10); break;
                case 't': args.stride = strtoul(optarg, NULL, 10); break;
                case 'e': args.endless = true; break;
                case 'w': args.only = optarg; break;
                case 'r': args.replay = optarg; break;
                case 'h': fputs(usage, stdout); exit(0);
                default: fputs(usage, stderr); exit(2);
                }
        }
        return args;
}

int main(int argc, char **argv)
{
        struct arguments args = parse(argc, argv);
        FILE *file = args.replay ? fopen(args.replay, "re") : NULL;
        const char *tmp = getenv("TMPDIR");
        char dir[256];
        bool same;

        if (args.replay && !file) {
                fprintf(stderr, "view-model: %s: %m\n", args.replay);
                return 2;
        }
        if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) != 0) {
                printf("skipped: needs root and /dev/fuse\n");
                return 77;
        }
        snprintf(dir, sizeof dir, "%s/nsm-model-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(dir))
                return 1;
        pid_t pid = fork();
        if (pid == 0) {
                model_place_prepare(dir);
                do {
                        same = file ? replay(file) : try_all(&args);
                        args.seed += args.seeds;
                } while (same && args.endless && !file);
                exit(same ? 0 : 1);
        }
        int status = -1;
        waitpid(pid, &status, 0);
        char command[300];
        snprintf(command, sizeof command, "rm -rf --one-file-system '%s'", dir);
        return system(command) == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
