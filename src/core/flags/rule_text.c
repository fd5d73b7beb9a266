#include "core/flags/rule_text.h"

#include "core/base/text.h"
#include "core/flags/coerce.h"
#include "core/flags/utf8.h"

#include <math.h>
#include <string.h>

/* ---- in ---- */

enum {
    SMALL = 1 << 16 /* bytes of the one times bytes of the other */
};

/* For each byte of `part`, how many that end there are the same as those it
 * begins with, itself excepted: Knuth, Morris and Pratt's table. */
static void fill_borders(const char *part, uint32_t len, uint32_t *borders) {
    borders[0] = 0;
    for (uint32_t i = 1, same = 0; i < len; i++) {
        while (same > 0 && part[i] != part[same])
            same = borders[same - 1];
        same += part[i] == part[same];
        borders[i] = same;
    }
}

/* In time that grows with the bytes of both, whatever they are. False: no room
 * for the table. */
static bool find_long(rule_run *run, const mp_value *whole,
                      const mp_value *part, bool *found) {
    uint32_t *borders = mp_arena_array(run->arena, part->len, sizeof *borders);
    if (!borders)
        return rule_no_room(run);
    fill_borders(part->as.text, part->len, borders);
    uint32_t same = 0;
    for (uint32_t i = 0; i < whole->len && same < part->len; i++) {
        char c = whole->as.text[i];
        while (same > 0 && c != part->as.text[same])
            same = borders[same - 1];
        same += c == part->as.text[same];
    }
    *found = same == part->len;
    mp_arena_trim(run->arena, (const char *)borders);
    return true;
}

static bool find_text(rule_run *run, const mp_value *whole,
                      const mp_value *part, bool *found) {
    *found = part->len == 0;
    if (part->len == 0 || part->len > whole->len)
        return true;
    if (part->len > SMALL / whole->len)
        return find_long(run, whole, part, found);
    *found = mp_text_find(whole->as.text, whole->len, part->as.text, part->len);
    return true;
}

/* Whether the second operand, a text or an array, has the first in it. */
bool rule_in(rule_run *run, const mp_value *data, rule_args args,
             mp_value *out) {
    (void)data;
    mp_value part = rule_arg(args, 0), whole = rule_arg(args, 1), text;
    bool found = false;
    if (whole.kind == MP_VALUE_TEXT && whole.len > 0) {
        if (!mp_coerce_text(&part, run->arena, &text))
            return rule_no_room(run);
        if (!find_text(run, &whole, &text, &found))
            return false;
    } else if (whole.kind == MP_VALUE_ARRAY) {
        for (uint32_t i = 0; i < whole.len && !found; i++)
            found = mp_coerce_same(&part, &whole.as.items[i]);
    }
    *out = mp_value_boolean(found);
    return true;
}

bool rule_cat(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out) {
    (void)data;
    return mp_coerce_join(args.values, args.count, "", run->arena, out) ||
           rule_no_room(run);
}

/* ---- substr ---- */

/* The integer that JavaScript makes of a number, where one is needed. */
static double to_integer(double number) {
    return isnan(number) ? 0 : trunc(number);
}

/* Cuts units `from` to `to` - 1 out of a text. */
static bool slice(rule_run *run, const mp_value *text, double from, double to,
                  mp_value *out) {
    *out = mp_value_text("", 0);
    if (!(from < to))
        return true;
    size_t room = 3 * (size_t)text->len; /* halves of pairs take three bytes */
    char *cut = mp_arena_take(run->arena, room + 1);
    if (!cut)
        return rule_no_room(run);
    char *end =
        mp_utf8_slice(text->as.text, text->len, (size_t)from, (size_t)to, cut);
    *end = '\0';
    mp_arena_trim(run->arena, end + 1);
    *out = mp_value_text(cut, (size_t)(end - cut));
    return true;
}

/* How many units are wanted behind `from`. Below 0, it is what the end loses,
 * as PHP has it; json-logic-js adds that to a number, which makes a text, and
 * so 0, of all but numbers. */
static bool count_of(rule_run *run, const mp_value *length, double behind,
                     double *count) {
    double number;
    *count = INFINITY;
    if (length->kind == MP_VALUE_UNDEFINED)
        return true;
    if (!mp_coerce_number(length, run->arena, &number))
        return rule_no_room(run);
    *count = to_integer(number);
    if (number < 0)
        *count =
            length->kind == MP_VALUE_NUMBER ? to_integer(behind + number) : 0;
    return true;
}

bool rule_substr(rule_run *run, const mp_value *data, rule_args args,
                 mp_value *out) {
    (void)data;
    mp_value source = rule_arg(args, 0), start = rule_arg(args, 1),
             length = rule_arg(args, 2);
    mp_value text;
    double from, count;
    if (!mp_coerce_text(&source, run->arena, &text) ||
        !mp_coerce_number(&start, run->arena, &from))
        return rule_no_room(run);
    double units = (double)mp_utf8_units(text.as.text, text.len);
    from = to_integer(from);
    from = from < 0 ? fmax(units + from, 0) : fmin(from, units);
    if (!count_of(run, &length, units - from, &count))
        return false;
    return slice(run, &text, from, fmin(from + count, units), out);
}

/* ---- arrays ---- */

bool rule_merge(rule_run *run, const mp_value *data, rule_args args,
                mp_value *out) {
    (void)data;
    size_t count = 0;
    for (size_t i = 0; i < args.count; i++)
        count += args.values[i].kind == MP_VALUE_ARRAY ? args.values[i].len : 1;
    mp_value *items = mp_arena_array(run->arena, count, sizeof *items), *at;
    if (!items || count > UINT32_MAX)
        return rule_no_room(run);
    at = items;
    for (size_t i = 0; i < args.count; i++) {
        const mp_value *value = &args.values[i];
        if (value->kind != MP_VALUE_ARRAY) {
            *at++ = *value;
        } else if (value->len > 0) {
            memcpy(at, value->as.items, value->len * sizeof *at);
            at += value->len;
        }
    }
    *out = (mp_value){
        .kind = MP_VALUE_ARRAY, .len = (uint32_t)count, .as.items = items};
    return true;
}
