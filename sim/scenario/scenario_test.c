#include "scenario/scenario.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "perf/llm.h"
#include "scenario/decl.h"
#include "scenario/schema.h"

static struct nf_arena arena;
static struct nf_diags diags;

/* Also starts afresh in the middle of a test. */
static void setup(void)
{
    nf_arena_fini(&arena);
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
}

TestSuite(scenario, .init = setup, .fini = teardown, .timeout = 60);

static const struct nf_scenario_options plain = {.data_root = NF_SOURCE_DIR};

static const struct nf_scenario *load(const char *name,
                                      const struct nf_scenario_options *o)
{
    const struct nf_scenario *s;
    const char *path = nf_arena_printf(&arena, "%s/scenarios/%s", NF_SOURCE_DIR, name);
    enum nf_status status = nf_scenario_load(path, o, &arena, &diags, &s);
    if (status != NF_OK) {
        nf_diags_print(&diags, stderr);
    }
    cr_assert_eq(status, NF_OK, "%s", name);
    cr_assert_eq(diags.warnings, 0);
    return s;
}

static const struct nf_scenario *parse(const char *text,
                                       const struct nf_scenario_options *o)
{
    const struct nf_scenario *s;
    struct nf_scenario_source source = {NF_SOURCE_DIR "/scenarios/examples/t.yaml", text,
                                        strlen(text)};
    enum nf_status status = nf_scenario_parse(&source, o, &arena, &diags, &s);
    cr_assert_eq(status == NF_OK, s != NULL);
    return s;
}

Test(scenario, mm1_is_one_server_with_one_source)
{
    const struct nf_world_spec *w = &load("examples/mm1.yaml", &plain)->world;
    cr_assert_str_eq(w->name, "mm1");
    cr_assert_eq(w->seed, 7);
    cr_assert_eq(w->replications, 8);
    cr_assert_eq(w->duration, 200000 * NF_SECOND);
    cr_assert_eq(w->warmup, 2000 * NF_SECOND);
    cr_assert_eq(w->site_count, 1);
    cr_assert_str_eq(w->sites[0], "here");
    cr_assert_eq(w->station_count, 1);
    const struct nf_station_spec *s = &w->stations[0];
    cr_assert_str_eq(s->name, "node");
    cr_assert_eq(s->kind, NF_STATION_SERVERS);
    cr_assert_eq(s->tier, NF_TIER_EDGE);
    cr_assert_eq(s->servers, 1);
    cr_assert_eq(s->replicas_initial, 1);
    cr_assert_eq(s->queue_limit, INT64_MAX);
    cr_assert_float_eq(s->speed, 1, 0);
    cr_assert_eq(w->models[0].kind, NF_MODEL_SERVICE);
    cr_assert_eq(w->models[0].service.kind, NF_DIST_EXPONENTIAL);
    cr_assert_float_eq(w->models[0].service.mean, 1, 0);
    cr_assert_eq(w->route_link[0], 0);
    cr_assert_float_eq(w->links[0].bandwidth_up, 0, 0); /* unlimited */
    cr_assert(!w->links[0].is_rtt);
    cr_assert_eq(w->sources[0].arrivals.kind, NF_ARRIVAL_POISSON);
    cr_assert_float_eq(w->sources[0].arrivals.rate, 0.9, 0);
    cr_assert_eq(w->gateway.policy, NF_POLICY_EDGE_ONLY);
    cr_assert_eq(w->gateway.timeout, NF_TIME_NEVER);
    cr_assert(!w->write_requests);
    /* 200 000 s / 1000 = 200 s, rounded up to 5 min */
    cr_assert_eq(w->series_interval, 300 * NF_SECOND);
}

