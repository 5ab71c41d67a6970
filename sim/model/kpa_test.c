/* KPA: Knative's own test vectors, and whole runs computed by hand. */
#include "model/kpa.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/conformance_test.h"

enum { KPA_CASES = 78, KPA_STEPS = 29 };

static struct nf_scaler_spec spec_of(double target)
{
    return (struct nf_scaler_spec){
        .policy = NF_SCALER_KPA,
        .target = target,
        .interval_s = 2,
        .stable_window_s = 60,
        .panic_window_s = 6,
        .panic_threshold = 2,
        .max_scale_up_rate = 1000,
        .max_scale_down_rate = 2,
    };
}

/* ---- vectors ---- */

static void read_config(const struct nf_vectors *v, struct nf_kpa_config *c)
{
    const struct {
        const char *key;
        double *to;
    } numbers[] = {
        {"target", &c->target},        {"total", &c->total},
        {"burst", &c->burst_capacity}, {"threshold", &c->panic_threshold},
        {"up", &c->max_up_rate},       {"down", &c->max_down_rate},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (nf_vectors_has(v, numbers[i].key)) {
            *numbers[i].to = nf_vectors_number(v, numbers[i].key);
        }
    }
    if (nf_vectors_has(v, "stable_window")) {
        c->stable_window = nf_vectors_time(v, "stable_window");
    }
    if (nf_vectors_has(v, "reachable")) {
        c->is_reachable = nf_vectors_integer(v, "reachable") != 0;
    }
    if (nf_vectors_has(v, "activation")) {
        c->activation_scale = (int32_t)nf_vectors_integer(v, "activation");
    }
}

static void run_step(const struct nf_vectors *v, struct nf_kpa *k, const char *id)
{
    struct nf_kpa_load load = {
        .stable = nf_vectors_number(v, "stable"),
        .panic = nf_vectors_number(v, "panic"),
        .ready = (int32_t)nf_vectors_integer(v, "ready"),
    };
    struct nf_kpa_wish got = nf_kpa_scale(k, nf_vectors_time(v, "at"), load);
    cr_assert_eq(got.desired, nf_vectors_integer(v, "desired"), "%s line %d: got %d", id,
                 v->line, got.desired);
    int64_t excess_off = got.excess - nf_vectors_integer(v, "ebc");
    cr_assert(excess_off >= -1 && excess_off <= 1, "%s: excess %d", id, got.excess);
    if (nf_vectors_has(v, "panic_since")) {
        cr_assert(k->panic.is_on, "%s", id);
        cr_assert_eq(k->panic.since, nf_vectors_time(v, "panic_since"), "%s", id);
    }
}

static int run_scale(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    struct nf_scaler_spec spec = spec_of(1);
    spec.scale_down_delay_s = nf_vectors_number(v, "delay");
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 0, 0, &v->arena);
    read_config(v, &k.config);
    nf_kpa_start(&k, 0, (unsigned)nf_vectors_integer(v, "ready"));
    if (nf_vectors_has(v, "panic_since")) {
        k.panic = (struct nf_kpa_panic){
            .is_on = true,
            .since = nf_vectors_time(v, "panic_since"),
            .max_pods = (int32_t)nf_vectors_integer(v, "max_panic_pods"),
        };
    }
    int steps = 0;
    for (nf_vectors_next(v); !nf_vectors_at(v, "case") && !nf_vectors_at(v, "end");
         nf_vectors_next(v)) {
        if (nf_vectors_at(v, "update")) {
            read_config(v, &k.config);
        } else {
            cr_assert(nf_vectors_at(v, "step"));
            run_step(v, &k, id);
            steps++;
        }
    }
    cr_assert(steps > 0, "%s", id);
    return steps;
}

static void run_peak(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    struct nf_kpa_peak p;
    nf_kpa_peak_init(&p, nf_vectors_integer(v, "size"), &v->arena);
    for (nf_vectors_next(v); nf_vectors_at(v, "value"); nf_vectors_next(v)) {
        int32_t got = nf_kpa_peak_record(&p, nf_vectors_integer(v, "index"),
                                         (int32_t)nf_vectors_integer(v, "value"));
        cr_assert_eq(got, nf_vectors_integer(v, "expect"), "%s line %d: %d", id, v->line,
                     got);
    }
}

