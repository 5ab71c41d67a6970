#include "perf/pnorm.h"

#include <math.h>

#include "base/status.h"

void nf_pnorm_init(struct nf_pnorm *n, double p)
{
    NF_ASSERT(p >= 1);
    for (int i = 0; i <= NF_PNORM_CELLS; i++) {
        double r = (double)i / NF_PNORM_CELLS;
        n->g[i] = pow(1 + pow(r, p), 1 / p);
    }
    n->g[NF_PNORM_CELLS + 1] = n->g[NF_PNORM_CELLS];
}
