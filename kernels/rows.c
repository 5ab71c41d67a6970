#include "rows.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char format_line[] = "# nearfar-kernels measurements 1\n";

static const char *const columns[] = {
    "kind",     "op",        "version",      "dtype",      "shape",     "cache",
    "samples",  "median_us", "q1_us",        "q3_us",      "flop",      "bytes",
    "tflops",   "gbps",      "sheet_tflops", "sheet_gbps", "copy_gbps", "sm_mhz",
    "mem_mhz",  "power_w",   "temp_c",       "flags",      "device",    "cc",
    "sm_count", "l2_bytes",  "mem_bytes",    "driver",     "toolkit",   "code",
};
enum {
    COLUMNS = sizeof columns / sizeof *columns,
    FIRST_NUMBER = 6,
    LAST_NUMBER = 20,
    FLAGS = 21,
    DEVICE = 22,
};

static uint64_t fnv(uint64_t hash, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static const uint64_t fnv_start = UINT64_C(0xcbf29ce484222325);

static bool fail(char *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error, NF_ROWS_TEXT, format, args);
    va_end(args);
    return false;
}

enum { NAMES_CAP = 512 };

static void name_columns(char (*line)[NAMES_CAP])
{
    size_t at = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        at += (size_t)snprintf(*line + at, sizeof *line - at, "%s%s", columns[i],
                               i + 1 < COLUMNS ? "," : "\n");
    }
}

static bool write_text(struct nf_rows *rows, const char *text)
{
    size_t n = strlen(text);
    rows->hash = fnv(rows->hash, text, n);
    if (fwrite(text, 1, n, rows->file) != n) {
        return fail(rows->error, "cannot write %.80s: %s", rows->part, strerror(errno));
    }
    return true;
}

/* The renaming at the end would put a file in the place of a device or a pipe. */
static bool may_be_replaced(struct nf_rows *rows, const char *name)
{
    struct stat is;
    if (stat(name, &is) == 0 && !S_ISREG(is.st_mode)) {
        return fail(rows->error, "%.80s is there and is no regular file", name);
    }
    return true;
}

bool nf_rows_open(struct nf_rows *rows, const char *name, const struct nf_facts *facts)
{
    *rows = (struct nf_rows){.facts = facts, .hash = fnv_start};
    if (snprintf(rows->name, sizeof rows->name, "%s", name) >= (int)sizeof rows->name) {
        return fail(rows->error, "the file name is too long");
    }
    (void)snprintf(rows->part, sizeof rows->part, "%s.part", name);
    if (!may_be_replaced(rows, rows->name) || !may_be_replaced(rows, rows->part)) {
        return false;
    }
    rows->file = fopen(rows->part, "w");
    if (!rows->file) {
        return fail(rows->error, "cannot write %.80s: %s", rows->part, strerror(errno));
    }
    char names[NAMES_CAP];
    name_columns(&names);
    return write_text(rows, format_line) && write_text(rows, names);
}

/* Text cells hold no comma, quote or line end: a reader may split at commas. */
static void put_text(char *line, size_t cap, size_t *at, const char *text)
{
    while (*text && *at + 2 < cap) {
        char c = *text++;
        line[(*at)++] = c == ',' || c == '"' || c == '\n' || c == '\r' ? ' ' : c;
    }
    line[(*at)++] = ',';
}

/* An unknown number is an empty cell; zero is written only where zero is known. */
static void put_number(char *line, size_t cap, size_t *at, double x, bool known)
{
    char text[40] = "";
    if (known && isfinite(x)) {
        (void)snprintf(text, sizeof text, "%.9g", x);
    }
    put_text(line, cap, at, text);
}

bool nf_rows_put(struct nf_rows *rows, const struct nf_row *row)
{
    const struct nf_facts *f = rows->facts;
    char line[2048];
    size_t at = 0, cap = sizeof line;
    double s = row->median_us * 1e-6;
    bool timed = row->median_us > 0.0;
    put_text(line, cap, &at, row->kind);
    put_text(line, cap, &at, row->op);
    put_text(line, cap, &at, row->version);
    put_text(line, cap, &at, row->dtype);
    put_text(line, cap, &at, row->shape);
    put_text(line, cap, &at, row->cache);
    put_number(line, cap, &at, (double)row->samples, true);
    put_number(line, cap, &at, row->median_us, timed);
    put_number(line, cap, &at, row->q1_us, timed);
    put_number(line, cap, &at, row->q3_us, timed);
    put_number(line, cap, &at, row->flop, true);
    put_number(line, cap, &at, row->bytes, true);
    put_number(line, cap, &at, timed ? row->flop / s * 1e-12 : 0.0,
               timed && row->flop > 0.0);
    put_number(line, cap, &at, timed ? row->bytes / s * 1e-9 : 0.0,
               timed && row->bytes > 0.0);
    put_number(line, cap, &at, row->sheet_tflops, row->sheet_tflops > 0.0);
    put_number(line, cap, &at, f->sheet_gbps, f->sheet_gbps > 0.0);
    put_number(line, cap, &at, f->copy_gbps, f->copy_gbps > 0.0);
    put_number(line, cap, &at, row->sm_mhz, row->sm_mhz > 0.0);
    put_number(line, cap, &at, row->mem_mhz, row->mem_mhz > 0.0);
    put_number(line, cap, &at, row->power_w, row->power_w > 0.0);
    put_number(line, cap, &at, row->temperature_c, row->temperature_c > 0.0);
    put_text(line, cap, &at, row->flags);
    put_text(line, cap, &at, f->device);
    put_number(line, cap, &at, f->compute_capability, true);
    put_number(line, cap, &at, f->sm_count, true);
    put_number(line, cap, &at, f->l2_bytes, true);
    put_number(line, cap, &at, f->memory_bytes, true);
    put_text(line, cap, &at, f->driver);
    put_text(line, cap, &at, f->toolkit);
    put_text(line, cap, &at, f->code);
    line[at - 1] = '\n';
    line[at] = '\0';
    rows->count++;
    return write_text(rows, line);
}

