/*
 * device.h - what a GPU is, as far as the models ask: memory, bandwidth, dense peaks,
 * links, power.
 *
 * Units:  byte, byte/s, operations/s (a multiply-add is two), W. 0 means "the device does
 *         not have it".
 * Source: each figure's source stands in the catalogue file that filled the struct
 *         (scenarios/catalog/devices.yaml).
 * Errors: none; an enumerator out of range is our bug.
 */
#ifndef NF_PERF_DEVICE_H
#define NF_PERF_DEVICE_H

#include <stdbool.h>

enum nf_precision {
    NF_FP32,
    NF_TF32,
    NF_FP16,
    NF_BF16,
    NF_FP8,
    NF_INT8,
    NF_INT4, /* weights only: computed in 16 bits */
    NF_PRECISIONS
};

/* Where a figure comes from; the word is printed beside every figure that nearfar shows.
 *   measured  - by this project's own tools, or a run whose raw rows ship with it
 *   published - stated by a source that is named
 *   derived   - computed from published or measured figures; the note says how
 *   assumed   - a reasoned choice; the note says why */
enum nf_provenance { NF_MEASURED, NF_PUBLISHED, NF_DERIVED, NF_ASSUMED, NF_PROVENANCES };

struct nf_device {
    const char *name;
    double memory_bytes;
    double bandwidth;           /* memory, byte/s */
    double peak[NF_PRECISIONS]; /* dense operations/s */
    double multiprocessors;     /* SM count */
    double l2_bytes;
    double power_w;              /* board limit */
    double pcie_bandwidth;       /* one direction, byte/s */
    double nvlink_bandwidth;     /* one direction, byte/s; 0: none */
    double memory_reserve_bytes; /* driver, context, buffers: never weights or KV */
};

/* "bf16", ... and the bytes of one weight. */
const char *nf_precision_name(enum nf_precision p);
double nf_precision_bytes(enum nf_precision p);

/* "measured", "published", "derived", "assumed". */
const char *nf_provenance_name(enum nf_provenance p);

/* Whether `text` starts with the device's name, case and - or _ aside, and the name's last word ends there ("h100_sxm_gemm.csv": H100). */
bool nf_device_is_named(const struct nf_device *device, const char *text);

/* Whether a runtime's name for a device ("NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090") is this device: all words of its name are in it,
 * or the other way round ("Orin"), and a further word is only a memory or a socket: a PCIe card or an NVL one is not the board of the same
 * name ("NVIDIA H100 PCIe": H100-PCIe only; "NVIDIA H100 NVL": none of H100). */
bool nf_device_is_called(const struct nf_device *device, const char *runtime_name);

/* The 16-bit format that the device computes in: BF16 where it has it, else FP16. */
enum nf_precision nf_device_half(const struct nf_device *device);

#endif
