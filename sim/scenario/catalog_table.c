/*
 * catalog_table.c - what the catalogue's files may contain, as tables of schema.h.
 */
#include <stdint.h>

#include "scenario/catalog_part.h"

#define LARGE       1e30
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

const char *const nf__origin_words[] = {"measured", "published", "derived", "assumed",
                                        NULL};
static const char *const precisions[] = {"fp32", "tf32", "fp16", "bf16",
                                         "fp8",  "int8", "int4", NULL};
static const char *const laws[] = {"elastic", "padded", NULL};
static const char *const kinds[] = {"dnn", "llm", "diffusion", NULL};
static const char *const tiers[] = {"hyperscaler", "neocloud", NULL};

static const struct nf_field figure_fields[] = {
    {.key = "value",
     .kind = NF_FIELD_NUMBER,
     .low = 0,
     .high = LARGE,
     .flags = NF_REQUIRED | NF_OF_PARENT,
     .offset = offsetof(struct nf__figure, value),
     .help = "The figure with its unit."},
    NF__CITE_FIELDS(struct nf__figure),
};
const struct nf_table nf__figure_table =
    NF_TABLE("figure", "A figure with its origin.", struct nf__figure, figure_fields);

#define FIGURE(name, dim, type, member, what)                                            \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_MAP, .dimension = (dim),                         \
        .table = &nf__figure_table, .offset = offsetof(type, member), .help = (what)     \
    }
#define TEXT(name, type, member, must, what)                                             \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_TEXT, .flags = (must) | NF_FOR_PEOPLE,           \
        .offset = offsetof(type, member), .help = (what)                                 \
    }
#define NAME(key_, type, member, must, what)                                             \
    {                                                                                    \
        .key = (key_), .kind = NF_FIELD_NAME, .flags = (must),                           \
        .offset = offsetof(type, member), .help = (what)                                 \
    }

static const struct nf_field source_fields[] = {
    TEXT("date", struct nf__source, date, NF_REQUIRED, "YYYY, YYYY-MM or YYYY-MM-DD."),
    TEXT("text", struct nf__source, text, NF_REQUIRED, "Where to find it."),
};
const struct nf_table nf__source_table =
    NF_TABLE("source", "Where figures come from.", struct nf__source, source_fields);

#define FORMAT_FIELD(type)                                                               \
    {                                                                                    \
        .key = "format", .kind = NF_FIELD_INT, .low = 1, .high = 1,                      \
        .flags = NF_REQUIRED, .offset = offsetof(type, format),                          \
        .help = "Version of this format.", .example = "1"                                \
    }
#define SOURCES_FIELD(type)                                                              \
    {                                                                                    \
        .key = "sources", .kind = NF_FIELD_NAMED, .table = &nf__source_table,            \
        .flags = NF_REQUIRED | NF_NOT_EMPTY, .offset = offsetof(type, sources),          \
        .help = "The sources that the figures name."                                     \
    }

/* ---- devices ---- */

#define PEAK(name, p) FIGURE(name, NF_DIM_FLOPS, struct nf__peaks, of[p], "Dense peak.")
static const struct nf_field peak_fields[] = {
    PEAK("fp32", NF_FP32), PEAK("tf32", NF_TF32), PEAK("fp16", NF_FP16),
    PEAK("bf16", NF_BF16), PEAK("fp8", NF_FP8),   PEAK("int8", NF_INT8),
};
static const struct nf_table peak_table =
    NF_TABLE("peaks", "Dense peaks by precision.", struct nf__peaks, peak_fields);

#define OF(name, dim, member, what)                                                      \
    FIGURE(name, dim, struct nf__device_entry, member, what)
static const struct nf_field device_fields[] = {
    TEXT("about", struct nf__device_entry, about, NF_REQUIRED, "What it is."),
    OF("memory", NF_DIM_BYTES, memory, "Device memory."),
    OF("reserve", NF_DIM_BYTES, reserve, "Never available to weights and KV cache."),
    OF("bandwidth", NF_DIM_BANDWIDTH, bandwidth, "Memory bandwidth."),
    OF("multiprocessors", NF_DIM_NONE, multiprocessors, "Streaming multiprocessors."),
    OF("l2", NF_DIM_BYTES, l2, "Second-level cache."),
    OF("power", NF_DIM_POWER, power, "Board limit."),
    OF("pcie", NF_DIM_BANDWIDTH, pcie, "To the host, one direction."),
    OF("nvlink", NF_DIM_BANDWIDTH, nvlink, "Between devices, one direction."),
    OF("purchase", NF_DIM_MONEY, purchase, "Price of purchase."),
    {.key = "peak",
     .kind = NF_FIELD_MAP,
     .table = &peak_table,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf__device_entry, peak),
     .help = "Dense peaks by precision."},
};
#undef OF
static const struct nf_table device_table =
    NF_TABLE("device", "A device.", struct nf__device_entry, device_fields);

