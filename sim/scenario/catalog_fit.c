/*
 * catalog_fit.c - whether a model fits a device, on how many, with what room left, why, and how fast it would be.
 *
 * What:   memory first, without a profile: the smallest group of 1, 2, 4 or 8 that holds the model. Then units: a device that cannot
 *         compute in the model's precision holds it in vain, and is told which variants it could run. Then times, where the profile
 *         has the constants.
 *         Devices without a link to others (an SoC) are no group.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "scenario/catalog_part.h"

enum { DEVICES_MOST = 1 << NF_RANKS_MAX_LOG2, CONTEXT = 1024, LONG_CONTEXT = 8192 };

struct fit {
    const struct nf_catalog *catalog;
    const struct nf_device *device;
    const struct nf_calibration *calibration;
    FILE *out;
    struct nf_catalog_fit *found;
};

static bool has_units(const struct nf_device *d, enum nf_precision p)
{
    return p == NF_INT4 || p == NF_FP16 || p == NF_BF16 || d->peak[p] > 0;
}

static unsigned group_most(const struct nf_device *d)
{
    return d->nvlink_bandwidth > 0 || d->pcie_bandwidth > 0 ? DEVICES_MOST : 1;
}

/* The precision of a model of any kind. */
static enum nf_precision precision_of(const struct nf_catalog *c, const char *name)
{
    const struct nf_dnn_model *dnn = nf_catalog_dnn(c, name);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, name);
    const struct nf_diffusion_model *diffusion = nf_catalog_diffusion(c, name, NULL);
    return dnn ? dnn->precision : llm ? llm->weights : diffusion->precision;
}

/* The name without its last word, which tells the precision where a model has variants. */
static size_t stem_of(const char *name)
{
    const char *dash = strrchr(name, '-');
    return dash ? (size_t)(dash - name) : strlen(name);
}

/* "... computes in fp8, which A100 has no units for (it has them for bert-large-int8, bert-large-fp16)". */
static void print_units(const struct fit *f, const char *model)
{
    enum nf_precision p = precision_of(f->catalog, model);
    const struct nf_device *d = f->device;
    f->found->has_units = has_units(d, p);
    if (f->found->has_units) {
        if ((p == NF_BF16 || p == NF_FP16) && !(d->peak[p] > 0)) {
            fprintf(f->out, "  %s has no %s units: computed in %s\n", d->name,
                    nf_precision_name(p), nf_precision_name(nf_device_half(d)));
        }
        return;
    }
    fprintf(f->out, "  does not run: %s computes in %s, which %s has no units for", model,
            nf_precision_name(p), d->name);
    const char *const *names = f->catalog->names[NF__MODELS];
    size_t stem = stem_of(model), shown = 0;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (stem_of(names[i]) == stem && strncmp(names[i], model, stem) == 0 &&
            has_units(d, precision_of(f->catalog, names[i]))) {
            fprintf(f->out, "%s%s", shown++ == 0 ? " (it has them for " : ", ", names[i]);
        }
    }
    fprintf(f->out, "%s\n", shown > 0 ? ")" : "");
}

/* "fits on 1 device", "needs 4 devices", or that no group would do. */
static void print_verdict(const struct fit *f, const char *why)
{
    unsigned n = f->found->devices, most = group_most(f->device);
    if (n == 1) {
        fprintf(f->out, "  fits on 1 device\n");
    } else if (n > 1) {
        fprintf(f->out, "  needs %u devices\n", n);
    } else if (most == 1) {
        fprintf(f->out, "  does not fit, and %s has no link to others%s%s\n",
                f->device->name, *why ? ": " : "", why);
    } else {
        fprintf(f->out, "  does not fit on %u devices%s%s\n", most, *why ? ": " : "",
                why);
    }
}

/* ---- language models ---- */

