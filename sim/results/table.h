/*
 * table.h - internal to sim/results: the columns of /replication/NNN, in memory (a block) and in the file (a table).
 *
 * What:   one description of each column serves the block's memory, the spool file and the HDF5 dataset.
 *         requests: 1-D columns, one record a request. series: column 0 is the time scale, the others are time x station.
 * Cost:   a block of rows is NF_BLOCK_ROWS * 67 bytes. A column whose block holds only its fill value is not written: HDF5
 *         allocates nothing for it and readers see the fill value (a run without tokens pays nothing for token columns).
 * Owner:  nf__block_init allocates, nf__block_fini frees.
 */
#ifndef NF_RESULTS_TABLE_H
#define NF_RESULTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/outcome.h"
#include "results/h5.h"

enum { NF_BLOCK_ROWS = 65536 };

enum nf_table_kind { NF_TABLE_REQUESTS, NF_TABLE_SERIES, NF_TABLES };

enum nf_request_column {
    NF_COL_ARRIVAL,
    NF_COL_CLASS,
    NF_COL_SITE,
    NF_COL_STATION,
    NF_COL_OUTCOME,
    NF_COL_TRIES,
    NF_COL_INPUT_TOKENS,
    NF_COL_OUTPUT_TOKENS,
    NF_COL_WAIT,
    NF_COL_NETWORK,
    NF_COL_SERVICE,
    NF_COL_TTFT,
    NF_COL_TPOT,
    NF_COL_LATENCY,
    NF_COL_COST,
    NF_REQUEST_COLUMNS
};

enum nf_series_column {
    NF_COL_TIME,
    NF_COL_OFFERED_RATE,
    NF_COL_QUEUE,
    NF_COL_IN_SERVICE,
    NF_COL_READY,
    NF_COL_STARTING,
    NF_COL_UTILIZATION,
    NF_SERIES_COLUMNS
};

/* Records in memory, column by column. */
struct nf_block {
    enum nf_table_kind kind;
    /* values a record in all columns but a series' time: 1, or the number of stations */
    size_t width;
    size_t records; /* capacity */
    size_t count;
    size_t bytes;
    char *memory;
    char *column[NF_REQUEST_COLUMNS];
};

void nf__block_init(struct nf_block *b, enum nf_table_kind kind, size_t station_count);
void nf__block_fini(struct nf_block *b);
int nf__table_columns(enum nf_table_kind kind);
/* Bytes that the first `count` records take in column c. */
size_t nf__block_column_bytes(const struct nf_block *b, int c, size_t count);
/* Put fill values into record i of every column (series: stations without a point at a tick). */
void nf__block_clear_record(struct nf_block *b, size_t i);

/* A table of one replication in the file. */
struct nf_table {
    /* datasets exist: from the first block on, whose size decides the chunks */
    bool is_open;
    int64_t group;
    struct nf_h5_scale record, station;
    int64_t column[NF_REQUEST_COLUMNS];
    uint64_t length;
};

/* Append the block's records. The first block of a table makes its datasets. */
void nf__table_append(struct nf_h5 *h, struct nf_table *t, int64_t parent,
                      const struct nf_block *b, const struct nf_world_spec *spec);
void nf__table_close(struct nf_h5 *h, struct nf_table *t, enum nf_table_kind kind);

#endif
