/* reader_test.c - what was written is what is read, bit for bit; what is not ours is told so. */
#include "results/reader.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "results/fixture.h"
#include "results/folder_test.h"
#include "results/h5.h"
#include "results/summary.h"

static struct folder folder;
static struct nf_arena arena;
static struct nf_diags diags;

static void setup(void)
{
    folder_make(&folder);
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
    folder_remove(&folder);
}

TestSuite(reader, .init = setup, .fini = teardown);

static size_t field_bytes(enum nf_field_kind kind)
{
    switch (kind) {
    case NF_FIELD_ESTIMATE:
        return sizeof(struct nf_estimate);
    case NF_FIELD_TIMES:
        return sizeof(struct nf_estimate) * NF_MEASURES * NF_STATISTICS;
    case NF_FIELD_U64:
        return sizeof(uint64_t);
    case NF_FIELD_DOUBLE:
        return sizeof(double);
    case NF_FIELD_UNSIGNED:
        return sizeof(unsigned);
    case NF_FIELD_BOOL:
        return sizeof(bool);
    case NF_FIELD_TEXT:
        break;
    }
    return 0;
}

static void expect_equal(struct nf_report *a, struct nf_report *b)
{
    for (int t = 0; t < NF_SUMMARY_TABLES; t++) {
        const struct nf_field_table *table = &nf__summary_tables[t];
        size_t na;
        size_t nb;
        const char *ra = nf__summary_records((enum nf_summary_table)t, a, &na);
        const char *rb = nf__summary_records((enum nf_summary_table)t, b, &nb);
        cr_assert_eq(na, nb, "%s", table->group);
        for (size_t i = 0; i < na * table->field_count; i++) {
            const struct nf_field *f = &table->fields[i % table->field_count];
            size_t at = i / table->field_count * table->stride + f->offset;
            cr_assert(memcmp(ra + at, rb + at, field_bytes(f->kind)) == 0, "%s/%s",
                      table->group, f->name);
        }
    }
}

static void expect_equal_bins(const struct nf_bins *x, const struct nf_bins *y)
{
    cr_assert_eq(x->count, y->count);
    cr_assert(memcmp(x->value_ns, y->value_ns, x->count * sizeof(double)) == 0);
    cr_assert(memcmp(x->n, y->n, x->count * sizeof(uint64_t)) == 0);
}

static void expect_equal_classes(const struct nf_report *a, const struct nf_report *b)
{
    for (size_t i = 0; i < a->class_count; i++) {
        cr_assert_str_eq(a->classes[i].name, b->classes[i].name);
        expect_equal_bins(&a->classes[i].latency, &b->classes[i].latency);
        expect_equal_bins(&a->classes[i].ttft, &b->classes[i].ttft);
        cr_assert(memcmp(a->classes[i].routes, b->classes[i].routes,
                         a->group_count * sizeof(uint64_t)) == 0);
    }
    for (size_t i = 0; i < a->group_count; i++) {
        cr_assert_str_eq(a->groups[i].name, b->groups[i].name);
    }
    for (size_t i = 0; i < a->sla_count; i++) {
        cr_assert_str_eq(a->sla[i].class_name, b->sla[i].class_name);
        cr_assert_str_eq(a->sla[i].text, b->sla[i].text);
    }
}

Test(reader, a_report_comes_back_bit_for_bit)
{
    for (unsigned n = 1; n <= 3; n++) {
        struct nf_world_spec *spec = fixture_spec(n, &arena);
        struct nf_outcome out[3];
        struct nf_report expected;
        struct nf_result result;
        struct nf_sinks none = {0};
        for (uint32_t r = 0; r < n; r++) {
            fixture_run(spec, r, 5003, 0, &none, &out[r]);
        }
        nf_report_make(&expected, spec, out, n, &arena);
        cr_assert_eq(fixture_write(folder.file, spec, 5003, true, 0, &diags), NF_OK);
        cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_OK, "%s",
                     diags.count ? diags.items[0].message : "");
        expect_equal(&expected, &result.report);
        expect_equal_classes(&expected, &result.report);
        cr_assert_str_eq(result.report.scenario, "made-up");
        cr_assert(result.report.simulated_s == 3600 && result.report.warmup_s == 60);
        cr_assert_eq(result.report.replications, n);
        cr_assert_str_eq(result.text, fixture_inputs().text);
        cr_assert_eq(result.group_of[1], 0);
        cr_assert_eq(result.group_of[2], 1);
        for (uint32_t r = 0; r < n; r++) {
            nf_outcome_fini(&out[r]);
        }
    }
}

Test(reader, a_series_has_its_ticks_and_stations)
{
    struct nf_series s;
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    cr_assert_eq(fixture_write(folder.file, spec, 11, false, 0, &diags), NF_OK);
    cr_assert_eq(nf_result_series(folder.file, 1, &s, &arena, &diags), NF_OK);
    cr_assert(s.ticks == 3600 && s.stations == 4);
    cr_assert(s.time_s[0] == 1 && s.time_s[3599] == 3600);
    double load = 1 + sin(1234 * 0.01 + 0.2);
    cr_assert(s.offered_rate[1234 * 4 + 2] == 10 * load * 3);
    cr_assert(s.queue[1234 * 4 + 3] == (double)(uint32_t)(load * 3 * 7));
    cr_assert(s.replicas_ready[1234 * 4 + 2] == 1 + (double)(uint32_t)(3 * load));
    cr_assert_eq(nf_result_series(folder.file, 2, &s, &arena, &diags), NF_E_REFERENCE);
}

static bool told(const char *part)
{
    return diags.count > 0 && strstr(diags.items[diags.count - 1].message, part) != NULL;
}

static void put(const char *bytes, size_t n)
{
    FILE *f = fopen(folder.file, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

Test(reader, files_that_are_not_ours_are_told_so)
{
    struct nf_result result;
    struct nf_h5 h;
    cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_E_IO);
    cr_assert(told("No such file"));
    put("nearfar: 1\n", 11);
    cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_E_SYNTAX);
    cr_assert(told("is not an HDF5 file"));
    (void)unlink(folder.file);
    nf__h5_create_file(&h, folder.file, 0);
    nf__h5_close_file(&h);
    cr_assert(!h.failed);
    cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_E_SYNTAX);
    cr_assert(told("no result of nearfar"));
    (void)unlink(folder.file);
    nf__h5_create_file(&h, folder.file, 0);
    nf__h5_attr_u64(&h, h.file, "nearfar_result_format", 77);
    nf__h5_close_file(&h);
    cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_E_UNSUPPORTED);
    (void)unlink(folder.file);
    nf__h5_create_file(&h, folder.file, 0);
    nf__h5_attr_u64(&h, h.file, "nearfar_result_format", NF_RESULT_FORMAT);
    nf__h5_close_file(&h);
    cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_E_SYNTAX);
    cr_assert(told("damaged or incomplete"));
}

Test(reader, a_truncated_file_is_damaged)
{
    size_t n;
    struct nf_result result;
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    cr_assert_eq(fixture_write(folder.file, spec, 1009, true, 0, &diags), NF_OK);
    char *bytes = folder_bytes(folder.file, &n);
    for (size_t keep = 1000; keep < n; keep += n / 17) {
        put(bytes, keep);
        cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_E_SYNTAX);
    }
    nf_mem_free(bytes);
}
