/* HPA: Kubernetes' own test vectors, and whole decisions computed by hand. */
#include "model/hpa.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "model/conformance_test.h"

enum { CALCULATOR_CASES = 42, BEHAVIOR_CASES = 48, PODS_MAX = 32, LOG_MAX = 16 };

static const nf_time LONG_AGO = -INT64_C(1000000000000000000);

/* ---- replica calculator ---- */

static nf_time start_of(const struct nf_vectors *v, const char *key)
{
    if (nf_vectors_is(v, key, "never")) {
        return NF_TIME_NEVER;
    }
    return nf_vectors_is(v, key, "long-ago") ? LONG_AGO : nf_vectors_time(v, key);
}

static struct nf_pod_sample read_pod(const struct nf_vectors *v)
{
    struct nf_pod_sample p = {
        .phase = nf_vectors_is(v, "phase", "pending")  ? NF_POD_PENDING
                 : nf_vectors_is(v, "phase", "failed") ? NF_POD_FAILED
                                                       : NF_POD_RUNNING,
        .deleted = nf_vectors_integer(v, "deleted") != 0,
        .ready = nf_vectors_integer(v, "ready") != 0,
        .has_metric = nf_vectors_has(v, "value"),
        .request_m = nf_vectors_integer(v, "request"),
        .started = start_of(v, "started"),
        .ready_changed = start_of(v, "changed"),
        .metric_at = nf_vectors_time(v, "at"),
        .metric_window = nf_vectors_time(v, "window"),
    };
    p.value_m = p.has_metric ? nf_vectors_integer(v, "value") : 0;
    return p;
}

static struct nf_hpa_metric read_metric(const struct nf_vectors *v)
{
    /* The two periods of the upstream tests, not of a cluster. */
    struct nf_hpa_metric m = {
        .is_cpu = nf_vectors_integer(v, "cpu") != 0,
        .cpu_initialization = 120 * NF_SECOND,
        .readiness_delay = 10 * NF_SECOND,
    };
    if (nf_vectors_is(v, "kind", "group")) {
        return m;
    }
    bool is_total = strstr(nf_vectors_text(v, "kind"), "object") ||
                    strstr(nf_vectors_text(v, "kind"), "external");
    bool is_average = strstr(nf_vectors_text(v, "kind"), "per_pod") != NULL;
    m.kind = nf_vectors_is(v, "kind", "resource_utilization") ? NF_HPA_RESOURCE
             : is_average                                     ? NF_HPA_AVERAGE_VALUE
             : is_total                                       ? NF_HPA_VALUE
                                                              : NF_HPA_PODS;
    m.target = nf_vectors_integer(v, "target");
    m.tolerance_down = nf_vectors_number(v, "tolerance_down");
    m.tolerance_up = nf_vectors_number(v, "tolerance_up");
    return m;
}

static void run_group_case(struct nf_vectors *v)
{
    struct nf_hpa_metric m = read_metric(v);
    const char *id = nf_vectors_text(v, "id");
    int64_t ready = nf_vectors_integer(v, "ready");
    const char *const names[] = {"ignored", "unready", "missing", "ready"};
    for (nf_vectors_next(v); nf_vectors_at(v, "pod"); nf_vectors_next(v)) {
        struct nf_pod_sample pod = read_pod(v);
        enum nf_pod_group g = nf_hpa_group(&m, 0, &pod);
        cr_assert(nf_vectors_is(v, "group", names[g]), "%s: got %s", id, names[g]);
        ready -= g == NF_GROUP_READY;
    }
    cr_assert_eq(ready, 0, "%s", id);
}

