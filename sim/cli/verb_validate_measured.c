/* nearfar validate operators, serving, replay, dnn, composed: the models against measured rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/columns.h"
#include "experiment/measured.h"
#include "experiment/mlperf.h"

static const struct nf_place command_line;

/* ---- tables ---- */

static bool has_bounds(const struct nf_measured *m)
{
    bool has = false;
    for (size_t i = 0; i < m->count; i++) {
        has = has || m->rows[i].bound;
    }
    return has;
}

static void add_bound(struct nf_columns *t, const struct nf_measured_group *g)
{
    const char *is = g->error[0].rows == 0   ? "none compared"
                     : nf_measured_is_met(g) ? "met"
                                             : "missed";
    if (!g->bound) {
        nf_columns_cell(t, "%s", "-");
    } else if (g->bound->p90 > 0) {
        nf_columns_cell(t, "%g / %g %s", 100 * g->bound->median, 100 * g->bound->p90, is);
    } else {
        nf_columns_cell(t, "%g %s", 100 * g->bound->median, is);
    }
}

static void add_group(struct nf_columns *t, const struct nf_measured *m,
                      const struct nf_measured_group *g)
{
    nf_columns_cell(t, "%s", g->name);
    nf_columns_cell(t, "%zu", g->rows);
    nf_columns_cell(t, "%zu", g->skipped);
    for (size_t k = 0; k < m->metric_count; k++) {
        const struct nf_error *e = &g->error[k];
        if (e->rows == 0) {
            nf_columns_cell(t, "%s", "-");
        } else if (e->rows == 1) {
            nf_columns_cell(t, "%+.1f", 100 * e->bias);
        } else {
            nf_columns_cell(t, "%.1f / %.1f (%+.1f)", 100 * e->median, 100 * e->p90,
                            100 * e->bias);
        }
    }
    if (has_bounds(m)) {
        add_bound(t, g);
    }
}

static void print_table(struct nf_cli *cli, const struct nf_measured *m)
{
    struct nf_columns t;
    size_t n = 0;
    struct nf_measured_group *groups = nf_measured_groups(m, &cli->arena, &n);
    static const char align[] = "lrrrrrrrrrr";
    nf_columns_init(
        &t, nf_arena_strndup(&cli->arena, align, 3 + m->metric_count + has_bounds(m)),
        &cli->arena);
    nf_columns_cell(&t, "%s", m->kind);
    nf_columns_cell(&t, "%s", "rows");
    nf_columns_cell(&t, "%s", "skipped");
    for (size_t k = 0; k < m->metric_count; k++) {
        nf_columns_cell(&t, "%s %%", m->metrics[k]);
    }
    if (has_bounds(m)) {
        nf_columns_cell(&t, "%s", "bound %");
    }
    for (size_t i = 0; i < n; i++) {
        add_group(&t, m, &groups[i]);
    }
    groups = nf_measured_subtotals(m, &cli->arena, &n);
    for (size_t i = 0; i < n; i++) {
        add_group(&t, m, &groups[i]);
    }
    struct nf_measured_group all = nf_measured_all(m, &cli->arena);
    add_group(&t, m, &all);
    nf_columns_print(&t, 0, &cli->out);
    nf_text_printf(&cli->out,
                   "\nErrors in per cent of the measured value: median / 90th percentile "
                   "(median with sign); one figure: with sign.\n%s%s\n",
                   has_bounds(m) ? "Bound: median, or median / 90th percentile, that a "
                                   "calibrated profile has to keep to.\n"
                                 : "",
                   m->assumptions);
    for (const struct nf_measured_reason *r = nf_measured_reasons(m, &cli->arena);
         r->count > 0; r++) {
        nf_text_printf(&cli->out, "skipped %zu: %s\n", r->count, r->text);
    }
}

static void json_group(struct nf_json *j, const char *key, const struct nf_measured *m,
                       const struct nf_measured_group *g)
{
    nf_json_object(j, key);
    nf_json_string(j, "name", g->name);
    nf_json_int(j, "rows", (int64_t)g->rows);
    nf_json_int(j, "skipped", (int64_t)g->skipped);
    nf_json_object(j, "metrics");
    for (size_t k = 0; k < m->metric_count; k++) {
        nf_json_object(j, m->metrics[k]);
        nf_json_double(j, "median", g->error[k].median);
        nf_json_double(j, "p90", g->error[k].p90);
        nf_json_double(j, "bias", g->error[k].bias);
        nf_json_end(j);
    }
    nf_json_end(j);
    if (g->bound) {
        nf_json_object(j, "bound");
        nf_json_double(j, "median", g->bound->median);
        nf_json_double(j, "p90", g->bound->p90 > 0 ? g->bound->p90 : (double)NAN);
        nf_json_bool(j, "met", nf_measured_is_met(g));
        nf_json_end(j);
    }
    nf_json_end(j);
}

