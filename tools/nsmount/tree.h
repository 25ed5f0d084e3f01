/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree for people: what nsmountd's List says, tenants at the top, their views
 * with the grafts of each, and their containers. Pure: reads a reply, writes
 * lines.
 */
#ifndef NSM_NSMOUNT_TREE_H
#define NSM_NSMOUNT_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* @utf8: draws with lines of UTF-8, otherwise with ASCII. */
void nsm_tree_print(FILE *out, const json_t *list, bool utf8);

#endif
