#include "cli/run_summary.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "cli/columns.h"
#include "perf/calibration.h"
#include "scenario/scenario.h"

/* ---- numbers ---- */

const char *nf_run_count(uint64_t n, struct nf_arena *arena)
{
    char text[32];
    return nf_arena_strdup(arena, nf_text_of_count(n, text));
}

/* Digits after the point that show `significant` digits of x > 0. */
static int decimals_for(double x, int significant)
{
    int digits = significant - 1 - (int)floor(log10(x));
    return digits < 0 ? 0 : digits > 9 ? 9 : digits;
}

/* x and its half width with `suffix`: the half width shows two digits, a value without one shows four. */
static const char *number(struct nf_estimate e, double scale, const char *suffix,
                          struct nf_arena *arena)
{
    if (!isfinite(e.value)) {
        return "-";
    }
    double value = e.value * scale;
    double half = e.half_width * scale;
    if (isfinite(half) && half > 1e-9 * fabs(value) && half > 0.0) {
        int decimals = decimals_for(half, 2);
        return nf_arena_printf(arena, "%.*f \u00b1 %.*f%s", decimals, value, decimals,
                               half, suffix);
    }
    int decimals = fabs(value) > 0.0 ? decimals_for(fabs(value), 4) : 0;
    return nf_arena_printf(arena, "%.*f%s", decimals, value, suffix);
}

static const char *plain(double value, double scale, const char *suffix,
                         struct nf_arena *arena)
{
    return number((struct nf_estimate){value, (double)NAN}, scale, suffix, arena);
}

const char *nf_run_time(struct nf_estimate e, struct nf_arena *arena)
{
    double size = fabs(e.value);
    if (size >= 1.0 || !(size > 0.0)) {
        return number(e, 1.0, " s", arena);
    }
    if (size >= 1e-3) {
        return number(e, 1e3, " ms", arena);
    }
    return size >= 1e-6 ? number(e, 1e6, " us", arena) : number(e, 1e9, " ns", arena);
}

static const char *time_only(struct nf_estimate e, struct nf_arena *arena)
{
    return nf_run_time((struct nf_estimate){e.value, (double)NAN}, arena);
}

static const char *percent(struct nf_estimate e, struct nf_arena *arena)
{
    return number(e, 100.0, " %", arena);
}

/* "" where the metric does not exist, so that a column without any value is left out. */
static const char *or_blank(const char *text)
{
    return strcmp(text, "-") == 0 ? "" : text;
}

/* ---- sections ---- */

static void add_heading(const struct nf_report *r, const struct nf_run_facts *facts,
                        struct nf_arena *arena, struct nf_text *out)
{
    nf_text_printf(out, "%s%s%s\n", r->scenario, facts->description[0] ? ": " : "",
                   facts->description);
    char each[64];
    char warmup[64];
    nf_units_format(r->simulated_s, NF_DIM_TIME, false, each, sizeof each);
    nf_units_format(r->warmup_s, NF_DIM_TIME, false, warmup, sizeof warmup);
    nf_text_printf(out, "seed %llu, %zu replication%s of %s", (unsigned long long)r->seed,
                   r->replications, r->replications == 1 ? "" : "s", each);
    if (r->warmup_s > 0.0) {
        nf_text_printf(out, " (the first %s left out)", warmup);
    }
    nf_text_printf(out, "; %s events in %s\n\n", nf_run_count(r->events, arena),
                   nf_arena_printf(arena, "%.3g s", facts->wall_s));
}

static void add_saturated(const struct nf_report *r, struct nf_text *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->group_count; i++) {
        if (r->groups[i].is_saturated) {
            nf_text_printf(out, "%s%s", n == 0 ? "SATURATED: " : ", ", r->groups[i].name);
            n++;
        }
    }
    if (n > 0) {
        nf_text_printf(
            out, "\n  The queue grew to the end of the run: more work comes than the "
                 "station can do,\n  and every time below depends on how long the run "
                 "is.\n\n");
    }
}

