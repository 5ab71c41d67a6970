/*
 * calibrate_write.h - a fitted profile as YAML (private to calibrate*.c).
 */
#ifndef NF_EXPERIMENT_CALIBRATE_WRITE_H
#define NF_EXPERIMENT_CALIBRATE_WRITE_H

#include "experiment/calibrate.h"

struct nf__profile_text {
    const struct nf_calibrate *c;
    struct nf_arena *arena;
    struct nf_diags *diags;
    const struct nf_calibration_fit *result;
    const struct nf_samples *files; /* c->file_count */
    const char *date;
    struct nf_text *out;
};

enum nf_status nf__calibrate_write(const struct nf__profile_text *t);

#endif
