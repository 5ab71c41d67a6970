/*
 * catalog_fold.c - from the entries of the files to the structs of sim/perf, with the checks that need more than one entry.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "scenario/catalog_part.h"

static double value(const struct nf__figure *f)
{
    return f->cite.at.node != NULL ? f->value : 0;
}

static const char *near_name(struct nf_load *load, const struct nf_catalog *c,
                             enum nf__section section, const char *word)
{
    const char *near = nf_text_nearest(word, c->names[section]);
    return near ? nf_arena_printf(load->arena, "did you mean \"%s\"?", near) : NULL;
}

/* ---- devices ---- */

static void require(struct nf_load *load, struct nf_object *entry,
                    const struct nf__figure *f, const char *key)
{
    if (!(value(f) > 0)) {
        (void)nf_object_error(load, entry, key, NF_E_RANGE, NULL,
                              "expected more than 0 for %s of %s", key, entry->name);
    }
}

static void fold_device(struct nf_load *load, struct nf__device_entry *e,
                        struct nf_device *d)
{
    require(load, &e->at, &e->memory, "memory");
    require(load, &e->at, &e->bandwidth, "bandwidth");
    require(load, &e->at, &e->multiprocessors, "multiprocessors");
    *d = (struct nf_device){.name = e->at.name,
                            .memory_bytes = value(&e->memory),
                            .memory_reserve_bytes = value(&e->reserve),
                            .bandwidth = value(&e->bandwidth),
                            .multiprocessors = value(&e->multiprocessors),
                            .l2_bytes = value(&e->l2),
                            .power_w = value(&e->power),
                            .pcie_bandwidth = value(&e->pcie),
                            .nvlink_bandwidth = value(&e->nvlink)};
    for (int p = 0; p < NF_PRECISIONS; p++) {
        d->peak[p] = value(&e->peak.of[p]);
    }
    if (d->memory_reserve_bytes >= d->memory_bytes) {
        (void)nf_object_error(load, &e->at, "reserve", NF_E_IMPOSSIBLE, NULL,
                              "the reserve of %s is not less than its memory",
                              e->at.name);
    }
    if (!(d->peak[nf_device_half(d)] > 0)) {
        (void)nf_object_error(load, &e->at, "peak", NF_E_KEY, NULL,
                              "%s needs a peak for fp16 or bf16", e->at.name);
    }
}

/* ---- models ---- */

static enum nf_provenance weaker(int a, int b)
{
    return (enum nf_provenance)(a > b ? a : b);
}

static void fold_anchors(struct nf_load *load, const struct nf_catalog *c,
                         struct nf__model_entry *e, struct nf_dnn_model *m)
{
    struct nf__anchor_entry *from = e->anchors.items;
    struct nf_dnn_anchor *to =
        NF_NEW_ARRAY(load->arena, e->anchors.count + 1, struct nf_dnn_anchor);
    for (size_t i = 0; i < e->anchors.count; i++) {
        struct nf__anchor_entry *a = &from[i];
        if (!nf_catalog_device(c, a->at.name)) {
            (void)nf_object_error(load, &a->at, "", NF_E_REFERENCE,
                                  near_name(load, c, NF__DEVICES, a->at.name),
                                  "no device is called \"%s\"", a->at.name);
        }
        bool latency = value(&a->latency) > 0, throughput = value(&a->throughput) > 0;
        if (!latency && !throughput) {
            (void)nf_object_error(load, &a->at, "", NF_E_KEY, NULL,
                                  "an anchor needs a latency or a throughput above 0");
        }
        to[i] = (struct nf_dnn_anchor){
            .device = a->at.name,
            .latency_s = value(&a->latency),
            .throughput = value(&a->throughput),
            .batch = (unsigned)a->batch,
            .provenance = weaker(latency ? a->latency.cite.origin : 0,
                                 throughput ? a->throughput.cite.origin : 0),
            .source =
                latency ? a->latency.cite.source_text : a->throughput.cite.source_text};
    }
    m->anchors = to;
    m->anchor_count = e->anchors.count;
}

