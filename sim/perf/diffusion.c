#include "perf/diffusion.h"

#include <stdio.h>

#include "base/status.h"
#include "perf/operator.h"

/* Element-wise passes of a block: two norms with modulation, rotary, activation, gates and residuals; each reads and writes the tokens. */
enum { PASSES = 10 };

/* Share of a link's data-sheet rate that copies and exchanges reach. */
static const double LINK_EFFICIENCY = 0.8;

static double pixels_of(const struct nf_diffusion_job *j)
{
    return (double)j->width * j->height;
}

/* Videos: the first frame has a latent of its own. */
static double picture_tokens(const struct nf_diffusion_model *m,
                             const struct nf_diffusion_job *j)
{
    unsigned frames = 1 + (j->frames - 1) / m->frame_stride;
    unsigned columns = j->width / m->patch;
    unsigned rows = j->height / m->patch;
    return (double)frames * columns * rows;
}

/* The matrix products of a block are priced as one: tokens x hidden times hidden x (what a token meets of the block)/hidden. */
static double matrices_s(const struct nf_diffusion_model *m, const struct nf_host *host,
                         double tokens)
{
    enum nf_precision half = nf_device_half(host->device);
    struct nf_silicon silicon = nf_silicon_of(host->device, half);
    double layers = m->layers, hidden = m->hidden;
    struct nf_gemm_shape shape = {.m = tokens,
                                  .n = m->token_parameters / (layers * hidden),
                                  .k = hidden,
                                  .matrices = 1,
                                  .weight_bytes = nf_precision_bytes(half)};
    return layers * nf_gemm_s(&host->calibration->gemm[half], &silicon, &shape);
}

/* One pass of a transformer on one of the devices, each of which computes its share of the tokens against all of them. */
static double transformer_s(const struct nf_diffusion_model *m,
                            const struct nf_host *host, double tokens)
{
    const struct nf_device *d = host->device;
    const struct nf_calibration *k = host->calibration;
    double layers = m->layers, hidden = m->hidden;
    double share = tokens / host->ranks;
    double met = tokens + (m->is_text_joined ? 0 : m->text_tokens);
    double attention = 4 * share * met * hidden * layers;
    double element_bytes = 2 * 2 * share * hidden * layers * PASSES;
    return matrices_s(m, host, share) +
           attention / (k->long_attention_ec * d->peak[nf_device_half(d)]) +
           element_bytes / (k->elementwise.em * d->bandwidth) +
           layers * PASSES * k->elementwise.t0_s;
}

/* Four all-to-alls a layer (queries, keys, values, output), each of a device's share of the tokens. */
static double exchange_s(const struct nf_diffusion_model *m, const struct nf_device *d,
                         double tokens, double devices)
{
    static const double START_S = 10e-6; /* of one exchange */
    double link = d->nvlink_bandwidth > 0 ? d->nvlink_bandwidth : d->pcie_bandwidth;
    double bytes = 2 * tokens * m->hidden / devices * (devices - 1) / devices;
    return 4 * (double)m->layers * (START_S + bytes / (LINK_EFFICIENCY * link));
}

static bool check_job(const struct nf_diffusion_model *m,
                      const struct nf_diffusion_job *j, char *why, size_t cap)
{
    if (j->width % m->patch != 0 || j->height % m->patch != 0) {
        snprintf(why, cap, "%s makes pictures in steps of %u pixels, not %u x %u",
                 m->name, m->patch, j->width, j->height);
        return false;
    }
    if (m->frame_stride == 1 && j->frames > 1) {
        snprintf(why, cap, "%s makes single pictures, not %u frames", m->name, j->frames);
        return false;
    }
    if ((j->frames - 1) % m->frame_stride != 0) {
        snprintf(why, cap, "%s makes 1 + %u k frames, not %u", m->name, m->frame_stride,
                 j->frames);
        return false;
    }
    return true;
}

static bool check_constants(const struct nf_diffusion_model *m,
                            const struct nf_host *host, char *why, size_t cap)
{
    const struct nf_device *d = host->device;
    const struct nf_calibration *k = host->calibration;
    enum nf_precision half = nf_device_half(d);
    const char *lack =
        !k                                             ? "a profile"
        : !(k->gemm[half].ec > 0)                      ? "16-bit gemm constants"
        : !(k->elementwise.em > 0)                     ? "elementwise constants"
        : m->layers > 0 && !(k->long_attention_ec > 0) ? "long_attention"
        : m->layers == 0 && !(k->network.ec > 0)       ? "network constants"
        : host->ranks > 1 && !(d->nvlink_bandwidth > 0 || d->pcie_bandwidth > 0)
            ? "a link between devices"
            : NULL;
    if (lack != NULL) {
        snprintf(why, cap, "%s on %s: the device lacks %s", m->name, d->name, lack);
    }
    return lack == NULL;
}

