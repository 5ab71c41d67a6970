/*
 * catalog_part.h - shared by catalog*.c: the catalogue as its files hold it.
 *
 * What:   one struct a kind of map, filled by the tables of catalog_table.c. A struct that cites a source starts with
 *         struct nf__cite; its table has the keys origin, source, date and note.
 * Owner:  everything lives in the catalogue's arena.
 * Units:  SI.
 */
#ifndef NF_SCENARIO_CATALOG_PART_H
#define NF_SCENARIO_CATALOG_PART_H

#include "scenario/catalog.h"
#include "scenario/schema.h"

struct nf__cite {
    struct nf_object at;
    int origin; /* enum nf_provenance */
    const char *source, *date, *note;
    const char *source_text; /* resolved by nf__catalog_check */
};

struct nf__source {
    struct nf_object at;
    const char *date, *text;
};

struct nf__figure {
    struct nf__cite cite;
    double value;
};

struct nf__peaks {
    struct nf_object at;
    struct nf__figure of[NF_PRECISIONS];
};

struct nf__device_entry {
    struct nf_object at;
    const char *about;
    struct nf__figure memory, reserve, bandwidth, multiprocessors, l2, power, pcie,
        nvlink, purchase;
    struct nf__peaks peak;
};

struct nf__anchor_entry {
    struct nf_object at;
    struct nf__figure latency, throughput;
    int64_t batch;
};

struct nf__arch_entry {
    struct nf__cite cite;
    double parameters;
    int64_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab, experts,
        experts_per_token, shared_experts, dense_layers, dense_ffn, kv_rank, q_rank,
        rope_dim, value_dim;
    bool qk_norm;
};

/* What is made when nothing else is said, and the shape of what makes it. */
struct nf__job_entry {
    struct nf_object at;
    int64_t width, height, frames, steps, forwards;
    bool offload;
};

struct nf__speech_entry {
    struct nf__cite cite;
    int64_t encoder_layers, decoder_layers, hidden, ffn, heads, vocab, frames, bands;
    double tokens;
};

struct nf__denoiser_entry {
    struct nf__cite cite;
    int64_t layers, hidden, patch, frame_stride, text_tokens;
    int text; /* 0: joined, 1: cross attention */
};

enum { NF__KIND_DNN, NF__KIND_LLM, NF__KIND_DIFFUSION };

struct nf__model_entry {
    struct nf_object at;
    int kind;
    const char *about;
    int precision, batch_law;
    struct nf__figure parameters, work, weights, activations, input, live;
    struct nf_list anchors; /* struct nf__anchor_entry, by device */
    int weights_precision, kv_precision;
    struct nf__arch_entry architecture;
    struct nf__denoiser_entry denoiser;
    struct nf__figure token_parameters, forward_work, text_work, text_weights, decode,
        token_memory;
    struct nf__job_entry job;
    struct nf__speech_entry speech;
};

struct nf__price_entry { /* fields that a section does not have stay absent */
    struct nf_object at;
    const char *device, *model, *provider, *what;
    int tier;
    bool spot;
    struct nf__figure price, input, output, factor;
};

struct nf__link_entry {
    struct nf_object at;
    const char *about;
    struct nf__figure rtt, rtt_p99, loss, down, up;
};

struct nf__curve_entry {
    struct nf__cite cite;
    struct nf_curve curve; /* NAN: absent */
    double bus_bandwidth, error_median, error_p90, shortest, longest;
    int64_t rows;
};

struct nf__copy_entry {
    struct nf_object at;
    struct nf__curve_entry of[NF_COPIES];
};

struct nf__launch_entry {
    struct nf_object at;
    struct nf__curve_entry of[NF_LAUNCHES];
};

struct nf__gemm_entry {
    struct nf_object at;
    struct nf__curve_entry of[NF_PRECISIONS];
};

struct nf__profile_entry {
    struct nf_object at;
    int64_t format;
    struct nf_list sources;
    const char *device, *about;
    struct nf__gemm_entry gemm;
    struct nf__curve_entry prefill, decode, encoder, elementwise, network, long_attention,
        quantize, convolution;
    struct nf__copy_entry pcie;
    struct nf__launch_entry launch;
    struct nf_list allreduce; /* struct nf__curve_entry, by number of devices */
    struct nf__figure mixed_factor;
};

struct nf__price_file {
    struct nf_list gpu_hours, tokens, requests, egress, electricity, pue;
};

