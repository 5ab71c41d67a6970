/*
 * trace.h - recorded requests: a CSV file to rows of arrival time and token counts.
 *
 * What:   azure-llm: columns TIMESTAMP, ContextTokens, GeneratedTokens, found by name; times such as
 *         "2023-11-16 18:17:03.9799600", with "T" or a blank, with or without fraction and zone (Z or +hh:mm).
 *         csv: columns arrival_s, and optionally input_tokens and output_tokens, found by name; other columns are skipped.
 *         mooncake: a JSON object a line with timestamp (milliseconds), input_length, output_length and optionally hash_ids, which name
 *         the starts of the prompt of 512, 1024, ... tokens and, last, the whole of it: equal names, equal tokens up to there.
 * Source: kvcache-ai/Mooncake, FAST25-release/traces (Apache-2.0), for that format.
 * Why:    the files that other tools write are read as they are.
 * Cost:   over 10^6 rows/s; the file and 16 bytes a row are held in memory.
 * Owner:  rows live in the arena.
 * Units:  nanoseconds since the first row that is kept.
 * Errors: NF_E_REFERENCE (no such file, or a pipe or device, which cannot be read again), NF_E_TRACE with the row's own
 *         file:line:col for every wrong row; reading stops after a thousand.
 */
#ifndef NF_SCENARIO_TRACE_H
#define NF_SCENARIO_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"
#include "model/spec.h"

enum nf_trace_format { NF_TRACE_AZURE_LLM, NF_TRACE_CSV, NF_TRACE_MOONCAKE };
enum { NF_TRACE_NAME_TOKENS = 512 }; /* of the mooncake format */

/* "azure-llm", "csv", "mooncake", NULL. */
extern const char *const nf_trace_formats[];

struct nf_trace_options {
    enum nf_trace_format format;
    double speed;    /* recorded seconds a simulated second, > 0 */
    double offset_s; /* recorded seconds left out at the start */
    nf_time end;     /* rows at or after this simulated time are checked but not kept */
    struct nf_place from; /* what named the file, and its dotted path: for messages */
    const char *where;
};

struct nf_trace {
    const struct nf_trace_row *rows;
    size_t count;
    size_t in_file;                     /* rows of the file */
    size_t too_late;                    /* of these: at or after `end`, not kept */
    bool has_tokens;                    /* the file has both token columns */
    const struct nf_trace_names *names; /* what the prompts begin with; NULL: not known */
    char sha256[65];                    /* of the file */
};

/* Is there a file that could be read as a trace? Told when not. */
enum nf_status nf_trace_find(const char *path, const struct nf_trace_options *options,
                             struct nf_diags *diags);

/* Read `path`. */
NF_MUST_CHECK enum nf_status nf_trace_read(const char *path,
                                           const struct nf_trace_options *options,
                                           struct nf_arena *arena, struct nf_diags *diags,
                                           struct nf_trace *out);

#endif