/* ---- models ---- */

static const struct nf_field anchor_fields[] = {
    FIGURE("latency", NF_DIM_TIME, struct nf__anchor_entry, latency, "One sample alone."),
    FIGURE("throughput", NF_DIM_RATE, struct nf__anchor_entry, throughput,
           "At a full batch."),
    {.key = "batch",
     .kind = NF_FIELD_INT,
     .low = 0,
     .high = 65536,
     .offset = offsetof(struct nf__anchor_entry, batch),
     .fallback = "0",
     .help = "Batch of the throughput; 0: large."},
};
static const struct nf_table anchor_table =
    NF_TABLE("anchor", "Published figures of a model on a device.",
             struct nf__anchor_entry, anchor_fields);

#define DIMENSION(name, member, must)                                                    \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_INT, .low = 1, .high = 1e7, .flags = (must),     \
        .offset = offsetof(struct nf__arch_entry, member),                               \
        .help = "From the model's configuration."                                        \
    }
static const struct nf_field arch_fields[] = {
    {.key = "parameters",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_COUNT_OF,
     .low = 0,
     .high = LARGE,
     .flags = NF_REQUIRED | NF_ABOVE_LOW,
     .offset = offsetof(struct nf__arch_entry, parameters),
     .help = "All parameters; must agree with the layers within 1 %."},
    DIMENSION("layers", layers, NF_REQUIRED),
    DIMENSION("hidden", hidden, NF_REQUIRED),
    DIMENSION("heads", heads, NF_REQUIRED),
    DIMENSION("kv_heads", kv_heads, NF_REQUIRED),
    DIMENSION("head_dim", head_dim, NF_REQUIRED),
    DIMENSION("ffn", ffn, NF_REQUIRED),
    DIMENSION("vocab", vocab, NF_REQUIRED),
    DIMENSION("experts", experts, 0),
    DIMENSION("experts_per_token", experts_per_token, 0),
    DIMENSION("shared_experts", shared_experts, 0),
    DIMENSION("dense_layers", dense_layers, 0),
    DIMENSION("dense_ffn", dense_ffn, 0),
    DIMENSION("kv_rank", kv_rank, 0),
    DIMENSION("q_rank", q_rank, 0),
    DIMENSION("rope_dim", rope_dim, 0),
    DIMENSION("value_dim", value_dim, 0),
    {.key = "qk_norm",
     .kind = NF_FIELD_BOOL,
     .fallback = "false",
     .offset = offsetof(struct nf__arch_entry, qk_norm),
     .help = "Queries and keys are normalised head by head."},
    NF__CITE_FIELDS(struct nf__arch_entry),
};
static const struct nf_table arch_table = NF_TABLE(
    "architecture", "Shape of a language model.", struct nf__arch_entry, arch_fields);

enum {
    DNN = 1U << NF__KIND_DNN,
    LLM = 1U << NF__KIND_LLM,
    DIFFUSION = 1U << NF__KIND_DIFFUSION
};
#define OF(name, dim, member, which, must, what)                                         \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_MAP, .dimension = (dim), .cases = (which),       \
        .flags = (must), .table = &nf__figure_table,                                     \
        .offset = offsetof(struct nf__model_entry, member), .help = (what)               \
    }
#define WORD(name, member, list, which, must, usual)                                     \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_WORD, .words = (list), .cases = (which),         \
        .flags = (must), .fallback = (usual),                                            \
        .offset = offsetof(struct nf__model_entry, member), .help = "See README.md."     \
    }
