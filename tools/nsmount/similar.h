/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody meant who mistyped a subcommand. Pure. */
#ifndef NSM_NSMOUNT_SIMILAR_H
#define NSM_NSMOUNT_SIMILAR_H

/*
 * The name of a subcommand that @word is nearly, or is the second word of
 * ("add": "tenant add"); "tenant" for a group. NULL when it is like none.
 */
const char *nsm_similar_find(const char *word);

#endif
