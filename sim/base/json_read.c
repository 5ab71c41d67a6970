#include "base/json_read.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { DEPTH_MAX = 64, NUMBER_MAX = 64 };

struct reader {
    const char *start, *at, *end;
    struct nf_arena *arena;
    char *why;
    size_t cap;
    int depth;
};

static bool fail(struct reader *r, const char *format, ...) NF_PRINTF(2, 3);
static bool fail(struct reader *r, const char *format, ...)
{
    char what[120];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(r->why, r->cap, "byte %zu: %s", (size_t)(r->at - r->start) + 1, what);
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) {
        r->at++;
    }
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->at < r->end && *r->at == c) {
        r->at++;
        return true;
    }
    return false;
}

/* ---- strings ---- */

static bool hex4(struct reader *r, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = r->at < r->end ? *r->at++ : '\0';
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            digit = (uint32_t)((c | 32) - 'a') + 10;
        } else {
            return fail(r, "expected four hexadecimal digits");
        }
        *out = *out << 4 | digit;
    }
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

static bool unicode(struct reader *r, char **to)
{
    uint32_t c, low;
    if (!hex4(r, &c)) {
        return false;
    }
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u') {
            return fail(r, "half of a surrogate pair");
        }
        r->at += 2;
        if (!hex4(r, &low)) {
            return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return fail(r, "half of a surrogate pair");
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c < 0xe000) {
        return fail(r, "half of a surrogate pair");
    }
    if (c == 0) {
        return fail(r, "a zero character");
    }
    *to = put_utf8(*to, c);
    return true;
}

static bool escape(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->end ? *r->at++ : '\0';
    if (c == 'u') {
        return unicode(r, to);
    }
    const char *p = c ? strchr(from, c) : NULL;
    if (!p) {
        return fail(r, "an unknown escape");
    }
    *(*to)++ = plain[p - from];
    return true;
}

static bool string(struct reader *r, const char **out)
{
    const char *close = r->at;
    while (close < r->end && *close != '"') {
        close += *close == '\\' && close + 1 < r->end ? 2 : 1;
    }
    if (close >= r->end) {
        return fail(r, "this text is never closed");
    }
    char *to = nf_arena_alloc(r->arena, (size_t)(close - r->at) + 1);
    *out = to;
    while (r->at < close) {
        if ((unsigned char)*r->at < 0x20) {
            return fail(r, "a control character inside a text");
        }
        if (*r->at != '\\') {
            *to++ = *r->at++;
            continue;
        }
        r->at++;
        if (!escape(r, &to)) {
            return false;
        }
    }
    r->at = close + 1;
    *to = '\0';
    return true;
}

/* ---- values ---- */

static bool value(struct reader *r, struct nf_json_value *v);

static bool number(struct reader *r, struct nf_json_value *v)
{
    char copy[NUMBER_MAX];
    size_t n = 0;
    while (r->at + n < r->end && n + 1 < sizeof copy &&
           strchr("+-.0123456789eE", r->at[n])) {
        copy[n] = r->at[n];
        n++;
    }
    copy[n] = '\0';
    if (n == 0 || copy[0] == '+' || !nf_text_double(copy, &v->number)) {
        return fail(r, "expected a value");
    }
    v->kind = NF_JSON_NUMBER;
    r->at += n;
    return true;
}

static bool word(struct reader *r, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(r->end - r->at) >= n && memcmp(r->at, w, n) == 0) {
        r->at += n;
        return true;
    }
    return false;
}

static bool member(struct reader *r, struct nf_json_value *parent,
                   struct nf_json_value *m)
{
    if (parent->kind == NF_JSON_OBJECT) {
        if (!take(r, '"')) {
            return fail(r, "expected a key in quotes");
        }
        if (!string(r, &m->key)) {
            return false;
        }
        if (nf_json_get(parent, m->key)) {
            return fail(r, "the key \"%.60s\" stands twice", m->key);
        }
        if (!take(r, ':')) {
            return fail(r, "expected a colon");
        }
    }
    return value(r, m);
}

static bool members(struct reader *r, struct nf_json_value *v, char close)
{
    const struct nf_json_value **link = &v->first;
    if (take(r, close)) {
        return true;
    }
    if (++r->depth > DEPTH_MAX) {
        return fail(r, "deeper than %d levels", DEPTH_MAX);
    }
    do {
        struct nf_json_value *m = NF_NEW(r->arena, struct nf_json_value);
        if (!member(r, v, m)) {
            return false;
        }
        *link = m;
        link = &m->next;
    } while (take(r, ','));
    r->depth--;
    return take(r, close) || fail(r, "expected a comma or %c", close);
}

static bool value(struct reader *r, struct nf_json_value *v)
{
    skip_blanks(r);
    if (take(r, '{')) {
        v->kind = NF_JSON_OBJECT;
        return members(r, v, '}');
    }
    if (take(r, '[')) {
        v->kind = NF_JSON_ARRAY;
        return members(r, v, ']');
    }
    if (take(r, '"')) {
        v->kind = NF_JSON_STRING;
        return string(r, &v->text);
    }
    if (word(r, "null")) {
        return true;
    }
    if (word(r, "true") || word(r, "false")) {
        v->kind = NF_JSON_BOOL;
        v->number = r->at[-2] == 'u';
        return true;
    }
    return number(r, v);
}

const struct nf_json_value *nf_json_parse(const char *text, size_t length,
                                          struct nf_arena *arena, char *why, size_t cap)
{
    struct reader r = {text, text, text + length, arena, why, cap, 0};
    struct nf_json_value *v = NF_NEW(arena, struct nf_json_value);
    if (!value(&r, v)) {
        return NULL;
    }
    skip_blanks(&r);
    if (r.at < r.end) {
        (void)fail(&r, "something follows the value");
        return NULL;
    }
    return v;
}

const struct nf_json_value *nf_json_get(const struct nf_json_value *v, const char *key)
{
    if (!v || v->kind != NF_JSON_OBJECT) {
        return NULL;
    }
    for (const struct nf_json_value *m = v->first; m; m = m->next) {
        if (strcmp(m->key, key) == 0) {
            return m;
        }
    }
    return NULL;
}
