/* Definitions that are kept: in a file, and in memory while threads look. */
#include "core/flags/flag_keep.h"
#include "core/flags/flag_store.h"
#include "core/os/file.h"

#include "core/record/parse.h"
#include "unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMPTY "{\"flags\":[]}"

static void keep(mp_flag_kept *kept, const char *etag, const char *text) {
    kept->time_ms = 1795460000123;
    CHECK(mp_buf_puts(&kept->etag, etag) == MP_OK);
    CHECK(mp_buf_puts(&kept->text, text) == MP_OK);
}

/* ---- the file ---- */

static void check_same(const mp_flag_kept *a, const mp_flag_kept *b) {
    CHECK(a->time_ms == b->time_ms);
    CHECK(a->etag.len == b->etag.len && a->text.len == b->text.len);
    CHECK(memcmp(a->etag.data, b->etag.data, a->etag.len) == 0);
    CHECK(memcmp(a->text.data, b->text.data, a->text.len) == 0);
}

CASE(what_is_saved_is_loaded) {
    char dir[] = "/tmp/mixpanel-flags-XXXXXX", path[64], message[MP_MESSAGE];
    mp_flag_kept kept = {0}, loaded = {0};
    struct stat found;
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/flags", dir);
    CHECK(mp_flag_file_load(MP_FILE_HERE, path, "token", &loaded, message) ==
              MP_OK &&
          loaded.text.len == 0);
    keep(&kept, "W/\"a\x01\n\"", EMPTY "\n\n");
    CHECK(mp_flag_file_save(MP_FILE_HERE, path, &kept, "token", message) ==
          MP_OK);
    CHECK(stat(path, &found) == 0 && (found.st_mode & 0777) == 0600);
    CHECK(mp_flag_file_load(MP_FILE_HERE, path, "token", &loaded, message) ==
          MP_OK);
    check_same(&kept, &loaded);
    mp_flag_kept_free(&loaded);
    CHECK(mp_flag_file_load(MP_FILE_HERE, dir, "token", &loaded, message) ==
          MP_STATE);
    CHECK(message[0] != '\0');
    CHECK(unlink(path) == 0 && rmdir(dir) == 0);
    mp_flag_kept_free(&kept);
    mp_flag_kept_free(&loaded);
}

static void leave_behind(const char *dir, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fclose(file);
}

CASE(what_the_dead_did_not_finish_is_swept_by_who_leads) {
    char dir[] = "/tmp/mixpanel-flags-XXXXXX", path[128], message[MP_MESSAGE];
    static const char *const others[] = {"definitions.1.new", "definitions",
                                         "definitions.0123456789abcdef.newer"};
    mp_flag_keep leader, other;
    CHECK(mkdtemp(dir) != NULL);
    mp_flag_keep_init(&leader);
    mp_flag_keep_init(&other);
    leader.shared = other.shared = true;
    leader.path = strdup(dir);
    other.path = strdup(dir);
    leave_behind(dir, "definitions.0123456789abcdef.new");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        leave_behind(dir, others[i]);
    snprintf(path, sizeof path, "%s/definitions.0123456789abcdef.new", dir);
    CHECK(mp_flag_keep_leads(&leader, message));
    CHECK(access(path, F_OK) != 0);
    leave_behind(dir, "definitions.0123456789abcdef.new"); /* the leader's */
    CHECK(!mp_flag_keep_leads(&other, message));
    CHECK(unlink(path) == 0);
    mp_flag_keep_free(&other);
    mp_flag_keep_free(&leader);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, others[i]);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir(dir) == 0);
}

static mp_err read_text(const mp_buf *text, const char *token,
                        char message[MP_MESSAGE]) {
    mp_flag_kept loaded = {0};
    mp_err err =
        mp_flag_file_read(text->data, text->len, token, &loaded, message);
    mp_flag_kept_free(&loaded);
    return err;
}

