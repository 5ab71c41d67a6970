#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "library.h"
#include "nvml.h"
#include "rows.h"
#include "selftest.h"
#include "timing.h"

Test(kernels, references_hold_against_hand_worked_cases)
{
    int count;
    const struct nf_selftest *tests = nf_selftests(&count);
    cr_assert(count > 20, "only %d claims", count);
    for (int i = 0; i < count; i++) {
        cr_expect(tests[i].holds(), "%s", tests[i].name);
    }
    tests = nf_selftests_composed(&count);
    cr_assert(count > 5, "only %d claims", count);
    for (int i = 0; i < count; i++) {
        cr_expect(tests[i].holds(), "%s", tests[i].name);
    }
}

static struct nf_facts some_facts(void)
{
    return (struct nf_facts){.device = "Test, \"device\"",
                             .compute_capability = 90,
                             .sm_count = 132,
                             .l2_bytes = 62914560,
                             .driver = "1.2",
                             .toolkit = "13.0",
                             .code = "abc"};
}

/* Two rows of `op` by version `code` of our program. */
static void write_rows(const char *name, double second_median, const char *op,
                       const char *code)
{
    struct nf_facts facts = some_facts();
    (void)snprintf(facts.code, sizeof facts.code, "%s", code);
    struct nf_rows rows;
    cr_assert(nf_rows_open(&rows, name, &facts), "%s", rows.error);
    struct nf_row row = {.kind = "op",
                         .op = op,
                         .version = "mma",
                         .dtype = "bf16",
                         .cache = "hot",
                         .shape = "m=1 n=2 k=3",
                         .samples = 30,
                         .median_us = 2.385,
                         .q1_us = 2,
                         .q3_us = 3,
                         .flop = 12,
                         .bytes = 7919};
    nf_row_flag(&row, "steady");
    cr_assert(nf_rows_put(&rows, &row));
    nf_row_flag(&row, "throttled");
    row.median_us = second_median;
    cr_assert(nf_rows_put(&rows, &row));
    cr_assert(access(name, F_OK) != 0, "the file appears before it is complete");
    cr_assert(nf_rows_close(&rows), "%s", rows.error);
}

static void write_file(const char *name, double second_median)
{
    write_rows(name, second_median, "gemm", "abc");
}

static void name_in_temporary_folder(char *name, size_t cap)
{
    char folder[] = "/tmp/nf-rows-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    (void)snprintf(name, cap, "%s/a.csv", folder);
}

static void drop(char *name)
{
    cr_assert(remove(name) == 0);
    *strrchr(name, '/') = '\0';
    cr_assert(rmdir(name) == 0);
}

Test(rows, a_written_file_is_complete_and_finite)
{
    char name[64];
    struct nf_rows_verdict v;
    name_in_temporary_folder(name, sizeof name);
    write_file(name, 3.0);
    cr_assert(nf_rows_inspect(name, &v), "%s", v.message);
    cr_assert(v.complete && v.rows == 2 && v.bad_rows == 0, "%s", v.message);
    cr_assert(v.throttled_rows == 1 && v.devices == 1, "%s", v.message);
    drop(name);
}

Test(rows, a_row_is_written_as_documented)
{
    char name[64], line[4096];
    name_in_temporary_folder(name, sizeof name);
    write_file(name, (double)NAN); /* not a time: its cells are empty, never "nan" */
    FILE *file = fopen(name, "r");
    cr_assert(file != NULL);
    cr_assert(fgets(line, sizeof line, file) && fgets(line, sizeof line, file));
    cr_assert(strncmp(line, "kind,op,version,dtype,shape,cache,samples,median_us,", 52) ==
              0);
    cr_assert(fgets(line, sizeof line, file) != NULL);
    cr_assert_str_eq(
        line,
        "op,gemm,mma,bf16,m=1 n=2 k=3,hot,30,2.385,2,3,12,7919,5.03144654e-06,3.32033543,"
        ",,,,,,,steady,Test   device ,90,132,62914560,0,1.2,13.0,abc\n");
    cr_assert(fgets(line, sizeof line, file) != NULL);
    cr_assert(strstr(line, "nan") == NULL && strstr(line, ",30,,,,12,7919,,,"), "%s",
              line);
    cr_assert(fclose(file) == 0);
    drop(name);
}

