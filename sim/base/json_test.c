/* json_test.c - the exact text of small documents, escapes, numbers, and misuse. */
#include "base/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>

static void write_sample(struct nf_json *j)
{
    nf_json_object(j, NULL);
    nf_json_string(j, "scenario", "mm1");
    nf_json_array(j, "p99");
    nf_json_double(j, NULL, 0.1);
    nf_json_int(j, NULL, INT64_MIN);
    nf_json_end(j);
    nf_json_object(j, "empty");
    nf_json_end(j);
    nf_json_array(j, "none");
    nf_json_end(j);
    nf_json_bool(j, "met", true);
    nf_json_null(j, "half_width");
    nf_json_end(j);
}

Test(json, one_line)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    write_sample(&j);
    cr_assert_str_eq(
        t.data,
        "{\"scenario\": \"mm1\", \"p99\": [0.1, -9223372036854775808], \"empty\": {}, "
        "\"none\": [], \"met\": true, \"half_width\": null}");
    nf_text_fini(&t);
}

Test(json, indented)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, true);
    write_sample(&j);
    cr_assert_str_eq(
        t.data,
        "{\n  \"scenario\": \"mm1\",\n  \"p99\": [\n    0.1,\n    -9223372036854775808\n "
        " ],\n"
        "  \"empty\": {},\n  \"none\": [],\n  \"met\": true,\n  \"half_width\": null\n}");
    nf_text_fini(&t);
}

Test(json, strings_are_escaped_and_always_utf8)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_string(&j, NULL, "q\" b\\ n\n t\t e\x1B d\x7F \xC3\xA9 bad\xFF");
    cr_assert_str_eq(
        t.data,
        "\"q\\\" b\\\\ n\\n t\\u0009 e\\u001b d\\u007f \xC3\xA9 bad\xEF\xBF\xBD\"");
    nf_text_fini(&t);
}

Test(json, keys_are_escaped)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_object(&j, NULL);
    nf_json_int(&j, "a\"b", 1);
    nf_json_end(&j);
    cr_assert_str_eq(t.data, "{\"a\\\"b\": 1}");
    nf_text_fini(&t);
}

Test(json, numbers_that_json_cannot_say_are_null)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_array(&j, NULL);
    nf_json_double(&j, NULL, (double)NAN);
    nf_json_double(&j, NULL, -(double)INFINITY);
    nf_json_double(&j, NULL, 1e-9);
    nf_json_double(&j, NULL, 1e300);
    nf_json_end(&j);
    cr_assert_str_eq(t.data, "[null, null, 1e-09, 1e+300]");
    nf_text_fini(&t);
}

Test(json, the_deepest_level_works)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    for (int i = 0; i < 31; i++) {
        nf_json_array(&j, NULL);
    }
    for (int i = 0; i < 31; i++) {
        nf_json_end(&j);
    }
    cr_assert_eq(t.length, 62);
    nf_text_fini(&t);
}

Test(json, one_level_more_is_a_bug, .signal = SIGABRT)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    for (int i = 0; i < 32; i++) {
        nf_json_array(&j, NULL);
    }
}

Test(json, a_key_in_an_array_is_a_bug, .signal = SIGABRT)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_array(&j, NULL);
    nf_json_int(&j, "key", 1);
}

Test(json, a_missing_key_is_a_bug, .signal = SIGABRT)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_object(&j, NULL);
    nf_json_int(&j, NULL, 1);
}

Test(json, a_second_root_is_a_bug, .signal = SIGABRT)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_int(&j, NULL, 1);
    nf_json_int(&j, NULL, 2);
}

Test(json, an_end_too_many_is_a_bug, .signal = SIGABRT)
{
    struct nf_text t = {0};
    struct nf_json j;
    nf_json_init(&j, &t, false);
    nf_json_array(&j, NULL);
    nf_json_end(&j);
    nf_json_end(&j);
}
