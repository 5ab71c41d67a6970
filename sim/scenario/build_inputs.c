/* Which files a world was made from, and what it plays of its traces. */
#include <string.h>

#include "scenario/build.h"

/* A full array with room for more. */
static void *grown(struct nf__build *b, const void *items, size_t size, size_t *cap)
{
    size_t old = *cap;
    *cap = old == 0 ? 8 : 2 * old;
    void *more = nf_arena_alloc(b->load.arena, *cap * size);
    if (old > 0) {
        memcpy(more, items, old * size);
    }
    return more;
}

void nf__build_used(struct nf__build *b, struct nf_scenario_input input)
{
    for (size_t i = 0; i < b->input_count; i++) {
        const struct nf_scenario_input *known = &b->inputs[i];
        if (strcmp(known->role, input.role) == 0 &&
            strcmp(known->name, input.name) == 0) {
            return; /* one name leads to one file during a load */
        }
    }
    if (b->input_count == b->input_cap) {
        b->inputs = grown(b, b->inputs, sizeof *b->inputs, &b->input_cap);
    }
    b->inputs[b->input_count++] = input;
}

/* A file of the catalogue by its path below data_root; `name`: NULL for this path. */
static void use_catalog_file(struct nf__build *b, const char *role, const char *name,
                             const char *path)
{
    size_t n = 0;
    const struct nf_catalog_file *files = nf_catalog_files(b->catalog, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].path, path) == 0) {
            nf__build_used(b, (struct nf_scenario_input){
                                  .role = role,
                                  .name = name != NULL ? name : files[i].path,
                                  .path = nf_arena_printf(b->load.arena, "%s/%s",
                                                          b->options->data_root, path),
                                  .sha256 = files[i].sha256});
        }
    }
}

/* A profile that ships, or one that the scenario names by its file. */
static void use_profile(struct nf__build *b, const struct nf_calibration *c)
{
    if (nf_catalog_profile(b->catalog, c->name) == c) {
        use_catalog_file(
            b, "calibration", c->name,
            nf_arena_printf(b->load.arena, "results/calibration/%s.yaml", c->name));
    } else {
        nf__build_used(b, (struct nf_scenario_input){.role = "calibration",
                                                     .name = c->name,
                                                     .path = nf__build_file(b, c->name),
                                                     .sha256 = c->sha256});
    }
}

void nf__build_used_catalog(struct nf__build *b)
{
    bool has_model = false, has_device = false;
    if (b->catalog == NULL) {
        return;
    }
    for (size_t i = 0; i < b->decl->models.count; i++) {
        const struct nf__model *m = &b->models[i];
        has_model = has_model || m->dnn != NULL || m->llm != NULL || m->diffusion != NULL;
    }
    for (size_t i = 0; i < b->group_count; i++) {
        has_device = has_device || b->groups[i].device != NULL;
    }
    if (has_device) {
        use_catalog_file(b, "catalog", NULL, "scenarios/catalog/devices.yaml");
    }
    if (has_model) {
        use_catalog_file(b, "catalog", NULL, "scenarios/catalog/models.yaml");
    }
    for (size_t i = 0; i < b->calibration_count; i++) {
        use_profile(b, b->calibrations[i]);
    }
}

/* ---- traces ---- */

/* The run goes on without the trace: the silence at the end is longer than any in it, and more than a hundredth of the run. */
static void warn_of_silence(struct nf__build *b, const struct nf_arrivals_decl *d,
                            const struct nf_trace *t)
{
    enum { SHARE = 100 };
    nf_time duration = b->world->duration, longest = duration / SHARE;
    nf_time last = t->rows[t->count - 1].at;
    char end[64], whole[64];
    for (size_t i = 1; i < t->count; i++) {
        nf_time gap = t->rows[i].at - t->rows[i - 1].at;
        longest = gap > longest ? gap : longest;
    }
    if (t->too_late > 0 || duration - last <= longest) {
        return;
    }
    nf_units_format(nf_time_s(last), NF_DIM_TIME, false, end, sizeof end);
    nf_units_format(nf_time_s(duration), NF_DIM_TIME, false, whole, sizeof whole);
    nf_diag_warn(b->load.diags, nf_object_place(&d->at, "file"), d->at.path,
                 "the trace is shorter than the run: its last row comes at %s, the run "
                 "ends at %s",
                 end, whole);
}

void nf__build_played(struct nf__build *b, struct nf__class *c, const struct nf_trace *t)
{
    const struct nf_arrivals_decl *d = &c->decl->arrivals;
    if (b->trace_count == b->trace_cap) {
        b->traces = grown(b, b->traces, sizeof *b->traces, &b->trace_cap);
    }
    b->traces[b->trace_count++] =
        (struct nf_scenario_trace){.class_name = c->decl->at.name,
                                   .file = d->file,
                                   .rows = t->in_file,
                                   .played = t->count,
                                   .too_late = t->too_late,
                                   .last_s = nf_time_s(t->rows[t->count - 1].at)};
    if (b->world->duration > 0) {
        warn_of_silence(b, d, t);
    }
}
