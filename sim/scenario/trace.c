#include "scenario/trace.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "scenario/trace_part.h"

const char *const nf_trace_formats[] = {"azure-llm", "csv", "mooncake", NULL};

enum {
    BYTES_MAX = 512 * 1024 * 1024,
    WRONG_ROWS_MAX = 1000, /* after so many it is another kind of file */
    COLUMNS_MAX = 256
};

static const char *const column_names[][NF__TRACE_COLUMNS] = {
    [NF_TRACE_AZURE_LLM] = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"},
    [NF_TRACE_CSV] = {"arrival_s", "input_tokens", "output_tokens"}};

bool nf__trace_wrong(struct nf__trace_reader *r, struct nf__trace_cell cell,
                     const char *what)
{
    struct nf_place at = {r->file, r->line, (int)(cell.text - r->line_start) + 1};
    r->wrong++;
    (void)nf_diag_add(r->diags, NF_E_TRACE, at, r->where, NULL, "%s, found \"%.*s\"%s",
                      what, (int)(cell.length < 40 ? cell.length : 40), cell.text,
                      cell.length > 40 ? "..." : "");
    return false;
}

/* ---- cells ---- */

static bool digits(const char **s, const char *end, int least, int most, int64_t *out)
{
    int64_t v = 0;
    int n = 0;
    while (*s < end && n < most && **s >= '0' && **s <= '9') {
        v = v * 10 + (**s - '0');
        (*s)++;
        n++;
    }
    *out = v;
    return n >= least;
}

static bool literal(const char **s, const char *end, const char *allowed)
{
    if (*s < end && **s != '\0' && strchr(allowed, **s) != NULL) {
        (*s)++;
        return true;
    }
    return false;
}

/* Digits after a point as nanoseconds; what is finer is cut off. */
static bool fraction(const char **s, const char *end, int64_t *ns)
{
    int64_t unit = 100000000, v = 0;
    const char *start = *s;
    while (*s < end && **s >= '0' && **s <= '9') {
        v += (**s - '0') * unit;
        unit /= 10;
        (*s)++;
    }
    *ns = v;
    return *s > start;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013). */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    int64_t year = y - era * 400;
    int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

static bool is_date(int64_t y, int64_t m, int64_t d)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (y < 1970 || y > 2200 || m < 1 || m > 12) {
        return false;
    }
    bool is_leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return d >= 1 && d <= lengths[m - 1] + (m == 2 && is_leap);
}

/* Nothing, "Z", "+hh:mm" or "+hhmm" up to the end. */
static bool zone(const char **s, const char *end, int64_t *offset_s)
{
    int64_t hours, minutes;
    *offset_s = 0;
    if (*s == end || (literal(s, end, "Zz") && *s == end)) {
        return true;
    }
    bool is_west = **s == '-';
    if (!literal(s, end, "+-") || !digits(s, end, 2, 2, &hours)) {
        return false;
    }
    (void)literal(s, end, ":");
    if (!digits(s, end, 2, 2, &minutes) || *s != end || hours > 18 || minutes > 59) {
        return false;
    }
    *offset_s = (hours * 60 + minutes) * (is_west ? -60 : 60);
    return true;
}

static bool parse_timestamp(struct nf__trace_reader *r, struct nf__trace_cell c,
                            int64_t *ns)
{
    const char *s = c.text, *end = c.text + c.length;
    int64_t y, mo, d, h, mi, sec, part = 0, offset_s;
    bool ok = digits(&s, end, 4, 4, &y) && literal(&s, end, "-") &&
              digits(&s, end, 2, 2, &mo) && literal(&s, end, "-") &&
              digits(&s, end, 2, 2, &d) && literal(&s, end, " T") &&
              digits(&s, end, 2, 2, &h) && literal(&s, end, ":") &&
              digits(&s, end, 2, 2, &mi) && literal(&s, end, ":") &&
              digits(&s, end, 2, 2, &sec);
    if (ok && literal(&s, end, ".")) {
        ok = fraction(&s, end, &part);
    }
    if (!ok || !zone(&s, end, &offset_s) || !is_date(y, mo, d) || h > 23 || mi > 59 ||
        sec > 60) {
        return nf__trace_wrong(r, c,
                               "expected a time such as 2023-11-16 18:17:03.9799600");
    }
    *ns = (days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - offset_s) * NF_SECOND +
          part;
    return true;
}

