#include "perf/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "perf/samples_part.h"

enum { COLUMNS_MAX = 6, WRONG_MAX = 20 };

#define HALF_COPIES 3 /* of the six that ran in turn */

static const struct nf_place nowhere;

struct reader {
    struct nf_samples *out;
    const struct nf_device *device;
    const struct nf_llm_arch *arch;
    struct nf_diags *diags;
    const struct kind *kind;
    int column[COLUMNS_MAX];
    double number[COLUMNS_MAX]; /* of the row at hand; text columns: 0 */
    bool is_prefill;
};

/* A kind of file: its columns, the last of which is the time. */
struct kind {
    const char *columns[COLUMNS_MAX + 1];
    int words; /* so many columns at the start are words */
    bool needs_arch;
    bool repeats; /* a shape may be measured more than once */
    bool (*take)(struct reader *r, size_t row, struct nf_sample *s);
};

const char *nf_operation_name(enum nf_operation o)
{
    static const char *const names[NF_OPERATIONS] = {
        "gemm",  "prefill",  "decode",      "encoder", "allreduce", "elementwise",
        "mixed", "quantize", "convolution", "copy",    "launch",    "other"};
    return names[o];
}

static enum nf_precision half_of(const struct reader *r)
{
    return nf_device_half(r->device);
}

/* ---- rows of each kind ---- */

static bool take_gemm(struct reader *r, size_t row, struct nf_sample *s)
{
    static const struct {
        const char *word;
        enum nf_precision precision;
    } words[] = {{"bfloat16", NF_BF16}, {"bf16", NF_BF16}, {"float16", NF_FP16},
                 {"fp16", NF_FP16},     {"fp8", NF_FP8},   {"int8", NF_INT8}};
    const char *cell = nf_csv_cell(&r->out->csv, row, r->column[0]);
    size_t i = 0, n = sizeof words / sizeof words[0];
    while (i < n && strcmp(words[i].word, cell) != 0) {
        i++;
    }
    if (i == n) {
        (void)nf_csv_error(&r->out->csv, row, r->column[0], NF_E_REFERENCE, r->diags,
                           "row %zu: unknown precision \"%.40s\": bfloat16, float16, fp8 "
                           "or int8",
                           row + 1, cell);
        return false;
    }
    double m = r->number[1], out = r->number[2], in = r->number[3];
    double bytes = nf_precision_bytes(words[i].precision);
    s->operation = NF_OPERATION_GEMM;
    s->precision = words[i].precision;
    s->shape.gemm = (struct nf_gemm_shape){.m = m,
                                           .n = out,
                                           .k = in,
                                           .matrices = 1,
                                           .weight_bytes = bytes,
                                           .is_cached = HALF_COPIES * bytes * out * in <=
                                                        r->device->l2_bytes};
    s->site = nf_hash_mix((uint64_t)out, (uint64_t)in);
    if (!(r->device->peak[s->precision] > 0)) {
        s->not_predicted = "the device has no units for this precision";
    }
    return true;
}

static void set_prefill(struct nf_sample *s, const double shape[3], double sequences,
                        double tokens, double context)
{
    s->operation = NF_OPERATION_PREFILL;
    s->shape.prefill =
        (struct nf_prefill_shape){.pairs = sequences * tokens * (context + tokens / 2),
                                  .tokens = sequences * tokens,
                                  .context = sequences * context,
                                  .longest = context + tokens,
                                  .heads = shape[0],
                                  .kv_heads = shape[1],
                                  .head_dim = shape[2],
                                  .kv_bytes = 2};
}

static struct nf_decode_shape decode_of(const struct reader *r, const double shape[3],
                                        double sequences, double length)
{
    struct nf_decode_shape d = {.sequences = sequences,
                                .context = sequences * length,
                                .heads = shape[0],
                                .kv_heads = shape[1],
                                .head_dim = shape[2],
                                .kv_bytes = 2};
    d.is_cached =
        4 * d.context * d.kv_heads * d.head_dim <= NF__CACHE_SHARE * r->device->l2_bytes;
    return d;
}

