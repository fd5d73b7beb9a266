#include "core/record/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DESIGN
 *
 * jansson 2.14 overlooks an allocation that fails while it collects the bytes
 * of a text or number (its issue 362): it loses them, and then writes past
 * the end of a copy or aborts the process. So whoever parses holds a reserve.
 * When an allocation fails, its bytes come from there, and the text ends with
 * the piece that jansson has in hand, for it an error like any other. */

enum {
    /* Bytes that a piece of text, 1 KiB, can ask for in small allocations:
     * some 120 for each byte that opens an array. */
    SMALL = 256 * 1024,
    ALIGNMENT = 16
};

typedef struct parsing {
    const char *text;
    size_t len, at;
    char *reserve;
    size_t size, used; /* of the reserve */
} parsing;

/* glibc allocates thread-local storage of the dynamic kind when a thread first
 * uses it. musl has it ready from the start, and refuses to load a module with
 * the static kind. */
#ifdef __GLIBC__
#define THREAD_LOCAL __attribute__((tls_model("initial-exec"))) _Thread_local
#else
#define THREAD_LOCAL _Thread_local
#endif

/* What this thread parses; NULL: nothing. */
static THREAD_LOCAL parsing *current;

static void *allocate(size_t n) {
    void *bytes = malloc(n);
    parsing *p = current;
    if (bytes || !p || n > p->size - p->used)
        return bytes;
    bytes = p->reserve + p->used;
    n = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    p->used += n < p->size - p->used ? n : p->size - p->used;
    return bytes;
}

static void release(void *bytes) {
    const parsing *p = current;
    uintptr_t at = (uintptr_t)bytes;
    if (p && at >= (uintptr_t)p->reserve &&
        at < (uintptr_t)p->reserve + p->size)
        return;
    free(bytes);
}

void mp_parse_set_up(uint64_t seed) {
    json_malloc_t given_malloc;
    json_free_t given_free;
    /* Left alone, jansson draws the seed when it is first used: from a file
     * that a chroot may lack, and a fork at that moment would leave the child
     * waiting for the thread that draws it. */
    json_object_seed(seed ? (size_t)seed : 1);
    /* A host that has an allocator of its own for jansson keeps it. */
    json_get_alloc_funcs(&given_malloc, &given_free);
    if (given_malloc == malloc && given_free == free)
        json_set_alloc_funcs(allocate, release);
}

/* Gives jansson the next piece; the end when memory ran out. */
static size_t feed(void *to, size_t room, void *user) {
    parsing *p = user;
    size_t n = p->len - p->at;
    if (p->used > 0)
        return 0;
    if (n > room)
        n = room;
    memcpy(to, p->text + p->at, n);
    p->at += n;
    return n;
}

static void set_out_of_memory(json_error_t *why) {
    memset(why, 0, sizeof *why);
    snprintf(why->text, sizeof why->text, "out of memory");
    why->text[sizeof why->text - 1] = (char)json_error_out_of_memory;
}

json_t *mp_parse(const char *text, size_t len, size_t flags,
                 json_error_t *why) {
    /* The longest text is saved, grows by doubling and is copied. */
    parsing p = {.text = text, .len = len, .size = 4 * len + SMALL};
    json_t *root = NULL;
    p.reserve = malloc(p.size);
    if (p.reserve) {
        current = &p;
        root = json_load_callback(feed, &p, flags, why);
        if (p.used > 0) {
            json_decref(root);
            root = NULL;
        }
        current = NULL;
    }
    if (why && (!p.reserve || p.used > 0))
        set_out_of_memory(why);
    free(p.reserve);
    return root;
}

/* Makes another byte of each zero byte in JSON. */
static void replace_zeros(char *json, size_t len) {
    static const char zero[] = "\\u0000";
    for (size_t i = 0; i < len; i += json[i] == '\\' ? 2 : 1)
        if (len - i >= sizeof zero - 1 &&
            memcmp(json + i, zero, sizeof zero - 1) == 0)
            json[i + sizeof zero - 2] = '1';
}

json_t *mp_parse_any_key(const char *text, size_t len, size_t flags,
                         json_error_t *why) {
    json_t *root = mp_parse(text, len, flags | JSON_ALLOW_NUL, why);
    if (root || json_error_code(why) != json_error_null_byte_in_key)
        return root;
    char *copy = malloc(len);
    if (!copy) {
        set_out_of_memory(why);
        return NULL;
    }
    memcpy(copy, text, len);
    replace_zeros(copy, len);
    root = mp_parse(copy, len, flags | JSON_ALLOW_NUL, why);
    free(copy);
    return root;
}

mp_err mp_parse_failure(const json_error_t *why) {
    return json_error_code(why) == json_error_out_of_memory ? MP_MEMORY
                                                            : MP_INVALID;
}
