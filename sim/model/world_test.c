/* world_test.c - worlds small enough to work out by hand, to the nanosecond. */
#include <criterion/criterion.h>

#include <math.h>

#include "model/world_fixture.h"

static struct nf_fixture f;
static struct nf_outcome out;

static void setup(void)
{
    nf_fixture_init(&f);
}

static void teardown(void)
{
    nf_outcome_fini(&out);
}

TestSuite(world, .init = setup, .fini = teardown);

static nf_time ms(double x)
{
    return (nf_time)llround(x * 1e6);
}

/* Three come together to a server that takes 700 ms, and the gateway gives up after 500 ms: the second and third wait in vain. The mean
 * wait is of those that were served: 0. */
Test(world, those_that_give_up_do_not_count_as_waits_for_service)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.7);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    f.spec.gateway.timeout = NF_SECOND / 2;
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 3);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_TIMED_OUT], 3);
    cr_assert_eq(f.rows[1].wait, ms(500));
    cr_assert_float_eq(out.stations[0].wait_mean_s, 0, 1e-12);
    cr_assert_float_eq(out.stations[0].queue_mean, 1e-3, 1e-12);
}

/* One server, service 300 ms, arrivals at 0, 100, 250, 1000 ms: starts at 0, 300, 600, 1000, so waits 0, 200, 350, 0. */
Test(world, serves_first_come_first_served)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {100000000, 0, 0}, {250000000, 0, 0}, {1000000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.3);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0.007);
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 4);
    nf_fixture_run(&f, &out);
    const double wait[] = {0, 200, 350, 0};
    cr_assert_eq(f.row_count, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(f.rows[i].wait, ms(wait[i]), "request %d waited %ld ns", i,
                     (long)f.rows[i].wait);
        cr_assert_eq(f.rows[i].network, ms(14));
        cr_assert_eq(f.rows[i].service, ms(300));
        cr_assert_eq(f.rows[i].latency, ms(wait[i] + 314));
    }
    /* busy 1.2 s of 1000 s; waiting 0.55 request-seconds */
    cr_assert_float_eq(out.stations[0].utilization, 1.2e-3, 1e-12);
    cr_assert_float_eq(out.stations[0].queue_mean, 0.55e-3, 1e-12);
    cr_assert_float_eq(out.stations[0].wait_mean_s, 0.1375, 1e-12);
}

/* Room for one in the queue: the third of three that come together is rejected, and again at its only retry 50 ms later (still full:
 * the first is served until 300 ms), so it ends rejected after two tries. */
Test(world, a_full_queue_rejects_and_retries_are_counted)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.3);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0)->queue_limit = 1;
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 3);
    f.spec.gateway.retries = 1;
    f.spec.gateway.backoff = ms(50);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_REJECTED], 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 2);
    cr_assert_eq(out.classes[0].retries, 1);
    cr_assert_eq(out.stations[0].rejections, 2);
    cr_assert_eq(f.rows[0].tries, 2);
    cr_assert_eq(f.rows[0].latency, ms(50));
    cr_assert_float_eq(out.classes[0].availability, 2.0 / 3, 1e-12);
}

/* Time-out 500 ms, service 300 ms, two that come together: the second starts at 300 and would end at 600; it is given up at 500 while
 * in service. The server stays busy until 600, so one that comes at 550 waits 50 ms. */
Test(world, a_timed_out_request_keeps_its_server_until_the_end)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {0, 0, 0}, {550000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.3);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 3);
    f.spec.gateway.timeout = ms(500);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_TIMED_OUT], 1);
    cr_assert_eq(f.rows[1].outcome, NF_TIMED_OUT);
    cr_assert_eq(f.rows[1].wait, ms(300));
    cr_assert_eq(f.rows[1].service, ms(200));
    cr_assert_eq(f.rows[2].wait, ms(50));
}

/* A waiting request that times out leaves the queue: the third starts right after the first. */
Test(world, a_timed_out_request_leaves_the_queue)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {0, 0, 0}, {250000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.3);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 3);
    f.spec.gateway.timeout = ms(299);
    nf_fixture_run(&f, &out);
    /* all three: 0 in service until 300 > 299; 1 waits; 2 starts at 300, would end at 600 > 549 */
    cr_assert_eq(out.classes[0].counts.outcome[NF_TIMED_OUT], 3);
    cr_assert_eq(f.rows[1].wait, ms(299));
    cr_assert_eq(f.rows[2].wait, ms(50));
}

