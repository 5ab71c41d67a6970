/* Models, and what they cost on a device. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "scenario/build.h"

const struct nf_catalog *nf__build_catalog(struct nf__build *b)
{
    if (b->catalog == NULL && !b->catalog_failed) {
        enum nf_status s = nf_catalog_load(b->options->data_root, b->load.arena,
                                           b->load.diags, &b->catalog);
        b->catalog_failed = s != NF_OK;
    }
    return b->catalog;
}

/* ---- what a model is ---- */

static void apply_dnn(struct nf__build *b, struct nf__model *m)
{
    struct nf_model_decl *d = m->decl;
    struct nf_dnn_model *copy = NF_NEW(b->load.arena, struct nf_dnn_model);
    *copy = *m->dnn;
    if (d->batch_law >= 0) {
        copy->law = (enum nf_batch_law)d->batch_law;
    }
    d->batch_law = (int)copy->law;
    d->parameters = isnan(d->parameters) ? copy->parameters : d->parameters;
    if (copy->speech.encoder_layers > 0) {
        nf__build_materialize(b, &nf_table_model, "transcribe", &d->transcribe.at,
                              &d->at);
        copy->speech.tokens =
            isnan(d->transcribe.tokens) ? copy->speech.tokens : d->transcribe.tokens;
        d->transcribe.tokens = copy->speech.tokens;
    }
    if (d->weights >= 0 || d->kv >= 0) {
        (void)nf_object_error(&b->load, &d->at, d->weights >= 0 ? "weights" : "kv",
                              NF_E_KEY, NULL, "%s is not a language model", d->catalog);
    }
    m->kind = NF_MODEL_DNN;
    m->has_kind = true;
    m->dnn = copy;
}

static void apply_llm(struct nf__build *b, struct nf__model *m)
{
    struct nf_model_decl *d = m->decl;
    struct nf_llm_arch *copy = NF_NEW(b->load.arena, struct nf_llm_arch);
    *copy = *m->llm;
    if (d->weights >= 0) {
        copy->weights = (enum nf_precision)d->weights;
    }
    if (d->kv >= 0) {
        copy->kv = (enum nf_precision)d->kv;
    }
    if (copy->kv != NF_BF16 && copy->kv != NF_FP8) {
        (void)nf_object_error(&b->load, &d->at, "kv", NF_E_UNSUPPORTED, NULL,
                              "the key-value cache is bf16 or fp8");
    }
    if (d->batch_law >= 0) {
        (void)nf_object_error(&b->load, &d->at, "batch_law", NF_E_KEY, NULL,
                              "%s is a language model; its batches are the engine's",
                              d->catalog);
    }
    d->weights = (int)copy->weights;
    d->kv = (int)copy->kv;
    d->parameters = isnan(d->parameters) ? copy->parameters : d->parameters;
    m->kind = NF_MODEL_LLM;
    m->has_kind = true;
    m->llm = copy;
}

static void find_in_catalog(struct nf__build *b, struct nf__model *m)
{
    struct nf_model_decl *d = m->decl;
    const struct nf_catalog *catalog = nf__build_catalog(b);
    if (catalog == NULL) {
        return;
    }
    m->dnn = nf_catalog_dnn(catalog, d->catalog);
    m->llm = nf_catalog_llm(catalog, d->catalog);
    m->diffusion = nf_catalog_diffusion(catalog, d->catalog, &m->job);
    if (m->diffusion != NULL) {
        nf__build_generation(b, m);
    } else if (d->generate.at.node != NULL) {
        (void)nf_object_error(&b->load, &d->at, "generate", NF_E_KEY, "remove it",
                              "%s does not generate pictures", d->catalog);
    }
    bool is_speech = m->dnn != NULL && m->dnn->speech.encoder_layers > 0;
    if (d->transcribe.at.node != NULL && !is_speech) {
        (void)nf_object_error(&b->load, &d->at, "transcribe", NF_E_KEY, "remove it",
                              "%s is not a model of speech", d->catalog);
    }
    if (m->dnn != NULL) {
        apply_dnn(b, m);
    } else if (m->llm != NULL) {
        apply_llm(b, m);
    } else if (m->diffusion == NULL) {
        const char *near =
            nf__build_near(b, d->catalog, nf_catalog_names(catalog, "models"));
        (void)nf_object_error(&b->load, &d->at, "catalog", NF_E_REFERENCE,
                              near != NULL ? near : "`nearfar catalog models` lists them",
                              "the catalogue has no model \"%s\"", d->catalog);
    }
}

