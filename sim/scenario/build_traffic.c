/* Traffic entries, the stages of their cascades, and the sources at every copy of a site. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

enum { CLASSES_MAX = 4096, TOKENS_MAX = 1000000000 };

uint32_t nf__build_find_class(const struct nf__build *b, const char *name)
{
    return nf__index_find(&b->class_index, name);
}

/* ---- the list of classes ---- */

/* "a -> b -> a" when a stage bears the name of one before it, else NULL. */
static const char *cycle_of(struct nf__build *b, const struct nf__class *parent,
                            const char *name)
{
    const char *chain = name;
    for (const struct nf__class *c = parent; c != NULL; c = c->parent) {
        chain = nf_arena_printf(b->load.arena, "%s -> %s", c->decl->at.name, chain);
        if (strcmp(c->decl->at.name, name) == 0) {
            return chain;
        }
    }
    return NULL;
}

static struct nf__class *add_class(struct nf__build *b, struct nf_class_decl *d,
                                   struct nf__class *parent)
{
    uint32_t other = nf__build_find_class(b, d->at.name);
    if (other != NF__NONE) {
        const char *cycle = cycle_of(b, parent, d->at.name);
        (void)nf_object_error(&b->load, &d->at, "",
                              cycle != NULL ? NF_E_IMPOSSIBLE : NF_E_KEY,
                              cycle != NULL ? NULL : "every class has a name of its own",
                              cycle != NULL ? "the cascade runs in a circle: %s"
                                            : "%s is already the name of another class",
                              cycle != NULL ? cycle : d->at.name);
    }
    if (b->class_count == CLASSES_MAX) {
        if (!nf__build_is_full(b)) {
            (void)nf_object_error(&b->load, &d->at, "", NF_E_LIMIT, NULL,
                                  "more than %d classes, stages included", CLASSES_MAX);
        }
        return NULL;
    }
    struct nf__class *c = NF_NEW(b->load.arena, struct nf__class);
    *c = (struct nf__class){.decl = d,
                            .parent = parent,
                            .index = (uint32_t)b->class_count,
                            .site = parent != NULL ? parent->site : NF__NONE};
    b->knows_classes = b->knows_classes && nf_object_is_whole(&d->at, "then");
    nf__index_put(&b->class_index, d->at.name, c->index, b->load.arena);
    b->classes[b->class_count++] = c;
    return c;
}

static void add_stages(struct nf__build *b, struct nf__class *parent)
{
    struct nf_class_decl *stages = parent->decl->then.items;
    for (size_t i = 0; i < parent->decl->then.count; i++) {
        struct nf__class *c = add_class(b, &stages[i], parent);
        if (c != NULL) {
            add_stages(b, c);
        }
    }
}

/* ---- what a stage takes over from the one before ---- */

static void inherit(struct nf__class *c)
{
    struct nf_class_decl *d = c->decl;
    const struct nf_class_decl *p = c->parent->decl;
    if (d->model == NULL && !nf_object_is_wrong(&d->at, "model")) {
        d->model = p->model;
    }
    if (d->residency < 0) {
        d->residency = p->residency;
    }
    if (isnan(d->payload.up)) {
        d->payload.up = p->payload.up;
    }
    if (isnan(d->payload.down)) {
        d->payload.down = p->payload.down;
    }
}

static bool is_llm(const struct nf__class *c)
{
    return c->model->kind == NF_MODEL_LLM;
}

static void find_class_model(struct nf__build *b, struct nf__class *c)
{
    struct nf_class_decl *d = c->decl;
    if (d->model == NULL) {
        return; /* told as a missing key, here or in the stage before */
    }
    uint32_t m = nf__build_find_model(b, d->model);
    if (m != NF__NONE) {
        c->model = &b->models[m];
    } else if (nf_object_has(&d->at, "model") && b->knows_models) {
        (void)nf_object_error(&b->load, &d->at, "model", NF_E_REFERENCE,
                              nf__build_near(b, d->model, nf__build_model_names(b)),
                              "no model \"%s\" is declared under models", d->model);
    }
}

/* Token counts as they are drawn: rounded, at least 1. Means that this would change much, or that no computer holds, are
 * mistakes. */
