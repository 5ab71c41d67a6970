/* Generated pictures, worked out by hand on a made-up device. */
#include "perf/diffusion.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct nf_device DEVICE = {.name = "D",
                                        .memory_bytes = 40e9,
                                        .memory_reserve_bytes = 2e9,
                                        .bandwidth = 1e12,
                                        .peak = {[NF_BF16] = 200e12},
                                        .pcie_bandwidth = 20e9,
                                        .nvlink_bandwidth = 100e9};

static const struct nf_calibration PROFILE = {
    .name = "d",
    .device = "D",
    .provenance = NF_PUBLISHED,
    .gemm = {[NF_BF16] = {.ec = 0.5, .em = 0.8, .p = 30}},
    .network = {.ec = 0.25, .em = 0.8},
    .elementwise = {.t0_s = 2e-6, .em = 0.5},
    .long_attention_ec = 0.4};

/* 3 latent frames of 40 x 24 tokens: 2880, and 120 of text: 3000. */
static const struct nf_diffusion_model VIDEO = {.name = "video",
                                                .parameters = 4e9,
                                                .token_parameters = 1e9,
                                                .layers = 20,
                                                .hidden = 1000,
                                                .patch = 16,
                                                .frame_stride = 4,
                                                .text_tokens = 120,
                                                .is_text_joined = true,
                                                .text_work = 5e12,
                                                .text_weight_bytes = 4e9,
                                                .decode_s_per_pixel = 1e-7,
                                                .weight_bytes = 8e9,
                                                .token_bytes = 1e6};
static const struct nf_diffusion_job JOB = {640, 384, 9, 30, 2, false};

static struct nf_diffusion_cost prepare(const struct nf_diffusion_model *m,
                                        const struct nf_diffusion_job *job,
                                        unsigned ranks)
{
    struct nf_host host = {&DEVICE, &PROFILE, ranks};
    struct nf_diffusion_cost cost;
    char why[400] = "";
    cr_assert(nf_diffusion_prepare(&cost, m, job, &host, why, sizeof why), "%s", why);
    return cost;
}

static const char *refusal(const struct nf_diffusion_model *m,
                           const struct nf_diffusion_job *job,
                           const struct nf_calibration *k)
{
    static char why[400];
    struct nf_host host = {&DEVICE, k, 1};
    struct nf_diffusion_cost cost;
    why[0] = 0;
    cr_assert_not(nf_diffusion_prepare(&cost, m, job, &host, why, sizeof why));
    return why;
}

/* One pass: 2 x 3000 x 1 G / 100 T = 60 ms; 4 x 3000^2 x 1000 x 20 / 80 T = 9 ms; 10 passes x 20 layers x 4 x 3000 x 1000 bytes / 0.5 T
 * = 4.8 ms; 200 x 2 us = 0.4 ms: 74.2 ms. */
Test(diffusion, a_job_is_text_passes_and_decoder)
{
    struct nf_diffusion_cost c = prepare(&VIDEO, &JOB, 1);
    cr_assert_float_eq(c.tokens, 3000, 1e-9);
    cr_assert_float_eq(c.text_s, 0.05, 1e-12);
    cr_assert_float_eq(c.denoise_s, 60 * 74.2e-3, 1e-9);
    cr_assert_float_eq(c.decode_s, 640 * 384 * 9 * 1e-7, 1e-12);
    cr_assert_float_eq(c.total_s, 0.05 + 4.452 + 0.221184, 1e-9);
    cr_assert_float_eq(c.memory_bytes, 8e9 + 4e9 + 3e9, 1);
    cr_assert_eq(c.provenance, NF_DERIVED);
}

/* Cross attention: 2880 tokens, which meet 120 of the text: 57.6 + 4 x 2880 x 3000 x 20000 / 80 T = 8.64 + 4.608 + 0.4 = 71.248 ms. */
Test(diffusion, cross_attention_keeps_text_out_of_the_sequence)
{
    struct nf_diffusion_model m = VIDEO;
    m.is_text_joined = false;
    struct nf_diffusion_cost c = prepare(&m, &JOB, 1);
    cr_assert_float_eq(c.tokens, 2880, 1e-9);
    cr_assert_float_eq(c.denoise_s, 60 * 71.248e-3, 1e-9);
}

/* On four: 73.8 / 4 + 0.4 = 18.85 ms (reading the weights, 0.2 ms a layer, hides behind 0.75 ms), and 80 exchanges of 10 us + 2 x 3000 x 1000 / 4 x 3 / 4 bytes over 80 GB/s = 14.0625 us:
 * 1.925 ms. Text and decoder stay. */
Test(diffusion, devices_share_the_tokens_and_exchange_them)
{
    struct nf_diffusion_cost c = prepare(&VIDEO, &JOB, 4);
    cr_assert_float_eq(c.denoise_s, 60 * (18.85e-3 + 80 * (10e-6 + 14.0625e-6)), 1e-9);
    cr_assert_float_eq(c.decode_s, 0.221184, 1e-12);
    cr_assert_float_eq(c.memory_bytes, 12e9 + 3e9 / 4, 1);
}

/* Off the host: 12 GB over 16 GB/s, and the text encoder's 4 GB do not stay. */
Test(diffusion, offloaded_weights_come_over_pcie)
{
    struct nf_diffusion_job job = JOB;
    job.offload = true;
    struct nf_diffusion_cost c = prepare(&VIDEO, &job, 1);
    cr_assert_float_eq(c.load_s, 0.75, 1e-12);
    cr_assert_float_eq(c.memory_bytes, 11e9, 1);
    cr_assert_float_eq(c.total_s, 0.75 + 0.05 + 4.452 + 0.221184, 1e-9);
}

/* A UNet: 4 T operations at 512 x 512, so 8 T at 1024 x 512, at a quarter of the peak: 160 ms a pass. */
Test(diffusion, work_of_other_networks_grows_with_the_pixels)
{
    struct nf_diffusion_model m = {.name = "unet",
                                   .forward_work = 4e12,
                                   .forward_pixels = 512 * 512,
                                   .patch = 8,
                                   .frame_stride = 1,
                                   .weight_bytes = 5e9};
    struct nf_diffusion_job job = {1024, 512, 1, 25, 2, false};
    cr_assert_float_eq(prepare(&m, &job, 1).total_s, 50 * 0.16, 1e-9);
}

Test(diffusion, what_cannot_be_is_refused_with_numbers)
{
    struct nf_diffusion_model m = VIDEO;
    struct nf_diffusion_job job = JOB;
    struct nf_calibration bare = PROFILE;
    m.weight_bytes = 32e9;
    cr_assert(strstr(refusal(&m, &JOB, &PROFILE), "needs 39.0 GB"));
    cr_assert(strstr(refusal(&m, &JOB, &PROFILE), "offers 38.0 GB"));
    job.frames = 10;
    cr_assert(strstr(refusal(&VIDEO, &job, &PROFILE), "1 + 4 k frames, not 10"));
    job = JOB;
    job.width = 641;
    cr_assert(strstr(refusal(&VIDEO, &job, &PROFILE), "16 pixels"));
    m = VIDEO;
    m.frame_stride = 1;
    cr_assert(strstr(refusal(&m, &JOB, &PROFILE), "single pictures"));
    bare.long_attention_ec = 0;
    cr_assert(strstr(refusal(&VIDEO, &JOB, &bare), "lacks long_attention"));
    cr_assert(strstr(refusal(&VIDEO, &JOB, NULL), "lacks a profile"));
}