/* A model that is not the catalogue's: by its service time, or by its kind alone. */
static void check_plain(struct nf__build *b, struct nf__model *m)
{
    struct nf_model_decl *d = m->decl;
    bool has_service = nf_object_has(&d->at, "service");
    const char *extra = d->batch_law >= 0               ? "batch_law"
                        : d->weights >= 0               ? "weights"
                        : d->kv >= 0                    ? "kv"
                        : d->host.at.node != NULL       ? "host"
                        : d->generate.at.node != NULL   ? "generate"
                        : d->transcribe.at.node != NULL ? "transcribe"
                                                        : NULL;
    if (extra != NULL) {
        (void)nf_object_error(&b->load, &d->at, extra, NF_E_KEY, NULL,
                              "\"%s\" goes with catalog only", extra);
    }
    m->kind =
        has_service ? NF_MODEL_SERVICE : (enum nf_model_kind)(NF_MODEL_DNN + d->kind);
    m->has_kind = has_service || !nf_object_is_wrong(&d->at, "kind");
}

static void check_model(struct nf__build *b, struct nf__model *m,
                        struct nf_model_spec *out)
{
    struct nf_model_decl *d = m->decl;
    bool has_service = nf_object_has(&d->at, "service");
    bool has_catalog = nf_object_has(&d->at, "catalog");
    int given = has_service + has_catalog + nf_object_has(&d->at, "kind");
    *out = (struct nf_model_spec){.name = d->at.name};
    if (given > 1 || (given == 0 && !NF_IS_WRONG(&d->at, "service", "catalog", "kind"))) {
        (void)nf_object_error(&b->load, &d->at, "", NF_E_KEY, NULL,
                              given == 0
                                  ? "expected service, catalog or kind"
                                  : "expected only one of service, catalog and kind");
    }
    if (d->catalog != NULL) {
        find_in_catalog(b, m);
    } else if (given == 1 && !has_catalog) {
        check_plain(b, m);
    }
    m->has_kind = m->has_kind && given == 1;
    if (has_service) {
        (void)nf__build_dist(b, &d->service, NF_DIM_TIME, &out->service);
    }
    out->kind = m->kind;
    out->parameters = isnan(d->parameters) ? 0 : d->parameters;
}

void nf__build_models(struct nf__build *b)
{
    size_t n = b->decl->models.count;
    struct nf_model_decl *decls = b->decl->models.items;
    struct nf_model_spec *specs = NF_NEW_ARRAY(b->load.arena, n, struct nf_model_spec);
    b->models = NF_NEW_ARRAY(b->load.arena, n, struct nf__model);
    for (size_t i = 0; i < n; i++) {
        b->models[i].decl = &decls[i];
        nf__index_put(&b->model_index, decls[i].at.name, (uint32_t)i, b->load.arena);
        check_model(b, &b->models[i], &specs[i]);
    }
    b->world->models = specs;
    b->world->model_count = n;
}

uint32_t nf__build_find_model(const struct nf__build *b, const char *name)
{
    return nf__index_find(&b->model_index, name);
}

const char *const *nf__build_model_names(struct nf__build *b)
{
    const char **names =
        NF_NEW_ARRAY(b->load.arena, b->decl->models.count + 1, const char *);
    for (size_t i = 0; i < b->decl->models.count && !nf__build_is_full(b); i++) {
        names[i] = b->models[i].decl->at.name;
    }
    return names;
}

/* ---- what it costs on a device ---- */

