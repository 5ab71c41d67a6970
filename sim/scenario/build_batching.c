/* How requests form batches, and models whose requests each hold a GPU or a group of them. */
#include <math.h>

#include "base/text.h"
#include "scenario/build.h"

/* ---- what a generating model makes ---- */

static void change(unsigned *value, int64_t given)
{
    if (given != NF_INT_ABSENT) {
        *value = (unsigned)given;
    }
}

/* The scenario's changes go into the job, and the job's figures into the declaration, which the effective file shows. */
void nf__build_generation(struct nf__build *b, struct nf__model *m)
{
    struct nf_model_decl *d = m->decl;
    struct nf_generate_decl *g = &d->generate;
    struct nf_diffusion_job *j = &m->job;
    const char *extra = d->batch_law >= 0         ? "batch_law"
                        : d->weights >= 0         ? "weights"
                        : d->kv >= 0              ? "kv"
                        : d->host.at.node != NULL ? "host"
                                                  : NULL;
    if (extra != NULL) {
        (void)nf_object_error(&b->load, &d->at, extra, NF_E_KEY, "remove it",
                              "%s generates pictures", d->catalog);
    }
    nf__build_materialize(b, &nf_table_model, "generate", &g->at, &d->at);
    change(&j->width, g->width);
    change(&j->height, g->height);
    change(&j->frames, g->frames);
    change(&j->steps, g->steps);
    change(&j->forwards, g->forwards);
    j->offload = g->offload >= 0 ? g->offload > 0 : j->offload;
    g->width = j->width;
    g->height = j->height;
    g->frames = j->frames;
    g->steps = j->steps;
    g->forwards = j->forwards;
    g->offload = j->offload;
    d->parameters = isnan(d->parameters) ? m->diffusion->parameters : d->parameters;
    m->kind = NF_MODEL_DNN;
    m->has_kind = true;
}

/* ---- batches ---- */

static nf_time limit_ns(double seconds)
{
    return isinf(seconds) ? 0 : nf_time_of_s(seconds);
}

static void fill_levels(struct nf__build *b, struct nf_batching_decl *d,
                        struct nf_batcher_spec *out)
{
    struct nf_batching_level_decl *from = d->levels.items;
    struct nf_batch_level_policy *to =
        NF_NEW_ARRAY(b->load.arena, d->levels.count, struct nf_batch_level_policy);
    for (size_t i = 0; i < d->levels.count; i++) {
        int64_t level = 0;
        if (!nf_text_int64(from[i].at.name, &level) || level < 1 ||
            level > d->priorities) {
            (void)nf_object_error(&b->load, &from[i].at, "", NF_E_RANGE, NULL,
                                  "expected a level from 1 to %lld (priorities), found "
                                  "\"%s\"",
                                  (long long)d->priorities, from[i].at.name);
            continue;
        }
        to[i] = (struct nf_batch_level_policy){
            .level = (uint64_t)level,
            .policy = {.max_queue =
                           from[i].limit == INT64_MAX ? 0 : (uint32_t)from[i].limit,
                       .timeout = limit_ns(from[i].time_limit),
                       .action = (enum nf_batch_action)from[i].when_late,
                       .allow_override = true}};
    }
    out->level_policy = to;
    out->level_policy_count = d->levels.count;
}

static void fill_preferred(struct nf__build *b, struct nf_batching_decl *d,
                           struct nf_batcher_spec *out)
{
    struct nf_count_decl *from = d->preferred.items;
    uint32_t *to = NF_NEW_ARRAY(b->load.arena, d->preferred.count, uint32_t);
    for (size_t i = 0; i < d->preferred.count; i++) {
        to[i] = (uint32_t)from[i].value;
        if (!from[i].at.is_unread && from[i].value > d->max_size) {
            (void)nf_object_error(&b->load, &from[i].at, "", NF_E_RANGE, NULL,
                                  "a preferred size of %lld is above max_size, %lld",
                                  (long long)from[i].value, (long long)d->max_size);
        }
    }
    out->preferred = to;
    out->preferred_count = d->preferred.count;
}

/* Models that share GPUs must take them in equal groups. */
static void group_gpus(struct nf__build *b, struct nf__group *g,
                       struct nf_station_spec *s)
{
    const struct nf__model *first = NULL;
    int64_t gpus = 1;
    for (size_t i = 0; i < g->model_count; i++) {
        const struct nf__model *m = &b->models[g->models[i]];
        if (!m->has_kind || nf_object_is_wrong(&m->decl->generate.at, "gpus")) {
            continue;
        }
        int64_t own = m->diffusion != NULL ? m->decl->generate.gpus : 1;
        if (first != NULL && own != gpus) {
            (void)nf_object_error(&b->load, &g->decl->at, "models", NF_E_IMPOSSIBLE, NULL,
                                  "%s takes %lld GPUs for a request, %s takes %lld",
                                  first->decl->at.name, (long long)gpus, m->decl->at.name,
                                  (long long)own);
            return;
        }
        first = m;
        gpus = own;
    }
    if (NF_IS_WRONG(&g->decl->at, "gpus", "gpus_per_replica")) {
        return;
    }
    if (g->decl->gpus % gpus != 0) {
        (void)nf_object_error(&b->load, &g->decl->at, "", NF_E_IMPOSSIBLE, NULL,
                              "%lld GPUs cannot be shared out in groups of %lld",
                              (long long)g->decl->gpus, (long long)gpus);
        return;
    }
    s->servers = (unsigned)(g->decl->gpus / gpus);
}

static void read_batching(struct nf__build *b, struct nf_batching_decl *d,
                          struct nf_station_spec *s)
{
    s->batch_max = (unsigned)d->max_size;
    s->batch_delay = isinf(d->max_delay) ? NF_TIME_NEVER : nf_time_of_s(d->max_delay);
    s->batch_streams = (unsigned)d->streams;
    bool has_levels = !nf_object_is_wrong(&d->at, "priorities");
    if (d->default_priority == NF_INT_ABSENT) {
        d->default_priority = d->priorities > 0 ? d->priorities : 1;
    }
    if (has_levels && d->priorities > 0 && d->default_priority > d->priorities) {
        (void)nf_object_error(&b->load, &d->at, "default_priority", NF_E_RANGE, NULL,
                              "level %lld, but there are %lld priorities",
                              (long long)d->default_priority, (long long)d->priorities);
    }
    struct nf_batcher_spec *rules = NF_NEW(b->load.arena, struct nf_batcher_spec);
    *rules =
        (struct nf_batcher_spec){.max_batch = s->batch_max,
                                 .delay = s->batch_delay,
                                 .levels = (uint64_t)d->priorities,
                                 .default_level = (uint64_t)d->default_priority,
                                 .policy = {.timeout = limit_ns(d->time_limit),
                                            .action = (enum nf_batch_action)d->when_late,
                                            .allow_override = true}};
    if (!nf_object_is_wrong(&d->at, "max_size")) {
        fill_preferred(b, d, rules);
    }
    if (has_levels) {
        fill_levels(b, d, rules);
    }
    s->batcher = rules;
}

void nf__build_batching(struct nf__build *b, struct nf__group *g,
                        struct nf_station_spec *s)
{
    struct nf_batching_decl *d = &g->decl->batching;
    bool is_batched = g->has_kind && g->kind == NF_STATION_BATCH;
    if (is_batched) {
        group_gpus(b, g, s);
    }
    if (d->at.node != NULL && !d->at.is_unread) { /* also where it is out of place */
        read_batching(b, d, s);
    }
}
