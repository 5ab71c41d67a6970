/* Wrong scenarios: each mistake has its place, code, words and hint; all mistakes of a file are told at once. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/text.h"
#include "scenario/scenario.h"

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

TestSuite(scenario_bad, .init = setup, .fini = teardown, .timeout = 60);

/* A scenario that is right; a case replaces one of its lines. */
static const char *const good[] = {
    "nearfar: 1",
    "name: t",
    "duration: 1h",
    ("models: {job: {service: 5ms}, det: {catalog: retinanet-800-int8}, chat: {catalog: "
     "llama-3.1-8b-fp8}}"),
    "edge: {node: {site: here, gpus: 2, models: [job]}}",
    "cloud: {pool: {region: r, device: H100, models: [chat]}}",
    "maas: {api: {region: r, models: [chat], service: {ttft: 400ms}}}",
    ("links: {wire: {from: here, to: node, latency: 1ms}, wan: {from: here, to: r, rtt: "
     "30ms}}"),
    "traffic: {load: {site: here, model: job, arrivals: {process: poisson, rate: 3/s}}}",
    "gateway: {policy: least-loaded}",
    "sla: [{class: load, p99: 1s}]",
};
enum { LINES = sizeof good / sizeof good[0] };

/* Load the good scenario with line `line` (from 1; 0: none) replaced. */
static bool loads(int line, const char *text)
{
    static const struct nf_scenario_options o = {.data_root = NF_SOURCE_DIR};
    const struct nf_scenario *s;
    struct nf_text t = {0};
    for (int i = 0; i < LINES; i++) {
        nf_text_printf(&t, "%s\n", i + 1 == line ? text : good[i]);
    }
    setup();
    enum nf_status status = nf_scenario_parse(
        &(struct nf_scenario_source){"t.yaml", t.data, t.length}, &o, &arena, &diags, &s);
    nf_text_fini(&t);
    cr_assert_eq(status == NF_OK, s != NULL);
    cr_assert_eq(status == NF_OK, diags.errors == 0);
    return status == NF_OK;
}

Test(scenario_bad, the_scenario_that_the_cases_change_is_right)
{
    cr_assert(loads(0, NULL));
}

struct bad {
    int line; /* that is replaced */
    const char *text;
    int at_line, at_col;
    enum nf_status code;
    const char *message, *hint;
};

/* The one mistake of a case. A changed line may also leave traffic unserved: a second message that is right, but the case of
 * another line; it counts only when it is all there is. */
static const struct nf_diag *only_mistake(const struct bad *c)
{
    static const char *const unserved = "no station can serve";
    const struct nf_diag *found = NULL, *last = NULL;
    int others = 0;
    for (int i = 0; i < diags.count; i++) {
        const struct nf_diag *d = &diags.items[i];
        if (d->is_warning) {
            continue;
        }
        last = d;
        if (strstr(d->message, unserved) != NULL) {
            others++;
        } else if (found == NULL) {
            found = d;
        }
    }
    int counted = found != NULL ? diags.errors - others : diags.errors;
    cr_assert_eq(counted, 1, "%s: %d errors, last %s", c->text, counted, last->message);
    return found != NULL ? found : last;
}

static void check(const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct bad *c = &cases[i];
        cr_assert(!loads(c->line, c->text), "accepted: %s", c->text);
        const struct nf_diag *d = only_mistake(c);
        cr_assert_eq(d->code, c->code, "%s: code %s, %s", c->text,
                     nf_status_text(d->code), d->message);
        cr_assert_eq(d->place.line, c->at_line, "%s: line %d", c->text, d->place.line);
        cr_assert_eq(d->place.col, c->at_col, "%s: column %d", c->text, d->place.col);
        cr_assert_not_null(strstr(d->message, c->message), "%s: %s", c->text, d->message);
        cr_assert_not_null(strstr(d->hint, c->hint), "%s: hint %s", c->text, d->hint);
    }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof((cases)[0]))

