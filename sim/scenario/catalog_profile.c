/*
 * catalog_profile.c - what a calibration profile may contain, as tables of schema.h.
 */
#include "scenario/catalog_part.h"

#define CURVE(name, member_, dim, low_, high_, more)                                     \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_NUMBER, .dimension = (dim), .low = (low_),       \
        .high = (high_), .flags = (more),                                                \
        .offset = offsetof(struct nf__curve_entry, member_), .help = "See README.md."    \
    }
#define T0 CURVE("t0", curve.t0_s, NF_DIM_TIME, 0, 1, NF_REQUIRED)
#define EC CURVE("ec", curve.ec, NF_DIM_NONE, 0, 1, NF_REQUIRED | NF_ABOVE_LOW)
#define EM CURVE("em", curve.em, NF_DIM_NONE, 0, 1, NF_REQUIRED | NF_ABOVE_LOW)
#define P  CURVE("p", curve.p, NF_DIM_NONE, 1, 30, NF_REQUIRED)
#define FITTED                                                                           \
    CURVE("error_median", error_median, NF_DIM_FRACTION, 0, 1, 0),                       \
        CURVE("error_p90", error_p90, NF_DIM_FRACTION, 0, 10, 0),                        \
        CURVE("shortest", shortest, NF_DIM_TIME, 0, 1e6, NF_ABOVE_LOW),                  \
        CURVE("longest", longest, NF_DIM_TIME, 0, 1e6, NF_ABOVE_LOW),                    \
    {                                                                                    \
        .key = "rows", .kind = NF_FIELD_INT, .low = 1, .high = 1e9,                      \
        .offset = offsetof(struct nf__curve_entry, rows),                                \
        .help = "Measured rows that were fitted or held out."                            \
    }
#define MORE(name, member, dim, high_) CURVE(name, curve.member, dim, 0, high_, 0)
#define SPEEDUP                        MORE("cache_speedup", cache_speedup, NF_DIM_NONE, 100)
#define SLOWDOWN                       MORE("slowdown", slowdown, NF_DIM_NONE, 1)
#define CITE                           NF__CITE_FIELDS(struct nf__curve_entry)

static const struct nf_field gemm_fields[] = {
    T0,
    EC,
    EM,
    P,
    CURVE("quantise", curve.extra, NF_DIM_NONE, 0, 1, NF_ABOVE_LOW),
    MORE("t0_log", t0_log_s, NF_DIM_TIME, 1),
    MORE("k_fill", k_fill, NF_DIM_NONE, 1e5),
    MORE("k_start", k_start, NF_DIM_NONE, 1e5),
    MORE("n_start", n_start, NF_DIM_NONE, 1e5),
    MORE("tile_fill", tile_fill, NF_DIM_NONE, 1e4),
    MORE("wave", wave, NF_DIM_NONE, 1),
    SLOWDOWN,
    MORE("reread", reread, NF_DIM_NONE, 1),
    MORE("em_drop", em_drop, NF_DIM_NONE, 0.9),
    MORE("p_growth", p_growth, NF_DIM_NONE, 4),
    FITTED,
    CITE};
static const struct nf_field prefill_fields[] = {
    T0,
    EC,
    EM,
    P,
    MORE("kv_weight", kv_weight, NF_DIM_NONE, 100),
    MORE("tile", tile_s, NF_DIM_TIME, 1),
    SLOWDOWN,
    FITTED,
    CITE};
static const struct nf_field network_fields[] = {T0, EC, EM, P, FITTED, CITE};
static const struct nf_field decode_fields[] = {
    T0,
    EM,
    P,
    CURVE("per_kv_head", curve.extra, NF_DIM_TIME, 0, 1, NF_REQUIRED),
    MORE("per_query_head", query_head_s, NF_DIM_TIME, 1),
    MORE("per_doubling", doubling_s, NF_DIM_TIME, 1),
    SPEEDUP,
    FITTED,
    CITE};
static const struct nf_field elementwise_fields[] = {T0, EM, SPEEDUP, FITTED, CITE};
static const struct nf_field quantize_fields[] = {T0, EM, FITTED, CITE};
static const struct nf_field copy_fields[] = {T0,
                                              CURVE("bandwidth", bus_bandwidth,
                                                    NF_DIM_BANDWIDTH, 0, 1e15,
                                                    NF_REQUIRED | NF_ABOVE_LOW),
                                              FITTED, CITE};
static const struct nf_field launch_fields[] = {
    T0, CURVE("each", curve.each_s, NF_DIM_TIME, 0, 1, NF_REQUIRED), FITTED, CITE};
static const struct nf_field long_attention_fields[] = {EC, CITE};
static const struct nf_field allreduce_fields[] = {
    T0,
    CURVE("bus_bandwidth", bus_bandwidth, NF_DIM_BANDWIDTH, 0, 1e15,
          NF_REQUIRED | NF_ABOVE_LOW),
    MORE("two_shot", two_shot_s, NF_DIM_TIME, 1), FITTED, CITE};

#define CURVE_TABLE(name, fields)                                                        \
    NF_TABLE(name, "Constants of a class of operations.", struct nf__curve_entry, fields)