/* T(b) = 2 ms + 3 ms b, at most 4 a batch, delay 10 ms. Requests at 0, 1, 2, 30 ms. The first three wait until the delay of the first
 * is over (10 ms), run 2 + 9 = 11 ms and end at 21. The fourth starts at 40, ends at 45. */
Test(world, a_batch_waits_for_its_delay)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {1000000, 0, 0}, {2000000, 0, 0}, {30000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_DNN);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_BATCH, 0, 0);
    f.hostings[0].dnn =
        (struct nf_dnn_cost){.fixed_s = 2e-3, .per_sample_s = 3e-3, .batch = 4};
    s->batch_max = 4;
    s->batch_delay = ms(10);
    nf_fixture_class(&f, "frames", 0);
    nf_fixture_arrivals(&f, 0, rows, 4);
    nf_fixture_run(&f, &out);
    const double latency[] = {21, 20, 19, 15};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(f.rows[i].latency, ms(latency[i]), "request %d: %ld ns", i,
                     (long)f.rows[i].latency);
    }
    cr_assert_float_eq(out.stations[0].batch_mean, 2, 1e-12);
}

/* The same engine, padded to 4: every batch costs 2 + 12 = 14 ms. A full batch does not wait: four at once start at 0; the fifth waits
 * for the server (14 ms), its delay is long over, and ends at 28. */
Test(world, a_padded_engine_computes_the_whole_batch_and_a_full_one_starts_at_once)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {1000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_DNN);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_BATCH, 0, 0);
    f.hostings[0].dnn = (struct nf_dnn_cost){
        .fixed_s = 2e-3, .per_sample_s = 3e-3, .batch = 4, .is_padded = true};
    s->batch_max = 4;
    s->batch_delay = ms(10);
    nf_fixture_class(&f, "frames", 0);
    nf_fixture_arrivals(&f, 0, rows, 5);
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.rows[3].latency, ms(14));
    cr_assert_eq(f.rows[4].latency, ms(27));
}

/* 1 Mbyte/s up, shared: A (300 kB) at 0, B (100 kB) at 100 ms. Until 100 A has 100 kB. Then both get 0.5 Mbyte/s: B is through at 300,
 * A has 200 kB then and is through at 400. */
Test(world, transfers_share_a_link)
{
    static const struct nf_trace_row first[] = {{0, 0, 0}};
    static const struct nf_trace_row second[] = {{100000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0)->servers = 2;
    f.links[0].bandwidth_up = 1e6;
    nf_fixture_class(&f, "a", 0)->up_bytes = 300e3;
    nf_fixture_class(&f, "b", 0)->up_bytes = 100e3;
    nf_fixture_arrivals(&f, 0, first, 1);
    nf_fixture_arrivals(&f, 1, second, 1);
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.rows[0].class_ix, 1);
    cr_assert(llabs(f.rows[0].latency - ms(200)) <= 2, "%ld", (long)f.rows[0].latency);
    cr_assert(llabs(f.rows[1].latency - ms(400)) <= 2, "%ld", (long)f.rows[1].latency);
}

/* A transfer that would take longer than time can count is still under way at the end. */
Test(world, a_transfer_of_ages_does_not_end)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    f.links[0].bandwidth_up = 1e-3;
    nf_fixture_class(&f, "load", 0)->up_bytes = 1e15;
    nf_fixture_arrivals(&f, 0, rows, 1);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.offered, 1);
    cr_assert_eq(f.row_count, 0);
}

