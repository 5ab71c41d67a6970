/*
 * rows.h - the measurement file: the only thing that passes from this folder to the simulator.
 *
 * What:   a CSV file, described column by column in README.md ("The measurement file").
 * Why:    one writer and one reader, so that the description, the program and the tests agree.
 * File:   line 1 names the format; then the column names; one row a measurement; the last line
 *         counts the rows and carries the FNV-1a hash of every byte before it. A file without a
 *         right last line is incomplete. It appears under its name only when it is complete.
 * Errors: functions return false and leave a sentence in `error`.
 */
#ifndef NF_KERNELS_ROWS_H
#define NF_KERNELS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NF_ROWS_TEXT = 160 };

/* What every row repeats: where and by what it was measured. */
struct nf_facts {
    char device[96];
    int compute_capability; /* 90 for 9.0 */
    int sm_count;
    double l2_bytes, memory_bytes;
    int smem_optin_bytes;
    char driver[32], toolkit[32], code[64];
    double max_sm_mhz; /* highest clock the driver names; 0 unknown */
    double sheet_gbps; /* data sheet; 0: the device is not in our table */
    double copy_gbps;  /* measured by copy; 0 before that */
};

struct nf_row {
    const char *kind; /* op: for fits; composed, load: never for fits */
    const char *op, *version, *dtype;
    char shape[NF_ROWS_TEXT]; /* "m=128 n=4096 k=4096": key=value, one space between */
    const char *cache;        /* hot, cold, rotated, none */
    size_t samples;
    double median_us, q1_us, q3_us;
    double flop, bytes;  /* what the operation has to do at least, not what was counted */
    double sheet_tflops; /* dense peak of the data sheet for dtype; 0 unknown */
    double sm_mhz, mem_mhz, power_w, temperature_c; /* 0 unknown */
    char flags[NF_ROWS_TEXT]; /* words from the list in README.md, one space between */
};

struct nf_rows {
    FILE *file;
    const struct nf_facts *facts;
    uint64_t hash;
    size_t count;
    char name[512], part[528];
    char error[NF_ROWS_TEXT];
};

/* Refused where `name` is there and is no regular file. */
bool nf_rows_open(struct nf_rows *rows, const char *name, const struct nf_facts *facts);
bool nf_rows_put(struct nf_rows *rows, const struct nf_row *row);
/* Writes the last line and renames. Without it the file never appears under its name. */
bool nf_rows_close(struct nf_rows *rows);
/* Drops what was written. */
void nf_rows_abandon(struct nf_rows *rows);

/* A place to go back to, when the rows after it turn out not to count. */
struct nf_rows_place {
    long at;
    uint64_t hash;
    size_t count;
};
struct nf_rows_place nf_rows_mark(const struct nf_rows *rows);
bool nf_rows_rewind(struct nf_rows *rows, const struct nf_rows_place *mark);

void nf_row_flag(struct nf_row *row, const char *flag);

struct nf_rows_verdict {
    bool complete; /* the last line is there and right */
    size_t rows,
        bad_rows; /* bad: wrong number of columns, or a number that is none or not finite */
    size_t throttled_rows;
    size_t devices; /* different device names */
    char message[NF_ROWS_TEXT];
};
/* Reads a file back and says what is wrong with it. False: cannot be read, or no file of ours. */
bool nf_rows_inspect(const char *name, struct nf_rows_verdict *verdict);

/* One file of several: their rows one after the other. Every part has to be complete and without a bad row, all of
 * the same device, driver, toolkit and code; no row may be there twice, and no part may be the result itself. */
bool nf_rows_merge(const char *name, const char *const *parts, size_t count,
                   char (*why)[NF_ROWS_TEXT]);

#ifdef __cplusplus
}
#endif
#endif
