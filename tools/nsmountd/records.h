/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nsmountd must know after its own death: one JSON file per record in
 * RUNTIME_DIR/records, replaced by rename(2), so that each is whole or absent
 * at any instant. Not synced: what they tell of dies with the machine, and a
 * record of an earlier boot is dropped.
 */
#ifndef NSM_NSMOUNTD_RECORDS_H
#define NSM_NSMOUNTD_RECORDS_H

#include <jansson.h>

#include "fs/base/error.h"

/* Bytes of one record: a view with the longest possible maps. */
#define RECORD_MAX ((size_t)256 * 1024)

/* Writes or replaces the record @name, of letters, digits, '-'. @json is borrowed. */
int records_write(int dir_fd, const char *name, const json_t *json, struct nsm_error *err);

/* Removes one; one that is not there is fine. */
void records_remove(int dir_fd, const char *name);

/*
 * Reads all records of this boot, as an object of name -> record. What cannot
 * be read is set aside as NAME.bad and named in @warn; leftovers of a write
 * that was cut and records of an earlier boot are removed.
 */
int records_load(int dir_fd, json_t **ret, void (*warn)(const char *text), struct nsm_error *err);

#endif