Test(scenario, recorded_code_replays_the_trace_twice_as_fast)
{
    const struct nf_scenario *s = load("examples/recorded-code.yaml", &plain);
    const struct nf_world_spec *w = &s->world;
    const struct nf_arrival_spec *a = &w->sources[0].arrivals;
    cr_assert_eq(a->kind, NF_ARRIVAL_TRACE);
    cr_assert(w->classes[0].tokens_from_trace);
    /* counted with another program: rows up to 1700 s; the second row is 52 ms behind the first */
    cr_assert_eq(a->trace_count, 8576);
    cr_assert_eq(a->trace[0].at, 0);
    cr_assert_eq(a->trace[0].input_tokens, 4808);
    cr_assert_eq(a->trace[0].output_tokens, 10);
    cr_assert_eq(a->trace[1].at, 26000000);
    cr_assert_eq(a->trace[1].input_tokens, 3180);
    const struct nf_station_spec *pool = &w->stations[0];
    cr_assert_eq(pool->kind, NF_STATION_LLM);
    cr_assert_eq(pool->gpus_per_replica, 4);
    cr_assert_eq(pool->hostings[0].llm.ranks, 4);
    cr_assert_eq(pool->replicas_initial, 4);
    cr_assert_float_eq(pool->price_usd_per_gpu_s, 2.0 / 3600, 1e-15);
    cr_assert_float_eq(w->classes[0].bytes_per_token, 4, 0);
    cr_assert_float_eq(w->classes[0].target_ttft_s, 0.5, 0);
    cr_assert_eq(w->sla_count, 1);
    cr_assert_str_eq(w->slas[0].text, "ttft_p99");
    cr_assert_eq(w->slas[0].objective, NF_OBJECTIVE_TTFT);
    cr_assert_float_eq(w->slas[0].quantile, 0.99, 0);
    cr_assert_eq(s->calibration_count, 1);
    cr_assert_str_eq(s->calibrations[0]->device, "H100");
}

Test(scenario, burst_llm_has_a_kpa_pool_and_a_priced_endpoint)
{
    const struct nf_world_spec *w = &load("examples/burst-llm.yaml", &plain)->world;
    const struct nf_station_spec *pool = &w->stations[0], *api = &w->stations[1];
    cr_assert_eq(pool->scaler.policy, NF_SCALER_KPA);
    cr_assert_eq(pool->scaler.metric, NF_METRIC_CONCURRENCY);
    cr_assert_float_eq(pool->scaler.target, 64, 0);
    cr_assert_float_eq(pool->scaler.panic_threshold, 2, 0);
    cr_assert_float_eq(pool->scaler.interval_s, 2, 0);
    cr_assert_eq(pool->queue_limit, 500);
    cr_assert_eq(pool->replicas_max, 200);
    cr_assert_float_eq(pool->startup_provision.a, 60, 0);
    cr_assert_float_eq(pool->startup_load_s, pool->hostings[0].llm.weight_bytes / 2e9,
                       1e-12);
    cr_assert_eq(api->kind, NF_STATION_PRICED);
    cr_assert_float_eq(api->rate_limit, 50, 1e-12);
    cr_assert_float_eq(api->rate_burst, 50, 1e-12);
    cr_assert_eq(api->concurrency_limit, 400);
    cr_assert_float_eq(api->usd_per_output_token, 0.2e-6, 1e-18);
    cr_assert_float_eq(api->tpot.a, 0.015, 0);
    const struct nf_arrival_spec *a = &w->sources[0].arrivals;
    cr_assert_eq(a->interpolation, NF_INTERP_EXPONENTIAL);
    cr_assert_eq(a->profile_count, 6);
    cr_assert_float_eq(a->profile[2].at_s, 2100, 0);
    cr_assert_float_eq(a->profile[2].rate, 10000.0 / 60, 1e-12);
    cr_assert_eq(w->gateway.order_count, 2);
    cr_assert_eq(w->gateway.order[0], 0);
    cr_assert_eq(w->gateway.order[1], 1);
    cr_assert_float_eq(w->gateway.spill_queue_delay_s, 0.5, 0);
    cr_assert_eq(w->gateway.timeout, 60 * NF_SECOND);
    cr_assert_eq(w->gateway.retries, 2);
    cr_assert_eq(w->gateway.backoff, NF_SECOND / 5);
    cr_assert_eq(w->sla_count, 2);
    cr_assert(w->links[0].is_rtt);
}

