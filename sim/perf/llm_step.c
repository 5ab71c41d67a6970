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

/* Everything of a step but its attention, with m tokens of which `sampled` sequences get their next. */
static double without_attention_s(const struct nf_llm_cost *c, uint32_t m,
                                  uint32_t sampled)
{
    return c->step_s + m * c->token_s + c->step_overhead_s + rows_s(&c->products, m) +
           rows_s(&c->head, sampled) + sampled * c->sequence_overhead_s;
}

static double decode_attention_s(const struct nf_llm_cost *c, double sequences,
                                 double context)
{
    double t = nf_pnorm(&c->decode_norm, context * c->decode_context_s,
                        sequences * c->decode_sequence_s);
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

double nf_llm_step_s(const struct nf_llm_cost *c, const struct nf_llm_batch *b)
{
    NF_ASSERT(b->prefill_tokens + b->decode_sequences > 0);
    double t =
        without_attention_s(c, b->prefill_tokens + b->decode_sequences, b->sampled);
    double factor = 1;
    if (b->prefill_tokens > 0) {
        t += prefill_attention_s(c, b);
        factor = c->mixed_factor;
    } else {
        t += c->decode_t0_s;
    }
    if (b->decode_sequences > 0) {
        t += factor *
             decode_attention_s(c, b->decode_sequences, (double)b->decode_context);
    }
    return t;
}

/* Steps until the mean length passes its next power of two from 256 on, where the doublings bend. */
static double steps_to_bend(double sequences, double context)
{
    double x = context / sequences / 256;
    int e = 0;
    (void)frexp(x, &e);
    double end = x < 1 ? 1 : ldexp(1, e);
    return ceil((end - x) * 256);
}

/* How many further steps, at most `limit`, keep the decode attention on the straight line on which it is with
 * this context: the line ends where min/max of its two terms passes into the table's next cell. A step more or
 * less by rounding does no harm, as the lines meet there. */
static uint64_t steps_on_line(const struct nf_llm_cost *c, double sequences,
                              double context, uint64_t limit)
{
    if (c->decode_doubling_s > 0) {
        double bend = steps_to_bend(sequences, context);
        limit = bend < (double)limit ? (bend > 1 ? (uint64_t)bend : 1) : limit;
    }
    double a = context * c->decode_context_s;
    double b = sequences * c->decode_sequence_s;
    double end; /* of the line, as a value of a */
    if (a < b) {
        end = (floor(a / b * NF_PNORM_CELLS) + 1) / NF_PNORM_CELLS * b;
    } else {
        double cell = ceil(b / a * NF_PNORM_CELLS) - 1;
        if (!(cell > 0)) {
            return limit;
        }
        end = b * NF_PNORM_CELLS / cell;
    }
    double steps = ceil((end - a) / (sequences * c->decode_context_s));
    if (!(steps > 1)) {
        return 1;
    }
    return steps < (double)limit ? (uint64_t)steps : limit;
}

static double line_sum_s(const struct nf_llm_cost *c, double sequences, double context,
                         uint64_t steps)
{
    double n = (double)steps;
    double first = decode_attention_s(c, sequences, context);
    double last = decode_attention_s(c, sequences, context + (n - 1) * sequences);
    return n * 0.5 * (first + last);
}

double nf_llm_decode_run_s(const struct nf_llm_cost *c, uint32_t sequences,
                           uint64_t context, uint64_t steps)
{
    NF_ASSERT(sequences > 0);
    double n = sequences, s = (double)context;
    double each = without_attention_s(c, sequences, sequences) + c->decode_t0_s;
    double t = (double)steps * each;
    while (steps > 0) {
        uint64_t k = steps_on_line(c, n, s, steps);
        t += line_sum_s(c, n, s, k);
        s += (double)k * n;
        steps -= k;
    }
    return t;
}

uint64_t nf_llm_decode_steps_within(const struct nf_llm_cost *c, uint32_t sequences,
                                    uint64_t context, uint64_t steps, double seconds)
{
    NF_ASSERT(sequences > 0);
    double n = sequences, s = (double)context;
    double each = without_attention_s(c, sequences, sequences) + c->decode_t0_s;
    double t = 0;
    uint64_t done = 0;
    while (done < steps) {
        uint64_t k = steps_on_line(c, n, s, steps - done);
        double line = (double)k * each + line_sum_s(c, n, s, k);
        if (t + line > seconds) {
            uint64_t low = 0, high = k; /* low steps fit, high do not */
            while (high - low > 1) {
                uint64_t mid = low + (high - low) / 2;
                double part = (double)mid * each + line_sum_s(c, n, s, mid);
                *(t + part > seconds ? &high : &low) = mid;
            }
            return done + low;
        }
        t += line;
        s += (double)k * n;
        done += k;
    }
    return done;
}