static void run_time_peak(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    int64_t expect = nf_vectors_integer(v, "expect");
    nf_time granularity = nf_vectors_time(v, "granularity");
    struct nf_kpa_peak p;
    nf_kpa_peak_init(&p, (nf_vectors_time(v, "duration") - 1) / granularity + 1,
                     &v->arena);
    int32_t got = 0;
    for (nf_vectors_next(v); nf_vectors_at(v, "value"); nf_vectors_next(v)) {
        got = nf_kpa_peak_record(&p, nf_vectors_time(v, "at") / granularity,
                                 (int32_t)nf_vectors_integer(v, "value"));
    }
    cr_assert_eq(got, expect, "%s: got %d", id, got);
}

static void run_buckets(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    double unit =
        nf_vectors_has(v, "digits") ? pow(10, -nf_vectors_number(v, "digits")) : 1e-6;
    struct nf_kpa_buckets b;
    nf_kpa_buckets_init(&b, nf_vectors_time(v, "window"),
                        nf_vectors_time(v, "granularity"),
                        nf_vectors_integer(v, "weighted") != 0, &v->arena);
    for (nf_vectors_next(v); !nf_vectors_at(v, "case"); nf_vectors_next(v)) {
        nf_time at = nf_vectors_time(v, "at");
        double value = nf_vectors_number(v, "value");
        if (nf_vectors_at(v, "rec")) {
            nf_kpa_buckets_record(&b, at, value);
            continue;
        }
        double got = nf_vectors_at(v, "avg") ? nf_kpa_buckets_average(&b, at)
                                             : nf_kpa_buckets_sum(&b, at);
        cr_assert(fabs(got - value) <= unit / 2, "%s line %d: got %.9g", id, v->line,
                  got);
    }
}

static bool flag(const struct nf_vectors *v, const char *key)
{
    return nf_vectors_integer(v, key) != 0;
}

static void run_zero(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    struct nf_kpa_zero z = {
        .desired = (int32_t)nf_vectors_integer(v, "scale_to"),
        .current = (int32_t)nf_vectors_integer(v, "start_replicas"),
        .status = nf_vectors_is(v, "status", "active")     ? NF_KPA_ACTIVE
                  : nf_vectors_is(v, "status", "inactive") ? NF_KPA_INACTIVE
                                                           : NF_KPA_ACTIVATING,
        .in_status = nf_vectors_time(v, "in_status_s"),
        .min = (int32_t)nf_vectors_integer(v, "min_scale"),
        .max = (int32_t)nf_vectors_integer(v, "max_scale"),
        .initial_scale = (int32_t)nf_vectors_integer(v, "initial_scale"),
        .is_initialized = flag(v, "initialized"),
        .is_reachable = flag(v, "reachable"),
        .is_enabled = flag(v, "enable_scale_to_zero"),
        .stable_window = nf_vectors_time(v, "stable_window_s"),
        .grace = nf_vectors_time(v, "grace_s"),
        .retention = nf_vectors_time(v, "retention_s"),
        .activation_timeout = nf_vectors_time(v, "activation_timeout_s"),
        .proxy_mode = flag(v, "proxy_mode"),
        .proxy_for = nf_vectors_time(v, "proxy_for_s"),
        .is_burst_unlimited = flag(v, "tbc_unlimited"),
        .probe_ok = flag(v, "activator_probe_ok"),
    };
    struct nf_kpa_verdict got = nf_kpa_bound(&z);
    cr_assert_eq(got.desired, nf_vectors_integer(v, "desired"), "%s: got %d", id,
                 got.desired);
    cr_assert_eq(got.apply, flag(v, "applied"), "%s: applied %d", id, got.apply);
    cr_assert_eq(got.again_after > 0, flag(v, "requeues"), "%s", id);
    cr_assert_eq(got.probe, flag(v, "probes"), "%s", id);
    nf_vectors_next(v);
}