static bool take_attention(struct reader *r, size_t row, struct nf_sample *s)
{
    (void)row;
    const double *x = r->number;
    double shape[3] = {x[0], x[1] > 0 ? x[1] : x[0], x[2]};
    s->site = nf_hash_mix((uint64_t)shape[0], (uint64_t)shape[1]);
    if (r->is_prefill) {
        set_prefill(s, shape, x[3], x[4], 0);
        if (x[4] < 2) {
            s->not_predicted = "a prompt of one token: decode attention prices it";
        }
    } else {
        s->operation = NF_OPERATION_DECODE;
        s->shape.decode = decode_of(r, shape, x[3], x[4]);
    }
    return true;
}

static bool take_encoder(struct reader *r, size_t row, struct nf_sample *s)
{
    (void)row;
    const double *x = r->number;
    s->operation = NF_OPERATION_ENCODER;
    s->shape.prefill = (struct nf_prefill_shape){.pairs = x[2] * x[3] * x[3],
                                                 .tokens = x[2] * x[3],
                                                 .longest = x[3],
                                                 .heads = x[0],
                                                 .kv_heads = x[0],
                                                 .head_dim = x[1],
                                                 .kv_bytes = 2};
    s->site = nf_hash_mix((uint64_t)x[0], (uint64_t)x[1]);
    return true;
}

static bool take_collective(struct reader *r, size_t row, struct nf_sample *s)
{
    const char *system = nf_csv_cell(&r->out->csv, row, r->column[0]);
    const char *impl = nf_csv_cell(&r->out->csv, row, r->column[1]);
    const char *op = nf_csv_cell(&r->out->csv, row, r->column[2]);
    double ranks = r->number[3], bytes = r->number[4];
    s->operation = NF_OPERATION_ALLREDUCE;
    s->ranks = (unsigned)ranks;
    s->shape.bytes = bytes;
    s->site = (uint64_t)bytes;
    if (!nf_device_is_named(r->device, system)) {
        s->not_predicted = "a collective of another device";
    } else if (strcmp(op, "all_reduce") != 0 || strstr(impl, "graph") == NULL) {
        s->not_predicted = "not the all-reduce inside an engine's CUDA graph";
    } else if (ranks != 2 && ranks != 4 && ranks != 8) {
        s->not_predicted = "2, 4 and 8 devices are modelled";
    } else if (bytes > NF__MESSAGE_MAX) {
        s->not_predicted = "a larger message than an iteration has";
    }
    return true;
}

static bool take_layer(struct reader *r, size_t row, struct nf_sample *s)
{
    const struct nf_llm_arch *a = r->arch;
    const char *layer = nf_csv_cell(&r->out->csv, row, r->column[0]);
    double rows = r->number[1], hidden = a->hidden, dim = a->head_dim, ffn = a->ffn;
    double heads = a->heads, kv_heads = a->kv_heads;
    const struct {
        const char *name;
        double n, k, values; /* a product, or values read and written a token */
    } layers[] = {{"qkv_proj", (heads + 2 * kv_heads) * dim, hidden, 0},
                  {"o_proj", hidden, heads * dim, 0},
                  {"gate_up_proj", 2 * ffn, hidden, 0},
                  {"down_proj", hidden, ffn, 0},
                  {"lm_head", a->vocab, hidden, 0},
                  {"layernorm", 0, 0, 4 * hidden},
                  {"rotary_emb", 0, 0, 2 * (heads + kv_heads) * dim},
                  {"act_fn", 0, 0, 3 * ffn}};
    size_t i = 0, n = sizeof layers / sizeof layers[0];
    while (i < n && strcmp(layers[i].name, layer) != 0) {
        i++;
    }
    s->operation = NF_OPERATION_ELEMENTWISE;
    s->precision = half_of(r);
    s->site = (uint64_t)rows; /* few shapes: whole row counts are held out */
    if (i == n) {
        s->not_predicted = "not a layer that the iteration model has";
    } else if (layers[i].values > 0) {
        double bytes = 2 * layers[i].values * rows;
        s->shape.pass =
            (struct nf_pass_shape){bytes, bytes <= NF__CACHE_SHARE * r->device->l2_bytes};
    } else {
        s->operation = NF_OPERATION_GEMM;
        s->shape.gemm = (struct nf_gemm_shape){.m = rows,
                                               .n = layers[i].n,
                                               .k = layers[i].k,
                                               .matrices = 1,
                                               .weight_bytes = 2};
    }
    return true;
}

