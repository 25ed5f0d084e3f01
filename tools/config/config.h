/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration (nsmount.conf(5)): nsmount.conf with the daemon's own
 * settings, tenants.d/NAME.conf with one tenant each, and drop-ins beside them
 * (nsmount.conf.d/ and tenants.d/NAME.conf.d/, files *.conf in the order of
 * their names; a later value replaces an earlier one, a repeatable key adds to
 * what is there, and an empty value forgets it).
 *
 * A configuration is loaded as a whole or not at all, and is constant after.
 * Everything runs in the caller's namespaces and holds no state between calls;
 * one thread at a time per directory change (the writer's lock is a file).
 */
#ifndef NSM_CONFIG_CONFIG_H
#define NSM_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/error.h"
#include "fs/base/idmap.h"

#define NSM_CONFIG_DIR_DEFAULT "/etc/nsmount"
#define NSM_CONFIG_TENANTS_MAX 4096 /* tenants of one host */
#define NSM_CONFIG_VOLUMES_MAX 256  /* volumes of one tenant */
#define NSM_CONFIG_FILE_MAX 262144  /* bytes of one file */

/* Where a setting was read, for what is said about it. */
struct nsm_config_place {
        char *file;    /* path, owned by the configuration */
        unsigned line; /* 0: of a change that is not written; file is then "tenant NAME" */
};

struct nsm_volume {
        char *name;
        char *source;       /* absolute path; may be missing at this moment */
        bool read_only;     /* access = ro */
        bool exclusive;     /* coherence = exclusive */
        bool devices_allow; /* devices = allow */
        bool suid_allow;    /* suid = allow, which is the default */
        uint32_t max_inodes; /* that the kernel may hold of one view */
        /*
         * inside = container id, outside = storage id. Never empty: what the file
         * leaves out is the tenant's own container ids with the same numbers.
         */
        struct nsm_idmap storage_uids;
        struct nsm_idmap storage_gids;
        bool has_storage_uids; /* the file says them */
        bool has_storage_gids;
        struct nsm_config_place place; /* of source */
};

struct nsm_tenant {
        char *name;
        struct nsm_idmap uids; /* inside = container id, outside = host id; never empty */
        struct nsm_idmap gids;
        bool shared_source;
        size_t n_volumes;
        struct nsm_volume *volumes;    /* in the order of the file; at least one */
        struct nsm_config_place place; /* of ids or uid-map */
};

struct nsm_config {
        char *dir;             /* as given to nsm_config_load() */
        uint32_t pool_first;   /* host ids for `--ids auto`; pool_count 0: none configured */
        uint32_t pool_count;
        uint32_t idle_close_s; /* a view without grafts is closed after so many seconds */
        size_t n_tenants;
        struct nsm_tenant *tenants; /* sorted by name */
};

/*
 * Reads and checks everything that can be known from the files: names, values,
 * unknown and repeated keys, maps, ranges that overlap. A directory that does
 * not exist is a configuration without tenants. What the sources are is left
 * to nsm_config_check_sources().
 *
 * Directory and files must belong to root (or the caller) and be writable by
 * nobody else: -EPERM otherwise. Bad content: -EINVAL, @err names file and line.
 */
int nsm_config_load(const char *dir, struct nsm_config **ret, struct nsm_error *err);

void nsm_config_free(struct nsm_config *config);

/*
 * NULL, or -ENOENT in @err (NULL-safe) with the names there are: what a person
 * who mistyped a name wants to read. Owned by the configuration.
 */
const struct nsm_tenant *nsm_config_find_tenant(const struct nsm_config *config, const char *name,
                                                struct nsm_error *err);

/* @name NULL is `root`. Otherwise as above. */
const struct nsm_volume *nsm_tenant_find_volume(const struct nsm_tenant *tenant, const char *name,
                                                struct nsm_error *err);

/*
 * Opens a source as an O_PATH descriptor, and checks what was opened: it is
 * there (-ENOENT), a directory (-ENOTDIR), not named through a symlink in its
 * last component (-ELOOP), and below a directory that only root can enter or
 * on a nosuid,nodev mount (-EPERM). *ret_fd is close-on-exec and the caller's.
 */
int nsm_volume_open_source(const struct nsm_tenant *tenant, const struct nsm_volume *volume,
                           int *ret_fd, struct nsm_error *err);

/*
 * All sources: each as nsm_volume_open_source(), and those of two tenants
 * neither equal nor nested (-EEXIST) unless both say shared-source = yes.
 * Compared by what they are, not by how they are written: symlinks and bind
 * mounts do not hide that two are the same. What cannot be seen this way is
 * what another machine does to shared storage.
 */
int nsm_config_check_sources(const struct nsm_config *config, struct nsm_error *err);

/*
 * The same for what one tenant adds: its own sources in full, and those of the
 * others, where they are there now, compared with them. Storage of another
 * tenant that is away at this moment does not stand in the way.
 */
int nsm_config_check_tenant_sources(const struct nsm_config *config, const char *tenant,
                                    struct nsm_error *err);

/*
 * Only whether a source of @tenant is now equal to, inside of, or around one of
 * another tenant (-EEXIST). What is not there is passed over: to be asked
 * before a source is served, since directories and mounts come and go.
 */
int nsm_config_compare_sources(const struct nsm_config *config, const char *tenant,
                               struct nsm_error *err);

/* The types Tenant and Volume of io.nsmount.varlink. A new reference, or NULL without memory. */
json_t *nsm_tenant_to_json(const struct nsm_tenant *tenant);
json_t *nsm_idmap_to_json(const struct nsm_idmap *map);

static inline void nsm_config_freep(struct nsm_config **config)
{
        nsm_config_free(*config);
}

#define cleanup_config __attribute__((cleanup(nsm_config_freep)))

#endif
