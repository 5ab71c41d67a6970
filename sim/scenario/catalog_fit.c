/*
 * catalog_fit.c - whether a model fits a device, on how many, with what room left, and how fast it would be.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "scenario/catalog_part.h"

struct fit {
    const struct nf_catalog *catalog;
    const struct nf_device *device;
    const struct nf_calibration *calibration;
    FILE *out;
};

/* ---- language models ---- */

static void print_step_times(const struct fit *f, const struct nf_llm_arch *a,
                             unsigned ranks, const struct nf_llm_engine *engine)
{
    static const uint32_t batches[] = {1, 16, 64, 256};
    enum { CONTEXT = 1024 };
    struct nf_host host = {f->device, f->calibration, ranks};
    struct nf_llm_cost cost;
    char why[400];
    if (!nf_llm_prepare(&cost, a, &host, engine, why, sizeof why)) {
        fprintf(f->out, "  no times: %s\n", why);
        return;
    }
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

/* "does not fit" and why, or the room for the KV cache. */
static void print_room(const struct fit *f, const struct nf_llm_arch *a, unsigned n,
                       const struct nf_llm_memory *m, unsigned block_tokens)
{
    if (a->heads % n != 0) {
        fprintf(f->out, "%u heads do not divide\n", a->heads);
    } else if (m->kv_blocks == 0) {
        fprintf(f->out, "does not fit\n");
    } else {
        uint64_t tokens = m->kv_blocks * block_tokens;
        fprintf(f->out, "%.1f GB, %llu tokens (%llu blocks of %u)\n",
                (double)tokens * m->kv_bytes_per_token * n / 1e9,
                (unsigned long long)tokens, (unsigned long long)m->kv_blocks,
                block_tokens);
    }
}

static bool fit_llm(const struct fit *f, const struct nf_llm_arch *a)
{
    struct nf_llm_engine engine = nf_llm_engine_defaults();
    unsigned needed = nf_llm_ranks_needed(a, f->device, &engine);
    fprintf(f->out, "%s on %s\n", a->name, f->device->name);
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
    for (unsigned n = 1; n <= 1U << NF_RANKS_MAX_LOG2; n *= 2) {
        struct nf_llm_memory m = nf_llm_memory(a, f->device, n, &engine);
        fprintf(f->out, "  %7u  %10.1f GB  %10.1f GB    ", n, m.weight_bytes / 1e9,
                (m.budget_bytes > 0 ? m.budget_bytes : 0) / 1e9);
        print_room(f, a, n, &m, engine.block_tokens);
    }
    if (needed == 0) {
        fprintf(f->out, "  does not fit on 8 devices\n");
        return false;
    }
    fprintf(f->out, needed == 1 ? "  fits on %u device\n" : "  needs %u devices\n",
            needed);
    print_step_times(f, a, needed, &engine);
    return needed == 1;
}

/* ---- networks ---- */

/* The batch that the memory holds: weights once, inputs and the activations that live at once. */
static void print_batch_left(const struct fit *f, const struct nf_dnn_model *m)
{
    double left =
        f->device->memory_bytes - f->device->memory_reserve_bytes - m->weight_bytes;
    fprintf(f->out, "  %.1f GB are left: inputs of a batch of at most %.0f\n", left / 1e9,
            m->input_bytes > 0 ? left / m->input_bytes : 0);
}

static bool fit_dnn(const struct fit *f, const struct nf_dnn_model *m)
{
    static const unsigned batches[] = {1, 2, 4, 8, 16, 32};
    struct nf_host host = {f->device, f->calibration, 1};
    struct nf_dnn_cost cost;
    char why[400];
    fprintf(f->out, "%s on %s\n", m->name, f->device->name);
    if (!nf_dnn_prepare(&cost, m, &host, 32, why, sizeof why)) {
        fprintf(f->out, "  %s\n", why);
        return false;
    }
    fprintf(f->out, "  fits: weights %.3g GB of %.1f GB (reserve %.1f GB)\n",
            m->weight_bytes / 1e9, f->device->memory_bytes / 1e9,
            f->device->memory_reserve_bytes / 1e9);
    print_batch_left(f, m);
    fprintf(f->out,
            "  T(b) = %.4g ms + b x %.4g ms on the GPU, %s; copies b x %.3g ms before\n",
            cost.fixed_s * 1e3, cost.per_sample_s * 1e3,
            nf_provenance_name(cost.provenance), cost.copy_s * 1e3);
    cost.is_padded = false;
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        double t = nf_dnn_alone_s(&cost, batches[i]);
        fprintf(f->out, "    batch %3u  %8.3f ms  %8.0f samples/s\n", batches[i], t * 1e3,
                batches[i] / t);
    }
    return true;
}