static void add_requests(const struct nf_counts *c, struct nf_arena *arena,
                         struct nf_text *out)
{
    nf_text_printf(out, "Requests  %s offered = %s completed + %s rejected + ",
                   nf_run_count(c->offered, arena),
                   nf_run_count(c->outcome[NF_COMPLETED], arena),
                   nf_run_count(c->outcome[NF_REJECTED], arena));
    nf_text_printf(out, "%s timed out + %s failed + %s still inside\n\n",
                   nf_run_count(c->outcome[NF_TIMED_OUT], arena),
                   nf_run_count(c->outcome[NF_FAILED], arena),
                   nf_run_count(c->inside, arena));
}

void nf_run_print_traces(const struct nf_scenario_trace *traces, size_t count,
                         const char *indent, struct nf_text *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct nf_scenario_trace *t = &traces[i];
        size_t before = t->rows - t->played - t->too_late;
        char played[32], rows[32], left_out[32];
        if (t->played == t->rows) {
            continue;
        }
        nf_text_printf(out, "%s%s: %s of %s rows of %s", indent, t->class_name,
                       nf_text_of_count(t->played, played),
                       nf_text_of_count(t->rows, rows), t->file);
        if (before > 0) {
            nf_text_printf(out, "; %s come before the offset",
                           nf_text_of_count(before, left_out));
        }
        if (t->too_late > 0) {
            nf_text_printf(out, "; %s come after the end of the run",
                           nf_text_of_count(t->too_late, left_out));
        }
        nf_text_add(out, "\n");
    }
}

static void add_traces(const struct nf_run_facts *facts, struct nf_text *out)
{
    size_t before = out->length;
    nf_run_print_traces(facts->traces, facts->trace_count, "Trace     ", out);
    if (out->length > before) {
        nf_text_add(out, "\n");
    }
}

static void add_row(struct nf_columns *t, const char *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        nf_columns_cell(t, "%s", cells[i]);
    }
}

static void add_classes(const struct nf_report *r, struct nf_arena *arena,
                        struct nf_text *out)
{
    static const char *const head[] = {"class",    "completed", "mean",  "p50",
                                       "p90",      "p99",       "p99.9", "ttft p99",
                                       "tpot p99", "target met"};
    struct nf_columns t;
    nf_columns_init(&t, "lrrrrrrrrr", arena);
    add_row(&t, head, 10);
    for (size_t i = 0; i < r->class_count; i++) {
        const struct nf_class_report *c = &r->classes[i];
        const struct nf_estimate *latency = c->time_s[NF_LATENCY];
        const char *const row[] = {
            c->name,
            nf_run_count(c->counts.outcome[NF_COMPLETED], arena),
            nf_run_time(latency[NF_MEAN], arena),
            time_only(latency[NF_P50], arena),
            time_only(latency[NF_P90], arena),
            time_only(latency[NF_P99], arena),
            time_only(latency[NF_P999], arena),
            or_blank(time_only(c->time_s[NF_TTFT][NF_P99], arena)),
            or_blank(time_only(c->time_s[NF_TPOT][NF_P99], arena)),
            or_blank(percent(c->target_met, arena)),
        };
        add_row(&t, row, 10);
    }
    nf_text_add(out, "Latency\n");
    nf_columns_print(&t, 2, out);
    nf_text_add(out, "\n");
}

static void add_prefix_hits(const struct nf_report *r, struct nf_arena *arena,
                            struct nf_text *out)
{
    for (size_t i = 0; i < r->group_count; i++) {
        const struct nf_group_report *g = &r->groups[i];
        if (!isnan(g->prefix_hit_rate.value)) {
            nf_text_printf(out, "  %s: the prefix cache had %s of the prompts' tokens\n",
                           g->name, percent(g->prefix_hit_rate, arena));
        }
    }
}