static void print_step_times(const struct fit *f, const struct nf_llm_arch *a,
                             const struct nf_llm_engine *engine)
{
    static const uint32_t batches[] = {1, 16, 64, 256};
    unsigned ranks = f->found->devices;
    struct nf_host host = {f->device, f->calibration, ranks};
    struct nf_llm_cost cost;
    char why[400];
    if (!nf_llm_prepare(&cost, a, &host, engine, why, sizeof why)) {
        fprintf(f->out, "  no times: %s\n", why);
        return;
    }
    f->found->is_timed = true;
    fprintf(f->out, "  one decode step on %u x %s, %d tokens of context a sequence:\n",
            ranks, f->device->name, CONTEXT);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        uint32_t n = batches[i];
        struct nf_llm_batch b = {
            .decode_sequences = n, .sampled = n, .decode_context = (uint64_t)n * CONTEXT};
        if ((uint64_t)n * CONTEXT > cost.kv_blocks * cost.block_tokens) {
            break;
        }
        double step = nf_llm_step_s(&cost, &b);
        fprintf(f->out, "    %4u sequences  %7.2f ms  %8.0f tokens/s\n", n, step * 1e3,
                n / step);
    }
    fprintf(f->out, "  constants: profile %s, %s\n", f->calibration->name,
            nf_provenance_name(f->calibration->provenance));
}

/* The row of a group of n. */
static void print_group(const struct fit *f, const struct nf_llm_arch *a,
                        const struct nf_llm_engine *engine, unsigned n)
{
    struct nf_llm_memory m = nf_llm_memory(a, f->device, n, engine);
    double room = m.budget_bytes > 0 ? m.budget_bytes : 0;
    fprintf(f->out, "  %7u  %10.1f GB  %10.1f GB    ", n, m.weight_bytes / 1e9,
            room / 1e9);
    if (a->heads % n != 0) {
        fprintf(f->out, "%u heads do not divide\n", a->heads);
    } else if (m.kv_blocks == 0) {
        fprintf(f->out, "does not fit: %.1f GB short\n", (m.weight_bytes - room) / 1e9);
    } else {
        uint64_t tokens = m.kv_blocks * engine->block_tokens;
        fprintf(f->out, "%.1f GB, %llu tokens: %llu sequences of %d\n",
                (double)tokens * m.kv_bytes_per_token * n / 1e9,
                (unsigned long long)tokens, (unsigned long long)(tokens / CONTEXT),
                CONTEXT);
    }
}

static void fit_llm(const struct fit *f, const struct nf_llm_arch *a)
{
    struct nf_llm_engine engine = nf_llm_engine_defaults();
    unsigned most = group_most(f->device);
    unsigned needed = nf_llm_ranks_needed(a, f->device, &engine);
    needed = needed <= most ? needed : 0;
    struct nf_llm_memory m =
        nf_llm_memory(a, f->device, needed > 0 ? needed : 1, &engine);
    f->found->devices = needed;
    f->found->room_bytes = m.budget_bytes;
    f->found->device_weight_bytes = m.weight_bytes;
    f->found->kv_tokens = m.kv_blocks * engine.block_tokens;
    fprintf(f->out, "  weights %.1f GB: layers in %s, embedding and head in 16 bits\n",
            nf_llm_weight_bytes(a) / 1e9, nf_precision_name(a->weights));
    fprintf(f->out,
            "  memory %.1f GB a device; %.0f %% of it less a reserve of %.1f GB for "
            "weights and KV cache\n",
            f->device->memory_bytes / 1e9, engine.kv_memory * 100,
            f->device->memory_reserve_bytes / 1e9);
    if (a->kv_rank > 0) {
        fprintf(
            f->out,
            "  latent attention: %u values a token and layer in the KV cache, the same "
            "on every device\n",
            a->kv_rank + a->rope_dim);
    }
    fprintf(f->out, "  devices   weights each      room each    KV cache, all\n");
    for (unsigned n = 1; n <= most; n *= 2) {
        print_group(f, a, &engine, n);
    }
    print_verdict(f, "");
    if (needed > 0 && f->found->kv_tokens < LONG_CONTEXT) {
        fprintf(f->out, "  barely: no room for one sequence of %d tokens\n",
                LONG_CONTEXT);
    }
    print_units(f, a->name);
    if (needed > 0 && f->found->has_units) {
        print_step_times(f, a, &engine);
    }
}

