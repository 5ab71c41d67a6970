/*
 * scenario_group.c - writes /scenario: what the run was made of, and the names behind the codes of the request rows.
 */
#include "results/summary.h"

#include "base/arena.h"
#include "base/hash.h"

static void write_text(struct nf_h5 *h, int64_t group, const struct nf_run_inputs *in,
                       struct nf_arena *arena)
{
    char hex[65];
    nf_sha256_of(in->text, in->text_length, hex);
    nf__h5_attr_text(h, group, "sha256", hex);
    struct nf_h5_column c = {
        .name = "text", .long_name = "the scenario file", .type = NF_H5_TEXT};
    const char *text = nf_arena_strndup(arena, in->text, in->text_length);
    nf__h5_table(h, group, &c, &text);
}

/* Division rounds correctly where multiplying by 1e-9 does not: 60 s stay 60. */
static double seconds(nf_time t)
{
    return (double)t / 1e9;
}

/* A list of texts that is a dimension itself. */
static void write_names(struct nf_h5 *h, int64_t group, const char *name,
                        const char *const *names, size_t n)
{
    struct nf_h5_scale s = {0};
    nf__h5_scale_text(h, group, &s, name, names, n);
    nf__h5_scale_close(h, &s);
}

static void write_files(struct nf_h5 *h, int64_t group, const struct nf_run_inputs *in,
                        struct nf_arena *arena)
{
    struct nf_h5_scale s = {0};
    const char **column = NF_NEW_ARRAY(arena, in->file_count, const char *);
    for (size_t i = 0; i < in->file_count; i++) {
        column[i] = in->files[i].name;
    }
    nf__h5_scale_text(h, group, &s, "input", column, in->file_count);
    struct nf_h5_column c = {.name = "input_role",
                             .long_name = "what the input is",
                             .type = NF_H5_TEXT,
                             .rank = 1,
                             .scales = {&s}};
    for (size_t i = 0; i < in->file_count; i++) {
        column[i] = in->files[i].role;
    }
    nf__h5_table(h, group, &c, column);
    c.name = "input_sha256";
    c.long_name = "SHA-256 of the input's bytes";
    for (size_t i = 0; i < in->file_count; i++) {
        column[i] = in->files[i].sha256;
    }
    nf__h5_table(h, group, &c, column);
    nf__h5_scale_close(h, &s);
}

static void write_stations(struct nf_h5 *h, int64_t group,
                           const struct nf_world_spec *spec, struct nf_arena *arena)
{
    struct nf_h5_scale s = {0};
    const char **column = NF_NEW_ARRAY(arena, spec->station_count, const char *);
    for (size_t i = 0; i < spec->station_count; i++) {
        column[i] = spec->stations[i].name;
    }
    nf__h5_scale_text(h, group, &s, "station", column, spec->station_count);
    struct nf_h5_column c = {.name = "station_group",
                             .long_name = "name in the scenario file, shared by copies",
                             .type = NF_H5_TEXT,
                             .rank = 1,
                             .scales = {&s}};
    for (size_t i = 0; i < spec->station_count; i++) {
        column[i] = spec->stations[i].group;
    }
    nf__h5_table(h, group, &c, column);
    c.name = "station_place";
    c.long_name = "site or region";
    for (size_t i = 0; i < spec->station_count; i++) {
        column[i] = spec->stations[i].place;
    }
    nf__h5_table(h, group, &c, column);
    nf__h5_scale_close(h, &s);
}

void nf__summary_scenario(struct nf_h5 *h, const struct nf_world_spec *spec,
                          const struct nf_run_inputs *inputs)
{
    struct nf_arena arena;
    nf_arena_init(&arena);
    nf__h5_attr_u64(h, h->file, "nearfar_result_format", NF_RESULT_FORMAT);
    nf__h5_attr_text(h, h->file, "nearfar_version", inputs->version);
    nf__h5_attr_text(h, h->file, "title", spec->name);
    int64_t group = nf__h5_group(h, h->file, "scenario");
    nf__h5_attr_text(h, group, "name", spec->name);
    nf__h5_attr_u64(h, group, "seed", spec->seed);
    nf__h5_attr_u64(h, group, "replications", spec->replications);
    nf__h5_attr_f64(h, group, "duration_s", seconds(spec->duration));
    nf__h5_attr_f64(h, group, "warmup_s", seconds(spec->warmup));
    nf__h5_attr_f64(h, group, "series_interval_s", seconds(spec->series_interval));
    write_text(h, group, inputs, &arena);
    if (inputs->override_count > 0) {
        write_names(h, group, "override", inputs->overrides, inputs->override_count);
    }
    if (inputs->file_count > 0) {
        write_files(h, group, inputs, &arena);
    }
    const char **classes = NF_NEW_ARRAY(&arena, spec->class_count, const char *);
    for (size_t i = 0; i < spec->class_count; i++) {
        classes[i] = spec->classes[i].name;
    }
    write_names(h, group, "class", classes, spec->class_count);
    write_names(h, group, "site", spec->sites, spec->site_count);
    write_stations(h, group, spec, &arena);
    nf__h5_group_close(h, group);
    nf_arena_fini(&arena);
}
