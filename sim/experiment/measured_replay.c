/* measured_replay.c - a recorded run of one LLM engine, request by request, against the same requests in one simulated replica. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_read.h"
#include "experiment/calibrate.h"
#include "experiment/llm_replica.h"
#include "experiment/measured.h"

static const struct nf_place nowhere;

enum { BYTES_MAX = 256 * 1024 * 1024, METRICS = 8 };
enum metric { TTFT, TPOT, E2E, TTFT_MEAN, TPOT_MEAN, E2E_MEAN, TTFT_P99, E2E_P99 };

/* One recorded request; s. */
struct request {
    double arrival, ttft, tpot, e2e;
    double input, output;
    const char *id;
    int line;
};

struct replay {
    const struct nf_measured_with *with;
    struct nf_arena *arena;
    struct nf_diags *diags;
    const char *meta_file, *requests_file;
    const struct nf_json_value *meta;
    struct request *requests;
    size_t count;
    struct nf_llm_engine engine;
    const struct nf_llm_arch *arch;
    const struct nf_device *device;
    const struct nf_calibration *profile;
    unsigned ranks;
    const char *group;
};

/* ---- requests.jsonl ---- */

static bool number(struct replay *p, const struct nf_json_value *v, const char *key,
                   int line, double *out)
{
    const struct nf_json_value *m = nf_json_get(v, key);
    if (m && m->kind == NF_JSON_NUMBER && isfinite(m->number)) {
        *out = m->number;
        return true;
    }
    (void)nf_diag_add(p->diags, NF_E_KEY, (struct nf_place){p->requests_file, line, 0},
                      key, NULL, "expected a number");
    return false;
}

/* Arrival is wall-clock time, the rest a monotonic clock; queued_ts joins them (it is later by the front end's few milliseconds). */
static bool take_request(struct replay *p, const struct nf_json_value *v, int line,
                         struct request *r)
{
    double queued = 0, first = 0, last = 0;
    *r = (struct request){.line = line};
    bool ok = number(p, v, "input_toks", line, &r->input);
    ok = number(p, v, "output_toks", line, &r->output) && ok;
    ok = number(p, v, "queued_ts", line, &queued) && ok;
    ok = number(p, v, "first_token_ts", line, &first) && ok;
    ok = number(p, v, "last_token_ts", line, &last) && ok;
    if (!ok) {
        return false;
    }
    if (r->input < 1 || r->output < 1 || first < queued || last < first) {
        (void)nf_diag_add(
            p->diags, NF_E_RANGE, (struct nf_place){p->requests_file, line, 0}, "", NULL,
            "expected at least one token each way and queued <= first token "
            "<= last token");
        return false;
    }
    const struct nf_json_value *id = nf_json_get(v, "request_id");
    r->id = id && id->text ? id->text : "";
    r->arrival = queued;
    r->ttft = first - queued;
    r->e2e = last - queued;
    r->tpot = r->output > 1 ? (last - first) / (r->output - 1) : (double)NAN;
    return true;
}

static int by_arrival(const void *a, const void *b)
{
    const struct request *x = a, *y = b;
    if (x->arrival != y->arrival) {
        return x->arrival < y->arrival ? -1 : 1;
    }
    return (x->line > y->line) - (x->line < y->line);
}

static bool read_requests(struct replay *p)
{
    struct nf_file_bytes file;
    size_t cap = 0;
    int line = 0;
    if (nf_file_read(p->requests_file, BYTES_MAX, nowhere, p->arena, p->diags, &file) !=
        NF_OK) {
        return false;
    }
    const char *text = file.data;
    for (size_t i = 0; i < file.length; i++) {
        cap += text[i] == '\n';
    }
    p->requests = NF_NEW_ARRAY(p->arena, cap + 1, struct request);
    for (const char *at = text; *at && p->diags->errors < NF_DIAGS_MAX;) {
        size_t n = strcspn(at, "\n");
        char why[160];
        line++;
        if (n > 0) {
            const struct nf_json_value *v =
                nf_json_parse(at, n, p->arena, why, sizeof why);
            if (!v) {
                (void)nf_diag_add(p->diags, NF_E_SYNTAX,
                                  (struct nf_place){p->requests_file, line, 0}, "", NULL,
                                  "%s", why);
            } else if (take_request(p, v, line, &p->requests[p->count])) {
                p->count++;
            }
        }
        at += n + (at[n] == '\n');
    }
    if (p->count == 0 && p->diags->errors == 0) {
        (void)nf_diag_add(p->diags, NF_E_SYNTAX,
                          (struct nf_place){p->requests_file, 0, 0}, "", NULL,
                          "no requests");
    }
    qsort(p->requests, p->count, sizeof *p->requests, by_arrival);
    return p->diags->errors == 0;
}

