/* nearfar validate theory: the simulator against queueing formulas. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/run_summary.h"
#include "experiment/validation.h"
#include "scenario/scenario.h"

static const struct nf_place command_line;

/* One case of the table, loaded. */
struct chosen {
    const struct nf_validation_case *which;
    const struct nf_world_spec *spec;
    struct nf_validation_result result;
};

struct table {
    struct chosen *cases;
    size_t count;
    double precision;
    double wall_s;
    size_t missed;
    uint64_t offered;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say_unknown(struct nf_cli *cli, const char *word)
{
    size_t n;
    const struct nf_validation_case *all = nf_validation_cases(&n);
    const char **names = NF_NEW_ARRAY(&cli->arena, n + 1, const char *);
    struct nf_text list = {0};
    for (size_t i = 0; i < n; i++) {
        names[i] = all[i].name;
        nf_text_printf(&list, "%s%s", i > 0 ? ", " : "", all[i].name);
    }
    const char *nearest = nf_text_nearest(word, names);
    const char *hint = nearest ? nf_arena_printf(&cli->arena, "did you mean %s?", nearest)
                               : nf_arena_printf(&cli->arena, "cases: %s", list.data);
    (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "validate theory", hint,
                      "no case \"%s\"", word);
    nf_text_fini(&list);
}

/* The cases that the operands after "theory" name; all when there are none. */
static void choose(struct nf_cli *cli, struct table *t)
{
    const struct nf_arguments *a = &cli->args;
    size_t n;
    const struct nf_validation_case *all = nf_validation_cases(&n);
    t->cases = NF_NEW_ARRAY(&cli->arena, n + a->operand_count, struct chosen);
    if (a->operand_count == 1) {
        for (size_t i = 0; i < n; i++) {
            t->cases[t->count++].which = &all[i];
        }
    }
    for (size_t k = 1; k < a->operand_count; k++) {
        size_t i = 0;
        while (i < n && strcmp(all[i].name, a->operands[k]) != 0) {
            i++;
        }
        if (i < n) {
            t->cases[t->count++].which = &all[i];
        } else {
            say_unknown(cli, a->operands[k]);
        }
    }
}

static void load_all(struct nf_cli *cli, struct table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *path = nf_arena_printf(&cli->arena, "%s/scenarios/validation/%s.yaml",
                                           cli->data_root, t->cases[i].which->name);
        const struct nf_scenario *scenario = nf_cli_load(cli, path);
        t->cases[i].spec = scenario ? &scenario->world : NULL;
    }
}

static bool read_precision(struct nf_cli *cli, double *precision)
{
    const char *text = nf_options_value(&cli->args, "--precision");
    char why[256];
    *precision = 0.02;
    if (!text) {
        return true;
    }
    if (!nf_units_parse(text, NF_DIM_FRACTION, precision, why, sizeof why)) {
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "--precision", NULL,
                          "%s", why);
        return false;
    }
    if (*precision < 0.001 || *precision > 0.2) {
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "--precision", NULL,
                          "expected 0.1%% to 20%%, not \"%s\"", text);
        return false;
    }
    return true;
}

/* ---- answers ---- */

static const char *value_text(const struct nf_validation_row *row, double value,
                              struct nf_arena *arena)
{
    if (row->is_time) {
        return nf_run_time((struct nf_estimate){value, (double)NAN}, arena);
    }
    return nf_arena_printf(arena, "%.4f", value);
}

static const char *interval_text(const struct nf_validation_row *row,
                                 struct nf_arena *arena)
{
    double half = row->simulated.half_width;
    double value = row->simulated.value;
    if (!(half > 0.0)) {
        return "exact";
    }
    return nf_arena_printf(arena, "\u00b1 %.2f %%", 100.0 * half / value);
}

static const char *verdict_text(const struct nf_validation_row *row)
{
    return !row->is_inside ? "MISSED" : !row->is_narrow ? "TOO WIDE" : "ok";
}

