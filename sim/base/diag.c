/* diag.c - keeping and printing the user's mistakes; see diag.h. Everything that came from a user is printed escaped. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum {
    LONGEST_LINE = 1 << 16, /* bytes of a source line that are looked at */
    WINDOW_FROM = 200,      /* a line of more columns than this is shown in part ... */
    WINDOW = 120            /* ... this many columns of it */
};

void nf_diags_init(struct nf_diags *d, struct nf_arena *arena)
{
    memset(d, 0, sizeof *d);
    d->arena = arena;
}

static bool is_environment(enum nf_status code)
{
    return nf_status_exit(code) == nf_status_exit(NF_E_IO);
}

/* The list is full: which entry may go for `item`? A warning for an error, any input error for an environment error
 * (it decides the exit status). -1: none. The youngest goes first, so the first mistakes stay. */
static int entry_to_drop(const struct nf_diags *d, const struct nf_diag *item)
{
    if (item->is_warning) {
        return -1;
    }
    for (int i = d->count - 1; i >= 0; i--) {
        if (d->items[i].is_warning) {
            return i;
        }
    }
    if (!is_environment(item->code)) {
        return -1;
    }
    for (int i = d->count - 1; i >= 0; i--) {
        if (!is_environment(d->items[i].code)) {
            return i;
        }
    }
    return -1;
}

/* A free entry at the end of the list; NULL when `item` is only counted. */
static struct nf_diag *entry_for(struct nf_diags *d, const struct nf_diag *item)
{
    if (d->count == NF_DIAGS_MAX) {
        int drop = entry_to_drop(d, item);
        if (drop < 0) {
            return NULL;
        }
        size_t behind = (size_t)(d->count - 1 - drop);
        memmove(&d->items[drop], &d->items[drop + 1], behind * sizeof d->items[0]);
        d->count--;
    }
    return &d->items[d->count++];
}

static void keep(struct nf_diags *d, const struct nf_diag *item, const char *format,
                 va_list args) NF_PRINTF(3, 0);

static void keep(struct nf_diags *d, const struct nf_diag *item, const char *format,
                 va_list args)
{
    struct nf_diag *entry = entry_for(d, item);
    if (entry == NULL) {
        return;
    }
    *entry = *item;
    entry->path = item->path == NULL ? "" : nf_arena_strdup(d->arena, item->path);
    entry->hint = item->hint == NULL ? "" : nf_arena_strdup(d->arena, item->hint);
    entry->message = nf_arena_vprintf(d->arena, format, args);
}

enum nf_status nf_diag_add(struct nf_diags *d, enum nf_status code, struct nf_place place,
                           const char *path, const char *hint, const char *format, ...)
{
    NF_ASSERT(code != NF_OK);
    struct nf_diag item = {.code = code, .place = place, .path = path, .hint = hint};
    va_list args;
    va_start(args, format);
    keep(d, &item, format, args);
    va_end(args);
    d->errors++;
    return code;
}

void nf_diag_warn(struct nf_diags *d, struct nf_place place, const char *path,
                  const char *format, ...)
{
    struct nf_diag item = {.is_warning = true, .place = place, .path = path};
    va_list args;
    va_start(args, format);
    keep(d, &item, format, args);
    va_end(args);
    d->warnings++;
}

enum nf_status nf_diags_status(const struct nf_diags *d)
{
    enum nf_status first = NF_OK;
    for (int i = 0; i < d->count; i++) {
        const struct nf_diag *item = &d->items[i];
        if (item->is_warning) {
            continue;
        }
        if (is_environment(item->code)) {
            return item->code;
        }
        if (first == NF_OK) {
            first = item->code;
        }
    }
    return first;
}

/* The file that is being read again for its lines. Entries come sorted, so it is read once, forwards. */
struct source {
    const char *file;
    FILE *in;         /* NULL: cannot be read */
    int line;         /* number of the line in `bytes` */
    bool is_too_long; /* the line went on behind LONGEST_LINE */
    size_t length;
    char *bytes;
};

static void source_close(struct source *s)
{
    if (s->in != NULL) {
        fclose(s->in);
    }
    s->in = NULL;
    s->file = NULL;
    s->line = 0;
}

static void source_open(struct source *s, const char *file)
{
    struct stat st;
    source_close(s);
    s->file = file;
    /* Only regular files: a pipe's lines are gone, and opening one could wait for ever. */
    if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
        s->in = fopen(file, "rb");
    }
}

/* Read the next line, without its end; false at the end of the file. */
static bool source_next(struct source *s)
{
    int c = getc(s->in);
    if (c == EOF) {
        return false;
    }
    s->line++;
    s->length = 0;
    s->is_too_long = false;
    for (; c != EOF && c != '\n'; c = getc(s->in)) {
        if (s->length < LONGEST_LINE) {
            s->bytes[s->length++] = (char)c;
        } else {
            s->is_too_long = true;
        }
    }
    if (s->length > 0 && s->bytes[s->length - 1] == '\r') {
        s->length--;
    }
    return true;
}

/* Is the line at `place` at hand and fit to be shown? */
static bool source_find(struct source *s, struct nf_place place)
{
    if (place.file == NULL || place.line <= 0 || place.col < 0) {
        return false;
    }
    if (s->file == NULL || strcmp(s->file, place.file) != 0 || s->line > place.line) {
        source_open(s, place.file);
    }
    while (s->in != NULL && s->line < place.line) {
        if (!source_next(s)) {
            return false;
        }
    }
    if (s->in == NULL || (size_t)place.col > s->length + 1 ||
        (s->is_too_long && place.col == 0)) {
        return false;
    }
    for (size_t i = 0; i < s->length; i++) {
        unsigned char c = (unsigned char)s->bytes[i];
        if (c < 0x20 && c != '\t') {
            return false;
        }
    }
    return true;
}