static bool take_model_attention(struct reader *r, size_t row, struct nf_sample *s)
{
    (void)row;
    const double *x = r->number;
    const struct nf_llm_arch *a = r->arch;
    double shape[3] = {a->heads, a->kv_heads, a->head_dim};
    bool prefills = x[0] > 0, decodes = x[2] > 0;
    s->site = nf_hash_mix((uint64_t)x[0], (uint64_t)x[2]);
    if (prefills) {
        set_prefill(s, shape, 1, x[0], x[1]);
    }
    if (decodes) {
        struct nf_decode_shape d = decode_of(r, shape, x[2], x[3]);
        *(prefills ? &s->beside : &s->shape.decode) = d;
        s->operation = prefills ? NF_OPERATION_MIXED : NF_OPERATION_DECODE;
    }
    if (!prefills && !decodes) {
        s->operation = NF_OPERATION_MIXED;
        s->not_predicted = "no tokens at all";
    }
    return true;
}

static const struct kind kinds[] = {
    {.columns = {"gemm_dtype", "m", "n", "k", "latency_us"},
     .words = 1,
     .take = take_gemm},
    {.columns = {"num_heads", "num_key_value_heads", "head_dim", "batch_size", "ctx",
                 "latency_us"},
     .take = take_attention},
    {.columns = {"num_heads", "head_dim", "batch_size", "isl", "latency_us"},
     .take = take_encoder},
    {.columns = {"system", "impl", "op", "num_gpus", "message_bytes", "latency_us"},
     .words = 3,
     .repeats = true,
     .take = take_collective},
    {.columns = {"layer", "tokens", "time_us"},
     .words = 1,
     .needs_arch = true,
     .take = take_layer},
    {.columns = {"layer", "sequences", "time_us"},
     .words = 1,
     .needs_arch = true,
     .take = take_layer},
    {.columns = {"prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"},
     .needs_arch = true,
     .take = take_model_attention}};

/* ---- plausibility ---- */

