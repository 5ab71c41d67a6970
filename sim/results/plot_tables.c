/* plot_tables.c - see plot_tables.h. */
#include "results/plot_tables.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

enum {
    POINTS_MAX = 400,
    TICKS_MAX = 600,
    CURVES_MAX = 12,
    GROUPS_MAX = 7,
    CLASS_LINES_MAX = 6,
    LINES_MAX = 11, /* of both tables of the overview */
    CROWD = 6       /* entries of a key; more have shorter names */
};

/* Characters of a name that have room: in the page's title and warning, in a key, in the tables. */
enum {
    TITLE_CHARS = 44,
    WARNING_CHARS = 50,
    KEY_CHARS = 26,
    CROWD_CHARS = 12,
    CLASS_CHARS = 11,
    SLA_CHARS = 22
};

enum { COLUMNS = 6 }; /* of timeline.tsv */
#define NINES_MAX 6.3 /* the axis ends above 99.9999 % */

/* ---- variables ---- */

static void add_quoted(struct nf_text *t, const char *s)
{
    nf_text_add(t, "'");
    for (; *s; s++) {
        if (*s == '\'') {
            nf_text_add(t, "''");
        } else {
            nf_text_add_n(t, (unsigned char)*s < ' ' ? " " : s, 1);
        }
    }
    nf_text_add(t, "'");
}

void nf__plot_set_text(struct nf_text *script, const char *name, const char *value)
{
    nf_text_printf(script, "%s = ", name);
    add_quoted(script, value);
    nf_text_add(script, "\n");
}

static void set_number(struct nf_text *script, const char *name, double value)
{
    char digits[32];
    nf_text_printf(script, "%s = %s\n", name, nf_text_of_double(value, digits));
}

/* gnuplot's arrays count from 1 and are never empty. */
static void set_texts(struct nf_text *script, const char *name, const char *const *values,
                      size_t n)
{
    nf_text_printf(script, "array %s[%zu]\n", name, n ? n : 1);
    for (size_t i = 0; i < n; i++) {
        nf_text_printf(script, "%s[%zu] = ", name, i + 1);
        add_quoted(script, values[i]);
        nf_text_add(script, "\n");
    }
}

static void set_numbers(struct nf_text *script, const char *name, const double *values,
                        size_t n)
{
    char digits[32];
    nf_text_printf(script, "array %s[%zu]\n", name, n ? n : 1);
    for (size_t i = 0; i < n; i++) {
        nf_text_printf(script, "%s[%zu] = %s\n", name, i + 1,
                       nf_text_of_double(values[i], digits));
    }
}

/* A name (ASCII, as the loader checks) of at most `room` characters, with an ellipsis for its middle: names that are long often
 * differ at the end. */
static const char *shortened(struct nf_plot_job *job, const char *name, size_t room)
{
    size_t length = strlen(name);
    size_t head = room / 2;
    return length <= room ? name
                          : nf_arena_printf(job->arena, "%.*s\xe2\x80\xa6%s", (int)head,
                                            name, name + length - (room - head - 1));
}

/* ---- latency CDF ---- */

struct curve {
    const struct nf_bins *bins;
    const char *title;
    double target_s;
    size_t color;
    bool is_ttft;
};

static uint64_t total_of(const struct nf_bins *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        n += b->n[i];
    }
    return n;
}

/* The value at share q of a histogram, s. */
static double value_at(const struct nf_bins *b, double q)
{
    double want = q * (double)total_of(b);
    uint64_t below = 0;
    for (size_t i = 0; i < b->count; i++) {
        below += b->n[i];
        if ((double)below >= want) {
            return b->value_ns[i] * 1e-9;
        }
    }
    return 0;
}

/* The distribution function as a line: a step where two neighbouring bins are drawn, straight on over bins that are left out
 * because nobody would see them. The axis of nines has no place for 1: the last step ends half a request below it. */