/* Start of the UTF-8 character that byte i belongs to. */
static size_t character_start(const struct source *s, size_t i)
{
    size_t start = i;
    while (start > 0 && i - start < 3 &&
           ((unsigned char)s->bytes[start] & 0xC0u) == 0x80) {
        start--;
    }
    return start;
}

static size_t columns(const char *bytes, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += ((unsigned char)bytes[i] & 0xC0u) != 0x80;
    }
    return count;
}

/* Append bytes [from, to) with tabs as one blank, so that the caret's column can be counted. */
static void add_shown(struct nf_text *t, const char *bytes, size_t n)
{
    size_t start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i == n || bytes[i] == '\t') {
            nf_text_add_escaped(t, bytes + start, i - start);
            nf_text_add_n(t, " ", i < n ? 1 : 0);
            start = i + 1;
        }
    }
}

static void print_excerpt(struct source *s, struct nf_place place, FILE *out)
{
    if (!source_find(s, place)) {
        return;
    }
    size_t at = place.col > 0 ? (size_t)place.col - 1 : 0;
    size_t from = 0, to = s->length;
    if (s->length > WINDOW_FROM) {
        from = at > WINDOW / 2 ? at - WINDOW / 2 : 0;
        to = from + WINDOW < s->length ? from + WINDOW : s->length;
        from = character_start(s, from);
        to = to < s->length ? character_start(s, to) : to;
    }
    if (at < s->length) {
        at = character_start(s, at);
    }
    struct nf_text t = {0};
    nf_text_printf(&t, "%6d | %s", place.line, from > 0 ? "..." : "");
    add_shown(&t, s->bytes + from, at - from);
    size_t caret = columns(t.data, t.length);
    add_shown(&t, s->bytes + at, to - at);
    fprintf(out, "%s%s\n", t.data, to < s->length || s->is_too_long ? "..." : "");
    if (place.col > 0) {
        /* The gutter is 9 columns; the caret's blanks follow its bar. */
        fprintf(out, "       | %*s^\n", (int)(caret - 9), "");
    }
    nf_text_fini(&t);
}

static void print_escaped(FILE *out, const char *s)
{
    struct nf_text t = {0};
    nf_text_add_escaped(&t, s, strlen(s));
    fputs(t.data, out);
    nf_text_fini(&t);
}

static void print_item(const struct nf_diag *item, struct source *s, FILE *out)
{
    print_escaped(out, item->place.file == NULL ? "nearfar" : item->place.file);
    if (item->place.line > 0) {
        fprintf(out, ":%d", item->place.line);
        if (item->place.col > 0) {
            fprintf(out, ":%d", item->place.col);
        }
    }
    fputs(item->is_warning ? ": warning: " : ": error: ", out);
    if (item->path[0] != '\0') {
        print_escaped(out, item->path);
        fputs(": ", out);
    }
    print_escaped(out, item->message);
    if (!item->is_warning) {
        fprintf(out, "  [%s]", nf_status_text(item->code));
    }
    fputc('\n', out);
    print_excerpt(s, item->place, out);
    if (item->hint[0] != '\0') {
        fputs("hint: ", out);
        print_escaped(out, item->hint);
        fputc('\n', out);
    }
}

/* Order of print; entries at one place stay in the order of addition (the pointers are into one array). */
static int compare(const void *a, const void *b)
{
    const struct nf_diag *x = *(const struct nf_diag *const *)a,
                         *y = *(const struct nf_diag *const *)b;
    const char *fx = x->place.file == NULL ? "" : x->place.file;
    const char *fy = y->place.file == NULL ? "" : y->place.file;
    int order = strcmp(fx, fy);
    if (order == 0) {
        order = (x->place.line > y->place.line) - (x->place.line < y->place.line);
    }
    if (order == 0) {
        order = (x->place.col > y->place.col) - (x->place.col < y->place.col);
    }
    return order != 0 ? order : (x > y) - (x < y);
}

static void print_count(const struct nf_diags *d, FILE *out)
{
    if (d->errors > 0) {
        fprintf(out, "%d error%s", d->errors, d->errors == 1 ? "" : "s");
    }
    if (d->warnings > 0) {
        fprintf(out, "%s%d warning%s", d->errors > 0 ? ", " : "", d->warnings,
                d->warnings == 1 ? "" : "s");
    }
    /* A disk may fill up in the middle of a run; wrong input is found before it. */
    if (d->errors > 0 && !is_environment(nf_diags_status(d))) {
        fputs("; nothing was run", out);
    }
    int more = d->errors + d->warnings - d->count;
    if (more > 0) {
        fprintf(out, " (%d more not shown)", more);
    }
    fputc('\n', out);
}

void nf_diags_print(const struct nf_diags *d, FILE *out)
{
    if (d->count == 0) {
        return;
    }
    const struct nf_diag *sorted[NF_DIAGS_MAX];
    for (int i = 0; i < d->count; i++) {
        sorted[i] = &d->items[i];
    }
    qsort(sorted, (size_t)d->count, sizeof sorted[0], compare);
    struct source s = {.bytes = nf_mem_resize(NULL, LONGEST_LINE, 1)};
    for (int i = 0; i < d->count; i++) {
        print_item(sorted[i], &s, out);
    }
    source_close(&s);
    nf_mem_free(s.bytes);
    print_count(d, out);
}