/* Every completed "a" (probability 1) starts a "b", which takes 20 ms: offered when the answer of "a" is there. */
Test(world, a_stage_follows_its_parent)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {5000000, 0, 0}};
    static const struct nf_stage_link stages[] = {{1, 1.0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.01);
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(0.02);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0.001);
    nf_fixture_station(&f, NF_STATION_SERVERS, 1, 0.002);
    struct nf_class_spec *a = nf_fixture_class(&f, "a", 0);
    a->stages = stages;
    a->stage_count = 1;
    nf_fixture_class(&f, "b", 1)->is_stage = true;
    f.spec.source_count = 1;
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    /* a: 1 + 10 + 1 = 12 at 12; second: arrives 6, waits 5, ends at 22. b: offered at 12 and 22, server busy 14..34 and 34..54 */
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 2);
    cr_assert_eq(out.classes[1].counts.offered, 2);
    cr_assert_eq(f.rows[2].class_ix, 1);
    cr_assert_eq(f.rows[2].arrival, ms(12));
    cr_assert_eq(f.rows[2].latency, ms(24));
    cr_assert_eq(f.rows[3].arrival, ms(22));
    cr_assert_eq(f.rows[3].latency, ms(34));
    cr_assert_eq(f.rows[3].wait, ms(10));
}

/* ttft 400 ms, 20 ms a further token, 11 tokens: 600 ms at the endpoint, 30 ms each way. 1000 in, 11 out. At most one at a time. */
Test(world, a_priced_endpoint_bills_tokens_and_limits_concurrency)
{
    static const struct nf_trace_row rows[] = {{0, 1000, 11}, {100000000, 1000, 11}};
    nf_fixture_model(&f, NF_MODEL_LLM);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_PRICED, 0, 0.03);
    s->tier = NF_TIER_MAAS;
    s->ttft = nf_dist_constant(0.4);
    s->tpot = nf_dist_constant(0.02);
    s->usd_per_input_token = 1e-7;
    s->usd_per_output_token = 3e-7;
    s->concurrency_limit = 1;
    f.spec.gateway.policy = NF_POLICY_MAAS_ONLY;
    nf_fixture_class(&f, "chat", 0);
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_REJECTED], 1);
    cr_assert_eq(f.rows[1].latency, ms(660));
    cr_assert_eq(f.rows[1].ttft, ms(460));
    cr_assert_eq(f.rows[1].tpot, ms(20));
    cr_assert_float_eq(out.cost.maas, 1000 * 1e-7 + 11 * 3e-7, 1e-15);
    cr_assert_float_eq(out.cost.total, out.cost.maas, 1e-15);
}

/* Calls of 0.001 USD whose answers of 1 kB pay 1 USD/MB on the way out; the gateway waits 500 ms. The one of 400 ms is answered, the one
 * of 600 ms is given up: paid, but with no bytes sent. The third is inside when the run ends at 1000 s: not billed. */
Test(world, what_is_charged_is_billed_with_the_outcome)
{
    static const struct nf_trace_row rows[] = {
        {0, 100, 1}, {1000000000, 100, 11}, {999700000000, 100, 1}};
    nf_fixture_model(&f, NF_MODEL_LLM);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_PRICED, 0, 0.03);
    s->tier = NF_TIER_MAAS;
    s->ttft = nf_dist_constant(0.4);
    s->tpot = nf_dist_constant(0.02);
    s->usd_per_request = 0.001;
    f.links[0].egress_usd_per_byte = 1e-6;
    f.spec.gateway.policy = NF_POLICY_MAAS_ONLY;
    f.spec.gateway.timeout = NF_SECOND / 2;
    nf_fixture_class(&f, "calls", 0)->down_bytes = 1000;
    nf_fixture_arrivals(&f, 0, rows, 3);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.offered, 3);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_TIMED_OUT], 1);
    cr_assert_eq(f.row_count, 2);
    cr_assert_float_eq(f.rows[0].cost_usd, 0.002, 1e-15);
    cr_assert_float_eq(f.rows[1].cost_usd, 0.001, 1e-15);
    cr_assert_float_eq(out.cost.maas, 0.002, 1e-15);
    cr_assert_float_eq(out.cost.network, 0.001, 1e-15);
}

/* 6 requests a minute, bucket of 2: of three together the third is refused; 10 s later one token is back. */
Test(world, a_priced_endpoint_limits_its_rate)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {10000000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_PRICED, 0, 0);
    s->tier = NF_TIER_MAAS;
    s->ttft = nf_dist_constant(1);
    s->rate_limit = 0.1;
    s->rate_burst = 2;
    f.spec.gateway.policy = NF_POLICY_MAAS_ONLY;
    nf_fixture_class(&f, "calls", 0);
    nf_fixture_arrivals(&f, 0, rows, 4);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_REJECTED], 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 3);
}

