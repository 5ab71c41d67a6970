#include "scenario/trace.h"

const char *const nf_trace_formats[] = {"azure-llm", "csv", NULL};
