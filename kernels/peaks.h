/*
 * peaks.h - what data sheets promise: dense rates and memory bandwidth by device name.
 *
 * Why:    an achieved rate says little without its ceiling. Dense figures, never the sparse ones.
 * Source: the vendors' product pages, as collected in this project's device catalogue; H200 and H100
 *         figures are those of the SXM boards unless the name says PCIe or NVL.
 * Units:  TFLOP/s (TOP/s for int8), GB/s. 0: the device does not have it or it is not known here.
 */
#ifndef NF_KERNELS_PEAKS_H
#define NF_KERNELS_PEAKS_H

#include "numbers.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nf_peak {
    const char *name; /* part of the name that the driver gives */
    double half, fp8, int8, fp32, gbps;
};

/* The entry whose name occurs in `device`, or one full of zeros; never NULL. */
const struct nf_peak *nf_peak_of(const char *device);
double nf_peak_tflops(const struct nf_peak *peak, enum nf_dtype type);

#ifdef __cplusplus
}
#endif
#endif
