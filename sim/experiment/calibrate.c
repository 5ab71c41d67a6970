#include "experiment/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "experiment/calibrate_write.h"

static const struct nf_place nowhere;

/* ---- names ---- */

static char plain(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

const struct nf_device *nf_calibrate_device(const struct nf_catalog *c, const char *text)
{
    const struct nf_device *best = NULL;
    const char *const *names = nf_catalog_names(c, "devices");
    for (size_t i = 0; names[i]; i++) {
        const struct nf_device *d = nf_catalog_device(c, names[i]);
        if (nf_device_is_named(d, text) &&
            (!best || strlen(d->name) > strlen(best->name))) {
            best = d;
        }
    }
    return best;
}

/* The device that a runtime calls so, the longest name of several. */
static const struct nf_device *device_called(const struct nf_catalog *c, const char *name)
{
    const struct nf_device *best = NULL;
    const char *const *names = nf_catalog_names(c, "devices");
    for (size_t i = 0; names[i]; i++) {
        const struct nf_device *d = nf_catalog_device(c, names[i]);
        if (nf_device_is_called(d, name) &&
            (!best || strlen(d->name) > strlen(best->name))) {
            best = d;
        }
    }
    return best;
}

const struct nf_device *nf_calibrate_device_of(const struct nf_catalog *c,
                                               const char *path, struct nf_arena *arena,
                                               struct nf_diags *diags)
{
    struct nf_kernel_file f;
    if (!nf_kernel_file_is(path)) {
        const char *slash = strrchr(path, '/');
        return nf_calibrate_device(c, slash ? slash + 1 : path);
    }
    if (nf_kernel_file_read(path, arena, diags, &f) != NF_OK) {
        return NULL;
    }
    const struct nf_device *d = device_called(c, f.device);
    if (!d) {
        (void)nf_diag_add(diags, NF_E_REFERENCE,
                          (struct nf_place){path, f.csv.lines[0], 0}, "device",
                          "nearfar catalog devices lists them",
                          "the catalogue has no device called \"%.60s\"", f.device);
    }
    return d;
}

const struct nf_llm_arch *nf_calibrate_model(const struct nf_catalog *c, const char *path)
{
    const char *const *names = nf_catalog_names(c, "models");
    while (*path) {
        size_t length = strcspn(path, "/");
        for (size_t i = 0; length > 3 && names[i]; i++) {
            size_t k = 0;
            while (k < length && plain(names[i][k]) == plain(path[k])) {
                k++;
            }
            const struct nf_llm_arch *a =
                k == length ? nf_catalog_llm(c, names[i]) : NULL;
            if (a) {
                return a;
            }
        }
        path += length + (path[length] == '/');
    }
    return NULL;
}

/* ---- reading ---- */

struct work {
    const struct nf_calibrate *c;
    struct nf_arena *arena;
    struct nf_diags *diags;
    struct nf_samples *files;
    struct nf_sample **all;
    size_t count;
    bool has_kernels; /* files of nearfar-kernels */
};

/* Rows that stand in two files count twice, and a shape on both sides of the split proves nothing. */
static void check_repeated(struct work *w)
{
    for (size_t i = 1; i < w->c->file_count && w->diags->errors == 0; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(w->files[k].csv.sha256, w->files[i].csv.sha256) == 0) {
                (void)nf_csv_error(&w->files[i].csv, 0, 0, NF_E_KEY, w->diags,
                                   "row 1: the rows of \"%s\" again", w->c->files[k]);
                break;
            }
        }
    }
}

static void read_files(struct work *w)
{
    size_t total = 0;
    w->files = NF_NEW_ARRAY(w->arena, w->c->file_count, struct nf_samples);
    for (size_t i = 0; i < w->c->file_count; i++) {
        if (nf_samples_read(w->c->files[i], w->c->device, w->c->arch, w->arena, w->diags,
                            &w->files[i]) == NF_OK) {
            total += w->files[i].count;
            w->has_kernels = w->has_kernels || w->files[i].kernels != NULL;
        }
    }
    check_repeated(w);
    w->all = NF_NEW_ARRAY(w->arena, total, struct nf_sample *);
    for (size_t i = 0; i < w->c->file_count && w->diags->errors == 0; i++) {
        for (size_t k = 0; k < w->files[i].count; k++) {
            w->all[w->count++] = &w->files[i].items[k];
        }
    }
    nf_samples_split(w->all, w->count, w->arena);
}

/* ---- fitting ---- */

