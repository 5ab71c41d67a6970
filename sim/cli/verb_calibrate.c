/* nearfar calibrate fit, import: measured operations to a calibration profile. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/columns.h"
#include "experiment/calibrate.h"

static const struct nf_place command_line;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const struct nf_device *device_of(struct nf_cli *cli, const struct nf_catalog *c,
                                         const char *file)
{
    const char *name = nf_options_value(&cli->args, "--device");
    const struct nf_device *d =
        name ? nf_catalog_device(c, name)
             : nf_calibrate_device_of(c, file, &cli->arena, &cli->diags);
    if (!d && cli->diags.errors == 0) {
        const char *near =
            name ? nf_text_nearest(name, nf_catalog_names(c, "devices")) : NULL;
        (void)nf_diag_add(&cli->diags, NF_E_REFERENCE, command_line, "--device",
                          near ? nf_arena_printf(&cli->arena, "did you mean %s?", near)
                               : "nearfar catalog devices lists them",
                          name ? "no device is called \"%s\""
                               : "which device is this? \"%s\" does not start with the "
                                 "name of one",
                          name ? name : base_name(file));
    }
    return d;
}

static const struct nf_llm_arch *model_of(struct nf_cli *cli, const struct nf_catalog *c,
                                          const char *file)
{
    const char *name = nf_options_value(&cli->args, "--model");
    const struct nf_llm_arch *a =
        name ? nf_catalog_llm(c, name) : nf_calibrate_model(c, file);
    if (name && !a) {
        (void)nf_diag_add(&cli->diags, NF_E_REFERENCE, command_line, "--model",
                          "nearfar catalog models lists them",
                          "no language model is called \"%s\"", name);
    }
    return a;
}

/* --base FILE, or the device's profile in the catalogue; --base none: neither. */
static const char *base_of(struct nf_cli *cli, const struct nf_catalog *c,
                           const struct nf_device *device)
{
    const char *given = nf_options_value(&cli->args, "--base");
    if (given) {
        return strcmp(given, "none") == 0 ? NULL : given;
    }
    const struct nf_calibration *k = nf_catalog_calibration(c, device->name);
    return k ? nf_arena_printf(&cli->arena, "%s/results/calibration/%s.yaml",
                               cli->data_root, k->name)
             : NULL;
}

static void print_summary(struct nf_cli *cli, const struct nf_calibration_fit *r)
{
    struct nf_columns t;
    nf_columns_init(&t, "lrrrrrrr", &cli->arena);
    static const char *const head[] = {"class",    "rows",     "fitted", "fit median %",
                                       "held out", "median %", "P90 %",  "bias %"};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        nf_columns_cell(&t, "%s", head[i]);
    }
    for (size_t i = 0; i < r->class_count; i++) {
        const struct nf_calibrated *k = &r->classes[i];
        const struct nf_error *e = &k->fit.held_out;
        nf_columns_cell(&t, "%s", nf_calibrated_name(k, &cli->arena));
        nf_columns_cell(&t, "%zu", k->rows);
        nf_columns_cell(&t, "%zu", k->fit.fitted.rows);
        nf_columns_cell(&t, "%.1f", 100 * k->fit.fitted.median);
        nf_columns_cell(&t, "%zu", e->rows);
        if (e->rows > 0) {
            nf_columns_cell(&t, "%.1f", 100 * e->median);
            nf_columns_cell(&t, "%.1f", 100 * e->p90);
            nf_columns_cell(&t, "%+.1f", 100 * e->bias);
        } else {
            for (int j = 0; j < 3; j++) {
                nf_columns_cell(&t, "%s", "-");
            }
        }
    }
    nf_columns_print(&t, 0, &cli->out);
    nf_text_add(
        &cli->out,
        "Median, P90 and bias are those of held-out shapes. Rows that are neither "
        "fitted nor held out had their weights\nin the cache, or are left out:\n");
    for (const struct nf_measured_reason *x = r->left_out; x->count > 0; x++) {
        nf_text_printf(&cli->out, "left out %zu of %zu: %s\n", x->count, r->rows,
                       x->text);
    }
    if (r->capped > 0) {
        nf_text_printf(&cli->out,
                       "of the others, %zu ran at the power cap, as this device does "
                       "under such a load\n",
                       r->capped);
    }
    if (r->dropped > 0) {
        nf_text_printf(&cli->out,
                       "of the others, %zu are without their samples at another clock\n",
                       r->dropped);
    }
}

static int write_profile(struct nf_cli *cli, const char *path, const struct nf_text *text)
{
    if (nf_file_check_target(path, &cli->diags) != NF_OK) {
        return nf_cli_status(cli, NF_EXIT_ENVIRONMENT);
    }
    const char *temporary = nf_file_temporary(path, &cli->arena);
    FILE *f = fopen(temporary, "wb");
    bool ok = f && fwrite(text->data, 1, text->length, f) == text->length;
    ok = f && fclose(f) == 0 && ok;
    if (!ok) {
        (void)remove(temporary);
        (void)nf_diag_add(&cli->diags, NF_E_IO, command_line, "-o", NULL,
                          "cannot write \"%s\"", path);
        return NF_EXIT_ENVIRONMENT;
    }
    return nf_file_publish(temporary, path, &cli->diags) == NF_OK
               ? NF_EXIT_DONE
               : nf_cli_status(cli, NF_EXIT_ENVIRONMENT);
}