static void add_curve(struct nf_text *t, const struct nf_bins *b)
{
    uint64_t total = total_of(b);
    uint64_t below = 0;
    double top = log10(2.0 * (double)total);
    double drawn_x = 0;
    double drawn_y = 0;
    bool was_drawn = false;
    for (size_t i = 0; i < b->count; i++) {
        below += b->n[i];
        double beyond =
            below < total ? 1 - (double)below / (double)total : 0.5 / (double)total;
        double x = b->value_ns[i] * 1e-9;
        double y = -log10(beyond);
        bool is_end = i == 0 || i + 1 == b->count;
        bool is_drawn = is_end || y - drawn_y > top / POINTS_MAX || x > drawn_x * 1.03;
        if (i == 0 || (is_drawn && was_drawn)) {
            nf_text_printf(t, "%.6g\t%.6g\n", x, drawn_y);
        }
        if (is_drawn) {
            nf_text_printf(t, "%.6g\t%.6g\n", x, y);
            drawn_x = x;
            drawn_y = y;
        }
        was_drawn = is_drawn;
    }
    nf_text_add(t, "\n\n");
}

/* The first CURVES_MAX curves, and how many there are. */
static size_t list_curves(struct nf_plot_job *job, struct curve *curves)
{
    size_t n = 0;
    const struct nf_report *r = &job->result.report;
    size_t entries = 0;
    for (size_t i = 0; i < r->class_count; i++) {
        entries += r->classes[i].latency.count > 0 ? 1 : 0;
        entries += r->classes[i].ttft.count > 0 ? 1 : 0;
    }
    for (size_t i = 0; i < r->class_count; i++) {
        const struct nf_class_report *c = &r->classes[i];
        const char *name =
            shortened(job, c->name, entries > CROWD ? CROWD_CHARS : KEY_CHARS);
        if (c->latency.count > 0 && n++ < CURVES_MAX) {
            curves[n - 1] =
                (struct curve){&c->latency, name, c->target_latency_s, i, false};
        }
        if (c->ttft.count > 0 && n++ < CURVES_MAX) {
            name = nf_arena_printf(job->arena, "%s, first token", name);
            curves[n - 1] = (struct curve){&c->ttft, name, c->target_ttft_s, i, true};
        }
    }
    return n;
}

/* Labels that would run into each other stand one above the other: a letter takes about 1/27 of a decade. */
static double label_row(const double *targets, const char *const *texts,
                        const double *rows, size_t i)
{
    double row = 0;
    for (size_t k = 0; k < i; k++) {
        double letters = 0.5 * (double)(strlen(texts[i]) + strlen(texts[k]));
        if (targets[i] > 0 && targets[k] > 0 &&
            fabs(log10(targets[i] / targets[k])) < letters / 27) {
            row = fmax(row, rows[k] + 1);
        }
    }
    return row;
}

static void make_cdf(struct nf_plot_job *job)
{
    struct curve curves[CURVES_MAX];
    const char *titles[CURVES_MAX] = {0};
    const char *target_texts[CURVES_MAX] = {0};
    double colors[CURVES_MAX] = {0};
    double dashes[CURVES_MAX] = {0};
    double targets[CURVES_MAX] = {0};
    double rows[CURVES_MAX] = {0};
    double least = 0;
    double most = 0;
    double nines = 1;
    size_t all = list_curves(job, curves);
    size_t n = all < CURVES_MAX ? all : CURVES_MAX;
    for (size_t i = 0; i < n; i++) {
        char text[64];
        const struct curve *c = &curves[i];
        titles[i] = c->title;
        colors[i] = (double)c->color;
        dashes[i] = c->is_ttft ? 2 : 1;
        targets[i] = c->target_s;
        (void)nf_units_format(c->target_s, NF_DIM_TIME, false, text, sizeof text);
        target_texts[i] = nf_arena_printf(
            job->arena, c->is_ttft ? "first token target %s" : "target %s", text);
        rows[i] = label_row(targets, target_texts, rows, i);
        double low = value_at(c->bins, 0.002);
        double high = c->bins->value_ns[c->bins->count - 1] * 1e-9;
        least = i == 0 || low < least ? low : least;
        most = high > most ? high : most;
        most = c->target_s > most ? c->target_s : most;
        least = c->target_s > 0 && c->target_s < least ? c->target_s : least;
        nines = fmax(nines, log10(2.0 * (double)total_of(c->bins)));
        add_curve(&job->cdf, c->bins);
    }
    set_number(&job->script, "curves", (double)n);
    set_number(&job->script, "curves_left_out", (double)(all - n));
    set_texts(&job->script, "curve_title", titles, n);
    set_numbers(&job->script, "curve_color", colors, n);
    set_numbers(&job->script, "curve_dash", dashes, n);
    set_numbers(&job->script, "target", targets, n);
    set_numbers(&job->script, "target_row", rows, n);
    set_texts(&job->script, "target_text", target_texts, n);
    set_number(&job->script, "time_least", least > 0 ? least : 1e-6);
    set_number(&job->script, "time_most", most > 0 ? most : 1);
    set_number(&job->script, "nines", fmin(nines, NINES_MAX));
}

