/*
 * plot.c - see plot.h. One job: read, reduce, write a temporary folder, run gnuplot in it, publish the picture, clean up.
 */
#include "results/plot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "results/plot_tables.h"

extern char **environ;

/* ---- kinds and formats ---- */

static const char *const kind_names[NF_PLOT_KINDS + 1] = {"overview", "cdf", "timeline",
                                                          "cost", NULL};

/* Size in pixels of 1/96 inch, the same canvas in every format: an overview is a page, the others fit a column of text when they
 * are scaled to its width (tools/plot/style.gp). */
static const struct {
    int width, height;
} sizes[NF_PLOT_KINDS] = {{1000, 900}, {520, 380}, {520, 680}, {460, 340}};

/* Without DejaVu on the reader's machine, the next; Verdana is as wide. */
#define SVG_FONT "DejaVu Sans, Verdana, sans-serif,12"

const char *nf_plot_kind_name(enum nf_plot_kind kind)
{
    return kind_names[kind];
}

const char *const *nf_plot_kind_names(void)
{
    return kind_names;
}

bool nf_plot_kind_of(const char *name, enum nf_plot_kind *kind)
{
    for (int k = 0; k < NF_PLOT_KINDS; k++) {
        if (strcmp(name, kind_names[k]) == 0) {
            *kind = (enum nf_plot_kind)k;
            return true;
        }
    }
    return false;
}

enum format { PNG, SVG, PDF, FORMATS };

/* False when the picture's name has none of the known endings. */
static bool format_of(const char *image, enum format *format)
{
    static const char *const endings[FORMATS] = {".png", ".svg", ".pdf"};
    const char *dot = strrchr(image, '.');
    for (int i = 0; dot && i < FORMATS; i++) {
        if (strcmp(dot, endings[i]) == 0) {
            *format = (enum format)i;
            return true;
        }
    }
    return false;
}

/* An SVG has a title; gnuplot takes letters, digits and "_" only. */
static void set_svg_name(struct nf_text *script, const char *scenario)
{
    nf_text_add(script, "svg_name = '");
    for (const char *s = scenario; *s; s++) {
        nf_text_add_n(script, isalnum((unsigned char)*s) ? s : "_", 1);
    }
    nf_text_add(script, "'\n");
}

static void set_terminal(struct nf_text *script, enum nf_plot_kind kind,
                         enum format format)
{
    int w = sizes[kind].width;
    int h = sizes[kind].height;
    nf_text_printf(script, "canvas_w = %d\ncanvas_h = %d\n", w, h);
    if (format == PNG) {
        nf_text_printf(
            script,
            "set terminal pngcairo size %d,%d font 'DejaVu Sans,12' fontscale 2 "
            "linewidth 2 pointscale 2 noenhanced background 'white'\n",
            2 * w, 2 * h);
    } else if (format == SVG) { /* a point is a pixel to it */
        nf_text_printf(script,
                       "set terminal svg size %d,%d font '" SVG_FONT "' fontscale 1.3333 "
                       "name svg_name noenhanced background 'white'\n",
                       w, h);
    } else { /* halves fonts and lines by itself */
        nf_text_printf(script,
                       "set terminal pdfcairo size %.4fin,%.4fin font 'DejaVu Sans,12' "
                       "fontscale 0.75 linewidth 1.5 noenhanced background 'white'\n",
                       w / 96.0, h / 96.0);
    }
}

/* ---- the temporary folder ---- */

static const char *const folder_files[] = {"cdf.tsv",      "timeline.tsv", "cost.tsv",
                                           "stations.tsv", "job.gp",       "log"};

static const char *inside(const char *folder, const char *name, struct nf_arena *arena)
{
    return nf_arena_printf(arena, "%s/%s", folder, name);
}

/* 0, or errno. */
static int put(const char *path, const struct nf_text *t)
{
    errno = 0;
    FILE *f = fopen(path, "w");
    if (!f) {
        return errno;
    }
    bool is_good = fwrite(t->data ? t->data : "", 1, t->length, f) == t->length;
    int error = is_good ? 0 : errno;
    if (fclose(f) != 0 && error == 0) {
        error = errno;
    }
    return error == 0 && !is_good ? EIO : error;
}

