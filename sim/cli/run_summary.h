/*
 * run_summary.h - what a run came to, for people (tables) and for programs (one JSON object, DESIGN.md section 5).
 *
 * Units:  people get the unit that suits the size (us, ms, s); JSON has seconds, USD, kWh and fractions.
 * Errors: none; both append to a text, which the caller writes at once and checks.
 */
#ifndef NF_CLI_RUN_SUMMARY_H
#define NF_CLI_RUN_SUMMARY_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"
#include "results/report.h"

struct nf_scenario_trace;

/* What the summary tells besides the report. */
struct nf_run_facts {
    const char *description; /* of the scenario, or "" */
    double wall_s;
    const char *scenario_path;
    const char *result_path; /* NULL: no file was written */
    const char *const
        *provenance; /* lines: which published or derived constants the run rests on */
    size_t provenance_count;
    const struct nf_scenario_trace *traces; /* what was played of each */
    size_t trace_count;
    const struct nf_diags *diags; /* warnings; NULL: none */
};

void nf_run_print(const struct nf_report *report, const struct nf_run_facts *facts,
                  struct nf_arena *arena, struct nf_text *out);
void nf_run_json(const struct nf_report *report, const struct nf_run_facts *facts,
                 struct nf_text *out);

/* "editors: 8,576 of 8,819 rows of code.csv; 243 come after the end of the run" for each trace of which rows are left out, behind
 * `indent`. */
void nf_run_print_traces(const struct nf_scenario_trace *traces, size_t count,
                         const char *indent, struct nf_text *out);

/* "10.02 ± 0.11 s": both in the unit of the value, as many digits as the half width deserves; "-" for NAN. */
const char *nf_run_time(struct nf_estimate e, struct nf_arena *arena);
/* 1234567 as "1,234,567". */
const char *nf_run_count(uint64_t n, struct nf_arena *arena);

#endif