static bool parse_seconds(struct nf__trace_reader *r, struct nf__trace_cell c,
                          int64_t *ns)
{
    const char *s = c.text, *end = c.text + c.length;
    int64_t whole, part = 0;
    char copy[64];
    double x;
    bool ok = digits(&s, end, 1, 9, &whole);
    if (ok && s < end && *s == '.') {
        s++;
        ok = fraction(&s, end, &part);
    }
    if (ok && s == end) {
        *ns = whole * NF_SECOND + part;
        return true;
    }
    if (c.length < sizeof copy) { /* exponents and the like */
        memcpy(copy, c.text, c.length);
        copy[c.length] = '\0';
        if (nf_text_double(copy, &x) && x >= 0 && x < 3.1536e9) {
            *ns = nf_time_of_s(x);
            return true;
        }
    }
    return nf__trace_wrong(r, c, "expected seconds, at least 0 and less than 100 years");
}

static bool parse_tokens(struct nf__trace_reader *r, struct nf__trace_cell c,
                         uint32_t *out)
{
    const char *s = c.text, *end = c.text + c.length;
    int64_t v;
    if (!digits(&s, end, 1, 10, &v) || s != end || v < 1 || v > 1000000000) {
        return nf__trace_wrong(
            r, c, "expected a number of tokens, at least 1 and at most 1000000000");
    }
    *out = (uint32_t)v;
    return true;
}

/* ---- lines ---- */

static bool next_cell(const char **s, const char *end, struct nf__trace_cell *c)
{
    if (*s > end) {
        return false;
    }
    const char *comma = memchr(*s, ',', (size_t)(end - *s));
    const char *stop = comma != NULL ? comma : end;
    *c = (struct nf__trace_cell){*s, (size_t)(stop - *s)};
    *s = stop + 1;
    while (c->length > 0 && (c->text[0] == ' ' || c->text[0] == '\t')) {
        c->text++;
        c->length--;
    }
    while (c->length > 0 &&
           (c->text[c->length - 1] == ' ' || c->text[c->length - 1] == '\t')) {
        c->length--;
    }
    return true;
}

/* A first line that names none of the columns: another kind of file. */
static void tell_no_header(struct nf__trace_reader *r, struct nf__trace_cell line,
                           struct nf_arena *arena)
{
    const char *const *names = column_names[r->options->format];
    const char *hint = NULL;
    if (memchr(line.text, '\0', line.length) != NULL) {
        hint = "this is a binary file; a trace is text with commas between the columns";
    } else if (memchr(line.text, ';', line.length) != NULL ||
               memchr(line.text, '\t', line.length) != NULL) {
        hint = "the columns of a trace are separated by commas";
    } else if (line.length > 0 && line.text[0] >= '0' && line.text[0] <= '9') {
        hint = "the line with the names of the columns is missing";
    }
    int shown = (int)(line.length < 40 ? line.length : 40);
    (void)nf_diag_add(
        r->diags, NF_E_TRACE, (struct nf_place){r->file, r->line, 1}, r->where, hint,
        "the first line of a trace of format %s names its columns, %s; "
        "found \"%.*s\"%s",
        nf_trace_formats[r->options->format],
        r->options->format == NF_TRACE_AZURE_LLM
            ? nf_arena_printf(arena, "%s, %s and %s", names[NF__TRACE_TIME],
                              names[NF__TRACE_INPUT], names[NF__TRACE_OUTPUT])
            : names[NF__TRACE_TIME],
        shown, line.text, line.length > 40 ? "..." : "");
}

static bool find_columns(struct nf__trace_reader *r, const char *const *header, int count)
{
    bool has_any = false;
    r->last_needed = 0;
    for (int k = 0; k < NF__TRACE_COLUMNS; k++) {
        r->position[k] = -1;
        for (int i = 0; i < count; i++) {
            if (strcmp(header[i], column_names[r->options->format][k]) == 0) {
                r->position[k] = i;
                r->last_needed = i > r->last_needed ? i : r->last_needed;
                has_any = true;
            }
        }
    }
    return has_any;
}

