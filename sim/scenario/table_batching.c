/* How requests share a GPU: forming batches, priorities, time limits; host work; what generating models make. */
#include "scenario/decl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECONDS                                                                          \
    .kind = NF_FIELD_NUMBER, .dimension = NF_DIM_TIME, .low = 0, .high = 3.1536e9
#define INTEGER(least, most) .kind = NF_FIELD_INT, .low = (least), .high = (most)

/* In the order of enum nf_batch_action. */
static const char *const actions[] = {"reject", "delay", NULL};

static const struct nf_field count_fields[] = {
    {.key = "count",
     INTEGER(1, 65536),
     .offset = offsetof(struct nf_count_decl, value),
     .help = "A number of requests."},
};
static const struct nf_table count_table = {.name = "count",
                                            .help = "A number of requests.",
                                            .shape = NF_SHAPE_SCALAR,
                                            .size = sizeof(struct nf_count_decl),
                                            .fields = count_fields,
                                            .field_count = COUNT(count_fields)};

#define TIME_LIMIT_FIELDS(type)                                                          \
    {.key = "time_limit",                                                                \
     SECONDS,                                                                            \
     .flags = NF_ABOVE_LOW,                                                              \
     .offset = offsetof(type, time_limit),                                               \
     .infinite = "none",                                                                 \
     .fallback = "none",                                                                 \
     .example = "50ms",                                                                  \
     .help = "Longest time in the queue."},                                              \
    {                                                                                    \
        .key = "when_late", .kind = NF_FIELD_WORD, .words = actions,                     \
        .offset = offsetof(type, when_late), .fallback = "reject",                       \
        .help = "After that: turned away, or served behind the others of its level."     \
    }

static const struct nf_field level_fields[] = {
    {.key = "limit",
     INTEGER(1, 4e9),
     .offset = offsetof(struct nf_batching_level_decl, limit),
     .infinite = "none",
     .fallback = "none",
     .example = "64",
     .help = "Most requests of this level that wait."},
    TIME_LIMIT_FIELDS(struct nf_batching_level_decl),
};
static const struct nf_table level_table =
    NF_TABLE("priority level", "What holds for one level instead.",
             struct nf_batching_level_decl, level_fields);

#define AT(member) .offset = offsetof(struct nf_batching_decl, member)
static const struct nf_field batching_fields[] = {
    {.key = "max_size",
     INTEGER(1, 65536),
     AT(max_size),
     .fallback = "1",
     .example = "8",
     .help = "Most requests that a GPU computes at once."},
    {.key = "max_delay",
     SECONDS,
     AT(max_delay),
     .infinite = "full",
     .fallback = "0s",
     .example = "1ms",
     .help = "How long a batch waits for more requests after its first; full: until it "
             "is full."},
    {.key = "preferred",
     .kind = NF_FIELD_LIST,
     .table = &count_table,
     AT(preferred),
     .fallback = "[]",
     .example = "[4, 8]",
     .help = "Sizes that go out at once, the largest that waiting requests reach first; "
             "max_size when none is given."},
    {.key = "streams",
     INTEGER(1, 64),
     AT(streams),
     .fallback = "1",
     .example = "2",
     .help = "Batches under way on a GPU at once: host work and copies of one overlap "
             "with the computation of another."},
    {.key = "priorities",
     INTEGER(0, 1000),
     AT(priorities),
     .fallback = "0",
     .example = "2",
     .help = "Levels of priority, 1 served first; 0: none."},
    {.key = "default_priority",
     INTEGER(1, 1000),
     AT(default_priority),
     .example = "2",
     .help = "Level of requests without one; the last when not given."},
    TIME_LIMIT_FIELDS(struct nf_batching_decl),
    {.key = "levels",
     .kind = NF_FIELD_NAMED,
     .table = &level_table,
     AT(levels),
     .fallback = "{}",
     .help = "By number of the level: what holds there instead."},
};
#undef AT
const struct nf_table nf_table_batching =
    NF_TABLE("batching", "How requests share a GPU (not for language models).",
             struct nf_batching_decl, batching_fields);

#define AT(member) .offset = offsetof(struct nf_host_decl, member)
static const struct nf_field host_fields[] = {
    {.key = "before",
     SECONDS,
     AT(before),
     .fallback = "0s",
     .example = "0.4ms",
     .help = "Decoding, resizing: one request, one host thread for each GPU."},
    {.key = "after",
     SECONDS,
     AT(after),
     .fallback = "0s",
     .example = "0.2ms",
     .help = "Sorting out the answer: one request; holds no GPU."},
};
#undef AT
const struct nf_table nf_table_host = NF_TABLE(
    "host work", "What the host does for a request.", struct nf_host_decl, host_fields);

static const char *const no_yes[] = {"no", "yes", NULL};

#define AT(member) .offset = offsetof(struct nf_generate_decl, member)
#define USUAL      " The catalogue's when not given."
static const struct nf_field generate_fields[] = {
    {.key = "width",
     INTEGER(1, 65536),
     AT(width),
     .example = "1280",
     .help = "Pixels." USUAL},
    {.key = "height",
     INTEGER(1, 65536),
     AT(height),
     .example = "720",
     .help = "Pixels." USUAL},
    {.key = "frames",
     INTEGER(1, 1000000),
     AT(frames),
     .example = "81",
     .help = "1 for a picture." USUAL},
    {.key = "steps",
     INTEGER(1, 100000),
     AT(steps),
     .example = "50",
     .help = "Denoising steps." USUAL},
    {.key = "forwards",
     INTEGER(1, 16),
     AT(forwards),
     .example = "2",
     .help = "Passes of the denoiser a step: 2 with guidance." USUAL},
    {.key = "offload",
     .kind = NF_FIELD_WORD,
     .words = no_yes,
     AT(offload),
     .help = "Whether weights come from the host for each request." USUAL},
    {.key = "gpus",
     INTEGER(1, 64),
     AT(gpus),
     .fallback = "1",
     .example = "8",
     .help = "GPUs that make one picture or video together."},
};
#undef AT
const struct nf_table nf_table_generate = NF_TABLE(
    "generation", "What each request makes.", struct nf_generate_decl, generate_fields);

static const struct nf_field transcribe_fields[] = {
    {.key = "tokens",
     .kind = NF_FIELD_NUMBER,
     .low = 1,
     .high = 10000,
     .offset = offsetof(struct nf_transcribe_decl, tokens),
     .example = "100",
     .help = "Decoder steps." USUAL},
};
const struct nf_table nf_table_transcribe =
    NF_TABLE("transcription", "What each request puts out.", struct nf_transcribe_decl,
             transcribe_fields);