static const struct nf_field model_fields[] = {
    WORD("kind", kind, kinds, 0, NF_REQUIRED, NULL),
    TEXT("about", struct nf__model_entry, about, NF_REQUIRED, "What it is."),
    WORD("precision", precision, precisions, DNN | DIFFUSION, NF_REQUIRED, NULL),
    WORD("batch_law", batch_law, laws, DNN, 0, "elastic"),
    OF("parameters", NF_DIM_COUNT_OF, parameters, DNN | DIFFUSION, NF_REQUIRED,
       "Parameters."),
    OF("work", NF_DIM_WORK, work, DNN, NF_REQUIRED, "Operations a sample."),
    OF("weights", NF_DIM_BYTES, weights, DNN | DIFFUSION, NF_REQUIRED,
       "Bytes of weights."),
    OF("activations", NF_DIM_BYTES, activations, DNN, NF_REQUIRED,
       "Memory traffic a sample."),
    OF("input", NF_DIM_BYTES, input, DNN, NF_REQUIRED, "Bytes that a sample brings."),
    OF("live", NF_DIM_BYTES, live, DNN, 0,
       "Bytes of a sample that are on the device at once, besides its input."),
    OF("token_parameters", NF_DIM_COUNT_OF, token_parameters, DIFFUSION, 0,
       "Parameters of the denoiser that one token meets."),
    OF("forward_work", NF_DIM_WORK, forward_work, DIFFUSION, 0,
       "Operations of one pass over the usual picture, where layers do not tell."),
    OF("text_work", NF_DIM_WORK, text_work, DIFFUSION, NF_REQUIRED,
       "Operations of the text encoder, once a job."),
    OF("text_weights", NF_DIM_BYTES, text_weights, DIFFUSION, NF_REQUIRED,
       "Bytes of the text encoder."),
    OF("decode", NF_DIM_TIME, decode, DIFFUSION, NF_REQUIRED,
       "Decoder and host, for a million pixels of a frame."),
    OF("token_memory", NF_DIM_BYTES, token_memory, DIFFUSION, NF_REQUIRED,
       "Working memory of a token."),
    {.key = "denoiser",
     .kind = NF_FIELD_MAP,
     .cases = DIFFUSION,
     .flags = NF_REQUIRED,
     .table = &nf__denoiser_table,
     .offset = offsetof(struct nf__model_entry, denoiser),
     .help = "Shape of the denoiser."},
    {.key = "job",
     .kind = NF_FIELD_MAP,
     .cases = DIFFUSION,
     .flags = NF_REQUIRED,
     .table = &nf__job_table,
     .offset = offsetof(struct nf__model_entry, job),
     .help = "What it usually makes."},
    {.key = "speech",
     .kind = NF_FIELD_MAP,
     .cases = DNN,
     .table = &nf__speech_table,
     .offset = offsetof(struct nf__model_entry, speech),
     .help = "Encoder and decoder, for models of speech."},
    {.key = "anchors",
     .kind = NF_FIELD_NAMED,
     .cases = DNN,
     .table = &anchor_table,
     .offset = offsetof(struct nf__model_entry, anchors),
     .fallback = "{}",
     .help = "Published figures, by device."},
    WORD("weights_precision", weights_precision, precisions, LLM, NF_REQUIRED, NULL),
    WORD("kv_precision", kv_precision, precisions, LLM, 0, "bf16"),
    {.key = "architecture",
     .kind = NF_FIELD_MAP,
     .cases = LLM,
     .flags = NF_REQUIRED,
     .table = &arch_table,
     .offset = offsetof(struct nf__model_entry, architecture),
     .help = "Shape of the model."},
};
#undef OF
static const struct nf_table model_table = {
    .name = "model",
    .help = "A model.",
    .size = sizeof(struct nf__model_entry),
    .fields = model_fields,
    .field_count = COUNT_OF(model_fields),
    .tag = "kind",
};

/* ---- prices, links ---- */

#define PRICE(name, dim, member)                                                         \
    FIGURE(name, dim, struct nf__price_entry, member, "Price.")
#define WHAT TEXT("what", struct nf__price_entry, what, NF_REQUIRED, "What is priced.")
#define PROVIDER                                                                         \
    TEXT("provider", struct nf__price_entry, provider, NF_REQUIRED, "Who asks it.")