static void run_small(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    if (nf_vectors_is(v, "section", "decay")) {
        double got = nf_kpa_smoothing(nf_vectors_number(v, "buckets"));
        cr_assert(fabs(got - nf_vectors_number(v, "expect")) <=
                      nf_vectors_number(v, "tolerance"),
                  "%s: got %.9g", id, got);
    } else if (nf_vectors_is(v, "section", "sample")) {
        unsigned got = nf_kpa_sample_size((unsigned)nf_vectors_integer(v, "population"));
        cr_assert_eq(got, nf_vectors_integer(v, "expect"), "%s: got %u", id, got);
    } else {
        cr_assert(nf_vectors_is(v, "section", "target"), "line %d", v->line);
        double annotation =
            nf_vectors_has(v, "annotation") ? nf_vectors_number(v, "annotation") : 0;
        struct nf_kpa_target got = nf_kpa_resolve_target(
            flag(v, "rate"), nf_vectors_number(v, "limit"), annotation,
            nf_vectors_number(v, "default"), nf_vectors_number(v, "utilization"));
        cr_assert_float_eq(got.target, nf_vectors_number(v, "target"), 1e-9, "%s", id);
        cr_assert_float_eq(got.total, nf_vectors_number(v, "total"), 1e-9, "%s", id);
    }
    nf_vectors_next(v);
}

Test(kpa, agrees_with_upstream_vectors)
{
    struct nf_vectors v;
    nf_vectors_open(&v, "knative_kpa");
    int run = 0;
    int steps = 0;
    for (; nf_vectors_at(&v, "case"); run++) {
        if (nf_vectors_is(&v, "section", "scale")) {
            steps += run_scale(&v);
        } else if (nf_vectors_is(&v, "section", "peak")) {
            run_peak(&v);
        } else if (nf_vectors_is(&v, "section", "time-peak")) {
            run_time_peak(&v);
        } else if (nf_vectors_is(&v, "section", "buckets")) {
            run_buckets(&v);
        } else if (nf_vectors_is(&v, "section", "zero")) {
            run_zero(&v);
        } else {
            run_small(&v);
        }
    }
    nf_vectors_close(&v, run);
    printf("knative_kpa: %d vectors, %d scale steps\n", run, steps);
    cr_assert(run >= KPA_CASES, "only %d of %d vectors ran", run, KPA_CASES);
    cr_assert(steps >= KPA_STEPS, "only %d of %d steps ran", steps, KPA_STEPS);
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

TestSuite(kpa_run, .init = open_arena, .fini = close_arena);

/* Record `load` every second of (from, to] and decide every second one; the last decision. */
static unsigned play(struct nf_kpa *k, int from, int to, double load, unsigned ready)
{
    unsigned got = (unsigned)k->replicas;
    for (int s = from + 1; s <= to; s++) {
        nf_kpa_record(k, s * NF_SECOND, load);
        if (s % 2 == 0) {
            got = nf_kpa_decide(k, s * NF_SECOND, ready);
        }
    }
    return got;
}

Test(kpa_run, panic_follows_a_burst_that_the_stable_window_hides)
{
    struct nf_scaler_spec spec = spec_of(7);
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 1, 50, &arena);
    nf_kpa_start(&k, 0, 1);
    cr_assert_eq(play(&k, 0, 60, 5, 1), 1u);
    cr_assert_not(k.panic.is_on);
    /* After 4 s at 89: panic window (2*5 + 4*89)/6 = 61 -> 9 replicas; stable (56*5 + 4*89)/60 = 10.6 -> 2. */
    cr_assert_eq(play(&k, 60, 64, 89, 1), 9u);
    cr_assert(k.panic.is_on);
    /* Back to 5 with 9 ready. Nine replicas are less than twice what is wanted, so 64 s was the last tick over the threshold,
     * and the count is held for a stable window after it. */
    cr_assert_eq(play(&k, 64, 124, 5, 9), 9u);
    /* At 126 s more than 60 s have passed: not more than halved, 9 / 2 -> 4. */
    cr_assert_eq(play(&k, 124, 126, 5, 9), 4u);
    cr_assert_not(k.panic.is_on);
}

Test(kpa_run, more_than_one_replica_at_the_start_is_kept_for_a_stable_window)
{
    struct nf_scaler_spec spec = spec_of(7);
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 1, 50, &arena);
    nf_kpa_start(&k, 0, 11);
    cr_assert_eq(play(&k, 0, 60, 0, 11), 11u);
    cr_assert_eq(play(&k, 60, 62, 0, 11), 5u);
}

Test(kpa_run, without_data_nothing_changes)
{
    struct nf_scaler_spec spec = spec_of(7);
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 1, 50, &arena);
    nf_kpa_start(&k, 0, 3);
    cr_assert_eq(nf_kpa_decide(&k, 2 * NF_SECOND, 3), 3u);
}