static void print_table(struct nf_cli *cli, const struct table *t)
{
    struct nf_columns c;
    nf_columns_init(&c, "lllrrrl", &cli->arena);
    static const char *const head[] = {"case",      "of",       "quantity", "theory",
                                       "simulated", "interval", "verdict"};
    for (size_t i = 0; i < 7; i++) {
        nf_columns_cell(&c, "%s", head[i]);
    }
    size_t rows = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct nf_validation_result *r = &t->cases[i].result;
        rows += r->row_count;
        for (size_t k = 0; k < r->row_count; k++) {
            const struct nf_validation_row *row = &r->rows[k];
            nf_columns_cell(&c, "%s", k == 0 ? t->cases[i].which->name : "");
            nf_columns_cell(&c, "%s", row->subject);
            nf_columns_cell(&c, "%s", row->metric);
            nf_columns_cell(&c, "%s", value_text(row, row->theory, &cli->arena));
            nf_columns_cell(&c, "%s", value_text(row, row->simulated.value, &cli->arena));
            nf_columns_cell(&c, "%s", interval_text(row, &cli->arena));
            nf_columns_cell(&c, "%s", verdict_text(row));
        }
    }
    nf_columns_print(&c, 0, &cli->out);
    nf_text_add(&cli->out, "\n");
    for (size_t i = 0; i < t->count; i++) {
        nf_text_printf(&cli->out, "%-15s %s (%s)\n", t->cases[i].which->name,
                       t->cases[i].which->title, t->cases[i].which->source);
    }
    nf_text_printf(
        &cli->out,
        "\n%zu of %zu rows: theory inside the 99.9 %% interval, and the interval "
        "narrower than %g %%.\n%s requests in %.1f s. Percentiles are read from bins of "
        "1/1024; 1/2048 is added to their interval.\n",
        rows - t->missed, rows, 100.0 * t->precision,
        nf_run_count(t->offered, &cli->arena), t->wall_s);
}

static void add_json_row(struct nf_json *j, const struct nf_validation_row *row)
{
    nf_json_object(j, NULL);
    nf_json_string(j, "of", row->subject);
    nf_json_string(j, "quantity", row->metric);
    nf_json_string(j, "unit", row->is_time ? "s" : "1");
    nf_json_double(j, "theory", row->theory);
    nf_json_double(j, "simulated", row->simulated.value);
    nf_json_double(j, "half_width", row->simulated.half_width);
    nf_json_bool(j, "inside", row->is_inside);
    nf_json_bool(j, "narrow", row->is_narrow);
    nf_json_end(j);
}

static void print_json(struct nf_cli *cli, const struct table *t)
{
    struct nf_json j;
    nf_json_init(&j, &cli->out, true);
    nf_json_object(&j, NULL);
    nf_json_string(&j, "nearfar", NF_VERSION);
    nf_json_double(&j, "confidence", 0.999);
    nf_json_double(&j, "precision", t->precision);
    nf_json_double(&j, "wall_s", t->wall_s);
    nf_json_int(&j, "requests", (int64_t)t->offered);
    nf_json_int(&j, "missed", (int64_t)t->missed);
    nf_json_array(&j, "cases");
    for (size_t i = 0; i < t->count; i++) {
        nf_json_object(&j, NULL);
        nf_json_string(&j, "name", t->cases[i].which->name);
        nf_json_string(&j, "title", t->cases[i].which->title);
        nf_json_string(&j, "source", t->cases[i].which->source);
        nf_json_array(&j, "rows");
        for (size_t k = 0; k < t->cases[i].result.row_count; k++) {
            add_json_row(&j, &t->cases[i].result.rows[k]);
        }
        nf_json_end(&j);
        nf_json_end(&j);
    }
    nf_json_end(&j);
    nf_json_end(&j);
    nf_text_add(&cli->out, "\n");
}

