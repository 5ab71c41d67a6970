#include "peaks.h"

#include <string.h>

/* Longer names first: "H100 PCIe" has to be found before "H100", "L40S" before "L4". */
static const struct nf_peak peaks[] = {
    {"H200", 989.4, 1979, 1979, 66.9, 4800},
    {"H100 PCIe", 756.5, 1513, 1513, 51.2, 2000},
    {"H100", 989.4, 1979, 1979, 66.9, 3350},
    {"A100-SXM4-80GB", 312, 0, 624, 19.5, 2039},
    {"A100 80GB PCIe", 312, 0, 624, 19.5, 1935},
    {"L40S", 362.05, 733, 733, 91.6, 864},
    {"L4", 121, 242, 242, 30.3, 300},
    {"A10", 125, 0, 250, 31.24, 600.2},
    {"Orin", 42.6, 0, 85, 5.3, 204.8}, /* Jetson AGX Orin 64 GB */
};

static const struct nf_peak unknown = {"", 0, 0, 0, 0, 0};

/* The name has to end where the device's word ends: "A10" is not "A100", "L4" is not "L40S". */
static int is_named(const char *device, const char *name)
{
    const char *at = strstr(device, name);
    if (!at) {
        return 0;
    }
    char next = at[strlen(name)];
    return next == '\0' || next == ' ' || next == '-';
}

const struct nf_peak *nf_peak_of(const char *device)
{
    for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++) {
        if (is_named(device, peaks[i].name)) {
            return &peaks[i];
        }
    }
    return &unknown;
}

double nf_peak_tflops(const struct nf_peak *peak, enum nf_dtype type)
{
    switch (type) {
    case NF_BF16:
    case NF_F16:
        return peak->half;
    case NF_E4M3:
        return peak->fp8;
    case NF_S8:
        return peak->int8;
    case NF_F32:
        return peak->fp32;
    case NF_U8:
    case NF_S32:
    case NF_DTYPES:
        break;
    }
    return 0.0;
}
