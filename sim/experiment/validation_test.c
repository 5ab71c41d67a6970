#include "experiment/validation.h"

#include <criterion/criterion.h>
#include <string.h>

#include "model/world_fixture.h"

static struct nf_fixture fixture;
static struct nf_arena arena;

static void start(void)
{
    nf_arena_init(&arena);
}

static void stop(void)
{
    nf_arena_fini(&arena);
}

TestSuite(validation, .init = start, .fini = stop);

/* A queue of rho = 0.5 as scenarios/validation/mm1-50.yaml has it, but short, and with any service law of mean 1. */
static const struct nf_world_spec *make_queue(struct nf_dist service)
{
    nf_fixture_init(&fixture);
    nf_fixture_model(&fixture, NF_MODEL_SERVICE)->service = service;
    nf_fixture_station(&fixture, NF_STATION_SERVERS, 0, 0.0);
    nf_fixture_class(&fixture, "load", 0)->tokens_from_trace = false;
    fixture.classes[0].input_tokens = nf_dist_constant(1);
    fixture.classes[0].output_tokens = nf_dist_constant(1);
    fixture.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = 0.5};
    fixture.spec.gateway.order_count = 1;
    fixture.spec.replications = 20;
    fixture.spec.warmup = 200 * NF_SECOND;
    fixture.spec.duration = 5200 * NF_SECOND;
    return &fixture.spec;
}

static struct nf_validation_result judge(const struct nf_world_spec *spec,
                                         double precision)
{
    size_t n;
    const struct nf_validation_case *cases = nf_validation_cases(&n);
    cr_assert(n > 0 && strcmp(cases[0].name, "mm1-50") == 0);
    struct nf_validation_result r;
    nf_validation_run(&cases[0], spec, precision, 1, &arena, &r);
    cr_assert(r.row_count == 7, "%zu rows", r.row_count);
    return r;
}

/* 20 % wanted from a file that is made for 2 %: the run is a hundredth as long. */
Test(validation, an_mm1_queue_agrees_with_its_theory)
{
    const struct nf_world_spec *spec = make_queue(nf_dist_exponential(1.0));
    fixture.spec.duration = 200 * NF_SECOND + 2000000 * NF_SECOND;
    struct nf_validation_result r = judge(spec, 0.2);
    for (size_t i = 0; i < r.row_count; i++) {
        cr_assert(r.rows[i].is_inside && r.rows[i].is_narrow,
                  "%s: theory %g, got %g +- %g", r.rows[i].metric, r.rows[i].theory,
                  r.rows[i].simulated.value, r.rows[i].simulated.half_width);
    }
    cr_assert(r.missed == 0);
    cr_assert(r.offered > 180000 && r.offered < 220000, "%llu offered",
              (unsigned long long)r.offered);
}

Test(validation, another_service_law_of_the_same_mean_misses)
{
    struct nf_dist hyper;
    const char *why = NULL;
    cr_assert(nf_dist_hyperexponential(&hyper, 1.0, 2.0, &why));
    struct nf_validation_result r = judge(make_queue(hyper), 0.02);
    size_t outside = 0;
    for (size_t i = 0; i < r.row_count; i++) {
        bool is_utilization = strcmp(r.rows[i].metric, "utilization") == 0;
        cr_assert(!is_utilization || r.rows[i].is_inside,
                  "utilization depends on the mean only");
        outside += !r.rows[i].is_inside;
    }
    cr_assert(outside >= 4, "only %zu rows miss", outside);
    cr_assert(r.missed >= outside);
}

Test(validation, a_short_run_is_too_wide_to_tell)
{
    struct nf_validation_result r = judge(make_queue(nf_dist_exponential(1.0)), 0.02);
    size_t wide = 0;
    for (size_t i = 0; i < r.row_count; i++) {
        wide += !r.rows[i].is_narrow;
    }
    cr_assert(wide >= 5 && r.missed >= wide, "%zu wide", wide);
}