Test(kpa_run, scale_down_waits_for_the_delay)
{
    struct nf_scaler_spec spec = spec_of(10);
    spec.stable_window_s = 6;
    spec.panic_threshold = 1000;
    spec.max_scale_down_rate = 1000;
    spec.scale_down_delay_s = 30;
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 1, 0, &arena);
    nf_kpa_start(&k, 0, 1);
    cr_assert_eq(play(&k, 0, 20, 73, 8), 8u);
    /* The 6 s window wants 8 last at 20 s, slot 10; 15 slots hold it until slot 24 (48 s). At 22 s it wants 6:
     * (4*73 + 2*12)/6 = 52.7; slot 11 goes at 52 s, and at 24 s: (2*73 + 4*12)/6 = 32.3 -> 4. */
    cr_assert_eq(play(&k, 20, 48, 12, 8), 8u);
    cr_assert_eq(play(&k, 48, 50, 12, 8), 6u);
    cr_assert_eq(play(&k, 50, 52, 12, 8), 4u);
    cr_assert_eq(play(&k, 52, 54, 12, 8), 2u);
}

Test(kpa_run, idles_to_zero_after_the_grace_and_comes_back)
{
    struct nf_scaler_spec spec = spec_of(10);
    spec.zero_grace_s = 30;
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 0, 9, &arena);
    nf_kpa_start(&k, 0, 1);
    cr_assert_eq(play(&k, 0, 100, 3, 1), 1u);
    /* The stable window is empty at 160 s (it then covers 101..160 s): inactive; 30 s later the last one goes. */
    cr_assert_eq(play(&k, 100, 188, 0, 1), 1u);
    cr_assert_eq(play(&k, 188, 190, 0, 1), 0u);
    cr_assert_eq(play(&k, 190, 200, 0, 0), 0u);
    cr_assert_eq(play(&k, 200, 202, 4, 0), 1u);
    /* While it starts, an empty window does not take it back. */
    cr_assert_eq(play(&k, 202, 300, 0, 0), 1u);
}

Test(kpa_run, proxying_since_before_idleness_shortens_the_grace)
{
    struct nf_kpa_zero z = {
        .current = 1,
        .status = NF_KPA_INACTIVE,
        .in_status = 43 * NF_SECOND,
        .is_reachable = true,
        .is_enabled = true,
        .probe_ok = true,
        .grace = 61 * NF_SECOND,
        .retention = 41 * NF_SECOND,
        .proxy_for = 59 * NF_SECOND,
    };
    struct nf_kpa_verdict v = nf_kpa_bound(&z);
    cr_assert_eq(v.desired, 0);
    cr_assert_not(v.apply);
    cr_assert_eq(v.again_after, 2 * NF_SECOND);
    z.proxy_for = 61 * NF_SECOND;
    v = nf_kpa_bound(&z);
    cr_assert(v.apply);
    /* The retention cannot be shortened. */
    z.in_status = 40 * NF_SECOND;
    v = nf_kpa_bound(&z);
    cr_assert_not(v.apply);
    cr_assert_eq(v.again_after, NF_SECOND);
}

Test(kpa_run, counts_stay_within_the_bounds)
{
    struct nf_scaler_spec spec = spec_of(1);
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 2, 13, &arena);
    nf_kpa_start(&k, 0, 2);
    cr_assert_eq(play(&k, 0, 10, 977, 2), 13u);
    cr_assert_eq(play(&k, 10, 400, 0, 2), 2u);
}

Test(kpa_run, activation_scale_and_target_share_apply)
{
    struct nf_scaler_spec spec = spec_of(10);
    spec.activation_scale = 5;
    struct nf_kpa k;
    nf_kpa_init(&k, &spec, 1, 50, &arena);
    nf_kpa_start(&k, 0, 1);
    cr_assert_eq(play(&k, 0, 10, 11, 1), 5u);

    spec.activation_scale = 0;
    spec.target_utilization = 0.7;
    nf_kpa_init(&k, &spec, 1, 50, &arena);
    nf_kpa_start(&k, 0, 1);
    /* 43 / (10 x 0.7) = 6.1 */
    cr_assert_eq(play(&k, 0, 10, 43, 1), 7u);
}
