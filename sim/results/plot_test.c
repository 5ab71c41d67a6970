/* plot_test.c - pictures appear complete or not at all, in the format of their name; the tables say what the file says. */
#include "results/plot.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results/fixture.h"
#include "results/folder_test.h"
#include "results/plot_tables.h"

static struct folder folder;
static struct nf_arena arena;
static struct nf_diags diags;

static void setup(void)
{
    folder_make(&folder);
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
    folder_remove(&folder);
}

TestSuite(plot, .init = setup, .fini = teardown);

static bool told(const char *part)
{
    return diags.count > 0 && strstr(diags.items[diags.count - 1].message, part) != NULL;
}

static const char *name(const char *what)
{
    return nf_arena_printf(&arena, "%s/%s", folder.path, what);
}

static bool have_gnuplot(void)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        if (access(nf_arena_printf(&arena, "%.*s/gnuplot", (int)n, path), X_OK) == 0) {
            return true;
        }
        path += n + (path[n] == ':');
    }
    return false;
}

static void make_file(bool with_series)
{
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    spec->series_interval = with_series ? NF_SECOND : 0;
    cr_assert_eq(fixture_write(folder.file, spec, 5003, true, 0, &diags), NF_OK);
}

static void expect_start(const char *path, const char *start)
{
    size_t n = 0;
    char *bytes = folder_bytes(path, &n);
    cr_assert(bytes && n > 2000, "%s has %zu bytes", path, n);
    cr_assert(memcmp(bytes, start, strlen(start)) == 0, "%s is in another format", path);
    nf_mem_free(bytes);
}

Test(plot, every_kind_is_drawn_in_every_format)
{
    static const char *const formats[][2] = {
        {"png", "\x89PNG"}, {"svg", "<?xml"}, {"pdf", "%PDF"}};
    if (!have_gnuplot()) {
        cr_skip("gnuplot is not installed");
    }
    for (int series = 1; series >= 0; series--) {
        make_file(series);
        for (int k = 0; k < NF_PLOT_KINDS; k++) {
            for (size_t f = 0; f < 3; f++) {
                const char *image =
                    name(nf_arena_printf(&arena, "picture.%s", formats[f][0]));
                enum nf_status s = nf_plot(folder.file, (enum nf_plot_kind)k, image,
                                           NF_SOURCE_DIR, &diags);
                if (!series && k == NF_PLOT_TIMELINE) {
                    cr_assert_eq(s, NF_E_USAGE);
                    cr_assert(told("holds no series"));
                    continue;
                }
                cr_assert_eq(s, NF_OK, "%s: %s", nf_plot_kind_name((enum nf_plot_kind)k),
                             diags.count ? diags.items[0].message : "");
                expect_start(image, formats[f][1]);
                cr_assert_eq(folder_count(&folder), 2, "nothing else is left");
                (void)unlink(image);
            }
        }
    }
}

Test(plot, a_run_that_completed_nothing_is_drawn)
{
    if (!have_gnuplot()) {
        cr_skip("gnuplot is not installed");
    }
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    spec->series_interval = NF_SECOND;
    cr_assert_eq(fixture_write(folder.file, spec, 0, true, 0, &diags), NF_OK);
    for (int k = 0; k < NF_PLOT_KINDS; k++) {
        cr_assert_eq(nf_plot(folder.file, (enum nf_plot_kind)k, name("a.svg"),
                             NF_SOURCE_DIR, &diags),
                     NF_OK, "%s: %s", nf_plot_kind_name((enum nf_plot_kind)k),
                     diags.count ? diags.items[0].message : "");
    }
}

Test(plot, unknown_formats_and_targets_are_refused_before_anything_runs)
{
    make_file(false);
    enum nf_status s =
        nf_plot(folder.file, NF_PLOT_CDF, name("a.jpeg"), NF_SOURCE_DIR, &diags);
    cr_assert_eq(s, NF_E_USAGE);
    s = nf_plot(folder.file, NF_PLOT_CDF, name("no/a.png"), NF_SOURCE_DIR, &diags);
    cr_assert_eq(s, NF_E_IO);
    s = nf_plot(name("none.h5"), NF_PLOT_CDF, name("a.png"), NF_SOURCE_DIR, &diags);
    cr_assert_eq(s, NF_E_IO);
    cr_assert_eq(folder_count(&folder), 1);
}

