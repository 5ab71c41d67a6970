#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "bench/bench.h"

/* The first "model name" of /proc/cpuinfo, "unknown" where there is none. */
static void read_processor(char *name, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "unknown");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');
        if (colon != NULL && strncmp(line, "model name", 10) == 0) {
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(name, size, "%s", colon + 2);
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

void nf_bench_print_machine(const struct nf_bench *bench)
{
    char processor[256];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __clang__
    const char *compiler = __VERSION__;
#else
    const char *compiler = "gcc " __VERSION__;
#endif
    read_processor(processor, sizeof processor);
    if (!bench->json) {
        printf("nearfar %s, %s (%s), %s, %ld cores: %s\n", NF_VERSION, NF_BUILD_TYPE,
               NF_BUILD_FLAGS, processor, cores, compiler);
        printf("%-18s %-30s %-12s %12s %12s %12s\n", "benchmark", "parameters", "unit",
               "median", "q1", "q3");
        return;
    }
    struct nf_text text = {0};
    struct nf_json j;
    nf_json_init(&j, &text, false);
    nf_json_object(&j, NULL);
    nf_json_object(&j, "machine");
    nf_json_string(&j, "processor", processor);
    nf_json_int(&j, "cores", cores);
    nf_json_string(&j, "compiler", compiler);
    nf_json_string(&j, "flags", NF_BUILD_FLAGS);
    nf_json_string(&j, "build_type", NF_BUILD_TYPE);
    nf_json_string(&j, "nearfar", NF_VERSION);
    nf_json_end(&j);
    nf_json_end(&j);
    puts(text.data);
    nf_text_fini(&text);
}
