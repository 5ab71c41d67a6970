#include "nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { CLOCK_SM = 1, CLOCK_MEMORY = 2, SENSOR_GPU = 0 };
enum {
    SOFTWARE_POWER_CAP = 0x04,
    HARDWARE_SLOWDOWN = 0x08,
    SOFTWARE_THERMAL = 0x20,
    HARDWARE_THERMAL = 0x40,
    POWER_BRAKE = 0x80,
};

/* POSIX guarantees that a function's address fits into what dlsym returns; memcpy says so without a
 * cast that ISO C does not know. */
static void find(const struct nf_clocks *c, const char *name, void *function)
{
    void *symbol = dlsym(c->library, name);
    memcpy(function, &symbol, sizeof symbol);
}

bool nf_clocks_open(struct nf_clocks *c, const char *bus_id)
{
    memset(c, 0, sizeof *c);
    c->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!c->library) {
        return false;
    }
    int (*init)(void) = NULL;
    find(c, "nvmlInit_v2", &init);
    find(c, "nvmlDeviceGetHandleByPciBusId_v2", &c->device_by_bus_id);
    find(c, "nvmlDeviceGetClockInfo", &c->clock);
    find(c, "nvmlDeviceGetMaxClockInfo", &c->max_clock);
    find(c, "nvmlDeviceGetPowerUsage", &c->power);
    find(c, "nvmlDeviceGetTemperature", &c->temperature);
    find(c, "nvmlDeviceGetCurrentClocksEventReasons", &c->reasons);
    if (!c->reasons) { /* its name before driver 535 */
        find(c, "nvmlDeviceGetCurrentClocksThrottleReasons", &c->reasons);
    }
    find(c, "nvmlSystemGetDriverVersion", &c->driver);
    find(c, "nvmlShutdown", &c->shutdown);
    if (!init || init() != 0 || !c->device_by_bus_id ||
        c->device_by_bus_id(bus_id, &c->device) != 0) {
        nf_clocks_close(c);
        return false;
    }
    return true;
}

void nf_clocks_close(struct nf_clocks *c)
{
    if (c->library) {
        if (c->shutdown) {
            (void)c->shutdown();
        }
        (void)dlclose(c->library);
    }
    memset(c, 0, sizeof *c);
}

struct nf_clock_reading nf_clocks_read(const struct nf_clocks *c)
{
    struct nf_clock_reading r = {0};
    unsigned value = 0;
    unsigned long long bits = 0;
    if (!c || !c->device) {
        return r;
    }
    if (c->clock && c->clock(c->device, CLOCK_SM, &value) == 0) {
        r.sm_mhz = value;
    }
    if (c->clock && c->clock(c->device, CLOCK_MEMORY, &value) == 0) {
        r.mem_mhz = value;
    }
    if (c->power && c->power(c->device, &value) == 0) {
        r.power_w = value * 1e-3;
    }
    if (c->temperature && c->temperature(c->device, SENSOR_GPU, &value) == 0) {
        r.temperature_c = value;
    }
    if (c->reasons && c->reasons(c->device, &bits) == 0) {
        bool thermal = (bits & (SOFTWARE_THERMAL | HARDWARE_THERMAL)) != 0;
        bool hardware = (bits & (HARDWARE_SLOWDOWN | POWER_BRAKE)) != 0;
        r.throttled = thermal || hardware;
        r.power_cap = (bits & SOFTWARE_POWER_CAP) != 0;
        (void)snprintf(r.reasons, sizeof r.reasons, "%s%s", thermal ? "thermal " : "",
                       hardware ? "hardware " : "");
    }
    return r;
}

double nf_clocks_max_sm_mhz(const struct nf_clocks *c)
{
    unsigned value = 0;
    bool known =
        c && c->device && c->max_clock && c->max_clock(c->device, CLOCK_SM, &value) == 0;
    return known ? value : 0.0;
}

bool nf_clocks_driver(const struct nf_clocks *c, char *text, size_t cap)
{
    return c && c->library && c->driver && c->driver(text, (unsigned)cap) == 0;
}
