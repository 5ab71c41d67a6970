#include "rows.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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

static bool write_text(struct nf_rows *rows, const char *text)
{
    size_t n = strlen(text);
    rows->hash = fnv(rows->hash, text, n);
    if (fwrite(text, 1, n, rows->file) != n) {
        return fail(rows->error, "cannot write %.80s: %s", rows->part, strerror(errno));
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
    rows->file = fopen(rows->part, "w");
    if (!rows->file) {
        return fail(rows->error, "cannot write %.80s: %s", rows->part, strerror(errno));
    }
    bool ok = write_text(rows, format_line);
    for (size_t i = 0; ok && i < COLUMNS; i++) {
        ok = write_text(rows, columns[i]) &&
             write_text(rows, i + 1 < COLUMNS ? "," : "\n");
    }
    return ok;
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
    char line[4096], device[128] = "\n";
    uint64_t hash = fnv_start;
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

static bool same_device(const char *line, char *device, size_t cap)
{
    char copy[4096], *cells[COLUMNS];
    (void)snprintf(copy, sizeof copy, "%s", line);
    if (split(copy, cells) != COLUMNS) {
        return false;
    }
    if (device[0] == '\0') {
        (void)snprintf(device, cap, "%s", cells[DEVICE]);
    }
    return strcmp(device, cells[DEVICE]) == 0;
}

static bool append_part(struct nf_rows *to, const char *part, char *device, size_t cap)
{
    char line[4096];
    struct nf_rows_verdict v;
    if (!nf_rows_inspect(part, &v) || !v.complete) {
        return fail(to->error, "%.80s: %.70s", part, v.message);
    }
    FILE *file = fopen(part, "r");
    if (!file) {
        return fail(to->error, "cannot read %.80s: %s", part, strerror(errno));
    }
    bool ok = true;
    for (size_t number = 1; ok && fgets(line, sizeof line, file); number++) {
        if (number <= 2 || line[0] == '#') {
            continue;
        }
        ok = same_device(line, device, cap)
                 ? write_text(to, line)
                 : fail(to->error, "%.80s: a row of another device", part);
        to->count += ok ? 1 : 0;
    }
    (void)fclose(file);
    return ok;
}

bool nf_rows_merge(const char *name, const char *const *parts, size_t count,
                   char (*why)[NF_ROWS_TEXT])
{
    struct nf_rows to;
    char device[128] = "";
    bool open = nf_rows_open(&to, name, NULL), ok = open;
    for (size_t i = 0; ok && i < count; i++) {
        ok = append_part(&to, parts[i], device, sizeof device);
    }
    ok = ok && nf_rows_close(&to);
    if (!ok) {
        (void)snprintf(*why, sizeof *why, "%s", to.error);
        nf_rows_abandon(&to);
    }
    return ok;
}