static void fold_dnn(struct nf_load *load, const struct nf_catalog *c,
                     struct nf__model_entry *e, struct nf_dnn_model *m)
{
    *m = (struct nf_dnn_model){.name = e->at.name,
                               .parameters = value(&e->parameters),
                               .work = value(&e->work),
                               .weight_bytes = value(&e->weights),
                               .activation_bytes = value(&e->activations),
                               .input_bytes = value(&e->input),
                               .live_bytes = value(&e->live),
                               .precision = (enum nf_precision)e->precision,
                               .law = (enum nf_batch_law)e->batch_law,
                               .speech = nf__catalog_fold_speech(load, &e->speech)};
    fold_anchors(load, c, e, m);
}

static unsigned whole(int64_t n)
{
    return n == NF_INT_ABSENT ? 0 : (unsigned)n;
}

/* Keys that only mean something together. */
static void check_parts(struct nf_load *load, struct nf_object *at,
                        const struct nf_llm_arch *a)
{
    if ((a->kv_rank > 0) != (a->rope_dim > 0 && a->value_dim > 0) ||
        (a->q_rank > 0 && a->kv_rank == 0)) {
        (void)nf_object_error(load, at, "kv_rank", NF_E_IMPOSSIBLE, NULL,
                              "latent attention needs kv_rank, rope_dim and value_dim, "
                              "and only it has a q_rank");
    }
    if ((a->dense_layers > 0) != (a->dense_ffn > 0) || a->dense_layers >= a->layers ||
        (a->experts == 0 && (a->dense_layers > 0 || a->shared_experts > 0))) {
        (void)nf_object_error(load, at, "dense_layers", NF_E_IMPOSSIBLE, NULL,
                              "among layers with experts, dense_layers and dense_ffn go "
                              "together");
    }
}

static void fold_llm(struct nf_load *load, struct nf__model_entry *e,
                     struct nf_llm_arch *a)
{
    const struct nf__arch_entry *s = &e->architecture;
    *a = (struct nf_llm_arch){.name = e->at.name,
                              .parameters = s->parameters,
                              .layers = whole(s->layers),
                              .hidden = whole(s->hidden),
                              .heads = whole(s->heads),
                              .kv_heads = whole(s->kv_heads),
                              .head_dim = whole(s->head_dim),
                              .ffn = whole(s->ffn),
                              .vocab = whole(s->vocab),
                              .experts = whole(s->experts),
                              .experts_per_token = whole(s->experts_per_token),
                              .shared_experts = whole(s->shared_experts),
                              .dense_layers = whole(s->dense_layers),
                              .dense_ffn = whole(s->dense_ffn),
                              .kv_rank = whole(s->kv_rank),
                              .q_rank = whole(s->q_rank),
                              .rope_dim = whole(s->rope_dim),
                              .value_dim = whole(s->value_dim),
                              .qk_norm = s->qk_norm,
                              .weights = (enum nf_precision)e->weights_precision,
                              .kv = (enum nf_precision)e->kv_precision};
    if (a->kv_heads == 0 || a->heads % a->kv_heads != 0) {
        (void)nf_object_error(load, &e->architecture.cite.at, "kv_heads", NF_E_IMPOSSIBLE,
                              NULL, "%u heads cannot share %u KV heads evenly", a->heads,
                              a->kv_heads);
    }
    if (a->experts_per_token > a->experts ||
        (a->experts > 0) != (a->experts_per_token > 0)) {
        (void)nf_object_error(load, &e->architecture.cite.at, "experts", NF_E_IMPOSSIBLE,
                              NULL, "%u of %u experts a token", a->experts_per_token,
                              a->experts);
    }
    check_parts(load, &e->architecture.cite.at, a);
    struct nf_llm_arch plain = *a; /* at 16 bits, bytes are twice the parameters */
    plain.weights = NF_BF16;
    double counted = nf_llm_weight_bytes(&plain) / 2;
    if (!(fabs(counted / a->parameters - 1) < 0.01)) {
        (void)nf_object_error(load, &e->architecture.cite.at, "parameters",
                              NF_E_IMPOSSIBLE, NULL,
                              "the layers add up to %.4g B parameters, not %.4g B",
                              counted / 1e9, a->parameters / 1e9);
    }
}

