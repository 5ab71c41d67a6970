#include <math.h>

#include "base/status.h"
#include "perf/llm.h"
#include "perf/operator.h"

static double rows_s(const struct nf_llm_rows *t, uint32_t rows)
{
    const int sixteens = NF_ROWS_EACH,
              hundreds = NF_ROWS_EACH + (NF_ROWS_16 - NF_ROWS_EACH) / 16;
    int point;
    double part;
    if (rows <= NF_ROWS_EACH) {
        return t->s[rows];
    }
    if (rows < NF_ROWS_16) {
        uint32_t beyond = rows - NF_ROWS_EACH;
        point = sixteens + (int)(beyond / 16);
        part = (beyond % 16) / 16.0;
    } else if (rows < NF_ROWS_128) {
        uint32_t beyond = rows - NF_ROWS_16;
        point = hundreds + (int)(beyond / 128);
        part = (beyond % 128) / 128.0;
    } else {
        point = NF_ROWS_POINTS - 2;
        part = 1 + (rows - NF_ROWS_128) / 128.0;
    }
    return t->s[point] + part * (t->s[point + 1] - t->s[point]);
}

/* Everything of a step but its attention, with m tokens of which `sampled` sequences get their next; the host's part unless it runs
 * beside the GPU. */
static double without_attention_s(const struct nf_llm_cost *c, uint32_t m,
                                  uint32_t sampled)
{
    double step = c->async_scheduling ? 0 : c->step_overhead_s;
    double sequence = c->async_scheduling ? 0 : c->sequence_overhead_s;
    return c->step_s + m * c->token_s + step + rows_s(&c->products, m) +
           rows_s(&c->head, sampled) + sampled * sequence;
}

/* Each sequence asks once, and once for each token guessed after it, over one read of its context. */
static double decode_attention_s(const struct nf_llm_cost *c, double sequences,
                                 double guesses, double context)
{
    double t = nf_pnorm(&c->decode_norm, context * c->decode_context_s,
                        (sequences + guesses) * c->decode_sequence_s);
    if (c->decode_doubling_s > 0) {
        t += c->decode_doubling_s * nf_doublings(context / sequences / 256);
    }
    return t;
}

static double prefill_attention_s(const struct nf_llm_cost *c,
                                  const struct nf_llm_batch *b)
{
    double work = b->prefill_pairs * c->prefill_pair_s;
    if (c->prefill_slowdown > 0) {
        work *=
            exp(c->prefill_slowdown * log1p(b->prefill_pairs / c->prefill_slow_pairs));
    }
    double spread = work + b->prefill_tokens * c->prefill_token_s +
                    (double)b->prefill_context * c->prefill_context_s;
    uint32_t tiles = (b->prefill_longest + 127) / 128;
    double one = tiles * c->prefill_tile_s;
    if (one > 0) {
        spread = cbrt(spread * spread * spread + one * one * one);
    }
    return nf_pnorm(&c->prefill_norm, c->prefill_t0_s, spread);
}

double nf_llm_head_s(const struct nf_llm_cost *c, const struct nf_llm_batch *b)
{
    return rows_s(&c->head, b->sampled + b->draft_tokens);
}

/* What guesses add to a step besides their rows: the head for each of them, and the draft model, which takes a stated part of a plain
 * decode step for each guess in a row (Leviathan et al. 2023: c). */
static double speculation_s(const struct nf_llm_cost *c, const struct nf_llm_batch *b)
{
    uint32_t n = b->decode_sequences;
    double plain = without_attention_s(c, n, n) + c->decode_t0_s +
                   decode_attention_s(c, n, 0, (double)b->decode_context);
    return rows_s(&c->head, b->sampled + b->draft_tokens) - rows_s(&c->head, b->sampled) +
           c->draft_tokens * c->draft_cost * plain;
}

static unsigned rows_outside(const struct nf_llm_rows *t, uint32_t rows, unsigned shorter,
                             unsigned longer)
{
    return rows < t->low ? shorter : rows > t->high ? longer : 0;
}

static unsigned span_outside(const struct nf_llm_span *x, double seconds,
                             unsigned shorter, unsigned longer)
{
    return seconds < x->low_s ? shorter : seconds > x->high_s ? longer : 0;
}

double nf_llm_priced_s(const struct nf_llm_cost *c, const struct nf_llm_batch *b,
                       unsigned *outside)
{
    NF_ASSERT(b->prefill_tokens + b->decode_sequences > 0);
    uint32_t rows = b->prefill_tokens + b->decode_sequences + b->draft_tokens;
    double t = without_attention_s(c, rows, b->sampled);
    double factor = 1;
    unsigned out =
        rows_outside(&c->products, rows, NF_OUTSIDE_LAYERS_SHORT, NF_OUTSIDE_LAYERS_LONG);
    if (b->sampled > 0) {
        out |= rows_outside(&c->head, b->sampled + b->draft_tokens, NF_OUTSIDE_HEAD_SHORT,
                            NF_OUTSIDE_HEAD_LONG);
    }
    if (b->draft_tokens > 0) {
        t += speculation_s(c, b);
    }
    if (b->prefill_tokens > 0) {
        double attention = prefill_attention_s(c, b);
        out |= span_outside(&c->prefill_span, attention, NF_OUTSIDE_PREFILL_SHORT,
                            NF_OUTSIDE_PREFILL_LONG);
        t += attention;
        factor = c->mixed_factor;
    } else {
        t += c->decode_t0_s;
    }
    if (b->decode_sequences > 0) {
        double attention = decode_attention_s(c, b->decode_sequences, b->draft_tokens,
                                              (double)b->decode_context);
        out |= span_outside(&c->decode_span, attention, NF_OUTSIDE_DECODE_SHORT,
                            NF_OUTSIDE_DECODE_LONG);
        t += factor * attention;
    }
    *outside = c->has_range ? out : 0;
    if (c->async_scheduling) {
        double host = c->step_overhead_s + b->sampled * c->sequence_overhead_s;
        return t > host ? t : host;
    }
    return t;
}

double nf_llm_step_s(const struct nf_llm_cost *c, const struct nf_llm_batch *b)
{
    unsigned ignored;
    return nf_llm_priced_s(c, b, &ignored);
}
