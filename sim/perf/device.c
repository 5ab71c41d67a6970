#include "perf/device.h"

#include <string.h>

#include "base/status.h"

const char *nf_precision_name(enum nf_precision p)
{
    static const char *const names[NF_PRECISIONS] = {"fp32", "tf32", "fp16", "bf16",
                                                     "fp8",  "int8", "int4"};
    NF_ASSERT((unsigned)p < NF_PRECISIONS);
    return names[p];
}

double nf_precision_bytes(enum nf_precision p)
{
    static const double bytes[NF_PRECISIONS] = {4.0, 4.0, 2.0, 2.0, 1.0, 1.0, 0.5};
    NF_ASSERT((unsigned)p < NF_PRECISIONS);
    return bytes[p];
}

const char *nf_provenance_name(enum nf_provenance p)
{
    static const char *const names[NF_PROVENANCES] = {"measured", "published", "derived",
                                                      "assumed"};
    NF_ASSERT((unsigned)p < NF_PROVENANCES);
    return names[p];
}

static char plain(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

bool nf_device_is_named(const struct nf_device *device, const char *text)
{
    const char *name = device->name;
    while (*name && plain(*text) == plain(*name)) {
        text++;
        name++;
    }
    return *name == '\0' && (*text == '\0' || strchr("_-. /", *text) != NULL);
}

enum nf_precision nf_device_half(const struct nf_device *device)
{
    return device->peak[NF_BF16] > 0 ? NF_BF16 : NF_FP16;
}