static void fold_models(struct nf_load *load, struct nf_catalog *c)
{
    struct nf_list *list = &c->root[NF__MODELS].entries;
    struct nf__model_entry *e = list->items;
    c->dnns = NF_NEW_ARRAY(load->arena, list->count, struct nf_dnn_model);
    c->llms = NF_NEW_ARRAY(load->arena, list->count, struct nf_llm_arch);
    c->diffusions = NF_NEW_ARRAY(load->arena, list->count, struct nf_diffusion_model);
    c->jobs = NF_NEW_ARRAY(load->arena, list->count, struct nf_diffusion_job);
    for (size_t i = 0; i < list->count; i++) {
        if (e[i].kind == NF__KIND_DNN) {
            fold_dnn(load, c, &e[i], &c->dnns[c->dnn_count++]);
        } else if (e[i].kind == NF__KIND_DIFFUSION) {
            size_t n = c->diffusion_count++;
            nf__catalog_fold_diffusion(load, &e[i], &c->diffusions[n], &c->jobs[n]);
        } else {
            fold_llm(load, &e[i], &c->llms[c->llm_count++]);
        }
    }
}

/* ---- profiles ---- */

static bool has(const struct nf__curve_entry *e)
{
    return e->cite.at.node != NULL;
}

static double known(double x, double otherwise)
{
    return isnan(x) ? otherwise : x;
}

/* Absent figures are NAN, and compare as false. */
static void check_range(struct nf_load *load, struct nf__curve_entry *e)
{
    if (e->shortest >= e->longest) { /* false for NAN: no range given */
        (void)nf_object_error(load, &e->cite.at, "shortest", NF_E_IMPOSSIBLE, NULL,
                              "an empty range: the shortest fitted time is %g s, the "
                              "longest %g s",
                              e->shortest, e->longest);
    }
    if (isnan(e->shortest) != isnan(e->longest)) {
        (void)nf_object_error(load, &e->cite.at,
                              isnan(e->shortest) ? "longest" : "shortest", NF_E_KEY, NULL,
                              "half a range: shortest and longest stand together");
    }
    if (e->error_p90 < e->error_median) {
        (void)nf_object_error(load, &e->cite.at, "error_p90", NF_E_IMPOSSIBLE, NULL,
                              "the 90th percentile of the errors, %g %%, is below their "
                              "median, %g %%",
                              100 * e->error_p90, 100 * e->error_median);
    }
}

static struct nf_curve curve(struct nf_load *load, struct nf__curve_entry *e,
                             enum nf_provenance *weakest)
{
    if (!has(e)) {
        return (struct nf_curve){0};
    }
    *weakest = weaker(*weakest, e->cite.origin);
    check_range(load, e);
    const struct nf_curve *c = &e->curve;
    return (struct nf_curve){.t0_s = c->t0_s,
                             .ec = known(c->ec, 0),
                             .em = known(c->em, 0),
                             .p = known(c->p, 1),
                             .extra = known(c->extra, 0),
                             .t0_log_s = known(c->t0_log_s, 0),
                             .k_fill = known(c->k_fill, 0),
                             .k_start = known(c->k_start, 0),
                             .n_start = known(c->n_start, 0),
                             .tile_fill = known(c->tile_fill, 0),
                             .wave = known(c->wave, 0),
                             .slowdown = known(c->slowdown, 0),
                             .reread = known(c->reread, 0),
                             .em_drop = known(c->em_drop, 0),
                             .p_growth = known(c->p_growth, 0),
                             .kv_weight = known(c->kv_weight, 0),
                             .tile_s = known(c->tile_s, 0),
                             .query_head_s = known(c->query_head_s, 0),
                             .doubling_s = known(c->doubling_s, 0),
                             .cache_speedup = known(c->cache_speedup, 0),
                             .bus_bandwidth = known(e->bus_bandwidth, 0),
                             .each_s = known(c->each_s, 0),
                             .shortest_s = known(e->shortest, 0),
                             .longest_s = known(e->longest, 0)};
}

