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
    WINDOW = 120,           /* ... this many columns of it */
    BLOCK = 1 << 16         /* bytes read at once */
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

void nf_diags_cut(struct nf_diags *d)
{
    d->is_cut = true;
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

/* The file that is being read again for its lines. Entries come sorted, so it is read once, forwards. Lines that are not
 * shown and the rest of a very long one are skipped a block at a time, as a trace may hold hundreds of megabytes. */
struct source {
    const char *file;
    FILE *in;         /* NULL: cannot be read */
    int line;         /* number of the line in `bytes` */
    bool is_too_long; /* the line goes on behind LONGEST_LINE */
    size_t length;
    char *bytes;           /* LONGEST_LINE */
    char *block;           /* BLOCK */
    size_t at, block_size; /* what of the block is read, and how much it holds */
};

static void source_init(struct source *s)
{
    *s = (struct source){.bytes = nf_mem_resize(NULL, LONGEST_LINE, 1),
                         .block = nf_mem_resize(NULL, BLOCK, 1)};
}

static void source_close(struct source *s)
{
    if (s->in != NULL) {
        fclose(s->in);
    }
    s->in = NULL;
    s->file = NULL;
    s->line = 0;
    s->is_too_long = false;
    s->at = s->block_size = 0;
}

static void source_fini(struct source *s)
{
    source_close(s);
    nf_mem_free(s->bytes);
    nf_mem_free(s->block);
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

/* Bytes of the current line that are at hand in the block, its end included; 0 at the end of the file. */
static size_t source_piece(struct source *s, bool *is_end)
{
    if (s->at == s->block_size) {
        s->at = 0;
        s->block_size = fread(s->block, 1, BLOCK, s->in);
    }
    size_t rest = s->block_size - s->at;
    const char *end = rest > 0 ? memchr(s->block + s->at, '\n', rest) : NULL;
    *is_end = end != NULL || rest == 0;
    return end != NULL ? (size_t)(end - (s->block + s->at)) + 1 : rest;
}

/* Behind the next line end; false when nothing is left. */
static bool source_skip(struct source *s)
{
    size_t skipped = 0;
    for (bool is_end = false; !is_end;) {
        size_t n = source_piece(s, &is_end);
        s->at += n;
        skipped += n;
    }
    return skipped > 0;
}

/* Read the next line, without its end; false at the end of the file. */
static bool source_next(struct source *s)
{
    bool is_end = false;
    if (s->is_too_long) {
        (void)source_skip(s);
    }
    s->is_too_long = false;
    s->length = 0;
    size_t n = source_piece(s, &is_end);
    if (n == 0) {
        return false;
    }
    s->line++;
    while (n > 0 && !s->is_too_long) {
        size_t kept = n - (s->block[s->at + n - 1] == '\n' ? 1 : 0);
        size_t room = LONGEST_LINE - s->length;
        s->is_too_long = kept > room;
        kept = s->is_too_long ? room : kept;
        memcpy(s->bytes + s->length, s->block + s->at, kept);
        s->length += kept;
        s->at += s->is_too_long ? kept : n;
        n = is_end || s->is_too_long ? 0 : source_piece(s, &is_end);
    }
    if (s->length > 0 && s->bytes[s->length - 1] == '\r' && !s->is_too_long) {
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
    while (s->in != NULL && s->line + 1 < place.line) {
        s->line += s->is_too_long ? 0 : 1;
        s->is_too_long = false;
        if (!source_skip(s)) {
            return false;
        }
    }
    if (s->in != NULL && s->line < place.line && !source_next(s)) {
        return false;
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
    nf_text_printf(&t, "%6d ", place.line);
    size_t bar = t.length;
    nf_text_printf(&t, "| %s", from > 0 ? "..." : "");
    add_shown(&t, s->bytes + from, at - from);
    size_t caret = columns(t.data, t.length);
    add_shown(&t, s->bytes + at, to - at);
    fprintf(out, "%s%s\n", t.data, to < s->length || s->is_too_long ? "..." : "");
    if (place.col > 0) {
        fprintf(out, "%*s| %*s^\n", (int)bar, "", (int)(caret - bar - 2), "");
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
        fprintf(out, "%s%d error%s", d->is_cut ? "at least " : "", d->errors,
                d->errors == 1 ? "" : "s");
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
    struct source s;
    source_init(&s);
    for (int i = 0; i < d->count; i++) {
        print_item(sorted[i], &s, out);
    }
    source_fini(&s);
    print_count(d, out);
}
