/* Sites, and the stations that stand in them and in regions. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

/* Rows of results count sites in 16 bits and stations in 15; the route table has sites times stations entries. */
enum { SITES_MAX = 65000, STATIONS_MAX = 32000 };

const char *nf__build_near(struct nf__build *b, const char *word,
                           const char *const *names)
{
    const char *near =
        strlen(word) <= 64 && !nf__build_is_full(b) ? nf_text_nearest(word, names) : NULL;
    return near != NULL ? nf_arena_printf(b->load.arena, "did you mean \"%s\"?", near)
                        : NULL;
}

/* ---- sites ---- */

uint32_t nf__build_find_site(const struct nf__build *b, const char *name)
{
    return nf__index_find(&b->site_index, name);
}

static void add_site(struct nf__build *b, const char *name, int64_t count)
{
    if (name != NULL && nf__build_find_site(b, name) == NF__NONE) {
        nf__index_put(&b->site_index, name, (uint32_t)b->site_count, b->load.arena);
        b->sites[b->site_count++] = (struct nf__site){name, 0, (uint32_t)count};
    }
}

/* A site where nothing is, most likely misspelt: its copies would be missing where they are meant. */
static void check_declared_sites(struct nf__build *b)
{
    struct nf_scenario_decl *d = b->decl;
    struct nf_site_decl *sites = d->sites.items;
    struct nf_station_decl *edge = d->edge.items;
    struct nf_class_decl *traffic = d->traffic.items;
    const char **names =
        NF_NEW_ARRAY(b->load.arena, d->edge.count + d->traffic.count + 1, const char *);
    size_t n = 0;
    for (size_t i = 0; i < d->edge.count + d->traffic.count; i++) {
        const char *site =
            i < d->edge.count ? edge[i].site : traffic[i - d->edge.count].site;
        names[n] = site;
        n += site != NULL;
    }
    for (size_t i = 0; i < d->sites.count && b->knows_sites; i++) {
        const char *name = sites[i].at.name;
        size_t k = 0;
        while (k < n && strcmp(names[k], name) != 0) {
            k++;
        }
        if (k == n) {
            (void)nf_object_error(&b->load, &sites[i].at, "", NF_E_REFERENCE,
                                  nf__build_near(b, name, names),
                                  "neither traffic nor an edge node is at site \"%s\"",
                                  name);
        }
    }
}

/* A site exists when sites, an edge node or traffic names it. */
void nf__build_sites(struct nf__build *b)
{
    struct nf_scenario_decl *d = b->decl;
    struct nf_site_decl *sites = d->sites.items;
    struct nf_station_decl *edge = d->edge.items;
    struct nf_class_decl *traffic = d->traffic.items;
    b->sites =
        NF_NEW_ARRAY(b->load.arena, d->sites.count + d->edge.count + d->traffic.count,
                     struct nf__site);
    for (size_t i = 0; i < d->sites.count; i++) {
        add_site(b, sites[i].at.name, sites[i].at.is_broken ? 1 : sites[i].count);
    }
    for (size_t i = 0; i < d->edge.count; i++) {
        add_site(b, edge[i].site, 1);
    }
    for (size_t i = 0; i < d->traffic.count; i++) {
        add_site(b, traffic[i].site, 1);
    }
    check_declared_sites(b);
    size_t total = 0;
    for (size_t i = 0; i < b->site_count; i++) {
        b->sites[i].first = (uint32_t)total;
        total += b->sites[i].count;
    }
    if (total > SITES_MAX) {
        (void)nf_object_error(&b->load, &d->at, "sites", NF_E_LIMIT, NULL,
                              "%zu sites, copies included; at most %d are simulated",
                              total, SITES_MAX);
        return;
    }
    const char **names = NF_NEW_ARRAY(b->load.arena, total, const char *);
    for (size_t i = 0; i < b->site_count; i++) {
        const struct nf__site *s = &b->sites[i];
        for (uint32_t k = 0; k < s->count; k++) {
            names[s->first + k] =
                s->count == 1 ? s->name
                              : nf_arena_printf(b->load.arena, "%s[%u]", s->name, k);
        }
    }
    b->world->sites = names;
    b->world->site_count = total;
}

