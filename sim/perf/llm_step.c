#include <math.h>

#include "base/status.h"
#include "perf/llm.h"

/* Everything of a step but its attention, with m tokens of which `sampled` sequences get their next. */
static double without_attention_s(const struct nf_llm_cost *c, double m, double sampled)
{
    const struct nf_llm_gemm *g = c->gemm;
    double t = c->step_s + m * c->token_s + c->step_overhead_s;
    t += nf_pnorm(&c->gemm_norm, m * g[NF_LLM_QKV].compute_s, g[NF_LLM_QKV].memory_s);
    t += nf_pnorm(&c->gemm_norm, m * g[NF_LLM_OUTPUT].compute_s,
                  g[NF_LLM_OUTPUT].memory_s);
    /* m tokens that pick k of E experts at random touch E (1 - (1 - k/E)^m) of them. */
    double touched = c->experts > 0 ? -expm1(m * c->expert_log) : 1;
    t += nf_pnorm(&c->gemm_norm, m * g[NF_LLM_UP_GATE].compute_s,
                  touched * g[NF_LLM_UP_GATE].memory_s);
    t += nf_pnorm(&c->gemm_norm, m * g[NF_LLM_DOWN].compute_s,
                  touched * g[NF_LLM_DOWN].memory_s);
    if (sampled > 0) {
        t += c->head_t0_s + sampled * c->sequence_overhead_s +
             nf_pnorm(&c->head_norm, sampled * c->head.compute_s, c->head.memory_s);
    }
    return t;
}

static double decode_attention_s(const struct nf_llm_cost *c, double sequences,
                                 double context)
{
    return nf_pnorm(&c->decode_norm, context * c->decode_context_s,
                    sequences * c->decode_sequence_s);
}

double nf_llm_step_s(const struct nf_llm_cost *c, const struct nf_llm_batch *b)
{
    double prefill = b->prefill_tokens, decode = b->decode_sequences;
    NF_ASSERT(prefill + decode > 0);
    double t = without_attention_s(c, prefill + decode, b->sampled);
    double factor = 1;
    if (prefill > 0) {
        t += c->prefill_t0_s +
             nf_pnorm(&c->prefill_norm, b->prefill_pairs * c->prefill_pair_s,
                      prefill * c->prefill_token_s +
                          (double)b->prefill_context * c->prefill_context_s);
        factor = c->mixed_factor;
    } else {
        t += c->decode_t0_s;
    }
    if (decode > 0) {
        t += factor * decode_attention_s(c, decode, (double)b->decode_context);
    }
    return t;
}

/* How many further steps, at most `limit`, keep the decode attention on the straight line on which it is with
 * this context: the line ends where min/max of its two terms passes into the table's next cell. A step more or
 * less by rounding does no harm, as the lines meet there. */
static uint64_t steps_on_line(const struct nf_llm_cost *c, double sequences,
                              double context, uint64_t limit)
{
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
    double each = without_attention_s(c, n, n) + c->decode_t0_s;
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
    double each = without_attention_s(c, n, n) + c->decode_t0_s;
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