/* ---- meta.json ---- */

static const struct nf_json_value *meta_value(const struct replay *p, const char *part,
                                              const char *key)
{
    return nf_json_get(nf_json_get(p->meta, part), key);
}

static unsigned meta_count(struct replay *p, const char *part, const char *key)
{
    const struct nf_json_value *v = meta_value(p, part, key);
    if (v && v->kind == NF_JSON_NUMBER && v->number >= 1 && v->number < 1e9) {
        return (unsigned)v->number;
    }
    (void)nf_diag_add(p->diags, NF_E_KEY, (struct nf_place){p->meta_file, 0, 0},
                      nf_arena_printf(p->arena, "%s.%s", part, key), NULL,
                      "expected a whole number, at least 1");
    return 1;
}

static bool read_meta(struct replay *p)
{
    struct nf_file_bytes file;
    char why[160];
    if (nf_file_read(p->meta_file, BYTES_MAX, nowhere, p->arena, p->diags, &file) !=
        NF_OK) {
        return false;
    }
    p->meta = nf_json_parse(file.data, file.length, p->arena, why, sizeof why);
    if (!p->meta) {
        (void)nf_diag_add(p->diags, NF_E_SYNTAX, (struct nf_place){p->meta_file, 0, 0},
                          "", NULL, "%s", why);
        return false;
    }
    p->engine = nf_llm_engine_defaults();
    p->engine.max_sequences = meta_count(p, "engine_kwargs", "max_num_seqs");
    p->engine.max_batched_tokens =
        meta_count(p, "engine_kwargs", "max_num_batched_tokens");
    p->engine.kv_blocks = meta_count(p, "kv_cache", "num_gpu_blocks");
    p->engine.block_tokens = meta_count(p, "kv_cache", "block_size");
    p->ranks = meta_count(p, "engine_kwargs", "tensor_parallel_size");
    const struct nf_json_value *asynchronous = nf_json_get(
        nf_json_get(nf_json_get(p->meta, "resolved_config"), "scheduler_config"),
        "async_scheduling");
    p->engine.async_scheduling =
        asynchronous && asynchronous->kind == NF_JSON_BOOL && asynchronous->number > 0;
    return p->diags->errors == 0;
}