static void end_line(char *line, size_t cap, size_t rows, uint64_t hash)
{
    (void)snprintf(line, cap, "# end rows=%zu fnv1a=%016" PRIx64 "\n", rows, hash);
}

bool nf_rows_close(struct nf_rows *rows)
{
    char line[96];
    end_line(line, sizeof line, rows->count, rows->hash);
    bool ok = write_text(rows, line);
    if (fclose(rows->file) != 0 || !ok) {
        rows->file = NULL;
        (void)remove(rows->part);
        return fail(rows->error, "cannot write %.80s: %s", rows->part, strerror(errno));
    }
    rows->file = NULL;
    if (rename(rows->part, rows->name) != 0) {
        return fail(rows->error, "cannot rename to %.80s: %s", rows->name,
                    strerror(errno));
    }
    return true;
}

struct nf_rows_place nf_rows_mark(const struct nf_rows *rows)
{
    return (struct nf_rows_place){ftell(rows->file), rows->hash, rows->count};
}

bool nf_rows_rewind(struct nf_rows *rows, const struct nf_rows_place *mark)
{
    if (mark->at < 0 || fflush(rows->file) != 0 ||
        ftruncate(fileno(rows->file), (off_t)mark->at) != 0 ||
        fseek(rows->file, mark->at, SEEK_SET) != 0) {
        return fail(rows->error, "cannot shorten %.80s: %s", rows->part, strerror(errno));
    }
    rows->hash = mark->hash;
    rows->count = mark->count;
    return true;
}

void nf_rows_abandon(struct nf_rows *rows)
{
    if (rows->file) {
        (void)fclose(rows->file);
        (void)remove(rows->part);
        rows->file = NULL;
    }
}

void nf_row_flag(struct nf_row *row, const char *flag)
{
    size_t at = strlen(row->flags);
    (void)snprintf(row->flags + at, sizeof row->flags - at, "%s%s", at ? " " : "", flag);
}

/* --- reading back ------------------------------------------------------------------------------ */

static bool number_or_empty(const char *cell)
{
    char *end;
    double x = strtod(cell, &end);
    return *end == '\0' && isfinite(x);
}

/* Cuts the line at its commas; returns the number of cells. */
static size_t split(char *line, char **cells)
{
    size_t n = 0;
    char *p = line;
    p[strcspn(p, "\n")] = '\0';
    for (;;) {
        if (n < COLUMNS) {
            cells[n] = p;
        }
        n++;
        p = strchr(p, ',');
        if (!p) {
            return n;
        }
        *p++ = '\0';
    }
}

static void look_at_row(char *line, char *device, size_t cap, struct nf_rows_verdict *v)
{
    char *cells[COLUMNS];
    v->rows++;
    if (split(line, cells) != COLUMNS) {
        v->bad_rows++;
        return;
    }
    for (int i = FIRST_NUMBER; i <= LAST_NUMBER; i++) {
        if (!number_or_empty(cells[i])) {
            v->bad_rows++;
            break;
        }
    }
    if (strstr(cells[FLAGS], "throttled")) {
        v->throttled_rows++;
    }
    if (strcmp(device, cells[DEVICE]) != 0) {
        v->devices++;
        (void)snprintf(device, cap, "%s", cells[DEVICE]);
    }
}

bool nf_rows_inspect(const char *name, struct nf_rows_verdict *v)
{
    char line[4096], device[128] = "\n", names[NAMES_CAP];
    uint64_t hash = fnv_start;
    name_columns(&names);
    *v = (struct nf_rows_verdict){0};
    FILE *file = fopen(name, "r");
    if (!file) {
        return fail(v->message, "cannot read %.80s: %s", name, strerror(errno));
    }
    for (size_t number = 1; fgets(line, sizeof line, file); number++) {
        if (number == 1 && strcmp(line, format_line) != 0) {
            (void)fclose(file);
            return fail(v->message, "%.80s is no file of measurements of format 1", name);
        }
        if (strncmp(line, "# end rows=", 11) == 0) {
            char end[96];
            end_line(end, sizeof end, v->rows, hash);
            v->complete = strcmp(line, end) == 0;
            break;
        }
        hash = fnv(hash, line, strlen(line));
        if (number == 2 && strchr(line, '\n') && strcmp(line, names) != 0) {
            (void)fclose(file);
            return fail(v->message, "%.80s has not the columns of format 1", name);
        }
        if (number > 2) {
            look_at_row(line, device, sizeof device, v);
        }
    }
    (void)fclose(file);
    (void)fail(v->message, "%zu rows%s, %zu bad, %zu throttled, %zu device%s", v->rows,
               v->complete ? "" : " (incomplete: the last line is missing or wrong)",
               v->bad_rows, v->throttled_rows, v->devices, v->devices == 1 ? "" : "s");
    return true;
}

