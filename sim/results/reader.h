/*
 * reader.h - a result file back into plain structs: what was run, what it came to, and the series for a timeline.
 *
 * What:   nf_result_read fills the same struct nf_report that the writer's caller had (report.h), bit for bit.
 * Owner:  everything read is in the caller's arena; the file is closed when a function returns.
 * Units:  seconds, also where the file keeps nanoseconds.
 * Errors: NF_E_IO: cannot be opened. NF_E_SYNTAX: not HDF5, not a result of nearfar, or damaged. NF_E_UNSUPPORTED: written in a
 *         later format. NF_E_REFERENCE: no such replication, or it has no series.
 */
#ifndef NF_RESULTS_READER_H
#define NF_RESULTS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "results/report.h"

struct nf_result {
    const char *version; /* of the nearfar that wrote it */
    const char *text;    /* the scenario file */
    const char *sha256;  /* of the text */
    struct nf_report report;
    size_t station_count; /* stations with copies apart, as rows and series number them */
    const char *const *station_names;
    const uint32_t *group_of; /* a station's index into report.groups */
    bool has_requests, has_series;
};

NF_MUST_CHECK enum nf_status nf_result_read(const char *path, struct nf_result *result,
                                            struct nf_arena *arena,
                                            struct nf_diags *diags);

/* Values at [tick * stations + station]. */
struct nf_series {
    size_t ticks, stations;
    const double *time_s; /* ticks of them */
    const double *offered_rate, *queue, *in_service, *replicas_ready, *replicas_starting,
        *utilization;
};

NF_MUST_CHECK enum nf_status nf_result_series(const char *path, uint32_t replication,
                                              struct nf_series *series,
                                              struct nf_arena *arena,
                                              struct nf_diags *diags);

#endif
