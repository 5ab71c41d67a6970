#include "scenario/yaml.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static struct nf_arena arena;
static struct nf_diags diags;

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

TestSuite(yaml, .init = setup, .fini = teardown, .timeout = 30);

static struct nf_yaml_node *parse_n(const char *text, size_t n)
{
    struct nf_yaml_node *root;
    enum nf_status s = nf_yaml_parse("t.yaml", text, n, &arena, &diags, &root);
    cr_assert_eq(s == NF_OK, diags.errors == 0);
    return root;
}

static struct nf_yaml_node *parse(const char *text)
{
    return parse_n(text, strlen(text));
}

/* One mistake at that place, whose message contains `part`. */
static void expect(int i, int line, int col, enum nf_status code, const char *part)
{
    cr_assert(diags.count > i, "only %d diagnostics", diags.count);
    const struct nf_diag *d = &diags.items[i];
    cr_assert_eq(d->code, code, "code %s: %s", nf_status_text(d->code), d->message);
    cr_assert_eq(d->place.line, line, "line %d: %s", d->place.line, d->message);
    cr_assert_eq(d->place.col, col, "col %d: %s", d->place.col, d->message);
    cr_assert_not_null(strstr(d->message, part), "message is: %s", d->message);
}

Test(yaml, every_node_and_key_knows_its_place)
{
    struct nf_yaml_node *root = parse("a: 1\nbb:\n  - x\n  - {k: 'y'}\n");
    cr_assert_eq(root->kind, NF_YAML_MAP);
    cr_assert_eq(root->count, 2);
    const struct nf_yaml_item *bb = nf_yaml_item(root, "bb");
    cr_assert_eq(bb->place.line, 2);
    cr_assert_eq(bb->value->items[0].place.line, 3);
    cr_assert_eq(bb->value->items[0].place.col, 5);
    const struct nf_yaml_node *y = nf_yaml_get(bb->value->items[1].value, "k");
    cr_assert_str_eq(y->text, "y");
    cr_assert_eq(y->place.line, 4);
    cr_assert_eq(y->place.col, 9);
    cr_assert(!y->is_plain);
    cr_assert_null(nf_yaml_get(root, "b"));
}

Test(yaml, columns_count_bytes_also_after_wide_characters)
{
    struct nf_yaml_node *root =
        parse("\xEF\xBB\xBF# \xC3\xA9\n{\"\xC3\xA9\xE2\x82\xAC\": 1, b: 2}\n");
    cr_assert_eq(nf_yaml_item(root, "b")->place.col, 14);
    cr_assert_eq(nf_yaml_item(root, "b")->place.line, 2);
}

Test(yaml, a_byte_order_mark_does_not_shift_the_keys)
{
    cr_assert_eq(parse("\xEF\xBB\xBF"
                       "a: 1\nb: 2\n")
                     ->count,
                 2);
}

Test(yaml, all_duplicate_keys_are_told_and_the_first_value_kept)
{
    struct nf_yaml_node *root = parse("a: 1\nb: {c: 1, d: 2, c: 3}\na: 9\na: 8\n");
    cr_assert_not_null(root);
    cr_assert_eq(diags.errors, 3);
    expect(0, 2, 17, NF_E_KEY, "\"c\" is given twice");
    expect(1, 3, 1, NF_E_KEY, "\"a\" is given twice");
    cr_assert_str_eq(diags.items[1].hint, "it was first given at line 1");
    cr_assert_eq(root->count, 2);
    cr_assert_str_eq(nf_yaml_get(root, "a")->text, "1");
}

Test(yaml, syntax_errors_have_a_place)
{
    cr_assert_null(parse("a: 1\nb: [1, 2\nc: 3\n"));
    cr_assert_eq(diags.errors, 1);
    expect(0, 2, 4, NF_E_SYNTAX, "the [ that opens here is not closed (seen at line 3, ");
}

/* libyaml notices these lines later. */
Test(yaml, what_is_left_open_is_told_where_it_begins)
{
    cr_assert_null(parse("a: \xC3\xBC\n\"\xC3\xBC\": {b: 1,\n  c: 2\nd: 3\n"));
    expect(0, 2, 7, NF_E_SYNTAX, "the { that opens here is not closed (seen at line 4");
    setup();
    cr_assert_null(parse("a: 1\nb: 'x\nc: 3\n"));
    expect(0, 2, 4, NF_E_SYNTAX, "the quoted text that starts here has no end");
    setup();
    cr_assert_null(parse("a: 1\nb:2\nc: 3\n"));
    expect(0, 2, 1, NF_E_SYNTAX, "this is not a key with a value");
    cr_assert_str_eq(diags.items[0].hint, "a key is followed by a colon and a blank");
}

Test(yaml, files_that_are_no_text_are_named)
{
    cr_assert_null(parse_n("\xFF\xFE"
                           "a\0",
                           4));
    cr_assert_str_eq(diags.items[0].hint, "it is UTF-16; save it as UTF-8");
}

Test(yaml, a_tab_gets_its_own_hint)
{
    cr_assert_null(parse("a:\n\tb: 1\n"));
    expect(0, 2, 1, NF_E_SYNTAX, "not valid YAML");
    cr_assert_not_null(strstr(diags.items[0].hint, "tabs"));
}

Test(yaml, aliases_are_expanded_and_keep_their_own_place)
{
    struct nf_yaml_node *root = parse("a: &x {k: [1, 2]}\nb: *x\n");
    const struct nf_yaml_node *b = nf_yaml_get(root, "b");
    cr_assert_eq(b->place.line, 2);
    cr_assert_eq(nf_yaml_get(b, "k")->count, 2);
    cr_assert_eq(root->weight, nf_yaml_get(root, "a")->weight * 2 + 3);
}