/* A pool that starts its replicas anew again and again pays for starts that a calmer scaler would not need. */
static void add_hunting(const struct nf_report *r, struct nf_arena *arena,
                        struct nf_text *out)
{
    enum { OFTEN = 2 };
    for (size_t i = 0; i < r->group_count; i++) {
        const struct nf_group_report *g = &r->groups[i];
        double starts = g->cold_starts.value, most = g->replicas_max.value;
        if (most > 1.0 && starts >= OFTEN * most) {
            nf_text_printf(out,
                           "  %s hunts: %s cold starts for at most %s replicas; it "
                           "shrank and grew about %.0f times over\n",
                           g->name, plain(starts, 1.0, "", arena),
                           plain(most, 1.0, "", arena), starts / most);
        }
    }
}

/* A share that is not nothing is never printed as nothing. */
static const char *share_text(double share, struct nf_arena *arena)
{
    return share < 0.0005 ? "less than 0.1 %"
                          : nf_arena_printf(arena, "%.1f %%", 100 * share);
}

static void add_outside(const struct nf_report *r, struct nf_arena *arena,
                        struct nf_text *out)
{
    for (size_t i = 0; i < r->group_count; i++) {
        const struct nf_group_report *g = &r->groups[i];
        const char *between = " ";
        if (!(g->outside_range.value > 0)) {
            continue;
        }
        nf_text_printf(
            out,
            "  warning: %s: %s of its iterations or batches lie outside what its "
            "calibration was fitted to:",
            g->name, share_text(g->outside_share.value, arena));
        for (int k = 0; k < NF_OUTSIDE_KINDS; k++) {
            if (g->outside_kinds >> k & 1) {
                nf_text_printf(out, "%s%s", between, nf_outside_names[k]);
                between = ", ";
            }
        }
        nf_text_add(out, "\n");
    }
}

static void add_stations(const struct nf_report *r, struct nf_arena *arena,
                         struct nf_text *out)
{
    static const char *const tiers[] = {
        [NF_TIER_EDGE] = "edge", [NF_TIER_CLOUD] = "cloud", [NF_TIER_MAAS] = "priced"};
    static const char *const head[] = {"station", "tier",        "busy",      "waiting",
                                       "inside",  "wait mean",   "batch",     "replicas",
                                       "at most", "cold starts", "GPU hours", "USD"};
    bool has_copies = false;
    struct nf_columns t;
    nf_columns_init(&t, "llrrrrrrrrrr", arena);
    add_row(&t, head, 12);
    for (size_t i = 0; i < r->group_count; i++) {
        const struct nf_group_report *g = &r->groups[i];
        has_copies = has_copies || g->copies > 1;
        bool scales = g->replicas_max.value > 1.0 || g->cold_starts.value > 0.0;
        const char *name = g->copies > 1
                               ? nf_arena_printf(arena, "%s (x%u)", g->name, g->copies)
                               : g->name;
        const char *const row[] = {
            name,
            tiers[g->tier],
            percent(g->utilization, arena),
            plain(g->queue_mean.value, 1.0, "", arena),
            plain(g->in_system_mean.value, 1.0, "", arena),
            time_only(g->wait_mean_s, arena),
            or_blank(plain(g->batch_mean.value, 1.0, "", arena)),
            scales ? plain(g->replicas_mean.value, 1.0, "", arena) : "",
            scales ? plain(g->replicas_max.value, 1.0, "", arena) : "",
            scales ? plain(g->cold_starts.value, 1.0, "", arena) : "",
            g->gpu_hours.value > 0.0 ? plain(g->gpu_hours.value, 1.0, "", arena) : "",
            g->cost_usd.value > 0.0 ? plain(g->cost_usd.value, 1.0, "", arena) : "",
        };
        add_row(&t, row, 12);
    }
    nf_text_add(out, "Stations");
    if (r->replications > 1) {
        nf_text_add(out, " (per replication)");
    }
    nf_text_add(out,
                has_copies
                    ? "; where there are copies: of one copy, GPU hours and USD of all\n"
                    : "\n");
    nf_columns_print(&t, 2, out);
    add_prefix_hits(r, arena, out);
    add_hunting(r, arena, out);
    add_outside(r, arena, out);
    nf_text_add(out, "\n");
}