/* --- several files into one -------------------------------------------------------------------------- */

/* What the rows have in common, and which of them there are. */
struct merge {
    struct nf_rows to;
    char device[128], made_by[1024]; /* made_by: every column from the device on */
    struct measured {
        uint64_t what, whole; /* hashes: from kind to cache, the whole line */
        size_t part;
    } * rows;
    size_t room;
};

static bool same_origin(struct merge *m, const char *line, const char *part)
{
    char copy[4096], *cells[COLUMNS];
    (void)snprintf(copy, sizeof copy, "%s", line);
    if (split(copy, cells) != COLUMNS) {
        return fail(m->to.error, "%.80s: a row of another number of cells", part);
    }
    const char *made_by = line + (cells[DEVICE] - copy);
    if (m->made_by[0] == '\0') {
        (void)snprintf(m->device, sizeof m->device, "%s", cells[DEVICE]);
        (void)snprintf(m->made_by, sizeof m->made_by, "%s", made_by);
    }
    if (strcmp(m->device, cells[DEVICE]) != 0) {
        return fail(m->to.error, "%.80s: a row of another device", part);
    }
    return strcmp(m->made_by, made_by) == 0 ||
           fail(m->to.error, "%.80s: a row of another driver, toolkit or code", part);
}

/* The same measurement in two parts, or the same line twice in one, would count twice in a fit. */
static bool is_new(struct merge *m, const char *line, const char *name, size_t part)
{
    size_t length = 0, n = m->to.count;
    for (size_t comma = 0; comma < FIRST_NUMBER; length++) {
        comma += line[length] == ',';
    }
    struct measured own = {fnv(fnv_start, line, length),
                           fnv(fnv_start, line, strlen(line)), part};
    for (size_t i = 0; i < n; i++) {
        const struct measured *other = &m->rows[i];
        if (other->whole == own.whole ||
            (other->what == own.what && other->part != part)) {
            return fail(m->to.error, "%.60s: a row is there twice: %.*s", name,
                        length < 70 ? (int)length - 1 : 70, line);
        }
    }
    if (n == m->room) {
        size_t room = 2 * n + 256;
        struct measured *more = realloc(m->rows, room * sizeof *more);
        if (!more) {
            return fail(m->to.error, "no memory");
        }
        m->rows = more;
        m->room = room;
    }
    m->rows[n] = own;
    return true;
}

static bool append_part(struct merge *m, const char *part, size_t number_of_part)
{
    char line[4096];
    struct nf_rows_verdict v;
    if (!nf_rows_inspect(part, &v) || !v.complete || v.bad_rows > 0) {
        return fail(m->to.error, "%.80s: %.70s", part, v.message);
    }
    FILE *file = fopen(part, "r");
    if (!file) {
        return fail(m->to.error, "cannot read %.80s: %s", part, strerror(errno));
    }
    bool ok = true;
    for (size_t number = 1; ok && fgets(line, sizeof line, file); number++) {
        if (number <= 2 || line[0] == '#') {
            continue;
        }
        ok = same_origin(m, line, part) && is_new(m, line, part, number_of_part) &&
             write_text(&m->to, line);
        m->to.count += ok ? 1 : 0;
    }
    (void)fclose(file);
    return ok;
}

/* Opening the output empties its .part file, closing it replaces the file itself. */
static bool is_output(const char *name, const char *part)
{
    char written[528];
    struct stat to, from;
    if (stat(part, &from) != 0) {
        return false;
    }
    (void)snprintf(written, sizeof written, "%.511s.part", name);
    return (stat(name, &to) == 0 && to.st_dev == from.st_dev &&
            to.st_ino == from.st_ino) ||
           (stat(written, &to) == 0 && to.st_dev == from.st_dev &&
            to.st_ino == from.st_ino);
}

bool nf_rows_merge(const char *name, const char *const *parts, size_t count,
                   char (*why)[NF_ROWS_TEXT])
{
    for (size_t i = 0; i < count; i++) {
        if (is_output(name, parts[i])) {
            return fail(*why, "%.80s is a part and the result at once", parts[i]);
        }
    }
    struct merge m = {.rows = NULL};
    bool ok = nf_rows_open(&m.to, name, NULL);
    for (size_t i = 0; ok && i < count; i++) {
        ok = append_part(&m, parts[i], i);
    }
    ok = ok && nf_rows_close(&m.to);
    if (!ok) {
        (void)snprintf(*why, sizeof *why, "%s", m.to.error);
        nf_rows_abandon(&m.to);
    }
    free(m.rows);
    return ok;
}
