/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel need not ask: requests of a view, counted. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/integration/supervisor-kit.h"

#define FILES 1000
#define FEW 20 /* for one opening and closing, and whoever else looks at a mount */

struct counted {
        struct nsm_world *w;
        const char *dir; /* the view, on the host */
        uint32_t owner;  /* of all in it: others' permission is asked for, entry by entry */
};

/* A view of FILES files in `many`, one link, and one file of 4 MiB; @settings of its volume. */
static struct counted counted_new(const char *settings)
{
        struct counted c = { .w = nsm_world_new() };
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(c.w, "acme");

        c.owner = t->first_id;
        c.dir = nsm_world_printf(c.w, "%s/pub/view", c.w->dir);
        nsm_world_must(c.w, "sed -i 's|^source = .*|&\\n%s|' etc/tenants.d/acme.conf;"
                       "cd %s; mkdir many; (cd many; seq %d | xargs touch); ln -s many/1 link;"
                       "head -c 4194304 /dev/zero >large; chmod 755 . many", settings, t->root,
                       FILES);
        nsm_world_start_supervisor(c.w);
        nsm_world_must(c.w, "chmod 711 .; install -d -m 0710 -g %u pub; nsmount mount acme %s", t->first_id,
                       c.dir);
        return c;
}

static json_int_t figure(struct counted *c, const char *name)
{
        json_t *list = kit_list(c->w);
        json_t *view = json_array_get(json_object_get(list, "views"), 0);
        json_t *value = json_object_get(view, name);
        json_int_t n = json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);

        cr_assert(json_is_integer(value) || json_is_boolean(value));
        json_decref(list);
        return n;
}

/* Requests that a command in the view's directory made. */
static json_int_t requests_of(struct counted *c, const char *command)
{
        json_int_t before = figure(c, "requests");

        nsm_world_must(c->w, "setpriv --reuid=%u --regid=%u --clear-groups sh -ec 'cd %s; %s'",
                       c->owner, c->owner, c->dir, command);
        json_int_t after = figure(c, "requests");
        return after - before;
}

/* Reads a directory as `ls -l` does: each entry, and what is known of it, one by one. */
static int look_at_each(void *dir)
{
        DIR *d = opendir(dir);
        struct dirent *e;
        struct stat st;

        while (d && (e = readdir(d)))
                if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return 1;
        return d && closedir(d) == 0 ? 0 : 1;
}

static json_int_t requests_of_listing(struct counted *c)
{
        json_int_t before = figure(c, "requests");
        struct nsm_output *o = nsm_world_call(c->w, look_at_each,
                                              (void *)nsm_world_printf(c->w, "%s/many", c->dir));

        cr_assert_eq(o->status, 0, "%s", o->err);
        return figure(c, "requests") - before;
}

#define AT_MOST(c, command, most)                                                     \
        do {                                                                          \
                json_int_t n = requests_of(c, command);                               \
                cr_assert_leq(n, most, "%s: %" JSON_INTEGER_FORMAT " requests", command, n); \
        } while (0)

Test(view_requests, are_few_where_nobody_else_writes)
{
        NSM_REQUIRE();
        struct counted c = counted_new("coherence = exclusive");

        /* One listing brings what is asked of each file; then nothing is asked again. */
        cr_assert_leq(requests_of_listing(&c), FILES / 10);
        cr_assert_leq(requests_of_listing(&c), FEW);
        AT_MOST(&c, "ls -f many >/dev/null; ls -f many >/dev/null", FEW);
        requests_of(&c, "readlink link; test -e link; ! test -e none");
        AT_MOST(&c, "for i in $(seq 50); do readlink link; test -e link; ! test -e none; done",
                FEW);
        nsm_world_free(c.w);
}

Test(view_requests, carry_much)
{
        NSM_REQUIRE();
        struct counted c = counted_new("coherence = exclusive");

        requests_of(&c, "true <large");
        /* Looked up, opened, 4 times 1 MiB, closed. */
        AT_MOST(&c, "dd if=large of=/dev/null bs=4M iflag=direct 2>/dev/null", 4 + 4);
        /* Through the page cache the kernel reads ahead as it does elsewhere: 128 KiB. */
        AT_MOST(&c, "dd if=large of=/dev/null bs=4M 2>/dev/null", 32 + 4);
        /* Opened, asked for capabilities to strip, 4 times 1 MiB, closed. */
        AT_MOST(&c, "dd if=/dev/zero of=large bs=4M count=1 conv=notrunc 2>/dev/null", 4 + 5);
        AT_MOST(&c, "dd if=/dev/zero of=large bs=1M count=4 oflag=direct conv=notrunc 2>/dev/null",
                4 + 5);
        nsm_world_free(c.w);
}

/* Open files are the kernel's own business, however much is read and written. */
Test(view_requests, are_none_for_content)
{
        NSM_REQUIRE();
        struct counted c = counted_new("coherence = exclusive");

        cr_assert(figure(&c, "passthrough") && figure(&c, "unopenedDirectories"));
        cr_assert_eq(figure(&c, "nearCallers"), sysconf(_SC_NPROCESSORS_ONLN) > 1);
        requests_of(&c, "true <large");
        /* Opened and closed, and asked for what a write would have to take away. */
        AT_MOST(&c, "dd if=large of=/dev/null bs=512 2>/dev/null", 2);
        AT_MOST(&c, "dd if=/dev/zero of=large bs=512 conv=notrunc 2>/dev/null count=8192", 5);
        AT_MOST(&c, "cmp large /dev/zero 2>/dev/null || true", 3);
        nsm_world_free(c.w);
}

Test(view_requests, are_few_where_others_write)
{
        NSM_REQUIRE();
        struct counted c = counted_new("coherence = shared");

        cr_assert(figure(&c, "passthrough") && !figure(&c, "unopenedDirectories"));
        cr_assert_leq(requests_of_listing(&c), FILES / 10);
        nsm_world_free(c.w);
}

/* The limit of the configuration reaches the worker, and what is shown keeps to it. */
Test(view_requests, the_limit_is_the_volumes)
{
        NSM_REQUIRE();
        struct counted c = counted_new("max-inodes = 300");

        nsm_world_must(c.w, "nsmount tenant show acme | grep -x 'max-inodes = 300'");
        requests_of(&c, "ls -l many >/dev/null; cat many/* many/*");
        cr_assert_leq(figure(&c, "inodes"), 300);
        cr_assert_gt(figure(&c, "inodes"), 10);
        nsm_world_free(c.w);
}

/* A name that is not there keeps its directory in the kernel's cache: it goes, too. */
Test(view_requests, names_that_are_not_there_do_not_fill_it)
{
        NSM_REQUIRE();
        struct counted c = counted_new("max-inodes = 300\\ncoherence = exclusive");

        requests_of(&c, "mkdir dirs; cd dirs; for i in $(seq 700); do mkdir $i;"
                    "if test -e $i/none; then exit 1; fi; done");
        requests_of(&c, "cd dirs; ls | wc -l | grep -x 700; rmdir *; cd ..; rmdir dirs");
        cr_assert_leq(figure(&c, "inodes"), 300);
        nsm_world_free(c.w);
}
