/* Open segments on their files: made, written, synced, removed, and read back
 * when their process died. */
#include "core/spool/spool_state.h"

#include "core/base/crash_point.h"
#include "core/os/file.h"
#include "core/record/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill_header(mp_segment_header *header, bool to_end) {
    *header = (mp_segment_header){
        .version = MP_SEGMENT_VERSION,
        .to_end = to_end,
    };
    memcpy(header->magic, MP_SEGMENT_MAGIC, sizeof header->magic);
}

/* A segment over the mapped file. */
static int make_mapped(int fd, mp_segment **out) {
    char *map = NULL;
    int err = mp_file_allocate(fd, MP_SEGMENT_FILE);
    if (err == 0)
        err = mp_file_map(fd, MP_SEGMENT_FILE, &map);
    if (err != 0)
        return err;
    fill_header((mp_segment_header *)(void *)map, false);
    *out = mp_segment_over((mp_segment_header *)(void *)map);
    if (!*out) {
        mp_file_unmap(map, MP_SEGMENT_FILE);
        return ENOMEM;
    }
    mp_file_close(fd);
    return 0;
}

/* A segment in memory whose records are written to the file one by one. */
static int make_written(int fd, mp_segment **out) {
    char page[MP_SEGMENT_HEADER] = {0};
    fill_header((mp_segment_header *)(void *)page, true);
    int err = mp_file_write(fd, page, sizeof page, 0);
    if (err != 0)
        return err;
    *out = mp_file_hold(fd) ? mp_segment_new() : NULL;
    if (!*out)
        return ENOMEM;
    (*out)->place.fd = fd;
    return 0;
}

static void note_place(mp_segment *segment, const mp_run *run, mp_lane_id lane,
                       uint64_t number) {
    segment->place.open = true;
    segment->place.dir = run->dir;
    segment->place.lane = lane;
    segment->place.run = run->id;
    segment->place.number = number;
}

/* The file has another name until its header is whole. */
static int make_segment(const mp_spool *spool, const mp_run *run,
                        mp_lane_id lane, uint64_t number, mp_segment **out) {
    char name[MP_BATCH_FILE_NAME], fresh[MP_BATCH_FILE_NAME + 4];
    mp_batch_file_open_name(lane, run->id, number, name);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int fd, err = mp_file_create(run->dir, fresh, &fd);
    if (err != 0)
        return err;
    bool maps = !mp_spool_is_written(spool) && mp_file_reserves(fd);
    err = maps ? make_mapped(fd, out) : make_written(fd, out);
    if (err != 0) {
        mp_file_close(fd);
    } else {
        err = mp_file_rename(run->dir, fresh, run->dir, name);
        if (err == 0)
            note_place(*out, run, lane, number);
        else
            mp_segment_free(*out);
    }
    if (err != 0) {
        mp_file_unlink(run->dir, fresh);
        *out = NULL;
    }
    return err;
}

int mp_spool_segment(mp_spool *spool, mp_lane_id lane, mp_segment **out,
                     char message[MP_MESSAGE]) {
    int err;
    const mp_run *run = mp_spool_run(spool, NULL, &err, message);
    if (err != 0)
        return err;
    uint64_t number = atomic_fetch_add(&spool->numbers, 1) + 1;
    err = make_segment(spool, run, lane, number, out);
    if (err == ENOENT) { /* the directory was removed */
        run = mp_spool_run(spool, run, &err, message);
        if (err != 0)
            return err;
        err = make_segment(spool, run, lane, number, out);
    }
    return err == 0 ? 0
                    : mp_spool_error(message, "cannot make a file in",
                                     spool->path, err);
}

static int write_header(int fd, uint64_t seq) {
    mp_segment_header header;
    fill_header(&header, true);
    header.seq = seq & MP_SEGMENT_SEQ;
    return mp_file_write(fd, &header, sizeof header, 0);
}