static int run_theory(struct nf_cli *cli)
{
    struct table t = {0};
    uint64_t jobs = 0;
    choose(cli, &t);
    (void)read_precision(cli, &t.precision);
    (void)nf_options_count(&cli->args, "--jobs", 1, 1024, &jobs, &cli->diags);
    if (cli->diags.errors == 0) {
        load_all(cli, &t);
    }
    if (cli->diags.errors > 0) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    bool shows = nf_cli_shows_progress(cli);
    double begin = now_s();
    for (size_t i = 0; i < t.count; i++) {
        if (shows) {
            fprintf(stderr, "\r\033[K%zu of %zu: %s", i + 1, t.count,
                    t.cases[i].which->name);
        }
        nf_validation_run(t.cases[i].which, t.cases[i].spec, t.precision, (unsigned)jobs,
                          &cli->arena, &t.cases[i].result);
        t.missed += t.cases[i].result.missed;
        t.offered += t.cases[i].result.offered;
    }
    if (shows) {
        fputs("\r\033[K", stderr);
    }
    t.wall_s = now_s() - begin;
    if (nf_options_has(&cli->args, "--json")) {
        print_json(cli, &t);
    } else {
        print_table(cli, &t);
    }
    return t.missed == 0 ? NF_EXIT_DONE : NF_EXIT_NO;
}

static int run(struct nf_cli *cli)
{
    static const char *const subjects[] = {"theory", "operators", "serving", "replay",
                                           "dnn",    "composed",  NULL};
    const char *subject = cli->args.operands[0];
    if (strcmp(subject, "theory") == 0) {
        return run_theory(cli);
    }
    for (size_t i = 1; subjects[i]; i++) {
        if (strcmp(subject, subjects[i]) == 0) {
            return nf_cli_validate_measured(cli, subject);
        }
    }
    const char *nearest = nf_text_nearest(subject, subjects);
    (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "validate",
                      nearest ? nf_arena_printf(&cli->arena, "did you mean %s?", nearest)
                              : "subjects: theory, operators, serving, replay, dnn, "
                                "composed",
                      "unknown subject \"%s\"", subject);
    return NF_EXIT_INPUT;
}

static const struct nf_option options[] = {
    {.name = "--profile",
     .value = "NAME",
     .help =
         "calibration profile, its device, or a .yaml file (default: the device's own)"},
    {.name = "--csv", .value = "FILE", .help = "write every row, predicted and measured"},
    {.name = "--jobs",
     .letter = "-j",
     .value = "N",
     .help = "threads (default: all processors)"},
    {.name = "--precision",
     .value = "P",
     .help = "width of the intervals (default 2%; 1% takes four times as long)"},
    {.name = "--json", .help = "print one JSON object"},
    {.name = "--quiet", .letter = "-q", .help = "no progress on stderr"},
};

const struct nf_verb nf_verb_validate = {
    .name = "validate",
    .operands = "SUBJECT [CASE | FILE...]",
    .sentence = "Hold the simulator against queueing formulas and measured rows.",
    .examples = {"nearfar validate theory mm1-90 two-tier",
                 "nearfar validate operators h100_sxm_gemm.csv",
                 "nearfar validate serving serving_measured_h100.csv --csv rows.csv"},
    .notes =
        "theory     the cases of scenarios/validation/; exit status 1: a value missed "
        "its\n"
        "           theory, or an interval was too wide to tell\n"
        "operators  times of matrix products, prefill and decode attention (the files of "
        "calibrate fit, import)\n"
        "serving    a table of LLM serving runs: model_path, system, isl, osl, "
        "batch_size, "
        "tp_size, ...,\n"
        "           silicon_ttft_ms, silicon_tpot_ms\n"
        "replay     a folder with requests.jsonl and meta.json of one LLM engine\n"
        "dnn        MLPerf results or latencies, or seconds of generated pictures "
        "(bench/data)\n"
        "composed   whole layers and networks that nearfar-kernels compose measured; "
        "their "
        "times are never\n"
        "           fitted, only predicted from the profile's operations",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_min = 1,
    .operands_max = 64,
    .run = run,
};