Test(scenario, hybrid_vision_has_ten_shops_of_their_own)
{
    const struct nf_world_spec *w = &load("article/hybrid-vision.yaml", &plain)->world;
    cr_assert_eq(w->site_count, 10);
    cr_assert_str_eq(w->sites[3], "shop[3]");
    cr_assert_eq(w->station_count, 11);
    cr_assert_str_eq(w->stations[7].name, "shop-gpu[7]");
    cr_assert_str_eq(w->stations[7].group, "shop-gpu");
    cr_assert_str_eq(w->stations[7].place, "shop[7]");
    cr_assert_eq(w->stations[7].site, 7);
    cr_assert_eq(w->stations[7].batch_max, 8);
    cr_assert_eq(w->stations[7].batch_delay, NF_SECOND / 1000);
    cr_assert_eq(w->stations[10].site, -1);
    cr_assert_eq(w->stations[10].scaler.policy, NF_SCALER_HPA);
    cr_assert_float_eq(w->stations[10].scaler.target, 0.7, 0);
    cr_assert_eq(w->stations[10].scaler.up.rule_count, 2);
    cr_assert_float_eq(w->stations[10].scaler.up.rules[1].amount, 100, 0);
    cr_assert_float_eq(w->stations[10].scaler.down.stabilization_s, 300, 0);
    cr_assert_float_eq(w->stations[0].power_w, 72, 0);
    cr_assert_eq(w->link_count, 20);
    for (size_t i = 0; i < 10; i++) {
        const int32_t *row = w->route_link + i * 11;
        for (size_t k = 0; k < 10; k++) { /* its own node by its own lan */
            cr_assert_eq(row[k], k == i ? (int32_t)i : -1);
        }
        cr_assert_eq(row[10], (int32_t)(10 + i)); /* the pool by its own wan */
    }
    cr_assert_str_eq(w->links[12].name, "wan[2]");
    cr_assert_float_eq(w->links[12].bandwidth_up, 25e6, 0);
    cr_assert_float_eq(w->links[12].egress_usd_per_byte, 0.05e-9, 1e-20);
    cr_assert_eq(w->class_count, 2);
    cr_assert_eq(w->classes[0].stage_count, 1);
    cr_assert_eq(w->classes[0].stages[0].class_ix, 1);
    cr_assert_float_eq(w->classes[0].stages[0].probability, 0.05, 0);
    cr_assert_eq(w->classes[0].residency, NF_RESIDENCY_ON_PREMISES);
    cr_assert(w->classes[1].is_stage);
    cr_assert_eq(w->classes[1].residency, NF_RESIDENCY_ANY);
    cr_assert_float_eq(w->classes[1].up_bytes, 20000, 0);
    cr_assert_eq(w->source_count, 10);
    cr_assert_str_eq(w->sources[9].name, "cameras[9]");
    cr_assert_eq(w->sources[9].site, 9);
    cr_assert_float_eq(w->sources[9].arrivals.states[1].rate, 30, 0);
    cr_assert_float_eq(w->gateway.edge_max_parameters, 7e9, 0);
    cr_assert_eq(w->sla_count, 4);
    cr_assert_str_eq(w->slas[1].text, "availability");
    cr_assert(w->write_requests);
    cr_assert_eq(w->series_interval, NF_SECOND);
}

/* What the effective file says, it says again, and the world is the same. */
Test(scenario, effective_files_load_to_the_same_world)
{
    const char *const names[] = {"examples/mm1.yaml", "examples/recorded-code.yaml",
                                 "examples/burst-llm.yaml", "article/hybrid-vision.yaml"};
    for (size_t i = 0; i < 4; i++) {
        const struct nf_scenario *a = load(names[i], &plain);
        struct nf_text first = {0}, second = {0};
        nf_scenario_write_effective(a, &first);
        const struct nf_scenario *b = parse(first.data, &plain);
        cr_assert_not_null(b, "%s", names[i]);
        nf_scenario_write_effective(b, &second);
        cr_assert_str_eq(first.data, second.data);
        const struct nf_world_spec *v = &a->world, *w = &b->world;
        cr_assert_eq(v->duration, w->duration);
        cr_assert_eq(v->station_count, w->station_count);
        cr_assert_eq(memcmp(v->route_link, w->route_link,
                            v->site_count * v->station_count * sizeof *v->route_link),
                     0);
        for (size_t k = 0; k < v->station_count; k++) {
            const struct nf_station_spec *p = &v->stations[k], *q = &w->stations[k];
            cr_assert_str_eq(p->name, q->name);
            cr_assert_eq(p->scaler.policy, q->scaler.policy);
            cr_assert_float_eq(p->scaler.target, q->scaler.target, 0);
            cr_assert_float_eq(p->scaler.panic_window_s, q->scaler.panic_window_s, 0);
            cr_assert_eq(p->scaler.up.rule_count, q->scaler.up.rule_count);
            cr_assert_float_eq(p->price_usd_per_gpu_s, q->price_usd_per_gpu_s, 0);
            cr_assert_float_eq(p->startup_load_s, q->startup_load_s, 0);
            cr_assert_float_eq(p->usd_per_input_token, q->usd_per_input_token, 0);
        }
        for (size_t k = 0; k < v->link_count; k++) {
            cr_assert_float_eq(v->links[k].latency.a, w->links[k].latency.a, 0);
            cr_assert_float_eq(v->links[k].egress_usd_per_byte,
                               w->links[k].egress_usd_per_byte, 0);
        }
        nf_text_fini(&first);
        nf_text_fini(&second);
    }
}