static void print_json(struct nf_cli *cli, const struct nf_measured *m)
{
    struct nf_json j;
    size_t n = 0;
    nf_json_init(&j, &cli->out, true);
    nf_json_object(&j, NULL);
    nf_json_string(&j, "nearfar", NF_VERSION);
    nf_json_string(&j, "kind", m->kind);
    nf_json_string(&j, "assumptions", m->assumptions);
    nf_json_array(&j, "groups");
    struct nf_measured_group *groups = nf_measured_groups(m, &cli->arena, &n);
    for (size_t i = 0; i < n; i++) {
        json_group(&j, NULL, m, &groups[i]);
    }
    nf_json_end(&j);
    nf_json_array(&j, "subtotals");
    groups = nf_measured_subtotals(m, &cli->arena, &n);
    for (size_t i = 0; i < n; i++) {
        json_group(&j, NULL, m, &groups[i]);
    }
    nf_json_end(&j);
    struct nf_measured_group all = nf_measured_all(m, &cli->arena);
    json_group(&j, "all", m, &all);
    nf_json_array(&j, "reasons");
    for (const struct nf_measured_reason *r = nf_measured_reasons(m, &cli->arena);
         r->count > 0; r++) {
        nf_json_object(&j, NULL);
        nf_json_string(&j, "skipped", r->text);
        nf_json_int(&j, "rows", (int64_t)r->count);
        nf_json_end(&j);
    }
    nf_json_end(&j);
    nf_json_end(&j);
    nf_text_add(&cli->out, "\n");
}

/* ---- every row as CSV ---- */

static void add_cell(struct nf_text *t, const char *s)
{
    if (!s || !strpbrk(s, ",\"\n\r")) {
        nf_text_add(t, s ? s : "");
        return;
    }
    nf_text_add(t, "\"");
    for (; *s; s++) {
        nf_text_printf(t, "%s%c", *s == '"' ? "\"" : "", *s);
    }
    nf_text_add(t, "\"");
}

static void add_number(struct nf_text *t, double x)
{
    char buf[32];
    nf_text_printf(t, ",%s", isfinite(x) ? nf_text_of_double(x, buf) : "");
}

static void add_rows(struct nf_text *t, const struct nf_measured *m)
{
    nf_text_add(t, "line,name,group,skipped");
    for (size_t k = 0; k < m->metric_count; k++) {
        nf_text_printf(t, ",%s_measured_s,%s_predicted_s,%s_error", m->metrics[k],
                       m->metrics[k], m->metrics[k]);
    }
    nf_text_add(t, "\n");
    for (size_t i = 0; i < m->count + (m->whole != NULL); i++) {
        const struct nf_measured_row *r = i < m->count ? &m->rows[i] : m->whole;
        nf_text_printf(t, "%d,", r->line);
        add_cell(t, r->name);
        nf_text_add(t, ",");
        add_cell(t, r->group);
        nf_text_add(t, ",");
        add_cell(t, r->skipped);
        for (size_t k = 0; k < m->metric_count; k++) {
            add_number(t, r->measured[k]);
            add_number(t, r->skipped ? (double)NAN : r->predicted[k]);
            add_number(t,
                       r->skipped ? (double)NAN : r->predicted[k] / r->measured[k] - 1);
        }
        nf_text_add(t, "\n");
    }
}

static void write_rows(struct nf_cli *cli, const char *path, const struct nf_measured *m)
{
    struct nf_text t = {0};
    add_rows(&t, m);
    const char *temporary = nf_file_temporary(path, &cli->arena);
    FILE *f = fopen(temporary, "wb");
    bool ok = f && fwrite(t.data, 1, t.length, f) == t.length;
    ok = f && fclose(f) == 0 && ok;
    nf_text_fini(&t);
    if (!ok) {
        (void)remove(temporary);
        (void)nf_diag_add(&cli->diags, NF_E_IO, command_line, "--csv", NULL,
                          "cannot write \"%s\"", path);
        return;
    }
    if (nf_file_publish(temporary, path, &cli->diags) != NF_OK) {
        return; /* told in the diagnostics */
    }
}

