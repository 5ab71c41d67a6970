#include "perf/kernel_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

enum { BYTES_MAX = 64 * 1024 * 1024, WRONG_MAX = 20, KEYS_MAX = 24 };

#define SIZE_MAX_OF_SHAPE 1e15
/* Runtimes keep up to 8 % for themselves (L4 with ECC: 23.7 of 25.8 GB); an H100 NVL has 17 % more than an H100. */
#define MEMORY_TOLERANCE 0.1

static const struct nf_place nowhere;
static const char format_line[] = "# nearfar-kernels measurements 1\n";
static const char format_start[] = "# nearfar-kernels measurements ";
static const char end_start[] = "# end rows=";

enum column {
    KIND,
    OP,
    VERSION,
    DTYPE,
    SHAPE,
    CACHE,
    SAMPLES,
    MEDIAN,
    Q1,
    Q3,
    FLOP,
    BYTES,
    TFLOPS,
    GBPS,
    FLAGS,
    DEVICE,
    PROCESSORS,
    MEMORY,
    DRIVER,
    TOOLKIT,
    CODE,
    COLUMNS
};

static const char *const names[COLUMNS] = {[KIND] = "kind",
                                           [OP] = "op",
                                           [VERSION] = "version",
                                           [DTYPE] = "dtype",
                                           [SHAPE] = "shape",
                                           [CACHE] = "cache",
                                           [SAMPLES] = "samples",
                                           [MEDIAN] = "median_us",
                                           [Q1] = "q1_us",
                                           [Q3] = "q3_us",
                                           [FLOP] = "flop",
                                           [BYTES] = "bytes",
                                           [TFLOPS] = "tflops",
                                           [GBPS] = "gbps",
                                           [FLAGS] = "flags",
                                           [DEVICE] = "device",
                                           [PROCESSORS] = "sm_count",
                                           [MEMORY] = "mem_bytes",
                                           [DRIVER] = "driver",
                                           [TOOLKIT] = "toolkit",
                                           [CODE] = "code"};

struct reader {
    struct nf_kernel_file *f;
    struct nf_arena *arena;
    struct nf_diags *diags;
    int column[COLUMNS];
    int errors; /* before this file */
};

static bool has_room(const struct reader *r)
{
    return r->diags->errors - r->errors < WRONG_MAX;
}

static const char *cell(const struct reader *r, size_t row, enum column c)
{
    return nf_csv_cell(&r->f->csv, row, r->column[c]);
}

/* ---- first and last line ---- */

bool nf_kernel_file_is(const char *path)
{
    char start[sizeof format_start] = "";
    struct stat st;
    /* A pipe could be read only once. */
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    if (!f) {
        return false;
    }
    size_t n = fread(start, 1, sizeof start - 1, f);
    (void)fclose(f);
    return n == sizeof start - 1 && strcmp(start, format_start) == 0;
}

static uint64_t fnv(const char *text, size_t n)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static int count_of(const char *from, const char *end, char c)
{
    int n = 0;
    for (; from < end; from++) {
        n += *from == c;
    }
    return n;
}

/* The file stops without its last line: after a whole row, or inside one. */
static enum nf_status say_cut_off(const struct reader *r, const char *text, size_t length)
{
    const char *end = text + length;
    int lines = count_of(text, end, '\n'); /* the first two are no rows */
    static const char hint[] = "measure again, or copy the whole file";
    if (length > 0 && end[-1] == '\n') {
        return nf_diag_add(r->diags, NF_E_SYNTAX,
                           (struct nf_place){r->f->csv.file, lines, 0}, "", hint,
                           "the file ends after row %d without its last line \"%s...\": "
                           "it is incomplete",
                           lines > 2 ? lines - 2 : 0, end_start);
    }
    const char *start = end;
    while (start > text && start[-1] != '\n') {
        start--;
    }
    const char *header = strchr(text, '\n');
    const char *header_end = header ? strchr(header + 1, '\n') : NULL;
    int columns = header_end ? count_of(header, header_end, ',') + 1 : COLUMNS;
    return nf_diag_add(
        r->diags, NF_E_SYNTAX, (struct nf_place){r->f->csv.file, lines + 1, 0}, "", hint,
        "row %d is cut off after %d of %d columns, and the last line \"%s...\" is "
        "missing: the file is incomplete",
        lines - 1, count_of(start, end, ',') + 1, columns, end_start);
}

