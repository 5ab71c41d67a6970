/*
 * selftest.h - the CPU references' and the file writer's own tests, inside the program.
 *
 * Why:    `nearfar-kernels check` judges kernels by the references; on a machine without a GPU (and
 *         before any kernel is judged) the references themselves are held against hand-worked cases.
 */
#ifndef NF_KERNELS_SELFTEST_H
#define NF_KERNELS_SELFTEST_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nf_selftest {
    const char *name; /* the claim, in words with underscores */
    bool (*holds)(void);
};
const struct nf_selftest *nf_selftests(int *count);
const struct nf_selftest *nf_selftests_composed(int *count); /* selftest_composed.c */

#ifdef __cplusplus
}
#endif
#endif
