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

/* Whether `text` starts with `name`, case and - or _ aside, and the name's last word ends there. */
static bool starts_with_name(const char *text, const char *name)
{
    while (*name && plain(*text) == plain(*name)) {
        text++;
        name++;
    }
    return *name == '\0' && (*text == '\0' || strchr("_-. /", *text) != NULL);
}

const struct nf_device *nf_calibrate_device(const struct nf_catalog *c, const char *text)
{
    const char *best = NULL;
    const char *const *names = nf_catalog_names(c, "devices");
    for (size_t i = 0; names[i]; i++) {
        if (starts_with_name(text, names[i]) &&
            (!best || strlen(names[i]) > strlen(best))) {
            best = names[i];
        }
    }
    return best ? nf_catalog_device(c, best) : NULL;
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
};

static void read_files(struct work *w)
{
    size_t total = 0;
    w->files = NF_NEW_ARRAY(w->arena, w->c->file_count, struct nf_samples);
    for (size_t i = 0; i < w->c->file_count; i++) {
        if (nf_samples_read(w->c->files[i], w->c->device, w->c->arch, w->arena, w->diags,
                            &w->files[i]) == NF_OK) {
            total += w->files[i].count;
        }
    }
    w->all = NF_NEW_ARRAY(w->arena, total, struct nf_sample *);
    for (size_t i = 0; i < w->c->file_count && w->diags->errors == 0; i++) {
        for (size_t k = 0; k < w->files[i].count; k++) {
            w->all[w->count++] = &w->files[i].items[k];
        }
    }
    nf_samples_split(w->all, w->count, w->arena);
}

/* ---- fitting ---- */

static void fit_class(struct work *w, enum nf_operation o, enum nf_precision p,
                      struct nf_calibration_fit *result)
{
    struct nf_sample **own = NF_NEW_ARRAY(w->arena, w->count, struct nf_sample *);
    size_t n = 0, usable = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->all[i]->operation == o &&
            (o != NF_OPERATION_GEMM || w->all[i]->precision == p)) {
            own[n++] = w->all[i];
            usable += w->all[i]->not_predicted == NULL;
        }
    }
    if (usable == 0) {
        return;
    }
    struct nf_calibrated *k = &result->classes[result->class_count];
    char why[400] = "";
    *k = (struct nf_calibrated){.operation = o, .precision = p, .rows = n};
    if (nf_fit_curve(own, n, w->c->device, w->arena, &k->fit, why, sizeof why)) {
        result->class_count++;
        if (k->fit.is_at_bound) {
            nf_diag_warn(w->diags, nowhere, "",
                         "%s%s%s: an efficiency is 1: the device runs at or above its "
                         "data sheet",
                         nf_operation_name(o), o == NF_OPERATION_GEMM ? " " : "",
                         o == NF_OPERATION_GEMM ? nf_precision_name(p) : "");
        }
    } else if (w->c->base) {
        nf_diag_warn(w->diags, nowhere, "", "%s is taken from the base: %s",
                     nf_operation_name(o), why);
    } else {
        (void)nf_diag_add(w->diags, NF_E_IMPOSSIBLE, nowhere, "", NULL,
                          "%s cannot be fitted: %s", nf_operation_name(o), why);
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

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* mu: what decode attention adds to a prefill, over decode attention alone without its start-up; the median of the rows. */
static void fit_mixed(struct work *w, struct nf_calibration_fit *result)
{
    const struct nf_curve *prefill = fitted(result, NF_OPERATION_PREFILL);
    const struct nf_curve *decode = fitted(result, NF_OPERATION_DECODE);
    double *ratio = NF_NEW_ARRAY(w->arena, w->count, double);
    size_t n = 0;
    struct nf_silicon s = nf_silicon_of(w->c->device, nf_device_half(w->c->device));
    for (size_t i = 0; i < w->count && prefill && decode; i++) {
        const struct nf_sample *x = w->all[i];
        if (x->operation != NF_OPERATION_MIXED || x->not_predicted || x->is_held_out) {
            continue;
        }
        double alone = nf_decode_s(decode, &s, &x->beside) - decode->t0_s;
        double first = nf_prefill_s(prefill, &s, &x->shape.prefill);
        if (alone > 0.2 * first) { /* else the difference is mostly the prefill's error */
            ratio[n++] = (x->seconds - first) / alone;
        }
    }
    qsort(ratio, n, sizeof *ratio, by_value);
    result->mixed_rows = n;
    result->mixed_factor = n > 0 ? ratio[n / 2] : (double)NAN;
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
        NF_NEW_ARRAY(arena, NF_PRECISIONS + NF_OPERATIONS, struct nf_calibrated);
    read_files(&w);
    if (diags->errors > 0) {
        return nf_diags_status(diags);
    }
    for (int p = 0; p < NF_PRECISIONS; p++) {
        fit_class(&w, NF_OPERATION_GEMM, (enum nf_precision)p, result);
    }
    fit_class(&w, NF_OPERATION_PREFILL, NF_FP32, result);
    fit_class(&w, NF_OPERATION_DECODE, NF_FP32, result);
    fit_class(&w, NF_OPERATION_ELEMENTWISE, NF_FP32, result);
    fit_mixed(&w, result);
    if (diags->errors > 0) {
        return nf_diags_status(diags);
    }
    struct nf__profile_text text = {c, arena, diags, result, w.files, date_of(&w), out};
    return nf__calibrate_write(&text);
}
