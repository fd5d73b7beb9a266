/* Sealed batches: written, marked, read back, removed. */
#include "core/spool/spool_state.h"

#include "core/base/crash_point.h"
#include "core/base/gzip.h"
#include "core/os/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REJECTED_BYTES = 1024 * 1024
};

/* ---- sealing ---- */

/* Lines, each with its ",\n", as gzip JSON. */
static int compress(int level, const char *lines, size_t len, mp_buf *out) {
    mp_gzip *gzip = mp_gzip_borrow(level);
    if (!gzip)
        return ENOMEM;
    mp_buf *json = mp_gzip_input(gzip);
    mp_buf_reserve(json, len);
    mp_buf_add(json, "[", 1);
    mp_buf_add(json, lines, len - 2); /* without the last ",\n" */
    mp_err err = mp_buf_add(json, "]", 1);
    if (err == MP_OK)
        err = mp_gzip_add(gzip, out, json->data, json->len);
    mp_gzip_give_back(gzip);
    return err ? ENOMEM : 0;
}

/* Writes a file that appears whole or not at all. */
static int write_batch(int dir, const char *name, const mp_buf *body) {
    char fresh[MP_BATCH_FILE_NAME + 8];
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int fd, err = mp_file_create(dir, fresh, &fd);
    if (err != 0)
        return err;
    mp_crash_point("seal");
    err = mp_file_write(fd, body->data, body->len, 0);
    if (err == 0)
        err = mp_file_sync(fd);
    mp_file_close(fd);
    mp_crash_point("rename");
    if (err == 0)
        err = mp_file_rename(dir, fresh, dir, name);
    if (err != 0) {
        mp_file_unlink(dir, fresh);
        return err;
    }
    err = mp_file_sync_dir(dir);
    if (err != 0)
        mp_file_unlink(dir, name);
    return err;
}

/* What the file of a segment is called. */
static mp_batch_file describe(const mp_segment *segment, mp_lane_id lane,
                              const mp_run *run, int64_t wall_ms) {
    const mp_place *place = &segment->place;
    uint64_t seq = segment->entries[0].seq;
    return (mp_batch_file){
        .lane = lane,
        .run = place->run ? place->run : run->id,
        .seq = place->seq ? place->seq : seq & MP_SEGMENT_SEQ,
        .count = segment->count,
        .in_doubt = (mp_in_doubt)place->in_doubt,
        .wall_ms = wall_ms > 0 ? wall_ms : 0, /* a name has no sign */
        .first = seq,
        .last = segment->entries[segment->count - 1].seq,
        .dir = run->dir,
        .users = place->users, /* NULL, or of this run */
    };
}

/* The run whose file the segment has, so that whoever finds both in it knows
 * that one was made of the other; else the one in use. */
static const mp_run *run_for(mp_spool *spool, const mp_segment *segment,
                             int *err, char message[MP_MESSAGE]) {
    mp_held *held = segment->place.users
                        ? mp_held_find(&spool->held, segment->place.dir)
                        : NULL;
    *err = 0;
    return held ? &held->run : mp_spool_run(spool, NULL, err, message);
}

/* Writes the batch into the run in use, or in a new one if its directory was
 * removed. */
static int store(mp_spool *spool, const mp_buf *body, const mp_run *run,
                 mp_batch_file *file, char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    mp_batch_file_name(file, name);
    int err = write_batch(run->dir, name, body);
    if (err == ENOENT) {
        run = mp_spool_run(spool, run, &err, message);
        if (err != 0)
            return err;
        file->dir = run->dir;
        file->users = NULL;
        err = write_batch(run->dir, name, body);
    }
    if (err != 0)
        return mp_spool_error(message, "cannot write to", spool->path, err);
    err = mp_spool_anchor(spool, run, message);
    if (err != 0)
        mp_file_unlink(run->dir, name);
    return err;
}

int mp_spool_seal(mp_spool *spool, mp_lane_id lane, mp_segment *segment,
                  const mp_buf *body, int64_t wall_ms, mp_batch_file **out,
                  char message[MP_MESSAGE]) {
    mp_buf own = {0};
    int err;
    *out = NULL;
    const mp_run *run = run_for(spool, segment, &err, message);
    if (err != 0)
        return err;
    mp_batch_file *file = malloc(sizeof *file);
    if (file && !body)
        err = compress(atomic_load(&spool->gzip), segment->data, segment->used,
                       &own);
    if (!file || err != 0) {
        free(file);
        mp_buf_free(&own);
        return mp_spool_error(message, "cannot write to", spool->path, ENOMEM);
    }
    if (!body)
        body = &own;
    *file = describe(segment, lane, run, wall_ms);
    file->bytes = mp_spool_bytes(body->len);
    err = store(spool, body, run, file, message);
    mp_buf_free(&own);
    if (err != 0) {
        free(file);
        return err;
    }
    if (file->users)
        ++*file->users;
    *out = file;
    return mp_spool_discard(segment, message);
}

