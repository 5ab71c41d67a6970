/* summary.h - internal to sim/results: /scenario and /summary of the result file. The tables of fields are in summary.c. */
#ifndef NF_RESULTS_SUMMARY_H
#define NF_RESULTS_SUMMARY_H

#include "results/h5.h"
#include "results/writer.h"

void nf__summary_scenario(struct nf_h5 *h, const struct nf_world_spec *spec,
                          const struct nf_run_inputs *inputs);
void nf__summary_write(struct nf_h5 *h, const struct nf_world_spec *spec,
                       const struct nf_outcome *outcomes, size_t n);

enum { NF_RESULT_FORMAT = 1 };

/* How one number of a table stands in the report's struct. */
enum nf_field_kind {
    NF_FIELD_ESTIMATE, /* struct nf_estimate: two columns, NAME and NAME_half_width */
    NF_FIELD_TIMES,    /* struct nf_estimate [NF_MEASURES][NF_STATISTICS] */
    NF_FIELD_U64,
    NF_FIELD_DOUBLE,
    NF_FIELD_UNSIGNED,
    NF_FIELD_BOOL, /* u8, 0 and 1 */
    NF_FIELD_TEXT
};

struct nf_field {
    const char *name, *long_name, *units;
    enum nf_field_kind kind;
    size_t offset;
    bool is_constant; /* the same in all replications: not in /summary/by_replication */
};

/* One group under /summary: records of a struct in the report, by label. The reader uses the same tables. */
struct nf_field_table {
    const char *group, *dimension; /* dimension NULL: one record, scalars */
    const struct nf_field *fields;
    size_t field_count, stride;
};

enum nf_summary_table {
    NF_SUMMARY_RUN,
    NF_SUMMARY_CLASSES,
    NF_SUMMARY_STATIONS,
    NF_SUMMARY_COST,
    NF_SUMMARY_SLA,
    NF_SUMMARY_TABLES
};
extern const struct nf_field_table nf__summary_tables[NF_SUMMARY_TABLES];

/* Type of a field's column. */
enum nf_h5_type nf__field_type(enum nf_field_kind kind);

/* Where a table's records are in a report, and how many. */
void *nf__summary_records(enum nf_summary_table table, struct nf_report *report,
                          size_t *n);

#endif
