#include "experiment/calibrate_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/units.h"

enum { BASE_BYTES_MAX = 1 << 20 };

static const struct nf_place nowhere;

/* The top-level keys of the classes, in the order of a profile. */
static const char *key_of(enum nf_operation o)
{
    switch (o) {
    case NF_OPERATION_GEMM:
        return "gemm";
    case NF_OPERATION_PREFILL:
        return "prefill_attention";
    case NF_OPERATION_DECODE:
        return "decode_attention";
    case NF_OPERATION_ENCODER:
        return "encoder_attention";
    case NF_OPERATION_ALLREDUCE:
        return "allreduce";
    case NF_OPERATION_ELEMENTWISE:
        return "elementwise";
    case NF_OPERATION_QUANTIZE:
        return "quantize";
    case NF_OPERATION_CONVOLUTION:
        return "convolution";
    case NF_OPERATION_COPY:
        return "pcie";
    case NF_OPERATION_LAUNCH:
        return "launch";
    default:
        return "mixed_factor";
    }
}

static bool is_fitted(const struct nf__profile_text *t, const char *key)
{
    for (size_t i = 0; i < t->result->class_count; i++) {
        if (strcmp(key_of(t->result->classes[i].operation), key) == 0) {
            return true;
        }
    }
    return strcmp(key, "mixed_factor") == 0 && !isnan(t->result->mixed_factor);
}

static const char *quantity(double value, enum nf_dimension dimension, char buf[64])
{
    if (dimension == NF_DIM_NONE) {
        snprintf(buf, 64, "%.4g", value);
    } else if (dimension == NF_DIM_BANDWIDTH) {
        snprintf(buf, 64, "%.4gGB/s", value / 1e9);
    } else if (dimension == NF_DIM_TIME && value < 1e-9) {
        snprintf(buf, 64, "0us");
    } else {
        nf_units_format(value, dimension, false, buf, 64);
        char *blank = strchr(buf, ' ');
        if (blank) {
            memmove(blank, blank + 1, strlen(blank));
        }
    }
    return buf;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_of_class(const struct nf_sample *s, const struct nf_calibrated *k)
{
    return s->operation == k->operation &&
           (k->operation != NF_OPERATION_GEMM || s->precision == k->precision) &&
           (k->operation != NF_OPERATION_ALLREDUCE || s->ranks == k->ranks) &&
           s->which == k->which;
}

/* Does the file hold rows of this class? */
static bool holds(const struct nf_samples *f, const struct nf_calibrated *k)
{
    for (size_t i = 0; i < f->count; i++) {
        if (is_of_class(&f->items[i], k) && !f->items[i].not_predicted) {
            return true;
        }
    }
    return false;
}

/* In which state the device was for rows of this class. */
static void add_states(struct nf_text *out, const struct nf_samples *f,
                       const struct nf_calibrated *k)
{
    size_t capped = 0, dropped = 0, slowed = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (!k || is_of_class(&f->items[i], k)) {
            bool is_used = f->items[i].not_predicted == NULL;
            capped += is_used && f->kernels->rows[i].is_capped;
            dropped += is_used && f->kernels->rows[i].has_dropped;
            slowed += f->items[i].not_predicted == nf_samples_slowed;
        }
    }
    if (capped > 0) {
        nf_text_printf(out, "; %zu of this class at the power cap", capped);
    }
    if (dropped > 0) {
        nf_text_printf(out, "; %zu without samples at another clock", dropped);
    }
    if (slowed > 0) {
        nf_text_printf(out, "; %zu left out, held back by heat or hardware", slowed);
    }
}

/* A cell of a file inside quotes. */
static void add_plain(struct nf_text *out, const char *s)
{
    for (; *s; s++) {
        char c[2] = {*s, '\0'};
        nf_text_add(out, *s == '"' || *s == '\\' || (*s >= 0 && *s < ' ') ? " " : c);
    }
}