/* ---- marks ---- */

static int rename_to(const mp_batch_file *from, const mp_batch_file *to,
                     const char *suffix, char message[MP_MESSAGE]) {
    char old[MP_BATCH_FILE_NAME], name[MP_BATCH_FILE_NAME],
        fresh[MP_BATCH_FILE_NAME + 4];
    mp_batch_file_name(from, old);
    mp_batch_file_name(to, name);
    snprintf(fresh, sizeof fresh, "%s%s", name, suffix);
    if (strcmp(old, fresh) == 0)
        return 0;
    mp_crash_point("rename");
    int err = mp_file_rename(from->dir, old, to->dir, fresh);
    return err == 0 ? 0 : mp_spool_error(message, "cannot rename", old, err);
}

/* Brings the mark to the disk. */
static int sync_mark(const mp_place *place, char message[MP_MESSAGE]) {
    int err = 0;
    if (place->sealed)
        err = mp_file_sync_dir(place->sealed->dir);
    else if (place->header)
        err = mp_file_sync_map((char *)place->header, MP_SEGMENT_HEADER);
    if (err == 0)
        return 0;
    return mp_spool_error(message, "cannot sync", "what is in doubt", err);
}

static int mark(mp_segment *segment, uint32_t attempts, mp_in_doubt in_doubt,
                char message[MP_MESSAGE]) {
    mp_place *place = &segment->place;
    if (!place->sealed) {
        place->in_doubt = in_doubt;
        if (place->header)
            place->header->in_doubt = in_doubt;
        return 0;
    }
    mp_batch_file marked = *place->sealed;
    marked.in_doubt = in_doubt;
    marked.attempt += attempts;
    int err = rename_to(place->sealed, &marked, "", message);
    if (err == 0)
        *place->sealed = marked;
    return err;
}

int mp_spool_mark_start(mp_segment *segment, mp_in_doubt in_doubt, bool synced,
                        char message[MP_MESSAGE]) {
    int err = mark(segment, 1, in_doubt, message);
    return err == 0 && synced ? sync_mark(&segment->place, message) : err;
}

int mp_spool_mark_end(mp_segment *segment, mp_in_doubt in_doubt,
                      char message[MP_MESSAGE]) {
    return mark(segment, 0, in_doubt, message);
}

int mp_spool_quarantine(const mp_batch_file *file, char message[MP_MESSAGE]) {
    int err = rename_to(file, file, ".bad", message);
    if (err != 0)
        mp_spool_keep_lock(file);
    return err;
}

/* ---- loading ---- */

/* Gives the records of a segment the sequence numbers of their batch. */
static void number(mp_segment *segment, const mp_batch_file *file) {
    for (uint32_t i = 0; i < segment->count; i++) {
        uint64_t seq = file->first + i;
        segment->entries[i].seq = seq < file->last ? seq : file->last;
    }
}

int mp_spool_read_sealed(const mp_batch_file *file, const mp_buf *content,
                         mp_segment *segment, mp_lines *lines) {
    mp_buf json = {0};
    mp_err err =
        mp_gunzip_add(&json, content->data, content->len, MP_SEGMENT_BYTES + 2);
    if (err != MP_OK)
        goto done;
    if (json.len < 4 || json.data[0] != '[' || json.data[json.len - 1] != ']')
        err = MP_INVALID;
    else
        err = mp_spool_read_lines(segment, json.data + 1, json.len - 2,
                                  &mp_endpoints[file->lane], lines);
done:
    mp_buf_free(&json);
    return err == MP_OK ? 0 : err == MP_MEMORY ? ENOMEM : EBADMSG;
}

