/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person must read about a failure: one line that names the thing,
 * the reason and the way out. Filled once, where the reason is known.
 */
#ifndef NSM_BASE_ERROR_H
#define NSM_BASE_ERROR_H

#define NSM_ERROR_TEXT_MAX 1024

struct nsm_error {
        int code;                      /* negative errno; 0 while nothing failed */
        char text[NSM_ERROR_TEXT_MAX]; /* one line, no newline at the end */
};

/*
 * Records a failure and returns @code, so that a caller can say
 * `return nsm_error_set(err, -ENOENT, "...")`. The first failure stays: what
 * comes later is its consequence. @err may be NULL. Control characters of the
 * arguments (a tenant may choose a file's name) are shown as \xNN.
 *
 * @code: negative errno. Keeps errno.
 */
int nsm_error_set(struct nsm_error *err, int code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* Puts "what: " before a text that is there already; nothing when it is not. */
void nsm_error_prefix(struct nsm_error *err, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* Forgets what was recorded. */
void nsm_error_reset(struct nsm_error *err);

#endif