/* Where the table ends; NULL when the file is not whole. */
static const char *find_end(const struct reader *r, const char *text, size_t length)
{
    const char *end = text + length, *last = end;
    if (length > 0 && end[-1] == '\n') {
        last--;
    }
    while (last > text && last[-1] != '\n') {
        last--;
    }
    if (strncmp(last, end_start, sizeof end_start - 1) != 0) {
        (void)say_cut_off(r, text, length);
        return NULL;
    }
    int lines = count_of(text, last, '\n');
    char expected[96];
    int n = snprintf(expected, sizeof expected, "%s%d fnv1a=%016" PRIx64 "\n", end_start,
                     lines - 2, fnv(text, (size_t)(last - text)));
    if ((size_t)(end - last) != (size_t)n || strncmp(last, expected, (size_t)n) != 0) {
        (void)nf_diag_add(r->diags, NF_E_SYNTAX,
                          (struct nf_place){r->f->csv.file, lines + 1, 0}, "",
                          "measure again; a file of measurements is not edited",
                          "the last line does not fit the %d rows before it: the file "
                          "was changed after "
                          "it was written",
                          lines - 2);
        return NULL;
    }
    return last;
}

static bool read_table(struct reader *r, const char *path)
{
    struct nf_file_bytes bytes;
    size_t first = sizeof format_line - 1;
    r->f->csv.file = path;
    if (nf_file_read(path, BYTES_MAX, nowhere, r->arena, r->diags, &bytes) != NF_OK) {
        return false;
    }
    const char *text = bytes.data;
    size_t length = bytes.length;
    struct nf_sha256 hash;
    nf_sha256_init(&hash);
    nf_sha256_add(&hash, text, length);
    nf_sha256_hex(&hash, r->f->csv.sha256);
    if (length < first || strncmp(text, format_line, first) != 0) {
        (void)nf_diag_add(r->diags, NF_E_SYNTAX, (struct nf_place){path, 1, 0}, "",
                          "nearfar-kernels run -o FILE.csv writes such files",
                          "expected \"%.*s\"", (int)first - 1, format_line);
        return false;
    }
    const char *end = find_end(r, text, length);
    return end && nf_csv_parse(text + first, (size_t)(end - text) - first, 2, r->arena,
                               r->diags, &r->f->csv) == NF_OK;
}

static bool find_columns(struct reader *r)
{
    bool ok = true;
    for (int c = 0; c < COLUMNS; c++) {
        r->column[c] = nf_csv_column(&r->f->csv, names[c]);
        if (r->column[c] < 0) {
            const char *near = nf_text_nearest(names[c], r->f->csv.names);
            (void)nf_diag_add(
                r->diags, NF_E_KEY, (struct nf_place){r->f->csv.file, 2, 0}, names[c],
                near ? nf_arena_printf(r->arena, "there is a column \"%.40s\"", near)
                     : NULL,
                "the column is missing");
            ok = false;
        }
    }
    return ok;
}

