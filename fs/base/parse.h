/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict parsing of what people and peers write. Nothing is guessed: no sign,
 * no leading or trailing blank, no octal, no empty string, no overflow.
 * Pure; any thread.
 */
#ifndef NSM_BASE_PARSE_H
#define NSM_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NSM_NAME_MAX 63 /* bytes of a tenant's, volume's or graft's name */

/* Decimal digits only. 0, or -EINVAL (not a number), -ERANGE (too large). */
int nsm_parse_u64(const char *text, uint64_t *ret);
int nsm_parse_u32(const char *text, uint32_t *ret);

/* A process id: 1 to INT_MAX. */
int nsm_parse_pid(const char *text, pid_t *ret);

/* "yes"/"no", "true"/"false", "on"/"off", "1"/"0". */
int nsm_parse_bool(const char *text, bool *ret);

/* A tenant's or volume's name: [a-z][a-z0-9-]{0,62}. */
bool nsm_name_is_valid(const char *name);

/*
 * Splits "A:B:C" into exactly @n decimal numbers. @sep separates; any run of
 * blanks does when @sep is ' '. 0, -EINVAL or -ERANGE; @ret is untouched then.
 */
int nsm_parse_u32_list(const char *text, char sep, uint32_t *ret, unsigned n);

#endif