/* ---- groups of stations ---- */

uint32_t nf__build_find_group(const struct nf__build *b, const char *name)
{
    return nf__index_find(&b->group_index, name);
}

const char *const *nf__build_group_names(struct nf__build *b)
{
    const char **names = NF_NEW_ARRAY(b->load.arena, b->group_count + 1, const char *);
    for (size_t i = 0; i < b->group_count && !nf__build_is_full(b); i++) {
        names[i] = b->groups[i].decl->at.name;
    }
    return names;
}

static void add_groups(struct nf__build *b, struct nf_list *list, enum nf_tier tier)
{
    struct nf_station_decl *decls = list->items;
    for (size_t i = 0; i < list->count; i++) {
        struct nf_station_decl *d = &decls[i];
        uint32_t other = nf__build_find_group(b, d->at.name);
        if (other != NF__NONE) {
            (void)nf_object_error(&b->load, &d->at, "", NF_E_KEY, NULL,
                                  "%s is already the name of %s", d->at.name,
                                  b->groups[other].decl->at.path);
        }
        nf__index_put(&b->group_index, d->at.name, (uint32_t)b->group_count,
                      b->load.arena);
        struct nf__group *g = &b->groups[b->group_count++];
        *g = (struct nf__group){.decl = d, .tier = tier, .site = NF__NONE, .count = 1};
        if (d->region != NULL) {
            uint32_t first = nf__index_find(&b->region_index, d->region);
            nf__index_put(&b->region_index, d->region, (uint32_t)(g - b->groups),
                          b->load.arena);
            if (first != NF__NONE) {
                g->next_in_region = b->groups[first].next_in_region;
                b->groups[first].next_in_region = g;
            }
        }
        if (tier == NF_TIER_EDGE && d->site != NULL) {
            g->site = nf__build_find_site(b, d->site);
            g->count = b->sites[g->site].count;
        }
    }
}

/* ---- what a group serves ---- */

static void add_model(struct nf__build *b, struct nf__group *g, uint32_t m)
{
    struct nf__model *model = &b->models[m];
    struct nf__host *h = NF_NEW(b->load.arena, struct nf__host);
    *h = (struct nf__host){g, model->hosts};
    model->hosts = h;
    model->is_hosted = true;
    model->last_group = g;
    g->models[g->model_count++] = m;
}

static void find_models(struct nf__build *b, struct nf__group *g)
{
    struct nf_name_decl *names = g->decl->models.items;
    g->models = NF_NEW_ARRAY(b->load.arena, g->decl->models.count, uint32_t);
    g->is_unsure = !nf_object_is_whole(&g->decl->at, "models");
    for (size_t i = 0; i < g->decl->models.count; i++) {
        uint32_t m =
            names[i].at.is_unread ? NF__NONE : nf__build_find_model(b, names[i].text);
        if (m == NF__NONE) {
            g->is_unsure = true;
            if (b->knows_models && !names[i].at.is_unread) {
                (void)nf_object_error(
                    &b->load, &names[i].at, "", NF_E_REFERENCE,
                    nf__build_near(b, names[i].text, nf__build_model_names(b)),
                    "no model \"%s\" is declared under models", names[i].text);
            }
        } else if (b->models[m].last_group == g) {
            (void)nf_object_error(&b->load, &names[i].at, "", NF_E_KEY, NULL,
                                  "model \"%s\" is given twice", names[i].text);
        } else {
            add_model(b, g, m);
        }
    }
}

