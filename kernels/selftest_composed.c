/* Claims about the references of the composed runs and of what they are made of. */
#include <math.h>

#include "decoder.h"
#include "diffusion_block.h"
#include "resnet.h"
#include "selftest.h"

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance; /* false for NaN */
}

static bool kv_append_by_hand(void)
{
    /* Slot 19 is row 3 of page 1; two heads of one number. */
    float keys[2 * 2 * NF_PAGE] = {0}, values[2 * 2 * NF_PAGE] = {0};
    const float k[] = {1, 2, 3, 4}, v[] = {5, 6, 7, 8};
    const int slots[] = {19, 0};
    const float *const from[2] = {k, v};
    const struct nf_kv_append a = {
        .tokens = 2, .kv_heads = 2, .dim = 1, .stride = 2, .slots = slots};
    nf_kv_append_reference(keys, values, from, &a);
    return near((double)keys[2 * NF_PAGE + 3], 1, 0) &&
           near((double)keys[3 * NF_PAGE + 3], 2, 0) && near((double)keys[0], 3, 0) &&
           near((double)values[NF_PAGE], 8, 0) && near((double)values[1], 0, 0);
}

static bool modulate_by_hand(void)
{
    /* x + gate y = (1, 3): mean 2, deviation 1; normed (-1, 1); times (1 + scale), plus shift. */
    float x[] = {0, 2}, out[2];
    const float y[] = {2, 1}, gate[] = {0.5f, 1}, scale[] = {1, 0.5f}, shift[] = {0, 10};
    const struct nf_modulate_host h = {y, gate, scale, shift};
    const struct nf_modulate a = {.rows = 1, .width = 2};
    nf_modulate_reference(out, x, &h, &a);
    return near((double)x[0], 1, 0) && near((double)x[1], 3, 0) &&
           near((double)out[0], -2, 1e-6) && near((double)out[1], 11.5, 1e-6);
}

static bool gelu_by_hand(void)
{
    const float x[] = {0, 1, -1, 20};
    float out[4];
    nf_gelu_reference(out, x, 4);
    /* tanh form: gelu(1) = 0.841192, gelu(1) - gelu(-1) = 1. */
    return near((double)out[0], 0, 0) && near((double)out[1], 0.841192, 1e-6) &&
           near((double)out[1] + (double)out[2], 0.682384, 2e-6) &&
           near((double)out[3], 20, 1e-6);
}

/* --- a small decoder layer ----------------------------------------------------------------------------- */

enum { HIDDEN = 8, HEADS = 2, KV_HEADS = 1, DIM = 4, FFN = 6, ROWS = 7, PAGES = 4 };
enum { PROJECTED = (HEADS + 2 * KV_HEADS) * DIM };

struct small {
    float norm_in[HIDDEN], norm_mid[HIDDEN], qkv[PROJECTED * HIDDEN],
        out[HIDDEN * HEADS * DIM], gate_up[2 * FFN * HIDDEN], down[HIDDEN * FFN];
    float keys[PAGES * NF_PAGE * KV_HEADS * DIM],
        values[PAGES * NF_PAGE * KV_HEADS * DIM];
    int positions[ROWS], slots[ROWS], table[PAGES], lengths[ROWS];
    float scratch[ROWS * (HIDDEN + 2 * PROJECTED + HEADS * DIM + 3 * FFN)];
    struct nf_layer_values w;
    struct nf_decoder_plan plan;
};

static void fill(float *v, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = nf_bf16_to_float(nf_bf16_from_float(nf_uniform(seed, i)));
    }
}

static void make(struct small *s, int queries, int decode, int decode_context)
{
    fill(s->norm_in, HIDDEN, 1);
    fill(s->norm_mid, HIDDEN, 2);
    fill(s->qkv, PROJECTED * HIDDEN, 3);
    fill(s->out, HIDDEN * HEADS * DIM, 4);
    fill(s->gate_up, 2 * FFN * HIDDEN, 5);
    fill(s->down, HIDDEN * FFN, 6);
    s->w = (struct nf_layer_values){s->norm_in, s->qkv,  s->out,  s->norm_mid,
                                    s->gate_up, s->down, s->keys, s->values};
    s->plan = (struct nf_decoder_plan){
        .shape = {NULL, HIDDEN, HEADS, KV_HEADS, DIM, FFN, 1, 1, 0, 100.0f},
        .tokens = {queries, decode, decode_context},
        .rows = queries + decode,
        .table_width = (decode_context + NF_PAGE - 1) / NF_PAGE,
        .positions = s->positions,
        .slots = s->slots,
        .table = s->table,
        .lengths = s->lengths};
    s->plan.pages = nf_decoder_pages(&s->plan.tokens);
    nf_decoder_place(&s->plan);
}