/* "NVIDIA GeForce RTX 4090" is the device RTX4090: the words joined from some word on. */
static const struct nf_device *device_of(const struct replay *p)
{
    const struct nf_json_value *v = meta_value(p, "hardware", "device_name");
    char joined[128];
    const char *at = v && v->text ? v->text : "";
    while (*at) {
        size_t n = 0;
        for (const char *s = at; *s && n + 1 < sizeof joined; s++) {
            if (*s != ' ') {
                joined[n++] = *s;
            }
        }
        joined[n] = '\0';
        const struct nf_device *d = nf_calibrate_device(p->with->catalog, joined);
        d = d ? d : nf_calibrate_device(p->with->catalog, at);
        if (d) {
            return d;
        }
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return NULL;
}

static bool resolve(struct replay *p)
{
    const struct nf_json_value *model = nf_json_get(p->meta, "model");
    const struct nf_json_value *type = meta_value(p, "engine_kwargs", "dtype");
    const char *name = model && model->text ? model->text : "";
    struct nf_place place = {p->meta_file, 0, 0};
    p->arch = p->with->arch ? p->with->arch : nf_calibrate_model(p->with->catalog, name);
    p->device = p->with->device ? p->with->device : device_of(p);
    if (!p->arch) {
        (void)nf_diag_add(p->diags, NF_E_REFERENCE, place, "model",
                          "nearfar catalog models lists them",
                          "the catalogue has no \"%s\"", name);
    }
    if (type && type->text && strcmp(type->text, "bfloat16") != 0 &&
        strcmp(type->text, "auto") != 0 && strcmp(type->text, "float16") != 0) {
        (void)nf_diag_add(p->diags, NF_E_UNSUPPORTED, place, "engine_kwargs.dtype", NULL,
                          "expected bfloat16, float16 or auto, found \"%s\"", type->text);
    }
    if (!p->device) {
        (void)nf_diag_add(p->diags, NF_E_REFERENCE, place, "hardware.device_name",
                          "name its profile with --profile",
                          "the catalogue has no such device");
        return false;
    }
    p->profile = p->with->profile
                     ? p->with->profile
                     : nf_catalog_calibration(p->with->catalog, p->device->name);
    return p->diags->errors == 0;
}

/* ---- the run ---- */

static double quantile(double *x, size_t n, double q)
{
    for (size_t i = 1; i < n; i++) { /* insertion: a few hundred, nearly sorted by time */
        double v = x[i];
        size_t k = i;
        for (; k > 0 && x[k - 1] > v; k--) {
            x[k] = x[k - 1];
        }
        x[k] = v;
    }
    size_t at = (size_t)(q * (double)n);
    return x[at < n ? at : n - 1];
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(x[i])) {
            sum += x[i];
            k++;
        }
    }
    return k > 0 ? sum / (double)k : (double)NAN;
}

/* The row of the whole run: means and percentiles. ttft, tpot, e2e of all requests; sorts them. */
static void summarize(double *value, double *ttft, double *tpot, double *e2e, size_t n)
{
    for (int k = 0; k < METRICS; k++) {
        value[k] = (double)NAN;
    }
    value[TTFT_MEAN] = mean(ttft, n);
    value[TPOT_MEAN] = mean(tpot, n);
    value[E2E_MEAN] = mean(e2e, n);
    value[TTFT_P99] = quantile(ttft, n, 0.99);
    value[E2E_P99] = quantile(e2e, n, 0.99);
}

/* Rows of the simulated run by arrival: the n-th is the n-th request, for the trace keeps their order. */
static int by_row_arrival(const void *a, const void *b)
{
    const struct nf_row *x = a, *y = b;
    if (x->arrival != y->arrival) {
        return x->arrival < y->arrival ? -1 : 1;
    }
    if (x->input_tokens != y->input_tokens) {
        return x->input_tokens < y->input_tokens ? -1 : 1;
    }
    return (x->output_tokens > y->output_tokens) - (x->output_tokens < y->output_tokens);
}

static void compare(struct replay *p, const struct nf_llm_served *served,
                    struct nf_measured *out)
{
    size_t n = p->count;
    double *x = NF_NEW_ARRAY(p->arena, 6 * n, double);
    double *ttft = x, *tpot = x + n, *e2e = x + 2 * n;
    for (size_t i = 0; i < n; i++) {
        const struct request *q = &p->requests[i];
        const struct nf_row *r = &served->rows[i];
        struct nf_measured_row *row = &out->rows[out->count++];
        *row =
            (struct nf_measured_row){.group = p->group, .name = q->id, .line = q->line};
        for (int k = 0; k < METRICS; k++) {
            row->predicted[k] = row->measured[k] = (double)NAN;
        }
        row->measured[TTFT] = ttft[i] = q->ttft;
        row->measured[TPOT] = tpot[i] = q->tpot;
        row->measured[E2E] = e2e[i] = q->e2e;
        row->predicted[TTFT] = ttft[3 * n + i] = nf_time_s(r->ttft);
        row->predicted[TPOT] = tpot[3 * n + i] =
            r->tpot >= 0 ? nf_time_s(r->tpot) : (double)NAN;
        row->predicted[E2E] = e2e[3 * n + i] = nf_time_s(r->latency);
    }
    struct nf_measured_row *whole = NF_NEW(p->arena, struct nf_measured_row);
    *whole = (struct nf_measured_row){.group = "whole run", .name = "whole run"};
    out->whole = whole;
    summarize(whole->measured, ttft, tpot, e2e, n);
    summarize(whole->predicted, ttft + 3 * n, tpot + 3 * n, e2e + 3 * n, n);
}