static const struct nf_field gpu_hour_fields[] = {
    NAME("device", struct nf__price_entry, device, NF_REQUIRED, "A device."),
    PROVIDER,
    {.key = "tier",
     .kind = NF_FIELD_WORD,
     .words = tiers,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf__price_entry, tier),
     .help = "Kind of provider."},
    {.key = "spot",
     .kind = NF_FIELD_BOOL,
     .offset = offsetof(struct nf__price_entry, spot),
     .fallback = "false",
     .help = "May be taken away."},
    PRICE("price", NF_DIM_MONEY_RATE, price),
};
static const struct nf_field token_fields[] = {
    NAME("model", struct nf__price_entry, model, NF_REQUIRED, "The provider's model."),
    PROVIDER,
    PRICE("input", NF_DIM_MONEY_TOKEN, input),
    PRICE("output", NF_DIM_MONEY_TOKEN, output),
};
static const struct nf_field request_fields[] = {
    WHAT,
    PROVIDER,
    PRICE("price", NF_DIM_MONEY_REQUEST, price),
};
static const struct nf_field egress_fields[] = {
    WHAT,
    PROVIDER,
    PRICE("price", NF_DIM_MONEY_BYTES, price),
};
static const struct nf_field electricity_fields[] = {
    WHAT,
    PRICE("price", NF_DIM_MONEY_ENERGY, price),
};
static const struct nf_field pue_fields[] = {
    WHAT,
    PRICE("factor", NF_DIM_NONE, factor),
};
#define PRICE_TABLE(name, fields)                                                        \
    NF_TABLE(name, "A price.", struct nf__price_entry, fields)
static const struct nf_table price_tables[] = {
    PRICE_TABLE("GPU-hour", gpu_hour_fields),
    PRICE_TABLE("token price", token_fields),
    PRICE_TABLE("request price", request_fields),
    PRICE_TABLE("egress price", egress_fields),
    PRICE_TABLE("electricity price", electricity_fields),
    PRICE_TABLE("power usage effectiveness", pue_fields)};

static const struct nf_field link_fields[] = {
    TEXT("about", struct nf__link_entry, about, NF_REQUIRED, "What it joins."),
    FIGURE("rtt", NF_DIM_TIME, struct nf__link_entry, rtt, "Typical round trip."),
    FIGURE("rtt_p99", NF_DIM_TIME, struct nf__link_entry, rtt_p99, "99th percentile."),
    FIGURE("loss", NF_DIM_FRACTION, struct nf__link_entry, loss, "Packets lost."),
    FIGURE("down", NF_DIM_BANDWIDTH, struct nf__link_entry, down, "Towards the user."),
    FIGURE("up", NF_DIM_BANDWIDTH, struct nf__link_entry, up, "From the user."),
};
static const struct nf_table link_table =
    NF_TABLE("link", "A class of links.", struct nf__link_entry, link_fields);

/* ---- the files ---- */

#define ENTRIES(name, entry_table, member)                                               \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_NAMED, .table = (entry_table),                   \
        .flags = NF_REQUIRED | NF_NOT_EMPTY,                                             \
        .offset = offsetof(struct nf__catalog_root, member), .help = "By name."          \
    }
#define ROOT_FIELDS                                                                      \
    FORMAT_FIELD(struct nf__catalog_root), SOURCES_FIELD(struct nf__catalog_root)

static const struct nf_field device_root[] = {ROOT_FIELDS,
                                              ENTRIES("devices", &device_table, entries)};
static const struct nf_field model_root[] = {ROOT_FIELDS,
                                             ENTRIES("models", &model_table, entries)};
static const struct nf_field price_root[] = {
    ROOT_FIELDS,
    ENTRIES("gpu_hours", &price_tables[0], prices.gpu_hours),
    ENTRIES("tokens", &price_tables[1], prices.tokens),
    ENTRIES("requests", &price_tables[2], prices.requests),
    ENTRIES("egress", &price_tables[3], prices.egress),
    ENTRIES("electricity", &price_tables[4], prices.electricity),
    ENTRIES("pue", &price_tables[5], prices.pue)};
static const struct nf_field link_root[] = {ROOT_FIELDS,
                                            ENTRIES("links", &link_table, entries)};

const char *const nf__section_names[NF__SECTIONS + 1] = {"devices", "models", "prices",
                                                         "links", NULL};
const struct nf_table nf__catalog_tables[NF__SECTIONS] = {
    NF_TABLE("devices file", "Devices.", struct nf__catalog_root, device_root),
    NF_TABLE("models file", "Models.", struct nf__catalog_root, model_root),
    NF_TABLE("prices file", "Prices.", struct nf__catalog_root, price_root),
    NF_TABLE("links file", "Links.", struct nf__catalog_root, link_root)};

size_t nf__catalog_price_lists(const struct nf__price_file *p,
                               const struct nf_list *lists[6])
{
    const struct nf_list *all[6] = {&p->gpu_hours, &p->tokens,      &p->requests,
                                    &p->egress,    &p->electricity, &p->pue};
    for (size_t i = 0; i < 6; i++) {
        lists[i] = all[i];
    }
    return 6;
}