/* ---- networks ---- */

/* The batch that the memory holds: weights once, input and living tensors of every sample. */
static void print_batch_left(const struct fit *f, const struct nf_dnn_model *m,
                             double left)
{
    fprintf(f->out, "  %.3g GB are left", left / 1e9);
    if (m->live_bytes > 0) {
        f->found->batch = (uint64_t)(left / (m->input_bytes + m->live_bytes));
        fprintf(f->out, ": a batch of at most %llu, each %.3g MB of input and tensors\n",
                (unsigned long long)f->found->batch,
                (m->input_bytes + m->live_bytes) / 1e6);
    } else {
        fprintf(f->out, "; what a sample needs of it is not known\n");
    }
}

static void fit_dnn(const struct fit *f, const struct nf_dnn_model *m)
{
    enum { BATCHES = 6 };
    struct nf_host host = {f->device, f->calibration, 1};
    struct nf_dnn_cost cost;
    char why[400];
    double room = f->device->memory_bytes - f->device->memory_reserve_bytes;
    double left = room - m->weight_bytes;
    f->found->room_bytes = room;
    f->found->device_weight_bytes = m->weight_bytes;
    f->found->devices = left >= m->input_bytes + m->live_bytes ? 1 : 0;
    fprintf(f->out, "  weights %.3g GB in %s; %.1f GB of memory less a reserve of %.1f\n",
            m->weight_bytes / 1e9, nf_precision_name(m->precision),
            f->device->memory_bytes / 1e9, f->device->memory_reserve_bytes / 1e9);
    if (f->found->devices == 0) {
        fprintf(f->out, "  does not fit: a network is not split over devices\n");
    } else {
        print_batch_left(f, m, left);
        print_verdict(f, "");
    }
    print_units(f, m->name);
    if (f->found->devices == 0 || !f->found->has_units) {
        return;
    }
    unsigned largest = 1U << (BATCHES - 1);
    while (m->live_bytes > 0 && largest > f->found->batch) {
        largest /= 2;
    }
    if (!nf_dnn_prepare(&cost, m, &host, largest, why, sizeof why)) {
        fprintf(f->out, "  no times: %s\n", why);
        return;
    }
    f->found->is_timed = true;
    fprintf(f->out,
            "  T(b) = %.4g ms + b x %.4g ms on the GPU, %s; copies b x %.3g ms before\n",
            cost.fixed_s * 1e3, cost.per_sample_s * 1e3,
            nf_provenance_name(cost.provenance), cost.copy_s * 1e3);
    cost.is_padded = false;
    for (unsigned b = 1; b <= largest; b *= 2) {
        double t = nf_dnn_alone_s(&cost, b);
        fprintf(f->out, "    batch %3u  %9.3f ms  %8.4g samples/s\n", b, t * 1e3, b / t);
    }
}

/* ---- models that generate pictures ---- */

static void print_job(const struct fit *f, const struct nf_diffusion_model *m,
                      const struct nf_diffusion_job *job)
{
    fprintf(f->out, "  weights %.1f GB and %.1f GB of the text encoder, in 16 bits%s\n",
            m->weight_bytes / 1e9, m->text_weight_bytes / 1e9,
            job->offload ? "; they wait in the host's memory between jobs" : "");
    fprintf(f->out, "  one job: %u x %u, %u frame%s, %u steps of %u pass%s\n", job->width,
            job->height, job->frames, job->frames == 1 ? "" : "s", job->steps,
            job->forwards, job->forwards == 1 ? "" : "es");
    fprintf(f->out,
            "  devices  memory each       time    text    load  denoise  decode\n");
}