/* ---- models that generate pictures ---- */

static bool fit_diffusion(const struct fit *f, const struct nf_diffusion_model *m,
                          struct nf_diffusion_job *job)
{
    unsigned needed = 0;
    char why[400] = "", first[400] = "";
    fprintf(f->out, "%s on %s\n", m->name, f->device->name);
    fprintf(f->out, "  one job: %u x %u, %u frame%s, %u steps of %u pass%s%s\n",
            job->width, job->height, job->frames, job->frames == 1 ? "" : "s", job->steps,
            job->forwards, job->forwards == 1 ? "" : "es",
            job->offload ? ", weights kept on the host between jobs" : "");
    fprintf(f->out,
            "  devices  memory each       time    text    load  denoise  decode\n");
    for (unsigned n = 1; n <= 1U << NF_RANKS_MAX_LOG2; n *= 2) {
        struct nf_host host = {f->device, f->calibration, n};
        struct nf_diffusion_cost c;
        if (!nf_diffusion_prepare(&c, m, job, &host, why, sizeof why)) {
            if (n == 1) {
                (void)snprintf(first, sizeof first, "%s", why);
            }
            continue;
        }
        needed = needed ? needed : n;
        fprintf(f->out, "  %7u  %8.1f GB  %8.4g s  %5.3g s %5.3g s  %6.4g s %5.3g s\n", n,
                c.memory_bytes / 1e9, c.total_s, c.text_s, c.load_s, c.denoise_s,
                c.decode_s);
    }
    if (needed == 0) {
        fprintf(f->out, "  does not fit on 8 devices: %s\n", why);
        return false;
    }
    if (first[0] != 0) {
        fprintf(f->out, "  on one: %s\n", first);
    }
    fprintf(f->out, needed == 1 ? "  fits on %u device\n" : "  needs %u devices\n",
            needed);
    fprintf(f->out, "  constants: profile %s, %s\n", f->calibration->name,
            nf_provenance_name(f->calibration->provenance));
    return needed == 1;
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
                              bool *fits)
{
    model = resolve(model, c->names[NF__MODELS]);
    device = resolve(device, c->names[NF__DEVICES]);
    const struct nf_dnn_model *dnn = nf_catalog_dnn(c, model);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, model);
    struct nf_diffusion_job job;
    const struct nf_diffusion_model *diffusion = nf_catalog_diffusion(c, model, &job);
    struct fit f = {c, nf_catalog_device(c, device), nf_catalog_calibration(c, device),
                    out};
    if (!dnn && !llm && !diffusion) {
        (void)nf__catalog_unknown(diags, "model", model, c->names[NF__MODELS]);
    }
    if (!f.device) {
        (void)nf__catalog_unknown(diags, "device", device, c->names[NF__DEVICES]);
    }
    if ((!dnn && !llm && !diffusion) || !f.device) {
        return NF_E_REFERENCE;
    }
    *fits = dnn         ? fit_dnn(&f, dnn)
            : diffusion ? fit_diffusion(&f, diffusion, &job)
                        : fit_llm(&f, llm);
    return NF_OK;
}