static void read_count(struct nf__build *b, struct nf_tokens_decl *t, const char *key,
                       struct nf_dist *out)
{
    bool is_input = strcmp(key, "input") == 0;
    if (!nf__build_dist(b, is_input ? &t->input : &t->output, NF_DIM_NONE, out)) {
        return;
    }
    if (!(out->mean >= 1) || out->mean > TOKENS_MAX) {
        (void)nf_object_error(&b->load, &t->at, key, NF_E_RANGE, NULL,
                              out->mean < 1
                                  ? "%.12g tokens on average; a request has at least 1"
                                  : "%.12g tokens on average; at most %d are simulated",
                              out->mean, TOKENS_MAX);
    }
}

static void check_tokens(struct nf__build *b, struct nf__class *c,
                         const struct nf_trace *trace, const struct nf_class_spec *parent,
                         struct nf_class_spec *out)
{
    struct nf_class_decl *d = c->decl;
    bool has_tokens = d->tokens.at.node != NULL;
    bool is_own = nf_object_has(&d->at, "tokens");
    if (has_tokens && !d->tokens.at.is_unread) {
        read_count(b, &d->tokens, "input", &out->input_tokens);
        read_count(b, &d->tokens, "output", &out->output_tokens);
    }
    if (c->model == NULL || !c->model->has_kind) {
        return;
    }
    if (!is_llm(c)) {
        if (is_own) {
            (void)nf_object_error(&b->load, &d->at, "tokens", NF_E_KEY, "remove it",
                                  "model %s has no tokens", d->model);
        }
        return;
    }
    if (!has_tokens && parent != NULL && c->parent->decl->tokens.at.node != NULL) {
        d->tokens = c->parent->decl->tokens;
        out->input_tokens = parent->input_tokens;
        out->output_tokens = parent->output_tokens;
        has_tokens = true;
    }
    bool may_come = nf_object_is_wrong(&d->at, "tokens") || !c->knows_trace;
    if (trace != NULL && trace->has_tokens) {
        c->tokens_from_trace = true;
        if (has_tokens) {
            (void)nf_object_error(
                &b->load, &d->at, "tokens", NF_E_KEY, "remove it",
                "the trace already has the token counts of every request");
        }
    } else if (!has_tokens && !may_come) {
        (void)nf_object_error(
            &b->load, &d->at, "", NF_E_KEY,
            "for example tokens: {input: 400, output: 150}",
            trace != NULL
                ? "key \"tokens\" is missing: model %s is a language model, and the "
                  "trace has no token counts"
                : "key \"tokens\" is missing: model %s is a language model",
            d->model);
        (void)nf_object_mark_wrong(&b->load, &d->at, "tokens");
    }
    out->tokens_from_trace = c->tokens_from_trace;
}

static void check_target(struct nf__build *b, struct nf__class *c,
                         struct nf_class_spec *out)
{
    struct nf_target_decl *t = &c->decl->target;
    bool has_ttft = nf_object_has(&t->at, "ttft");
    if (c->model != NULL && c->model->has_kind && !is_llm(c) &&
        (has_ttft || nf_object_has(&t->at, "tpot"))) {
        (void)nf_object_error(&b->load, &t->at, has_ttft ? "ttft" : "tpot", NF_E_KEY,
                              "use latency", "model %s has no tokens", c->decl->model);
    }
    out->target_latency_s = isnan(t->latency) ? 0 : t->latency;
    out->target_ttft_s = isnan(t->ttft) ? 0 : t->ttft;
    out->target_tpot_s = isnan(t->tpot) ? 0 : t->tpot;
}