static void use_calibration(struct nf__build *b, const struct nf_calibration *c)
{
    for (size_t i = 0; i < b->calibration_count; i++) {
        if (b->calibrations[i] == c) {
            return;
        }
    }
    const struct nf_calibration **all = NF_NEW_ARRAY(
        b->load.arena, b->calibration_count + 1, const struct nf_calibration *);
    if (b->calibration_count > 0) {
        memcpy(all, b->calibrations, b->calibration_count * sizeof *all);
    }
    all[b->calibration_count++] = c;
    b->calibrations = all;
}

/* The replica's GPUs, dealt out. */
static bool settle_layout(struct nf__build *b, struct nf_station_decl *d)
{
    struct nf_engine_decl *e = &d->engine;
    if (e->tensor_parallel == NF_INT_ABSENT) {
        e->tensor_parallel =
            d->gpus % e->pipeline_parallel == 0 ? d->gpus / e->pipeline_parallel : 1;
    }
    if (e->tensor_parallel * e->pipeline_parallel == d->gpus) {
        return true;
    }
    (void)nf_object_error(&b->load, &e->at,
                          nf_object_has(&e->at, "tensor_parallel") ? "tensor_parallel"
                                                                   : "pipeline_parallel",
                          NF_E_IMPOSSIBLE, NULL,
                          "tensor_parallel %lld times pipeline_parallel %lld are not the "
                          "replica's %lld GPUs",
                          (long long)e->tensor_parallel, (long long)e->pipeline_parallel,
                          (long long)d->gpus);
    return false;
}

void nf__build_engine(struct nf__build *b, struct nf_engine_decl *e)
{
    if (NF_IS_WRONG(&e->at, "max_sequences", "max_batched_tokens") ||
        e->max_batched_tokens >= e->max_sequences) {
        return;
    }
    bool is_given = nf_object_has(&e->at, "max_batched_tokens");
    (void)nf_object_error(&b->load, &e->at,
                          is_given ? "max_batched_tokens" : "max_sequences",
                          NF_E_IMPOSSIBLE, NULL,
                          "max_batched_tokens, %lld, is below max_sequences, %lld: each "
                          "sequence that runs takes a token of every iteration",
                          (long long)e->max_batched_tokens, (long long)e->max_sequences);
}

static struct nf_llm_engine engine_of(const struct nf_engine_decl *e)
{
    bool has_drafts = e->speculation.at.node != NULL;
    return (struct nf_llm_engine){
        .max_sequences = (unsigned)e->max_sequences,
        .max_batched_tokens = (unsigned)e->max_batched_tokens,
        .block_tokens = (unsigned)e->block_tokens,
        .kv_memory = e->kv_memory,
        .prefix_caching = e->prefix_caching,
        .by_priority = e->scheduling == 1,
        .stages = (unsigned)e->pipeline_parallel,
        .expert_parallel = e->expert_parallel,
        .draft_tokens = has_drafts ? (unsigned)e->speculation.tokens : 0,
        .draft_acceptance = has_drafts ? e->speculation.acceptance : 0,
        .draft_cost = has_drafts ? e->speculation.draft_cost : 0,
        .kv_blocks = e->kv_blocks == NF_INT_ABSENT ? 0 : (uint64_t)e->kv_blocks,
        .step_overhead_s = e->step_overhead,
        .sequence_overhead_s = e->sequence_overhead,
        .async_scheduling = e->async_scheduling,
        .request_overhead_s = e->request_overhead};
}

/* A job holds its GPUs for the whole of its time; a batch of jobs is made one after the other. */
static bool cost_of_pictures(const struct nf__model *m, const struct nf_host *host,
                             const struct nf_station_decl *d, struct nf_dnn_cost *out,
                             char *why, size_t cap)
{
    struct nf_diffusion_cost cost;
    if (!nf_diffusion_prepare(&cost, m->diffusion, &m->job, host, why, cap)) {
        return false;
    }
    *out = (struct nf_dnn_cost){.per_sample_s = cost.total_s,
                                .batch = (unsigned)d->batching.max_size,
                                .weight_bytes = cost.weight_bytes,
                                .provenance = cost.provenance,
                                .has_range = cost.has_range,
                                .inside_high = cost.is_longer ? 0 : UINT_MAX};
    return true;
}

