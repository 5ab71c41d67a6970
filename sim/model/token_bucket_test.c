/* Token bucket: Envoy's own test vectors, and the two edges that they leave out. */
#include "model/token_bucket.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "model/conformance_test.h"

enum { BUCKET_CASES = 12 };

static const nf_time MS = NF_SECOND / 1000;

static void run_op(const struct nf_vectors *v, struct nf_token_bucket *b, const char *id)
{
    nf_time at = nf_vectors_integer(v, "at_ms") * MS;
    double tokens = nf_vectors_number(v, "tokens");
    double got = 0;
    if (nf_vectors_at(v, "consume")) {
        got = nf_token_bucket_take(b, at, tokens, nf_vectors_integer(v, "partial") != 0);
    } else if (nf_vectors_at(v, "force")) {
        got = nf_token_bucket_force(b, at, tokens);
    } else {
        cr_assert(nf_vectors_at(v, "reset"), "line %d", v->line);
        nf_token_bucket_reset(b, at, tokens);
    }
    if (nf_vectors_has(v, "expect")) {
        cr_assert_float_eq(got, nf_vectors_number(v, "expect"), 1e-9,
                           "%s line %d: got %.9g", id, v->line, got);
    }
    if (nf_vectors_has(v, "next_ms")) {
        cr_assert_eq(nf_token_bucket_retry_after(b),
                     nf_vectors_integer(v, "next_ms") * MS, "%s line %d", id, v->line);
    }
}

static void run_bucket(struct nf_vectors *v)
{
    const char *id = nf_vectors_text(v, "id");
    struct nf_token_bucket b;
    nf_token_bucket_init(&b, nf_vectors_number(v, "max"), nf_vectors_number(v, "rate"),
                         0);
    for (nf_vectors_next(v); !nf_vectors_at(v, "case") && !nf_vectors_at(v, "end");
         nf_vectors_next(v)) {
        run_op(v, &b, id);
    }
}

Test(token_bucket, agrees_with_upstream_vectors)
{
    struct nf_vectors v;
    nf_vectors_open(&v, "token_bucket");
    int run = 0;
    for (; nf_vectors_at(&v, "case"); run++) {
        run_bucket(&v);
    }
    nf_vectors_close(&v, run);
    printf("token_bucket: %d vectors\n", run);
    cr_assert(run >= BUCKET_CASES, "only %d of %d vectors ran", run, BUCKET_CASES);
}

Test(token_bucket, a_full_bucket_gains_nothing_by_waiting)
{
    struct nf_token_bucket b;
    nf_token_bucket_init(&b, 3, 0.25, 0);
    cr_assert_eq(nf_token_bucket_take(&b, 977 * NF_SECOND, 3, false), 3);
    cr_assert_eq(nf_token_bucket_take(&b, 977 * NF_SECOND, 1, false), 0);
    cr_assert_eq(nf_token_bucket_take(&b, 980 * NF_SECOND, 1, false), 0);
    cr_assert_eq(nf_token_bucket_take(&b, 981 * NF_SECOND, 1, false), 1);
}

Test(token_bucket, requests_exactly_at_the_rate_all_pass)
{
    struct nf_token_bucket b;
    nf_token_bucket_init(&b, 1, 3, 0);
    nf_time gap = nf_time_of_s(
        1.0 / 3); /* 333 333 333 ns: a token less a third of a nanosecond's worth */
    for (int i = 0; i < 7919; i++) {
        cr_assert_eq(nf_token_bucket_take(&b, i * gap, 1, false), 1, "request %d", i);
    }
    cr_assert_eq(nf_token_bucket_take(&b, 7919 * gap - 3, 1, false), 0);
}

Test(token_bucket, a_debt_is_paid_before_anything_is_given)
{
    struct nf_token_bucket b;
    nf_token_bucket_init(&b, 10, 2, 0);
    double left =
        nf_token_bucket_force(&b, 0, 17); /* the macro evaluates its argument twice */
    cr_assert_float_eq(left, -7, 1e-12);
    cr_assert_eq(nf_token_bucket_take(&b, 3 * NF_SECOND, 4, true), 0);
    cr_assert_eq(nf_token_bucket_take(&b, 4 * NF_SECOND, 4, true), 1);
}