static void remove_folder(const char *folder, struct nf_arena *arena)
{
    for (size_t i = 0; i < sizeof folder_files / sizeof folder_files[0]; i++) {
        (void)unlink(inside(folder, folder_files[i], arena));
    }
    (void)rmdir(folder);
}

/* First line of what gnuplot said that is more than the echo of a command, or "". */
static const char *last_words(const char *log, struct nf_arena *arena)
{
    struct nf_text words = {0};
    char line[256];
    FILE *f = fopen(log, "r");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        const char *colon = strstr(line, "line ");
        if (colon && words.length == 0) {
            nf_text_add(&words, colon);
        }
    }
    if (f) {
        (void)fclose(f);
    }
    const char *copy = nf_arena_strdup(arena, words.data ? words.data : "");
    nf_text_fini(&words);
    return copy;
}

/* ---- gnuplot ---- */

static enum nf_status fail(struct nf_diags *diags, const char *hint, const char *message)
{
    struct nf_place nowhere = {0};
    return nf_diag_add(diags, NF_E_IO, nowhere, NULL, hint, "%s", message);
}

/* Run `gnuplot -d job` and wait. 0, or errno of the start; *status as waitpid gives it. */
static int run_gnuplot(const char *job, const char *log, int *status)
{
    char name[] = "gnuplot";
    char defaults[] = "-d"; /* no ~/.gnuplot: the picture must not depend on it */
    char *arguments[] = {name, defaults, NULL, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    struct nf_arena arena;
    nf_arena_init(&arena);
    arguments[2] = nf_arena_strdup(&arena, job);
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        error = error ? error
                      : posix_spawn_file_actions_addopen(
                            &actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        error = error ? error : posix_spawn_file_actions_adddup2(&actions, 1, 2);
        error = error ? error
                      : posix_spawnp(&child, name, &actions, NULL, arguments, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    while (error == 0 && waitpid(child, status, 0) < 0) {
        error = errno == EINTR ? 0 : errno;
    }
    nf_arena_fini(&arena);
    return error;
}

/* gnuplot is silent about a full disk: try to write a small picture's worth of bytes. */
static const char *why_nothing(const char *temporary, struct nf_arena *arena)
{
    struct nf_text bytes = {0};
    for (int i = 0; i < 1024; i++) {
        nf_text_add(&bytes,
                    "nothing was drawn into this file yet, and nothing will be.\n");
    }
    int error = put(temporary, &bytes);
    nf_text_fini(&bytes);
    return error ? nf_arena_strdup(arena, strerror(error)) : "it gave no reason";
}

/* gnuplot exits with 0 when a full disk has cut its picture off, so its end is looked for. */
static bool is_whole(const char *image, enum format format)
{
    static const char *const ends[FORMATS] = {"IEND\xAE\x42\x60\x82", "</svg>", "%%EOF"};
    char tail[16] = {0};
    FILE *f = fopen(image, "rb");
    if (!f) {
        return false;
    }
    size_t n = strlen(ends[format]);
    bool is_good =
        fseek(f, -(long)(n + 3), SEEK_END) == 0 && fread(tail, 1, n + 3, f) > n;
    (void)fclose(f);
    for (size_t i = 0; is_good && i <= 3;
         i++) { /* up to three bytes of line ends behind it */
        if (memcmp(tail + i, ends[format], n) == 0) {
            return true;
        }
    }
    return false;
}

static enum nf_status draw(const char *folder, const char *temporary, enum format format,
                           struct nf_arena *arena, struct nf_diags *diags)
{
    int status = 0;
    const char *log = inside(folder, "log", arena);
    int error = run_gnuplot(inside(folder, "job.gp", arena), log, &status);
    if (error == ENOENT ||
        (error == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
        return fail(diags, "install it (Debian: gnuplot-nox)",
                    "gnuplot was not found on the PATH");
    }
    if (error != 0) {
        return fail(diags, NULL, "gnuplot could not be started");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(diags, "version 5.4 with the cairo terminals is needed",
                    nf_arena_printf(arena, "gnuplot failed: %s", last_words(log, arena)));
    }
    if (!is_whole(temporary, format)) {
        return fail(diags, NULL,
                    nf_arena_printf(arena, "gnuplot wrote no whole picture: %s",
                                    why_nothing(temporary, arena)));
    }
    return NF_OK;
}

/* ---- the job ---- */

static enum nf_status write_folder(struct nf_plot_job *job, const char *folder,
                                   struct nf_diags *diags)
{
    const struct nf_text *texts[] = {&job->cdf, &job->timeline, &job->cost,
                                     &job->stations, &job->script};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int error = put(inside(folder, folder_files[i], job->arena), texts[i]);
        if (error != 0) {
            return fail(diags, "set TMPDIR to a folder that can be written",
                        nf_arena_printf(job->arena, "cannot write into \"%s\": %s",
                                        folder, strerror(error)));
        }
    }
    return NF_OK;
}

static enum nf_status draw_into(struct nf_plot_job *job, enum nf_plot_kind kind,
                                enum format format, const char *image,
                                const char *data_root, struct nf_diags *diags)
{
    const char *temporary = nf_file_temporary(image, job->arena);
    const char *base = getenv("TMPDIR");
    char *folder = nf_arena_printf(job->arena, "%s/nearfar-plot-XXXXXX",
                                   base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        return fail(diags, "set TMPDIR to a folder that can be written",
                    "cannot make a temporary folder");
    }
    nf__plot_set_text(&job->script, "output_file", temporary);
    nf__plot_set_text(&job->script, "data", nf_arena_printf(job->arena, "%s/", folder));
    nf__plot_set_text(&job->script, "scripts",
                      nf_arena_printf(job->arena, "%s/tools/plot/", data_root));
    nf__plot_tables(job);
    nf_text_printf(&job->script,
                   "set output output_file\nload scripts.'%s.gp'\nset output\n",
                   kind_names[kind]);
    enum nf_status status = write_folder(job, folder, diags);
    if (status == NF_OK) {
        status = draw(folder, temporary, format, job->arena, diags);
    }
    remove_folder(folder, job->arena);
    if (status != NF_OK) {
        (void)unlink(temporary);
        return status;
    }
    return nf_file_publish(temporary, image, diags);
}

static enum nf_status read_all(struct nf_plot_job *job, const char *file,
                               enum nf_plot_kind kind, struct nf_diags *diags)
{
    struct nf_place nowhere = {0};
    enum nf_status status = nf_result_read(file, &job->result, job->arena, diags);
    if (status == NF_OK && kind == NF_PLOT_TIMELINE && !job->result.has_series) {
        return nf_diag_add(diags, NF_E_USAGE, nowhere, NULL,
                           "run the scenario again with --set output.series=1s",
                           "\"%s\" holds no series, so there is no timeline to draw",
                           file);
    }
    if (status == NF_OK && job->result.has_series) {
        status = nf_result_series(file, 0, &job->series, job->arena, diags);
    }
    return status;
}

enum nf_status nf_plot(const char *file, enum nf_plot_kind kind, const char *image,
                       const char *data_root, struct nf_diags *diags)
{
    struct nf_place nowhere = {0};
    struct nf_arena arena;
    struct nf_plot_job job = {.arena = &arena};
    nf_arena_init(&arena);
    enum nf_status status;
    enum format format = PNG;
    if (!format_of(image, &format)) {
        status = nf_diag_add(
            diags, NF_E_USAGE, nowhere, NULL, "end its name in .png, .svg or .pdf",
            "the picture \"%s\" is in no format that can be drawn", image);
    } else {
        status = nf_file_check_target(image, diags);
    }
    if (status == NF_OK) {
        status = read_all(&job, file, kind, diags);
    }
    if (status == NF_OK) {
        set_svg_name(&job.script, job.result.report.scenario);
        set_terminal(&job.script, kind, format);
        status = draw_into(&job, kind, format, image, data_root, diags);
    }
    nf__plot_fini(&job);
    nf_arena_fini(&arena);
    return status;
}