static bool cost_of(const struct nf__model *m, const struct nf_host *one,
                    const struct nf_station_decl *d, struct nf_hosting *out, char *why,
                    size_t cap)
{
    struct nf_host host = *one;
    struct nf_llm_engine engine = engine_of(&d->engine);
    if (m->diffusion != NULL) {
        host.ranks = (unsigned)m->decl->generate.gpus;
        return cost_of_pictures(m, &host, d, &out->dnn, why, cap);
    }
    if (m->dnn != NULL) {
        if (!nf_dnn_prepare(&out->dnn, m->dnn, &host, (unsigned)d->batching.max_size, why,
                            cap)) {
            return false;
        }
        if (m->decl->host.at.node != NULL) {
            out->dnn.prepare_s = m->decl->host.before;
            out->dnn.finish_s = m->decl->host.after;
        }
        return true;
    }
    host.ranks = (unsigned)d->gpus;
    return nf_llm_prepare(&out->llm, m->llm, &host, &engine, why, cap);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

/* A profile of the catalogue by its name, or a file beside the scenario; each file is read once. NULL: told. */
static const struct nf_calibration *named_calibration(struct nf__build *b,
                                                      struct nf_station_decl *d)
{
    const char *name = d->calibration;
    const struct nf_calibration *found = nf_catalog_profile(b->catalog, name);
    for (size_t i = 0; i < b->calibration_count && !found; i++) {
        found = strcmp(b->calibrations[i]->name, name) == 0 ? b->calibrations[i] : NULL;
    }
    if (!found && ends_with(name, ".yaml")) {
        struct nf_calibration *read = NF_NEW(b->load.arena, struct nf_calibration);
        const char *path = nf__build_file(b, name);
        if (nf__build_is_bad_file(b, path, NF__NONE)) {
            return NULL;
        }
        if (nf_catalog_read_profile(b->catalog, path,
                                    nf_object_place(&d->at, "calibration"), b->load.arena,
                                    b->load.diags, read) != NF_OK) {
            (void)nf_object_mark_wrong(&b->load, &d->at, "calibration");
            nf__build_add_bad_file(b, path, NF__NONE);
            return NULL;
        }
        read->name = name;
        found = read;
    }
    if (!found) {
        const char *near =
            nf__build_near(b, name, nf_catalog_names(b->catalog, "profiles"));
        (void)nf_object_error(&b->load, &d->at, "calibration", NF_E_REFERENCE,
                              near ? near
                                   : "a profile of results/calibration, or a .yaml file",
                              "no profile is called \"%s\"", name);
    }
    return found;
}

bool nf__build_calibration(struct nf__build *b, struct nf__group *g)
{
    struct nf_station_decl *d = g->decl;
    bool is_plain = g->has_kind && g->kind == NF_STATION_SERVERS;
    const struct nf_calibration *c = NULL;
    if (nf_object_is_wrong(&d->at, "calibration")) {
        return false;
    }
    if (d->calibration != NULL && is_plain) {
        (void)nf_object_error(&b->load, &d->at, "calibration", NF_E_KEY, "remove it",
                              "goes with models of the catalogue only");
        return false;
    }
    if (d->calibration != NULL) {
        c = nf__build_catalog(b) != NULL ? named_calibration(b, d) : NULL;
        if (c == NULL) {
            return false;
        }
    } else if (g->device != NULL && !is_plain) {
        c = nf_catalog_calibration(b->catalog, g->device->name);
    }
    if (c == NULL || g->device == NULL) {
        return true;
    }
    if (strcmp(c->device, g->device->name) != 0) {
        (void)nf_object_error(&b->load, &d->at, "calibration", NF_E_IMPOSSIBLE, NULL,
                              "profile %s is for %s, and the device is %s", c->name,
                              c->device, g->device->name);
        return false;
    }
    use_calibration(b, c);
    g->calibration = c;
    return true;
}

/* Are all keys good that the cost hangs on? */
static bool has_cost(const struct nf__model *m)
{
    const struct nf_object *at = &m->decl->at;
    if (!m->has_kind) {
        return false;
    }
    return m->diffusion != NULL ? !nf_object_is_wrong(at, "generate")
           : m->dnn != NULL     ? !NF_IS_WRONG(at, "batch_law", "host", "transcribe")
                                : !NF_IS_WRONG(at, "weights", "kv");
}

/* One model on the group's device. The mistake is told at the place of the model's name. */
static bool prepare(struct nf__build *b, struct nf__group *g, size_t which,
                    struct nf_hosting *out)
{
    struct nf__model *m = &b->models[g->models[which]];
    struct nf_station_decl *d = g->decl;
    char why[512] = "";
    out->model = g->models[which];
    if (g->tier == NF_TIER_MAAS || (m->has_kind && m->kind == NF_MODEL_SERVICE)) {
        return true;
    }
    if (!has_cost(m)) {
        return false;
    }
    if (m->dnn == NULL && m->llm == NULL && m->diffusion == NULL) {
        (void)nf_object_error(
            &b->load, &d->at, "models", NF_E_IMPOSSIBLE,
            "give the model a catalog entry, or serve it from maas",
            "%s is known by name only; nobody knows what it needs on a device",
            m->decl->at.name);
        return false;
    }
    const struct nf_calibration *c = g->calibration;
    if (c == NULL && m->kind == NF_MODEL_LLM) {
        (void)nf_object_error(
            &b->load, &d->at, "device", NF_E_IMPOSSIBLE,
            "`nearfar catalog devices` tells which have one",
            "device %s has no calibration profile, which language models need",
            g->device->name);
        return false;
    }
    if (m->kind == NF_MODEL_LLM && !settle_layout(b, d)) {
        return false;
    }
    bool ok = cost_of(m, &(struct nf_host){g->device, c, 1}, d, out, why, sizeof why);
    if (!ok) {
        (void)nf_object_error(&b->load, &d->at, "models", NF_E_IMPOSSIBLE,
                              "`nearfar catalog fit MODEL DEVICE` tells what fits where",
                              "%s", why);
    }
    return ok;
}

/* The weights of all batched models lie in the same memory. */
static void check_together(struct nf__build *b, struct nf__group *g,
                           const struct nf_hosting *hostings)
{
    double need = 0;
    for (size_t i = 0; i < g->model_count; i++) {
        need += hostings[i].dnn.weight_bytes;
    }
    double have = g->device->memory_bytes - g->device->memory_reserve_bytes;
    if (need > have) {
        (void)nf_object_error(
            &b->load, &g->decl->at, "models", NF_E_IMPOSSIBLE, NULL,
            "the weights of the %zu models together need %.1f GB, %s offers "
            "%.1f GB",
            g->model_count, need / 1e9, g->device->name, have / 1e9);
    }
}

void nf__build_hostings(struct nf__build *b, struct nf__group *g,
                        struct nf_station_spec *s)
{
    double bytes = 0;
    struct nf_hosting *hostings =
        NF_NEW_ARRAY(b->load.arena, g->model_count, struct nf_hosting);
    bool ok = true;
    for (size_t i = 0; i < g->model_count; i++) {
        ok = prepare(b, g, i, &hostings[i]) && ok;
        bytes += g->kind == NF_STATION_LLM ? hostings[i].llm.weight_bytes
                                           : hostings[i].dnn.weight_bytes;
    }
    if (ok && g->kind == NF_STATION_BATCH && g->device != NULL) {
        check_together(b, g, hostings);
    }
    s->hostings = hostings;
    s->hosting_count = g->model_count;
    if (g->tier == NF_TIER_CLOUD && isfinite(g->decl->startup.load_bandwidth)) {
        s->startup_load_s = bytes / g->decl->startup.load_bandwidth;
    }
}