Test(plot, a_missing_gnuplot_is_told)
{
    make_file(false);
    cr_assert_eq(setenv("PATH", folder.path, 1), 0);
    enum nf_status s =
        nf_plot(folder.file, NF_PLOT_CDF, name("a.png"), NF_SOURCE_DIR, &diags);
    cr_assert_eq(s, NF_E_IO);
    cr_assert(told("gnuplot was not found on the PATH"));
    cr_assert_eq(folder_count(&folder), 1);
}

/* gnuplot that fails after it wrote half a picture: the old picture stays. */
Test(plot, a_failing_gnuplot_leaves_the_old_picture)
{
    const char *fake = name("gnuplot");
    FILE *f = fopen(fake, "w");
    cr_assert(f != NULL);
    (void)fprintf(f, "#!/bin/sh\n"
                     "target=$(sed -n \"s/^output_file = '\\(.*\\)'/\\1/p\" \"$2\")\n"
                     "echo half > \"$target\"\n"
                     "echo '\"job.gp\" line 7: undefined variable: x' >&2\n"
                     "exit 1\n");
    cr_assert(fclose(f) == 0 && chmod(fake, 0755) == 0);
    f = fopen(name("a.png"), "w");
    cr_assert(f && fputs("old picture", f) >= 0 && fclose(f) == 0);
    make_file(false);
    const char *path = nf_arena_printf(&arena, "%s:/usr/bin:/bin", folder.path);
    cr_assert_eq(setenv("PATH", path, 1), 0);
    enum nf_status s =
        nf_plot(folder.file, NF_PLOT_CDF, name("a.png"), NF_SOURCE_DIR, &diags);
    cr_assert_eq(s, NF_E_IO);
    cr_assert(told("line 7: undefined variable: x"), "%s", diags.items[0].message);
    size_t n;
    char *bytes = folder_bytes(name("a.png"), &n);
    cr_assert(n == 11 && memcmp(bytes, "old picture", 11) == 0);
    nf_mem_free(bytes);
    cr_assert_eq(folder_count(&folder), 3);
}

static double last_x(const char *tsv)
{
    const char *end = strstr(tsv, "\n\n");
    const char *line = end;
    while (line > tsv && line[-1] != '\n') {
        line--;
    }
    return strtod(line, NULL);
}

Test(plot, tables_say_what_the_file_says)
{
    struct nf_plot_job job = {.arena = &arena};
    make_file(true);
    cr_assert_eq(nf_result_read(folder.file, &job.result, &arena, &diags), NF_OK);
    cr_assert_eq(nf_result_series(folder.file, 0, &job.series, &arena, &diags), NF_OK);
    nf__plot_tables(&job);
    /* The first curve ends at the largest latency of the first class. */
    const struct nf_bins *b = &job.result.report.classes[0].latency;
    double most = b->value_ns[b->count - 1] * 1e-9;
    cr_assert(fabs(last_x(job.cdf.data) - most) < 1e-5 * most);
    /* Copies of the edge node are added: first tick, rate 10 (1 + 2) (1 + sin 0). */
    cr_assert_neq(strstr(job.timeline.data, "6\t30."), NULL, "six ticks a line");
    cr_assert_neq(strstr(job.script.data, "group_name[1] = 'shop-gpu'"), NULL);
    cr_assert_neq(strstr(job.script.data, "target_text[1] = 'target 10 ms'"), NULL);
    nf__plot_fini(&job);
}

Test(plot, texts_cannot_leave_their_quotes)
{
    struct nf_text t = {0};
    nf__plot_set_text(&t, "x", "it's\n`rm` \"$HOME\"");
    cr_assert_str_eq(t.data, "x = 'it''s `rm` \"$HOME\"'\n");
    nf_text_fini(&t);
}