/* A source a class: the files that it was fitted to. */
static void add_source(const struct nf__profile_text *t, const char *name,
                       const struct nf_calibrated *k)
{
    nf_text_printf(t->out, "  %s: {date: %s, text: \"", name, t->date);
    if (t->c->source) {
        nf_text_printf(t->out, "%s: ", t->c->source);
    }
    bool is_first = true;
    for (size_t i = 0; i < t->c->file_count; i++) {
        if (k && !holds(&t->files[i], k)) {
            continue;
        }
        const struct nf_kernel_file *m = t->files[i].kernels;
        nf_text_printf(t->out, "%s%s (sha256 %s, %zu rows", is_first ? "" : ", ",
                       base_name(t->c->files[i]), t->files[i].csv.sha256,
                       t->files[i].count);
        if (m) {
            nf_text_add(t->out, "; ");
            add_plain(t->out, m->device);
            nf_text_add(t->out, ", driver ");
            add_plain(t->out, m->driver);
            nf_text_add(t->out, ", CUDA ");
            add_plain(t->out, m->toolkit);
            nf_text_add(t->out, ", nearfar-kernels ");
            add_plain(t->out, m->code);
            add_states(t->out, &t->files[i], k);
        }
        nf_text_add(t->out, ")");
        is_first = false;
    }
    nf_text_add(t->out, "\"}\n");
}

static const char *source_name(const struct nf_calibrated *k, char buf[64])
{
    if (k->operation == NF_OPERATION_GEMM) {
        snprintf(buf, 64, "rows-gemm-%s", nf_precision_name(k->precision));
    } else if (k->operation == NF_OPERATION_ALLREDUCE) {
        snprintf(buf, 64, "rows-allreduce-%u", k->ranks);
    } else if (k->operation == NF_OPERATION_COPY) {
        snprintf(buf, 64, "rows-copy-%s", nf_copy_names[k->which]);
    } else if (k->operation == NF_OPERATION_LAUNCH) {
        snprintf(buf, 64, "rows-launch-%s", nf_launch_names[k->which]);
    } else {
        snprintf(buf, 64, "rows-%s", nf_operation_name(k->operation));
    }
    return buf;
}

static const char *origin_of(const struct nf__profile_text *t)
{
    return t->result->is_synthetic ? "assumed" : t->c->source ? "published" : "measured";
}

/* Classes with one entry a precision, a number of devices, a direction or a way stand under a common key. */
static bool is_block(enum nf_operation o)
{
    return o == NF_OPERATION_GEMM || o == NF_OPERATION_ALLREDUCE ||
           o == NF_OPERATION_COPY || o == NF_OPERATION_LAUNCH;
}

/* Of one entry of a block. */
static const char *entry_name(const struct nf_calibrated *k, char buf[64])
{
    switch (k->operation) {
    case NF_OPERATION_GEMM:
        return nf_precision_name(k->precision);
    case NF_OPERATION_COPY:
        return nf_copy_names[k->which];
    case NF_OPERATION_LAUNCH:
        return nf_launch_names[k->which];
    default:
        snprintf(buf, 64, "%u", k->ranks);
        return buf;
    }
}

static void add_class(const struct nf__profile_text *t, const struct nf_calibrated *k)
{
    char buf[64];
    size_t n = 0;
    const struct nf_parameter *p = nf_parameters(k->operation, &n);
    struct nf_curve curve = k->fit.curve;
    if (k->operation == NF_OPERATION_ALLREDUCE) {
        nf_text_printf(t->out, "  \"%u\": {", k->ranks);
    } else if (is_block(k->operation)) {
        nf_text_printf(t->out, "  %s: {", entry_name(k, buf));
    } else {
        nf_text_printf(t->out, "%s: {", key_of(k->operation));
    }
    for (size_t i = 0; i < n; i++) {
        double v = *nf_parameter_of(&curve, &p[i]);
        if (v > 0 || !p[i].is_optional) {
            nf_text_printf(t->out, "%s: %s, ", p[i].key,
                           quantity(v, p[i].dimension, buf));
        }
    }
    const struct nf_error *e = &k->fit.held_out, *f = &k->fit.fitted;
    if (e->rows > 0) {
        nf_text_printf(t->out, "error_median: %.1f%%, error_p90: %.1f%%, ",
                       100 * e->median, 100 * e->p90);
    }
    nf_text_printf(t->out, "shortest: %s, ",
                   quantity(k->fit.shortest_s, NF_DIM_TIME, buf));
    nf_text_printf(t->out, "longest: %s, rows: %zu, ",
                   quantity(k->fit.longest_s, NF_DIM_TIME, buf),
                   k->fit.fitted.rows + e->rows);
    nf_text_printf(t->out, "origin: %s, source: %s, note: \"", origin_of(t),
                   source_name(k, buf));
    nf_text_printf(
        t->out,
        "fitted to %zu rows of %zu shapes, there with errors of %.1f %% (median) "
        "and %.1f %% (P90); ",
        f->rows, k->fit.sites, 100 * f->median, 100 * f->p90);
    if (e->rows > 0) {
        nf_text_printf(t->out, "errors on %zu rows of %zu other shapes\"}\n", e->rows,
                       k->fit.held_out_sites);
    } else {
        nf_text_add(t->out, "no other shape to hold out\"}\n");
    }
}

