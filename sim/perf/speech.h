/*
 * speech.h - recognised speech: an encoder over a window of sound, then a decoder that puts out one token at a time.
 *
 * What:   T(b, n) for b windows with n tokens each, in one batch that starts and ends together: encoder layers over b x frames rows, keys and values of all
 *         frames for every decoder layer, n decoder steps of b rows with attention over the tokens so far and over the frames, and the head.
 * Source: the shape is the Transformer's (Radford et al. 2022, arXiv:2212.04356, for Whisper); the times are those of operator.h.
 * Cost:   0.2 ms.
 * Owner:  plain data.
 * Units:  s, byte; a window's frames are the encoder's positions, after its convolutions.
 * Errors: none here; a profile without the constants has no time (false).
 */
#ifndef NF_PERF_SPEECH_H
#define NF_PERF_SPEECH_H

#include <stdbool.h>

#include "perf/calibration.h"

struct nf_speech {
    unsigned encoder_layers, decoder_layers; /* 0: no speech model */
    unsigned hidden, ffn, heads, vocab, frames;
    unsigned bands; /* of the spectrum, two columns a frame */
    double tokens;  /* put out for one window, those that steer the decoder included */
    double published_tokens; /* the same where published figures were measured */
};

/* Seconds of one batch of `windows` that put out `tokens` each. */
bool nf_speech_batch_s(const struct nf_speech *s, const struct nf_host *host,
                       double windows, double tokens, double *out);

#endif