/* A prompt's last token, computed with the whole prompt, equals one decoding step on the cache that the rest of
 * the prompt left behind. */
static bool a_decoding_step_continues_a_prompt(void)
{
    static struct small prompt,
        step; /* too large for some stacks; tests run one by one */
    float residual[ROWS * HIDDEN], x[ROWS * HIDDEN], last[2][HIDDEN];
    fill(residual, ROWS * HIDDEN, 11);
    fill(x, ROWS * HIDDEN, 12);
    for (size_t i = 0; i < HIDDEN; i++) {
        last[0][i] = residual[(ROWS - 1) * HIDDEN + i];
        last[1][i] = x[(ROWS - 1) * HIDDEN + i];
    }
    make(&prompt, ROWS, 0, 0);
    nf_layer_reference(residual, x, &prompt.w, &prompt.plan, prompt.scratch);
    make(&step, 0, 1, ROWS);
    for (size_t t = 0; t + 1 < ROWS; t++) {
        size_t from = (size_t)prompt.slots[t] * DIM;
        size_t to = ((size_t)step.table[0] * NF_PAGE + t) * DIM;
        for (size_t d = 0; d < DIM; d++) {
            step.keys[to + d] = prompt.keys[from + d];
            step.values[to + d] = prompt.values[from + d];
        }
    }
    nf_layer_reference(last[0], last[1], &step.w, &step.plan, step.scratch);
    bool same = true;
    for (size_t i = 0; i < HIDDEN; i++) {
        same = same &&
               near((double)last[0][i], (double)residual[(ROWS - 1) * HIDDEN + i], 2e-2);
        same = same && near((double)last[1][i], (double)x[(ROWS - 1) * HIDDEN + i], 2e-2);
        same = same && !near((double)last[1][i], (double)x[i], 1e-6);
    }
    return same;
}

static bool every_token_has_a_place_of_its_own(void)
{
    int positions[40], slots[40], table[3 * 2], lengths[3];
    struct nf_decoder_plan p = {.tokens = {37, 3, 18},
                                .rows = 40,
                                .table_width = 2,
                                .positions = positions,
                                .slots = slots,
                                .table = table,
                                .lengths = lengths};
    p.pages = nf_decoder_pages(&p.tokens); /* 3 and 3 times 2 */
    nf_decoder_place(&p);
    bool right =
        p.pages == 9 && positions[36] == 36 && positions[37] == 17 && lengths[2] == 18;
    for (int i = 0; i < 40; i++) {
        right = right && slots[i] >= 0 && slots[i] < 9 * NF_PAGE;
        for (int j = 0; j < i; j++) {
            right = right && slots[i] != slots[j];
        }
    }
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 37; j++) {
            right = right && slots[j] / NF_PAGE != table[i];
        }
    }
    return right && slots[39] == table[5] * NF_PAGE + 1;
}

static bool decoder_work_is_counted_by_hand(void)
{
    /* Llama-3.1-8B: 218 103 808 weights a layer. One decoding token at context 1000: twice the weights and
     * 4 x 4096 x 1000 operations; on 8 ranks an eighth. */
    struct nf_decoder_plan p = {
        .shape = {"llama-3.1-8b", 4096, 32, 8, 128, 14336, 1, 1, 0, 500000.0f},
        .tokens = {0, 1, 1000},
        .rows = 1};
    double one = nf_decoder_flop(&p), bytes = nf_decoder_bytes(&p);
    p.shape.ranks = 8;
    double eighth = nf_decoder_flop(&p);
    p.shape.ranks = 1;
    p.shape.vocab = 128256;
    double head = nf_decoder_flop(&p) - one;
    return near(one, 2.0 * 218103808 + 4.0 * 4096 * 1000, 1) &&
           near(eighth * 8, one, 1) && near(head, 2.0 * 4096 * 128256, 1) &&
           near(bytes, 2.0 * (218103808 + 8192) + 8.0 * 4096 + 4096.0 * 1001, 1);
}