static const struct nf_table gemm_curve = CURVE_TABLE("matrix product", gemm_fields);
static const struct nf_table prefill = CURVE_TABLE("prefill attention", prefill_fields);
static const struct nf_table network = CURVE_TABLE("network", network_fields);
static const struct nf_table decode = CURVE_TABLE("decode attention", decode_fields);
static const struct nf_table elementwise =
    CURVE_TABLE("element-wise pass", elementwise_fields);
static const struct nf_table quantize = CURVE_TABLE("quantising pass", quantize_fields);
static const struct nf_table convolution = CURVE_TABLE("convolution", network_fields);
static const struct nf_table copy_curve = CURVE_TABLE("copy over PCIe", copy_fields);
static const struct nf_table launch_curve = CURVE_TABLE("launch", launch_fields);
static const struct nf_table long_attention =
    CURVE_TABLE("long attention", long_attention_fields);
static const struct nf_table allreduce = CURVE_TABLE("all-reduce", allreduce_fields);

#define IN(name, p)                                                                      \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_MAP, .table = &gemm_curve,                       \
        .offset = offsetof(struct nf__gemm_entry, of[p]), .help = "Constants."           \
    }
static const struct nf_field precision_fields[] = {
    IN("fp32", NF_FP32), IN("tf32", NF_TF32), IN("fp16", NF_FP16), IN("bf16", NF_BF16),
    IN("fp8", NF_FP8),   IN("int8", NF_INT8), IN("int4", NF_INT4)};
static const struct nf_table precision_table =
    NF_TABLE("matrix products", "By precision.", struct nf__gemm_entry, precision_fields);

#define COPY(name, c)                                                                    \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_MAP, .table = &copy_curve,                       \
        .offset = offsetof(struct nf__copy_entry, of[c]), .help = "Constants."           \
    }
static const struct nf_field pcie_fields[] = {
    COPY("to_device", NF_COPY_TO_DEVICE), COPY("to_host", NF_COPY_TO_HOST),
    COPY("to_device_pageable", NF_COPY_TO_DEVICE_PAGEABLE),
    COPY("to_host_pageable", NF_COPY_TO_HOST_PAGEABLE)};
static const struct nf_table pcie_table =
    NF_TABLE("copies over PCIe", "By direction and memory of the host.",
             struct nf__copy_entry, pcie_fields);

#define LAUNCH(name, l)                                                                  \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_MAP, .table = &launch_curve,                     \
        .offset = offsetof(struct nf__launch_entry, of[l]), .help = "Constants."         \
    }
static const struct nf_field launches_fields[] = {
    LAUNCH("kernels", NF_LAUNCH_KERNELS),
    LAUNCH("graph", NF_LAUNCH_GRAPH),
    LAUNCH("kernels_enqueue", NF_LAUNCH_KERNELS_ENQUEUE),
    LAUNCH("graph_enqueue", NF_LAUNCH_GRAPH_ENQUEUE),
    LAUNCH("kernels_round_trip", NF_LAUNCH_KERNELS_ROUND_TRIP),
    LAUNCH("graph_round_trip", NF_LAUNCH_GRAPH_ROUND_TRIP)};
static const struct nf_table launches_table = NF_TABLE(
    "launches", "One by one, or as one graph; on the device, or what the host spends.",
    struct nf__launch_entry, launches_fields);

#define CLASS(name, table_, member)                                                      \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_MAP, .table = (table_),                          \
        .offset = offsetof(struct nf__profile_entry, member), .help = "Constants."       \
    }
static const struct nf_field profile_fields[] = {
    {.key = "format",
     .kind = NF_FIELD_INT,
     .low = 1,
     .high = 1,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf__profile_entry, format),
     .help = "Version of this format.",
     .example = "1"},
    {.key = "device",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf__profile_entry, device),
     .help = "A device of the catalogue.",
     .example = "H100"},
    {.key = "about",
     .kind = NF_FIELD_TEXT,
     .flags = NF_REQUIRED | NF_FOR_PEOPLE,
     .offset = offsetof(struct nf__profile_entry, about),
     .help = "What was measured."},
    {.key = "sources",
     .kind = NF_FIELD_NAMED,
     .table = &nf__source_table,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     .offset = offsetof(struct nf__profile_entry, sources),
     .help = "The sources that the constants name."},
    CLASS("gemm", &precision_table, gemm),
    CLASS("prefill_attention", &prefill, prefill),
    CLASS("decode_attention", &decode, decode),
    CLASS("encoder_attention", &prefill, encoder),
    CLASS("elementwise", &elementwise, elementwise),
    CLASS("quantize", &quantize, quantize),
    CLASS("convolution", &convolution, convolution),
    CLASS("pcie", &pcie_table, pcie),
    CLASS("launch", &launches_table, launch),
    CLASS("network", &network, network),
    CLASS("long_attention", &long_attention, long_attention),
    {.key = "allreduce",
     .kind = NF_FIELD_NAMED,
     .table = &allreduce,
     .offset = offsetof(struct nf__profile_entry, allreduce),
     .fallback = "{}",
     .help = "By number of devices: 2, 4, 8."},
    CLASS("mixed_factor", &nf__figure_table, mixed_factor),
};
const struct nf_table nf__profile_table =
    NF_TABLE("calibration profile", "Constants of a device.", struct nf__profile_entry,
             profile_fields);
