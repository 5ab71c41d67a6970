/* json.c - see json.h (RFC 8259). Bytes that are not UTF-8 become U+FFFD, so that the output is always valid. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { DEEPEST = sizeof(((struct nf_json *)0)->has_item) - 1 };

void nf_json_init(struct nf_json *j, struct nf_text *out, bool indent)
{
    memset(j, 0, sizeof *j);
    j->out = out;
    j->indent = indent;
}

static void add_string(struct nf_text *t, const char *s)
{
    size_t n = strlen(s);
    nf_text_add_n(t, "\"", 1);
    for (size_t i = 0; i < n;) {
        uint32_t code = 0;
        size_t length = nf_text_utf8(s + i, n - i, &code);
        if (length == 0) {
            nf_text_add(t, "\xEF\xBF\xBD");
            length = 1;
        } else if (code == '"' || code == '\\') {
            nf_text_printf(t, "\\%c", (char)code);
        } else if (code == '\n') {
            nf_text_add(t, "\\n");
        } else if (code < 0x20 || code == 0x7F) {
            nf_text_printf(t, "\\u%04x", (unsigned)code);
        } else {
            nf_text_add_n(t, s + i, length);
        }
        i += length;
    }
    nf_text_add_n(t, "\"", 1);
}

static void new_line(struct nf_json *j)
{
    if (j->indent) {
        nf_text_printf(j->out, "\n%*s", 2 * j->depth, "");
    }
}

/* Comma, line and key before a value. */
static void before_value(struct nf_json *j, const char *key)
{
    bool in_object = j->depth > 0 && !j->is_array[j->depth];
    NF_ASSERT(in_object == (key != NULL));
    NF_ASSERT(j->depth > 0 || !j->has_item[0]);
    if (j->has_item[j->depth]) {
        nf_text_add(j->out, j->indent ? "," : ", ");
    }
    j->has_item[j->depth] = true;
    if (j->depth > 0) {
        new_line(j);
    }
    if (key != NULL) {
        add_string(j->out, key);
        nf_text_add(j->out, ": ");
    }
}

static void open_level(struct nf_json *j, const char *key, bool is_array)
{
    before_value(j, key);
    NF_ASSERT(j->depth < DEEPEST);
    j->depth++;
    j->has_item[j->depth] = false;
    j->is_array[j->depth] = is_array;
    nf_text_add(j->out, is_array ? "[" : "{");
}

void nf_json_object(struct nf_json *j, const char *key)
{
    open_level(j, key, false);
}

void nf_json_array(struct nf_json *j, const char *key)
{
    open_level(j, key, true);
}

void nf_json_end(struct nf_json *j)
{
    NF_ASSERT(j->depth > 0);
    bool is_array = j->is_array[j->depth], has_item = j->has_item[j->depth];
    j->depth--;
    if (has_item) {
        new_line(j);
    }
    nf_text_add(j->out, is_array ? "]" : "}");
}

void nf_json_string(struct nf_json *j, const char *key, const char *value)
{
    before_value(j, key);
    add_string(j->out, value);
}

void nf_json_double(struct nf_json *j, const char *key, double value)
{
    char buf[32];
    before_value(j, key);
    nf_text_add(j->out, isfinite(value) ? nf_text_of_double(value, buf) : "null");
}

void nf_json_int(struct nf_json *j, const char *key, int64_t value)
{
    before_value(j, key);
    nf_text_printf(j->out, "%" PRId64, value);
}

void nf_json_bool(struct nf_json *j, const char *key, bool value)
{
    before_value(j, key);
    nf_text_add(j->out, value ? "true" : "false");
}

void nf_json_null(struct nf_json *j, const char *key)
{
    before_value(j, key);
    nf_text_add(j->out, "null");
}
