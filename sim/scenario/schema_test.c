#include "scenario/schema.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "scenario/decl.h"

static struct nf_arena arena;
static struct nf_diags diags;
static struct nf_load load = {&arena, &diags};

/* Also starts afresh in the middle of a test. */
static void setup(void)
{
    nf_arena_fini(&arena);
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
}

TestSuite(schema, .init = setup, .fini = teardown, .timeout = 30);

/* A table of every kind of field, with awkward defaults. */
struct sample {
    struct nf_object at;
    const char *label;
    bool on;
    int64_t count;
    double wait, ratio;
    int colour;
    struct nf_dist_decl gap;
    struct nf_list names;
    struct nf_list parts;
};

struct part {
    struct nf_object at;
    double size;
};

static const struct nf_field part_fields[] = {
    {.key = "size",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_BYTES,
     .low = 2,
     .high = 7919,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct part, size),
     .help = "Size.",
     .example = "17B"},
};
static const struct nf_table part_table =
    NF_TABLE("part", "A part.", struct part, part_fields);
static const char *const colours[] = {"red", "green", "blue", NULL};
#define AT(member) .offset = offsetof(struct sample, member)
static const struct nf_field sample_fields[] = {
    {.key = "label", .kind = NF_FIELD_TEXT, AT(label), .help = "A text."},
    {.key = "on", .kind = NF_FIELD_BOOL, AT(on), .fallback = "true", .help = "A switch."},
    {.key = "count",
     .kind = NF_FIELD_INT,
     .low = 3,
     .high = 11,
     .infinite = "none",
     AT(count),
     .fallback = "7",
     .help = "A count.",
     .example = "5"},
    {.key = "wait",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .high = 60,
     .flags = NF_ABOVE_LOW,
     AT(wait),
     .fallback = "2.385s",
     .help = "A time."},
    {.key = "ratio",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     AT(ratio),
     .help = "A share."},
    {.key = "colour",
     .kind = NF_FIELD_WORD,
     .words = colours,
     AT(colour),
     .fallback = "blue",
     .help = "A word."},
    {.key = "gap",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .dimension = NF_DIM_TIME,
     AT(gap),
     .fallback = "4ms",
     .help = "A time or a distribution."},
    {.key = "names",
     .kind = NF_FIELD_LIST,
     .table = &nf_table_name,
     AT(names),
     .help = "Names."},
    {.key = "parts",
     .kind = NF_FIELD_NAMED,
     .table = &part_table,
     AT(parts),
     .help = "Parts."},
};
#undef AT
static const struct nf_table sample_table =
    NF_TABLE("sample", "A sample.", struct sample, sample_fields);

static struct sample load_sample(const char *text)
{
    struct nf_yaml_node *root;
    struct sample s;
    cr_assert_eq(nf_yaml_parse("t.yaml", text, strlen(text), &arena, &diags, &root),
                 NF_OK);
    memset(&s, 0, sizeof s);
    enum nf_status status = nf_schema_load(&load, &sample_table, root, "", &s);
    cr_assert_eq(status == NF_OK, diags.errors == 0);
    cr_assert_eq(s.at.is_broken, diags.errors > 0);
    return s;
}

static void expect(const char *text, const char *path, int col, enum nf_status code,
                   const char *message, const char *hint)
{
    setup();
    (void)load_sample(text);
    cr_assert_eq(diags.errors, 1, "%s: %d errors", text, diags.errors);
    const struct nf_diag *d = &diags.items[0];
    cr_assert_str_eq(d->path, path);
    cr_assert_eq(d->place.col, col, "%s: column %d", text, d->place.col);
    cr_assert_eq(d->code, code, "%s: %s", text, nf_status_text(d->code));
    cr_assert_not_null(strstr(d->message, message), "%s: %s", text, d->message);
    cr_assert_not_null(strstr(d->hint, hint), "%s: hint %s", text, d->hint);
}