/* The first of the group's models whose kind is known; NULL: none. */
static const struct nf__model *first_known(const struct nf__build *b,
                                           const struct nf__group *g)
{
    for (size_t i = 0; i < g->model_count; i++) {
        if (b->models[g->models[i]].has_kind) {
            return &b->models[g->models[i]];
        }
    }
    return NULL;
}

/* All models of a station are of one kind, and a language model is alone. False when told: what they need cannot be said. */
static bool find_kind(struct nf__build *b, struct nf__group *g)
{
    static const enum nf_station_kind kinds[] = {[NF_MODEL_SERVICE] = NF_STATION_SERVERS,
                                                 [NF_MODEL_DNN] = NF_STATION_BATCH,
                                                 [NF_MODEL_LLM] = NF_STATION_LLM};
    const struct nf__model *first = first_known(b, g);
    g->has_kind = g->tier == NF_TIER_MAAS || first != NULL;
    if (g->tier == NF_TIER_MAAS || first == NULL) {
        g->kind = NF_STATION_PRICED;
        return true;
    }
    g->kind = kinds[first->kind];
    size_t llms = 0;
    for (size_t i = 0; i < g->model_count; i++) {
        const struct nf__model *m = &b->models[g->models[i]];
        llms += m->has_kind && m->kind == NF_MODEL_LLM;
        if (m->has_kind && m->kind != first->kind) {
            (void)nf_object_error(
                &b->load, &g->decl->at, "models", NF_E_IMPOSSIBLE, "declare two stations",
                "%s and %s are served in different ways (service times, batches, "
                "language model engine) and cannot share one station",
                first->decl->at.name, m->decl->at.name);
            g->has_kind = false;
            return false;
        }
    }
    if (llms > 1) {
        (void)nf_object_error(&b->load, &g->decl->at, "models", NF_E_UNSUPPORTED,
                              "declare a station for each",
                              "%zu language models on one station; an engine serves one",
                              llms);
    }
    return llms <= 1;
}

void nf__build_materialize(struct nf__build *b, const struct nf_table *table,
                           const char *key, struct nf_object *part,
                           const struct nf_object *owner)
{
    if (part->node != NULL) {
        return;
    }
    const struct nf_field *f = nf_table_field(table, key, -1);
    const char *path = nf_arena_printf(b->load.arena, "%s.%s", owner->path, key);
    enum nf_status s = nf_schema_load(
        &b->load, f->table, nf_yaml_new_map(owner->place, b->load.arena), path, part);
    NF_ASSERT(s == NF_OK);
}

/* Settings that mean nothing for the kind of model are mistakes; those that mean something get their defaults. */
static void check_settings(struct nf__build *b, struct nf__group *g,
                           const struct nf_table *table)
{
    struct nf_station_decl *d = g->decl;
    const struct {
        const char *key;
        enum nf_station_kind kind;
        const char *what;
    } settings[] = {{"speed", NF_STATION_SERVERS, "service-time models"},
                    {"batching", NF_STATION_BATCH, "batched models (dnn)"},
                    {"engine", NF_STATION_LLM, "language models"}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (settings[i].kind != g->kind && nf_object_has(&d->at, settings[i].key)) {
            (void)nf_object_error(&b->load, &d->at, settings[i].key, NF_E_KEY,
                                  "remove it", "\"%s\" is for %s; %s is another kind",
                                  settings[i].key, settings[i].what,
                                  first_known(b, g)->decl->at.name);
        }
    }
    if (g->kind == NF_STATION_SERVERS && isnan(d->speed)) {
        d->speed = 1;
    } else if (g->kind == NF_STATION_BATCH) {
        nf__build_materialize(b, table, "batching", &d->batching.at, &d->at);
    } else if (g->kind == NF_STATION_LLM) {
        nf__build_materialize(b, table, "engine", &d->engine.at, &d->at);
    }
}