static void fold_allreduce(struct nf_load *load, struct nf__profile_entry *e,
                           struct nf_calibration *k)
{
    struct nf__curve_entry *r = e->allreduce.items;
    for (size_t i = 0; i < e->allreduce.count; i++) {
        int64_t n = 0;
        int index = -1;
        for (int j = 0; nf_text_int64(r[i].cite.at.name, &n) && j < NF_RANKS_MAX_LOG2;
             j++) {
            index = n == 2 << j ? j : index;
        }
        if (index < 0) {
            (void)nf_object_error(load, &r[i].cite.at, "", NF_E_RANGE, NULL,
                                  "expected 2, 4 or 8 devices, found \"%s\"",
                                  r[i].cite.at.name);
            continue;
        }
        check_range(load, &r[i]);
        k->allreduce[index] = (struct nf_allreduce){
            r[i].curve.t0_s, r[i].bus_bandwidth, known(r[i].curve.two_shot_s, 0),
            known(r[i].shortest, 0), known(r[i].longest, 0)};
        k->provenance = weaker((int)k->provenance, r[i].cite.origin);
    }
}

static const char *sha256_of(const struct nf_catalog *c, const char *profile)
{
    const char *folder = "results/calibration/";
    size_t skip = strlen(folder), length = strlen(profile);
    for (size_t i = 0; i < c->file_count; i++) {
        const char *path = c->files[i].path;
        if (nf_text_starts_with(path, folder) &&
            strncmp(path + skip, profile, length) == 0 &&
            strcmp(path + skip + length, ".yaml") == 0) {
            return c->files[i].sha256;
        }
    }
    return "";
}

void nf__catalog_fold_profile(struct nf_load *load, const struct nf_catalog *c,
                              struct nf__profile_entry *e, struct nf_calibration *k)
{
    const struct nf_device *device =
        e->device != NULL ? nf_catalog_device(c, e->device) : NULL;
    *k = (struct nf_calibration){.name = e->at.name,
                                 .device = e->device,
                                 .sha256 = sha256_of(c, e->at.name),
                                 .mixed_factor = value(&e->mixed_factor)};
    if (!device && e->device != NULL) {
        (void)nf_object_error(load, &e->at, "device", NF_E_REFERENCE,
                              near_name(load, c, NF__DEVICES, e->device),
                              "no device is called \"%s\"", e->device);
    }
    for (int p = 0; p < NF_PRECISIONS; p++) {
        k->gemm[p] = curve(load, &e->gemm.of[p], &k->provenance);
        if (device && has(&e->gemm.of[p]) && !(device->peak[p] > 0)) {
            (void)nf_object_error(load, &e->gemm.of[p].cite.at, "", NF_E_IMPOSSIBLE, NULL,
                                  "%s has no %s peak", e->device,
                                  nf_precision_name((enum nf_precision)p));
        }
    }
    enum nf_provenance ignored = NF_MEASURED;
    k->prefill_attention = curve(load, &e->prefill, &k->provenance);
    k->decode_attention = curve(load, &e->decode, &k->provenance);
    k->encoder_attention = curve(load, &e->encoder, &ignored);
    k->elementwise = curve(load, &e->elementwise, &k->provenance);
    k->network = curve(load, &e->network, &ignored);
    k->quantize = curve(load, &e->quantize, &ignored);
    k->convolution = curve(load, &e->convolution, &ignored);
    for (int i = 0; i < NF_COPIES; i++) {
        k->copy[i] = curve(load, &e->pcie.of[i], &ignored);
    }
    for (int i = 0; i < NF_LAUNCHES; i++) {
        k->launch[i] = curve(load, &e->launch.of[i], &ignored);
    }
    if (has(&e->long_attention)) {
        k->long_attention_ec = e->long_attention.curve.ec;
    }
    fold_allreduce(load, e, k);
    if (has(&e->prefill) && !(k->mixed_factor > 0) &&
        !nf_object_is_wrong(&e->at, "mixed_factor")) {
        (void)nf_object_error(load, &e->at, "mixed_factor", NF_E_KEY, NULL,
                              "attention constants need a mixed_factor above 0");
    }
}