/* The eyes of everything.yaml, and its film studio: two groups of two GPUs. */
static void check_batching(const struct nf_world_spec *w)
{
    const struct nf_batcher_spec *r = w->stations[3].batcher;
    cr_assert_eq(w->stations[3].batch_delay, NF_TIME_NEVER);
    cr_assert_eq(w->stations[3].batch_streams, 2);
    cr_assert_eq(r->preferred_count, 2);
    cr_assert_eq(r->preferred[1], 8);
    cr_assert_eq(r->levels, 3);
    cr_assert_eq(r->default_level, 2);
    cr_assert_eq(r->policy.timeout, 90 * NF_SECOND / 1000);
    cr_assert_eq(r->policy.action, NF_BATCH_REJECT);
    cr_assert_eq(r->level_policy[0].level, 1);
    cr_assert_eq(r->level_policy[0].policy.max_queue, 64);
    cr_assert_eq(r->level_policy[0].policy.action, NF_BATCH_DELAY);
    const struct nf_dnn_cost *det = &w->stations[3].hostings[0].dnn;
    cr_assert_float_eq(det->prepare_s, 0.3e-3, 1e-15);
    cr_assert_float_eq(det->finish_s, 0.2e-3, 1e-15);
    cr_assert_float_eq(det->copy_s, 150528 / (0.8 * 31e9), 1e-12);
    const struct nf_class_spec *frames = &w->classes[3];
    cr_assert_str_eq(frames->name, "frames");
    cr_assert_eq(frames->priority, 1);
    cr_assert_float_eq(frames->queue_timeout_s, 20e-3, 1e-15);
    cr_assert_eq(w->stations[6].kind, NF_STATION_BATCH);
    cr_assert_eq(w->stations[6].servers, 2);
    cr_assert_eq(w->stations[6].gpus_per_replica, 4);
    double job = nf_dnn_alone_s(&w->stations[6].hostings[0].dnn, 1);
    cr_assert(job > 15 && job < 60, "%g s", job);
}

/* The same for a file that uses nearly every key of the format. */
Test(scenario, a_file_with_everything_has_an_effective_file_that_loads)
{
    const struct nf_scenario *a;
    struct nf_text first = {0}, second = {0};
    enum nf_status status =
        nf_scenario_load(NF_SOURCE_DIR "/sim/scenario/testdata/everything.yaml", &plain,
                         &arena, &diags, &a);
    cr_assert_eq(status, NF_OK);
    cr_assert_eq(diags.warnings, 2); /* three shops replay one trace, which ends first */
    nf_scenario_write_effective(a, &first);
    const struct nf_scenario *b = parse(first.data, &plain);
    cr_assert_not_null(b);
    nf_scenario_write_effective(b, &second);
    cr_assert_str_eq(first.data, second.data);
    const struct nf_world_spec *w = &a->world;
    cr_assert_eq(w->station_count,
                 11); /* 3 nodes, 3 eyes, film, talk, two pools, the endpoint */
    check_batching(w);
    cr_assert_eq(w->stations[7].hostings[0].llm.kv_blocks, 4000);
    cr_assert_eq(w->stations[8].replicas_initial, 0);
    cr_assert_eq(w->stations[10].hosting_count, 3);
    cr_assert_float_eq(w->stations[10].rate_limit, 1.5, 1e-12);
    cr_assert_float_eq(w->stations[10].rate_burst, 1.5, 1e-12);
    cr_assert_float_eq(w->models[0].service.shift, 1e-3, 0);
    cr_assert_float_eq(w->models[5].parameters, 200e9, 0);
    cr_assert_eq(w->series_interval, 0);
    cr_assert_eq(w->class_count, 7);
    cr_assert_eq(w->classes[5].model,
                 4); /* stage of a stage: its own model, tokens of before */
    cr_assert_float_eq(w->classes[5].input_tokens.a, 300, 0);
    nf_text_fini(&first);
    nf_text_fini(&second);
}