static void run_calculator_case(struct nf_vectors *v)
{
    struct nf_vectors wanted = *v;
    struct nf_hpa_metric m = read_metric(v);
    const char *id = nf_vectors_text(v, "id");
    int32_t current = (int32_t)nf_vectors_integer(v, "current");
    struct nf_pod_sample pods[PODS_MAX];
    size_t n = 0;
    int64_t level = 0;
    for (nf_vectors_next(v); !nf_vectors_at(v, "case") && !nf_vectors_at(v, "end");
         nf_vectors_next(v)) {
        if (nf_vectors_at(v, "level")) {
            level = nf_hpa_add(level, nf_vectors_integer(v, "value"));
        } else {
            cr_assert(n < PODS_MAX);
            pods[n++] = read_pod(v);
        }
    }
    bool is_total = m.kind == NF_HPA_VALUE || m.kind == NF_HPA_AVERAGE_VALUE;
    struct nf_hpa_count got = is_total ? nf_hpa_total(&m, current, level, pods, n)
                                       : nf_hpa_per_pod(&m, 0, current, pods, n);
    const char *const errors[] = {"", "no-metrics", "no-pods", "no-request",
                                  "no-ready-metrics"};
    if (nf_vectors_has(&wanted, "error")) {
        cr_assert(nf_vectors_is(&wanted, "error", errors[got.error]), "%s: got \"%s\"",
                  id, errors[got.error]);
        return;
    }
    cr_assert(got.error == NF_HPA_OK, "%s: %s", id, errors[got.error]);
    cr_assert_eq(got.replicas, nf_vectors_integer(&wanted, "replicas"), "%s: got %d", id,
                 got.replicas);
    cr_assert_eq(got.usage_m, nf_vectors_integer(&wanted, "usage"), "%s: usage %lld", id,
                 (long long)got.usage_m);
    if (nf_vectors_has(&wanted, "utilization")) {
        cr_assert_eq(got.utilization_pct, nf_vectors_integer(&wanted, "utilization"),
                     "%s", id);
    }
}

Test(hpa, replica_calculator_agrees_with_upstream_vectors)
{
    struct nf_vectors v;
    nf_vectors_open(&v, "hpa_replica_calculator");
    int run = 0;
    for (; nf_vectors_at(&v, "case"); run++) {
        if (nf_vectors_is(&v, "kind", "group")) {
            run_group_case(&v);
        } else {
            run_calculator_case(&v);
        }
    }
    nf_vectors_close(&v, run);
    printf("hpa_replica_calculator: %d vectors\n", run);
    cr_assert(run >= CALCULATOR_CASES, "only %d of %d vectors ran", run,
              CALCULATOR_CASES);
}

/* ---- behaviour ---- */

static void read_direction(const struct nf_vectors *v, struct nf_scale_direction *d)
{
    d->rule_count = 0;
    if (nf_vectors_has(v, "window")) {
        d->stabilization_s = nf_vectors_number(v, "window");
    }
    d->select = nf_vectors_is(v, "select", "Max")   ? NF_SELECT_MAX
                : nf_vectors_is(v, "select", "Min") ? NF_SELECT_MIN
                                                    : NF_SELECT_DISABLED;
}

static void read_rule(const struct nf_vectors *v, struct nf_scale_direction *d)
{
    cr_assert(d->rule_count < NF_SCALE_RULES_MAX);
    d->rules[d->rule_count++] = (struct nf_scale_rule){
        .is_percent = nf_vectors_is(v, "type", "Percent"),
        .amount = nf_vectors_number(v, "value"),
        .period_s = nf_vectors_number(v, "period"),
    };
}

static void add_event(const struct nf_vectors *v, struct nf_hpa_events *log)
{
    cr_assert(log->count < log->cap);
    log->items[log->count++] = (struct nf_hpa_event){
        .at = nf_vectors_time(v, "at"),
        .change = (int32_t)nf_vectors_integer(v, "change"),
        .outdated = nf_vectors_integer(v, "outdated") != 0,
    };
}

/* The records of one case: the scaler as it stands before the call, and the log expected after it. */
struct behavior_case {
    struct nf_vectors head;
    struct nf_hpa hpa;
    int64_t log[LOG_MAX];
    bool log_outdated[LOG_MAX];
    size_t log_count;
    bool checks_log;
};

static void init_case(struct behavior_case *c, struct nf_vectors *v)
{
    c->head = *v;
    int64_t min = nf_vectors_has(v, "min") ? nf_vectors_integer(v, "min") : 0;
    int64_t max = nf_vectors_has(v, "max") ? nf_vectors_integer(v, "max") : INT32_MAX;
    struct nf_scaler_spec spec = {
        .metric = NF_METRIC_UTILIZATION,
        .target = 0.5,
        .down.stabilization_s = 300,
        .no_behavior = strstr(nf_vectors_text(v, "section"), "no_behavior") ||
                       nf_vectors_has(v, "no_rules"),
    };
    if (nf_vectors_has(v, "window")) {
        spec.down.stabilization_s = nf_vectors_number(v, "window");
    }
    if (nf_vectors_has(v, "up_window")) {
        spec.up.stabilization_s = nf_vectors_number(v, "up_window");
        spec.down.stabilization_s = nf_vectors_number(v, "down_window");
    }
    nf_hpa_init(&c->hpa, &spec, (unsigned)min, (unsigned)max, &v->arena);
    struct nf_hpa *h = &c->hpa;
    h->added = h->removed = (struct nf_hpa_events){.cap = LOG_MAX};
    h->added.items = NF_NEW_ARRAY(&v->arena, LOG_MAX, struct nf_hpa_event);
    h->removed.items = NF_NEW_ARRAY(&v->arena, LOG_MAX, struct nf_hpa_event);
    h->recommendations = NF_NEW_ARRAY(&v->arena, LOG_MAX, struct nf_hpa_recommendation);
    h->recommendation_cap = LOG_MAX;
}

