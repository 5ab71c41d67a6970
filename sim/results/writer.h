/*
 * writer.h - the HDF5 result file: written while replications run, published under its name only when it is complete.
 *
 * Layout: results/README.md documents every group, column and unit. In short: /scenario, /summary, /replication/NNN.
 * Why a spool: replications run on any number of threads, but HDF5 is called from one thread (the writer's: the one that calls
 *         open, take, finish) and in replication order, so that the bytes do not depend on the number of threads. A replication
 *         whose turn it is may write through (`direct`); the others put whole column blocks into one unlinked temporary
 *         file beside the result, from which nf_writer_take copies them in order.
 *
 *             nf_writer_open
 *               per replication, on any thread:   nf_row_spool_new -> nf_world_run(..., sinks of the spool) -> nf_row_spool_close
 *               writer's thread, r = 0, 1, 2...:  nf_writer_take
 *             nf_writer_finish (publishes)  or  nf_writer_abandon (leaves nothing)
 *
 * Invariants:
 *   1. Blocks reach HDF5 in the order (replication, order of filling inside it), whoever carried them.
 *   2. At most one direct spool is open, that of the replication that nf_writer_take expects next.
 *   3. The result's name is touched by one rename, after everything was flushed and synced.
 * Cost:   memory: two blocks a running replication (about 7 MB) and 16 bytes per 65 536 rows; none grows with requests otherwise.
 *         Time: see results/README.md.
 * Owner:  the writer lives in the caller's arena (ids and buffers are freed by finish or abandon, one of which must be called).
 *         A spool belongs to the thread that made it until it is closed, then to nf_writer_take, which frees it.
 * Errors: NF_E_IO with the operating system's or HDF5's reason. A spool keeps its first error and drops what follows;
 *         nf_writer_take reports it. After an error nothing is published and the temporary is gone.
 */
#ifndef NF_RESULTS_WRITER_H
#define NF_RESULTS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "model/outcome.h"
#include "model/spec.h"
#include "results/report.h"

/* A file that the run depended on besides the scenario text. */
struct nf_input_file {
    const char *role;   /* "calibration", "trace", "catalog" */
    const char *name;   /* as the scenario or the catalogue calls it; no machine's path */
    const char *sha256; /* 64 hex digits */
};

/* What the run was made of. Everything is kept in the file; nothing here may depend on time, place or machine. */
struct nf_run_inputs {
    const char *version; /* of nearfar */
    const char *text;    /* the scenario file, byte for byte */
    size_t text_length;
    const char *const *overrides; /* "traffic.load.arrivals.rate=0.8/s" */
    size_t override_count;
    const struct nf_input_file *files;
    size_t file_count;
    /* 0: no filter; 1 to 9: shuffle and deflate on the columns (level 1: 10 times the time, half the size; h5repack can do it
     * later) */
    unsigned deflate;
};

struct nf_writer;
struct nf_row_spool;

/* Make the temporary file beside `path` (so an unwritable folder is known before anything is simulated) and write /scenario.
 * `spec`, `inputs` and `path` must live until finish or abandon. */
NF_MUST_CHECK enum nf_status nf_writer_open(struct nf_writer **out, const char *path,
                                            const struct nf_world_spec *spec,
                                            const struct nf_run_inputs *inputs,
                                            struct nf_arena *arena,
                                            struct nf_diags *diags);

/* The stream of one replication. direct: only on the writer's thread, for the replication that is next. */
struct nf_row_spool *nf_row_spool_new(struct nf_writer *w, uint32_t replication,
                                      bool is_direct);
/* Sinks of a spool for nf_world_run: .ctx is the spool, .progress is NULL. Rows and series are NULL where the scenario does not
 * ask for them. A caller with a context of its own calls the two functions below from its own sinks. */
struct nf_sinks nf_row_spool_sinks(struct nf_row_spool *s);
void nf_row_spool_row(struct nf_row_spool *s, const struct nf_row *row);
void nf_row_spool_point(struct nf_row_spool *s, const struct nf_series_point *point);
/* True after an error: the rest of the replication need not be simulated for this file. */
bool nf_row_spool_failed(const struct nf_row_spool *s);
/* The replication is over: what is left goes to its place, the blocks are freed. Same thread as the rows. */
void nf_row_spool_close(struct nf_row_spool *s);
/* Throw a spool away that will not be taken (after an error elsewhere). Any state. */
void nf_row_spool_discard(struct nf_row_spool *s);

/* Next replication (0, 1, 2, ...) into the file; frees the closed spool, also on error. */
NF_MUST_CHECK enum nf_status nf_writer_take(struct nf_writer *w, struct nf_row_spool *s,
                                            const struct nf_outcome *outcome,
                                            struct nf_diags *diags);

/* Write /summary from the outcomes of all replications taken, close and publish. On failure nothing is published.
 * The writer is gone either way. */
NF_MUST_CHECK enum nf_status nf_writer_finish(struct nf_writer *w,
                                              const struct nf_outcome *outcomes, size_t n,
                                              struct nf_diags *diags);
/* Remove the temporary; the writer is gone. */
void nf_writer_abandon(struct nf_writer *w);

#endif
