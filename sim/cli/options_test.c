#include "cli/options.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct nf_option table[] = {
    {.name = "--output", .letter = "-o", .value = "FILE", .help = "where"},
    {.name = "--set", .value = "PATH=VALUE", .help = "change", .repeats = true},
    {.name = "--jobs", .value = "N", .help = "threads"},
    {.name = "--quiet", .letter = "-q", .help = "say less"},
};
static const struct nf_verb verb = {
    .name = "run",
    .operands = "SCENARIO",
    .sentence = "Play it.",
    .examples = {"nearfar run a.yaml"},
    .options = table,
    .option_count = 4,
    .operands_min = 1,
    .operands_max = 1,
};

static struct nf_arena arena;
static struct nf_diags diags;
static struct nf_arguments args;

static void start(void)
{
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void stop(void)
{
    nf_arena_fini(&arena);
}

TestSuite(options, .init = start, .fini = stop);

/* The words of a command line, up to NULL. */
static enum nf_status parse(const char *const *words)
{
    int n = 0;
    char *argv[16];
    for (; words[n]; n++) {
        argv[n] = nf_arena_strdup(&arena, words[n]);
    }
    return nf_options_parse(&verb, n, argv, &arena, &args, &diags);
}

static void expect_error(const char *const *words, const char *message, const char *hint)
{
    cr_assert(parse(words) == NF_E_USAGE);
    cr_assert(diags.errors == 1, "%d errors", diags.errors);
    cr_assert_str_eq(diags.items[0].message, message);
    cr_assert_str_eq(diags.items[0].hint, hint);
}

Test(options, all_spellings_of_a_value_are_read)
{
    cr_assert(parse((const char *[]){"--set", "a.b=1", "x.yaml", "--set=c=2", "-oy.h5",
                                     "-q", NULL}) == NF_OK);
    size_t n = 0;
    const char **sets = nf_options_values(&args, "--set", &arena, &n);
    cr_assert(n == 2);
    cr_assert_str_eq(sets[0], "a.b=1");
    cr_assert_str_eq(sets[1], "c=2");
    cr_assert_str_eq(nf_options_value(&args, "--output"), "y.h5");
    cr_assert(nf_options_has(&args, "--quiet"));
    cr_assert(!nf_options_has(&args, "--jobs"));
    cr_assert(args.operand_count == 1);
    cr_assert_str_eq(args.operands[0], "x.yaml");
}

Test(options, two_dashes_end_the_options)
{
    cr_assert(parse((const char *[]){"--", "--set", NULL}) == NF_OK);
    cr_assert_str_eq(args.operands[0], "--set");
}

Test(options, help_wins_over_every_mistake)
{
    cr_assert(parse((const char *[]){"--help", "--nonsense", NULL}) == NF_OK);
    cr_assert(args.wants_help);
}

Test(options, a_misspelt_option_gets_the_nearest_name)
{
    expect_error((const char *[]){"x", "--ouptut=y", NULL}, "unknown option --ouptut",
                 "did you mean --output?");
}

Test(options, a_value_that_is_missing_is_named)
{
    expect_error((const char *[]){"x", "--jobs", NULL}, "--jobs needs a value: N", "");
    nf_diags_init(&diags, &arena);
    expect_error((const char *[]){"x", "-o", "", NULL},
                 "--output needs a value: FILE; found an empty one", "");
    nf_diags_init(&diags, &arena);
    expect_error((const char *[]){"x", "--output=", NULL},
                 "--output needs a value: FILE; found an empty one", "");
}

Test(options, a_switch_takes_no_value)
{
    expect_error((const char *[]){"x", "--quiet=yes", NULL}, "--quiet takes no value",
                 "");
}

Test(options, an_option_given_twice_is_an_error)
{
    expect_error((const char *[]){"x", "-o", "a", "--output", "b", NULL},
                 "--output is given twice", "");
}

Test(options, operands_are_counted)
{
    expect_error((const char *[]){"-q", NULL}, "SCENARIO is missing",
                 "see: nearfar run --help");
    nf_diags_init(&diags, &arena);
    expect_error((const char *[]){"a", "b", NULL}, "unexpected argument \"b\"",
                 "see: nearfar run --help");
}

Test(options, numbers_outside_their_range_are_refused)
{
    uint64_t jobs = 77;
    cr_assert(parse((const char *[]){"x", NULL}) == NF_OK);
    cr_assert(nf_options_count(&args, "--jobs", 1, 64, &jobs, &diags) && jobs == 77);
    cr_assert(parse((const char *[]){"x", "--jobs", "4", NULL}) == NF_OK);
    cr_assert(nf_options_count(&args, "--jobs", 1, 64, &jobs, &diags));
    cr_assert(jobs == 4);
    static const char *const wrong[] = {"0", "65", "-1", "4x", " ", "1e1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert(parse((const char *[]){"x", "--jobs", wrong[i], NULL}) == NF_OK);
        cr_assert(!nf_options_count(&args, "--jobs", 1, 64, &jobs, &diags), "\"%s\"",
                  wrong[i]);
        cr_assert(jobs == 4);
    }
}

Test(options, help_lists_every_option)
{
    struct nf_text text = {0};
    nf_options_help(&verb, &text);
    cr_assert(nf_text_starts_with(text.data,
                                  "Play it.\n\nUsage: nearfar run SCENARIO [OPTIONS]\n"));
    for (size_t i = 0; i < 4; i++) {
        cr_assert(strstr(text.data, table[i].name) != NULL, "%s", table[i].name);
    }
    nf_text_fini(&text);
}
