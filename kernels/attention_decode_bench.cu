/*
 * attention_decode_bench.cu - checks and shapes of attention_decode.cu.
 *
 * The cache of every measured set has its pages in a scattered order, as after hours of serving; sequences
 * of a batch have one length. Bytes: the cached keys and values once, queries and results once.
 */
#include "device.cuh"
#include "sets.cuh"

extern "C" const nf_version nf_decode_versions[NF_DECODE_VERSIONS];

static nf_decode shape_of(int batch, int context, int heads, int kv_heads)
{
    nf_decode a = {};
    a.batch = batch;
    a.heads = heads;
    a.kv_heads = kv_heads;
    a.dim = 128;
    a.longest = context;
    a.table_width = (context + NF_PAGE - 1) / NF_PAGE;
    a.splits = 1;
    return a;
}

/* A table that names the pages of all sequences in a scattered order: a multiplication modulo the number
 * of pages by a number without common divisor. */
static void scatter(int *table, size_t pages)
{
    size_t step = pages / 2 + 1;
    while (pages > 1) {
        size_t a = step, b = pages;
        while (b != 0) {
            size_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1) {
            break;
        }
        step++;
    }
    for (size_t i = 0; i < pages; i++) {
        table[i] = (int)(pages > 1 ? i * step % pages : 0);
    }
}

/* Lengths and table on the host and the device. */
static bool make_table(nf_bench *b, nf_decode *host, nf_decode *dev, bool uneven)
{
    size_t pages = (size_t)host->batch * (size_t)host->table_width;
    int *lengths = static_cast<int *>(nf_host_get(b, (size_t)host->batch * sizeof(int)));
    int *table = static_cast<int *>(nf_host_get(b, pages * sizeof(int)));
    void *dev_lengths = nf_dev_get(b, (size_t)host->batch * sizeof(int));
    void *dev_table = nf_dev_get(b, pages * sizeof(int));
    if (!nf_ok(b)) {
        return false;
    }
    for (int i = 0; i < host->batch; i++) {
        lengths[i] =
            uneven && i > 0 ? 1 + (host->longest - 1) * i / host->batch : host->longest;
    }
    scatter(table, pages);
    nf_dev_put(b, dev_lengths, lengths, (size_t)host->batch * sizeof(int));
    nf_dev_put(b, dev_table, table, pages * sizeof(int));
    host->lengths = lengths;
    host->table = table;
    dev->lengths = static_cast<int *>(dev_lengths);
    dev->table = static_cast<int *>(dev_table);
    return nf_ok(b);
}

static void check_version(nf_bench *b, nf_decode a, int version, int splits,
                          const float *want)
{
    size_t outs = (size_t)a.batch * (size_t)a.heads * 128;
    nf_tensor out = nf_tensor_poisoned(b, NF_BF16, outs);
    a.splits = splits;
    a.out = out.dev;
    a.work = static_cast<float *>(nf_dev_get(b, nf_decode_work_bytes(&a)));
    nf_dev_set(b, a.work, 0xff, nf_decode_work_bytes(&a));
    if (!nf_ok(b)) {
        return;
    }
    nf_decode_launch(version, &a, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "decode %s", nf_decode_versions[version].name);
    nf_shape(shape, "batch=%d context=%d heads=%d kv_heads=%d splits=%d", a.batch,
             a.longest, a.heads, a.kv_heads, splits);
    nf_check_close(b, what, shape, &out, want, {1e-2, 2e-2, 8e-3});
}

/* What lies in a page past the end of its sequence is nobody's: here NaN. */
static void poison_tails(const nf_decode *a, float *cache)
{
    for (int i = 0; i < a->batch; i++) {
        for (int j = a->lengths[i]; j < a->table_width * NF_PAGE; j++) {
            size_t page = (size_t)a->table[i * a->table_width + j / NF_PAGE];
            for (int g = 0; g < a->kv_heads; g++) {
                size_t row = (page * (size_t)a->kv_heads + (size_t)g) * NF_PAGE +
                             (size_t)(j % NF_PAGE);
                for (size_t d = 0; d < 128; d++) {
                    cache[row * 128 + d] = NAN;
                }
            }
        }
    }
}

