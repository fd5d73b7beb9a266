#include "core/base/gzip.h"

#include <libdeflate.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mp_gzip {
    struct libdeflate_compressor *compressor;
    int level;
    mp_buf in, out; /* cleared before each use */
};

/* A fork leaves the child what nobody was using. */
static _Atomic(mp_gzip *) kept[MP_GZIP_MAX + 1];

static mp_gzip *make(int level) {
    mp_gzip *gzip = malloc(sizeof *gzip);
    if (!gzip)
        return NULL;
    *gzip = (mp_gzip){.level = level};
    gzip->compressor = libdeflate_alloc_compressor(level);
    if (!gzip->compressor) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

mp_gzip *mp_gzip_borrow(int level) {
    mp_gzip *gzip = atomic_exchange(&kept[level], NULL);
    return gzip ? gzip : make(level);
}

void mp_gzip_give_back(mp_gzip *gzip) {
    if (!gzip)
        return;
    mp_gzip *other = atomic_exchange(&kept[gzip->level], gzip);
    if (!other)
        return;
    libdeflate_free_compressor(other->compressor);
    mp_buf_free(&other->in);
    mp_buf_free(&other->out);
    free(other);
}

mp_buf *mp_gzip_input(mp_gzip *gzip) {
    mp_buf_clear(&gzip->in);
    return &gzip->in;
}

mp_err mp_gzip_add(mp_gzip *gzip, mp_buf *out, const char *in, size_t len) {
    mp_buf *made = &gzip->out;
    mp_buf_clear(made);
    size_t room = libdeflate_gzip_compress_bound(gzip->compressor, len);
    if (!mp_buf_reserve(made, room))
        return mp_buf_fail(out, made->err);
    /* Cannot fail with so much room. */
    made->len =
        libdeflate_gzip_compress(gzip->compressor, in, len, made->data, room);
    return mp_buf_add(out, made->data, made->len);
}

/* How long the contents are by the last four bytes (RFC 1952), which are not
 * to be trusted. */
static size_t said_size(const char *in, size_t len) {
    size_t size = 0;
    for (size_t i = 0; i < 4; i++)
        size |= (size_t)(unsigned char)in[len - 4 + i] << (8 * i);
    return size;
}

/* Appends at most `room` bytes. MP_TOO_LARGE: there are more. What follows the
 * end of the file is damage, be it another file: nothing of it would be read.
 */
static mp_err inflate(struct libdeflate_decompressor *gunzip, mp_buf *out,
                      const char *in, size_t len, size_t room) {
    size_t n, used;
    if (!mp_buf_reserve(out, room + 1)) /* so that it has data */
        return MP_MEMORY;
    enum libdeflate_result result = libdeflate_gzip_decompress_ex(
        gunzip, in, len, out->data + out->len, room, &used, &n);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return MP_TOO_LARGE;
    if (result != LIBDEFLATE_SUCCESS || used != len)
        return MP_INVALID;
    out->len += n;
    return MP_OK;
}

mp_err mp_gunzip_add(mp_buf *out, const char *in, size_t len, size_t most) {
    enum {
        SMALLEST = 18
    };
    if (len < SMALLEST)
        return mp_buf_fail(out, MP_INVALID);
    struct libdeflate_decompressor *gunzip = libdeflate_alloc_decompressor();
    if (!gunzip)
        return mp_buf_fail(out, MP_MEMORY);
    size_t size = said_size(in, len), room = size < most ? size : most;
    mp_err err = inflate(gunzip, out, in, len, room);
    if (err == MP_TOO_LARGE && room < most) /* than it says: is it damaged? */
        err = inflate(gunzip, out, in, len, most);
    libdeflate_free_decompressor(gunzip);
    return err == MP_OK ? MP_OK : mp_buf_fail(out, err);
}
