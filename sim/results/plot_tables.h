/*
 * plot_tables.h - internal to sim/results: what gnuplot gets to see of a result: small tables and a list of variables.
 *
 * Tables (tab-separated, in the job's folder):
 *   cdf.tsv       one block a curve: time in s, -log10(1 - share of requests within it)
 *   timeline.tsv  one block a station group: time in s, offered rate, queue (most), replicas ready (most), starting (most),
 *                 utilization; at most TICKS_MAX lines, each over equally many ticks
 *   cost.tsv      component, USD, half width
 *   stations.tsv  station group, mean utilization, half width
 * Curves, groups and colours beyond what a picture can tell apart are left out and counted in a variable.
 */
#ifndef NF_RESULTS_PLOT_TABLES_H
#define NF_RESULTS_PLOT_TABLES_H

#include "base/text.h"
#include "results/reader.h"

struct nf_plot_job {
    struct nf_arena *arena;
    struct nf_result result;
    struct nf_series series; /* ticks 0: none */
    struct nf_text script;   /* variables, then the load of the kind's script */
    struct nf_text cdf, timeline, cost, stations;
};

void nf__plot_tables(struct nf_plot_job *job);
void nf__plot_fini(struct nf_plot_job *job);
/* name = 'value' with quotes doubled and line breaks blank. */
void nf__plot_set_text(struct nf_text *script, const char *name, const char *value);

#endif