/* ---- rows ---- */

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += n) {
        bool begins = at == words || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* An empty cell: NAN. */
static bool number(struct reader *r, size_t row, enum column c, double low, double *out)
{
    *out = (double)NAN;
    return cell(r, row, c)[0] == '\0' ||
           nf_csv_number(&r->f->csv, row, r->column[c], (struct nf_csv_range){low, 1e30},
                         r->diags, out);
}

/* The rate that the writer worked out must be amount over time. */
static void check_rate(struct reader *r, size_t row, enum column rate_column,
                       double amount, double unit)
{
    double rate, s = r->f->rows[row].seconds;
    if (number(r, row, rate_column, 0, &rate) && rate > 0 && amount > 0 &&
        !(fabs(amount / s / unit / rate - 1) < 0.01)) {
        (void)nf_csv_error(
            &r->f->csv, row, r->column[MEDIAN], NF_E_RANGE, r->diags,
            "row %zu: %.4g us contradict %s = %.4g, which would be %.4g us; "
            "microseconds are expected",
            row + 1, s * 1e6, names[rate_column], rate, amount / rate / unit * 1e6);
    }
}

/* The value of one key: a word, or a size. */
static bool is_size_wrong(const char *value, size_t n)
{
    char text[32];
    double x;
    if (n >= sizeof text) {
        return false;
    }
    memcpy(text, value, n);
    text[n] = '\0';
    return nf_text_double(text, &x) &&
           !(x >= 0 && x <= SIZE_MAX_OF_SHAPE && floor(x) == x);
}

/* "key=value" with one blank between, no key twice; adds up what it is whatever their order. */
static void check_shape(struct reader *r, size_t row)
{
    struct nf_kernel_row *k = &r->f->rows[row];
    const char *keys[KEYS_MAX], *at = k->shape;
    size_t lengths[KEYS_MAX];
    int count = 0;
    const char *wrong = NULL;
    enum nf_status status = NF_E_SYNTAX;
    while (*k->shape && !wrong) {
        size_t n = strcspn(at, " "), key = strcspn(at, "= ");
        if (key == 0 || at[key] != '=' || key + 1 == n || count == KEYS_MAX) {
            wrong = "expected key=value with one blank between";
            break;
        }
        for (int i = 0; i < count && !wrong; i++) {
            wrong = lengths[i] == key && strncmp(keys[i], at, key) == 0
                        ? "a key stands twice"
                        : NULL;
            status = wrong ? NF_E_KEY : status;
        }
        if (!wrong && is_size_wrong(at + key + 1, n - key - 1)) {
            wrong = "a size is a whole number from 0 to 1e15";
            status = NF_E_RANGE;
        }
        keys[count] = at;
        lengths[count++] = key;
        k->shape_hash += nf_hash_mix(0, fnv(at, n));
        at += n;
        if (*at == '\0') {
            break;
        }
        at++;
    }
    if (wrong) {
        (void)nf_csv_error(&r->f->csv, row, r->column[SHAPE], status, r->diags,
                           "row %zu: %s, found \"%.80s\"", row + 1, wrong, k->shape);
    }
}

/* The median lies between its quartiles, and is one of several samples. */
static bool check_spread(struct reader *r, size_t row, double median)
{
    double low, high, samples;
    double least = r->f->rows[row].is_load ? 1 : 2;
    if (!number(r, row, Q1, 0, &low) || !number(r, row, Q3, 0, &high) ||
        !nf_csv_number(&r->f->csv, row, r->column[SAMPLES],
                       (struct nf_csv_range){least, 1e9}, r->diags, &samples)) {
        return false;
    }
    if (low > median || high < median) {
        (void)nf_csv_error(&r->f->csv, row, r->column[low > median ? Q1 : Q3], NF_E_RANGE,
                           r->diags,
                           "row %zu: the median, %.6g us, is not between the quartiles "
                           "%.6g and %.6g",
                           row + 1, median, low, high);
        return false;
    }
    return true;
}

static void read_row(struct reader *r, size_t i)
{
    struct nf_kernel_row *k = &r->f->rows[i];
    const char *flags = cell(r, i, FLAGS), *kind = cell(r, i, KIND);
    double median = (double)NAN;
    *k = (struct nf_kernel_row){.op = cell(r, i, OP),
                                .version = cell(r, i, VERSION),
                                .dtype = cell(r, i, DTYPE),
                                .shape = cell(r, i, SHAPE),
                                .cache = cell(r, i, CACHE),
                                .is_composed = strcmp(kind, "composed") == 0,
                                .is_load = strcmp(kind, "load") == 0,
                                .is_throttled = has_word(flags, "throttled"),
                                .is_capped = has_word(flags, "power_cap"),
                                .has_dropped = has_word(flags, "clock_drop"),
                                .is_resident = has_word(flags, "l2_resident")};
    check_shape(r, i);
    k->is_hot = strcmp(k->cache, "hot") == 0;
    r->f->is_synthetic = r->f->is_synthetic || has_word(flags, "synthetic");
    if (!k->is_composed && !k->is_load && strcmp(kind, "op") != 0) {
        (void)nf_csv_error(&r->f->csv, i, r->column[KIND], NF_E_REFERENCE, r->diags,
                           "row %zu: unknown kind \"%.40s\": op, composed or load", i + 1,
                           kind);
    }
    bool ok = nf_csv_number(&r->f->csv, i, r->column[MEDIAN],
                            (struct nf_csv_range){1e-3, 1e10}, r->diags, &median);
    ok = check_spread(r, i, median) && ok;
    ok = number(r, i, FLOP, 0, &k->flop) && number(r, i, BYTES, 0, &k->bytes) && ok;
    if (ok) {
        k->seconds = median * 1e-6;
        check_rate(r, i, TFLOPS, k->flop, 1e12);
        check_rate(r, i, GBPS, k->bytes, 1e9);
    }
}

static const char *one_name(struct reader *r, enum column c)
{
    const char *first = cell(r, 0, c);
    for (size_t i = 1; i < r->f->csv.rows && has_room(r); i++) {
        if (strcmp(cell(r, i, c), first) != 0) {
            (void)nf_csv_error(
                &r->f->csv, i, r->column[c], NF_E_REFERENCE, r->diags,
                "row %zu: \"%.60s\", but row 1 has \"%.60s\": one file is of "
                "one device and one build",
                i + 1, cell(r, i, c), first);
            break;
        }
    }
    return first;
}

static void read_facts(struct reader *r)
{
    struct nf_kernel_file *f = r->f;
    f->device = one_name(r, DEVICE);
    f->driver = one_name(r, DRIVER);
    f->toolkit = one_name(r, TOOLKIT);
    f->code = one_name(r, CODE);
    static const enum column facts[] = {DRIVER, TOOLKIT, CODE};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        if (cell(r, 0, facts[i])[strspn(cell(r, 0, facts[i]), " ")] == '\0') {
            (void)nf_csv_error(&f->csv, 0, r->column[facts[i]], NF_E_KEY, r->diags,
                               "row 1: it does not say with which %s it was measured",
                               names[facts[i]]);
        }
    }
    (void)number(r, 0, PROCESSORS, 1, &f->multiprocessors);
    (void)number(r, 0, MEMORY, 1, &f->memory_bytes);
    if (f->device[0] == '\0' || strstr(f->device, "mulat") != NULL) {
        (void)nf_csv_error(
            &f->csv, 0, r->column[DEVICE], NF_E_REFERENCE, r->diags,
            "\"%.60s\" is no device: the emulator checks kernels, its times "
            "mean nothing",
            f->device);
    }
}

