#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/run_summary.h"
#include "perf/calibration.h"
#include "scenario/scenario.h"

static void add_estimate(struct nf_json *j, const char *key, struct nf_estimate e)
{
    nf_json_object(j, key);
    nf_json_double(j, "value", e.value);
    nf_json_double(j, "half_width", e.half_width);
    nf_json_end(j);
}

static void add_counts(struct nf_json *j, const struct nf_counts *c)
{
    nf_json_int(j, "offered", (int64_t)c->offered);
    for (int o = 0; o < NF_OUTCOMES; o++) {
        nf_json_int(j, nf_outcome_name((enum nf_request_outcome)o),
                    (int64_t)c->outcome[o]);
    }
    nf_json_int(j, "inside", (int64_t)c->inside);
}

static void add_class(struct nf_json *j, const struct nf_report *r,
                      const struct nf_class_report *c)
{
    nf_json_object(j, c->name);
    add_counts(j, &c->counts);
    nf_json_int(j, "retries", (int64_t)c->retries);
    for (int m = 0; m < NF_MEASURES; m++) {
        nf_json_object(j, nf_measure_name((enum nf_measure)m));
        for (int s = 0; s < NF_STATISTICS; s++) {
            add_estimate(j, nf_statistic_name((enum nf_statistic)s), c->time_s[m][s]);
        }
        nf_json_end(j);
    }
    add_estimate(j, "target_met", c->target_met);
    add_estimate(j, "availability", c->availability);
    nf_json_object(j, "routes");
    for (size_t g = 0; g < r->group_count; g++) {
        nf_json_int(j, r->groups[g].name, (int64_t)c->routes[g]);
    }
    nf_json_end(j);
    nf_json_end(j);
}

/* What the calibration profile was not fitted to; nothing where it states no range. */
static void add_outside(struct nf_json *j, const struct nf_group_report *g)
{
    if (isnan(g->outside_range.value)) {
        return;
    }
    nf_json_object(j, "outside_range");
    add_estimate(j, "count", g->outside_range);
    add_estimate(j, "share", g->outside_share);
    nf_json_array(j, "operations");
    for (int i = 0; i < NF_OUTSIDE_KINDS; i++) {
        if (g->outside_kinds >> i & 1) {
            nf_json_string(j, NULL, nf_outside_names[i]);
        }
    }
    nf_json_end(j);
    nf_json_end(j);
}

static void add_group(struct nf_json *j, const struct nf_group_report *g)
{
    nf_json_object(j, g->name);
    nf_json_int(j, "copies", (int64_t)g->copies);
    nf_json_bool(j, "saturated", g->is_saturated);
    add_estimate(j, "utilization", g->utilization);
    add_estimate(j, "queue_mean", g->queue_mean);
    add_estimate(j, "in_system_mean", g->in_system_mean);
    add_estimate(j, "wait_mean_s", g->wait_mean_s);
    add_estimate(j, "sojourn_mean_s", g->sojourn_mean_s);
    add_estimate(j, "batch_mean", g->batch_mean);
    if (!isnan(g->prefix_hit_rate.value)) {
        add_estimate(j, "prefix_hit_rate", g->prefix_hit_rate);
    }
    add_outside(j, g);
    add_estimate(j, "replicas_mean", g->replicas_mean);
    add_estimate(j, "replicas_max", g->replicas_max);
    add_estimate(j, "gpu_hours", g->gpu_hours);
    add_estimate(j, "cold_starts", g->cold_starts);
    add_estimate(j, "energy_kwh", g->energy_kwh);
    add_estimate(j, "cost_usd", g->cost_usd);
    nf_json_end(j);
}