Test(scenario, overrides_go_through_the_same_checks)
{
    const char *const good[] = {"edge.node.gpus=3", "traffic.load.arrivals.rate=2.7/s",
                                "output.requests=all", "sla=[{class: load, p99: 50s}]",
                                "sla[0].p99=40s"};
    struct nf_scenario_options o = {.overrides = good,
                                    .override_count = 5,
                                    .has_seed = true,
                                    .seed = 7919,
                                    .has_replications = true,
                                    .replications = 3,
                                    .data_root = NF_SOURCE_DIR};
    const struct nf_scenario *s = load("examples/mm1.yaml", &o);
    cr_assert_eq(s->world.stations[0].servers, 3);
    cr_assert_float_eq(s->world.sources[0].arrivals.rate, 2.7, 0);
    cr_assert(s->world.write_requests);
    cr_assert_float_eq(s->world.slas[0].bound, 40, 0);
    cr_assert_eq(s->world.seed, 7919);
    cr_assert_eq(s->world.replications, 3);
    cr_assert_eq(s->override_count, 7);
    cr_assert_str_eq(s->overrides[5], "seed=7919");
}

Test(scenario, a_wrong_override_is_told_by_its_own_text)
{
    const struct {
        const char *text, *path, *message;
        enum nf_status code;
    } cases[] = {{"edge.node.gpus=x", "edge.node.gpus", "whole number", NF_E_TYPE},
                 {"edge.node.gpu=2", "edge.node", "unknown key \"gpu\"", NF_E_KEY},
                 {"duration", "", "expected PATH=VALUE", NF_E_USAGE},
                 {"duration=", "", "no value", NF_E_USAGE},
                 {"duration.x=1", "duration.x", "not inside a map", NF_E_USAGE},
                 {"sla[3]=1", "[3]", "no list", NF_E_USAGE},
                 {"duration=[1", "", "not valid YAML", NF_E_SYNTAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct nf_scenario *s;
        struct nf_scenario_options o = {
            .overrides = &cases[i].text, .override_count = 1, .data_root = NF_SOURCE_DIR};
        setup();
        enum nf_status status = nf_scenario_load(
            NF_SOURCE_DIR "/scenarios/examples/mm1.yaml", &o, &arena, &diags, &s);
        cr_assert_eq(status, cases[i].code, "%s", cases[i].text);
        cr_assert_null(s);
        cr_assert_str_eq(diags.items[0].path, cases[i].path, "%s: %s", cases[i].text,
                         diags.items[0].path);
        cr_assert_not_null(strstr(diags.items[0].message, cases[i].message), "%s",
                           diags.items[0].message);
        cr_assert_str_eq(diags.items[0].place.file,
                         nf_arena_printf(&arena, "--set %s", cases[i].text));
    }
}

Test(scenario, engine_defaults_are_those_of_the_performance_model)
{
    const struct nf_world_spec *w = &load("examples/recorded-code.yaml", &plain)->world;
    struct nf_llm_engine e = nf_llm_engine_defaults();
    const struct nf_llm_cost *c = &w->stations[0].hostings[0].llm;
    cr_assert_eq(c->max_sequences, e.max_sequences);
    cr_assert_eq(c->max_batched_tokens, e.max_batched_tokens);
    cr_assert_eq(c->block_tokens, e.block_tokens);
    cr_assert_float_eq(c->step_overhead_s, e.step_overhead_s, 1e-18);
    cr_assert_float_eq(c->sequence_overhead_s, e.sequence_overhead_s, 1e-18);
    cr_assert_float_eq(c->request_overhead_s, e.request_overhead_s, 1e-18);
    cr_assert_eq(c->async_scheduling, e.async_scheduling);
}

Test(scenario, a_stage_takes_over_what_it_does_not_say)
{
    const struct nf_scenario *s =
        parse("nearfar: 1\nname: t\nduration: 1h\nmodels: {a: {service: 5ms}, b: "
              "{service: 7ms}}\n"
              "edge: {node: {site: here, models: [a, b]}}\n"
              "links: {wire: {from: here, to: node, latency: 1ms}}\n"
              "traffic: {one: {site: here, model: a, arrivals: {process: constant, rate: "
              "3/s},\n"
              "  payload: {up: 17kB, down: 19B}, residency: on-premises, target: "
              "{latency: 1s},\n"
              "  then: {two: {probability: 25%, payload: {down: 23B}, then: {three: "
              "{model: b}}}}}}\n"
              "gateway: {policy: round-robin}\n",
              &plain);
    cr_assert_not_null(s);
    const struct nf_world_spec *w = &s->world;
    cr_assert_eq(w->class_count, 3);
    cr_assert_eq(w->classes[1].model, 0);
    cr_assert_float_eq(w->classes[1].up_bytes, 17000, 0);
    cr_assert_float_eq(w->classes[1].down_bytes, 23, 0);
    cr_assert_eq(w->classes[1].residency, NF_RESIDENCY_ON_PREMISES);
    cr_assert_float_eq(w->classes[1].target_latency_s, 0,
                       0); /* a target is a stage's own */
    cr_assert_eq(w->classes[2].model, 1);
    cr_assert_float_eq(w->classes[2].down_bytes, 23, 0);
    cr_assert_eq(w->classes[1].stages[0].class_ix, 2);
    cr_assert_float_eq(w->classes[1].stages[0].probability, 1, 0);
    cr_assert_eq(w->source_count, 1);
}

Test(scenario, links_to_a_station_win_over_links_to_its_region)
{
    const struct nf_scenario *s = parse(
        "nearfar: 1\nname: t\nduration: 1h\nmodels: {a: {service: 5ms}}\nsites: {s: "
        "{count: 3}}\n"
        "edge: {hub: {site: h, models: [a]}}\n"
        "cloud: {p: {region: r, models: [a]}, q: {region: r, models: [a]}}\n"
        "links:\n  region: {from: s, to: r, latency: 9ms}\n  own: {from: s, to: q, "
        "latency: 2ms}\n"
        "  hub: {from: s, to: hub, latency: 1ms}\n"
        "traffic: {one: {site: s, model: a, arrivals: {process: constant, rate: 3/s}}}\n"
        "gateway: {policy: weighted, weights: {p: 30%, q: 20%, hub: 50%}}\n",
        &plain);
    cr_assert_not_null(s);
    const struct nf_world_spec *w = &s->world;
    cr_assert_eq(w->site_count, 4); /* s[0], s[1], s[2], h */
    cr_assert_str_eq(w->sites[3], "h");
    cr_assert_eq(w->station_count, 3);
    const int32_t expected[4][3] = {{6, 0, 3}, {7, 1, 4}, {8, 2, 5}, {-1, -1, -1}};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 3; k++) {
            cr_assert_eq(w->route_link[i * 3 + k], expected[i][k], "site %zu station %zu",
                         i, k);
        }
    }
    cr_assert_eq(w->gateway.order[0], 1);
    cr_assert_float_eq(w->gateway.weights[2], 0.5, 0);
}

