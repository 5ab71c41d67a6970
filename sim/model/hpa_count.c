/* The replica calculator of hpa.h: grouping of pods, and the count that one metric asks for. */
#include <math.h>

#include "base/status.h"
#include "model/hpa.h"

static int32_t to_count(double x)
{
    if (!(x > 0)) {
        return 0;
    }
    return x < (double)INT32_MAX ? (int32_t)x : INT32_MAX;
}

int64_t nf_hpa_milli(double x)
{
    double m = nearbyint(x * 1000.0);
    if (!(m < 9.2e18)) {
        return INT64_MAX;
    }
    return m > -9.2e18 ? (int64_t)m : -INT64_MAX;
}

int64_t nf_hpa_add(int64_t a, int64_t b)
{
    NF_ASSERT(a >= 0 && b >= 0);
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static bool is_within(const struct nf_hpa_metric *m, double ratio)
{
    return 1.0 - m->tolerance_down <= ratio && ratio <= 1.0 + m->tolerance_up;
}

/* groupPods of replica_calculator.go: the order of the tests matters. */
enum nf_pod_group nf_hpa_group(const struct nf_hpa_metric *m, nf_time now,
                               const struct nf_pod_sample *pod)
{
    if (pod->deleted || pod->phase == NF_POD_FAILED) {
        return NF_GROUP_IGNORED;
    }
    if (pod->phase == NF_POD_PENDING) {
        return NF_GROUP_UNREADY;
    }
    if (!pod->has_metric) {
        return NF_GROUP_MISSING;
    }
    if (!m->is_cpu) {
        return NF_GROUP_READY;
    }
    bool is_unready;
    if (pod->started == NF_TIME_NEVER) {
        is_unready = true;
    } else if (pod->started + m->cpu_initialization > now) {
        /* The metric must have been sampled wholly after the pod became ready. */
        is_unready =
            !pod->ready || pod->metric_at < pod->ready_changed + pod->metric_window;
    } else {
        /* An unready pod counts as started up unless it was never ready. */
        is_unready =
            !pod->ready && pod->started + m->readiness_delay > pod->ready_changed;
    }
    return is_unready ? NF_GROUP_UNREADY : NF_GROUP_READY;
}

/* Pods by group, and what their metrics sum to. */
struct census {
    int64_t ready, unready, missing, with_metric;
    int64_t requests;         /* of ready pods */
    int64_t usage;            /* of ready pods */
    int64_t requests_unready; /* of unready pods */
    int64_t requests_missing; /* of missing pods */
    int64_t
        fallback_missing; /* usage put in for missing pods when the others are below target */
    bool lacks_request;
};

static struct census take_census(const struct nf_hpa_metric *m, nf_time now,
                                 const struct nf_pod_sample *pods, size_t n)
{
    struct census c = {0};
    int64_t fallback_pct = m->target > 100 ? m->target : 100;
    for (size_t i = 0; i < n; i++) {
        int64_t request = pods[i].request_m ? pods[i].request_m : m->default_request_m;
        c.lacks_request |= request == 0;
        c.with_metric += pods[i].has_metric;
        switch (nf_hpa_group(m, now, &pods[i])) {
        case NF_GROUP_IGNORED:
            break;
        case NF_GROUP_UNREADY:
            c.unready++;
            c.requests_unready += request;
            break;
        case NF_GROUP_MISSING:
            c.missing++;
            c.requests_missing += request;
            c.fallback_missing +=
                m->kind == NF_HPA_RESOURCE ? request * fallback_pct / 100 : m->target;
            break;
        case NF_GROUP_READY:
            c.ready++;
            c.requests += request;
            c.usage += pods[i].value_m;
            break;
        }
    }
    return c;
}

/* Ratio of use to target, truncated to whole percent or thousandths as upstream does. */
static double use_ratio(const struct nf_hpa_metric *m, int64_t usage, int64_t requests,
                        int64_t pods)
{
    int64_t level = m->kind == NF_HPA_RESOURCE ? usage * 100 / requests : usage / pods;
    return (double)level / (double)m->target;
}

static int32_t count_for(const struct nf_hpa_metric *m, const struct census *c,
                         int32_t current)
{
    double ratio = use_ratio(m, c->usage, c->requests, c->ready);
    bool is_up_with_unready = c->unready > 0 && ratio > 1.0;
    if (!is_up_with_unready && c->missing == 0) {
        return is_within(m, ratio) ? current : to_count(ceil(ratio * (double)c->ready));
    }
    /* Assume what speaks most against a change: idle when growing, fully used when shrinking. */
    int64_t usage = c->usage;
    int64_t requests = c->requests;
    int64_t pods = c->ready;
    if (c->missing > 0 && ratio != 1.0) {
        usage += ratio < 1.0 ? c->fallback_missing : 0;
        requests += c->requests_missing;
        pods += c->missing;
    }
    if (is_up_with_unready) {
        requests += c->requests_unready;
        pods += c->unready;
    }
    double assumed = use_ratio(m, usage, requests, pods);
    bool has_turned = (ratio < 1.0 && assumed > 1.0) || (ratio > 1.0 && assumed < 1.0);
    if (is_within(m, assumed) || has_turned) {
        return current;
    }
    int32_t wanted = to_count(ceil(assumed * (double)pods));
    if ((assumed < 1.0 && wanted > current) || (assumed > 1.0 && wanted < current)) {
        return current;
    }
    return wanted;
}

struct nf_hpa_count nf_hpa_per_pod(const struct nf_hpa_metric *m, nf_time now,
                                   int32_t current, const struct nf_pod_sample *pods,
                                   size_t n)
{
    NF_ASSERT(m->kind == NF_HPA_RESOURCE || m->kind == NF_HPA_PODS);
    NF_ASSERT(m->target > 0);
    struct nf_hpa_count out = {0};
    struct census c = take_census(m, now, pods, n);
    if (c.with_metric == 0) {
        out.error = NF_HPA_NO_METRICS;
    } else if (m->kind == NF_HPA_RESOURCE && c.lacks_request) {
        out.error = NF_HPA_NO_REQUEST;
    } else if (c.ready == 0) {
        out.error = NF_HPA_NO_READY_METRICS;
    } else {
        out.replicas = count_for(m, &c, current);
        out.usage_m = c.usage / c.ready;
        out.utilization_pct = m->kind == NF_HPA_RESOURCE ? c.usage * 100 / c.requests : 0;
    }
    return out;
}

struct nf_hpa_count nf_hpa_total(const struct nf_hpa_metric *m, int32_t current,
                                 int64_t usage_m, const struct nf_pod_sample *pods,
                                 size_t n)
{
    NF_ASSERT(m->kind == NF_HPA_VALUE || m->kind == NF_HPA_AVERAGE_VALUE);
    NF_ASSERT(m->target > 0);
    double usage = (double)usage_m;
    double target = (double)m->target;
    if (m->kind == NF_HPA_AVERAGE_VALUE) {
        struct nf_hpa_count out = {.replicas = current};
        double ratio = current > 0 ? usage / (target * (double)current) : HUGE_VAL;
        if (!is_within(m, ratio)) {
            out.replicas = to_count(ceil(usage / target));
        }
        out.usage_m = current > 0 ? (int64_t)ceil(usage / (double)current) : 0;
        return out;
    }
    struct nf_hpa_count out = {.replicas = current, .usage_m = usage_m};
    double ratio = usage / target;
    if (current == 0) {
        out.replicas = to_count(ceil(ratio));
    } else if (!is_within(m, ratio)) {
        int64_t ready = 0;
        for (size_t i = 0; i < n; i++) {
            ready += pods[i].phase == NF_POD_RUNNING && pods[i].ready;
        }
        if (n == 0) {
            return (struct nf_hpa_count){.error = NF_HPA_NO_PODS};
        }
        out.replicas = to_count(ceil(ratio * (double)ready));
    }
    return out;
}