static bool has_entry(const struct nf__profile_text *t, enum nf_operation o,
                      const char *name, size_t length)
{
    char buf[64];
    for (size_t i = 0; i < t->result->class_count; i++) {
        const struct nf_calibrated *k = &t->result->classes[i];
        const char *own = k->operation == o ? entry_name(k, buf) : "";
        if (strlen(own) == length && strncmp(own, name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Entries of the base's block that were not fitted anew: one line each, as this file writes them. */
static void add_rest_of_block(const struct nf__profile_text *t, const char *base,
                              enum nf_operation o)
{
    char key[32];
    snprintf(key, sizeof key, "\n%s:", key_of(o));
    const char *line = strstr(base, key);
    line = line ? strchr(line + 1, '\n') : NULL;
    while (line && line[1] == ' ') {
        const char *name = line + 1 + strspn(line + 1, " \"");
        size_t length = strcspn(name, "\":\n"), whole = strcspn(line + 1, "\n") + 1;
        if (*name != '#' && !has_entry(t, o, name, length)) {
            nf_text_add_n(t->out, line + 1, whole);
        }
        line = strchr(line + 1, '\n');
    }
}

static void add_fitted(const struct nf__profile_text *t, const char *base)
{
    enum nf_operation before = NF_OPERATIONS;
    for (size_t i = 0; i < t->result->class_count; i++) {
        const struct nf_calibrated *k = &t->result->classes[i];
        if (k->operation != before &&
            (is_block(k->operation) || before == NF_OPERATIONS || is_block(before))) {
            nf_text_add(t->out, "\n");
        }
        if (k->operation != before && is_block(k->operation)) {
            nf_text_printf(t->out, "%s:\n", key_of(k->operation));
        }
        before = k->operation;
        add_class(t, k);
        bool is_last = i + 1 == t->result->class_count || k[1].operation != k->operation;
        if (base && is_last && is_block(k->operation)) {
            add_rest_of_block(t, base, k->operation);
        }
    }
    if (!isnan(t->result->mixed_factor)) {
        nf_text_printf(
            t->out,
            "\n# Decode attention inside a step that also prefills, over decode "
            "attention alone.\nmixed_factor: {value: %.3g, origin: %s, source: "
            "rows-mixed, note: \"least absolute log residuals of %zu rows\"}\n",
            t->result->mixed_factor, origin_of(t), t->result->mixed_rows);
    }
}

/* ---- what the base profile knows besides ---- */

/* The end of the block that starts at `s`: the next line that starts in the first column with something else than a blank line or an
 * indented one; comments before a key belong to the key. */
static const char *block_end(const char *s)
{
    const char *line = strchr(s, '\n');
    while (line && (line[1] == ' ' || line[1] == '\n')) {
        line = strchr(line + 1, '\n');
    }
    return line && line[1] ? line + 1 : s + strlen(s);
}

static void copy_block(const struct nf__profile_text *t, const char *from,
                       const char *end)
{
    while (end > from && end[-1] == '\n') {
        end--;
    }
    nf_text_add_n(t->out, from, (size_t)(end - from));
    nf_text_add(t->out, "\n");
}

/* Top-level blocks of the base that `wanted` accepts; comments travel with the key below them. */
static void copy_blocks(const struct nf__profile_text *t, const char *text,
                        bool is_sources)
{
    static const char *const own[] = {"format", "device", "about"};
    const char *comment = NULL;
    while (*text) {
        const char *end = block_end(text);
        if (*text == '#') {
            comment = comment ? comment : text;
            text = end;
            continue;
        }
        size_t length = strcspn(text, ":");
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)(length < 63 ? length : 63), text);
        bool is_own = false;
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
            is_own = is_own || strcmp(key, own[i]) == 0;
        }
        if (strcmp(key, "sources") == 0) {
            if (is_sources) {
                copy_block(t, strchr(text, '\n') + 1, end);
            }
        } else if (!is_sources && !is_own && !is_fitted(t, key)) {
            nf_text_add(t->out, "\n");
            copy_block(t, comment ? comment : text, end);
        }
        comment = NULL;
        text = end;
    }
}

/* Is this line the source of a class that was fitted anew? */
static bool is_replaced(const struct nf__profile_text *t, const char *line)
{
    char buf[64];
    while (*line == ' ') {
        line++;
    }
    size_t n = strcspn(line, ":");
    for (size_t i = 0; i < t->result->class_count; i++) {
        const char *name = source_name(&t->result->classes[i], buf);
        if (strlen(name) == n && strncmp(line, name, n) == 0) {
            return true;
        }
    }
    return !isnan(t->result->mixed_factor) && nf_text_starts_with(line, "rows-mixed:");
}

static void copy_sources(const struct nf__profile_text *t, const char *text)
{
    size_t start = t->out->length;
    copy_blocks(t, text, true);
    char *from = t->out->data + start, *to = from;
    while (*from) {
        size_t length = strcspn(from, "\n") + 1;
        if (!is_replaced(t, from)) {
            memmove(to, from, length);
            to += length;
        }
        from += length;
    }
    *to = '\0';
    t->out->length = (size_t)(to - t->out->data);
}

enum nf_status nf__calibrate_write(const struct nf__profile_text *t)
{
    struct nf_file_bytes file = {NULL, 0};
    char buf[64];
    if (t->c->base) {
        enum nf_status s =
            nf_file_read(t->c->base, BASE_BYTES_MAX, nowhere, t->arena, t->diags, &file);
        if (s != NF_OK) {
            return s;
        }
    }
    const char *base = file.data;
    nf_text_printf(
        t->out,
        "# Constants of %s, fitted by `nearfar %s`: least squares of log residuals, soft "
        "L1 "
        "loss (0.05), every second shape\n# held out. README.md tells what they mean, "
        "sim/perf/operator.h has the formulas.\nformat: 1\ndevice: %s\n",
        t->c->device->name, t->c->verb ? t->c->verb : "calibrate fit",
        t->c->device->name);
    const char *about = base ? strstr(base, "\nabout:") : NULL;
    if (about) {
        nf_text_add_n(t->out, about + 1, strcspn(about + 1, "\n"));
    } else {
        nf_text_printf(t->out, "about: \"%s\"", t->c->device->name);
    }
    nf_text_add(t->out, "\n\nsources:\n");
    for (size_t i = 0; i < t->result->class_count; i++) {
        add_source(t, source_name(&t->result->classes[i], buf), &t->result->classes[i]);
    }
    if (!isnan(t->result->mixed_factor)) {
        add_source(t, "rows-mixed", NULL);
    }
    if (base) {
        copy_sources(t, base);
    }
    add_fitted(t, base);
    if (base) {
        copy_blocks(t, base, false);
    } else if (is_fitted(t, "prefill_attention") && isnan(t->result->mixed_factor)) {
        nf_text_add(t->out,
                    "\nmixed_factor: {value: 1.2, origin: assumed, source: rows-prefill, "
                    "note: \"not measured; as on the cards where it was\"}\n");
    }
    return NF_OK;
}