Test(scenario, a_profile_keeps_its_last_rate_to_the_end)
{
    const struct nf_scenario *s = parse(
        "nearfar: 1\nname: t\nduration: 1h\nmodels: {a: {service: 5ms}}\n"
        "edge: {n: {site: s, models: [a]}}\nlinks: {l: {from: s, to: n, latency: 1ms}}\n"
        "traffic: {one: {site: s, model: a, arrivals: {process: nhpp, interpolation: "
        "step,\n"
        "  profile: [[0s, 3/s], [10min, 11/s]]}}}\ngateway: {policy: edge-only}\n",
        &plain);
    const struct nf_arrival_spec *a = &s->world.sources[0].arrivals;
    cr_assert_eq(a->profile_count, 3);
    cr_assert_float_eq(a->profile[2].at_s, 3600, 0);
    cr_assert_float_eq(a->profile[2].rate, 11, 0);
}

Test(scenario, help_and_json_schema_name_every_section)
{
    struct nf_text t = {0};
    const char *hint;
    cr_assert(nf_scenario_write_help("", &t, &hint));
    nf_scenario_write_json_schema(&t);
    for (size_t i = 0; i < nf_table_scenario.field_count; i++) {
        cr_assert_not_null(strstr(t.data, nf_table_scenario.fields[i].key));
    }
    cr_assert(nf_scenario_write_help("edge.shop-gpu.batching.max_delay", &t, &hint));
    cr_assert_not_null(strstr(t.data, "default 0s"));
    cr_assert(!nf_scenario_write_help("gatway", &t, &hint));
    cr_assert_str_eq(hint, "gateway");
    cr_assert(!nf_scenario_write_help("duration.x", &t, &hint));
    nf_text_fini(&t);
}

Test(scenario, help_tells_limits_in_full_digits)
{
    struct nf_text t = {0};
    const char *hint;
    cr_assert(nf_scenario_write_help("", &t, &hint));
    cr_assert_not_null(strstr(t.data, "seed: whole number, 0 to 9223372036854775807;"));
    cr_assert_not_null(strstr(t.data, "replications: whole number, 1 to 100000;"));
    cr_assert_null(strstr(t.data, "e+"), "%s", t.data);
    nf_text_fini(&t);
}
