/* measured_operators.c - measured operation times against operator.h. */
#include <math.h>
#include <string.h>

#include "experiment/calibrate.h"
#include "experiment/measured.h"

static const struct nf_place nowhere;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_cached(const struct nf_sample *s)
{
    switch (s->operation) {
    case NF_OPERATION_GEMM:
        return s->shape.gemm.is_cached;
    case NF_OPERATION_ELEMENTWISE:
        return s->shape.pass.is_cached;
    default:
        return false; /* decode attention has a term for it and was fitted with them */
    }
}

static const char *name_of(const struct nf_sample *s, struct nf_arena *arena)
{
    struct nf_calibrated k = {.operation = s->operation,
                              .precision = s->precision,
                              .ranks = s->ranks,
                              .which = s->which};
    return nf_calibrated_name(&k, arena);
}

static const char *group_of(const struct nf_sample *s, const char *device,
                            struct nf_arena *arena)
{
    const char *part = s->not_predicted ? "outside"
                       : is_cached(s)   ? "in the cache"
                       : s->is_held_out ? "held out"
                                        : "fitted";
    return nf_arena_printf(arena, "%s %s, %s", device, name_of(s, arena), part);
}

static bool has_constants(const struct nf_sample *s, const struct nf_calibration *k)
{
    switch (s->operation) {
    case NF_OPERATION_GEMM:
        return k->gemm[s->precision].em > 0 && k->gemm[s->precision].ec > 0;
    case NF_OPERATION_PREFILL:
        return k->prefill_attention.em > 0;
    case NF_OPERATION_DECODE:
        return k->decode_attention.em > 0;
    case NF_OPERATION_ENCODER:
        return k->encoder_attention.em > 0;
    case NF_OPERATION_ALLREDUCE: {
        const struct nf_allreduce *a = nf_calibration_allreduce(k, s->ranks);
        return a && a->bus_bandwidth > 0;
    }
    case NF_OPERATION_ELEMENTWISE:
        return k->elementwise.em > 0;
    case NF_OPERATION_QUANTIZE:
        return k->quantize.em > 0;
    case NF_OPERATION_CONVOLUTION:
        return k->convolution.em > 0;
    case NF_OPERATION_COPY:
        return k->copy[s->which].bus_bandwidth > 0;
    case NF_OPERATION_LAUNCH:
        return k->launch[s->which].t0_s > 0;
    default:
        return k->prefill_attention.em > 0 && k->decode_attention.em > 0;
    }
}

static void predict(const struct nf_sample *s, const struct nf_device *device,
                    const struct nf_calibration *k, struct nf_arena *arena,
                    struct nf_measured_row *row)
{
    *row = (struct nf_measured_row){.group = group_of(s, device->name, arena),
                                    .line = s->line,
                                    .skipped = s->not_predicted};
    row->measured[0] = s->seconds;
    row->predicted[0] = (double)NAN;
    if (!row->skipped && !has_constants(s, k)) {
        row->skipped = nf_arena_printf(arena, "profile %s has no %s constants", k->name,
                                       name_of(s, arena));
    }
    if (!row->skipped) {
        row->predicted[0] = nf_sample_s(s, device, k);
    }
}

struct file {
    struct nf_samples samples;
    const struct nf_device *device;
    const struct nf_calibration *profile;
};

static bool read_file(const struct nf_measured_with *with, const char *path,
                      struct nf_arena *arena, struct nf_diags *diags, struct file *f)
{
    int errors = diags->errors;
    f->device = with->device ? with->device
                             : nf_calibrate_device_of(with->catalog, path, arena, diags);
    if (!f->device && diags->errors > errors) {
        return false;
    }
    if (!f->device) {
        (void)nf_diag_add(diags, NF_E_REFERENCE, nowhere, "--profile",
                          "name the profile of the device that was measured",
                          "which device is this? \"%s\" does not start with the name of "
                          "one",
                          base_name(path));
        return false;
    }
    f->profile = with->profile ? with->profile
                               : nf_catalog_calibration(with->catalog, f->device->name);
    if (!f->profile) {
        (void)nf_diag_add(diags, NF_E_REFERENCE, nowhere, "--profile", NULL,
                          "%s has no calibration profile", f->device->name);
        return false;
    }
    const struct nf_llm_arch *arch =
        with->arch ? with->arch : nf_calibrate_model(with->catalog, path);
    return nf_samples_read(path, f->device, arch, arena, diags, &f->samples) == NF_OK;
}

/* As in calibrate: held out are shapes of all files of a device together. */
static void split_device(struct file *f, size_t count, const struct nf_device *device,
                         struct nf_arena *arena)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += f[i].device == device ? f[i].samples.count : 0;
    }
    struct nf_sample **all = NF_NEW_ARRAY(arena, n, struct nf_sample *);
    n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < f[i].samples.count && f[i].device == device; k++) {
            all[n++] = &f[i].samples.items[k];
        }
    }
    nf_samples_split(all, n, arena);
}

enum nf_status nf_measured_operators(const struct nf_measured_with *with,
                                     const struct nf_measured_files *files,
                                     struct nf_arena *arena, struct nf_diags *diags,
                                     struct nf_measured *out)
{
    struct file *f = NF_NEW_ARRAY(arena, files->count, struct file);
    size_t total = 0;
    bool ok = true;
    for (size_t i = 0; i < files->count; i++) {
        ok = read_file(with, files->paths[i], arena, diags, &f[i]) && ok;
        total += f[i].samples.count;
    }
    if (!ok) {
        return nf_diags_status(diags);
    }
    *out = (struct nf_measured){
        .kind = "operators",
        .metrics = {"time"},
        .metric_count = 1,
        .assumptions =
            "Held out: whole shapes that the profile's fit did not see, if it was "
            "fitted to these files. In the cache: weights\nor passes that the benchmark "
            "kept in the L2 cache; iterations never do."};
    out->rows = NF_NEW_ARRAY(arena, total, struct nf_measured_row);
    for (size_t i = 0; i < files->count; i++) {
        split_device(f, files->count, f[i].device, arena);
        for (size_t k = 0; k < f[i].samples.count; k++) {
            struct nf_measured_row *row = &out->rows[out->count++];
            predict(&f[i].samples.items[k], f[i].device, f[i].profile, arena, row);
            row->name = base_name(files->paths[i]);
        }
    }
    return NF_OK;
}
