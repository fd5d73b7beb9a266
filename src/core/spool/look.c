#include "core/spool/look.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/base/text.h"
#include "core/os/file.h"
#include "core/os/syserr.h"
#include "core/spool/spool_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REJECTED_MOST = 16 * 1024 * 1024 /* bytes of a file that are counted */
};

/* ---- what a file is ---- */

typedef enum kind {
    BATCH,      /* sealed */
    OPEN,       /* an open segment */
    DAMAGED,    /* one of these that was set aside */
    REJECTED,   /* what Mixpanel refused */
    UNFINISHED, /* being made, or its process died */
    NEWER,      /* of a version that this one does not know */
    OTHER
} kind;

static const char *const kind_names[] = {
    [BATCH] = "batch",           [OPEN] = "open",
    [DAMAGED] = "damaged",       [REJECTED] = "rejected",
    [UNFINISHED] = "unfinished", [NEWER] = "newer",
    [OTHER] = "other",
};

static bool parse(const char *name, mp_batch_file *out) {
    return mp_batch_file_parse(name, out) ||
           mp_batch_file_parse_open(name, out);
}

/* The same for the name of a file that was set aside. */
static bool parse_damaged(const char *name, mp_batch_file *out) {
    static const char suffix[] = ".bad";
    char kept[MP_BATCH_FILE_NAME];
    if (!mp_text_ends(name, suffix))
        return false;
    int n = snprintf(kept, sizeof kept, "%.*s",
                     (int)(strlen(name) - strlen(suffix)), name);
    return n < (int)sizeof kept && parse(kept, out);
}

static kind classify(const char *name, mp_batch_file *file) {
    if (parse(name, file))
        return file->number > 0 ? OPEN : BATCH;
    if (parse_damaged(name, file))
        return DAMAGED;
    if (strcmp(name, "rejected.jsonl") == 0 ||
        strcmp(name, "rejected.old.jsonl") == 0)
        return REJECTED;
    if (mp_batch_file_is_newer(name))
        return NEWER;
    return mp_text_ends(name, ".new") ? UNFINISHED : OTHER;
}

/* ---- records ---- */

/* What is wrong with a file that was read. */
static void judge(const mp_batch_file *file, int err, uint32_t count,
                  uint32_t others, char problem[MP_MESSAGE]) {
    *problem = '\0';
    if (err == EBADMSG)
        snprintf(problem, MP_MESSAGE, "%s",
                 file->number > 0
                     ? "it does not begin as an open segment does"
                     : "it is no gzip of a list of records, or was cut or "
                       "changed");
    else if (err == ENOTSUP)
        snprintf(problem, MP_MESSAGE, "a newer version wrote it");
    else if (others > 0)
        snprintf(problem, MP_MESSAGE, "%" PRIu32 " piece%s of it %s no record",
                 others, others == 1 ? "" : "s", others == 1 ? "is" : "are");
    else if (file->number == 0 && count != file->count)
        snprintf(problem, MP_MESSAGE,
                 "its name says %" PRIu32 " records, and it has %" PRIu32,
                 file->count, count);
}

/* Reads a file of a known name. Returns an errno value where there is nothing
 * to judge. */
static int read_file(int dir, const char *path, mp_batch_file *file,
                     mp_segment **out, char problem[MP_MESSAGE]) {
    mp_buf content = {0};
    mp_lines lines = {0};
    *out = NULL;
    *problem = '\0';
    int err = mp_file_read(dir, path, MP_SPOOL_FILE, &content);
    if (err == 0 && !(*out = mp_segment_new()))
        err = ENOMEM;
    if (err == 0) {
        mp_batch_file seen = *file;
        err = file->number > 0
                  ? mp_spool_read_open(&seen, &content, *out, &lines)
                  : mp_spool_read_sealed(file, &content, *out, &lines);
        judge(file, err, (*out)->count, lines.others, problem);
    }
    mp_buf_free(&content);
    if (err == 0 || *problem)
        return 0;
    mp_segment_free(*out);
    *out = NULL;
    return err;
}

static void add_lines(mp_buf *lines, const mp_segment *segment) {
    for (uint32_t i = 0; i < segment->count; i++) {
        const mp_entry *entry = &segment->entries[i];
        mp_buf_add(lines, segment->data + entry->offset, entry->length);
        mp_buf_add(lines, "\n", 1);
    }
}

int mp_look_records(const char *path, mp_buf *lines, mp_look *out,
                    char message[MP_MESSAGE]) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    mp_batch_file file;
    mp_segment *segment;
    *out = (mp_look){0};
    if (!parse(name, &file) && !parse_damaged(name, &file)) {
        snprintf(message, MP_MESSAGE,
                 "%.130s is not named like a file of a spool", name);
        return EINVAL;
    }
    out->lane = file.lane;
    int err = read_file(MP_FILE_HERE, path, &file, &segment, out->problem);
    if (err != 0)
        return mp_spool_error(message, "cannot read", path, err);
    out->records = segment->count;
    add_lines(lines, segment);
    mp_segment_free(segment);
    return lines->err == MP_OK
               ? 0
               : mp_spool_error(message, "cannot read", path, ENOMEM);
}

/* ---- JSON ---- */

static void add_name(mp_buf *out, const char *name) {
    if (out->len > 0 && !strchr("[{", out->data[out->len - 1]))
        mp_buf_add(out, ",", 1);
    mp_buf_add(out, "\"", 1);
    mp_buf_puts(out, name);
    mp_buf_add(out, "\":", 2);
}