static bool find_device(struct nf__build *b, struct nf__group *g)
{
    struct nf_station_decl *d = g->decl;
    bool is_needed = g->has_kind && g->kind != NF_STATION_SERVERS;
    if (nf_object_is_wrong(&d->at, "device")) {
        return false;
    }
    if (d->device == NULL) {
        if (is_needed) {
            (void)nf_object_error(
                &b->load, &d->at, "", NF_E_KEY, "for example device: L4",
                "key \"device\" is missing: %s comes from the catalogue and "
                "runs on a GPU",
                first_known(b, g)->decl->at.name);
            (void)nf_object_mark_wrong(&b->load, &d->at, "device");
        }
        return !is_needed;
    }
    const struct nf_catalog *catalog = nf__build_catalog(b);
    if (catalog == NULL) {
        return false;
    }
    g->device = nf_catalog_device(catalog, d->device);
    if (g->device == NULL) {
        const char *near =
            nf__build_near(b, d->device, nf_catalog_names(catalog, "devices"));
        (void)nf_object_error(&b->load, &d->at, "device", NF_E_REFERENCE,
                              near != NULL ? near
                                           : "`nearfar catalog devices` lists them",
                              "the catalogue has no device \"%s\"", d->device);
    }
    return g->device != NULL;
}

/* ---- cloud pools ---- */

static void check_initial(struct nf__build *b, struct nf_replicas_decl *r)
{
    bool has_min = !nf_object_is_wrong(&r->at, "min");
    bool has_max = !nf_object_is_wrong(&r->at, "max") && r->max != NF_INT_ABSENT;
    bool is_low = has_min && r->initial < r->min;
    bool is_high = has_max && r->initial > r->max;
    if (!is_low && !is_high) {
        return;
    }
    if (has_min && has_max) {
        (void)nf_object_error(&b->load, &r->at, "initial", NF_E_IMPOSSIBLE, NULL,
                              "initial %lld is outside min %lld to max %lld",
                              (long long)r->initial, (long long)r->min,
                              (long long)r->max);
    } else {
        (void)nf_object_error(&b->load, &r->at, "initial", NF_E_IMPOSSIBLE, NULL,
                              is_low ? "initial %lld is less than min %lld"
                                     : "initial %lld is more than max %lld",
                              (long long)r->initial,
                              (long long)(is_low ? r->min : r->max));
    }
}

static void check_replicas(struct nf__build *b, struct nf_station_decl *d)
{
    struct nf_replicas_decl *r = &d->replicas;
    bool knows_policy = !nf_object_is_wrong(&d->scaler.at, "policy") &&
                        nf__build_given(&d->at, "autoscaler") >= 0;
    bool has_min = !nf_object_is_wrong(&r->at, "min");
    bool has_max = !nf_object_is_wrong(&r->at, "max");
    bool has_initial = !nf_object_is_wrong(&r->at, "initial");
    if (r->initial == NF_INT_ABSENT && has_initial && has_min) {
        r->initial = r->min;
    }
    has_initial = has_initial && r->initial != NF_INT_ABSENT;
    if (r->max == NF_INT_ABSENT && has_max && has_initial && has_min) {
        r->max = r->initial > r->min ? r->initial : r->min > 1 ? r->min : 1;
    }
    has_max = has_max && r->max != NF_INT_ABSENT;
    if (has_min && has_max && r->min > r->max) {
        (void)nf_object_error(&b->load, &r->at, "min", NF_E_IMPOSSIBLE, NULL,
                              "min %lld is more than max %lld", (long long)r->min,
                              (long long)r->max);
    } else if (has_initial) {
        check_initial(b, r);
    }
    if (has_min && r->min == 0 && knows_policy && d->scaler.policy != NF_SCALER_KPA) {
        (void)nf_object_error(&b->load, &r->at, "min", NF_E_UNSUPPORTED,
                              "use min: 1, or policy: kpa",
                              "only the kpa autoscaler scales to zero and back");
    } else if (knows_policy && d->scaler.policy == NF_SCALER_NONE && !r->at.is_broken &&
               r->min != r->max) {
        nf_diag_warn(b->load.diags, nf_object_place(&r->at, "max"), r->at.path,
                     "there is no autoscaler: the pool keeps its %lld replicas",
                     (long long)r->initial);
    }
}

