/* From typed declarations to a world: the order of the sections, and what they share. */
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "scenario/build.h"
#include "scenario/override.h"

/* ---- names ---- */

static size_t slot_of(const struct nf__index *t, const char *key)
{
    size_t i = (size_t)nf_hash_name(key) & (t->cap - 1);
    while (t->keys[i] != NULL && strcmp(t->keys[i], key) != 0) {
        i = (i + 1) & (t->cap - 1);
    }
    return i;
}

static void grow(struct nf__index *t, struct nf_arena *arena)
{
    struct nf__index old = *t;
    t->cap = old.cap == 0 ? 64 : 2 * old.cap;
    t->keys = NF_NEW_ARRAY(arena, t->cap, const char *);
    t->values = NF_NEW_ARRAY(arena, t->cap, uint32_t);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.keys[i] != NULL) {
            size_t to = slot_of(t, old.keys[i]);
            t->keys[to] = old.keys[i];
            t->values[to] = old.values[i];
        }
    }
}

void nf__index_put(struct nf__index *t, const char *key, uint32_t value,
                   struct nf_arena *arena)
{
    if (2 * (t->count + 1) > t->cap) {
        grow(t, arena);
    }
    size_t i = slot_of(t, key);
    if (t->keys[i] == NULL) {
        t->keys[i] = key;
        t->values[i] = value;
        t->count++;
    }
}

uint32_t nf__index_find(const struct nf__index *t, const char *key)
{
    if (t->cap == 0) {
        return NF__NONE;
    }
    size_t i = slot_of(t, key);
    return t->keys[i] != NULL ? t->values[i] : NF__NONE;
}

int nf__build_given(const struct nf_object *o, const char *key)
{
    return nf_object_has(o, key) ? 1 : nf_object_is_wrong(o, key) ? -1 : 0;
}

bool nf__build_is_full(const struct nf__build *b)
{
    return b->load.diags->count == NF_DIAGS_MAX;
}

/* ---- files ---- */

const char *nf__build_file(struct nf__build *b, const char *name)
{
    struct stat st;
    if (name[0] == '/') {
        return name;
    }
    const char *beside = nf_arena_printf(b->load.arena, "%s%s", b->folder, name);
    if (stat(beside, &st) == 0) {
        return beside;
    }
    const char *shipped =
        nf_arena_printf(b->load.arena, "%s/scenarios/%s", b->options->data_root, name);
    return stat(shipped, &st) == 0 ? shipped : beside;
}

struct nf__bad_file {
    const char *path;
    uint32_t format;
    struct nf__bad_file *next;
};

bool nf__build_is_bad_file(const struct nf__build *b, const char *path, uint32_t format)
{
    for (const struct nf__bad_file *f = b->bad_files; f != NULL; f = f->next) {
        if (f->format == format && strcmp(f->path, path) == 0) {
            return true;
        }
    }
    return false;
}

void nf__build_add_bad_file(struct nf__build *b, const char *path, uint32_t format)
{
    struct nf__bad_file *f = NF_NEW(b->load.arena, struct nf__bad_file);
    *f = (struct nf__bad_file){path, format, b->bad_files};
    b->bad_files = f;
}

/* ---- the whole ---- */

static void build_head(struct nf__build *b)
{
    struct nf_scenario_decl *d = b->decl;
    struct nf_world_spec *w = b->world;
    w->name = d->name;
    w->seed = (uint64_t)d->seed;
    w->replications = (unsigned)d->replications;
    w->duration = d->duration > 0 ? nf_time_of_s(d->duration) : 0;
    w->warmup = d->warmup > 0 ? nf_time_of_s(d->warmup) : 0;
    if (!NF_IS_WRONG(&d->at, "duration", "warmup") && w->warmup >= w->duration) {
        (void)nf_object_error(&b->load, &d->at, "warmup", NF_E_IMPOSSIBLE, NULL,
                              "the warm-up leaves nothing of the duration");
    }
}

/* Which names can be relied on; links and the gateway's list are judged when they are looked at. */
static void judge_names(struct nf__build *b)
{
    const struct nf_scenario_decl *d = b->decl;
    const struct nf_list *lists[] = {&d->cloud, &d->maas};
    const struct nf_station_decl *edge = d->edge.items;
    const struct nf_class_decl *traffic = d->traffic.items;
    b->knows_models = nf_object_is_whole(&d->at, "models");
    b->knows_stations = nf_object_is_whole(&d->at, "edge") &&
                        nf_object_is_whole(&d->at, "cloud") &&
                        nf_object_is_whole(&d->at, "maas");
    b->knows_classes = nf_object_is_whole(&d->at, "traffic");
    b->knows_links = nf_object_is_whole(&d->at, "links");
    b->knows_sites = nf_object_is_whole(&d->at, "sites") &&
                     nf_object_is_whole(&d->at, "edge") && b->knows_classes;
    for (size_t i = 0; i < d->edge.count; i++) {
        b->knows_sites = b->knows_sites && edge[i].site != NULL;
    }
    for (size_t i = 0; i < d->traffic.count; i++) {
        b->knows_sites = b->knows_sites && traffic[i].site != NULL;
    }
    b->knows_regions = b->knows_stations;
    for (size_t k = 0; k < 2; k++) {
        const struct nf_station_decl *s = lists[k]->items;
        for (size_t i = 0; i < lists[k]->count; i++) {
            b->knows_regions = b->knows_regions && s[i].region != NULL;
        }
    }
}