Test(scenario_bad, heads)
{
    static const struct bad cases[] = {
        {1, "nearfar: 2", 1, 10, NF_E_RANGE, "reads version 1, found version 2",
         "nearfar: 1"},
        {1, "near: 1", 1, 1, NF_E_KEY, "key \"nearfar\" is missing", "nearfar: 1"},
        {2, "name: a b", 2, 7, NF_E_TYPE, "a name is made of", ""},
        {3, "duration: 3600", 3, 11, NF_E_UNIT, "a unit is missing", ""},
        {3, "duration: 0s", 3, 11, NF_E_RANGE, "more than 0 s", ""},
        {3, "duration: 1h\nwarmup: 60min", 4, 9, NF_E_IMPOSSIBLE, "leaves nothing", ""},
        {3, "duration: 1h\nseed: -1", 4, 7, NF_E_RANGE, "less than 0", ""},
        {3, "duration: 1h\nduration: 2h", 4, 1, NF_E_KEY, "given twice", "line 3"},
        {3, "duration: 1h\noutput: {series: 1ms}", 4, 18, NF_E_LIMIT, "3600000 points",
         "at least 36 ms"},
    };
    /* two mistakes: the unknown key, too */
    cr_assert(!loads(1, "near: 1"));
    cr_assert_eq(diags.errors, 2);
    struct bad one[sizeof cases / sizeof cases[0] - 1];
    memcpy(one, cases, sizeof cases[0]);
    memcpy(one + 1, cases + 2, sizeof one - sizeof cases[0]);
    CHECK(one);
}

Test(scenario_bad, models)
{
    static const struct bad cases[] = {
        {4,
         "models: {job: {service: 5ms}, det: {catalog: retinanet-800-int9}, chat: "
         "{catalog: llama-3.1-8b-fp8}}",
         4, 46, NF_E_REFERENCE, "the catalogue has no model", "retinanet-800-int8"},
        {4,
         "models: {job: {service: 5ms, catalog: mixtral-8x7b-fp8}, chat: {catalog: "
         "llama-3.1-8b-fp8}}",
         4, 10, NF_E_KEY, "only one of", ""},
        {4, "models: {job: {}, chat: {catalog: llama-3.1-8b-fp8}}", 4, 10, NF_E_KEY,
         "expected service, catalog or kind", ""},
        {4,
         "models: {job: {service: {distribution: lognormal, mean: 5ms, p99: 9ms}}, chat: "
         "{catalog: llama-3.1-8b-fp8}}",
         4, 25, NF_E_KEY, "either mean and cv, or median and p99", ""},
        {4,
         "models: {job: {service: {distribution: exponential, mean: 0s}}, chat: "
         "{catalog: llama-3.1-8b-fp8}}",
         4, 59, NF_E_RANGE, "above 0", ""},
        {4,
         "models: {job: {service: {distribution: mixture, parts: [{weight: 40%, of: "
         "1s}]}}, chat: {catalog: llama-3.1-8b-fp8}}",
         4, 56, NF_E_RANGE, "the weights make 40 %", ""},
        {4, "models: {job: {service: 5ms, kv: fp8}, chat: {catalog: llama-3.1-8b-fp8}}",
         4, 34, NF_E_KEY, "goes with catalog only", ""},
        {4,
         "models: {job: {service: 5ms}, chat: {catalog: llama-3.1-8b-fp8, generate: "
         "{steps: 4}}}",
         4, 75, NF_E_KEY, "does not generate pictures", "remove"},
    };
    CHECK(cases);
}

