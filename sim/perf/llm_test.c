#include "perf/llm.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A toy whose every term can be computed by hand: p = 1 (terms add up), round rates. */
static const struct nf_llm_arch toy = {.name = "toy",
                                       .layers = 2,
                                       .hidden = 4,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .head_dim = 2,
                                       .ffn = 8,
                                       .vocab = 16,
                                       .weights = NF_BF16,
                                       .kv = NF_BF16};

static const struct nf_device toy_device = {.name = "D",
                                            .memory_bytes = 1e6,
                                            .bandwidth = 1e9,
                                            .peak = {[NF_BF16] = 1e12, [NF_FP8] = 2e12},
                                            .multiprocessors = 10,
                                            .memory_reserve_bytes = 1e5};

static const struct nf_calibration toy_profile = {
    .name = "toy",
    .device = "D",
    .gemm = {[NF_BF16] = {.t0_s = 1e-6, .ec = 0.5, .em = 0.5, .p = 1, .extra = 0},
             [NF_FP8] = {.t0_s = 2e-6, .ec = 0.5, .em = 0.5, .p = 1, .extra = 0.25}},
    .prefill_attention = {.t0_s = 4e-6, .ec = 0.25, .em = 0.5, .p = 1, .extra = 0},
    .decode_attention = {.t0_s = 3e-6, .ec = 0, .em = 0.5, .p = 1, .extra = 5e-6},
    .elementwise = {.t0_s = 2e-6, .ec = 0, .em = 0.8, .p = 1, .extra = 0},
    .allreduce = {{.t0_s = 3e-6, .bus_bandwidth = 1e8}},
    .mixed_factor = 1.3};

static struct nf_llm_engine toy_engine(void)
{
    struct nf_llm_engine e = nf_llm_engine_defaults();
    e.step_overhead_s = 7e-6;
    e.sequence_overhead_s = 1e-6;
    return e;
}

static struct nf_llm_cost toy_cost(const struct nf_llm_arch *arch, unsigned ranks)
{
    struct nf_llm_engine e = toy_engine();
    struct nf_llm_cost cost;
    char why[400] = "";
    cr_assert(nf_llm_prepare(&cost, arch,
                             &(struct nf_host){&toy_device, &toy_profile, ranks}, &e, why,
                             sizeof why),
              "%s", why);
    return cost;
}

/* H100, constants of results/calibration/h100.yaml. */
static const struct nf_device h100 = {
    .name = "H100",
    .memory_bytes = 80 * 1073741824.0,
    .bandwidth = 3.35e12,
    .peak = {[NF_FP16] = 989.4e12, [NF_BF16] = 989.4e12, [NF_FP8] = 1979e12},
    .multiprocessors = 132,
    .memory_reserve_bytes = 3.5 * 1073741824.0};

static const struct nf_calibration h100_profile = {
    .name = "h100",
    .device = "H100",
    .gemm =
        {[NF_BF16] = {.t0_s = 3.85e-6, .ec = 0.813, .em = 0.874, .p = 3.2, .extra = 0},
         [NF_FP8] = {.t0_s = 6.8e-6, .ec = 0.61, .em = 0.83, .p = 2.0, .extra = 0.34}},
    .prefill_attention = {.t0_s = 12.4e-6, .ec = 0.66, .em = 0.39, .p = 1.2, .extra = 0},
    .decode_attention =
        {.t0_s = 11.6e-6, .ec = 0, .em = 0.877, .p = 1.7, .extra = 3.6e-6},
    .elementwise = {.t0_s = 3e-6, .ec = 0, .em = 0.8, .p = 1, .extra = 0},
    .allreduce = {{.t0_s = 4.3e-6, .bus_bandwidth = 262e9},
                  {.t0_s = 4.8e-6, .bus_bandwidth = 288e9},
                  {.t0_s = 5.4e-6, .bus_bandwidth = 351e9}},
    .mixed_factor = 1.2};

static const struct nf_llm_arch llama70 = {.name = "llama-3.1-70b-fp8",
                                           .parameters = 70.55e9,
                                           .layers = 80,
                                           .hidden = 8192,
                                           .heads = 64,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .ffn = 28672,
                                           .vocab = 128256,
                                           .weights = NF_FP8,
                                           .kv = NF_BF16};