static bool check_memory(struct nf_diffusion_cost *cost,
                         const struct nf_diffusion_model *m, const struct nf_device *d,
                         bool offload, char *why, size_t cap)
{
    double text = offload ? 0 : m->text_weight_bytes;
    double work = m->token_bytes * cost->tokens / cost->devices;
    double have = d->memory_bytes - d->memory_reserve_bytes;
    cost->weight_bytes = m->weight_bytes + text;
    cost->memory_bytes = cost->weight_bytes + work;
    if (cost->memory_bytes <= have) {
        return true;
    }
    char encoder[40] = "";
    if (text > 0) {
        snprintf(encoder, sizeof encoder, "text encoder %.1f, ", text / 1e9);
    }
    bool is_group = cost->devices > 1;
    snprintf(why, cap,
             "%s needs %.1f GB on %s%u %s (weights %.1f, %s%.1f for %.0f tokens), "
             "which offer%s %.1f GB",
             m->name, cost->memory_bytes / 1e9, is_group ? "each of " : "", cost->devices,
             d->name, m->weight_bytes / 1e9, encoder, work / 1e9, cost->tokens,
             is_group ? "" : "s", have / 1e9);
    return false;
}

bool nf_diffusion_memory(struct nf_diffusion_cost *cost,
                         const struct nf_diffusion_model *m,
                         const struct nf_diffusion_job *j, const struct nf_host *host,
                         char *why, size_t cap)
{
    NF_ASSERT(j->width >= 1 && j->height >= 1 && j->frames >= 1);
    NF_ASSERT(j->steps >= 1 && j->forwards >= 1 && host->ranks >= 1);
    *cost = (struct nf_diffusion_cost){.devices = host->ranks, .provenance = NF_DERIVED};
    if (!check_job(m, j, why, cap)) {
        return false;
    }
    cost->tokens = picture_tokens(m, j) + (m->is_text_joined ? m->text_tokens : 0);
    return check_memory(cost, m, host->device, j->offload, why, cap);
}

bool nf_diffusion_prepare(struct nf_diffusion_cost *cost,
                          const struct nf_diffusion_model *m,
                          const struct nf_diffusion_job *j, const struct nf_host *host,
                          char *why, size_t cap)
{
    const struct nf_device *d = host->device;
    if (!nf_diffusion_memory(cost, m, j, host, why, cap) ||
        !check_constants(m, host, why, cap)) {
        return false;
    }
    const struct nf_calibration *k = host->calibration;
    double peak = d->peak[nf_device_half(d)];
    double devices = host->ranks;
    double pass = m->layers > 0 ? transformer_s(m, host, cost->tokens)
                                : m->forward_work * pixels_of(j) / m->forward_pixels /
                                      (k->network.ec * peak) / devices;
    if (host->ranks > 1) {
        pass += exchange_s(m, d, cost->tokens, devices);
    }
    cost->text_s = m->text_work / (k->gemm[nf_device_half(d)].ec * peak);
    cost->denoise_s = (double)j->steps * j->forwards * pass;
    cost->decode_s = m->decode_s_per_pixel * pixels_of(j) * j->frames;
    double measured = k->copy[NF_COPY_TO_DEVICE].bus_bandwidth;
    double link = measured > 0 ? measured : LINK_EFFICIENCY * d->pcie_bandwidth;
    if (j->offload && link > 0) {
        cost->load_s = (m->weight_bytes / devices + m->text_weight_bytes) / link;
    }
    const struct nf_curve *products = &k->gemm[nf_device_half(d)];
    cost->has_range = m->layers > 0 && products->longest_s > 0;
    cost->is_longer =
        cost->has_range &&
        nf_is_longer(matrices_s(m, host, cost->tokens / devices) / m->layers,
                     products->longest_s);
    cost->total_s = cost->text_s + cost->load_s + cost->denoise_s + cost->decode_s;
    if (k->provenance > cost->provenance) {
        cost->provenance = k->provenance;
    }
    return true;
}