static void add_cost(const struct nf_report *r, struct nf_arena *arena,
                     struct nf_text *out)
{
    const char *each = r->replications > 1 ? " per replication" : "";
    if (r->cost.total.value > 0.0) {
        nf_text_printf(out, "Cost      %s USD%s", number(r->cost.total, 1.0, "", arena),
                       each);
        const char *before = " = ";
        for (int p = 0; p < NF_COST_PARTS; p++) {
            if (r->cost.part[p].value > 0.0) {
                nf_text_printf(out, "%s%s %s", before,
                               plain(r->cost.part[p].value, 1.0, "", arena),
                               nf_cost_part_name((enum nf_cost_part)p));
                before = " + ";
            }
        }
        nf_text_printf(out, "; %s USD per 1,000 requests\n",
                       plain(r->cost.per_1000_requests.value, 1.0, "", arena));
    }
    if (r->energy_kwh.value > 0.0) {
        nf_text_printf(out, "Energy    %s%s\n", number(r->energy_kwh, 1.0, " kWh", arena),
                       each);
    }
    if (r->cost.total.value > 0.0 || r->energy_kwh.value > 0.0) {
        nf_text_add(out, "\n");
    }
}

static void add_sla(const struct nf_report *r, struct nf_arena *arena,
                    struct nf_text *out)
{
    if (r->sla_count == 0) {
        return;
    }
    struct nf_columns t;
    nf_columns_init(&t, "lllrl", arena);
    nf_columns_cell(&t, "class");
    nf_columns_cell(&t, "objective");
    nf_columns_cell(&t, "bound");
    nf_columns_cell(&t, "value");
    nf_columns_cell(&t, "verdict");
    for (size_t i = 0; i < r->sla_count; i++) {
        const struct nf_sla_report *s = &r->sla[i];
        char bound[64];
        nf_units_format(s->bound, s->is_time ? NF_DIM_TIME : NF_DIM_FRACTION, false,
                        bound, sizeof bound);
        nf_columns_cell(&t, "%s", s->class_name);
        nf_columns_cell(&t, "%s", s->text);
        nf_columns_cell(&t, "%s %s", s->is_time ? "at most" : "at least", bound);
        nf_columns_cell(&t, "%s",
                        s->is_time ? nf_run_time(s->value, arena)
                                   : percent(s->value, arena));
        nf_columns_cell(&t, "%s", s->is_met ? "met" : "MISSED");
    }
    nf_text_add(out, "Objectives\n");
    nf_columns_print(&t, 2, out);
    nf_text_add(out, "\n");
}

static void add_closing(const struct nf_run_facts *facts, struct nf_text *out)
{
    for (size_t i = 0; i < facts->provenance_count; i++) {
        nf_text_printf(out, "%s%s\n", i == 0 ? "Rests on  " : "          ",
                       facts->provenance[i]);
    }
    if (facts->provenance_count > 0) {
        nf_text_add(out, "\n");
    }
    if (facts->result_path) {
        nf_text_printf(out, "Written   %s\nPlot it   nearfar plot %s\n",
                       facts->result_path, facts->result_path);
    } else {
        nf_text_printf(
            out, "Nothing was written. To keep the results: nearfar run %s -o FILE.h5\n",
            facts->scenario_path);
    }
}

void nf_run_print(const struct nf_report *report, const struct nf_run_facts *facts,
                  struct nf_arena *arena, struct nf_text *out)
{
    add_heading(report, facts, arena, out);
    add_saturated(report, out);
    add_requests(&report->counts, arena, out);
    add_traces(facts, out);
    add_classes(report, arena, out);
    add_stations(report, arena, out);
    add_cost(report, arena, out);
    add_sla(report, arena, out);
    add_closing(facts, out);
}