int mp_spool_write(const mp_segment *segment, size_t from, size_t to,
                   char message[MP_MESSAGE]) {
    const mp_place *place = &segment->place;
    int err = 0;
    mp_crash_point("track");
    if (from == 0)
        err = write_header(place->fd, segment->entries[0].seq);
    if (err == 0)
        err = mp_file_write(place->fd, segment->data + from, to - from,
                            (int64_t)(MP_SEGMENT_HEADER + from));
    if (err == 0)
        return 0;
    return mp_spool_error(message, "cannot write to", "an open segment", err);
}

/* Brings the name of the file to the disk, and those of the directories. */
static int sync_name(mp_spool *spool, mp_place *place,
                     char message[MP_MESSAGE]) {
    const mp_run *run = mp_spool_find_run(spool, place->dir);
    if (place->named || !run)
        return 0;
    int err = mp_file_sync_dir(place->dir);
    if (err != 0)
        return mp_spool_error(message, "cannot sync", spool->path, err);
    err = mp_spool_anchor(spool, run, message);
    place->named = err == 0;
    return err;
}

int mp_spool_sync(mp_spool *spool, mp_segment *segment,
                  char message[MP_MESSAGE]) {
    mp_place *place = &segment->place;
    int err = 0;
    if (place->header)
        err = mp_file_sync_map((char *)place->header, MP_SEGMENT_FILE);
    else if (place->fd >= 0)
        err = mp_file_sync(place->fd);
    if (err == 0)
        return sync_name(spool, place, message);
    return mp_spool_error(message, "cannot sync", "an open segment", err);
}

bool mp_spool_is_there(const mp_segment *segment) {
    char name[MP_BATCH_FILE_NAME];
    mp_file_info seen;
    const mp_place *place = &segment->place;
    mp_batch_file_open_name(place->lane, place->run, place->number, name);
    return mp_file_look(place->dir, name, &seen) != ENOENT;
}

/* Makes sure that nobody adopts the records of a file that cannot be
 * removed. */
static int empty_file(const mp_place *place) {
    if (place->header) {
        atomic_store(&place->header->used, 0);
        return 0;
    }
    mp_segment_header header;
    fill_header(&header, false);
    return place->fd >= 0 ? mp_file_write(place->fd, &header, sizeof header, 0)
                          : EBADF;
}

/* The segment has no file in an adopted run any more. */
static void leave_run(mp_place *place) {
    if (place->users)
        --*place->users;
    place->users = NULL;
}

/* Removes the file of the open segment, whose records ended or stand in
 * another file. */
static int discard_open(mp_segment *segment, char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    mp_place *place = &segment->place;
    if (!place->open)
        return 0;
    mp_batch_file_open_name(place->lane, place->run, place->number, name);
    int err = mp_file_unlink(place->dir, name);
    place->open = false;
    if (err == 0 || err == ENOENT) {
        leave_run(place);
        return 0;
    }
    empty_file(place);
    place->users = NULL; /* the lock of an adopted run is kept for good */
    return mp_spool_error(message, "cannot remove", name, err);
}

int mp_spool_discard(mp_segment *segment, char message[MP_MESSAGE]) {
    int err = discard_open(segment, message);
    mp_batch_file *files = segment->place.sealed;
    segment->place.sealed = NULL;
    for (const mp_batch_file *file = files; file; file = file->next) {
        char own[MP_MESSAGE];
        int other = mp_spool_remove(file, own);
        if (err == 0 && other != 0)
            memcpy(message, own, MP_MESSAGE);
        err = err != 0 ? err : other;
    }
    mp_batch_file_free_all(&files);
    return err;
}

void mp_spool_forget(mp_segment *segment) {
    segment->place.sealed = NULL;
    segment->place.open = false;
    leave_run(&segment->place);
    mp_segment_free(segment);
}

/* ---- recovery ---- */

/* Adds a line, or counts it. */
static mp_err read_line(mp_segment *segment, const char *line, size_t len,
                        const mp_endpoint *endpoint, mp_lines *lines) {
    mp_record record;
    bool foreign = false;
    if (len > 0 && line[len - 1] == ',')
        len--;
    if (len == 0)
        return MP_OK;
    mp_err err =
        len <= MP_RECORD_MAX && mp_segment_fits(segment, len)
            ? mp_line_read(line, len, endpoint, lines->token, &record, &foreign)
            : MP_INVALID;
    if (foreign) {
        lines->foreign++;
        mp_buf_add(&lines->foreigners, line, len);
        return mp_buf_add(&lines->foreigners, ",\n", 2);
    }
    if (err == MP_OK)
        mp_segment_add(segment, &record, 0);
    else if (err == MP_INVALID)
        lines->others++;
    return err == MP_MEMORY ? err : MP_OK;
}

