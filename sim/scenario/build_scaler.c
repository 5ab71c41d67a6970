/* Autoscalers: Kubernetes' and Knative's settings, checked. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

/* The metric is not known: the target may be a share or a number of requests. */
static void check_target(struct nf__build *b, struct nf_scaler_decl *d)
{
    char why[256];
    double v;
    if (d->target != NULL &&
        !nf_units_parse(d->target, NF_DIM_FRACTION, &v, why, sizeof why) &&
        !nf_units_parse(d->target, NF_DIM_NONE, &v, why, sizeof why)) {
        (void)nf_object_error(&b->load, &d->at, "target", NF_E_UNIT, NULL,
                              "\"%.40s\": expected a share of busy time such as 70%%, or "
                              "a number of requests such as 64",
                              d->target);
    }
}

/* The target's unit follows from the metric: a share of busy time, or requests for each replica. */
static void read_target(struct nf__build *b, struct nf_scaler_decl *d,
                        struct nf_scaler_spec *out)
{
    bool is_share = d->metric == NF_METRIC_UTILIZATION;
    char why[256] = "";
    double v;
    if (NF_IS_WRONG(&d->at, "policy", "metric")) {
        check_target(b, d);
        return;
    }
    if (nf_object_is_wrong(&d->at, "target")) {
        return;
    }
    if (d->target == NULL) {
        if (!is_share) {
            (void)nf_object_error(
                &b->load, &d->at, "", NF_E_KEY, "for example target: 64",
                "key \"target\" is missing: requests for each ready replica");
            return;
        }
        d->target = "80%"; /* what Kubernetes assumes without any metric */
    }
    if (!nf_units_parse(d->target, is_share ? NF_DIM_FRACTION : NF_DIM_NONE, &v, why,
                        sizeof why)) {
        (void)nf_object_error(
            &b->load, &d->at, "target", NF_E_UNIT,
            is_share ? "for example target: 70%" : "for example target: 64",
            is_share ? "\"%.40s\": a target of utilization is a share of busy "
                       "time, at most 100 %%"
                     : "\"%.40s\": this metric's target is a number of requests "
                       "for each ready replica",
            d->target);
        return;
    }
    double least =
        is_share ? 0.01
                 : 0.001; /* Kubernetes counts in whole percents and in thousandths */
    if (!(v >= least) || (is_share && v > 1) || v > 1e9) {
        (void)nf_object_error(&b->load, &d->at, "target", NF_E_RANGE, NULL,
                              "%.40s: expected %s", d->target,
                              is_share ? "1 % to 100 %" : "0.001 to 1000000000");
        return;
    }
    out->target = v;
}

static void read_direction(struct nf__build *b, struct nf_direction_decl *d,
                           struct nf_scale_direction *out)
{
    struct nf_rule_decl *rules = d->rules.items;
    out->stabilization_s = d->stabilization;
    out->select = (enum nf_scale_select)d->select;
    if (d->rules.count > NF_SCALE_RULES_MAX) {
        (void)nf_object_error(&b->load, &d->at, "rules", NF_E_LIMIT, NULL,
                              "%zu rules; at most %d are allowed", d->rules.count,
                              (int)NF_SCALE_RULES_MAX);
        return;
    }
    for (size_t i = 0; i < d->rules.count; i++) {
        int percent = nf__build_given(&rules[i].at, "percent");
        int replicas = nf__build_given(&rules[i].at, "replicas");
        if (percent == replicas && percent >= 0) {
            (void)nf_object_error(&b->load, &rules[i].at, "", NF_E_KEY, NULL,
                                  "expected either replicas or percent, beside period");
        }
        bool is_percent = percent > 0;
        out->rules[i] = (struct nf_scale_rule){
            is_percent, is_percent ? rules[i].percent * 100 : rules[i].replicas,
            rules[i].period};
    }
    out->rule_count = (int)d->rules.count;
}

static void read_kpa(struct nf__build *b, struct nf_scaler_decl *d,
                     struct nf_scaler_spec *out)
{
    bool is_kpa = !nf_object_is_wrong(&d->at, "policy") && d->policy == NF_SCALER_KPA;
    if (is_kpa && !nf_object_is_wrong(&d->at, "metric") &&
        d->metric != NF_METRIC_CONCURRENCY) {
        (void)nf_object_error(&b->load, &d->at, "metric", NF_E_UNSUPPORTED,
                              "use policy: hpa",
                              "Knative's autoscaler scales on concurrency only");
    }
    bool has_both = !NF_IS_WRONG(&d->at, "panic_window", "stable_window");
    if (has_both &&
        isnan(d->panic_window)) { /* 10 % of the stable window, at least a second */
        d->panic_window = fmax(1, floor(d->stable_window * 0.1));
    }
    if (has_both && d->panic_window > d->stable_window) {
        (void)nf_object_error(&b->load, &d->at, "panic_window", NF_E_IMPOSSIBLE, NULL,
                              "the panic window is longer than the stable window");
    }
    out->stable_window_s = d->stable_window;
    out->panic_window_s = d->panic_window;
    out->panic_threshold = d->panic_threshold;
    out->max_scale_up_rate = d->max_scale_up_rate;
    out->max_scale_down_rate = d->max_scale_down_rate;
    out->scale_down_delay_s = d->scale_down_delay;
}

void nf__build_scaler(struct nf__build *b, struct nf_station_decl *d,
                      struct nf_scaler_spec *out)
{
    struct nf_scaler_decl *s = &d->scaler;
    if (s->at.is_unread) {
        return;
    }
    out->policy = (enum nf_scaler_policy)s->policy;
    if (s->policy == NF_SCALER_NONE) {
        return;
    }
    out->metric = (enum nf_scaler_metric)s->metric;
    out->interval_s = s->interval;
    out->tolerance = s->tolerance;
    read_target(b, s, out);
    if (s->policy !=
        NF_SCALER_HPA) { /* a policy that cannot be known: whatever is there */
        read_kpa(b, s, out);
    }
    if (s->policy != NF_SCALER_KPA) {
        read_direction(b, &s->up, &out->up);
        read_direction(b, &s->down, &out->down);
    }
}