static void build_all(struct nf__build *b)
{
    build_head(b);
    judge_names(b);
    nf__build_models(b);
    nf__build_sites(b);
    nf__build_stations(b);
    nf__build_links(b);
    nf__build_classes(b);
    nf__build_gateway(b);
    nf__build_slas(b);
    nf__build_output(b);
    nf__build_routes(b);
}

/* Overrides in order, then the options that have names of their own. */
static enum nf_status override_all(struct nf_scenario *s, struct nf_yaml_node *root,
                                   const struct nf_scenario_options *options,
                                   struct nf_load *load)
{
    size_t n = 0;
    const char **all =
        NF_NEW_ARRAY(load->arena, options->override_count + 2, const char *);
    for (size_t i = 0; i < options->override_count; i++) {
        all[n++] = nf_arena_strdup(load->arena, options->overrides[i]);
    }
    if (options->has_seed) {
        all[n++] =
            nf_arena_printf(load->arena, "seed=%llu", (unsigned long long)options->seed);
    }
    if (options->has_replications) {
        all[n++] = nf_arena_printf(load->arena, "replications=%u", options->replications);
    }
    enum nf_status first = NF_OK;
    for (size_t i = 0; i < n; i++) {
        enum nf_status status = nf_override_apply(root, all[i], load->arena, load->diags);
        first = first == NF_OK ? status : first;
    }
    s->overrides = all;
    s->override_count = n;
    return first;
}

static const char *folder_of(const char *path, struct nf_arena *arena)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? "" : nf_arena_strndup(arena, path, (size_t)(slash - path) + 1);
}

/* Check the tree of a file and build its world. */
static enum nf_status finish(struct nf_scenario *s, const struct nf_yaml_file *file,
                             int errors, const struct nf_scenario_options *options,
                             struct nf_load *load)
{
    s->path = file->path;
    s->text = file->text;
    s->text_length = file->length;
    memcpy(s->sha256, file->sha256, sizeof s->sha256);
    s->decl = NF_NEW(load->arena, struct nf_scenario_decl);
    if (file->root == NULL) {
        return nf_diags_status(load->diags);
    }
    if (file->root->kind == NF_YAML_MAP) {
        enum nf_status status = override_all(s, file->root, options, load);
        if (status != NF_OK) {
            return status;
        }
    }
    struct nf__build b = {.load = *load,
                          .decl = s->decl,
                          .options = options,
                          .errors_before = errors,
                          .folder = folder_of(file->path, load->arena),
                          .world = &s->world};
    if (nf_schema_load(load, &nf_table_scenario, file->root, "", s->decl) == NF_OK ||
        file->root->kind == NF_YAML_MAP) {
        build_all(&b);
    }
    s->calibrations = b.calibrations;
    s->calibration_count = b.calibration_count;
    if (load->diags->errors == errors) {
        nf__build_used_catalog(&b);
    }
    s->catalog = b.catalog;
    s->inputs = b.inputs;
    s->input_count = b.input_count;
    s->traces = b.traces;
    s->trace_count = b.trace_count;
    return load->diags->errors == errors ? NF_OK : nf_diags_status(load->diags);
}

enum nf_status nf_scenario_load(const char *path,
                                const struct nf_scenario_options *options,
                                struct nf_arena *arena, struct nf_diags *diags,
                                const struct nf_scenario **out)
{
    int errors = diags->errors;
    struct nf_load load = {arena, diags};
    struct nf_scenario *s = NF_NEW(arena, struct nf_scenario);
    struct nf_yaml_file file;
    *out = NULL;
    enum nf_status status =
        nf_yaml_read(path, (struct nf_place){NULL, 0, 0}, arena, diags, &file);
    if (status != NF_OK && file.root == NULL) {
        return status;
    }
    status = finish(s, &file, errors, options, &load);
    *out = status == NF_OK ? s : NULL;
    return status;
}

enum nf_status nf_scenario_parse(const struct nf_scenario_source *source,
                                 const struct nf_scenario_options *options,
                                 struct nf_arena *arena, struct nf_diags *diags,
                                 const struct nf_scenario **out)
{
    int errors = diags->errors;
    struct nf_load load = {arena, diags};
    struct nf_scenario *s = NF_NEW(arena, struct nf_scenario);
    struct nf_yaml_file file = {.path = nf_arena_strdup(arena, source->path),
                                .text =
                                    nf_arena_strndup(arena, source->text, source->length),
                                .length = source->length};
    struct nf_sha256 h;
    nf_sha256_init(&h);
    nf_sha256_add(&h, source->text, source->length);
    nf_sha256_hex(&h, file.sha256);
    *out = NULL;
    enum nf_status status =
        nf_yaml_parse(file.path, file.text, file.length, arena, diags, &file.root);
    if (status != NF_OK && file.root == NULL) {
        return status;
    }
    status = finish(s, &file, errors, options, &load);
    *out = status == NF_OK ? s : NULL;
    return status;
}

void nf_scenario_write_effective(const struct nf_scenario *s, struct nf_text *out)
{
    nf_schema_write_yaml(&nf_table_scenario, s->decl, out);
}

bool nf_scenario_write_help(const char *path, struct nf_text *out, const char **hint)
{
    return nf_schema_write_help(&nf_table_scenario, path, out, hint);
}

void nf_scenario_write_json_schema(struct nf_text *out)
{
    nf_schema_write_json(&nf_table_scenario, out);
}