Test(schema, defaults_fill_what_is_not_given)
{
    struct sample s = load_sample("{}");
    cr_assert_null(s.label);
    cr_assert(s.on);
    cr_assert_eq(s.count, 7);
    cr_assert_float_eq(s.wait, 2.385, 0);
    cr_assert(isnan(s.ratio));
    cr_assert_eq(s.colour, 2);
    cr_assert_eq(s.gap.kind, NF_DIST_CONSTANT);
    cr_assert_float_eq(s.gap.value, 4e-3, 0);
    cr_assert_null(s.gap.at.node);
    cr_assert_eq(s.names.count, 0);
}

Test(schema, every_kind_of_field_is_loaded)
{
    struct sample s = load_sample(
        "label: 'x: y'\non: false\ncount: none\nwait: 300ms\nratio: 2.5%\ncolour: green\n"
        "gap: {distribution: lognormal, median: 3ms, p99: 9ms, shift: 1ms}\n"
        "names: [a, b-2]\nparts: {p: {size: 17B}, q.7: {size: 2kB}}\n");
    cr_assert_eq(diags.errors, 0);
    cr_assert_str_eq(s.label, "x: y");
    cr_assert(!s.on);
    cr_assert_eq(s.count, INT64_MAX);
    cr_assert_float_eq(s.wait, 0.3, 0);
    cr_assert_float_eq(s.ratio, 0.025, 0);
    cr_assert_eq(s.colour, 1);
    cr_assert_eq(s.gap.kind, NF_DIST_LOGNORMAL);
    cr_assert_float_eq(s.gap.p99, 9e-3, 0);
    cr_assert_float_eq(s.gap.shift, 1e-3, 0);
    cr_assert(isnan(s.gap.mean));
    cr_assert_str_eq(((struct nf_name_decl *)s.names.items)[1].text, "b-2");
    struct part *q = (struct part *)s.parts.items + 1;
    cr_assert_str_eq(q->at.name, "q.7");
    cr_assert_str_eq(q->at.path, "parts.q.7");
    cr_assert_float_eq(q->size, 2000, 0);
    cr_assert_eq(nf_object_place(&q->at, "size").line, 9);
}

/* What is loaded from a text with mistakes, and how many. */
static struct sample load_wrong(const char *text, int errors)
{
    struct nf_yaml_node *root;
    struct sample s;
    setup();
    enum nf_status status =
        nf_yaml_parse("t.yaml", text, strlen(text), &arena, &diags, &root);
    cr_assert_eq(status == NF_OK, diags.errors == 0);
    memset(&s, 0, sizeof s);
    int before = diags.errors;
    status = nf_schema_load(&load, &sample_table, root, "", &s);
    cr_assert_eq(status == NF_OK, diags.errors == before);
    cr_assert_eq(diags.errors, errors, "%s: %d errors", text, diags.errors);
    cr_assert(s.at.is_broken);
    return s;
}

Test(schema, a_misspelt_key_counts_as_the_one_that_was_meant)
{
    struct sample s = load_wrong("cuont: 5\npart: {p: {sise: 17B}}\n", 3);
    cr_assert_eq(s.count, 5);
    cr_assert_eq(s.parts.count, 1);
    cr_assert_float_eq(((struct part *)s.parts.items)->size, 17, 0);
    cr_assert(nf_object_has(&s.at, "count"));
    cr_assert(!nf_object_is_wrong(&s.at, "count"), "its value is good");
    /* what is wrong in it is told, too */
    s = load_wrong("part: {p: {sise: 1B}}\n", 3);
    cr_assert(nf_object_is_wrong(&s.at, "parts"));
    cr_assert(nf_object_is_whole(&s.at, "parts"), "the one part has a name");
    /* a value of another shape is no value, and the key that was meant is not told missing */
    s = load_wrong("parts: {p: {sise: [1B]}}\n", 1);
    cr_assert(nf_object_is_wrong((struct nf_object *)s.parts.items, "size"));
    /* where the right one is there, too, it stays */
    s = load_wrong("cuont: 5\ncount: 9\n", 1);
    cr_assert_eq(s.count, 9);
}