/* ---- timeline ---- */

/* Sums and averages of one group over the ticks [from, to). */
struct span {
    double rate, queue, ready, starting, utilization;
};

static struct span span_of(const struct nf_plot_job *job, uint32_t group, size_t from,
                           size_t to)
{
    const struct nf_series *s = &job->series;
    struct span out = {0};
    double with_utilization = 0;
    for (size_t t = from; t < to; t++) {
        struct span now = {0};
        for (size_t i = t * s->stations; i < (t + 1) * s->stations; i++) {
            if (job->result.group_of[i - t * s->stations] != group) {
                continue;
            }
            now.rate += isnan(s->offered_rate[i]) ? 0 : s->offered_rate[i];
            now.queue += s->queue[i];
            now.ready += s->replicas_ready[i];
            now.starting += s->replicas_starting[i];
            if (!isnan(s->utilization[i])) {
                out.utilization += s->utilization[i];
                with_utilization++;
            }
        }
        out.rate += now.rate / (double)(to - from);
        out.queue = fmax(out.queue, now.queue);
        out.ready = fmax(out.ready, now.ready);
        out.starting = fmax(out.starting, now.starting);
    }
    out.utilization = with_utilization > 0 ? out.utilization / with_utilization : 0;
    return out;
}

static bool is_scaled(const struct nf_plot_job *job, uint32_t group)
{
    const struct nf_series *s = &job->series;
    for (size_t i = 0; i < s->ticks * s->stations; i++) {
        size_t station = i % s->stations;
        if (job->result.group_of[station] == group &&
            (s->replicas_ready[i] != s->replicas_ready[station] ||
             s->replicas_starting[i] > 0)) {
            return true;
        }
    }
    return false;
}

/* Also notes the largest of each: a line that stays at 0 is not drawn. */
static void add_group(struct nf_plot_job *job, uint32_t group, struct span *peak)
{
    const struct nf_series *s = &job->series;
    size_t step = (s->ticks + TICKS_MAX - 1) / TICKS_MAX;
    for (size_t t = 0; t < s->ticks; t += step) {
        size_t end = t + step < s->ticks ? t + step : s->ticks;
        struct span a = span_of(job, group, t, end);
        peak->rate = fmax(peak->rate, a.rate);
        peak->queue = fmax(peak->queue, a.queue);
        peak->ready = fmax(peak->ready, a.ready);
        peak->starting = fmax(peak->starting, a.starting);
        peak->utilization = fmax(peak->utilization, a.utilization);
        nf_text_printf(&job->timeline, "%.9g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\n",
                       s->time_s[end - 1], a.rate, a.queue, a.ready, a.starting,
                       a.utilization);
    }
    nf_text_add(&job->timeline, "\n\n");
}

