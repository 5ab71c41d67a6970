#include "perf/dnn.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct nf_dnn_anchor anchors[] = {
    {.device = "both", .latency_s = 4.69e-3, .throughput = 227, .batch = 0},
    {.device = "batch", .latency_s = 5e-3, .throughput = 400, .batch = 8},
    {.device = "noise", .latency_s = 4e-3, .throughput = 227, .batch = 0},
    {.device = "latency", .latency_s = 9e-3},
    {.device = "throughput", .throughput = 100, .batch = 4},
};

static const struct nf_dnn_model detector = {.name = "detector",
                                             .work = 2e9,
                                             .weight_bytes = 3e6,
                                             .activation_bytes = 1e6,
                                             .input_bytes = 2e6,
                                             .precision = NF_INT8,
                                             .law = NF_BATCH_ELASTIC,
                                             .anchors = anchors,
                                             .anchor_count = 5};

static const struct nf_device device = {.name = "none",
                                        .memory_bytes = 1e9,
                                        .bandwidth = 1e9,
                                        .peak = {[NF_INT8] = 1e12},
                                        .memory_reserve_bytes = 1e8};

/* p = 1: T(b) = 1 ms + b 2e9/(0.5 1e12) + (3e6 + b 1e6)/(0.5 1e9) = 7 ms + b (4 + 2) ms */
static const struct nf_calibration calibration = {
    .name = "none",
    .device = "none",
    .provenance = NF_DERIVED,
    .network = {.t0_s = 1e-3, .ec = 0.5, .em = 0.5, .p = 1}};

static const struct nf_host host = {&device, &calibration, 1}, bare = {&device, NULL, 1};

static struct nf_dnn_cost prepare(const char *name, unsigned batch)
{
    struct nf_device d = device;
    struct nf_dnn_cost cost;
    char why[300] = "";
    d.name = name;
    cr_assert(nf_dnn_prepare(&cost, &detector, &(struct nf_host){&d, &calibration, 1},
                             batch, why, sizeof why),
              "%s", why);
    return cost;
}

Test(dnn, throughput_at_a_large_batch_is_the_slope)
{
    /* c = 1/227 = 4.40529 ms, a = 4.69 - 4.40529 = 0.28471 ms */
    struct nf_dnn_cost c = prepare("both", 8);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 1), 4.69e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 8), 0.28471e-3 + 8 * 4.40529e-3, 1e-7);
}

Test(dnn, known_throughput_batch_passes_through_both_anchors)
{
    /* T(8) = 8/400 = 20 ms, T(1) = 5 ms: c = 15/7 ms */
    struct nf_dnn_cost c = prepare("batch", 16);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 1), 5e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 8), 20e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 16), 20e-3 + 8 * 15e-3 / 7, 1e-12);
}

Test(dnn, latency_below_the_mean_sample_time_gives_no_negative_offset)
{
    struct nf_dnn_cost c = prepare("noise", 8);
    cr_assert_eq(c.fixed_s, 0);
    cr_assert_float_eq(c.per_sample_s, 1.0 / 227, 1e-12);
}

Test(dnn, single_anchor_scales_the_operation_model)
{
    /* model 7 + 6 b ms; 9 ms alone: scale 9/13 */
    struct nf_dnn_cost l = prepare("latency", 8);
    cr_assert_float_eq(nf_dnn_batch_s(&l, 1), 9e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&l, 8), 55e-3 * 9 / 13, 1e-12);
    /* 4/100 = 40 ms for four: scale 40/31 */
    struct nf_dnn_cost t = prepare("throughput", 8);
    cr_assert_float_eq(nf_dnn_batch_s(&t, 4), 40e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&t, 1), 13e-3 * 40 / 31, 1e-12);
    cr_assert_eq(t.provenance, NF_DERIVED);
}

Test(dnn, without_anchors_the_operation_model_decides)
{
    struct nf_dnn_cost c = prepare("none", 8);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 1), 13e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 5), 37e-3, 1e-12);
    cr_assert_eq(c.provenance, NF_DERIVED);
}

Test(dnn, padded_engine_pays_for_the_full_batch)
{
    struct nf_dnn_model padded = detector;
    struct nf_dnn_cost c;
    char why[300] = "";
    padded.law = NF_BATCH_PADDED;
    cr_assert(nf_dnn_prepare(&c, &padded, &host, 8, why, sizeof why));
    cr_assert_float_eq(nf_dnn_batch_s(&c, 1), 55e-3, 1e-12);
    cr_assert_float_eq(nf_dnn_batch_s(&c, 8), 55e-3, 1e-12);
}

Test(dnn, too_large_a_model_is_refused_with_numbers)
{
    struct nf_dnn_model large = detector;
    struct nf_dnn_cost c;
    char why[300] = "";
    large.weight_bytes = 1.7e9;
    cr_assert(!nf_dnn_prepare(&c, &large, &host, 8, why, sizeof why));
    cr_assert(strstr(why, "1.7 GB") && strstr(why, "0.9 GB"), "%s", why);
}

Test(dnn, unknown_precision_without_anchor_is_refused)
{
    struct nf_dnn_model odd = detector;
    struct nf_dnn_cost c;
    char why[300] = "";
    odd.precision = NF_FP8;
    cr_assert(!nf_dnn_prepare(&c, &odd, &host, 8, why, sizeof why));
    cr_assert(strstr(why, "no fp8 units"), "%s", why);
    cr_assert(!nf_dnn_prepare(&c, &odd, &bare, 8, why, sizeof why));
}