/* The row of a group that holds the job. */
static void print_job_times(const struct fit *f, const struct nf_diffusion_model *m,
                            const struct nf_diffusion_job *job, unsigned n, char *why,
                            size_t cap)
{
    struct nf_host host = {f->device, f->calibration, n};
    struct nf_diffusion_cost c;
    bool is_timed = nf_diffusion_prepare(&c, m, job, &host, why, cap);
    fprintf(f->out, "  %7u  %8.1f GB", n, c.memory_bytes / 1e9);
    if (is_timed) {
        f->found->is_timed = true;
        fprintf(f->out, "  %8.4g s  %5.3g s %5.3g s  %6.4g s %5.3g s\n", c.total_s,
                c.text_s, c.load_s, c.denoise_s, c.decode_s);
    } else {
        fprintf(f->out, "\n");
    }
}

static void fit_diffusion(const struct fit *f, const struct nf_diffusion_model *m,
                          const struct nf_diffusion_job *job)
{
    unsigned most = group_most(f->device);
    char short_of[400] = "", first[400] = "", lacking[400] = "";
    struct nf_diffusion_cost c;
    print_job(f, m, job);
    for (unsigned n = 1; n <= most; n *= 2) {
        struct nf_host host = {f->device, f->calibration, n};
        if (nf_diffusion_memory(&c, m, job, &host, short_of, sizeof short_of)) {
            if (f->found->devices == 0) {
                f->found->devices = n;
                f->found->device_weight_bytes = c.weight_bytes;
            }
            print_job_times(f, m, job, n, lacking, sizeof lacking);
        } else if (n == 1) {
            (void)memcpy(first, short_of, sizeof first);
            f->found->device_weight_bytes = c.weight_bytes;
        }
    }
    f->found->room_bytes = f->device->memory_bytes - f->device->memory_reserve_bytes;
    print_verdict(f, f->found->devices == 0 ? short_of : "");
    if (first[0] != 0 && f->found->devices > 0) {
        fprintf(f->out, "  on one: %s\n", first);
    }
    if (f->found->devices != 1 && most > 1) {
        fprintf(f->out, "  a group shares the tokens; each device holds all weights\n");
    }
    print_units(f, m->name);
    if (lacking[0] != 0) {
        fprintf(f->out, "  no times: %s\n", lacking);
    } else if (f->found->is_timed) {
        fprintf(f->out, "  constants: profile %s, %s\n", f->calibration->name,
                nf_provenance_name(f->calibration->provenance));
    }
}

/* The name itself, or the only one of the list that it begins, up to a hyphen; case aside. */
static const char *resolve(const char *word, const char *const *names)
{
    const char *found = NULL;
    size_t length = strlen(word);
    for (; *names != NULL; names++) {
        if (strncasecmp(*names, word, length) != 0) {
            continue;
        }
        if ((*names)[length] == '\0') {
            return *names;
        }
        if ((*names)[length] == '-') {
            found = found == NULL ? *names : word;
        }
    }
    return found != NULL ? found : word;
}

enum nf_status nf_catalog_fit(const struct nf_catalog *c, const char *model,
                              const char *device, FILE *out, struct nf_diags *diags,
                              struct nf_catalog_fit *found)
{
    model = resolve(model, c->names[NF__MODELS]);
    device = resolve(device, c->names[NF__DEVICES]);
    const struct nf_dnn_model *dnn = nf_catalog_dnn(c, model);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, model);
    struct nf_diffusion_job job;
    const struct nf_diffusion_model *diffusion = nf_catalog_diffusion(c, model, &job);
    *found = (struct nf_catalog_fit){0};
    struct fit f = {c, nf_catalog_device(c, device), nf_catalog_calibration(c, device),
                    out, found};
    if (!dnn && !llm && !diffusion) {
        (void)nf__catalog_unknown(diags, "model", model, c->names[NF__MODELS]);
    }
    if (!f.device) {
        (void)nf__catalog_unknown(diags, "device", device, c->names[NF__DEVICES]);
    }
    if ((!dnn && !llm && !diffusion) || !f.device) {
        return NF_E_REFERENCE;
    }
    fprintf(out, "%s on %s\n", model, device);
    if (dnn) {
        fit_dnn(&f, dnn);
    } else if (diffusion) {
        fit_diffusion(&f, diffusion, &job);
    } else {
        fit_llm(&f, llm);
    }
    return NF_OK;
}