Test(scenario_bad, stations)
{
    static const struct bad cases[] = {
        {5, "edge: {node: {site: here, models: [jobb]}}", 5, 36, NF_E_REFERENCE,
         "no model \"jobb\"", "did you mean \"job\"?"},
        {5, "edge: {node: {site: here, models: [job, job]}}", 5, 41, NF_E_KEY,
         "given twice", ""},
        {5, "edge: {node: {site: here, models: [job, det], device: L4}}", 5, 35,
         NF_E_IMPOSSIBLE, "cannot share one station", "two stations"},
        {5, "edge: {node: {site: here, models: [det]}}", 5, 8, NF_E_KEY,
         "\"device\" is missing", "L4"},
        {5,
         "edge: {node: {site: here, models: [det], device: L4, batching: {max_size: 4, "
         "preferred: [2, 6]}}}",
         5, 93, NF_E_RANGE, "6 is above max_size, 4", ""},
        {5,
         "edge: {node: {site: here, models: [det], device: L4, batching: {priorities: 2, "
         "levels: {\"3\": {limit: 1}}}}}",
         5, 89, NF_E_RANGE, "from 1 to 2", ""},
        {5,
         "edge: {node: {site: here, models: [det], device: L4, batching: {priorities: 2, "
         "default_priority: 3}}}",
         5, 98, NF_E_RANGE, "there are 2 priorities", ""},
        {5, "edge: {node: {site: here, models: [job], batching: {}}}", 5, 52, NF_E_KEY,
         "\"batching\" is for batched models", "remove"},
        {5,
         "edge: {pool: {site: here, models: [job]}, node: {site: here, models: [job]}}",
         6, 9, NF_E_KEY, "already the name of edge.pool", ""},
        {6, "cloud: {pool: {region: r, device: H10, models: [chat]}}", 6, 35,
         NF_E_REFERENCE, "no device \"H10\"", "did you mean"},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], replicas: {min: 5, "
         "max: 2}}}",
         6, 73, NF_E_IMPOSSIBLE, "min 5 is more than max 2", ""},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], replicas: {max: 4, "
         "initial: 7}}}",
         6, 85, NF_E_IMPOSSIBLE, "initial 7 is outside", ""},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], replicas: {min: 0}}}",
         6, 73, NF_E_UNSUPPORTED, "only the kpa", "min: 1"},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], autoscaler: {policy: "
         "hpa, metric: queue, target: 70%}}}",
         6, 106, NF_E_UNIT, "number of requests", "64"},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], autoscaler: {policy: "
         "hpa, target: 64}}}",
         6, 91, NF_E_UNIT, "share of busy time", "70%"},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], autoscaler: {policy: "
         "kpa, metric: queue}}}",
         6, 91, NF_E_UNSUPPORTED, "concurrency only", "hpa"},
        {6,
         "cloud: {pool: {region: r, device: H100, models: [chat], autoscaler: {policy: "
         "kpa, interval: 2s, tolerance: 5%}}}",
         6, 97, NF_E_KEY, "does not go with policy \"kpa\"", ""},
        {7, "maas: {api: {region: r, models: [chat]}}", 7, 8, NF_E_KEY,
         "\"service\" is missing", "ttft"},
    };
    CHECK(cases);
}

Test(scenario_bad, what_does_not_fit_is_told_with_numbers)
{
    static const struct bad cases[] = {
        {6, "cloud: {pool: {region: r, device: L4, models: [chat, det]}}", 6, 47,
         NF_E_IMPOSSIBLE, "cannot share", ""},
        {4,
         "models: {job: {service: 5ms}, det: {catalog: retinanet-800-int8}, chat: "
         "{catalog: llama-3.1-70b-bf16}}",
         6, 49, NF_E_IMPOSSIBLE, "GB", "nearfar catalog fit"},
    };
    CHECK(cases);
}