/* Is the profile called as its device is? "h200" is the H200's own, "h200-measured" another one. */
static bool is_called_as(const struct nf__profile_entry *e, const char *device)
{
    const struct nf_device d = {.name = device};
    return strlen(e->at.name) == strlen(device) && nf_device_is_named(&d, e->at.name);
}

/* Of several profiles of a device, the one with its name is the device's own. */
static void check_one_each(struct nf_load *load, const struct nf_catalog *c,
                           struct nf__profile_entry *e)
{
    const char *const *names = c->names[NF__DEVICES];
    for (size_t i = 0; names[i]; i++) {
        if (is_called_as(e, names[i]) && strcmp(names[i], e->device) != 0) {
            (void)nf_object_error(load, &e->at, "device", NF_E_KEY, NULL,
                                  "profile %s is called after %s, but is for %s",
                                  e->at.name, names[i], e->device);
        }
    }
    bool has_own = false;
    for (size_t i = 0; i < c->profile_count; i++) {
        has_own = has_own || (strcmp(c->profiles[i].device, e->device) == 0 &&
                              is_called_as(&c->profiles[i], e->device));
    }
    for (size_t i = 0; &c->profiles[i] != e && !has_own; i++) {
        if (strcmp(c->profiles[i].device, e->device) == 0) {
            (void)nf_object_error(load, &e->at, "device", NF_E_KEY,
                                  "name the one that counts after the device",
                                  "profile %s is for %s, too", c->profiles[i].at.name,
                                  e->device);
        }
    }
}

/* Prices name devices, too. */
static void check_prices(struct nf_load *load, const struct nf_catalog *c)
{
    const struct nf_list *list = &c->root[NF__PRICES].prices.gpu_hours;
    struct nf__price_entry *e = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (!nf_catalog_device(c, e[i].device)) {
            (void)nf_object_error(load, &e[i].at, "device", NF_E_REFERENCE,
                                  near_name(load, c, NF__DEVICES, e[i].device),
                                  "no device is called \"%s\"", e[i].device);
        }
    }
}

void nf__catalog_fold(struct nf_load *load, struct nf_catalog *c)
{
    struct nf_list *devices = &c->root[NF__DEVICES].entries;
    struct nf__device_entry *e = devices->items;
    c->devices = NF_NEW_ARRAY(load->arena, devices->count, struct nf_device);
    for (size_t i = 0; i < devices->count; i++) {
        fold_device(load, &e[i], &c->devices[i]);
    }
    fold_models(load, c);
    check_prices(load, c);
    c->calibrations =
        NF_NEW_ARRAY(load->arena, c->profile_count + 1, struct nf_calibration);
    for (size_t i = 0; i < c->profile_count; i++) {
        nf__catalog_fold_profile(load, c, &c->profiles[i], &c->calibrations[i]);
        c->calibrations[i].is_own = is_called_as(&c->profiles[i], c->profiles[i].device);
        check_one_each(load, c, &c->profiles[i]);
    }
}
