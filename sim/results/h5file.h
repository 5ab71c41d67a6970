/*
 * h5file.h - internal to sim/results: HDF5's file driver for the result file that is being written.
 *
 * What:   POSIX reads and writes as the library's own driver does them, and the same bytes; but a write that fails leaves its
 *         errno in *error and reports success, and later writes are dropped likewise. The caller looks at *error after each call.
 * Why:    with the library's own driver a full disk also fails the flush inside H5Fclose; then the file stays half open: its
 *         memory and descriptor are lost, and the library's clean-up at exit crashes (seen with 1.10.8).
 * Owner:  `error` must live until the file is closed.
 */
#ifndef NF_RESULTS_H5FILE_H
#define NF_RESULTS_H5FILE_H

#include <stdint.h>

/* Make a file access property list use the driver. `*error` becomes errno of the first failing call. Negative on failure. */
int nf__h5_use_driver(int64_t access_list, int *error);

#endif