static bool read_header(struct nf__trace_reader *r, const char *start, const char *end,
                        struct nf_arena *arena)
{
    const char *const *names = column_names[r->options->format];
    const char *header[COLUMNS_MAX + 1] = {NULL};
    struct nf__trace_cell c;
    int count = 0;
    bool ok = true;
    for (const char *s = start; count < COLUMNS_MAX && next_cell(&s, end, &c); count++) {
        header[count] = nf_arena_strndup(arena, c.text, c.length < 100 ? c.length : 100);
    }
    if (!find_columns(r, header, count) &&
        nf_text_nearest(names[NF__TRACE_TIME], header) == NULL) {
        tell_no_header(r, (struct nf__trace_cell){start, (size_t)(end - start)}, arena);
        return false;
    }
    for (int k = 0; k < NF__TRACE_COLUMNS; k++) {
        bool is_needed = k == NF__TRACE_TIME || r->options->format == NF_TRACE_AZURE_LLM;
        if (r->position[k] < 0 && is_needed) {
            const char *near = nf_text_nearest(names[k], header);
            (void)nf_diag_add(
                r->diags, NF_E_TRACE, (struct nf_place){r->file, r->line, 1}, r->where,
                near != NULL ? nf_arena_printf(arena, "the header has \"%s\"", near)
                             : NULL,
                "a trace of format %s needs the column \"%s\" in its first line",
                nf_trace_formats[r->options->format], names[k]);
            ok = false;
        }
    }
    return ok;
}

bool nf__trace_keep(struct nf__trace_reader *r, struct nf__trace_cell time, int64_t ns,
                    uint32_t input, uint32_t output)
{
    if (r->in_file > 0 && ns < r->previous_ns) {
        return nf__trace_wrong(
            r, time,
            "rows must be in order of time; this one is earlier than the row before");
    }
    r->first_ns = r->in_file == 0 ? ns : r->first_ns;
    r->previous_ns = ns;
    r->in_file++;
    double offset_ns = r->options->offset_s * 1e9;
    if ((double)(ns - r->first_ns) < offset_ns) {
        return false;
    }
    if (r->base_ns < 0) {
        r->base_ns = ns;
    }
    int64_t since = ns - r->base_ns;
    double scaled = (double)since / r->options->speed + 0.5;
    nf_time at = r->options->speed == 1 ? since
                 : scaled < 9.2e18      ? (nf_time)scaled
                                        : NF_TIME_NEVER;
    if (at >= r->options->end) {
        r->too_late++;
        return false;
    }
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 4096 : 2 * r->cap;
        r->rows = nf_mem_resize(r->rows, r->cap, sizeof *r->rows);
    }
    r->rows[r->count++] = (struct nf_trace_row){at, input, output};
    return true;
}

static void read_row(struct nf__trace_reader *r, const char *start, const char *end)
{
    struct nf__trace_cell cells[NF__TRACE_COLUMNS] = {{NULL, 0}};
    struct nf__trace_cell c = {start, 0};
    int64_t ns = 0;
    uint32_t tokens[NF__TRACE_COLUMNS] = {0, 1, 1};
    const char *s = start;
    int i = 0;
    for (; i <= r->last_needed && next_cell(&s, end, &c); i++) {
        for (int k = 0; k < NF__TRACE_COLUMNS; k++) {
            if (r->position[k] == i) {
                cells[k] = c;
            }
        }
    }
    if (i <= r->last_needed) {
        c = (struct nf__trace_cell){start, (size_t)(end - start)};
        (void)nf__trace_wrong(r, c, "a row with too few columns");
        return;
    }
    NF_ASSERT(cells[NF__TRACE_TIME].text != NULL); /* every format has the column */
    bool ok = r->options->format == NF_TRACE_AZURE_LLM
                  ? parse_timestamp(r, cells[NF__TRACE_TIME], &ns)
                  : parse_seconds(r, cells[NF__TRACE_TIME], &ns);
    for (int k = NF__TRACE_INPUT; k <= NF__TRACE_OUTPUT; k++) {
        if (r->position[k] >= 0) {
            ok = parse_tokens(r, cells[k], &tokens[k]) && ok;
        }
    }
    if (!ok) {
        return;
    }
    (void)nf__trace_keep(r, cells[NF__TRACE_TIME], ns, tokens[NF__TRACE_INPUT],
                         tokens[NF__TRACE_OUTPUT]);
}