static void read_record(struct behavior_case *c, const struct nf_vectors *v)
{
    struct nf_hpa *h = &c->hpa;
    if (nf_vectors_at(v, "recommendation")) {
        h->recommendations[h->recommendation_count++] = (struct nf_hpa_recommendation){
            nf_vectors_time(v, "at"), (int32_t)nf_vectors_integer(v, "replicas")};
    } else if (nf_vectors_at(v, "up-event")) {
        add_event(v, &h->added);
    } else if (nf_vectors_at(v, "down-event")) {
        add_event(v, &h->removed);
    } else if (nf_vectors_at(v, "up")) {
        read_direction(v, &h->up);
    } else if (nf_vectors_at(v, "down")) {
        read_direction(v, &h->down);
    } else if (nf_vectors_at(v, "up-rule")) {
        read_rule(v, &h->up);
    } else if (nf_vectors_at(v, "down-rule")) {
        read_rule(v, &h->down);
    } else if (nf_vectors_at(v, "log")) {
        cr_assert(c->log_count < LOG_MAX);
        c->log_outdated[c->log_count] =
            nf_vectors_has(v, "outdated") && nf_vectors_integer(v, "outdated");
        c->log[c->log_count++] = nf_vectors_integer(v, "replicas");
    } else {
        cr_assert(nf_vectors_at(v, "check"), "line %d: \"%s\"", v->line, v->word);
        c->checks_log = nf_vectors_integer(v, "log") != 0;
    }
}

static int64_t run_store(struct behavior_case *c, const char *id)
{
    struct nf_hpa *h = &c->hpa;
    int64_t before =
        nf_hpa_change_in(&h->added, 0, nf_vectors_number(&c->head, "period"));
    int32_t change = (int32_t)nf_vectors_integer(&c->head, "change");
    nf_hpa_store_event(h, 0, 10 - change, 10);
    cr_assert_eq(h->added.count, c->log_count, "%s: %zu events", id, h->added.count);
    for (size_t i = 0; i < c->log_count; i++) {
        cr_assert_eq(h->added.items[i].change, c->log[i], "%s: event %zu", id, i);
        cr_assert_eq(h->added.items[i].outdated, c->log_outdated[i], "%s: %zu", id, i);
    }
    return before;
}

static int64_t run_stabilize(struct behavior_case *c, const char *id, int32_t current,
                             int32_t desired)
{
    struct nf_hpa *h = &c->hpa;
    int64_t got = nf_hpa_stabilize(h, 0, current, desired);
    for (size_t i = 0; c->checks_log && i < c->log_count; i++) {
        cr_assert_eq(h->recommendations[i].replicas, c->log[i], "%s: log %zu", id, i);
    }
    size_t length = nf_vectors_has(&c->head, "log_length")
                        ? (size_t)nf_vectors_integer(&c->head, "log_length")
                    : c->checks_log ? c->log_count
                                    : h->recommendation_count;
    cr_assert_eq(h->recommendation_count, length, "%s: log of %zu", id,
                 h->recommendation_count);
    return got;
}