Test(scenario_bad, links)
{
    static const struct bad cases[] = {
        {8, "links: {wire: {from: her, to: node, latency: 1ms}}", 8, 22, NF_E_REFERENCE,
         "no site \"her\"", "did you mean \"here\"?"},
        {8, "links: {wire: {from: here, to: nod, latency: 1ms}}", 8, 32, NF_E_REFERENCE,
         "region \"nod\"", "did you mean \"node\"?"},
        {8, "links: {wire: {from: here, to: here, latency: 1ms}}", 8, 32, NF_E_REFERENCE,
         "region \"here\"", "by their own names"},
        {8, "links: {wire: {from: here, to: node}}", 8, 9, NF_E_KEY, "either latency",
         "latency"},
        {8, "links: {wire: {from: here, to: node, latency: 1ms, rtt: 2ms}}", 8, 9,
         NF_E_KEY, "either latency", "remove"},
        {8,
         "links: {a: {from: here, to: node, latency: 1ms}, b: {from: here, to: node, "
         "rtt: 1ms}}",
         8, 50, NF_E_IMPOSSIBLE, "link a already leads from here to node", ""},
        {8, "links: {wan: {from: here, to: r, rtt: 30ms, loss: 60%}}", 8, 51, NF_E_RANGE,
         "more than 50%", ""},
    };
    CHECK(cases);
}

Test(scenario_bad, traffic)
{
    static const struct bad cases[] = {
        {9,
         "traffic: {load: {site: here, model: jb, arrivals: {process: poisson, rate: "
         "3/s}}}",
         9, 37, NF_E_REFERENCE, "no model \"jb\"", "job"},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: poisson, rate: "
         "0/s}}}",
         9, 77, NF_E_RANGE, "more than 0", ""},
        {9,
         "traffic: {load: {site: here, model: chat, arrivals: {process: poisson, rate: "
         "3/s}}}",
         9, 11, NF_E_KEY, "\"tokens\" is missing", "tokens"},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: mmpp, states: "
         "[{rate: 1/s, dwell: 1s}]}}}",
         9, 76, NF_E_RANGE, "at least two states", ""},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: nhpp, profile: "
         "[[0s, 1/s], [9s, 2/s], [5s, 2/s]]}}}",
         9, 100, NF_E_IMPOSSIBLE, "before the point before", ""},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: nhpp, "
         "interpolation: exponential, profile: [[0s, 0/s], [9s, 2/s]]}}}",
         9, 106, NF_E_RANGE, "rates above 0", ""},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: renewal, gap: "
         "0s}}}",
         9, 76, NF_E_RANGE, "at least 1 ns", ""},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: trace, file: "
         "no.csv, format: csv}}}",
         9, 75, NF_E_REFERENCE, "there is no file \"no.csv\"", ""},
        {9,
         "traffic: {load: {site: here, model: job, target: {ttft: 1s}, arrivals: "
         "{process: poisson, rate: 3/s}}}",
         9, 57, NF_E_KEY, "has no tokens", "latency"},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: poisson, rate: "
         "3/s}, then: {b: {then: {load: {}}}}}}",
         9, 101, NF_E_IMPOSSIBLE, "in a circle: load -> b -> load", ""},
        {9,
         "traffic: {load: {site: here, model: job, arrivals: {process: poisson, rate: "
         "3/s}, then: {b: {}, c: {then: {b: {}}}}}}",
         9, 108, NF_E_KEY, "already the name of another class", ""},
    };
    CHECK(cases);
}

Test(scenario_bad, a_class_that_nobody_can_serve_is_told_with_all_reasons)
{
    cr_assert(!loads(10, "gateway: {policy: cloud-only}"));
    cr_assert_eq(diags.errors, 1);
    cr_assert_eq(diags.items[0].code, NF_E_IMPOSSIBLE);
    cr_assert_eq(diags.items[0].place.line, 9);
    cr_assert_str_eq(diags.items[0].path, "traffic.load");
    cr_assert_str_eq(
        diags.items[0].message,
        "no station can serve load from site here: node: is an edge node, which the "
        "gateway's policy leaves out; pool: does not serve job; api: does not serve "
        "job");
    cr_assert(!loads(
        9, "traffic: {load: {site: there, model: job, arrivals: {process: poisson, "
           "rate: 3/s}}}\nsites: {here: {}}"));
    cr_assert_not_null(
        strstr(diags.items[0].message, "node: no link leads there from there"));
    cr_assert(!loads(
        9, "traffic: {load: {site: here, model: chat, residency: on-premises, tokens: "
           "{input: 5, output: 5}, arrivals: {process: poisson, rate: 3/s}}}"));
    cr_assert_not_null(
        strstr(diags.items[0].message,
               "pool: is not at site here, where these requests must stay"));
}

