/*
 * catalog_fit.c - whether a model fits a device, on how many, with what room left, and how fast it would be.
 */
#include <string.h>

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
    fprintf(f->out, "  devices   weights each      room each    KV cache, all\n");
    for (unsigned n = 1; n <= 1U << NF_RANKS_MAX_LOG2; n *= 2) {
        struct nf_llm_memory m = nf_llm_memory(a, f->device, n, &engine);
        fprintf(f->out, "  %7u  %10.1f GB  %10.1f GB    ", n, m.weight_bytes / 1e9,
                (m.budget_bytes > 0 ? m.budget_bytes : 0) / 1e9);
        if (a->heads % n != 0) {
            fprintf(f->out, "%u heads do not divide\n", a->heads);
        } else if (m.kv_blocks == 0) {
            fprintf(f->out, "does not fit\n");
        } else {
            uint64_t tokens = m.kv_blocks * engine.block_tokens;
            fprintf(f->out, "%.1f GB, %llu tokens (%llu blocks of %u)\n",
                    (double)tokens * m.kv_bytes_per_token * n / 1e9,
                    (unsigned long long)tokens, (unsigned long long)m.kv_blocks,
                    engine.block_tokens);
        }
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
    fprintf(f->out, "  T(b) = %.4g ms + b x %.4g ms, %s\n", cost.fixed_s * 1e3,
            cost.per_sample_s * 1e3, nf_provenance_name(cost.provenance));
    cost.is_padded = false;
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        double t = nf_dnn_batch_s(&cost, batches[i]);
        fprintf(f->out, "    batch %3u  %8.3f ms  %8.0f samples/s\n", batches[i], t * 1e3,
                batches[i] / t);
    }
    return true;
}

enum nf_status nf_catalog_fit(const struct nf_catalog *c, const char *model,
                              const char *device, FILE *out, struct nf_diags *diags,
                              bool *fits)
{
    const struct nf_dnn_model *dnn = nf_catalog_dnn(c, model);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, model);
    struct fit f = {c, nf_catalog_device(c, device), nf_catalog_calibration(c, device),
                    out};
    if (!dnn && !llm) {
        (void)nf__catalog_unknown(diags, "model", model, c->names[NF__MODELS]);
    }
    if (!f.device) {
        (void)nf__catalog_unknown(diags, "device", device, c->names[NF__DEVICES]);
    }
    if ((!dnn && !llm) || !f.device) {
        return NF_E_REFERENCE;
    }
    *fits = dnn ? fit_dnn(&f, dnn) : fit_llm(&f, llm);
    return NF_OK;
}