int nf_cli_show_measured(struct nf_cli *cli, const struct nf_measured *m)
{
    const char *csv = nf_options_value(&cli->args, "--csv");
    if (csv) {
        write_rows(cli, csv, m);
    }
    if (nf_options_has(&cli->args, "--json")) {
        print_json(cli, m);
    } else {
        print_table(cli, m);
    }
    return nf_cli_status(cli, NF_EXIT_DONE);
}

/* ---- the verb ---- */

/* A profile of the catalogue by its name or its device, or a file. */
static bool choose_profile(struct nf_cli *cli, struct nf_measured_with *with)
{
    const char *name = nf_options_value(&cli->args, "--profile");
    if (!name) {
        return true;
    }
    with->profile = nf_catalog_profile(with->catalog, name);
    if (!with->profile && strstr(name, ".yaml")) {
        struct nf_calibration *k = NF_NEW(&cli->arena, struct nf_calibration);
        if (nf_catalog_read_profile(with->catalog, name, command_line, &cli->arena,
                                    &cli->diags, k) != NF_OK) {
            return false;
        }
        with->profile = k;
    }
    if (!with->profile) {
        const char *near =
            nf_text_nearest(name, nf_catalog_names(with->catalog, "profiles"));
        (void)nf_diag_add(&cli->diags, NF_E_REFERENCE, command_line, "--profile",
                          near ? nf_arena_printf(&cli->arena, "did you mean %s?", near)
                               : "a device, a profile of results/calibration, or a "
                                 ".yaml file",
                          "no profile is called \"%s\"", name);
        return false;
    }
    with->device = nf_catalog_device(with->catalog, with->profile->device);
    return true;
}

/* The rows are not written over what they are made from: the operands, what is inside a folder of a replay, MLPerf's tables
 * beside the file or among the shipped ones, the catalogue, the profile. */
static bool is_csv_free(struct nf_cli *cli, const struct nf_catalog *catalog)
{
    static const char *const inside[] = {"", "/requests.jsonl", "/meta.json"};
    const struct nf_arguments *a = &cli->args;
    const char *profile = nf_options_value(a, "--profile");
    bool is_free = nf_cli_guard_catalog(cli, "--csv", catalog) &&
                   (!profile || nf_cli_guard(cli, "--csv", profile));
    for (size_t i = 1; i < a->operand_count && is_free; i++) {
        const char *operand = a->operands[i], *table;
        for (size_t k = 0; k < sizeof inside / sizeof inside[0] && is_free; k++) {
            is_free = nf_cli_guard(
                cli, "--csv", nf_arena_printf(&cli->arena, "%s%s", operand, inside[k]));
        }
        for (size_t k = 0;
             is_free && (table = nf_mlperf_file(k, operand, cli->data_root, &cli->arena));
             k++) {
            is_free = nf_cli_guard(cli, "--csv", table);
        }
    }
    return is_free;
}

int nf_cli_validate_measured(struct nf_cli *cli, const char *kind)
{
    const struct nf_arguments *a = &cli->args;
    struct nf_measured_with with = {0};
    struct nf_measured m;
    const char *csv = nf_options_value(a, "--csv");
    bool takes_many = strcmp(kind, "operators") == 0;
    if (a->operand_count < 2 || (!takes_many && a->operand_count > 2)) {
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "validate",
                          "see: nearfar validate --help", "%s needs %s", kind,
                          takes_many ? "files" : "one file or folder");
        return NF_EXIT_INPUT;
    }
    if ((csv && nf_file_check_target(csv, &cli->diags) != NF_OK) ||
        nf_catalog_load(cli->data_root, &cli->arena, &cli->diags, &with.catalog) !=
            NF_OK ||
        !is_csv_free(cli, with.catalog) || !choose_profile(cli, &with)) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    enum nf_status s;
    if (takes_many) {
        struct nf_measured_files files = {a->operands + 1, a->operand_count - 1};
        s = nf_measured_operators(&with, &files, &cli->arena, &cli->diags, &m);
    } else if (strcmp(kind, "dnn") == 0) {
        with.data_root = cli->data_root;
        s = nf_measured_dnn(&with, a->operands[1], &cli->arena, &cli->diags, &m);
    } else if (strcmp(kind, "composed") == 0) {
        s = nf_measured_composed(&with, a->operands[1], &cli->arena, &cli->diags, &m);
    } else if (strcmp(kind, "serving") == 0) {
        s = nf_measured_serving(&with, a->operands[1], &cli->arena, &cli->diags, &m);
    } else {
        s = nf_measured_replay(&with, a->operands[1], &cli->arena, &cli->diags, &m);
    }
    return s == NF_OK ? nf_cli_show_measured(cli, &m) : nf_cli_status(cli, NF_EXIT_INPUT);
}
