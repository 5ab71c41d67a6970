#include "base/json_read.h"

#include <criterion/criterion.h>
#include <string.h>

static struct nf_arena arena;
static char why[200];

static const struct nf_json_value *parse(const char *text)
{
    return nf_json_parse(text, strlen(text), &arena, why, sizeof why);
}

static void set_up(void)
{
    nf_arena_init(&arena);
}
static void tear_down(void)
{
    nf_arena_fini(&arena);
}
TestSuite(json_read, .init = set_up, .fini = tear_down);

Test(json_read, values_of_every_kind)
{
    const struct nf_json_value *v = parse(
        " {\"a\": [1, -2.5e3, true, false, null], \"b\": {\"c\": \"x\\n\\u00e9\"}} ");
    cr_assert_not_null(v, "%s", why);
    const struct nf_json_value *m = nf_json_get(v, "a")->first;
    cr_assert_eq(m->number, 1);
    cr_assert_eq(m->next->number, -2500);
    cr_assert_eq(m->next->next->number, 1);
    cr_assert_eq(m->next->next->next->number, 0);
    cr_assert_eq(m->next->next->next->next->kind, NF_JSON_NULL);
    cr_assert_str_eq(nf_json_get(nf_json_get(v, "b"), "c")->text, "x\n\xc3\xa9");
    cr_assert_null(nf_json_get(v, "d"));
    cr_assert_null(nf_json_get(NULL, "d"));
    cr_assert_str_eq(parse("\"\\ud83d\\ude00\"")->text, "\xf0\x9f\x98\x80");
}

Test(json_read, what_is_wrong_is_refused_with_its_byte)
{
    static const char *const bad[] = {
        "",         "{",  "[1,]", "[1 2]", "{\"a\" 1}", "{a: 1}",  "{\"a\":1,\"a\":2}",
        "01",       "+1", "1 x",  "nan",   "\"abc",     "\"\\x\"", "\"\\ud83d\"",
        "\"a\nb\"", "tru"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why[0] = '\0';
        cr_assert_null(parse(bad[i]), "accepted %s", bad[i]);
        cr_assert(strncmp(why, "byte ", 5) == 0, "%s: %s", bad[i], why);
    }
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    cr_assert_null(nf_json_parse(deep, 200, &arena, why, sizeof why));
}