Test(rows, a_file_cut_anywhere_is_incomplete)
{
    char name[64], *text = malloc(1 << 16);
    struct nf_rows_verdict v;
    name_in_temporary_folder(name, sizeof name);
    write_file(name, 3.0);
    FILE *file = fopen(name, "r");
    cr_assert(file != NULL && text != NULL);
    size_t n = fread(text, 1, 1 << 16, file);
    cr_assert(fclose(file) == 0);
    for (size_t cut = 40; cut + 1 < n; cut += 7) {
        file = fopen(name, "w");
        cr_assert(file && fwrite(text, 1, cut, file) == cut && fclose(file) == 0);
        cr_assert(nf_rows_inspect(name, &v));
        cr_assert(!v.complete, "cut at %zu of %zu: %s", cut, n, v.message);
    }
    text[n - 120] ^= 1; /* one changed bit somewhere in the rows */
    file = fopen(name, "w");
    cr_assert(file && fwrite(text, 1, n, file) == n && fclose(file) == 0);
    cr_assert(nf_rows_inspect(name, &v) && !v.complete, "%s", v.message);
    free(text);
    drop(name);
}

Test(rows, an_abandoned_file_leaves_nothing)
{
    char name[64], part[80];
    struct nf_facts facts = some_facts();
    struct nf_rows rows;
    name_in_temporary_folder(name, sizeof name);
    cr_assert(nf_rows_open(&rows, name, &facts));
    nf_rows_abandon(&rows);
    (void)snprintf(part, sizeof part, "%s.part", name);
    cr_assert(access(name, F_OK) != 0 && access(part, F_OK) != 0);
    *strrchr(name, '/') = '\0';
    cr_assert(rmdir(name) == 0);
}

/* Whether name and other cannot be merged, for a reason with `word` in it, and without a file left behind. */
static bool refuses(const char *name, const char *other, const char *word)
{
    char merged[96], why[NF_ROWS_TEXT] = "";
    const char *const parts[] = {name, other};
    (void)snprintf(merged, sizeof merged, "%s.all", name);
    bool refused = !nf_rows_merge(merged, parts, 2, &why);
    cr_expect(refused && strstr(why, word) != NULL, "%s, should be: %s", why, word);
    cr_expect(access(merged, F_OK) != 0, "a failed merge leaves a file");
    return refused;
}

Test(rows, parts_become_one_file)
{
    char name[64], second[80], merged[80], why[NF_ROWS_TEXT] = "";
    struct nf_rows_verdict v;
    name_in_temporary_folder(name, sizeof name);
    write_file(name, 3.0);
    (void)snprintf(second, sizeof second, "%s.second", name);
    (void)snprintf(merged, sizeof merged, "%s.all", name);
    write_rows(second, 4.0, "nms", "abc");
    const char *const parts[] = {name, second};
    cr_assert(nf_rows_merge(merged, parts, 2, &why), "%s", why);
    cr_assert(nf_rows_inspect(merged, &v), "%s", v.message);
    cr_assert(v.complete && v.rows == 4 && v.bad_rows == 0 && v.devices == 1, "%s",
              v.message);
    cr_assert(remove(merged) == 0 && remove(second) == 0);
    drop(name);
}

Test(rows, parts_that_do_not_belong_together_are_refused)
{
    char name[64], second[80], sample[512], why[NF_ROWS_TEXT] = "";
    name_in_temporary_folder(name, sizeof name);
    (void)snprintf(second, sizeof second, "%s.second", name);
    write_file(name, 3.0);
    (void)snprintf(sample, sizeof sample, "%s/half.csv", NF_SAMPLES);
    cr_assert(refuses(name, sample, "half.csv"));
    (void)snprintf(sample, sizeof sample, "%s/nan.csv", NF_SAMPLES);
    cr_assert(refuses(name, sample, "1 bad"));
    (void)snprintf(sample, sizeof sample, "%s/other-device.csv", NF_SAMPLES);
    cr_assert(refuses(name, sample, "another device"));
    cr_assert(refuses(name, name, "there twice"));
    write_rows(second, 4.0, "gemm", "abc"); /* measured again: another time */
    cr_assert(refuses(name, second, "there twice"));
    cr_assert(remove(second) == 0);
    write_rows(second, 4.0, "nms", "abd");
    cr_assert(refuses(name, second, "toolkit or code"));
    const char *const itself[] = {name};
    cr_assert(!nf_rows_merge(name, itself, 1, &why));
    cr_assert(strstr(why, "at once") != NULL && access(name, F_OK) == 0, "%s", why);
    cr_assert(remove(second) == 0);
    drop(name);
}

