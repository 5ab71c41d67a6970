/* Arrival processes of traffic entries. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

static bool refuse(struct nf__build *b, struct nf_arrivals_decl *d, const char *key,
                   const char *message)
{
    (void)nf_object_error(&b->load, &d->at, key, NF_E_RANGE, NULL, "%s", message);
    return false;
}

static bool make_renewal(struct nf__build *b, struct nf_arrivals_decl *d,
                         struct nf_arrival_spec *out)
{
    const char *why = "";
    out->kind = NF_ARRIVAL_RENEWAL;
    if (d->process != NF_PROCESS_RENEWAL && NF_IS_WRONG(&d->at, "rate", "cv")) {
        return false;
    }
    if (d->process == NF_PROCESS_GAMMA) {
        return nf_dist_gamma(&out->gap, 1 / d->rate, d->cv, &why) ||
               refuse(b, d, "", why);
    }
    if (d->process == NF_PROCESS_WEIBULL) {
        return nf_dist_weibull(&out->gap, 1 / d->rate, d->cv, &why) ||
               refuse(b, d, "", why);
    }
    if (!nf__build_dist(b, &d->gap, NF_DIM_TIME, &out->gap)) {
        return false;
    }
    return out->gap.mean >= 1e-9 ||
           refuse(b, d, "gap",
                  "the mean gap must be at least 1 ns; requests would never stop");
}

static bool make_mmpp(struct nf__build *b, struct nf_arrivals_decl *d,
                      struct nf_arrival_spec *out)
{
    struct nf_state_decl *declared = d->states.items;
    size_t n = d->states.count;
    double most = 0;
    bool ok = nf_object_is_whole(&d->at, "states"), has_rates = ok;
    if (ok && n < 2) {
        ok = refuse(b, d, "states", "expected at least two states; for one, use poisson");
    }
    struct nf_mmpp_state *states = NF_NEW_ARRAY(b->load.arena, n, struct nf_mmpp_state);
    for (size_t i = 0; i < n; i++) {
        states[i] = (struct nf_mmpp_state){declared[i].rate, declared[i].dwell};
        most = fmax(most, declared[i].rate);
        has_rates = has_rates && !nf_object_is_wrong(&declared[i].at, "rate");
        if (!nf_object_is_wrong(&declared[i].at, "dwell") && declared[i].dwell < 1e-6) {
            (void)nf_object_error(&b->load, &declared[i].at, "dwell", NF_E_RANGE, NULL,
                                  "a state lasts at least 1 us on average");
        }
    }
    if (has_rates && !(most > 0)) {
        ok = refuse(b, d, "states", "all rates are 0; no request would ever come");
    }
    out->kind = NF_ARRIVAL_MMPP;
    out->states = states;
    out->state_count = n;
    return ok;
}

/* *latest: the greatest time so far. */
static bool check_point(struct nf__build *b, struct nf_arrivals_decl *d,
                        struct nf_point_decl *p, double *latest)
{
    bool is_exponential = !nf_object_is_wrong(&d->at, "interpolation") &&
                          d->interpolation == NF_INTERP_EXPONENTIAL;
    bool ok = !p->at.is_broken;
    if (!nf_object_is_wrong(&p->at, "time")) {
        if (p->time < *latest) {
            (void)nf_object_error(
                &b->load, &p->at, "", NF_E_IMPOSSIBLE, NULL,
                "the times of a profile rise; this one is before the point before");
            ok = false;
        } else if (p == d->profile.items && p->time > 0) {
            (void)nf_object_error(&b->load, &p->at, "", NF_E_IMPOSSIBLE,
                                  "begin with [0s, RATE]", "a profile begins at time 0");
            ok = false;
        }
        *latest = p->time;
    }
    if (is_exponential && !nf_object_is_wrong(&p->at, "rate") && !(p->rate > 0)) {
        (void)nf_object_error(&b->load, &p->at, "", NF_E_RANGE,
                              "use a very small rate, or linear",
                              "exponential interpolation needs rates above 0");
        ok = false;
    }
    return ok;
}