static void check_class(struct nf__build *b, struct nf__class *c,
                        const struct nf_class_spec *parent, struct nf_class_spec *out)
{
    struct nf_class_decl *d = c->decl;
    struct nf_trace trace = {.rows = NULL};
    if (c->parent != NULL) {
        c->knows_trace = c->parent->decl->tokens.at.node != NULL ||
                         !nf_object_is_wrong(&c->parent->decl->at, "tokens");
        inherit(c);
    } else {
        c->site = d->site != NULL ? nf__build_find_site(b, d->site) : NF__NONE;
        (void)nf__build_arrivals(b, c, &trace);
    }
    find_class_model(b, c);
    out->name = d->at.name;
    out->is_stage = c->parent != NULL;
    out->model = c->model != NULL ? (uint32_t)(c->model - b->models) : 0;
    check_tokens(b, c, trace.rows != NULL ? &trace : NULL, parent, out);
    if (d->target.at.node != NULL && !d->target.at.is_unread) {
        check_target(b, c, out);
    }
    if (isnan(d->payload.per_token)) {
        bool has_bytes = d->payload.up > 0 || d->payload.down > 0;
        d->payload.per_token = c->model != NULL && is_llm(c) && !has_bytes ? 4 : 0;
    }
    out->up_bytes = d->payload.up;
    out->down_bytes = d->payload.down;
    out->bytes_per_token = d->payload.per_token;
    out->residency = (enum nf_residency)d->residency;
    out->priority = (unsigned)d->priority;
    out->queue_timeout_s = isinf(d->queue_time) ? 0 : d->queue_time;
}

/* ---- the world's lists ---- */

static void link_stages(struct nf__build *b, struct nf_class_spec *specs)
{
    for (size_t i = 0; i < b->class_count; i++) {
        if (b->classes[i]->parent != NULL) {
            specs[b->classes[i]->parent->index].stage_count++;
        }
    }
    struct nf_stage_link **next =
        NF_NEW_ARRAY(b->load.arena, b->class_count, struct nf_stage_link *);
    for (size_t i = 0; i < b->class_count; i++) {
        next[i] = NF_NEW_ARRAY(b->load.arena, specs[i].stage_count, struct nf_stage_link);
        specs[i].stages = next[i];
    }
    for (uint32_t i = 0; i < b->class_count; i++) {
        const struct nf__class *c = b->classes[i];
        if (c->parent != NULL) {
            *next[c->parent->index]++ = (struct nf_stage_link){i, c->decl->probability};
        }
    }
}

static void add_sources(struct nf__build *b)
{
    size_t total = 0;
    for (size_t i = 0; i < b->class_count; i++) {
        const struct nf__class *c = b->classes[i];
        total += c->parent == NULL && c->site != NF__NONE ? b->sites[c->site].count : 0;
    }
    if (total > 1000000) {
        (void)nf_object_error(
            &b->load, &b->decl->at, "traffic", NF_E_LIMIT, NULL,
            "%zu sources of traffic, copies included; at most 1000000 are "
            "simulated",
            total);
        return;
    }
    struct nf_source_spec *sources =
        NF_NEW_ARRAY(b->load.arena, total, struct nf_source_spec);
    size_t n = 0;
    for (size_t i = 0; i < b->class_count; i++) {
        const struct nf__class *c = b->classes[i];
        uint32_t copies =
            c->parent == NULL && c->site != NF__NONE ? b->sites[c->site].count : 0;
        const char *name = c->decl->at.name;
        for (uint32_t k = 0; k < copies; k++) {
            sources[n++] = (struct nf_source_spec){
                .name = copies == 1 ? name
                                    : nf_arena_printf(b->load.arena, "%s[%u]", name, k),
                .class_ix = c->index,
                .site = b->sites[c->site].first + k,
                .arrivals = c->arrivals};
        }
    }
    b->world->sources = sources;
    b->world->source_count = n;
}

void nf__build_classes(struct nf__build *b)
{
    struct nf_class_decl *traffic = b->decl->traffic.items;
    b->classes = NF_NEW_ARRAY(b->load.arena, CLASSES_MAX, struct nf__class *);
    for (size_t i = 0; i < b->decl->traffic.count; i++) {
        (void)add_class(b, &traffic[i], NULL);
    }
    for (size_t i = 0, n = b->class_count; i < n; i++) {
        add_stages(b, b->classes[i]);
    }
    struct nf_class_spec *specs =
        NF_NEW_ARRAY(b->load.arena, b->class_count, struct nf_class_spec);
    for (size_t i = 0; i < b->class_count; i++) {
        struct nf__class *c = b->classes[i];
        if (c->parent != NULL) {
            c->site = c->parent->site;
        }
        check_class(b, c, c->parent != NULL ? &specs[c->parent->index] : NULL, &specs[i]);
    }
    link_stages(b, specs);
    add_sources(b);
    b->world->classes = specs;
    b->world->class_count = b->class_count;
}