/* The root of each catalogue file; only one of the parts is used. */
struct nf__catalog_root {
    struct nf_object at;
    int64_t format;
    struct nf_list sources;
    struct nf_list entries; /* devices, models, links */
    struct nf__price_file prices;
};

enum nf__section { NF__DEVICES, NF__MODELS, NF__PRICES, NF__LINKS, NF__SECTIONS };

struct nf_catalog {
    struct nf__catalog_root root[NF__SECTIONS];
    const char *const *names[NF__SECTIONS];
    struct nf__profile_entry *profiles;
    size_t profile_count;
    const char *const *profile_names; /* ended by NULL */
    struct nf_device *devices;
    struct nf_calibration *calibrations; /* one a profile */
    struct nf_dnn_model *dnns;
    struct nf_llm_arch *llms;
    struct nf_diffusion_model *diffusions;
    struct nf_diffusion_job *jobs; /* one a diffusion model */
    size_t dnn_count, llm_count, diffusion_count;
    struct nf_catalog_file *files;
    size_t file_count;
};

extern const char *const nf__origin_words[];
extern const struct nf_table nf__source_table, nf__figure_table;
extern const struct nf_table nf__denoiser_table, nf__job_table; /* catalog_diffusion.c */

/* The keys that every object with a source has; `type` starts with struct nf__cite. */
#define NF__CITE_FIELDS(type)                                                            \
    {.key = "origin",                                                                    \
     .kind = NF_FIELD_WORD,                                                              \
     .words = nf__origin_words,                                                          \
     .flags = NF_REQUIRED,                                                               \
     .offset = offsetof(type, cite.origin),                                              \
     .help = "Where the figure comes from.",                                             \
     .example = "published"},                                                            \
        {.key = "source",                                                                \
         .kind = NF_FIELD_NAME,                                                          \
         .flags = NF_REQUIRED,                                                           \
         .offset = offsetof(type, cite.source),                                          \
         .help = "A name from the file's sources.",                                      \
         .example = "mlperf-5.1"},                                                       \
        {.key = "date",                                                                  \
         .kind = NF_FIELD_TEXT,                                                          \
         .flags = NF_FOR_PEOPLE,                                                         \
         .offset = offsetof(type, cite.date),                                            \
         .help = "Date of the figure; else the source's.",                               \
         .example = "2026-08-03"},                                                       \
    {                                                                                    \
        .key = "note", .kind = NF_FIELD_TEXT, .flags = NF_FOR_PEOPLE,                    \
        .offset = offsetof(type, cite.note), .help = "How it was come by.",              \
    }

extern const char *const nf__section_names[NF__SECTIONS + 1];
extern const struct nf_table nf__catalog_tables[NF__SECTIONS]; /* of the roots */
extern const struct nf_table nf__profile_table;

/* NF_E_REFERENCE: "the catalogue has no WHAT "WORD"", with the nearest name as a hint. */
enum nf_status nf__catalog_unknown(struct nf_diags *diags, const char *what,
                                   const char *word, const char *const *names);

/* Call `visit` for every object below `object` (itself included) whose table has the key "source". */
typedef void (*nf__visit_cite)(void *ctx, const struct nf_table *table,
                               const struct nf_field *field, struct nf__cite *cite);
void nf__catalog_walk(const struct nf_table *table, const struct nf_field *field,
                      void *object, nf__visit_cite visit, void *ctx);

/* The entries of all price sections in one list, in the order of the file. */
size_t nf__catalog_price_lists(const struct nf__price_file *p,
                               const struct nf_list *lists[6]);

/* Encoder and decoder of a model of speech; NULL-like (no layers) where the entry has none. */
extern const struct nf_table nf__speech_table; /* catalog_speech.c */
struct nf_speech nf__catalog_fold_speech(struct nf_load *load,
                                         struct nf__speech_entry *e);

/* One diffusion model and its usual job. */
void nf__catalog_fold_diffusion(struct nf_load *load, struct nf__model_entry *e,
                                struct nf_diffusion_model *m,
                                struct nf_diffusion_job *job);

/* Fill in the structs of sim/perf; tells contradictions. */
void nf__catalog_fold(struct nf_load *load, struct nf_catalog *c);
void nf__catalog_fold_profile(struct nf_load *load, const struct nf_catalog *c,
                              struct nf__profile_entry *e, struct nf_calibration *k);

#endif