static struct nf_llm_cost h100_cost(unsigned ranks)
{
    struct nf_llm_engine e = nf_llm_engine_defaults();
    struct nf_llm_cost cost;
    char why[400] = "";
    cr_assert(nf_llm_prepare(&cost, &llama70,
                             &(struct nf_host){&h100, &h100_profile, ranks}, &e, why,
                             sizeof why),
              "%s", why);
    return cost;
}

static bool refused(const struct nf_llm_arch *arch, const struct nf_device *device,
                    unsigned ranks, const struct nf_llm_engine *engine, char why[400])
{
    struct nf_llm_cost cost;
    return !nf_llm_prepare(&cost, arch, &(struct nf_host){device, &h100_profile, ranks},
                           engine, why, 400);
}

Test(llm, decode_step_by_hand)
{
    /* Per layer, weights 4x8 + 4x4 + 4x16 + 8x4 = 144. All figures in us, both layers:
     * fixed   products 8 x 1 = 8, element-wise 8 x 2 = 16, s0 7              31
     * tokens  3 x 2 x 2 x (32 + 12 + 24)/(0.8e9)                              1.02
     * weights 3 x 2 x 2 x 144/(0.5e12) + 2 x 288/(0.5e9)                      1.155456
     * rows    3 x 2 x 2 x (12 + 8 + 20 + 12)/(0.5e9)                         1.248
     * head    1 + 3 x 1 + 3 x 128/(0.5e12) + (128 + 3 x 40)/(0.5e9)           4.496768
     * decode  2 x 3 + 50 x 2 x 8/(0.5e9) + 2 x 5 x 3/10                      10.6 */
    struct nf_llm_cost c = toy_cost(&toy, 1);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    cr_assert_float_eq(nf_llm_step_s(&c, &b), 49.520224e-6, 1e-15);
}

/* The step of above, whose layers have decode attention of 5.3 us, and products of 1.16 (4 x 4) to 1.497 us (4 x 16). */
Test(llm, work_outside_the_valid_range_is_marked)
{
    static const struct {
        double decode[2], products[2];
        unsigned outside;
    } cases[] = {
        {{0, 0}, {0, 0}, 0},
        {{1e-6, 5e-6}, {0.9e-6, 1.4e-6}, 0}, /* a tenth more is let pass */
        {{1e-6, 4.8e-6}, {0.9e-6, 2e-6}, NF_OUTSIDE_DECODE_LONG},
        {{5.9e-6, 9e-6}, {0.9e-6, 2e-6}, NF_OUTSIDE_DECODE_SHORT},
        {{1e-6, 9e-6}, {1.3e-6, 2e-6}, NF_OUTSIDE_LAYERS_SHORT},
        {{1e-6, 9e-6}, {0.5e-6, 1.3e-6}, NF_OUTSIDE_LAYERS_LONG | NF_OUTSIDE_HEAD_LONG},
    };
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    struct nf_llm_engine e = toy_engine();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct nf_calibration k = toy_profile;
        struct nf_llm_cost c;
        unsigned outside = 77;
        char why[400];
        k.decode_attention.shortest_s = cases[i].decode[0];
        k.decode_attention.longest_s = cases[i].decode[1];
        k.gemm[NF_BF16].shortest_s = cases[i].products[0];
        k.gemm[NF_BF16].longest_s = cases[i].products[1];
        cr_assert(nf_llm_prepare(&c, &toy, &(struct nf_host){&toy_device, &k, 1}, &e, why,
                                 sizeof why));
        cr_assert_float_eq(nf_llm_priced_s(&c, &b, &outside), 49.520224e-6, 1e-15);
        if (cases[i].outside == NF_OUTSIDE_DECODE_LONG ||
            cases[i].outside == NF_OUTSIDE_DECODE_SHORT) {
            outside &= ~(unsigned)NF_OUTSIDE_HEAD_LONG; /* its product takes 2.5 us */
        }
        cr_assert_eq(outside, cases[i].outside, "case %zu: %x", i, outside);
    }
}