static int load_sealed(mp_batch_file *file, mp_segment **out, mp_lines *lines,
                       char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    mp_buf content = {0};
    mp_batch_file_name(file, name);
    int err = mp_file_read(file->dir, name, MP_SPOOL_FILE, &content);
    mp_segment *segment = err == 0 ? mp_segment_new() : NULL;
    if (err == 0)
        err = segment ? mp_spool_read_sealed(file, &content, segment, lines)
                      : ENOMEM;
    if (err == 0 &&
        (lines->others > 0 || segment->count + lines->foreign != file->count))
        err = EBADMSG;
    if (err == 0 && lines->foreign == 0) { /* the records are these bytes */
        segment->gzip = content;
        content = (mp_buf){0};
    }
    mp_buf_free(&content);
    if (err == 0) {
        segment->place.sealed = file;
        *out = segment;
        return 0;
    }
    mp_segment_free(segment);
    mp_spool_error(message, "cannot read", name, err);
    return err == EFBIG ? EBADMSG : err; /* none of ours is so long */
}

void mp_spool_locate(mp_segment *segment, const mp_batch_file *open) {
    segment->place.open = true;
    segment->place.dir = open->dir;
    segment->place.users = open->users;
    if (open->users)
        ++*open->users;
    segment->place.lane = open->lane;
    segment->place.run = open->run;
    segment->place.number = open->number;
    segment->place.seq = open->seq;
    segment->place.in_doubt = open->in_doubt;
}

/* A batch that is still the file of an open segment. */
static int load_open(mp_batch_file *file, mp_segment **out, mp_lines *lines,
                     char message[MP_MESSAGE]) {
    mp_segment *segment;
    mp_batch_file seen = *file;
    int err = mp_spool_recover(&seen, &segment, lines, message);
    if (err != 0)
        return err;
    if (segment->count + lines->foreign != file->count) {
        mp_segment_free(segment);
        return EBADMSG;
    }
    mp_spool_locate(segment, file);
    *out = segment;
    return 0;
}

/* Puts the records of another project into a file of their own, which no
 * process reads: "events-…-1-0-0-1795460000123.v1.json.gz.bad". Where all of
 * the batch are, it is not worth another file. */
static int set_apart(const mp_batch_file *file, const mp_lines *lines,
                     char message[MP_MESSAGE]) {
    char from[MP_BATCH_FILE_NAME], name[MP_BATCH_FILE_NAME],
        bad[MP_BATCH_FILE_NAME + 4];
    mp_batch_file theirs = *file;
    mp_buf body = {0};
    theirs.number = 0;
    theirs.count = lines->foreign;
    mp_batch_file_name(file, from);
    mp_batch_file_name(&theirs, name);
    snprintf(bad, sizeof bad, "%s.bad", name);
    snprintf(message, MP_MESSAGE,
             "spool: %" PRIu32 " of %" PRIu32 " records in %.64s name the "
             "token of another project; they are kept as *.bad",
             lines->foreign, file->count, from);
    if (lines->foreign == file->count)
        return EBADMSG;
    int err = compress(MP_GZIP_MIN, lines->foreigners.data,
                       lines->foreigners.len, &body);
    if (err == 0)
        err = write_batch(file->dir, bad, &body);
    mp_buf_free(&body);
    return err == 0 ? 0 : mp_spool_error(message, "cannot write", bad, err);
}

int mp_spool_load(const mp_spool *spool, mp_batch_file *file, mp_segment **out,
                  char message[MP_MESSAGE]) {
    mp_lines lines = {.token = file->adopted ? spool->token : NULL};
    int err = file->number > 0 ? load_open(file, out, &lines, message)
                               : load_sealed(file, out, &lines, message);
    if (err == 0 && lines.foreign > 0) {
        err = set_apart(file, &lines, message);
        if (err != 0) {
            mp_spool_forget(*out);
            *out = NULL;
        }
    }
    mp_buf_free(&lines.foreigners);
    if (err != 0)
        return err;
    number(*out, file);
    (*out)->adopted = file->adopted;
    return 0;
}

/* ---- rejected records ---- */

int mp_spool_reject(mp_spool *spool, const mp_buf *lines,
                    char message[MP_MESSAGE]) {
    static const char name[] = "rejected.jsonl", old[] = "rejected.old.jsonl";
    int err;
    const mp_run *run = mp_spool_run(spool, NULL, &err, message);
    if (err != 0)
        return err;
    mp_file_info seen; /* it may have come from a run before */
    if (mp_file_look(run->dir, name, &seen) == 0 && seen.bytes > REJECTED_BYTES)
        mp_file_rename(run->dir, name, run->dir, old);
    err = mp_file_append(run->dir, name, lines->data, lines->len);
    return err == 0 ? 0 : mp_spool_error(message, "cannot write to", name, err);
}