static bool is_of(const struct nf_sample *s, const struct nf_calibrated *k)
{
    return s->operation == k->operation &&
           (s->operation != NF_OPERATION_GEMM || s->precision == k->precision) &&
           (s->operation != NF_OPERATION_ALLREDUCE || s->ranks == k->ranks) &&
           s->which == k->which;
}

const char *nf_calibrated_name(const struct nf_calibrated *k, struct nf_arena *arena)
{
    const char *name = nf_operation_name(k->operation);
    switch (k->operation) {
    case NF_OPERATION_GEMM:
        return nf_arena_printf(arena, "%s %s", name, nf_precision_name(k->precision));
    case NF_OPERATION_ALLREDUCE:
        return nf_arena_printf(arena, "%s %u", name, k->ranks);
    case NF_OPERATION_COPY:
        return nf_arena_printf(arena, "%s %s", name, nf_copy_names[k->which]);
    case NF_OPERATION_LAUNCH:
        return nf_arena_printf(arena, "%s %s", name, nf_launch_names[k->which]);
    default:
        return name;
    }
}

static size_t usable_of(const struct work *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++) {
        n += w->all[i]->not_predicted == NULL;
    }
    return n;
}

static void fit_class(struct work *w, struct nf_calibrated class_of,
                      struct nf_calibration_fit *result)
{
    struct nf_sample **own = NF_NEW_ARRAY(w->arena, w->count, struct nf_sample *);
    size_t n = 0, usable = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (is_of(w->all[i], &class_of)) {
            own[n++] = w->all[i];
            usable += w->all[i]->not_predicted == NULL;
        }
    }
    if (usable == 0) {
        return;
    }
    struct nf_calibrated *k = &result->classes[result->class_count];
    char why[400] = "";
    *k = class_of;
    k->rows = n;
    const char *name = nf_calibrated_name(k, w->arena);
    struct nf_fit_rows rows = {own, n, w->c->device, w->has_kernels};
    if (nf_fit_curve(&rows, w->arena, &k->fit, why, sizeof why)) {
        result->class_count++;
        if (k->fit.is_at_bound) {
            nf_diag_warn(w->diags, nowhere, "",
                         "%s: an efficiency is 1: the device runs at or above its data "
                         "sheet",
                         name);
        }
    } else if (w->c->base) {
        nf_diag_warn(w->diags, nowhere, "", "%s is taken from the base: %s", name, why);
    } else if (w->has_kernels) {
        nf_diag_warn(w->diags, nowhere, "", "%s is left out: %s", name, why);
    } else {
        (void)nf_diag_add(w->diags, NF_E_IMPOSSIBLE, nowhere, "", NULL,
                          "%s cannot be fitted: %s", name, why);
    }
}

static const struct nf_curve *fitted(const struct nf_calibration_fit *r,
                                     enum nf_operation o)
{
    for (size_t i = 0; i < r->class_count; i++) {
        if (r->classes[i].operation == o) {
            return &r->classes[i].fit.curve;
        }
    }
    return NULL;
}

/* Loss of one mixed factor: sum of |ln(predicted/measured)| over the rows. */
static double mixed_loss(const struct work *w, const struct nf_calibration *k,
                         size_t *rows)
{
    double loss = 0;
    *rows = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct nf_sample *x = w->all[i];
        if (x->operation == NF_OPERATION_MIXED && !x->not_predicted && !x->is_held_out) {
            loss += fabs(log(nf_sample_s(x, w->c->device, k) / x->seconds));
            ++*rows;
        }
    }
    return loss;
}

/* mu: what decode attention costs beside a prefill, over decode attention alone without its start-up. Golden section between 0.5 and 5. */
static void fit_mixed(struct work *w, struct nf_calibration_fit *result)
{
    const struct nf_curve *prefill = fitted(result, NF_OPERATION_PREFILL);
    const struct nf_curve *decode = fitted(result, NF_OPERATION_DECODE);
    if (!prefill || !decode) {
        return;
    }
    struct nf_calibration k = {.prefill_attention = *prefill,
                               .decode_attention = *decode};
    const double shrink = 0.6180339887498949;
    double low = 0.5, high = 5;
    for (int i = 0; i < 20; i++) {
        double a = high - shrink * (high - low), b = low + shrink * (high - low);
        k.mixed_factor = a;
        double left = mixed_loss(w, &k, &result->mixed_rows);
        k.mixed_factor = b;
        double right = mixed_loss(w, &k, &result->mixed_rows);
        *(left < right ? &high : &low) = left < right ? b : a;
    }
    result->mixed_factor = result->mixed_rows > 0 ? 0.5 * (low + high) : (double)NAN;
}