/* The step above, its host work beside the GPU. */
Test(llm, host_work_beside_the_gpu_counts_when_it_is_longer)
{
    struct nf_llm_cost c = toy_cost(&toy, 1);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    double alone = 49.520224e-6 - c.step_overhead_s - 3 * c.sequence_overhead_s;
    c.async_scheduling = true;
    cr_assert_float_eq(nf_llm_step_s(&c, &b), alone, 1e-15);
    c.sequence_overhead_s = 13e-6;
    cr_assert_float_eq(nf_llm_step_s(&c, &b), c.step_overhead_s + 39e-6, 1e-15);
}

Test(llm, mixed_step_by_hand)
{
    /* A chunk of 5 after 7, and the three decoding sequences: K = 7, A = 5 (7 + 2.5).
     * fixed 31; tokens 8 x 0.34 = 2.72; weights 8 x 1.152e-3 + 1.152 = 1.161216;
     * rows 8 x 0.416 = 3.328; head 1 + 4 + 4 x 2.56e-4 + 0.256 + 4 x 0.08 = 5.577024;
     * prefill 8 + 47.5 x 1.28e-4 + 5 x 0.096 + 7 x 0.032 = 8.71008;
     * decode 1.3 x (1.6 + 3) = 5.98, without its t0. */
    struct nf_llm_cost c = toy_cost(&toy, 1);
    struct nf_llm_batch b = {.prefill_tokens = 5,
                             .decode_sequences = 3,
                             .sampled = 4,
                             .prefill_context = 7,
                             .prefill_pairs = 47.5,
                             .decode_context = 50};
    cr_assert_float_eq(nf_llm_step_s(&c, &b), 58.47632e-6, 1e-15);
}

Test(llm, unfinished_prefill_pays_no_head)
{
    struct nf_llm_cost c = toy_cost(&toy, 1);
    struct nf_llm_batch b = {.prefill_tokens = 5, .prefill_pairs = 12.5};
    /* 31 + 1.7 + 5 x (1.152e-3 + 0.416) + 1.152 + 8 + 12.5 x 1.28e-4 + 0.48 */
    cr_assert_float_eq(nf_llm_step_s(&c, &b), 44.41936e-6, 1e-15);
}

Test(llm, fp8_on_two_ranks_by_hand)
{
    /* Each rank: 1 head, 1 KV head (of 1: kept twice), ffn 4. Weights a layer
     * 4x6 + 2x4 + 4x8 + 4x4 = 80 of 1 byte. Decode, N = 3, S = 50; in us, both layers:
     * fixed     products 8 x 2 = 16, element-wise 16, all-reduce 4 x 3 = 12, s0 7     51
     * quantise  3 tokens x 2 x 3 x (4 + 2 + 4 + 4)/(0.25e9)                 1.008
     * bytes     3 x 2 x 2 x (32 + 8 + 12)/(0.8e9)                           0.78
     * reduce    3 x 2 x 2 x 1 x 8/1e8                                       0.96
     * weights   3 x 2 x 2 x 80/(0.5 x 2e12) + 2 x 80/(0.5e9)                0.32096
     * rows      3 x 2 x 2 x (10 + 6 + 12 + 8)/(0.5e9)                       0.864
     * head      1 + 3 + 3 x 64/(0.5e12) + (64 + 3 x 24)/(0.5e9)             4.272384
     * decode    as on one rank                                             10.6 */
    struct nf_llm_arch fp8 = toy;
    fp8.weights = NF_FP8;
    struct nf_llm_cost c = toy_cost(&fp8, 2);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    cr_assert_float_eq(nf_llm_step_s(&c, &b), 69.805344e-6, 1e-14);
}

