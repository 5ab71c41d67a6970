#include "ops.h"

void nf_triad_reference(float *to, const float *from, const float *from2, float scale,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i] + scale * from2[i];
    }
}