/* Least time that the device needs at its data-sheet peaks, with data in the cache for free. */
static double least_s(const struct nf_device *d, const struct nf_sample *s)
{
    double half = d->peak[nf_device_half(d)], bandwidth = d->bandwidth;
    if (s->operation == NF_OPERATION_GEMM) {
        const struct nf_gemm_shape *g = &s->shape.gemm;
        double memory = g->is_cached ? 0 : g->weight_bytes * g->n * g->k / bandwidth;
        return fmax(2 * g->m * g->n * g->k / d->peak[s->precision], memory);
    }
    if (s->operation == NF_OPERATION_PREFILL || s->operation == NF_OPERATION_ENCODER) {
        const struct nf_prefill_shape *g = &s->shape.prefill;
        return 4 * g->pairs * g->heads * g->head_dim / half;
    }
    if (s->operation == NF_OPERATION_DECODE && !s->shape.decode.is_cached) {
        const struct nf_decode_shape *g = &s->shape.decode;
        double bytes = 2 * g->kv_bytes * g->context * g->kv_heads * g->head_dim;
        return (bytes - d->l2_bytes) / bandwidth;
    }
    if (s->operation == NF_OPERATION_CONVOLUTION) {
        return s->shape.work.work / half;
    }
    if (s->operation == NF_OPERATION_COPY && d->pcie_bandwidth > 0) {
        return s->shape.bytes / d->pcie_bandwidth;
    }
    bool is_pass =
        s->operation == NF_OPERATION_ELEMENTWISE || s->operation == NF_OPERATION_QUANTIZE;
    if (is_pass && !s->shape.pass.is_cached) {
        return (s->shape.pass.bytes - d->l2_bytes) / bandwidth;
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void nf_samples_check_times(const struct nf_timed_rows *rows,
                            const struct nf_device *device, struct nf_arena *arena,
                            struct nf_diags *diags)
{
    size_t count = rows->count;
    double *ratio = NF_NEW_ARRAY(arena, count, double);
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const struct nf_timed *t = &rows->times[i];
        if (t->seconds < 0.7 * t->least_s && wrong++ < WRONG_MAX) {
            (void)nf_csv_error(
                rows->csv, t->row, rows->column, NF_E_RANGE, diags,
                "row %zu: %.4g us, but %s at its peak needs %.4g us; microseconds "
                "are expected",
                t->row + 1, t->seconds * 1e6, device->name, t->least_s * 1e6);
        }
        ratio[i] = t->seconds / (t->least_s + 50e-6);
    }
    qsort(ratio, count, sizeof *ratio, by_number);
    if (count > 0 && wrong == 0 && ratio[count / 2] > 60) {
        (void)nf_csv_error(rows->csv, 0, rows->column, NF_E_RANGE, diags,
                           "half of the times are more than %.0f times what %s needs at "
                           "its peak; microseconds are expected",
                           ratio[count / 2], device->name);
    }
}

void nf__samples_check_times(struct nf_samples *o, const struct nf_device *device,
                             int column, struct nf_arena *arena, struct nf_diags *diags)
{
    struct nf_timed *times = NF_NEW_ARRAY(arena, o->count, struct nf_timed);
    size_t n = 0;
    for (size_t i = 0; i < o->count; i++) {
        struct nf_sample *s = &o->items[i];
        if (!s->not_predicted) {
            times[n++] = (struct nf_timed){i, s->seconds, least_s(device, s)};
        }
    }
    struct nf_timed_rows rows = {&o->csv, column, times, n};
    nf_samples_check_times(&rows, device, arena, diags);
}

/* ---- a shape measured twice ---- */

struct key {
    uint64_t hash;
    size_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

static void check_duplicates(struct reader *r, struct nf_arena *arena)
{
    struct nf_samples *o = r->out;
    struct key *keys = NF_NEW_ARRAY(arena, o->count, struct key);
    int shape_columns = 0, wrong = 0;
    while (r->kind->columns[shape_columns + 1]) {
        shape_columns++;
    }
    for (size_t i = 0; i < o->count; i++) {
        uint64_t h = 0;
        for (int c = 0; c < shape_columns; c++) {
            h = nf_hash_mix(h, nf_hash_name(nf_csv_cell(&o->csv, i, r->column[c])));
        }
        keys[i] = (struct key){h, i};
    }
    qsort(keys, o->count, sizeof *keys, by_key);
    for (size_t i = 1; i < o->count; i++) {
        if (keys[i].hash == keys[i - 1].hash && wrong++ < WRONG_MAX) {
            (void)nf_csv_error(&o->csv, keys[i].row, r->column[0], NF_E_KEY, r->diags,
                               "row %zu: the shape of row %zu again", keys[i].row + 1,
                               keys[i - 1].row + 1);
        }
    }
}

/* ---- files ---- */

static bool find_kind(struct reader *r)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct kind *k = &kinds[i];
        int found = 0, wanted = 0;
        for (; k->columns[wanted]; wanted++) {
            r->column[wanted] = nf_csv_column(&r->out->csv, k->columns[wanted]);
            found += r->column[wanted] >= 0;
        }
        if (found == wanted) {
            r->kind = k;
            r->column[COLUMNS_MAX - 1] = r->column[wanted - 1];
            return true;
        }
    }
    (void)nf_diag_add(r->diags, NF_E_KEY, (struct nf_place){r->out->csv.file, 1, 0}, "",
                      "columns: gemm_dtype, m, n, k, latency_us; or num_heads, "
                      "num_key_value_heads, head_dim, batch_size, ctx, latency_us; or an "
                      "LLMServingSim profile table",
                      "these are not the columns of measured operations");
    return false;
}

static bool has_word(const char *path, const char *a, const char *b)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return strstr(name, a) != NULL || strstr(name, b) != NULL;
}

static bool check_kind(struct reader *r)
{
    struct nf_place place = {r->out->csv.file, 1, 0};
    if (r->kind->needs_arch && !r->arch) {
        (void)nf_diag_add(r->diags, NF_E_USAGE, place, "", "say --model NAME",
                          "these are layers of one model, and it is not known which");
        return false;
    }
    if (r->kind->take != take_attention) {
        return true;
    }
    r->is_prefill = has_word(r->out->csv.file, "context", "prefill");
    if (r->is_prefill == has_word(r->out->csv.file, "generation", "decode")) {
        (void)nf_diag_add(r->diags, NF_E_USAGE, place, "",
                          "name it ..._context_attention.csv or "
                          "..._generation_attention.csv",
                          "the file's name does not tell prefill from decode attention");
        return false;
    }
    return true;
}