CASE(a_damaged_file_is_refused) {
    char message[MP_MESSAGE];
    mp_flag_kept kept = {0};
    mp_buf text = {0};
    keep(&kept, "\"abc\"", EMPTY);
    CHECK(mp_flag_file_write(&kept, "token", &text) == MP_OK);
    CHECK(read_text(&text, "token", message) == MP_OK);
    CHECK(read_text(&text, "other", message) == MP_INVALID);
    CHECK(strcmp(message, "it belongs to another project") == 0);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        message[0] = '\0';
        mp_err err = read_text(&text, "token", message);
        CHECK(err == MP_INVALID && message[0] != '\0');
        text.data[i] ^= 1;
    }
    for (size_t n = text.len; n-- > 0;) {
        mp_buf part = {.data = text.data, .len = n};
        CHECK(read_text(&part, "token", message) == MP_INVALID);
    }
    mp_buf_free(&text);
    mp_flag_kept_free(&kept);
}

/* ---- the store ---- */

static mp_flag_set *compile(void) {
    static const char text[] =
        "{\"flags\":[{\"key\":\"f\",\"context\":\"distinct_id\",\"ruleset\":"
        "{\"variants\":[{\"key\":\"v\",\"value\":true,\"split\":1}],"
        "\"rollout\":[{\"rollout_percentage\":1}]}}]}";
    char message[MP_MESSAGE];
    mp_flag_set *set = NULL;
    CHECK(mp_flag_set_compile(text, sizeof text - 1, &set, message) == MP_OK);
    return set;
}

typedef struct look {
    mp_flag_store *store;
    atomic_bool end;
    atomic_ulong found, lost;
} look;

static void *look_up(void *user) {
    look *l = user;
    CHECK(mp_flag_store_wait(l->store, INT64_MAX / 2000));
    while (!l->end) {
        mp_flag_set *set = mp_flag_store_get(l->store);
        const mp_flag *flag = mp_flag_set_find(set, "f", 1);
        if (flag && flag->variants[0].value.boolean)
            l->found++;
        else
            l->lost++;
        mp_flag_set_drop(set);
    }
    return NULL;
}

CASE(sets_are_replaced_while_threads_look) {
    mp_flag_store store;
    pthread_t threads[2];
    CHECK(mp_flag_store_init(&store) == MP_OK);
    CHECK(mp_flag_store_get(&store) == NULL);
    CHECK(!mp_flag_store_wait(&store, 0));
    look l = {.store = &store};
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, look_up, &l) == 0);
    for (int i = 0; i < 2000 || l.found == 0; i++)
        mp_flag_store_put(&store, compile());
    l.end = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(l.found > 0 && l.lost == 0);
    mp_flag_store_destroy(&store);
}

/* A child goes on with the set of its parent, whoever held it there. */
CASE(a_child_keeps_the_set) {
    mp_flag_store store;
    int status = -1;
    CHECK(mp_flag_store_init(&store) == MP_OK);
    mp_flag_store_put(&store, compile());
    mp_flag_store_before_fork(&store);
    pid_t child = fork();
    if (child == 0) {
        mp_flag_store_after_fork_child(&store);
        mp_flag_set *inherited = mp_flag_store_get(&store);
        mp_flag_store_put(&store, compile());
        mp_flag_set_drop(inherited);
        bool there = mp_flag_set_find(inherited, "f", 1) != NULL;
        mp_flag_set *own = mp_flag_store_get(&store);
        there = there && own != inherited && mp_flag_set_find(own, "f", 1);
        mp_flag_set_drop(own);
        _exit(there ? 0 : 1);
    }
    mp_flag_store_in_parent(&store);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    mp_flag_store_destroy(&store);
}

int main(void) {
    mp_parse_set_up(1);
    RUN(what_is_saved_is_loaded);
    RUN(what_the_dead_did_not_finish_is_swept_by_who_leads);
    RUN(a_damaged_file_is_refused);
    RUN(sets_are_replaced_while_threads_look);
    RUN(a_child_keeps_the_set);
    return unit_result();
}