/* The profile is not written over the measurements, nor over one that ships. */
static bool is_output_free(struct nf_cli *cli, const struct nf_calibrate *c)
{
    bool is_free = nf_cli_guard_catalog(cli, "--output", c->catalog) &&
                   (!c->base || nf_cli_guard(cli, "--output", c->base));
    for (size_t i = 0; i < c->file_count && is_free; i++) {
        is_free = nf_cli_guard(cli, "--output", c->files[i]);
    }
    return is_free;
}

static int fit(struct nf_cli *cli, const struct nf_catalog *catalog, bool is_import)
{
    const struct nf_arguments *a = &cli->args;
    struct nf_calibrate c = {.catalog = catalog,
                             .files = a->operands + 1,
                             .file_count = a->operand_count - 1,
                             .source = nf_options_value(a, "--source"),
                             .date = nf_options_value(a, "--date"),
                             .verb = is_import ? "calibrate import" : "calibrate fit"};
    c.device = device_of(cli, catalog, c.files[0]);
    c.arch = is_import ? NULL : model_of(cli, catalog, c.files[0]);
    if (cli->diags.errors > 0) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    c.base = base_of(cli, catalog, c.device);
    if (!is_output_free(cli, &c)) {
        return NF_EXIT_INPUT;
    }
    struct nf_calibration_fit result;
    struct nf_text text = {0};
    int status = NF_EXIT_DONE;
    const char *output = nf_options_value(a, "--output");
    if (nf_calibrate_run(&c, &cli->arena, &cli->diags, &result, &text) != NF_OK) {
        status = nf_cli_status(cli, NF_EXIT_INPUT);
    } else if (output) {
        status = write_profile(cli, output, &text);
        print_summary(cli, &result);
    } else {
        nf_text_add_n(&cli->out, text.data, text.length);
    }
    nf_text_fini(&text);
    return status;
}

/* What import is given must come from nearfar-kernels: it is what makes a figure "measured". */
static bool check_import(struct nf_cli *cli)
{
    const struct nf_arguments *a = &cli->args;
    static const char *const others[] = {"--model", "--source"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (nf_options_has(a, others[i])) {
            (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, others[i], NULL,
                              "goes with calibrate fit; the rows of nearfar-kernels say "
                              "where they come from");
        }
    }
    for (size_t i = 1; i < a->operand_count; i++) {
        struct nf_kernel_file f;
        if (!nf_kernel_file_is(a->operands[i]) &&
            nf_kernel_file_read(a->operands[i], &cli->arena, &cli->diags, &f) != NF_OK) {
            continue; /* told in the diagnostics */
        }
    }
    return cli->diags.errors == 0;
}

static int run(struct nf_cli *cli)
{
    const struct nf_catalog *catalog = NULL;
    static const char *const subjects[] = {"fit", "import", NULL};
    const char *subject = cli->args.operands[0];
    bool is_import = strcmp(subject, "import") == 0;
    if (!is_import && strcmp(subject, "fit") != 0) {
        const char *near = nf_text_nearest(subject, subjects);
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "calibrate",
                          near ? nf_arena_printf(&cli->arena, "did you mean %s?", near)
                               : "nearfar calibrate fit FILE..., or import FILE...",
                          "unknown subject \"%s\"", subject);
        return NF_EXIT_INPUT;
    }
    if (is_import && !check_import(cli)) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    if (nf_catalog_load(cli->data_root, &cli->arena, &cli->diags, &catalog) != NF_OK) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    return fit(cli, catalog, is_import);
}

static const struct nf_option options[] = {
    {.name = "--device",
     .value = "NAME",
     .help = "device that was measured (default: fit: the one the first file is named "
             "after; import: the one in the rows)"},
    {.name = "--model",
     .value = "NAME",
     .help = "model whose layers were measured (default: the one in the first path)"},
    {.name = "--source", .value = "TEXT", .help = "where the files come from"},
    {.name = "--date", .value = "DATE", .help = "of the source (default: of the files)"},
    {.name = "--base",
     .value = "FILE",
     .help = "profile whose other classes are kept, or none (default: the device's)"},
    {.name = "--output", .letter = "-o", .value = "FILE", .help = "where to write it"},
};

const struct nf_verb nf_verb_calibrate = {
    .name = "calibrate",
    .operands = "fit|import FILE...",
    .sentence = "Fit the constants of a calibration profile to measured operations.",
    .examples =
        {"nearfar calibrate fit h100_sxm_gemm.csv -o h100.yaml",
         "nearfar calibrate fit l40s_*.csv --source \"ai-dynamo/aiconfigurator\"",
         "nearfar calibrate import h200-full.csv --device H200 -o h200-measured.yaml"},
    .notes =
        "import takes files that nearfar-kernels run wrote: complete, of one device, "
        "which "
        "is the one that --device\nnames. Rows of a device that heat or its hardware "
        "held "
        "back, and rows bound by memory whose data stayed in\nthe L2 cache, are left out "
        "and counted; rows at the power cap count, as devices run there. Rows of kind\n"
        "composed are never fitted. Its figures "
        "are \"measured\", and the profile names file, hash, device, driver and date.\n"
        "fit takes these, and published rows: gemm_dtype, m, n, k, latency_us; "
        "num_heads, num_key_value_heads, "
        "head_dim, batch_size, ctx,\nlatency_us (named ..._context_... or "
        "..._generation_...); dense.csv, per_sequence.csv and\nattention.csv of an "
        "LLMServingSim profile. Every second shape is kept from the fit, and the\nerrors "
        "are told on those. Without -o the profile goes to stdout.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_min = 2,
    .operands_max = 64,
    .run = run,
};