static bool read_row(struct reader *r, size_t row, struct nf_sample *s)
{
    bool ok = true;
    int last = 0;
    for (int c = 0; r->kind->columns[c]; c++) {
        bool is_time = r->kind->columns[c + 1] == NULL;
        last = c;
        if (c < r->kind->words) {
            continue;
        }
        ok = nf_csv_number(&r->out->csv, row, r->column[c],
                           (struct nf_csv_range){is_time ? 1e-3 : 0, 1e10}, r->diags,
                           &r->number[c]) &&
             ok;
    }
    *s = (struct nf_sample){
        .seconds = r->number[last] * 1e-6, .row = row, .line = r->out->csv.lines[row]};
    return ok && r->kind->take(r, row, s);
}

enum nf_status nf_samples_read(const char *path, const struct nf_device *device,
                               const struct nf_llm_arch *arch, struct nf_arena *arena,
                               struct nf_diags *diags, struct nf_samples *out)
{
    int errors = diags->errors;
    *out = (struct nf_samples){0};
    if (nf_kernel_file_is(path)) {
        return nf__samples_of_kernels(path, device, arena, diags, out);
    }
    enum nf_status s = nf_csv_read(path, nowhere, arena, diags, &out->csv);
    if (s != NF_OK) {
        return s;
    }
    struct reader r = {.out = out, .device = device, .arch = arch, .diags = diags};
    if (!find_kind(&r) || !check_kind(&r)) {
        return nf_diags_status(diags);
    }
    out->count = out->csv.rows;
    out->items = NF_NEW_ARRAY(arena, out->count, struct nf_sample);
    for (size_t i = 0; i < out->count && diags->errors - errors < WRONG_MAX; i++) {
        (void)read_row(&r, i, &out->items[i]);
    }
    if (diags->errors == errors) {
        if (!r.kind->repeats) {
            check_duplicates(&r, arena);
        }
        nf__samples_check_times(out, device, r.column[COLUMNS_MAX - 1], arena, diags);
    }
    return diags->errors == errors ? NF_OK : nf_diags_status(diags);
}

/* ---- held-out sites ---- */

struct site {
    uint64_t group, order, site;
    size_t index; /* in its group */
};

static int by_site(const void *a, const void *b)
{
    const struct site *x = a, *y = b;
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    if (x->order != y->order) {
        return x->order < y->order ? -1 : 1;
    }
    return (x->site > y->site) - (x->site < y->site);
}

static struct site site_of(const struct nf_sample *s)
{
    uint64_t group =
        (((uint64_t)s->operation * 64 + (uint64_t)s->precision) * 64 + s->ranks) * 8 +
        s->which;
    /* A few message sizes: every second in order, so that both halves span the range. */
    uint64_t order = s->order > 0 ? s->order
                     : s->operation == NF_OPERATION_ALLREDUCE
                         ? s->site
                         : nf_hash_mix(s->site, 0x5eed);
    return (struct site){group, order, s->site, 0};
}

void nf_samples_split(struct nf_sample *const *samples, size_t count,
                      struct nf_arena *arena)
{
    struct site *sites = NF_NEW_ARRAY(arena, count, struct site);
    for (size_t i = 0; i < count; i++) {
        sites[i] = site_of(samples[i]);
    }
    qsort(sites, count, sizeof *sites, by_site);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (n > 0 && by_site(&sites[n - 1], &sites[i]) == 0) {
            continue;
        }
        bool is_same = n > 0 && sites[n - 1].group == sites[i].group;
        sites[i].index = is_same ? sites[n - 1].index + 1 : 0;
        sites[n++] = sites[i];
    }
    for (size_t i = 0; i < count; i++) {
        struct site key = site_of(samples[i]);
        const struct site *at = bsearch(&key, sites, n, sizeof *sites, by_site);
        samples[i]->is_held_out = at->index % 2 == 1;
    }
}
