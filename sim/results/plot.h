/*
 * plot.h - pictures of a result file, drawn by gnuplot.
 *
 * What:   reduces the file to small tables in a temporary folder, writes the variables that tools/plot/KIND.gp asks for, and runs
 *         `gnuplot` on it. The picture's format follows its name: .png, .svg, .pdf.
 * Kinds:  overview  one page: latency CDF, tables of classes and objectives, load and replicas over time, cost
 *         cdf       share of requests within a time, per class, log time axis, axis of nines; targets marked
 *         timeline  offered rate, queue, replicas ready and starting, utilization of replication 0
 *         cost      cost by component with intervals
 * Why gnuplot as a program: it cannot read HDF5, and a library would tie the simulator to it.
 * Errors: NF_E_USAGE: unknown picture format, or a timeline of a file without series. NF_E_IO: gnuplot is missing or failed (with
 *         its words), the picture cannot be written. The picture appears complete or not at all. Otherwise as reader.h.
 */
#ifndef NF_RESULTS_PLOT_H
#define NF_RESULTS_PLOT_H

#include <stdbool.h>

#include "base/diag.h"

enum nf_plot_kind {
    NF_PLOT_OVERVIEW,
    NF_PLOT_CDF,
    NF_PLOT_TIMELINE,
    NF_PLOT_COST,
    NF_PLOT_KINDS
};

/* "overview", "cdf", ...; NULL-terminated list of all. */
const char *nf_plot_kind_name(enum nf_plot_kind kind);
const char *const *nf_plot_kind_names(void);
/* False when no kind has this name. */
bool nf_plot_kind_of(const char *name, enum nf_plot_kind *kind);

/* Draw `file` into `image`. `data_root`: the folder that holds tools/plot. */
NF_MUST_CHECK enum nf_status nf_plot(const char *file, enum nf_plot_kind kind,
                                     const char *image, const char *data_root,
                                     struct nf_diags *diags);

#endif
