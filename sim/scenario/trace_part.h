/*
 * trace_part.h - what trace.c and trace_json.c share (private to them): a file being read, and where its rows go.
 */
#ifndef NF_SCENARIO_TRACE_PART_H
#define NF_SCENARIO_TRACE_PART_H

#include "scenario/trace.h"

enum { NF__TRACE_TIME, NF__TRACE_INPUT, NF__TRACE_OUTPUT, NF__TRACE_COLUMNS };

/* A piece of a line. */
struct nf__trace_cell {
    const char *text;
    size_t length;
};

struct nf__trace_reader {
    const struct nf_trace_options *options;
    const char *file, *where;
    struct nf_diags *diags;
    const char *line_start;
    int line;
    int position[NF__TRACE_COLUMNS]; /* which column of the file, -1: none */
    int last_needed;
    struct nf_trace_row *rows; /* heap */
    size_t count, cap, in_file, too_late;
    int64_t first_ns, previous_ns, base_ns;
    int wrong;
    uint64_t *names,
        *first_name; /* heap: of the prompts' starts, and where those of each row begin */
    size_t name_count, name_cap, first_cap;
};

/* A mistake in the present line; false. */
bool nf__trace_wrong(struct nf__trace_reader *r, struct nf__trace_cell cell,
                     const char *what);

/* A whole row; false when its time is outside the wanted ones. Rows that are not in order of time are mistakes. */
bool nf__trace_keep(struct nf__trace_reader *r, struct nf__trace_cell time, int64_t ns,
                    uint32_t input, uint32_t output);

/* One line of JSON. */
void nf__trace_json_row(struct nf__trace_reader *r, const char *start, const char *end);

#endif
