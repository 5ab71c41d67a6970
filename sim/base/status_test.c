/* status_test.c - words, exit statuses, and what a bug and an empty memory do to the process. */
#include "base/status.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

Test(status, every_status_has_its_word)
{
    cr_assert_str_eq(nf_status_text(NF_OK), "ok");
    cr_assert_str_eq(nf_status_text(NF_E_RANGE), "range");
    cr_assert_str_eq(nf_status_text(NF_E_NOMEM), "memory");
    cr_assert_str_eq(nf_status_text((enum nf_status)77), "unknown status");
}

Test(status, exit_status_tells_user_from_environment)
{
    cr_assert_eq(nf_status_exit(NF_OK), 0);
    cr_assert_eq(nf_status_exit(NF_E_SYNTAX), 2);
    cr_assert_eq(nf_status_exit(NF_E_USAGE), 2);
    cr_assert_eq(nf_status_exit(NF_E_IO), 3);
    cr_assert_eq(nf_status_exit(NF_E_NOMEM), 3);
}

Test(status, assert_lets_a_true_condition_pass)
{
    int evaluated = 0;
    NF_ASSERT(++evaluated == 1);
    cr_assert_eq(evaluated, 1);
}

static void say_where(void *ctx)
{
    (void)ctx;
    /* Only a report that was really asked for ends the process with SIGABRT; see the signal of the test. */
    NF_ASSERT(1 + 1 == 3);
}

Test(status, bug_inside_the_bug_report_still_aborts, .signal = SIGABRT)
{
    nf_bug_context(say_where, NULL);
    nf_bug("x == y", "here.c", 12);
}

static void leave(void *ctx)
{
    exit(*(int *)ctx);
}

Test(status, bug_prints_the_context, .exit_code = 41)
{
    int code = 41;
    nf_bug_context(leave, &code);
    NF_ASSERT(code == 0);
}

Test(status, cleared_context_is_not_called, .signal = SIGABRT)
{
    int code = 41;
    nf_bug_context(leave, &code);
    nf_bug_context(NULL, NULL);
    NF_ASSERT(code == 0);
}

Test(status, out_of_memory_exits_with_3, .exit_code = 3)
{
    nf_out_of_memory(123456789);
}

Test(status, arena_refuses_an_overflowing_product, .exit_code = 3)
{
    struct nf_arena a;
    nf_arena_init(&a);
    nf_arena_array(&a, (size_t)-1 / 7, 11);
}

Test(status, resize_refuses_an_overflowing_product, .exit_code = 3)
{
    nf_mem_resize(NULL, (size_t)-1 / 7, 11);
}