static void add_utilization(struct nf_text *t, const struct nf_group_report *g)
{
    const struct nf_estimate *u = &g->utilization;
    nf_text_printf(t, "%s\t%.6g\t%.6g\n", g->name, isnan(u->value) ? 0 : u->value,
                   isnan(u->half_width) ? 0 : u->half_width);
}

static void make_timeline(struct nf_plot_job *job)
{
    const struct nf_report *r = &job->result.report;
    const char *names[GROUPS_MAX] = {0};
    double scaled[GROUPS_MAX] = {0};
    double peaks[GROUPS_MAX * COLUMNS] = {0};
    size_t n = r->group_count < GROUPS_MAX ? r->group_count : GROUPS_MAX;
    bool any = false;
    for (size_t g = 0; g < n; g++) {
        struct span peak = {0};
        names[g] = shortened(job, r->groups[g].name, n > CROWD ? CROWD_CHARS : KEY_CHARS);
        scaled[g] = job->series.ticks > 0 && is_scaled(job, (uint32_t)g);
        any |= scaled[g] > 0;
        add_utilization(&job->stations, &r->groups[g]);
        if (job->series.ticks > 0) {
            add_group(job, (uint32_t)g, &peak);
        }
        const double of_columns[COLUMNS] = {1,          peak.rate,     peak.queue,
                                            peak.ready, peak.starting, peak.utilization};
        memcpy(&peaks[g * COLUMNS], of_columns, sizeof of_columns);
    }
    set_number(&job->script, "ticks", (double)job->series.ticks);
    set_number(&job->script, "duration", r->simulated_s);
    set_number(&job->script, "warmup", r->warmup_s);
    set_number(&job->script, "groups", (double)n);
    set_number(&job->script, "groups_left_out", (double)(r->group_count - n));
    set_number(&job->script, "any_scaled", any);
    set_texts(&job->script, "group_name", names, n);
    set_numbers(&job->script, "group_scaled", scaled, n);
    set_numbers(&job->script, "group_peak", peaks, n * COLUMNS);
}

/* ---- cost ---- */

static void make_cost(struct nf_plot_job *job)
{
    static const char *const words[NF_COST_PARTS] = {"edge", "cloud", "priced API",
                                                     "network"};
    const struct nf_cost_report *c = &job->result.report.cost;
    char text[64];
    double most = 0;
    for (int i = 0; i < NF_COST_PARTS; i++) {
        double half = isnan(c->part[i].half_width) ? 0 : c->part[i].half_width;
        nf_text_printf(&job->cost, "%s\t%.6g\t%.6g\n", words[i], c->part[i].value, half);
        most = fmax(most, c->part[i].value + half);
    }
    (void)nf_units_format(c->total.value, NF_DIM_MONEY, false, text, sizeof text);
    nf__plot_set_text(&job->script, "cost_total", text);
    (void)nf_units_format(c->per_1000_requests.value, NF_DIM_MONEY, false, text,
                          sizeof text);
    nf__plot_set_text(&job->script, "cost_per_1000",
                      isnan(c->per_1000_requests.value) ? "-" : text);
    set_number(&job->script, "cost_most", most);
    set_number(&job->script, "cost_has_intervals", !isnan(c->total.half_width));
}

/* ---- the tables on the overview page ---- */

static const char *time_text(struct nf_plot_job *job, double s)
{
    char text[64];
    if (isnan(s)) {
        return "-";
    }
    (void)nf_units_format(s, NF_DIM_TIME, false, text, sizeof text);
    return nf_arena_strdup(job->arena, text);
}

static const char *count_text(struct nf_plot_job *job, uint64_t n)
{
    char text[32];
    return nf_arena_strdup(job->arena, nf_text_of_count(n, text));
}

static const char *share_text(struct nf_plot_job *job, double share)
{
    return isnan(share) ? "-" : nf_arena_printf(job->arena, "%.4g%%", 100 * share);
}