Test(llm, experts_touched_grow_with_the_batch)
{
    /* 2 of 4 experts of ffn 8, router left out. 3 tokens touch 4 (1 - 0.5^3) = 3.5 of
     * them. Against the dense toy: weights (64 + 32) x 2 bytes a layer x 2.5 more in
     * memory, products of (64 + 32) once more a token with their rows (20 + 12), activation
     * bytes once more. */
    struct nf_llm_arch moe = toy;
    moe.experts = 4;
    moe.experts_per_token = 2;
    struct nf_llm_cost dense = toy_cost(&toy, 1);
    struct nf_llm_cost c = toy_cost(&moe, 1);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    double more = 2 * 2.5 * 192 / 0.5e9 + 3 * 2 * 2 * 96 / 0.5e12 +
                  3 * 2 * 2 * 24 / 0.8e9 + 3 * 2 * 2 * 32 / 0.5e9;
    cr_assert_float_eq(nf_llm_step_s(&c, &b) - nf_llm_step_s(&dense, &b), more, 1e-14);
    /* 2 layers x (3 x (3 x 32) + 4 x 4 routers) x 2 bytes more than the dense one */
    cr_assert_float_eq(c.weight_bytes - dense.weight_bytes, 2 * (288 + 16) * 2, 1e-9);
}

/* With 64 experts and more, their part of a layer is one fused operation with constants of its own. */
Test(llm, many_experts_are_one_operation)
{
    struct nf_llm_arch moe = toy;
    moe.experts = 64;
    moe.experts_per_token = 2;
    struct nf_llm_cost dense = toy_cost(&toy, 1);
    struct nf_llm_cost c = toy_cost(&moe, 1);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    double touched = 64 * (1 - pow(31.0 / 32, 3));
    double fused =
        47.5e-6 + 2 * 6 * 96 / 0.43e12 + (touched * 96 * 2 + 2 * 6 * (8 + 24)) / 0.98e9;
    double plain = 2e-6 + 2 * 3 * 96 / 0.5e12 + (2 * 96 + 2 * 3 * 32) / 0.5e9;
    double passes = 3 * 2 * 24 / 0.8e9;
    cr_assert_float_eq(nf_llm_step_s(&c, &b) - nf_llm_step_s(&dense, &b),
                       2 * (fused - plain + passes), 1e-13);
}

Test(llm, latent_attention_by_hand)
{
    /* Against the toy: products 4 x 6, 2 x 6, 3 x 8, 4 x 4 for 4 x 8, 4 x 4, which is two more, 28 more weights and 17 more values a
     * row; two more passes, and 4 more values in all of them; a context token is 4 values in both. */
    struct nf_llm_arch latent = toy;
    latent.kv_rank = 3;
    latent.q_rank = 2;
    latent.rope_dim = 1;
    latent.value_dim = 2;
    struct nf_llm_cost plain = toy_cost(&toy, 1), c = toy_cost(&latent, 1);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    double more = 2 * (2 * 1e-6 + 2 * 2e-6) + 3 * 2 * 2 * 4 / 0.8e9 +
                  3 * 2 * 2 * 28 / 0.5e12 + 2 * 2 * 28 / 0.5e9 + 3 * 2 * 2 * 17 / 0.5e9;
    cr_assert_float_eq(nf_llm_step_s(&c, &b) - nf_llm_step_s(&plain, &b), more, 1e-13);
    cr_assert_eq(c.kv_bytes_per_token, 2 * 4 * 2);
    cr_assert_float_eq(c.weight_bytes - plain.weight_bytes, 2 * 28 * 2, 1e-9);
    /* a prompt of 6: 2 layers x 4 x 18 pairs x 2 heads x (3 + 2)/2 / (0.25 x 1e12) where the toy has a width of 2 */
    struct nf_llm_batch prompt = {.prefill_tokens = 6, .prefill_pairs = 18};
    double pairs = 2 * 4 * 18 * 2 * 0.5 / 0.25e12;
    double values = 2 * 2 * 6 * (2.5 * (4 + 4) - 2 * (4 + 2)) / 0.5e9;
    double others = 2 * (2 * 1e-6 + 2 * 2e-6) + 6 * 2 * 2 * 4 / 0.8e9 +
                    6 * 2 * 2 * 28 / 0.5e12 + 2 * 2 * 28 / 0.5e9 + 6 * 2 * 2 * 17 / 0.5e9;
    cr_assert_float_eq(nf_llm_step_s(&c, &prompt) - nf_llm_step_s(&plain, &prompt),
                       pairs + values + others, 1e-13);
}