static void run_behavior_case(struct nf_vectors *v)
{
    struct behavior_case c = {0};
    init_case(&c, v);
    do {
        nf_vectors_next(v);
        read_record(&c, v);
    } while (!nf_vectors_at(v, "check"));
    nf_vectors_next(v);

    const struct nf_vectors *head = &c.head;
    const char *section = nf_vectors_text(head, "section");
    const char *id = nf_vectors_text(head, "id");
    int32_t current = nf_vectors_has(head, "current")
                          ? (int32_t)nf_vectors_integer(head, "current")
                          : 0;
    int32_t desired = nf_vectors_has(head, "desired")
                          ? (int32_t)nf_vectors_integer(head, "desired")
                          : 0;
    const char *const conditions[] = {"DesiredWithinRange", "TooFewReplicas",
                                      "TooManyReplicas", "ScaleUpLimit",
                                      "ScaleDownLimit"};
    int64_t got;
    if (strcmp(section, "scale_up_limit") == 0) {
        got = nf_hpa_up_limit(&c.hpa, 0, current);
    } else if (strcmp(section, "scale_down_limit") == 0) {
        got = nf_hpa_down_limit(&c.hpa, 0, current);
    } else if (strcmp(section, "store_scale_event") == 0) {
        got = run_store(&c, id);
    } else if (strncmp(section, "stabilize", 9) == 0) {
        got = run_stabilize(&c, id, current, desired);
    } else {
        if (strcmp(section, "full_pipeline") == 0) {
            desired = nf_hpa_stabilize(&c.hpa, 0, current, desired);
        }
        struct nf_hpa_limited r = nf_hpa_limit(&c.hpa, 0, current, desired);
        got = r.replicas;
        cr_assert(!nf_vectors_has(head, "condition") ||
                      nf_vectors_is(head, "condition", conditions[r.condition]),
                  "%s: %s", id, conditions[r.condition]);
    }
    cr_assert_eq(got, nf_vectors_integer(head, "expect"), "%s/%s: got %lld", section, id,
                 (long long)got);
}

Test(hpa, behavior_agrees_with_upstream_vectors)
{
    struct nf_vectors v;
    nf_vectors_open(&v, "hpa_behavior_stabilization");
    int run = 0;
    for (; nf_vectors_at(&v, "case"); run++) {
        run_behavior_case(&v);
    }
    nf_vectors_close(&v, run);
    printf("hpa_behavior_stabilization: %d vectors\n", run);
    cr_assert(run >= BEHAVIOR_CASES, "only %d of %d vectors ran", run, BEHAVIOR_CASES);
}

/* ---- whole decisions by hand ---- */

static struct nf_arena arena;

static void open_arena(void)
{
    nf_arena_init(&arena);
}

static void close_arena(void)
{
    nf_arena_fini(&arena);
}

TestSuite(hpa_run, .init = open_arena, .fini = close_arena);

static struct nf_scaler_spec spec_of(enum nf_scaler_metric metric, double target)
{
    return (struct nf_scaler_spec){
        .policy = NF_SCALER_HPA,
        .metric = metric,
        .target = target,
        .interval_s = 15,
        .tolerance = 0.1,
        .down.stabilization_s = 300,
    };
}

/* n replicas that were ready long before the start, each with the metric x, sampled at `now`. */
static unsigned decide_all_ready(struct nf_hpa *h, int at_s, unsigned n, double x)
{
    struct nf_pod_sample pods[PODS_MAX];
    nf_time now = at_s * NF_SECOND;
    cr_assert(n <= PODS_MAX);
    for (unsigned i = 0; i < n; i++) {
        pods[i] = (struct nf_pod_sample){
            .phase = NF_POD_RUNNING,
            .ready = true,
            .has_metric = true,
            .value_m = nf_hpa_milli(x),
            .started = LONG_AGO,
            .ready_changed = LONG_AGO,
            .metric_at = now,
            .metric_window = 15 * NF_SECOND,
        };
    }
    return nf_hpa_decide(h, now, n, pods, n);
}

Test(hpa_run, grows_at_once_and_shrinks_after_the_window)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_UTILIZATION, 0.7);
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 20, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 3, 0.76), 3u); /* 76/70 = 1.086: tolerated */
    cr_assert_eq(decide_all_ready(&h, 15, 3, 0.99),
                 5u); /* ceil(99/70 * 3) = ceil(4.24) */
    /* 20/70 * 5 = 1.4 -> 2, held by the 5 recommended at 15 s until that is 300 s old. */
    for (int t = 30; t < 315; t += 15) {
        cr_assert_eq(decide_all_ready(&h, t, 5, 0.2), 5u, "at %d s", t);
    }
    cr_assert_eq(decide_all_ready(&h, 315, 5, 0.2), 2u);
}

Test(hpa_run, growth_is_limited_to_four_or_double_in_15_s)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 2);
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 1, 97), 5u);
    /* 5 s later the four are still in the period: it began with 1. */
    cr_assert_eq(decide_all_ready(&h, 5, 5, 97), 5u);
    cr_assert_eq(decide_all_ready(&h, 15, 5, 97), 10u);
    cr_assert_eq(decide_all_ready(&h, 30, 10, 97), 20u);
    cr_assert_eq(decide_all_ready(&h, 45, 20, 97), 30u);
}