Test(scenario_bad, gateways_and_service_levels)
{
    static const struct bad cases[] = {
        {10, "gateway: {policy: spillover, order: [nod], spill_when: {queue_length: 5}}",
         10, 38, NF_E_REFERENCE, "\"nod\"", "did you mean \"node\"?"},
        {10, "gateway: {policy: spillover, order: [node], spill_when: {}}", 10, 57,
         NF_E_KEY, "expected queue_delay", ""},
        {10, "gateway: {policy: weighted, weights: {node: 80%, pool: 30%}}", 10, 38,
         NF_E_RANGE, "make 110 %", ""},
        {10, "gateway: {policy: edge_only}", 10, 19, NF_E_KEY, "expected edge-only",
         "edge-only"},
        {10, "gateway: {policy: edge-only, order: [node]}", 10, 30, NF_E_KEY,
         "does not go with policy \"edge-only\"", ""},
        {11, "sla: [{class: lod, p99: 1s}]", 11, 15, NF_E_REFERENCE, "no stage \"lod\"",
         "load"},
        {11, "sla: [{class: load}]", 11, 7, NF_E_KEY, "nothing is promised", ""},
        {11, "sla: [{class: load, ttft_p95: 1s}]", 11, 31, NF_E_KEY, "has no tokens", ""},
        {11, "sla: [{class: load, p98: 1s}]", 11, 21, NF_E_KEY, "unknown key \"p98\"",
         "p9"},
        {11, "sla: [{class: load, target_met: 90%}]", 11, 33, NF_E_IMPOSSIBLE,
         "has no target", ""},
    };
    CHECK(cases);
}

Test(scenario_bad, mistakes_of_all_sections_are_told_at_once)
{
    static const struct nf_scenario_options o = {.data_root = NF_SOURCE_DIR};
    static const char *const text =
        "nearfar: 1\nname: x\nduration: 10\nwarmup: 1h\nmodels:\n  a: {service: 5 "
        "parsec}\n"
        "  b: {catalog: nothing-like-it}\nedge:\n  n: {site: s, models: [a, zz], gpu: "
        "2}\n"
        "cloud:\n  p: {region: r, models: [b], replicas: {min: 3, max: 2}}\n"
        "links:\n  l: {from: q, to: n, latency: 1ms}\n"
        "traffic:\n  t: {site: s, model: c, arrivals: {process: poisson, rate: 3}}\n"
        "gateway: {policy: spillover, order: [m], spill_when: {queue_delay: 1s}}\n"
        "sla: [{class: u, p99: 1s}]\noutptu: {}\n";
    const struct nf_scenario *s;
    enum nf_status status =
        nf_scenario_parse(&(struct nf_scenario_source){"t.yaml", text, strlen(text)}, &o,
                          &arena, &diags, &s);
    cr_assert_neq(status, NF_OK);
    /* duration, service, catalog, zz, gpu, min and max, q, c, rate, m, u, outptu */
    cr_assert_eq(diags.errors, 12);
}

/* Whatever prefix of a file is read, nothing but an answer comes of it. */
Test(scenario_bad, cut_files_never_crash)
{
    static const struct nf_scenario_options o = {.data_root = NF_SOURCE_DIR};
    struct nf_text t = {0};
    for (int i = 0; i < LINES; i++) {
        nf_text_printf(&t, "%s\n", good[i]);
    }
    for (size_t n = 0; n < t.length; n += 7) {
        const struct nf_scenario *s;
        setup();
        enum nf_status status = nf_scenario_parse(
            &(struct nf_scenario_source){"t.yaml", t.data, n}, &o, &arena, &diags, &s);
        cr_assert_eq(status == NF_OK, s != NULL);
        teardown();
    }
    setup();
    nf_text_fini(&t);
}