static void add_cost_and_sla(struct nf_json *j, const struct nf_report *r)
{
    nf_json_object(j, "cost_usd");
    add_estimate(j, "total", r->cost.total);
    for (int p = 0; p < NF_COST_PARTS; p++) {
        add_estimate(j, nf_cost_part_name((enum nf_cost_part)p), r->cost.part[p]);
    }
    add_estimate(j, "per_1000_requests", r->cost.per_1000_requests);
    nf_json_end(j);
    nf_json_array(j, "sla");
    for (size_t i = 0; i < r->sla_count; i++) {
        const struct nf_sla_report *s = &r->sla[i];
        nf_json_object(j, NULL);
        nf_json_string(j, "class", s->class_name);
        nf_json_string(j, "objective", s->text);
        nf_json_double(j, "bound", s->bound);
        nf_json_double(j, "value", s->value.value);
        nf_json_double(j, "half_width", s->value.half_width);
        nf_json_bool(j, "met", s->is_met);
        nf_json_end(j);
    }
    nf_json_end(j);
    add_estimate(j, "energy_kwh", r->energy_kwh);
}

static void add_traces(struct nf_json *j, const struct nf_run_facts *facts)
{
    nf_json_array(j, "traces");
    for (size_t i = 0; i < facts->trace_count; i++) {
        const struct nf_scenario_trace *t = &facts->traces[i];
        nf_json_object(j, NULL);
        nf_json_string(j, "class", t->class_name);
        nf_json_string(j, "file", t->file);
        nf_json_int(j, "rows", (int64_t)t->rows);
        nf_json_int(j, "played", (int64_t)t->played);
        nf_json_int(j, "after_the_end", (int64_t)t->too_late);
        nf_json_double(j, "last_s", t->last_s);
        nf_json_end(j);
    }
    nf_json_end(j);
}

static void add_warnings(struct nf_json *j, const struct nf_diags *diags)
{
    nf_json_array(j, "warnings");
    for (int i = 0; diags && i < diags->count; i++) {
        const struct nf_diag *d = &diags->items[i];
        if (d->is_warning) {
            nf_json_object(j, NULL);
            nf_json_string(j, "path", d->path);
            nf_json_string(j, "message", d->message);
            nf_json_end(j);
        }
    }
    nf_json_end(j);
}

void nf_run_json(const struct nf_report *report, const struct nf_run_facts *facts,
                 struct nf_text *out)
{
    struct nf_json j;
    nf_json_init(&j, out, true);
    nf_json_object(&j, NULL);
    nf_json_string(&j, "nearfar", NF_VERSION);
    nf_json_string(&j, "scenario", report->scenario);
    nf_json_int(&j, "seed", (int64_t)report->seed);
    nf_json_int(&j, "replications", (int64_t)report->replications);
    nf_json_double(&j, "simulated_s", round(report->simulated_s * 1e9) / 1e9);
    nf_json_int(&j, "events", (int64_t)report->events);
    char fingerprint[17];
    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, report->fingerprint);
    nf_json_string(&j, "fingerprint", fingerprint);
    nf_json_double(&j, "wall_s", facts->wall_s);
    if (facts->result_path) {
        nf_json_string(&j, "result", facts->result_path);
    } else {
        nf_json_null(&j, "result");
    }
    nf_json_object(&j, "requests");
    add_counts(&j, &report->counts);
    nf_json_end(&j);
    nf_json_object(&j, "classes");
    for (size_t i = 0; i < report->class_count; i++) {
        add_class(&j, report, &report->classes[i]);
    }
    nf_json_end(&j);
    nf_json_object(&j, "stations");
    for (size_t i = 0; i < report->group_count; i++) {
        add_group(&j, &report->groups[i]);
    }
    nf_json_end(&j);
    add_cost_and_sla(&j, report);
    nf_json_array(&j, "provenance");
    for (size_t i = 0; i < facts->provenance_count; i++) {
        nf_json_string(&j, NULL, facts->provenance[i]);
    }
    nf_json_end(&j);
    add_traces(&j, facts);
    add_warnings(&j, facts->diags);
    nf_json_end(&j);
    nf_text_add(out, "\n");
}