Test(hpa_run, a_small_percentage_still_lets_a_small_count_grow)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 2);
    spec.up.rule_count = 1;
    spec.up.rules[0] =
        (struct nf_scale_rule){.is_percent = true, .amount = 10, .period_s = 60};
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 7, 97), 8u); /* ceil(7.7) */
    /* Within the minute the period still began with 7. */
    cr_assert_eq(decide_all_ready(&h, 45, 8, 97), 8u);
    cr_assert_eq(decide_all_ready(&h, 60, 8, 97), 9u); /* ceil(8.8) */
}

Test(hpa_run, a_disabled_direction_never_moves)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 2);
    spec.down.select = NF_SELECT_DISABLED;
    spec.down.stabilization_s = 0;
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 7, 0.1), 7u);
    cr_assert_eq(decide_all_ready(&h, 15, 7, 4.1), 14u);
}

Test(hpa_run, each_direction_may_have_its_own_tolerance)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 10);
    spec.up.has_tolerance = true;
    spec.up.tolerance = 0.01;
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 4, 10.3), 5u); /* ceil(1.03 * 4) */
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 4, 9.3), 4u);
}

Test(hpa_run, starting_replicas_damp_growth)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_UTILIZATION, 0.5);
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    struct nf_pod_sample pods[3] = {0};
    for (int i = 0; i < 3; i++) {
        pods[i] =
            (struct nf_pod_sample){.phase = i == 0 ? NF_POD_RUNNING : NF_POD_PENDING,
                                   .ready = i == 0,
                                   .has_metric = i == 0,
                                   .value_m = i == 0 ? 970 : 0,
                                   .started = i == 0 ? LONG_AGO : NF_TIME_NEVER,
                                   .ready_changed = LONG_AGO};
    }
    /* Alone it would ask for ceil(1.94 * 1) = 2, below the 3 there are; over three, two of them idle: 32 % < 50 %. The
     * change of sides means: leave it. */
    cr_assert_eq(nf_hpa_decide(&h, 0, 3, pods, 3), 3u);
}

Test(hpa_run, a_queue_is_shared_among_the_replicas_asked_for)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_QUEUE, 8);
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 0, 30, &arena);
    struct nf_pod_sample queue = {.phase = NF_POD_PENDING};
    queue.value_m = nf_hpa_milli(27);
    cr_assert_eq(nf_hpa_decide(&h, 0, 2, &queue, 1), 4u); /* ceil(27 / 8) */
    /* From zero as well, which only a metric without pods can do. */
    cr_assert_eq(nf_hpa_decide(&h, 15 * NF_SECOND, 0, &queue, 1), 4u);
}

Test(hpa_run, without_a_metric_or_when_switched_off_the_count_stays)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 8);
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 2, 9, &arena);
    struct nf_pod_sample silent = {.phase = NF_POD_RUNNING, .ready = true};
    cr_assert_eq(nf_hpa_decide(&h, 0, 3, &silent, 1), 3u);
    cr_assert_eq(nf_hpa_decide(&h, 1, 0, NULL, 0), 0u);
    cr_assert_eq(nf_hpa_decide(&h, 2, 1, NULL, 0), 2u);
    cr_assert_eq(nf_hpa_decide(&h, 3, 17, NULL, 0), 9u);
}

Test(hpa_run, without_behavior_growth_is_doubled_at_most)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 1);
    spec.no_behavior = true;
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    cr_assert_eq(decide_all_ready(&h, 0, 1, 97), 4u);
    cr_assert_eq(decide_all_ready(&h, 15, 7, 97), 14u);
}

Test(hpa_run, logs_stay_short_over_a_long_run)
{
    struct nf_scaler_spec spec = spec_of(NF_METRIC_CONCURRENCY, 2);
    spec.down.stabilization_s = 0;
    struct nf_hpa h;
    nf_hpa_init(&h, &spec, 1, 30, &arena);
    unsigned n = 1;
    for (int t = 0; t < 15 * 4001; t += 15) {
        n = decide_all_ready(&h, t, n, t / 15 % 2 ? 0.3 : 7.9);
    }
    cr_assert(h.recommendation_count <= 3, "%zu", h.recommendation_count);
    cr_assert(h.added.count <= 3 && h.removed.count <= 3, "%zu, %zu", h.added.count,
              h.removed.count);
}