Test(rows, a_file_of_other_columns_is_no_file_of_ours)
{
    char name[64], text[8192];
    struct nf_rows_verdict v;
    name_in_temporary_folder(name, sizeof name);
    write_file(name, 3.0);
    FILE *file = fopen(name, "r");
    cr_assert(file != NULL);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    cr_assert(n > 0 && fclose(file) == 0);
    memcpy(strstr(text, "median_us"), "median_ms", 9);
    file = fopen(name, "w");
    cr_assert(file && fwrite(text, 1, n, file) == n && fclose(file) == 0);
    cr_assert(!nf_rows_inspect(name, &v) && strstr(v.message, "columns"), "%s",
              v.message);
    drop(name);
}

Test(rows, a_device_is_not_replaced_by_a_file)
{
    struct nf_facts facts = some_facts();
    struct nf_rows rows;
    char pipe[64];
    name_in_temporary_folder(pipe, sizeof pipe);
    cr_assert(mkfifo(pipe, 0600) == 0);
    cr_assert(!nf_rows_open(&rows, pipe, &facts));
    cr_assert(strstr(rows.error, "no regular file") != NULL, "%s", rows.error);
    nf_rows_abandon(&rows);
    drop(pipe);
    cr_assert(!nf_rows_open(&rows, "/dev/null", &facts));
}

Test(rows, going_back_to_a_mark_leaves_a_whole_file)
{
    char name[64];
    struct nf_facts facts = some_facts();
    struct nf_rows rows;
    struct nf_rows_verdict v;
    struct nf_row row = {.kind = "op",
                         .op = "gemm",
                         .version = "mma",
                         .dtype = "bf16",
                         .cache = "hot",
                         .shape = "m=1",
                         .median_us = 1.5};
    name_in_temporary_folder(name, sizeof name);
    cr_assert(nf_rows_open(&rows, name, &facts), "%s", rows.error);
    cr_assert(nf_rows_put(&rows, &row));
    struct nf_rows_place mark = nf_rows_mark(&rows);
    for (int i = 0; i < 700; i++) { /* more than a buffer of stdio */
        cr_assert(nf_rows_put(&rows, &row));
    }
    cr_assert(nf_rows_rewind(&rows, &mark), "%s", rows.error);
    cr_assert(nf_rows_put(&rows, &row) && nf_rows_close(&rows), "%s", rows.error);
    cr_assert(nf_rows_inspect(name, &v) && v.complete && v.rows == 2, "%s", v.message);
    drop(name);
}