/* The last rate stays until the end: a last point there says so to the world. */
static bool make_nhpp(struct nf__build *b, struct nf_arrivals_decl *d,
                      struct nf_arrival_spec *out)
{
    struct nf_point_decl *declared = d->profile.items;
    size_t n = d->profile.count;
    double most = 0, latest = 0;
    bool ok = n > 0;
    struct nf_rate_point *points =
        NF_NEW_ARRAY(b->load.arena, n + 1, struct nf_rate_point);
    for (size_t i = 0; i < n; i++) {
        ok = check_point(b, d, &declared[i], &latest) && ok;
        points[i] = (struct nf_rate_point){declared[i].time, declared[i].rate};
        most = fmax(most, declared[i].rate);
    }
    if (ok && !(most > 0)) {
        return refuse(b, d, "profile", "all rates are 0; no request would ever come");
    }
    double end = b->decl->duration;
    if (ok && points[n - 1].at_s < end) {
        points[n] = (struct nf_rate_point){end, points[n - 1].rate};
        n++;
    }
    out->kind = NF_ARRIVAL_NHPP;
    out->interpolation = (enum nf_interpolation)d->interpolation;
    out->profile = points;
    out->profile_count = n;
    return ok;
}

static bool make_trace(struct nf__build *b, struct nf__class *c, struct nf_trace *trace)
{
    struct nf_arrivals_decl *d = &c->decl->arrivals;
    if (nf_object_is_wrong(&d->at, "file")) {
        return false;
    }
    struct nf_trace_options options = {
        .format = (enum nf_trace_format)d->format,
        .speed = d->speed,
        .offset_s = d->offset,
        .end = b->world->duration > 0 ? b->world->duration + 1 : NF_TIME_NEVER,
        .from = nf_object_place(&d->at, "file"),
        .where = nf_arena_printf(b->load.arena, "%s.file", d->at.path)};
    const char *path = nf__build_file(b, d->file);
    if (nf_object_is_wrong(&d->at, "format")) {
        (void)nf_trace_find(path, &options, b->load.diags);
        return false;
    }
    if (nf__build_is_bad_file(b, path, (uint32_t)d->format)) {
        return false;
    }
    if (nf_trace_read(path, &options, b->load.arena, b->load.diags, trace) != NF_OK) {
        nf__build_add_bad_file(b, path, (uint32_t)d->format);
        return false;
    }
    nf__build_used(
        b, (struct nf_scenario_input){"trace", d->file, path,
                                      nf_arena_strdup(b->load.arena, trace->sha256)});
    nf__build_played(b, c, trace);
    c->arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE,
                                           .trace = trace->rows,
                                           .trace_count = trace->count,
                                           .trace_names = trace->names};
    if (c->site != NF__NONE && b->sites[c->site].count > 1) {
        nf_diag_warn(
            b->load.diags, d->at.place, d->at.path,
            "each of the %u copies of site %s replays the same trace at the same times",
            b->sites[c->site].count, b->sites[c->site].name);
    }
    return true;
}

bool nf__build_arrivals(struct nf__build *b, struct nf__class *c, struct nf_trace *trace)
{
    struct nf_arrivals_decl *d = &c->decl->arrivals;
    c->knows_trace = false;
    if (d->at.is_unread || d->process < 0) {
        return false;
    }
    bool ok = false;
    switch (d->process) {
    case NF_PROCESS_POISSON:
    case NF_PROCESS_CONSTANT:
        c->arrivals.kind =
            d->process == NF_PROCESS_POISSON ? NF_ARRIVAL_POISSON : NF_ARRIVAL_CONSTANT;
        c->arrivals.rate = d->rate;
        ok = true;
        break;
    case NF_PROCESS_MMPP:
        ok = make_mmpp(b, d, &c->arrivals);
        break;
    case NF_PROCESS_NHPP:
        ok = make_nhpp(b, d, &c->arrivals);
        break;
    case NF_PROCESS_TRACE:
        ok = make_trace(b, c, trace);
        break;
    default:
        ok = make_renewal(b, d, &c->arrivals);
        break;
    }
    c->knows_trace =
        !nf_object_is_wrong(&d->at, "process") && (ok || d->process != NF_PROCESS_TRACE);
    return ok && !d->at.is_broken;
}