static void fill_cloud(struct nf__build *b, struct nf__group *g,
                       struct nf_station_spec *s)
{
    struct nf_station_decl *d = g->decl;
    nf__build_scaler(b, d, &s->scaler);
    check_replicas(b, d);
    s->replicas_min = (unsigned)d->replicas.min;
    s->replicas_max = (unsigned)d->replicas.max;
    s->replicas_initial = (unsigned)d->replicas.initial;
    (void)nf__build_dist(b, &d->startup.provision, NF_DIM_TIME, &s->startup_provision);
    (void)nf__build_dist(b, &d->startup.image_pull, NF_DIM_TIME, &s->startup_image_pull);
    s->price_usd_per_gpu_s = d->price;
    if (isnan(d->power)) {
        d->power = g->device != NULL ? g->device->power_w * (double)d->gpus : 0;
    }
    s->power_w = d->power;
}

static void fill_edge(struct nf__group *g, struct nf_station_spec *s)
{
    struct nf_station_decl *d = g->decl;
    s->replicas_min = s->replicas_max = s->replicas_initial = 1;
    s->purchase_usd = d->cost.purchase;
    s->lifetime_s = d->cost.lifetime;
    s->electricity_usd_per_joule = d->cost.electricity;
    if (isnan(d->cost.power)) {
        d->cost.power = g->device != NULL ? g->device->power_w * (double)d->gpus : 0;
    }
    s->power_w = d->cost.power;
}

static void fill_maas(struct nf__build *b, struct nf__group *g, struct nf_station_spec *s)
{
    struct nf_station_decl *d = g->decl;
    s->usd_per_input_token = d->token_price.input;
    s->usd_per_output_token = d->token_price.output;
    s->usd_per_request = d->token_price.request;
    (void)nf__build_dist(b, &d->service.ttft, NF_DIM_TIME, &s->ttft);
    (void)nf__build_dist(b, &d->service.tpot, NF_DIM_TIME, &s->tpot);
    if (isinf(d->limit.requests)) {
        if (!nf_object_is_wrong(&d->limit.at, "requests") &&
            nf_object_has(&d->limit.at, "burst")) {
            (void)nf_object_error(&b->load, &d->limit.at, "burst", NF_E_KEY, NULL,
                                  "\"burst\" goes with a limit on requests");
        }
    } else {
        s->rate_limit = d->limit.requests;
        if (isnan(d->limit.burst)) {
            d->limit.burst = fmax(1, d->limit.requests);
        }
        s->rate_burst = d->limit.burst;
    }
    s->concurrency_limit = d->limit.concurrency;
    s->queue_limit = INT64_MAX;
    s->servers = 1;
    s->replicas_min = s->replicas_max = s->replicas_initial = 1;
    s->gpus_per_replica = 0;
}

/* Are all keys of the station good that the costs of its models hang on? */
static bool has_costs(const struct nf__group *g)
{
    const struct nf_object *at = &g->decl->at;
    const char *part = g->kind == NF_STATION_LLM ? "engine" : "batching";
    return g->has_kind && !NF_IS_WRONG(at, "gpus", "gpus_per_replica") &&
           (g->kind == NF_STATION_SERVERS || !nf_object_is_wrong(at, part));
}