/* With many heads on a device, reading latent vectors is no longer what limits. */
Test(llm, many_heads_make_latent_decode_compute_bound)
{
    struct nf_llm_arch latent = toy;
    latent.kv_rank = 3;
    latent.rope_dim = 1;
    latent.value_dim = 2;
    double before = toy_cost(&latent, 1).decode_context_s;
    latent.heads = latent.kv_heads = 2048;
    /* read 16 ns; work 2 x 2048 x (4 + 3)/0.58e12 = 49.43 ns */
    double both = pow(pow(16e-9, 4) + pow(2 * 2048 * 7 / 0.58e12, 4), 0.25);
    cr_assert_float_eq(before, 2 * 16e-9, 1e-12);
    cr_assert_float_eq(toy_cost(&latent, 1).decode_context_s, 2 * both, 1e-15);
}

/* ---- several devices ---- */

static struct nf_device linked_device(void)
{
    struct nf_device d = toy_device;
    d.pcie_bandwidth = 2e9;
    return d;
}

static bool prepare(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                    unsigned ranks, const struct nf_llm_engine *e, char why[400])
{
    struct nf_device d = linked_device();
    return nf_llm_prepare(cost, arch, &(struct nf_host){&d, &toy_profile, ranks}, e, why,
                          400);
}

/* Two stages of one device: the same work, and one hop of 3 tokens x 4 values x 2 tensors x 2 bytes over 2 GB/s. Each holds one of the two
 * layers (144 weights) and one of the two ends (64), and half of each token's 16 bytes. */
Test(llm, pipeline_stages_share_layers_and_pay_hops)
{
    struct nf_llm_engine e = toy_engine();
    struct nf_llm_cost one = toy_cost(&toy, 1), two;
    char why[400] = "";
    e.stages = 2;
    cr_assert(prepare(&two, &toy, 2, &e, why), "%s", why);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    cr_assert_float_eq(nf_llm_step_s(&two, &b) - nf_llm_step_s(&one, &b),
                       10e-6 + 3 * 4 * 2 * 2 / 2e9, 1e-13);
    cr_assert_float_eq(nf_llm_head_s(&two, &b), nf_llm_head_s(&one, &b), 1e-15);
    struct nf_llm_memory m = nf_llm_memory(&toy, &toy_device, 2, &e);
    cr_assert_float_eq(m.weight_bytes, (144 + 64) * 2, 1e-9);
    cr_assert_eq(m.kv_bytes_per_token, 8);
    e.stages = 3;
    cr_assert_not(prepare(&two, &toy, 3, &e, why));
    cr_assert_not_null(strstr(why, "do not make 3 pipeline stages"), "%s", why);
    e.stages = 2;
    cr_assert_not(prepare(&two, &toy, 3, &e, why));
    e.draft_tokens = 2;
    cr_assert_not(prepare(&two, &toy, 2, &e, why));
    cr_assert_not_null(strstr(why, "speculation"), "%s", why);
}

/* 64 experts on two ranks, 2 a token. Of 4096 tokens the busier rank gets sqrt(2 ln 2 x 4096/2) = 53 more than the mean of 4096 of their choices;
 * each sends half of its 2048 tokens' 1.5 copies of 4 values there in BF16 and back; one all-reduce is saved. */
Test(llm, expert_parallel_ranks_wait_for_the_busiest)
{
    struct nf_llm_engine e = toy_engine();
    struct nf_llm_arch moe = toy;
    struct nf_llm_cost sliced, whole;
    char why[400] = "";
    moe.experts = 64;
    moe.experts_per_token = 2;
    cr_assert(prepare(&sliced, &moe, 2, &e, why), "%s", why);
    e.expert_parallel = true;
    cr_assert(prepare(&whole, &moe, 2, &e, why), "%s", why);
    struct nf_llm_batch b = {.prefill_tokens = 4096, .prefill_pairs = 1};
    double busiest = 4096 + sqrt(2 * log(2) * 4096 / 2);
    double in_whole =
        2 * busiest * 96 / 0.43e12 + (32 * 96 * 2 + 2 * busiest * (8 + 24)) / 0.98e9;
    double in_slices =
        2 * 8192 * 48 / 0.43e12 + (64 * 48 * 2 + 2 * 8192 * (8 + 12)) / 0.98e9;
    double exchange = 2 * 3e-6 + 2048 * 1.5 * 4 * 0.5 * 4 / 1e8;
    double reduce = 3e-6 + 4096 * 4 * 2 / 1e8;
    cr_assert_float_eq(nf_llm_step_s(&whole, &b) - nf_llm_step_s(&sliced, &b),
                       2 * (in_whole - in_slices + exchange - reduce), 1e-9);
    cr_assert_not(prepare(&whole, &toy, 2, &e, why));
    cr_assert_not_null(strstr(why, "experts"), "%s", why);
    moe.experts = 63;
    cr_assert_not(prepare(&whole, &moe, 2, &e, why));
}

