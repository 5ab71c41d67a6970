/* The engine of a language model. */
#include "scenario/decl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NUMBER(dim, least, most)                                                         \
    .kind = NF_FIELD_NUMBER, .dimension = (dim), .low = (least), .high = (most)
#define SECONDS              NUMBER(NF_DIM_TIME, 0, 3.1536e9)
#define INTEGER(least, most) .kind = NF_FIELD_INT, .low = (least), .high = (most)
#define SUBTABLE(t)          .kind = NF_FIELD_MAP, .table = &(t)

#define AT(member) .offset = offsetof(struct nf_speculation_decl, member)
static const struct nf_field speculation_fields[] = {
    {.key = "tokens",
     INTEGER(1, 64),
     AT(tokens),
     .flags = NF_REQUIRED,
     .example = "4",
     .help = "Guesses that an iteration checks for each sequence."},
    {.key = "acceptance",
     NUMBER(NF_DIM_FRACTION, 0, 1),
     AT(acceptance),
     .flags = NF_REQUIRED,
     .example = "70%",
     .help = "Probability that a guess is right when those before it are."},
    {.key = "draft_cost",
     NUMBER(NF_DIM_FRACTION, 0, 10),
     AT(draft_cost),
     .fallback = "0%",
     .example = "5%",
     .help = "Time of one guess, as a share of a plain decode step; look-ups in the text "
             "cost nothing."},
};
#undef AT
static const struct nf_table speculation_table =
    NF_TABLE("speculation", "Guessing tokens and checking them in one iteration.",
             struct nf_speculation_decl, speculation_fields);

static const char *const schedulings[] = {"fcfs", "priority", NULL};
#define AT(member) .offset = offsetof(struct nf_engine_decl, member)
static const struct nf_field engine_fields[] = {
    {.key = "max_sequences",
     INTEGER(1, 1e6),
     AT(max_sequences),
     .fallback = "256",
     .help = "Most requests that run at once on one replica."},
    {.key = "max_batched_tokens",
     INTEGER(1, 1e7),
     AT(max_batched_tokens),
     .fallback = "8192",
     .help = "Most tokens of one iteration, at least max_sequences; longer prompts are "
             "computed in chunks."},
    {.key = "block_tokens",
     INTEGER(1, 4096),
     AT(block_tokens),
     .fallback = "16",
     .help = "Tokens of one block of the key-value cache."},
    {.key = "kv_memory",
     NUMBER(NF_DIM_FRACTION, 0, 1),
     .flags = NF_ABOVE_LOW,
     AT(kv_memory),
     .fallback = "90%",
     .help = "Share of device memory for weights and key-value cache."},
    {.key = "kv_blocks",
     INTEGER(2, 1e12),
     AT(kv_blocks),
     .example = "4000",
     .help = "Blocks of the key-value cache of one replica, one of them kept free as "
             "vLLM does; "
             "from the memory when not given."},
    {.key = "tensor_parallel",
     INTEGER(1, 1024),
     AT(tensor_parallel),
     .example = "4",
     .help = "GPUs that share every layer; the replica's GPUs over the pipeline's stages "
             "when not given."},
    {.key = "pipeline_parallel",
     INTEGER(1, 1024),
     AT(pipeline_parallel),
     .fallback = "1",
     .help = "Stages that share the layers; as many iterations are under way."},
    {.key = "expert_parallel",
     .kind = NF_FIELD_BOOL,
     AT(expert_parallel),
     .fallback = "false",
     .help =
         "Whole experts on the GPUs of a stage, and tokens sent to them, instead of a "
         "slice of every expert."},
    {.key = "speculation",
     SUBTABLE(speculation_table),
     AT(speculation),
     .help = "Speculative decoding; none when not given."},
    {.key = "prefix_caching",
     .kind = NF_FIELD_BOOL,
     AT(prefix_caching),
     .fallback = "false",
     .help =
         "Blocks keep their contents until they are needed: a prompt that begins like "
         "an earlier one of a trace with hash_ids is computed from there on only."},
    {.key = "scheduling",
     .kind = NF_FIELD_WORD,
     .words = schedulings,
     AT(scheduling),
     .fallback = "fcfs",
     .help = "First come first served, or by the classes' priority: 1 first, classes "
             "without one last."},
    {.key = "step_overhead",
     SECONDS,
     AT(step_overhead),
     .fallback = "0.3ms",
     .help = "Host time of one iteration."},
    {.key = "sequence_overhead",
     SECONDS,
     AT(sequence_overhead),
     .fallback = "20us",
     .help = "Host time of one sampled token."},
    {.key = "async_scheduling",
     .kind = NF_FIELD_BOOL,
     AT(async_scheduling),
     .fallback = "false",
     .help = "Host time of iterations and tokens runs beside the GPU, as in engines that "
             "schedule the next iteration meanwhile: the longer of both counts."},
    {.key = "request_overhead",
     SECONDS,
     AT(request_overhead),
     .fallback = "10ms",
     .help = "Front end's time of one request, before its first token."},
};
#undef AT
const struct nf_table nf_table_engine =
    NF_TABLE("engine", "The language model engine (defaults of vLLM V1 servers).",
             struct nf_engine_decl, engine_fields);