Test(schema, a_wrong_case_hides_no_other_mistake)
{
    struct sample s = load_wrong("gap: {distribution: gama, mean: 5, cv: 2}\n", 2);
    cr_assert_eq(s.gap.kind, NF_DIST_GAMMA);
    cr_assert(NF_IS_WRONG(&s.gap.at, "distribution"));
    cr_assert(NF_IS_WRONG(&s.gap.at, "cv", "mean"));
    cr_assert(!NF_IS_WRONG(&s.gap.at, "cv", "sd"));
    s = load_wrong("gap: {distribution: unlike-any, mean: 5, cv: 2, cw: 2}\n", 3);
    cr_assert_eq(s.gap.kind, -1);
    cr_assert_float_eq(s.gap.cv, 2, 0);
    (void)load_wrong("gap: {distribtion: gamma, mean: 5ms}\n", 2); /* cv is missing */
}

Test(schema, what_stands_for_something_told_is_not_told_again)
{
    struct sample s = load_wrong("parts: {p: *nothing, q: {size: 1B}}\n", 2);
    cr_assert(((struct part *)s.parts.items)->at.is_unread);
    cr_assert(nf_object_is_whole(&s.at, "parts"));
    s = load_wrong("parts: *nothing\n", 1);
    cr_assert(!nf_object_is_whole(&s.at, "parts"));
    s = load_wrong("parts: [p]\n", 1);
    cr_assert(!nf_object_is_whole(&s.at, "parts"));
    s = load_wrong("parts: {p: {<<: 3}}\n", 1);
    cr_assert(nf_object_is_wrong((struct nf_object *)s.parts.items, "size"));
    s = load_wrong("parts: {p: {size: 17B}}\nparts: {q: {size: 1B}}\n", 2);
    cr_assert(nf_object_is_whole(&s.at, "parts"), "both are read as one");
    cr_assert_eq(s.parts.count, 2);
    s = load_wrong("names: [a]\nnames: [b, 'c d']\n", 2);
    cr_assert(!nf_object_is_whole(&s.at, "names"), "b is not in it");
}

Test(schema, each_mistake_has_path_place_code_and_hint)
{
    expect("labl: x", "", 1, NF_E_KEY, "unknown key \"labl\"", "did you mean \"label\"?");
    expect("colour: bleu", "colour", 9, NF_E_KEY, "expected red, green or blue",
           "did you mean \"blue\"?");
    expect("count: 2", "count", 8, NF_E_RANGE, "2 is less than 3", "");
    expect("count: 12", "count", 8, NF_E_RANGE, "12 is more than 11", "");
    expect("count: 5.5", "count", 8, NF_E_TYPE,
           "expected a whole number such as 5 or none", "");
    expect("count: 1e99", "count", 8, NF_E_RANGE, "", "");
    expect("wait: 5", "wait", 7, NF_E_UNIT, "a unit is missing", "");
    expect("wait: 5 lightyears", "wait", 7, NF_E_UNIT, "unknown unit", "");
    expect("wait: 0s", "wait", 7, NF_E_RANGE, "expected more than", "");
    expect("wait: 2min", "wait", 7, NF_E_RANGE, "2min is more than", "");
    expect("ratio: .nan", "ratio", 8, NF_E_RANGE, "not a finite number", "");
    expect("ratio: 1e999", "ratio", 8, NF_E_RANGE, "outside the range", "");
    expect("wait: [1s]", "wait", 7, NF_E_TYPE, "expected a number, found a list", "");
    expect("wait:", "wait", 6, NF_E_TYPE, "found nothing", "");
    expect("on: yes", "on", 5, NF_E_TYPE, "expected true or false", "");
    expect("names: a", "names", 8, NF_E_TYPE, "expected a list, found \"a\"", "");
    expect("names: [a, 'b c']", "names[1]", 12, NF_E_TYPE, "a name is made of", "");
    expect("parts: [1]", "parts", 8, NF_E_TYPE, "expected a map from names", "");
    expect("parts: {p: {}}", "parts.p", 9, NF_E_KEY, "key \"size\" is missing",
           "size: 17B");
    expect("parts: {p: 5}", "parts.p", 9, NF_E_TYPE, "expected a map (part)", "");
    expect("gap: {mean: 5ms}", "gap", 6, NF_E_KEY, "key \"distribution\" is missing",
           "exponential");
    expect("gap: {distribution: gama, mean: 5ms, cv: 2}", "gap.distribution", 21,
           NF_E_KEY, "expected constant", "did you mean \"gamma\"?");
    expect("gap: {distribution: constant, value: 5ms, cv: 2}", "gap", 43, NF_E_KEY,
           "key \"cv\" does not go with distribution \"constant\"", "");
    expect("gap: {distribution: gamma, mean: 5, cv: 2}", "gap.mean", 34, NF_E_UNIT,
           "unit", "");
    expect("gap: 200y", "gap", 6, NF_E_RANGE, "100 years", "");
    expect("gap: {distribution: empirical, quantiles: [[50%, 1ms, 3]]}",
           "gap.quantiles[0]", 44, NF_E_TYPE,
           "expected [probability, value], found a list of 3", "");
}

