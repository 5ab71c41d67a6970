/*
 * diffusion.h - what one generated image or video takes on one GPU or a group of them.
 *
 * What:   a job is text encoding, `steps` x `forwards` passes of the denoiser over all tokens of the picture, and the decoder that
 *         turns latents into pixels. Tokens: width x height / patch^2 times latent frames, plus those of the text where the blocks
 *         take them in (joined), else text is met by cross attention.
 * Source: equations in README.md. Efficiencies: gemm and element-wise constants of the profile; long_attention is attention over
 *         tens of thousands of tokens, which depends on the kernel more than on the device.
 * Cost:   a microsecond, once a model and station.
 * Units:  s, byte, operations (a multiply-add is two), pixels.
 * Errors: a bool, and a sentence with numbers in the caller's buffer.
 */
#ifndef NF_PERF_DIFFUSION_H
#define NF_PERF_DIFFUSION_H

#include <stdbool.h>
#include <stddef.h>

#include "perf/calibration.h"

struct nf_diffusion_model {
    const char *name;
    double parameters; /* of the denoiser */
    /* that one token meets: half of what dual-stream blocks have */
    double token_parameters;
    /* of one forward at `forward_pixels`, for denoisers that are no transformers; 0: from the layers */
    double forward_work;
    double forward_pixels;
    unsigned layers, hidden;
    unsigned patch;        /* pixels along the edge of a token */
    unsigned frame_stride; /* frames of a latent frame; 1 for images */
    unsigned text_tokens;
    bool is_text_joined;
    double text_work, text_weight_bytes; /* the text encoder, once a job */
    double decode_s_per_pixel;           /* decoder and host, a pixel of a frame */
    double weight_bytes;
    double token_bytes; /* working memory a token */
    enum nf_precision precision;
};

struct nf_diffusion_job {
    unsigned width, height, frames;
    unsigned steps;
    unsigned forwards; /* of the denoiser a step: 2 with classifier-free guidance */
    bool offload; /* denoiser and text encoder come from the host's memory for each job */
};

struct nf_diffusion_cost {
    double tokens;
    double text_s, load_s, denoise_s, decode_s, total_s;
    double weight_bytes, memory_bytes; /* of one device */
    unsigned devices;
    enum nf_provenance provenance;
    bool has_range,
        is_longer; /* its products take longer than those that the profile was fitted to */
};

/* Tokens and memory of each of the host's devices; no profile is needed. False, with a sentence in `why` (cap bytes), when the job does not
 * suit the model or a device offers less than it needs. */
bool nf_diffusion_memory(struct nf_diffusion_cost *cost,
                         const struct nf_diffusion_model *model,
                         const struct nf_diffusion_job *job, const struct nf_host *host,
                         char *why, size_t cap);

/* False, with a sentence in `why` (cap bytes), when it does not fit, the profile lacks a constant, or the job does not suit the model.
 * Devices of a group share the tokens (sequence parallel); they exchange them four times a layer over NVLink, or PCIe without it.
 * Requires a job with sizes, steps and forwards of at least 1, and a host of at least one rank. */
bool nf_diffusion_prepare(struct nf_diffusion_cost *cost,
                          const struct nf_diffusion_model *model,
                          const struct nf_diffusion_job *job, const struct nf_host *host,
                          char *why, size_t cap);

#endif
