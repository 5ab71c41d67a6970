/* A matrix product by whatever is best here: cuBLASLt where it is wanted and there, else our own. */
#include "ops.h"

bool nf_product_prepare(struct nf_bench *b, struct nf_product *p, const struct nf_gemm *g,
                        bool library)
{
    *p = (struct nf_product){.g = *g};
    p->plan = library ? nf_lt_plan_for(b, NF_LT_HEURISTIC, g) : NULL;
    if (p->plan || !nf_ok(b)) {
        return nf_ok(b);
    }
    const int order[] = {NF_GEMM_WGMMA, NF_GEMM_MMA, NF_GEMM_PLAIN};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (nf_gemm_takes(b, order[i], g)) {
            p->version = order[i];
            return p->version != NF_GEMM_WGMMA || nf_gemm_maps(b, &p->g);
        }
    }
    return nf_fail(b, "no kernel for a product m=%d n=%d k=%d", g->m, g->n, g->k);
}

void nf_product_launch(const struct nf_product *p, nf_stream stream)
{
    if (p->plan) {
        nf_lt_launch(p->plan, &p->g, stream);
    } else {
        nf_gemm_launch(p->version, &p->g, stream);
    }
}