static bool resnet_has_its_published_size(void)
{
    /* torchvision's ResNet-50: 25 557 032 parameters, of which 53 120 are the scales and shifts of batch norm; folded,
     * each pair of them is one bias (26 560). Our picture has 8 channels: 5 x 49 x 64 weights more. Published:
     * 4.09 G multiply-adds. */
    struct nf_resnet net;
    const struct nf_resnet_shape shape = {1, 224, 64, 1000, {3, 4, 6, 3}};
    nf_resnet_plan(&net, &shape);
    size_t want = 25557032 - 26560 + 5 * 49 * 64;
    return nf_resnet_weights(&net) == want &&
           near(nf_resnet_flop(&net), 8.18e9, 0.01e9) && net.count == 53 + 1 + 2;
}

static bool resnet_buffers_hold_what_is_read(void)
{
    /* A step reads what an earlier one left, of the size that it expects, and never writes what it reads. */
    struct nf_resnet net;
    size_t held[6] = {0};
    bool right = true;
    const struct nf_resnet_shape shape = {3, 97, 16, 10, {2, 3, 1, 2}};
    nf_resnet_plan(&net, &shape);
    held[NF_RESNET_PICTURE] = 97 * 97 * 8;
    for (int i = 0; i < net.count; i++) {
        const struct nf_resnet_step *s = &net.steps[i];
        bool conv = s->kind == NF_RESNET_CONVOLUTION;
        int size = conv ? s->conv.height : s->pool.height;
        size_t edge = (size_t)size,
               channels = (size_t)(conv ? s->conv.channels : s->pool.channels),
               filters = conv ? (size_t)s->conv.filters : channels,
               out = (size_t)(conv ? nf_conv2d_out(size, &s->conv)
                                   : nf_pool2d_out(size, &s->pool));
        size_t wrote = out * out * filters;
        right = right && held[s->from] == edge * edge * channels && s->from != s->to &&
                s->add != s->to && (s->add == NF_RESNET_NONE || held[s->add] == wrote) &&
                (s->to >= 4 || 3 * wrote <= nf_resnet_buffer(&shape));
        held[s->to] = wrote;
    }
    return right && held[NF_RESNET_LOGITS] == 10;
}

static bool a_closed_gate_leaves_the_picture(void)
{
    enum { TOKENS = 3, WIDTH = 8, WIDE = 6 };
    float x[TOKENS * WIDTH], before[TOKENS * WIDTH], vectors[NF_VECTORS * WIDTH] = {0};
    float w[4 * WIDTH * WIDTH], scratch[TOKENS * (9 * WIDTH + 2 * WIDE)];
    const struct nf_block_shape s = {TOKENS, WIDTH, 2, WIDE};
    const struct nf_block_values values = {vectors, w, w, w, w};
    fill(x, TOKENS * WIDTH, 21);
    fill(before, TOKENS * WIDTH, 21);
    fill(w, 4 * WIDTH * WIDTH, 22);
    nf_block_reference(x, &values, &s, scratch);
    bool same = nf_block_scratch_floats(&s) == sizeof scratch / sizeof *scratch;
    for (size_t i = 0; i < TOKENS * WIDTH; i++) {
        same = same && near((double)x[i], (double)before[i], 0);
    }
    vectors[NF_GATE_2 * WIDTH + 5] =
        1.0f; /* opens one column for the feed-forward part */
    nf_block_reference(x, &values, &s, scratch);
    for (size_t i = 0; i < TOKENS * WIDTH; i++) {
        bool moved = !near((double)x[i], (double)before[i], 1e-4);
        same = same && moved == (i % WIDTH == 5);
    }
    return same && near(nf_block_flop(&s), 2.0 * 3 * (4 * 64 + 2 * 48) + 4.0 * 9 * 8, 0);
}

#define CLAIM(f)                                                                         \
    {                                                                                    \
#f, f                                                                            \
    }
static const struct nf_selftest tests[] = {
    CLAIM(kv_append_by_hand),
    CLAIM(modulate_by_hand),
    CLAIM(gelu_by_hand),
    CLAIM(a_decoding_step_continues_a_prompt),
    CLAIM(every_token_has_a_place_of_its_own),
    CLAIM(decoder_work_is_counted_by_hand),
    CLAIM(resnet_has_its_published_size),
    CLAIM(resnet_buffers_hold_what_is_read),
    CLAIM(a_closed_gate_leaves_the_picture),
};

const struct nf_selftest *nf_selftests_composed(int *count)
{
    *count = (int)(sizeof tests / sizeof *tests);
    return tests;
}