static void fit_classes(struct work *w, struct nf_calibration_fit *result)
{
    for (int p = 0; p < NF_PRECISIONS; p++) {
        fit_class(w,
                  (struct nf_calibrated){.operation = NF_OPERATION_GEMM,
                                         .precision = (enum nf_precision)p},
                  result);
    }
    static const enum nf_operation one[] = {
        NF_OPERATION_PREFILL,     NF_OPERATION_DECODE,   NF_OPERATION_ENCODER,
        NF_OPERATION_ELEMENTWISE, NF_OPERATION_QUANTIZE, NF_OPERATION_CONVOLUTION};
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++) {
        fit_class(w, (struct nf_calibrated){.operation = one[i]}, result);
    }
    for (unsigned ranks = 2; ranks <= 8; ranks *= 2) {
        fit_class(
            w,
            (struct nf_calibrated){.operation = NF_OPERATION_ALLREDUCE, .ranks = ranks},
            result);
    }
    for (unsigned i = 0; i < NF_COPIES; i++) {
        fit_class(w, (struct nf_calibrated){.operation = NF_OPERATION_COPY, .which = i},
                  result);
    }
    for (unsigned i = 0; i < NF_LAUNCHES; i++) {
        fit_class(w, (struct nf_calibrated){.operation = NF_OPERATION_LAUNCH, .which = i},
                  result);
    }
    fit_mixed(w, result);
}

/* What took no part, and whether the rest can be trusted. */
static void count_left_out(struct work *w, struct nf_calibration_fit *result)
{
    const char **reasons = NF_NEW_ARRAY(w->arena, w->count, const char *);
    size_t slowed = 0;
    for (size_t i = 0; i < w->count; i++) {
        reasons[i] = w->all[i]->not_predicted;
        slowed += reasons[i] == nf_samples_slowed;
    }
    result->rows = w->count;
    result->left_out = nf_measured_count_reasons(reasons, w->count, w->arena);
    for (size_t i = 0; i < w->c->file_count; i++) {
        const struct nf_kernel_file *k = w->files[i].kernels;
        result->is_synthetic = result->is_synthetic || (k && k->is_synthetic);
        for (size_t j = 0; k && j < w->files[i].count; j++) {
            bool is_used = w->files[i].items[j].not_predicted == NULL;
            result->capped += is_used && k->rows[j].is_capped;
            result->dropped += is_used && k->rows[j].has_dropped;
        }
    }
    if (slowed > 0) {
        nf_diag_warn(
            w->diags, nowhere, "",
            "%zu of %zu rows are left out: heat or its hardware held the device back "
            "while they were measured",
            slowed, w->count);
    }
    if (result->is_synthetic) {
        nf_diag_warn(w->diags, nowhere, "",
                     "the rows say that they are synthetic: the profile is \"assumed\", "
                     "not \"measured\"");
    }
}

static const char *date_of(const struct work *w)
{
    if (w->c->date) {
        return w->c->date;
    }
    time_t newest = 0;
    for (size_t i = 0; i < w->c->file_count; i++) {
        struct stat st;
        if (stat(w->c->files[i], &st) == 0 && st.st_mtime > newest) {
            newest = st.st_mtime;
        }
    }
    struct tm t;
    char text[16] = "1970-01-01";
    if (gmtime_r(&newest, &t)) {
        (void)strftime(text, sizeof text, "%Y-%m-%d", &t);
    }
    return nf_arena_strdup(w->arena, text);
}

enum nf_status nf_calibrate_run(const struct nf_calibrate *c, struct nf_arena *arena,
                                struct nf_diags *diags, struct nf_calibration_fit *result,
                                struct nf_text *out)
{
    struct work w = {.c = c, .arena = arena, .diags = diags};
    *result = (struct nf_calibration_fit){.mixed_factor = (double)NAN};
    result->classes =
        NF_NEW_ARRAY(arena, NF_PRECISIONS + 2 * NF_OPERATIONS, struct nf_calibrated);
    read_files(&w);
    if (diags->errors > 0) {
        return nf_diags_status(diags);
    }
    count_left_out(&w, result);
    fit_classes(&w, result);
    if (result->class_count == 0 && diags->errors == 0) {
        (void)nf_diag_add(
            diags, NF_E_IMPOSSIBLE, nowhere, "", NULL,
            "no operation can be fitted: %zu rows, of which %zu could be used", w.count,
            usable_of(&w));
    }
    if (diags->errors > 0) {
        return nf_diags_status(diags);
    }
    struct nf__profile_text text = {c, arena, diags, result, w.files, date_of(&w), out};
    return nf__calibrate_write(&text);
}