mp_err mp_spool_read_lines(mp_segment *segment, const char *text, size_t len,
                           const mp_endpoint *endpoint, mp_lines *lines) {
    for (size_t start = 0; start < len;) {
        size_t end = start;
        while (end < len && text[end] != '\n' && text[end] != '\0')
            end++;
        mp_err err =
            read_line(segment, text + start, end - start, endpoint, lines);
        if (err != MP_OK)
            return err;
        start = end + 1;
    }
    return MP_OK;
}

/* What a spare is whose header did not reach the disk before a loss of power:
 * nothing was ever in it. */
static bool is_blank(const mp_buf *content) {
    size_t i = 0;
    while (i < content->len && content->data[i] == '\0')
        i++;
    return i == content->len;
}

bool mp_spool_look_open(mp_batch_file *open, bool *empty) {
    char name[MP_BATCH_FILE_NAME];
    mp_segment_header header;
    mp_batch_file_name(open, name);
    if (mp_file_read_start(open->dir, name, &header, sizeof header) != 0 ||
        memcmp(header.magic, MP_SEGMENT_MAGIC, sizeof header.magic) != 0 ||
        header.version != MP_SEGMENT_VERSION)
        return false;
    open->seq = header.seq;
    *empty = !header.to_end && atomic_load(&header.used) == 0;
    return true;
}

/* Reads the file's header and says where its bytes are. */
static int read_header(const mp_buf *content, mp_batch_file *file, size_t *used,
                       uint32_t *others) {
    mp_segment_header header;
    if (is_blank(content)) {
        *used = 0;
        return 0;
    }
    if (content->len < MP_SEGMENT_HEADER)
        return EBADMSG;
    memcpy(&header, content->data, sizeof header);
    if (memcmp(header.magic, MP_SEGMENT_MAGIC, sizeof header.magic) != 0)
        return EBADMSG;
    if (header.version != MP_SEGMENT_VERSION)
        return ENOTSUP;
    size_t there = content->len - MP_SEGMENT_HEADER;
    uint64_t reply = atomic_load(&header.used);
    *used = header.to_end || reply > there ? there : (size_t)reply;
    *others = !header.to_end && reply > there; /* it was cut short */
    file->seq = header.seq;
    file->in_doubt = header.in_doubt <= MP_IN_DOUBT_NON_IDEMPOTENT
                         ? (mp_in_doubt)header.in_doubt
                         : 0;
    return 0;
}

int mp_spool_read_open(mp_batch_file *file, const mp_buf *content,
                       mp_segment *segment, mp_lines *lines) {
    size_t used = 0;
    int err = read_header(content, file, &used, &lines->others);
    if (err == 0 &&
        mp_spool_read_lines(segment, content->data + MP_SEGMENT_HEADER, used,
                            &mp_endpoints[file->lane], lines) != MP_OK)
        err = ENOMEM;
    file->count = segment->count;
    return err;
}

int mp_spool_recover(mp_batch_file *file, mp_segment **out, mp_lines *lines,
                     char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    mp_buf content = {0};
    *out = NULL;
    mp_batch_file_name(file, name);
    int err = mp_file_read(file->dir, name, MP_SPOOL_FILE, &content);
    if (err == 0 && !(*out = mp_segment_new()))
        err = ENOMEM;
    if (err == 0)
        err = mp_spool_read_open(file, &content, *out, lines);
    mp_buf_free(&content);
    if (err == 0)
        return 0;
    mp_segment_free(*out);
    *out = NULL;
    mp_spool_error(message, "cannot read", name, err);
    return err == EFBIG ? EBADMSG : err; /* none of ours is so long */
}
