/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log lines of the programs; libraries never log. A line goes to stderr with
 * the priority in front that systemd's journal reads there (sd-daemon(3)) when
 * stderr is the journal, and without it elsewhere. Any thread.
 */
#ifndef NSM_BASE_LOG_H
#define NSM_BASE_LOG_H

#include <syslog.h>

/* @priority: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO or LOG_DEBUG. */
void nsm_log(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines less urgent than @priority are dropped; LOG_INFO until it is called. */
void nsm_log_set_level(int priority);

#endif