/* Three sequences with four guesses each: 15 rows where there were 3, in the products, the head and the queries; the draft model takes
 * 4 x 10 % of a plain step. Only three tokens are sampled by the host. */
Test(llm, guesses_are_rows_over_one_read_of_the_context)
{
    struct nf_llm_engine e = toy_engine();
    struct nf_llm_cost plain, c;
    char why[400] = "";
    cr_assert(prepare(&plain, &toy, 1, &e, why), "%s", why);
    e.draft_tokens = 4;
    e.draft_acceptance = 0.7;
    e.draft_cost = 0.1;
    cr_assert(prepare(&c, &toy, 1, &e, why), "%s", why);
    struct nf_llm_batch b = {.decode_sequences = 3, .sampled = 3, .decode_context = 50};
    double before = nf_llm_step_s(&plain, &b);
    cr_assert_float_eq(nf_llm_step_s(&c, &b), before, 1e-15, "nothing is guessed yet");
    b.draft_tokens = 12;
    /* 12 rows more, by the figures of decode_step_by_hand */
    double rows = 12 * (2 * 2 * 68 / 0.8e9 + 2 * 2 * 144 / 0.5e12 + 2 * 2 * 52 / 0.5e9 +
                        2 * 64 / 0.5e12 + 2 * 20 / 0.5e9) +
                  2 * 5e-6 * 12 / 10;
    cr_assert_float_eq(nf_llm_step_s(&c, &b) - before, rows + 0.4 * before, 1e-13);
}

Test(llm, weights_of_a_70b_in_fp8_are_about_70_gb)
{
    /* 80 x (8192 x 80 x 128 + 8192^2 + 3 x 8192 x 28672) + 2 x 128256 x 8192 x 2 */
    cr_assert_float_eq(nf_llm_weight_bytes(&llama70), 72653733888.0, 1);
    struct nf_llm_arch half = llama70;
    half.weights = NF_BF16;
    cr_assert_float_eq(nf_llm_weight_bytes(&half), 141104775168.0, 1);
}

Test(llm, kv_blocks_by_hand)
{
    /* TP 4: 2 KV heads a rank, 2 x 80 x 2 x 128 x 2 = 81920 B a token, 1310720 B a block.
     * 0.9 x 85899345920 - 3758096384 - 72653733888/4 = 55387881472 B: 42257.6 blocks. */
    struct nf_llm_cost c = h100_cost(4);
    cr_assert_eq(c.kv_bytes_per_token, 81920);
    cr_assert_eq(c.kv_blocks, 42257);
}

Test(llm, kv_heads_that_do_not_divide_are_kept_on_every_rank)
{
    /* One rank: 2 x (4 x 4 x 2 + 4 x 4 + 3 x 4 x 8) x 2 + 2 x 16 x 4 x 2 = 832 B. Two ranks with one
     * KV head each: 2 x (4 x (2 + 2 x 2) x 2 + 16 + 96) x 2 + 256 = 896 B, half of it on each. */
    struct nf_llm_engine e = toy_engine();
    cr_assert_eq(nf_llm_memory(&toy, &toy_device, 1, &e).weight_bytes, 832);
    cr_assert_eq(nf_llm_memory(&toy, &toy_device, 2, &e).weight_bytes, 448);
    cr_assert_eq(nf_llm_memory(&toy, &toy_device, 2, &e).kv_bytes_per_token, 16);
}