static void check_one(nf_bench *b, nf_decode host, int splits)
{
    nf_decode dev = host;
    size_t outs = (size_t)host.batch * (size_t)host.heads * 128;
    size_t cache = (size_t)host.batch * (size_t)host.table_width * (size_t)host.kv_heads *
                   NF_PAGE * 128;
    nf_tensor q = nf_tensor_random(b, NF_BF16, outs, 3.0f);
    nf_tensor k = nf_tensor_random(b, NF_BF16, cache, 1.0f),
              v = nf_tensor_random(b, NF_BF16, cache, 1.0f);
    float *want = static_cast<float *>(nf_host_get(b, outs * sizeof(float)));
    if (!nf_ok(b) || !make_table(b, &host, &dev, true)) {
        return;
    }
    poison_tails(&host, k.host);
    poison_tails(&host, v.host);
    nf_tensor_put(b, &k);
    nf_tensor_put(b, &v);
    nf_decode_reference(want, &host, k.host, v.host, q.host);
    dev.q = q.dev;
    dev.keys = k.dev;
    dev.values = v.dev;
    for (int version = 0; version < NF_DECODE_VERSIONS; version++) {
        check_version(b, dev, version, 1, want);
        if (version != NF_DECODE_PLAIN) {
            check_version(b, dev, version, splits, want);
        }
    }
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    check_one(b, shape_of(3, 151, 8, 2), 3);
    check_one(b, shape_of(1, 7, 3, 1),
              2); /* more parts than pages: one of them is empty */
    check_one(b, shape_of(2, 96, 16, 1), 2);
    if (!b->emulated) {
        check_one(b, shape_of(5, 3001, 32, 8), 7);
        check_one(b, shape_of(2, 4096, 64, 8), 16);
    }
}

static void measure_one(nf_bench *b, int version, int batch, int context, int heads,
                        int kv_heads)
{
    nf_decode host = shape_of(batch, context, heads, kv_heads);
    size_t outs = (size_t)batch * (size_t)heads * 128;
    size_t cache =
        (size_t)batch * (size_t)host.table_width * (size_t)kv_heads * NF_PAGE * 128;
    double moved = 4.0 * (double)batch * context * kv_heads * 128.0 + 4.0 * (double)outs;
    nf_sets<nf_decode> sets = {version, nf_decode_launch, nf_sets_for(b, moved), {}};
    for (int s = 0; s < sets.count; s++) {
        nf_decode dev = host;
        void *q = nf_dev_get(b, outs * 2), *k = nf_dev_get(b, cache * 2),
             *v = nf_dev_get(b, cache * 2);
        nf_dev_random(b, q, NF_BF16, outs, 1.0f);
        nf_dev_random(b, k, NF_BF16, cache, 1.0f);
        nf_dev_random(b, v, NF_BF16, cache, 1.0f);
        if (!nf_ok(b) || !make_table(b, &host, &dev, false)) {
            return;
        }
        dev.q = q;
        dev.keys = k;
        dev.values = v;
        dev.out = nf_dev_get(b, outs * 2);
        dev.splits = nf_decode_splits(b, &dev);
        dev.work = static_cast<float *>(nf_dev_get(b, nf_decode_work_bytes(&dev)));
        sets.set[s] = dev;
    }
    double flop = 4.0 * (double)batch * context * heads * 128.0;
    nf_measure m =
        nf_measure_of("decode", nf_decode_versions[version].name, NF_BF16, flop, moved);
    nf_shape(m.row.shape, "batch=%d context=%d heads=%d kv_heads=%d dim=128 page=%d",
             batch, context, heads, kv_heads, NF_PAGE);
    nf_measure_sets(b, &m, &sets, NF_ROTATED);
    nf_case_end(b);
}

static void say_too_large(const nf_version *v, int batch, int context)
{
    char what[96];
    (void)snprintf(what, sizeof what, "decode %s batch=%d context=%d", v->name, batch,
                   context);
    nf_left_out(what, NF_TOO_LARGE);
}

static void measure_group(nf_bench *b, int heads, int kv_heads, bool all)
{
    const int batches[] = {1, 4, 16, 64, 256},
              contexts[] = {256, 1024, 4096, 8192, 32768};
    for (int batch : batches) {
        for (int context : contexts) {
            double bytes = 4.0 * (double)batch * context * kv_heads * 128.0;
            bool corner = all || batch == 16 || batch == 64 || context == 4096;
            for (int v = 0; v < NF_DECODE_VERSIONS && corner; v++) {
                bool fits =
                    bytes * nf_sets_for(b, bytes) < 0.8 * (double)nf_dev_free_bytes(b);
                bool short_enough = v != NF_DECODE_PLAIN || bytes < 1e9;
                if (!short_enough || !nf_worth(b, &nf_decode_versions[v])) {
                    continue;
                }
                if (fits) {
                    measure_one(b, v, batch, context, heads, kv_heads);
                } else {
                    say_too_large(&nf_decode_versions[v], batch, context);
                }
            }
        }
    }
}

static void measure(nf_bench *b)
{
    measure_group(b, 32, 8, b->scope == NF_FULL); /* Llama-3.1-8B */
    if (b->scope == NF_FULL) {
        measure_group(b, 8, 1, false); /* 70B on 8 ranks */
        measure_group(b, 32, 32, false);
    }
}

extern "C" const nf_op nf_op_decode = {"decode",
                                       "attention over a paged cache",
                                       nf_decode_versions,
                                       NF_DECODE_VERSIONS,
                                       check,
                                       measure,
                                       false,
                                       {0.0, 0.0}};