Test(rows, samples_show_what_their_names_say)
{
    static const struct {
        char name[24];
        bool complete;
        bool bad, throttled;
        char device[24];
    } samples[] = {
        {"good.csv", true, false, false, "Sample GPU A"},
        {"throttled.csv", true, false, true, "Sample GPU A"},
        {"half.csv", false, false, false, "Sample GPU A"},
        {"other-device.csv", true, false, false, "Sample GPU B"},
        {"nan.csv", true, true, false, "Sample GPU A"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char name[512];
        struct nf_rows_verdict v;
        (void)snprintf(name, sizeof name, "%s/%s", NF_SAMPLES, samples[i].name);
        cr_assert(nf_rows_inspect(name, &v), "%s", v.message);
        cr_expect(v.complete == samples[i].complete, "%s: %s", samples[i].name,
                  v.message);
        cr_expect((v.bad_rows > 0) == samples[i].bad || !v.complete, "%s: %s",
                  samples[i].name, v.message);
        cr_expect((v.throttled_rows > 0) == samples[i].throttled, "%s: %s",
                  samples[i].name, v.message);
        cr_expect(v.rows > 5 && v.devices == 1, "%s: %s", samples[i].name, v.message);
    }
}

Test(harness, a_signal_waits_until_it_is_asked_for)
{
    nf_stop_by_signal();
    cr_assert(!nf_stop_wanted());
    cr_assert(raise(SIGTERM) == 0); /* ends nothing */
    cr_assert(nf_stop_wanted() && nf_stop_wanted());
}

Test(library, a_missing_one_is_named_and_a_present_one_is_searched)
{
    char why[NF_WHY] = "";
    double (*cosine)(double) = NULL;
    cr_assert(nf_library_open("libnearfar-none.so.9", &why) == NULL);
    cr_assert(strstr(why, "libnearfar-none.so.9") != NULL, "%s", why);
    void *math = nf_library_open("libm.so.6", &why);
    cr_assert(math != NULL, "%s", why);
    cr_assert(!nf_library_find(math, "nearfar_none", &cosine, &why));
    cr_assert(strstr(why, "nearfar_none") != NULL, "%s", why);
    cr_assert(nf_library_find(math, "cos", &cosine, &why), "%s", why);
    cr_assert(cosine(0.0) == 1.0);
}

Test(nvml, its_absence_is_no_error)
{
    struct nf_clocks clocks;
    bool open = nf_clocks_open(&clocks, "00000000:00:00.0"); /* no such device anywhere */
    struct nf_clock_reading r = nf_clocks_read(&clocks);
    char driver[32];
    cr_assert(!open);
    cr_assert(r.sm_mhz == 0.0 && r.power_w == 0.0 && !r.throttled);
    cr_assert(!nf_clocks_driver(&clocks, driver, sizeof driver));
    nf_clocks_close(&clocks);
}

static int clock_of(void *device, int type, unsigned *mhz)
{
    *mhz = device && type == 1 ? 1755 : 2619;
    return 0;
}
static int power_of(void *device, unsigned *milliwatts)
{
    *milliwatts = device ? 698500 : 0;
    return 0;
}
static int reasons_of(void *device, unsigned long long *bits)
{
    *bits = device ? 0x4 | 0x20 : 0;
    return 0;
}
static int only_the_cap_of(void *device, unsigned long long *bits)
{
    *bits = device ? 0x4 : 0;
    return 0;
}

Test(nvml, heat_is_throttling_and_a_power_cap_is_not)
{
    int device;
    struct nf_clocks clocks = {
        .device = &device, .clock = clock_of, .power = power_of, .reasons = reasons_of};
    struct nf_clock_reading r = nf_clocks_read(&clocks);
    cr_assert(r.sm_mhz == 1755 && r.mem_mhz == 2619);
    cr_assert(fabs(r.power_w - 698.5) < 1e-9);
    cr_assert(r.throttled && r.power_cap);
    cr_assert_str_eq(r.reasons, "thermal ");
    clocks.reasons = only_the_cap_of;
    r = nf_clocks_read(&clocks);
    cr_assert(!r.throttled && r.power_cap);
    cr_assert_str_eq(r.reasons, "");
}

Test(timing, the_median_clock_decides_which_samples_count)
{
    enum { SAMPLES = 50, BOOST = 11, ODD = 37 };
    double us[SAMPLES], mhz[SAMPLES], kept[SAMPLES], clock = 0.0;
    /* A power cap: eleven samples at a boost clock, the rest at what the device keeps, one of them disturbed. */
    for (size_t i = 0; i < SAMPLES; i++) {
        us[i] = i < BOOST ? 17.0 : 21.0 + 0.001 * (double)i;
        mhz[i] = i < BOOST ? 1980.0 : i == ODD ? 1345.0 : 1605.0;
    }
    size_t count = nf_samples_of_one_clock(us, mhz, SAMPLES, kept, &clock);
    cr_assert(count == SAMPLES - BOOST - 1, "%zu kept", count);
    cr_assert(clock == 1605.0, "%g MHz", clock);
    for (size_t i = 0; i < count; i++) {
        cr_assert(kept[i] >= 21.0 && kept[i] != us[ODD], "%g us", kept[i]);
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        mhz[i] = 0.0; /* no NVML: nothing is known, nothing is dropped */
    }
    count = nf_samples_of_one_clock(us, mhz, SAMPLES, kept, &clock);
    cr_assert(count == SAMPLES && clock == 0.0);
}
