#include "experiment/llm_replica.h"

#include "base/status.h"
#include "experiment/lone_station.h"

struct keeper {
    struct nf_llm_served *out;
    size_t cap;
};

static void keep(void *ctx, const struct nf_row *row)
{
    struct keeper *k = ctx;
    if (row->outcome == NF_COMPLETED && k->out->count < k->cap) {
        k->out->rows[k->out->count++] = *row;
        double end = nf_time_s(row->arrival + row->latency);
        k->out->seconds = end > k->out->seconds ? end : k->out->seconds;
    }
}

void nf_llm_replica_run(const struct nf_llm_load *load, struct nf_arena *arena,
                        struct nf_llm_served *out)
{
    struct nf_lone_station lone;
    nf_lone_station_init(&lone, NF_MODEL_LLM, NF_STATION_LLM);
    lone.hosting.llm = *load->cost;
    lone.class_spec.tokens_from_trace = load->arrivals.kind == NF_ARRIVAL_TRACE;
    lone.class_spec.input_tokens = load->input_tokens;
    lone.class_spec.output_tokens = load->output_tokens;
    lone.source.arrivals = load->arrivals;
    lone.spec.seed = load->seed;
    lone.spec.duration = 1000000 * NF_SECOND;
    lone.spec.write_requests = true;
    *out = (struct nf_llm_served){0};
    out->rows = NF_NEW_ARRAY(arena, load->requests, struct nf_row);
    struct keeper keeper = {out, load->requests};
    struct nf_sinks sinks = {.row = keep, .ctx = &keeper};
    struct nf_outcome outcome;
    nf_world_run(&lone.spec, 0, &sinks, &outcome);
    out->failed = outcome.counts.outcome[NF_FAILED];
    out->preemptions = outcome.stations[0].preemptions;
    out->iterations = outcome.stations[0].iterations;
    nf_outcome_fini(&outcome);
}