static bool run(struct replay *p, struct nf_measured *out)
{
    struct nf_llm_cost *cost = NF_NEW(p->arena, struct nf_llm_cost);
    struct nf_host host = {p->device, p->profile, p->ranks};
    char why[400];
    if (!nf_llm_prepare(cost, p->arch, &host, &p->engine, why, sizeof why)) {
        (void)nf_diag_add(p->diags, NF_E_IMPOSSIBLE,
                          (struct nf_place){p->meta_file, 0, 0}, "", NULL, "%s", why);
        return false;
    }
    /* queued_ts is when the engine has the request: the front end's share is over. */
    cost->request_overhead_s = 0;
    struct nf_trace_row *trace = NF_NEW_ARRAY(p->arena, p->count, struct nf_trace_row);
    for (size_t i = 0; i < p->count; i++) {
        trace[i] = (struct nf_trace_row){
            nf_time_of_s(p->requests[i].arrival - p->requests[0].arrival),
            (uint32_t)p->requests[i].input, (uint32_t)p->requests[i].output};
    }
    struct nf_llm_load load = {
        .cost = cost,
        .arrivals = {.kind = NF_ARRIVAL_TRACE, .trace = trace, .trace_count = p->count},
        .seed = 1,
        .requests = p->count};
    struct nf_llm_served served;
    nf_llm_replica_run(&load, p->arena, &served);
    if (served.count < p->count) {
        (void)nf_diag_add(
            p->diags, NF_E_IMPOSSIBLE, (struct nf_place){p->requests_file, 0, 0}, "",
            NULL, "%zu requests are longer than the whole KV cache of %llu blocks",
            p->count - served.count, (unsigned long long)p->engine.kv_blocks);
        return false;
    }
    qsort(served.rows, served.count, sizeof *served.rows, by_row_arrival);
    compare(p, &served, out);
    return true;
}

enum nf_status nf_measured_replay(const struct nf_measured_with *with, const char *folder,
                                  struct nf_arena *arena, struct nf_diags *diags,
                                  struct nf_measured *out)
{
    struct replay p = {.with = with, .arena = arena, .diags = diags};
    p.meta_file = nf_arena_printf(arena, "%s/meta.json", folder);
    p.requests_file = nf_arena_printf(arena, "%s/requests.jsonl", folder);
    bool ok = read_meta(&p);
    ok = read_requests(&p) && ok;
    if (!ok || !resolve(&p)) {
        return nf_diags_status(diags);
    }
    *out = (struct nf_measured){
        .kind = "replay",
        .metrics = {"ttft", "tpot", "e2e", "ttft_mean", "tpot_mean", "e2e_mean",
                    "ttft_p99", "e2e_p99"},
        .metric_count = METRICS,
        .assumptions = nf_arena_printf(
            arena,
            "%s on %u x %s, %llu KV blocks of %u tokens, %u sequences, %u tokens a step, "
            "from "
            "meta.json; times from queued_ts.\n%s",
            p.arch->name, p.ranks, p.device->name, (unsigned long long)p.engine.kv_blocks,
            p.engine.block_tokens, p.engine.max_sequences, p.engine.max_batched_tokens,
            p.engine.async_scheduling
                ? "0.3 ms a step and 20 us a sampled sequence, as everywhere; the engine "
                  "schedules asynchronously (meta.json), so that\nthey run beside the "
                  "GPU and the longer of both counts."
                : "0.3 ms a step and 20 us a sampled sequence, as everywhere.")};
    p.group = nf_arena_printf(arena, "%s %s", p.arch->name, p.device->name);
    out->rows = NF_NEW_ARRAY(arena, p.count, struct nf_measured_row);
    return run(&p, out) ? NF_OK : nf_diags_status(diags);
}