static void read_lines(struct nf__trace_reader *r, const char *text, size_t length,
                       struct nf_arena *arena)
{
    const char *end = text + length;
    bool has_header = false;
    for (const char *s = text; s < end && r->wrong < WRONG_ROWS_MAX;) {
        const char *newline = memchr(s, '\n', (size_t)(end - s));
        const char *stop = newline != NULL ? newline : end;
        const char *next = newline != NULL ? newline + 1 : end;
        if (stop > s && stop[-1] == '\r') {
            stop--;
        }
        r->line++;
        r->line_start = s;
        if (stop > s && r->options->format == NF_TRACE_MOONCAKE) {
            nf__trace_json_row(r, s, stop);
        } else if (stop > s && !has_header) {
            has_header = true;
            if (!read_header(r, s, stop, arena)) {
                return;
            }
        } else if (stop > s) {
            read_row(r, s, stop);
        }
        s = next;
    }
    if (r->wrong >= WRONG_ROWS_MAX) {
        nf_diags_cut(r->diags);
    }
    if (r->wrong == 0 && r->in_file == 0) {
        (void)nf_diag_add(r->diags, NF_E_TRACE,
                          (struct nf_place){r->file, r->line > 0 ? r->line : 1, 1},
                          r->where, NULL, "the trace has no rows");
    } else if (r->wrong == 0 && r->count == 0) {
        double length_s = (double)(r->previous_ns - r->first_ns) * 1e-9;
        (void)nf_diag_add(r->diags, NF_E_IMPOSSIBLE, r->options->from, r->where, NULL,
                          "no row of the trace lies behind the offset of %.6g s: its "
                          "last one comes after %.6g s",
                          r->options->offset_s, length_s);
    }
}

static const struct nf_trace_names *names_of(const struct nf__trace_reader *r,
                                             struct nf_arena *arena)
{
    if (r->name_count == 0) {
        return NULL;
    }
    struct nf_trace_names *out = NF_NEW(arena, struct nf_trace_names);
    uint64_t *names = NF_NEW_ARRAY(arena, r->name_count, uint64_t);
    uint64_t *first = NF_NEW_ARRAY(arena, r->count + 1, uint64_t);
    memcpy(names, r->names, r->name_count * sizeof *names);
    memcpy(first, r->first_name, r->count * sizeof *first);
    first[r->count] = r->name_count;
    *out = (struct nf_trace_names){names, first, NF_TRACE_NAME_TOKENS};
    return out;
}

enum nf_status nf_trace_find(const char *path, const struct nf_trace_options *options,
                             struct nf_diags *diags)
{
    struct stat st = {0};
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        bool is_there = st.st_mode != 0;
        return nf_diag_add(diags, NF_E_REFERENCE, options->from, options->where,
                           is_there && !S_ISDIR(st.st_mode)
                               ? "write what it gives into a file: a run must be "
                                 "repeatable"
                               : NULL,
                           !is_there             ? "there is no file \"%s\""
                           : S_ISDIR(st.st_mode) ? "\"%s\" is a folder"
                                                 : "\"%s\" is a pipe or a device, not a "
                                                   "file",
                           path);
    }
    return NF_OK;
}

enum nf_status nf_trace_read(const char *path, const struct nf_trace_options *options,
                             struct nf_arena *arena, struct nf_diags *diags,
                             struct nf_trace *out)
{
    int errors = diags->errors;
    struct nf_file_bytes file;
    *out = (struct nf_trace){0};
    if (nf_trace_find(path, options, diags) != NF_OK) {
        return NF_E_REFERENCE;
    }
    struct nf_arena scratch;
    nf_arena_init(&scratch);
    struct nf__trace_reader r = {.options = options,
                                 .file = nf_arena_strdup(arena, path),
                                 .where = options->where,
                                 .diags = diags,
                                 .base_ns = -1};
    enum nf_status s =
        nf_file_read(path, BYTES_MAX, options->from, &scratch, diags, &file);
    if (s == NF_OK) {
        static const char byte_order_mark[] = "\xEF\xBB\xBF";
        size_t skip =
            file.length >= 3 && memcmp(file.data, byte_order_mark, 3) == 0 ? 3 : 0;
        read_lines(&r, file.data + skip, file.length - skip, arena);
        s = diags->errors == errors ? NF_OK : nf_diags_status(diags);
        struct nf_trace_row *rows = NF_NEW_ARRAY(arena, r.count, struct nf_trace_row);
        if (r.count > 0) {
            memcpy(rows, r.rows, r.count * sizeof *rows);
        }
        *out = (struct nf_trace){.rows = rows,
                                 .count = r.count,
                                 .in_file = r.in_file,
                                 .too_late = r.too_late,
                                 .has_tokens = options->format == NF_TRACE_MOONCAKE ||
                                               (r.position[NF__TRACE_INPUT] >= 0 &&
                                                r.position[NF__TRACE_OUTPUT] >= 0),
                                 .names = names_of(&r, arena)};
        if (s == NF_OK) { /* what is refused needs no identity */
            nf_sha256_of(file.data, file.length, out->sha256);
        }
    }
    nf_mem_free(r.rows);
    nf_mem_free(r.names);
    nf_mem_free(r.first_name);
    nf_arena_fini(&scratch);
    return s;
}