Test(yaml, undefined_and_recursive_aliases_are_told_together)
{
    cr_assert_not_null(parse("anchor: &abcd 1\na: *abdc\nb: &r {c: *r}\n"));
    cr_assert_eq(diags.errors, 2);
    expect(0, 2, 4, NF_E_REFERENCE, "no anchor &abdc");
    cr_assert_str_eq(diags.items[0].hint, "did you mean *abcd?");
    expect(1, 3, 11, NF_E_REFERENCE, "stands inside what it refers to");
}

Test(yaml, an_alias_bomb_is_stopped_by_the_node_budget)
{
    struct nf_text t = {0};
    nf_text_add(&t, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i <= 12; i++) {
        nf_text_printf(&t, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++) {
            nf_text_printf(&t, "%s*a%d", k > 0 ? ", " : "", i - 1);
        }
        nf_text_add(&t, "]\n");
    }
    cr_assert_null(parse(t.data));
    cr_assert_eq(diags.errors, 1);
    cr_assert_eq(diags.items[0].code, NF_E_LIMIT);
    cr_assert_eq(diags.items[0].place.line, 6);
    nf_text_fini(&t);
}

Test(yaml, nesting_is_limited_also_through_aliases)
{
    struct nf_text t = {0};
    for (int i = 0; i < 50000; i++) {
        nf_text_add(&t, "[");
    }
    cr_assert_null(parse(t.data));
    expect(0, 1, 65, NF_E_LIMIT, "64 levels");
    setup();
    t.length = 0;
    nf_text_add(&t, "a: &a ");
    for (int i = 0; i < 40; i++) {
        nf_text_add(&t, "[");
    }
    for (int i = 0; i < 40; i++) {
        nf_text_add(&t, "]");
    }
    nf_text_add(&t, "\nb: ");
    for (int i = 0; i < 30; i++) {
        nf_text_add(&t, "[");
    }
    nf_text_add(&t, "*a");
    cr_assert_null(parse(t.data));
    expect(0, 2, 34, NF_E_LIMIT, "alias *a included");
    nf_text_fini(&t);
}

Test(yaml, what_is_not_text_is_told_by_line_and_column)
{
    cr_assert_null(parse_n("a: 1\nb: \0\1\2", 11));
    expect(0, 2, 4, NF_E_SYNTAX, "binary file");
    cr_assert_eq(diags.errors, 1);
    setup();
    cr_assert_null(parse("a: caf\xE9\nb: \x01 \x02\n"));
    cr_assert_eq(diags.errors, 2);
    expect(0, 1, 7, NF_E_SYNTAX, "0xE9");
    expect(1, 2, 4, NF_E_SYNTAX, "U+0001");
    setup();
    cr_assert_null(parse("a: \xC0\x80\n")); /* an overlong NUL */
    expect(0, 1, 4, NF_E_SYNTAX, "0xC0");
}

Test(yaml, empty_and_multiple_documents_are_refused)
{
    cr_assert_null(parse(""));
    expect(0, 1, 1, NF_E_SYNTAX, "empty");
    setup();
    cr_assert_null(parse("# only this\n\n"));
    expect(0, 1, 1, NF_E_SYNTAX, "empty");
    setup();
    cr_assert_not_null(parse("a: 1\n---\nb: 2\n"));
    expect(0, 2, 1, NF_E_SYNTAX, "second document");
}

Test(yaml, tags_merge_keys_and_strange_keys_are_refused_together)
{
    cr_assert_not_null(
        parse("a: !!str 5\nb: &b {x: 1}\nc: {<<: *b, y: 2}\n? [p, q]\n: 1\n"));
    cr_assert_eq(diags.errors, 3);
    expect(0, 1, 4, NF_E_UNSUPPORTED, "tag");
    expect(1, 3, 5, NF_E_UNSUPPORTED, "merge key");
    expect(2, 4, 3, NF_E_SYNTAX, "a key must be a text, not a list");
}

Test(yaml, null_is_only_what_is_not_quoted)
{
    struct nf_yaml_node *root = parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: Null\n");
    const bool expected[] = {true, true, true, false, false, false};
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(nf_yaml_is_null(root->items[i].value), expected[i], "item %zu", i);
    }
}

Test(yaml, many_keys_are_not_quadratic)
{
    struct nf_text t = {0};
    for (int i = 0; i < 60000; i++) {
        nf_text_printf(&t, "key%d: 1\n", i);
    }
    nf_text_add(&t, "key59999: 2\n");
    cr_assert_not_null(parse(t.data));
    expect(0, 60001, 1, NF_E_KEY, "key59999");
    nf_text_fini(&t);
}

Test(yaml, a_missing_file_and_a_folder_are_the_users_mistakes)
{
    struct nf_yaml_file f;
    struct nf_place nowhere = {NULL, 0, 0};
    cr_assert_eq(nf_yaml_read("/nonexistent/x.yaml", nowhere, &arena, &diags, &f),
                 NF_E_USAGE);
    cr_assert_null(f.text);
    cr_assert_eq(nf_yaml_read("/", nowhere, &arena, &diags, &f), NF_E_USAGE);
    cr_assert_eq(diags.errors, 2);
}

Test(yaml, putting_a_key_replaces_or_adds)
{
    struct nf_yaml_node *root = parse("a: 1\nb: 2\n");
    struct nf_yaml_node *other = parse("7");
    nf_yaml_put(root, "a", other, &arena);
    nf_yaml_put(root, "c", other, &arena);
    cr_assert_eq(root->count, 3);
    cr_assert_str_eq(nf_yaml_get(root, "a")->text, "7");
    cr_assert_str_eq(nf_yaml_get(root, "c")->text, "7");
}
