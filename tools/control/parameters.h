/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parameters of io.nsmount's methods, from JSON to a struct, strictly: an
 * unknown one, one of the wrong type and one that is missing are refused. Pure.
 */
#ifndef NSM_CONTROL_PARAMETERS_H
#define NSM_CONTROL_PARAMETERS_H

#include <jansson.h>
#include <stdbool.h>

/* Bytes of a path, NUL included (PATH_MAX). */
#define NSM_PARAMETER_PATH_MAX 4096

/* Which parameters a method knows, one bit each. */
enum {
        NSM_PARAMETER_TENANT = 1 << 0,
        NSM_PARAMETER_VOLUME = 1 << 1,
        NSM_PARAMETER_AT = 1 << 2,
        NSM_PARAMETER_GRAFT = 1 << 3,
        NSM_PARAMETER_DIRECTORY = 1 << 4,
        NSM_PARAMETER_CONTAINER = 1 << 5,
        NSM_PARAMETER_READ_ONLY = 1 << 6,
        NSM_PARAMETER_API = 1 << 7,
        NSM_PARAMETER_FORCE = 1 << 8,
        NSM_PARAMETER_KILL = 1 << 9,
        NSM_PARAMETER_SUID = 1 << 10,
};

struct nsm_parameters {
        const char *tenant;
        const char *volume; /* strings that are absent are NULL */
        const char *at;
        const char *graft;
        const char *directory;
        int container; /* index of a descriptor, -1 when absent */
        bool read_only;
        bool api; /* true when absent; all other flags are false then */
        bool force;
        bool kill;
        bool suid;
};

/*
 * @known and @required: bits from above. @ret's strings are @json's.
 * 0, or -EINVAL with the name of the parameter that is to blame in *ret_bad
 * (@json's, or constant). A value of null is an absent one.
 */
int nsm_parameters_parse(const json_t *json, unsigned known, unsigned required,
                         struct nsm_parameters *ret, const char **ret_bad);

#endif
