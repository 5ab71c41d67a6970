/*
 * nvml.h - clocks, power, temperature and reasons of throttling, through the driver's NVML.
 *
 * Why:    a time without the clock that it was taken at cannot be compared with another.
 * How:    libnvidia-ml.so.1 is opened at run time with private prototypes of the few functions used, so
 *         that neither its header nor a stub is needed to build, nor the library to start.
 * Errors: without the library, or for a quantity that the board does not report, the reading is 0.
 */
#ifndef NF_KERNELS_NVML_H
#define NF_KERNELS_NVML_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nf_clocks {
    void *library, *device;
    int (*device_by_bus_id)(const char *bus_id, void **device);
    int (*clock)(void *device, int type, unsigned *mhz);
    int (*max_clock)(void *device, int type, unsigned *mhz);
    int (*power)(void *device, unsigned *milliwatts);
    int (*temperature)(void *device, int sensor, unsigned *celsius);
    int (*reasons)(void *device, unsigned long long *bits);
    int (*driver)(char *text, unsigned length);
    int (*shutdown)(void);
};

struct nf_clock_reading {
    double sm_mhz, mem_mhz, power_w, temperature_c;
    bool
        throttled; /* heat, hardware slowdown or power brake: not the device as it is sold */
    bool
        power_cap; /* the clock is what the board's power allows: its steady state under load */
    char reasons[48]; /* of `throttled`: "thermal hardware ", those that hold */
};

/* False: no NVML here; every reading is then zero. */
bool nf_clocks_open(struct nf_clocks *c, const char *bus_id);
void nf_clocks_close(struct nf_clocks *c);
struct nf_clock_reading nf_clocks_read(const struct nf_clocks *c);
double nf_clocks_max_sm_mhz(const struct nf_clocks *c);
bool nf_clocks_driver(const struct nf_clocks *c, char *text, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