static void make_class_table(struct nf_plot_job *job)
{
    const struct nf_report *r = &job->result.report;
    const char *cells[CLASS_LINES_MAX * 6] = {0};
    size_t n = r->class_count < CLASS_LINES_MAX ? r->class_count : CLASS_LINES_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct nf_class_report *c = &r->classes[i];
        const char **cell = &cells[i * 6];
        cell[0] = shortened(job, c->name, CLASS_CHARS);
        cell[1] = count_text(job, c->counts.offered);
        cell[2] = share_text(job, c->availability.value);
        cell[3] = time_text(job, c->time_s[NF_LATENCY][NF_P50].value);
        cell[4] = time_text(job, c->time_s[NF_LATENCY][NF_P99].value);
        cell[5] = share_text(job, c->target_met.value);
    }
    set_number(&job->script, "class_lines", (double)n);
    set_number(&job->script, "classes_left_out", (double)(r->class_count - n));
    set_texts(&job->script, "class_cell", cells, n * 6);
}

static void make_sla_table(struct nf_plot_job *job)
{
    const struct nf_report *r = &job->result.report;
    const char *cells[LINES_MAX * 4] = {0};
    size_t above =
        r->class_count <= CLASS_LINES_MAX ? r->class_count : CLASS_LINES_MAX + 1;
    size_t n = r->sla_count < LINES_MAX - above ? r->sla_count : LINES_MAX - above;
    for (size_t i = 0; i < n; i++) {
        const struct nf_sla_report *s = &r->sla[i];
        const char **cell = &cells[i * 4];
        size_t room = SLA_CHARS - 1 - strlen(s->text);
        cell[0] = nf_arena_printf(job->arena, "%s %s",
                                  shortened(job, s->class_name, room), s->text);
        cell[1] = nf_arena_printf(
            job->arena, "%s %s", s->is_time ? "\xe2\x89\xa4" : "\xe2\x89\xa5",
            s->is_time ? time_text(job, s->bound) : share_text(job, s->bound));
        cell[2] =
            s->is_time ? time_text(job, s->value.value) : share_text(job, s->value.value);
        cell[3] = s->is_met ? "met" : "MISSED";
    }
    set_number(&job->script, "sla_lines", (double)n);
    set_number(&job->script, "sla_left_out", (double)(r->sla_count - n));
    set_texts(&job->script, "sla_cell", cells, n * 4);
}

static void make_header(struct nf_plot_job *job)
{
    const struct nf_report *r = &job->result.report;
    struct nf_text t = {0};
    char duration[64];
    (void)nf_units_format(r->simulated_s, NF_DIM_TIME, false, duration, sizeof duration);
    nf_text_printf(&t, "%s requests offered in %zu replication%s of %s; seed %llu",
                   count_text(job, r->counts.offered), r->replications,
                   r->replications == 1 ? "" : "s", duration,
                   (unsigned long long)r->seed);
    nf__plot_set_text(&job->script, "subtitle", t.data);
    nf_text_fini(&t);
    nf_text_add(&t, "");
    for (size_t i = 0; i < r->group_count; i++) {
        if (r->groups[i].is_saturated) {
            nf_text_printf(&t, "%s%s",
                           t.length ? ", " : "SATURATED: ", r->groups[i].name);
        }
    }
    nf__plot_set_text(&job->script, "warning",
                      shortened(job, t.data ? t.data : "", WARNING_CHARS));
    nf_text_fini(&t);
    nf__plot_set_text(&job->script, "scenario", shortened(job, r->scenario, TITLE_CHARS));
}

void nf__plot_tables(struct nf_plot_job *job)
{
    make_header(job);
    make_cdf(job);
    make_timeline(job);
    make_cost(job);
    make_class_table(job);
    make_sla_table(job);
}

void nf__plot_fini(struct nf_plot_job *job)
{
    nf_text_fini(&job->script);
    nf_text_fini(&job->cdf);
    nf_text_fini(&job->timeline);
    nf_text_fini(&job->cost);
    nf_text_fini(&job->stations);
}
