/*
 * nearfar-kernels-emulated [--order ascending|descending|shuffled] [--early] [--seed N] [OP...]
 *
 * Checks our own kernels against their references on the CPU, through the emulator (emulate.h).
 * Exit status: 0 all right, 1 something is wrong, 2 bad usage.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulate/emulate.h"
#include "harness.h"

static bool wanted(const nf_op *op, int argc, char **argv, int first)
{
    if (first == argc) {
        return true;
    }
    for (int i = first; i < argc; i++) {
        if (std::strcmp(argv[i], op->name) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    nf_bench b = {};
    b.emulated = true;
    b.seed = 20240607;
    b.facts.compute_capability = 90;
    b.capability = 90;
    b.facts.sm_count = 3;
    b.facts.l2_bytes = 1 << 20;
    b.facts.smem_optin_bytes = 227 * 1024;
    b.peak = nf_peak_of("");
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        nf_emu::dials &d = nf_emu::settings();
        if (std::strcmp(argv[i], "--early") == 0) {
            d.late = false;
        } else if (std::strcmp(argv[i], "--order") == 0 && i + 1 < argc) {
            i++;
            d.threads = argv[i][0] == 'd'   ? nf_emu::order::descending
                        : argv[i][0] == 's' ? nf_emu::order::shuffled
                                            : nf_emu::order::ascending;
        } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            b.seed = std::strtoull(argv[++i], nullptr, 10);
            d.seed = b.seed;
        } else {
            std::fprintf(stderr, "unknown option %s\n", argv[i]);
            return 2;
        }
    }
    int count, ran = 0;
    const nf_op *const *ops = nf_ops(&count);
    for (int o = 0; o < count; o++) {
        if (ops[o]->check && wanted(ops[o], argc, argv, i)) {
            int before = b.checked;
            double start = nf_now_s();
            ops[o]->check(&b);
            nf_case_end(&b);
            std::printf("%-18s %3d checks, %5.1f s\n", ops[o]->name, b.checked - before,
                        nf_now_s() - start);
            ran++;
        }
    }
    if (!nf_ok(&b)) {
        std::fprintf(stderr, "%s\n", b.error);
    }
    std::printf("%d operations, %d checks, %d wrong\n", ran, b.checked, b.failed);
    if (ran == 0) {
        return 2;
    }
    return b.failed > 0 || !nf_ok(&b) || b.checked == 0 ? 1 : 0;
}