struct key {
    uint64_t hash;
    size_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

static uint64_t identity(const struct reader *r, size_t row)
{
    static const enum column words[] = {KIND, OP, VERSION, DTYPE, CACHE};
    uint64_t h = r->f->rows[row].shape_hash;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        h = nf_hash_mix(h, nf_hash_name(cell(r, row, words[i])));
    }
    return h;
}

static void check_twice(struct reader *r)
{
    size_t n = r->f->csv.rows;
    struct key *keys = NF_NEW_ARRAY(r->arena, n, struct key);
    for (size_t i = 0; i < n; i++) {
        keys[i] = (struct key){identity(r, i), i};
    }
    qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 1; i < n && has_room(r); i++) {
        if (keys[i].hash == keys[i - 1].hash) {
            (void)nf_csv_error(&r->f->csv, keys[i].row, r->column[SHAPE], NF_E_KEY,
                               r->diags, "row %zu: the measurement of row %zu again",
                               keys[i].row + 1, keys[i - 1].row + 1);
        }
    }
}

enum nf_status nf_kernel_file_read(const char *path, struct nf_arena *arena,
                                   struct nf_diags *diags, struct nf_kernel_file *out)
{
    struct reader r = {.f = out, .arena = arena, .diags = diags, .errors = diags->errors};
    *out = (struct nf_kernel_file){.multiprocessors = (double)NAN};
    if (!read_table(&r, path) || !find_columns(&r)) {
        return nf_diags_status(diags);
    }
    if (out->csv.rows == 0) {
        return nf_diag_add(diags, NF_E_SYNTAX, (struct nf_place){path, 2, 0}, "", NULL,
                           "the file holds no row");
    }
    out->rows = NF_NEW_ARRAY(arena, out->csv.rows, struct nf_kernel_row);
    for (size_t i = 0; i < out->csv.rows && has_room(&r); i++) {
        read_row(&r, i);
    }
    read_facts(&r);
    if (diags->errors == r.errors) {
        check_twice(&r);
    }
    return diags->errors == r.errors ? NF_OK : nf_diags_status(diags);
}

enum nf_status nf_kernel_file_check_device(const struct nf_kernel_file *f,
                                           const struct nf_device *d,
                                           struct nf_diags *diags)
{
    struct nf_place place = {f->csv.file, f->csv.lines[0], 0};
    if (!nf_device_is_called(d, f->device)) {
        return nf_diag_add(diags, NF_E_REFERENCE, place, "device", NULL,
                           "measured on \"%.60s\", which is not %s", f->device, d->name);
    }
    if (!(fabs(f->multiprocessors - d->multiprocessors) <= 0.5)) {
        return nf_diag_add(
            diags, NF_E_IMPOSSIBLE, place, "sm_count", NULL,
            "measured on %.0f multiprocessors, %s has %.0f: a part of one, "
            "or another variant",
            f->multiprocessors, d->name, d->multiprocessors);
    }
    if (!(fabs(f->memory_bytes / d->memory_bytes - 1) <= MEMORY_TOLERANCE)) {
        return nf_diag_add(diags, NF_E_IMPOSSIBLE, place, "mem_bytes", NULL,
                           "measured with %.1f GB of memory, %s has %.1f GB: another "
                           "variant",
                           f->memory_bytes / 1e9, d->name, d->memory_bytes / 1e9);
    }
    return NF_OK;
}

/* ---- shapes ---- */

static const char *find_key(const char *shape, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = shape; (at = strstr(at, key)) != NULL; at += n) {
        if ((at == shape || at[-1] == ' ') && at[n] == '=') {
            return at + n + 1;
        }
    }
    return NULL;
}

const char *nf_kernel_word(const struct nf_kernel_row *r, const char *key,
                           struct nf_arena *arena)
{
    const char *at = find_key(r->shape, key);
    return at ? nf_arena_strndup(arena, at, strcspn(at, " ")) : NULL;
}

bool nf_kernel_number(const struct nf_kernel_row *r, const char *key, double *out)
{
    char text[32];
    const char *at = find_key(r->shape, key);
    size_t n = at ? strcspn(at, " ") : sizeof text;
    if (n >= sizeof text) {
        return false;
    }
    memcpy(text, at, n);
    text[n] = '\0';
    return nf_text_double(text, out) && *out >= 0;
}