Test(schema, all_mistakes_are_told_at_once)
{
    (void)load_sample(
        "labl: x\ncount: 2\nwait: 5\nparts: {p: {size: 1B, sise: 2}, q: {}}\n");
    cr_assert_eq(diags.errors, 6);
}

Test(schema, a_wrong_field_marks_its_object_and_all_around_it)
{
    struct sample s = load_sample("parts: {p: {size: 17}, q: {size: 17B}}");
    const struct part *parts = s.parts.items;
    cr_assert(parts[0].at.is_broken);
    cr_assert(!parts[1].at.is_broken);
}

Test(schema, words_of_distributions_follow_the_engine)
{
    const struct nf_field *tag = nf_table_field(&nf_table_dist, "distribution", -1);
    const char *const *names = nf_dist_names();
    for (int i = 0; i < NF_DIST_KINDS; i++) {
        cr_assert_str_eq(tag->words[i], nf_dist_name((enum nf_dist_kind)i));
        cr_assert_not_null(names[i]);
    }
    cr_assert_null(tag->words[NF_DIST_KINDS]);
}

Test(schema, mixtures_nest)
{
    struct sample s = load_sample(
        "gap: {distribution: mixture, parts: [{weight: 30%, of: 2ms}, {weight: 70%, of: "
        "{distribution: mixture, parts: [{weight: 1, of: {distribution: exponential, "
        "mean: "
        "5ms}}]}}]}");
    cr_assert_eq(diags.errors, 0);
    const struct nf_part_decl *parts = s.gap.parts.items;
    const struct nf_part_decl *inner = parts[1].of.parts.items;
    cr_assert_float_eq(inner->of.mean, 5e-3, 0);
    cr_assert_str_eq(inner->of.at.path, "gap.parts[1].of.parts[0].of");
}

Test(schema, the_shipped_tables_have_valid_defaults)
{
    /* Loading nothing runs every default through the loader, which asserts that it is valid. */
    const struct nf_table *tables[] = {
        &nf_table_edge,    &nf_table_cloud,    &nf_table_maas,
        &nf_table_traffic, &nf_table_gateway,  &nf_table_link,
        &nf_table_sla,     &nf_table_scenario, &nf_table_model};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        nf_diags_init(&diags, &arena);
        void *object = nf_arena_alloc(&arena, tables[i]->size);
        enum nf_status status = nf_schema_load(&load, tables[i], NULL, "", object);
        cr_assert_eq(status == NF_OK, diags.errors == 0);
    }
}

Test(schema, unions_load_each_case_with_its_own_defaults)
{
    static const char *const text = "{policy: kpa, target: 64}";
    struct nf_yaml_node *root;
    struct nf_station_decl cloud;
    const char *whole =
        nf_arena_printf(&arena, "{region: r, models: [m], autoscaler: %s}", text);
    memset(&cloud, 0, sizeof cloud);
    cr_assert_eq(nf_yaml_parse("t", whole, strlen(whole), &arena, &diags, &root), NF_OK);
    cr_assert_eq(nf_schema_load(&load, &nf_table_cloud, root, "", &cloud), NF_OK);
    cr_assert_eq(cloud.scaler.metric, NF_METRIC_CONCURRENCY);
    cr_assert_float_eq(cloud.scaler.interval, 2, 0);
    cr_assert(isnan(cloud.scaler.tolerance));
    cr_assert_float_eq(cloud.scaler.panic_threshold, 2, 0);
}