static void fill_server(struct nf__build *b, struct nf__group *g,
                        struct nf_station_spec *s)
{
    static const struct nf_table *const tables[] = {&nf_table_edge, &nf_table_cloud};
    struct nf_station_decl *d = g->decl;
    bool can_share = find_kind(b, g);
    if (g->has_kind) {
        check_settings(b, g, tables[g->tier]);
    }
    s->kind = g->kind;
    s->queue_limit = d->queue.limit;
    s->speed = g->kind == NF_STATION_SERVERS ? d->speed : 1;
    s->gpus_per_replica = (unsigned)d->gpus;
    s->servers = g->kind == NF_STATION_LLM ? 1 : (unsigned)d->gpus;
    s->batch_max = 1;
    nf__build_batching(b, g, s);
    if (d->engine.at.node != NULL && !d->engine.at.is_unread) {
        nf__build_engine(b, &d->engine);
    }
    bool has_device = find_device(b, g);
    if (g->tier == NF_TIER_EDGE) {
        fill_edge(g, s);
    } else {
        fill_cloud(b, g, s);
    }
    bool has_profile = nf__build_calibration(b, g);
    if (has_device && has_profile && can_share && has_costs(g)) {
        nf__build_hostings(b, g, s);
    }
}

/* The copies of a group, one at each copy of its site. */
static void expand(struct nf__build *b, struct nf__group *g,
                   const struct nf_station_spec *one, struct nf_station_spec *out)
{
    for (uint32_t k = 0; k < g->count && !g->decl->at.is_broken; k++) {
        out[k] = *one;
        out[k].name = g->count == 1
                          ? one->group
                          : nf_arena_printf(b->load.arena, "%s[%u]", one->group, k);
        if (g->tier == NF_TIER_EDGE) {
            out[k].site = (int32_t)(b->sites[g->site].first + k);
            out[k].place = b->world->sites[out[k].site];
        }
    }
}

static size_t place_groups(struct nf__build *b)
{
    size_t total = 0;
    for (size_t i = 0; i < b->group_count; i++) {
        b->groups[i].first = (uint32_t)total;
        total += b->groups[i].count;
    }
    if (total > STATIONS_MAX || total * b->world->site_count > NF__ROUTES_MAX) {
        (void)nf_object_error(
            &b->load, &b->decl->at, "sites", NF_E_LIMIT, "lower the counts of the sites",
            "%zu stations at %zu sites, copies included; at most %d stations, "
            "and %d pairs of site and station, are simulated",
            total, b->world->site_count, STATIONS_MAX, NF__ROUTES_MAX);
        return 0;
    }
    return total;
}

void nf__build_stations(struct nf__build *b)
{
    struct nf_scenario_decl *d = b->decl;
    b->groups = NF_NEW_ARRAY(
        b->load.arena, d->edge.count + d->cloud.count + d->maas.count, struct nf__group);
    add_groups(b, &d->edge, NF_TIER_EDGE);
    add_groups(b, &d->cloud, NF_TIER_CLOUD);
    add_groups(b, &d->maas, NF_TIER_MAAS);
    if (d->edge.count + d->cloud.count + d->maas.count == 0 && b->knows_stations) {
        (void)nf_object_error(&b->load, &d->at, "", NF_E_KEY, NULL,
                              "expected at least one station under edge, cloud or maas");
    }
    size_t total = place_groups(b);
    struct nf_station_spec *stations =
        NF_NEW_ARRAY(b->load.arena, total, struct nf_station_spec);
    for (size_t i = 0; i < b->group_count; i++) {
        struct nf__group *g = &b->groups[i];
        find_models(b, g);
        struct nf_station_spec one = {.name = g->decl->at.name,
                                      .group = g->decl->at.name,
                                      .place = g->decl->region,
                                      .site = -1,
                                      .tier = g->tier,
                                      .speed = 1};
        if (g->tier == NF_TIER_MAAS) {
            (void)find_kind(b, g);
            one.kind = g->kind;
            fill_maas(b, g, &one);
            nf__build_hostings(b, g, &one);
        } else {
            fill_server(b, g, &one);
        }
        if (total > 0 && b->world->sites != NULL) {
            expand(b, g, &one, stations + g->first);
        }
    }
    b->world->stations = stations;
    b->world->station_count = total;
}