/* An edge node for 3 years at 2500 USD and 72 W at 0.15 USD/kWh, for 1000 s. */
Test(world, an_edge_node_costs_its_share_and_its_power)
{
    nf_fixture_model(&f, NF_MODEL_SERVICE);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    s->purchase_usd = 2500;
    s->lifetime_s = 3 * 365 * 86400.0;
    s->power_w = 72;
    s->electricity_usd_per_joule = 0.15 / 3.6e6;
    nf_fixture_class(&f, "load", 0);
    nf_fixture_run(&f, &out);
    cr_assert_float_eq(out.cost.edge,
                       2500 * 1000 / (3 * 365 * 86400.0) + 0.072 * 1000 / 3600 * 0.15,
                       1e-12);
    cr_assert_float_eq(out.energy_kwh, 0.072 * 1000 / 3600, 1e-12);
}

/* Statistics start at the end of the warm-up: a request offered before counts nowhere, though it is served after. */
Test(world, the_warm_up_is_left_out)
{
    static const struct nf_trace_row rows[] = {{90000000000, 0, 0}, {110000000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(15);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 2);
    f.spec.warmup = 100 * NF_SECOND;
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.row_count, 1);
    cr_assert_eq(out.counts.offered, 1);
    /* the station itself is measured as it is: busy 100..105 and 110..125 */
    cr_assert_float_eq(out.stations[0].utilization, 20.0 / 900, 1e-12);
    cr_assert_float_eq(out.measured_s, 900, 1e-9);
}

/* Three of four servers' worth of load: over-long queues are called saturated, stable ones not. */
Test(world, a_growing_queue_is_called_saturated)
{
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_exponential(1);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    nf_fixture_class(&f, "load", 0);
    f.spec.duration = 20000 * NF_SECOND;
    f.spec.write_requests = false;
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = 1.15};
    nf_fixture_run(&f, &out);
    cr_assert(out.stations[0].is_saturated);
    nf_outcome_fini(&out);
    f.sources[0].arrivals.rate = 0.85;
    nf_fixture_run(&f, &out);
    cr_assert_not(out.stations[0].is_saturated);
    cr_assert_float_eq(out.stations[0].utilization, 0.85, 0.03);
}

/* Two stages follow and come straight back to the one server: the first takes it from 1 s to 2 s, the second waits until 2 s. */
Test(world, stages_that_come_back_take_the_server_one_by_one)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}};
    static const struct nf_stage_link stages[] = {{1, 1}, {2, 1}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(1);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    nf_fixture_class(&f, "detect", 0);
    nf_fixture_class(&f, "read", 0)->is_stage = true;
    nf_fixture_class(&f, "count", 0)->is_stage = true;
    f.classes[0].stages = stages;
    f.classes[0].stage_count = 2;
    f.spec.source_count = 1;
    nf_fixture_arrivals(&f, 0, rows, 1);
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.row_count, 3);
    cr_assert_eq(f.rows[1].class_ix, 1);
    cr_assert_eq(f.rows[1].wait, 0);
    cr_assert_eq(f.rows[2].class_ix, 2);
    cr_assert_eq(f.rows[2].wait, ms(1000));
    cr_assert_eq(f.rows[2].latency, ms(2000));
}

/* Draws that no clock can count: the request is still on its way, or in service, at the end; nothing overflows. */
Test(world, a_delay_beyond_all_time_never_ends)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {1000000000, 0, 0}};
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(1e200);
    struct nf_station_spec *s = nf_fixture_station(&f, NF_STATION_PRICED, 0, 0);
    s->tier = NF_TIER_MAAS;
    s->ttft = nf_dist_constant(1e200);
    f.links[0].latency = nf_dist_exponential(1e100);
    f.spec.gateway.policy = NF_POLICY_MAAS_ONLY;
    nf_fixture_class(&f, "load", 0);
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.counts.inside, 2);
}