static void add_text(mp_buf *out, const char *name, const char *text) {
    bool repaired;
    add_name(out, name);
    mp_json_string(out, text, strlen(text), &repaired);
}

static void add_number(mp_buf *out, const char *name, double number) {
    char digits[MP_NUM_MAX];
    add_name(out, name);
    mp_buf_add(out, digits, (size_t)(mp_num_double(digits, number) - digits));
}

static void add_boolean(mp_buf *out, const char *name, bool value) {
    add_name(out, name);
    mp_buf_puts(out, value ? "true" : "false");
}

static void begin_object(mp_buf *out) {
    if (out->len > 0 && out->data[out->len - 1] == '}')
        mp_buf_add(out, ",", 1);
    mp_buf_add(out, "{", 1);
}

/* ---- the list ---- */

typedef struct listing {
    const mp_spool *spool;
    mp_buf *out;
    mp_buf runs;
    const mp_run_seen *run; /* at hand */
} listing;

static void add_error(mp_buf *out, int err) {
    char text[MP_SYSERR];
    add_text(out, "problem", mp_syserr_text(err, text));
}

/* What only the contents of a file say. */
static void add_contents(listing *l, const char *name, kind k,
                         mp_batch_file *file) {
    char problem[MP_MESSAGE];
    mp_segment *segment;
    int err = read_file(l->run->dir, name, file, &segment, problem);
    if (err != 0) {
        add_error(&l->runs, err);
        return;
    }
    add_number(&l->runs, "records", segment->count);
    /* A living process may be in the midst of a record. */
    if (*problem && !(l->run->alive && k == OPEN))
        add_text(&l->runs, "problem", problem);
    mp_segment_free(segment);
}

static void add_rejected(listing *l, const char *name) {
    mp_buf content = {0};
    double lines = 0;
    int err = mp_file_read(l->run->dir, name, REJECTED_MOST, &content);
    for (size_t i = 0; i < content.len; i++)
        lines += content.data[i] == '\n';
    mp_buf_free(&content);
    if (err == 0)
        add_number(&l->runs, "records", lines);
    else
        add_error(&l->runs, err);
}

static void add_batch(mp_buf *out, const mp_batch_file *file) {
    add_number(out, "records", file->count);
    add_number(out, "attempts", file->attempt);
    add_boolean(out, "in_doubt", file->in_doubt != MP_IN_DOUBT_NONE);
}

static bool list_file(const char *name, void *user) {
    listing *l = user;
    mp_buf *out = &l->runs;
    mp_batch_file file;
    mp_file_info seen;
    int64_t wall_ms;
    if (mp_run_is_mark(name))
        return true;
    if (mp_file_look(l->run->dir, name, &seen) != 0)
        return true; /* it was delivered, or adopted */
    kind k = classify(name, &file);
    begin_object(out);
    add_text(out, "name", name);
    add_text(out, "kind", kind_names[k]);
    add_number(out, "bytes", (double)seen.bytes);
    wall_ms = k == BATCH ? file.wall_ms : seen.modified_ms;
    add_number(out, "time", (double)wall_ms / 1000);
    if (k == BATCH || k == OPEN || k == DAMAGED)
        add_text(out, "endpoint", mp_endpoints[file.lane].name);
    if (k == BATCH)
        add_batch(out, &file);
    else if (k == OPEN || k == DAMAGED)
        add_contents(l, name, k, &file);
    else if (k == REJECTED)
        add_rejected(l, name);
    mp_buf_add(out, "}", 1);
    return out->err == MP_OK;
}

static void list_run(const mp_run_seen *run, void *user) {
    listing *l = user;
    mp_buf *out = &l->runs;
    char name[MP_BATCH_FILE_NAME];
    l->run = run;
    mp_batch_file_run_name(run->id, name);
    begin_object(out);
    add_text(out, "name", name);
    add_number(out, "started", (double)mp_batch_file_run_ms(run->id) / 1000);
    add_boolean(out, "alive", run->alive);
    add_boolean(out, "own",
                mp_spool_is_own(l->spool, run->id) ||
                    mp_held_has(&l->spool->held, run->id));
    if (run->pid > 0)
        add_number(out, "pid", (double)run->pid);
    add_name(out, "files");
    mp_buf_add(out, "[", 1);
    int err = run->err;
    if (err == 0)
        err = mp_file_list(run->dir, list_file, l);
    mp_buf_add(out, "]", 1);
    if (err != 0)
        add_error(out, err);
    mp_buf_add(out, "}", 1);
}

int mp_look_list(const mp_spool *spool, mp_buf *out, char message[MP_MESSAGE]) {
    listing l = {.spool = spool, .out = out};
    uint64_t foreign = 0;
    mp_run_place place = mp_spool_place(spool);
    place.trust = MP_TRUST_ANY; /* nothing of it is sent */
    char *directory = mp_spool_directory(spool);
    int err = directory
                  ? mp_run_visit_all(&place, list_run, &l, &foreign, message)
                  : ENOMEM;
    begin_object(out);
    add_text(out, "directory", directory ? directory : "");
    add_number(out, "foreign", (double)foreign);
    add_name(out, "runs");
    mp_buf_add(out, "[", 1);
    mp_buf_add(out, l.runs.data, l.runs.len);
    mp_buf_add(out, "]}", 2);
    bool full = l.runs.err != MP_OK || out->err != MP_OK || !directory;
    mp_buf_free(&l.runs);
    free(directory);
    if (full)
        err = mp_spool_error(message, "cannot list", spool->path, ENOMEM);
    return err;
}
