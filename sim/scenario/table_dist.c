/* The distributions: parameters people know, in the unit of the value that is drawn. */
#include "scenario/decl.h"

#define AT(member) .offset = offsetof(struct nf_dist_decl, member)
#define OF_PARENT  .kind = NF_FIELD_NUMBER, .flags = NF_OF_PARENT, .low = 0, .high = 1e15
#define OF_PARENT_REQUIRED                                                               \
    .kind = NF_FIELD_NUMBER, .flags = NF_OF_PARENT | NF_REQUIRED, .low = 0, .high = 1e15
#define FOR(kind) (1u << NF_DIST_##kind)

/* In the order of enum nf_dist_kind; a test compares them with nf_dist_names(). */
static const char *const kinds[] = {
    "constant", "uniform", "exponential",      "normal",    "lognormal", "gamma",
    "weibull",  "pareto",  "hyperexponential", "empirical", "mixture",   NULL};

static const struct nf_field name_fields[] = {
    {.key = "name",
     .kind = NF_FIELD_NAME,
     .offset = offsetof(struct nf_name_decl, text),
     .help = "A name declared elsewhere in the file."},
};

const struct nf_table nf_table_name = {.name = "name",
                                       .help = "A name declared elsewhere in the file.",
                                       .shape = NF_SHAPE_SCALAR,
                                       .size = sizeof(struct nf_name_decl),
                                       .fields = name_fields,
                                       .field_count = 1};

static const struct nf_field quantile_fields[] = {
    {.key = "probability",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .offset = offsetof(struct nf_quantile_decl, p),
     .help = "Share of the draws that are at most the value.",
     .example = "99%"},
    {.key = "value",
     OF_PARENT,
     .offset = offsetof(struct nf_quantile_decl, value),
     .help = "The quantile."},
};

static const struct nf_table quantile_table = {
    .name = "quantile",
    .help = "A point of the distribution function.",
    .shape = NF_SHAPE_TUPLE,
    .size = sizeof(struct nf_quantile_decl),
    .fields = quantile_fields,
    .field_count = 2};

static const struct nf_field part_fields[] = {
    {.key = "weight",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .flags = NF_REQUIRED | NF_ABOVE_LOW,
     .offset = offsetof(struct nf_part_decl, weight),
     .help = "Share of the draws that come from this part; all shares make 100 %.",
     .example = "30%"},
    {.key = "of",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .flags = NF_REQUIRED | NF_OF_PARENT,
     .offset = offsetof(struct nf_part_decl, of),
     .help = "The part's distribution.",
     .example = "{distribution: exponential, mean: 5ms}"},
};

static const struct nf_table part_table = {.name = "mixture part",
                                           .help = "One part of a mixture.",
                                           .size = sizeof(struct nf_part_decl),
                                           .fields = part_fields,
                                           .field_count = 2,
                                           .is_inline = true};

static const struct nf_field dist_fields[] = {
    {.key = "distribution",
     .kind = NF_FIELD_WORD,
     .words = kinds,
     .flags = NF_REQUIRED,
     AT(kind),
     .help = "Which distribution.",
     .example = "lognormal"},
    {.key = "value",
     OF_PARENT_REQUIRED,
     AT(value),
     .cases = FOR(CONSTANT),
     .help = "The value of every draw."},
    {.key = "min",
     OF_PARENT_REQUIRED,
     AT(min),
     .cases = FOR(UNIFORM),
     .help = "Smallest value."},
    {.key = "max",
     OF_PARENT_REQUIRED,
     AT(max),
     .cases = FOR(UNIFORM),
     .help = "Largest value."},
    {.key = "mean",
     OF_PARENT_REQUIRED,
     AT(mean),
     .cases = FOR(EXPONENTIAL) | FOR(NORMAL) | FOR(GAMMA) | FOR(WEIBULL) |
              FOR(HYPEREXPONENTIAL),
     .help = "Mean of the draws."},
    {.key = "mean",
     OF_PARENT,
     AT(mean),
     .cases = FOR(LOGNORMAL) | FOR(PARETO),
     .help = "Mean of the draws (lognormal: with cv; pareto: instead of min, for a shape "
             "above 1)."},
    {.key = "sd",
     OF_PARENT,
     AT(sd),
     .cases = FOR(NORMAL),
     .help = "Standard deviation; or give cv. Draws below 0 become 0."},
    {.key = "cv",
     .kind = NF_FIELD_NUMBER,
     .low = 0,
     .high = 1e3,
     AT(cv),
     .cases = FOR(NORMAL) | FOR(LOGNORMAL),
     .help = "Coefficient of variation: standard deviation over mean.",
     .example = "1.5"},
    {.key = "cv",
     .kind = NF_FIELD_NUMBER,
     .low = 0,
     .high = 1e3,
     .flags = NF_REQUIRED,
     AT(cv),
     .cases = FOR(GAMMA) | FOR(WEIBULL) | FOR(HYPEREXPONENTIAL),
     .help = "Coefficient of variation: standard deviation over mean (hyperexponential: "
             "at least 1).",
     .example = "1.5"},
    {.key = "median",
     OF_PARENT,
     AT(median),
     .cases = FOR(LOGNORMAL),
     .help = "Half of the draws are below it; with p99, instead of mean and cv."},
    {.key = "p99",
     OF_PARENT,
     AT(p99),
     .cases = FOR(LOGNORMAL),
     .help = "99 % of the draws are below it; with median."},
    {.key = "min",
     OF_PARENT,
     AT(min),
     .cases = FOR(PARETO),
     .help = "Smallest value; or give mean."},
    {.key = "shape",
     .kind = NF_FIELD_NUMBER,
     .low = 0,
     .high = 1e3,
     .flags = NF_REQUIRED | NF_ABOVE_LOW,
     AT(shape),
     .cases = FOR(PARETO),
     .help = "Exponent of the tail; the mean exists above 1, the variance above 2.",
     .example = "2.5"},
    {.key = "quantiles",
     .kind = NF_FIELD_LIST,
     .table = &quantile_table,
     .flags = NF_OF_PARENT,
     AT(quantiles),
     .cases = FOR(EMPIRICAL),
     .help =
         "Points of the distribution function, rising from 0% to 100%; straight lines "
         "between them.",
     .example = "[[0%, 5ms], [50%, 8ms], [100%, 40ms]]"},
    {.key = "file",
     .kind = NF_FIELD_TEXT,
     AT(file),
     .cases = FOR(EMPIRICAL),
     .help = "Instead of quantiles: a file of observed values, one a line, each with its "
             "unit.",
     .example = "traces/rtt.txt"},
    {.key = "parts",
     .kind = NF_FIELD_LIST,
     .table = &part_table,
     .flags = NF_REQUIRED | NF_OF_PARENT | NF_NOT_EMPTY,
     AT(parts),
     .cases = FOR(MIXTURE),
     .help = "The parts of the mixture.",
     .example = "[{weight: 90%, of: 5ms}, {weight: 10%, of: {distribution: exponential, "
                "mean: 80ms}}]"},
    {.key = "shift",
     OF_PARENT,
     AT(shift),
     .fallback = "0",
     .help = "Added to every draw: what even the luckiest draw takes."},
};

const struct nf_table nf_table_dist = {
    .name = "distribution",
    .help = "A number, or {distribution: NAME, ...} for a random value.",
    .size = sizeof(struct nf_dist_decl),
    .fields = dist_fields,
    .field_count = sizeof dist_fields / sizeof dist_fields[0],
    .tag = "distribution",
    .shorthand = "value",
    .shorthand_case = "constant",
    .is_inline = true};