Test(llm, given_kv_blocks_win)
{
    struct nf_llm_engine e = nf_llm_engine_defaults();
    struct nf_llm_cost c;
    char why[400] = "";
    e.kv_blocks = 2588;
    cr_assert(nf_llm_prepare(&c, &llama70, &(struct nf_host){&h100, &h100_profile, 4}, &e,
                             why, sizeof why));
    cr_assert_eq(c.kv_blocks, 2588);
    e.kv_blocks = 99999; /* 131 GB */
    cr_assert(refused(&llama70, &h100, 4, &e, why));
    cr_assert(strstr(why, "99999 KV blocks 131.1 GB"), "%s", why);
}

Test(llm, a_70b_on_one_l4_is_refused_with_need_and_offer)
{
    struct nf_llm_engine e = nf_llm_engine_defaults();
    struct nf_device l4 = h100;
    char why[400] = "";
    l4.name = "L4";
    l4.memory_bytes = 24 * 1073741824.0;
    cr_assert(refused(&llama70, &l4, 1, &e, why));
    cr_assert(strstr(why, "needs 72.7 GB for weights"), "%s", why);
    cr_assert(strstr(why, "offers 19.4 GB"), "%s", why);
    cr_assert(strstr(why, "4 devices would do"), "%s", why);
    cr_assert_eq(nf_llm_ranks_needed(&llama70, &l4, &e), 4);
    l4.memory_bytes = 8e9;
    cr_assert(refused(&llama70, &l4, 8, &e, why));
    cr_assert(strstr(why, "not even 8"), "%s", why);
    cr_assert_eq(nf_llm_ranks_needed(&llama70, &l4, &e), 0);
}

Test(llm, what_is_not_known_is_refused)
{
    struct nf_llm_engine e = nf_llm_engine_defaults();
    struct nf_llm_arch a = llama70;
    struct nf_llm_cost c;
    char why[400] = "";
    cr_assert(refused(&a, &h100, 3, &e, why));
    cr_assert(strstr(why, "1, 2, 4 or 8"), "%s", why);
    a.heads = 61;
    cr_assert(refused(&a, &h100, 4, &e, why));
    cr_assert(strstr(why, "61 attention heads"), "%s", why);
    a = llama70;
    a.weights = NF_INT8; /* no peak in this device */
    cr_assert(refused(&a, &h100, 4, &e, why));
    cr_assert(strstr(why, "int8"), "%s", why);
    a = llama70;
    a.kv = NF_INT8;
    cr_assert(refused(&a, &h100, 4, &e, why));
    struct nf_calibration single = h100_profile;
    single.allreduce[1].bus_bandwidth = 0;
    cr_assert(!nf_llm_prepare(&c, &llama70, &(struct nf_host){&h100, &single, 4}, &e, why,
                              sizeof why));
    cr_assert(strstr(why, "all-reduce constants for 4"), "%s", why);
    cr_assert(!nf_llm_prepare(&c, &llama70, &(struct nf_host){&h100, NULL, 4}, &e, why,
                              sizeof why));
    cr_assert(strstr(why, "no calibration profile"), "%s", why);
}

Test(llm, more_work_never_takes_less_time)
{
    struct nf_llm_cost c = h100_cost(4);
    double before = 0;
    for (uint32_t n = 1; n <= 600; n++) { /* more sequences of 700 tokens each */
        struct nf_llm_batch b = {
            .decode_sequences = n, .sampled = n, .decode_context = 700ULL * n};
        double t = nf_llm_step_s(&c, &b);
        cr_assert(t > before, "%u sequences", n);
        before = t;
    }
    before = 0;
    for (uint32_t p = 1; p <= 8192; p += 7) { /* longer prompts */
        struct nf_llm_batch b = {.prefill_tokens = p,
                                 .prefill_pairs = 0.5 * p * p,
                                 .decode_sequences = 9,
                                 .decode_context = 9000,
                                 .sampled = 10};
        double t = nf_llm_step_s(&c, &b);
        cr_assert(t > before, "%u tokens", p);
        before = t;
    }
    before = 0;
    for (uint64_t s = 16; s < 4000000; s += 999) { /* longer contexts */
        struct nf_llm_batch b = {
            .decode_sequences = 16, .sampled = 16, .decode_context = s};
        double t = nf_llm_step_s(&c, &b);
        cr_assert(t > before, "context %llu", (unsigned long long)s);
        before = t;
    }
}
