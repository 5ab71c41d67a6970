/* diag_test.c - what is kept, what is printed, and what a hostile file cannot make us print. */
#include "base/diag.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct nf_place nowhere = {0};

/* Everything that nf_diags_print says, in the arena of d. */
static const char *printed(const struct nf_diags *d)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    nf_diags_print(d, out);
    fclose(out);
    const char *copy = nf_arena_strndup(d->arena, text, n);
    free(text);
    return copy;
}

/* A file with these bytes in the temporary folder; its name lives in the arena. */
static const char *file_with(struct nf_arena *a, const char *bytes, size_t n)
{
    char *name = nf_arena_strdup(a, "/tmp/nf_diag_test_XXXXXX");
    int fd = mkstemp(name);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
    close(fd);
    return name;
}

Test(diag, nothing_wrong_prints_nothing)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    cr_assert_eq(nf_diags_status(&d), NF_OK);
    cr_assert_str_eq(printed(&d), "");
    nf_arena_fini(&a);
}

Test(diag, entries_are_printed_by_place_with_their_lines)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    static const char text[] =
        "nearfar: 1\nname: x\n\tqueue: {limt: 5}\r\nlast: \xC3\xA9\xC3\xA9 9";
    const char *file = file_with(&a, text, sizeof text - 1);
    struct nf_place last = {file, 4, 12}, key = {file, 3, 10}, line_only = {file, 1, 0};
    cr_assert_eq(nf_diag_add(&d, NF_E_UNIT, last, "last", NULL, "no %s", "unit"),
                 NF_E_UNIT);
    nf_diag_add(&d, NF_E_KEY, key, "queue.limt", "did you mean limit?", "unknown key");
    nf_diag_warn(&d, line_only, NULL, "version %d is old", 1);
    nf_diag_add(&d, NF_E_USAGE, nowhere, NULL, NULL, "no such option");
    const char *expected =
        nf_arena_printf(&a,
                        "nearfar: error: no such option  [usage]\n"
                        "%s:1: warning: version 1 is old\n"
                        "     1 | nearfar: 1\n"
                        "%s:3:10: error: queue.limt: unknown key  [key]\n"
                        "     3 |  queue: {limt: 5}\n"
                        "       |          ^\n"
                        "hint: did you mean limit?\n"
                        "%s:4:12: error: last: no unit  [unit]\n"
                        "     4 | last: \xC3\xA9\xC3\xA9 9\n"
                        "       |          ^\n"
                        "3 errors, 1 warning; nothing was run\n",
                        file, file, file);
    cr_assert_str_eq(printed(&d), expected);
    cr_assert_eq(nf_diags_status(&d), NF_E_UNIT,
                 "the first that was added, not the first in the file");
    unlink(file);
    nf_arena_fini(&a);
}

Test(diag, files_that_cannot_be_shown_are_only_named)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    const char *binary = file_with(&a, "a\x1B[31m: 1\n", 9);
    struct nf_place places[] = {
        {binary, 1, 2}, {"/no/such/file.yaml", 3, 1}, {"/", 1, 1}, {"/dev/zero", 1, 1}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        nf_diag_add(&d, NF_E_SYNTAX, places[i], NULL, NULL, "bad");
    }
    const char *text = printed(&d);
    cr_assert_null(strchr(text, '|'), "%s", text);
    cr_assert_not_null(strstr(text, "/no/such/file.yaml:3:1: error: bad  [syntax]\n"));
    unlink(binary);
    nf_arena_fini(&a);
}

Test(diag, places_behind_the_end_show_no_line)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    const char *file = file_with(&a, "a: 1\n", 5);
    nf_diag_add(&d, NF_E_SYNTAX, (struct nf_place){file, 9, 1}, NULL, NULL, "x");
    nf_diag_add(&d, NF_E_SYNTAX, (struct nf_place){file, 1, 40}, NULL, NULL, "x");
    cr_assert_null(strchr(printed(&d), '|'));
    /* One column behind the last character is where a missing value belongs. */
    nf_diag_add(&d, NF_E_SYNTAX, (struct nf_place){file, 1, 5}, NULL, NULL, "x");
    cr_assert_not_null(strstr(printed(&d), "     1 | a: 1\n       |     ^\n"));
    unlink(file);
    nf_arena_fini(&a);
}

Test(diag, a_long_line_is_shown_around_the_mistake)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    static char line[200000];
    memset(line, '.', sizeof line);
    memcpy(line + 5000, "WRONG", 5);
    const char *file = file_with(&a, line, sizeof line);
    nf_diag_add(&d, NF_E_KEY, (struct nf_place){file, 1, 5001}, NULL, NULL, "x");
    nf_diag_add(&d, NF_E_KEY, (struct nf_place){file, 1, 199999}, NULL, NULL,
                "too far to be looked at");
    const char *text = printed(&d);
    const char *wrong = strstr(text, "WRONG"), *caret = strchr(text, '^');
    cr_assert(wrong != NULL && caret != NULL);
    const char *line_start = strstr(text, "     1 | ..."),
               *caret_start = strstr(text, "       | ");
    cr_assert_eq(wrong - line_start, caret - caret_start);
    cr_assert(strlen(text) < 500, "%s", text);
    unlink(file);
    nf_arena_fini(&a);
}

Test(diag, text_from_the_user_cannot_reach_the_terminal_raw)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    nf_diag_add(&d, NF_E_KEY, (struct nf_place){"a\x1B]0;b", 0, 0}, "p\a", "h\x7F",
                "m\x1B[2J\n%s", "\xC2\x9B");
    const char *text = printed(&d);
    cr_assert_str_eq(text, "a\\x1B]0;b: error: p\\x07: m\\x1B[2J\\n\\u{009B}  [key]\n"
                           "hint: h\\x7F\n"
                           "1 error; nothing was run\n");
    nf_arena_fini(&a);
}

/* A line of 150 001 bytes, empty lines, and lines whose ends fall on and beside the ends of the blocks that are read. */
Test(diag, lines_behind_long_ones_and_across_blocks_are_found)
{
    enum { LONG = 150001, LINES = 9000, EACH = 9 };
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    char *bytes = nf_arena_alloc(&a, LONG + LINES * EACH + 100), *to = bytes;
    memset(to, 'x', LONG);
    to += LONG;
    memcpy(to, "\n\n\r\n", 4);
    to += 4;
    for (int i = 4; i < LINES; i++) {
        to += snprintf(to, 20, "line%04d\n", i);
    }
    const char *file = file_with(&a, bytes, (size_t)(to - bytes));
    static const int lines[] = {1, 2, 3, 4, 5, 6000, 8999};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        nf_diag_add(&d, NF_E_KEY, (struct nf_place){file, lines[i], 1}, NULL, NULL, "x");
    }
    nf_diag_add(&d, NF_E_KEY, (struct nf_place){file, 9000, 1}, NULL, NULL, "past it");
    const char *text = printed(&d);
    for (size_t i = 3; i < sizeof lines / sizeof lines[0]; i++) {
        const char *shown =
            nf_arena_printf(&a, "%6d | line%04d\n       | ^\n", lines[i], lines[i]);
        cr_assert_not_null(strstr(text, shown), "%s", text);
    }
    cr_assert_not_null(strstr(text, "     1 | xxx"));
    cr_assert_not_null(strstr(text, "     2 | \n"));
    cr_assert_not_null(strstr(text, "     3 | \n"));
    cr_assert_null(strstr(text, "  9000 | "));
    unlink(file);
    nf_arena_fini(&a);
}

Test(diag, twenty_are_kept_and_the_rest_counted)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    for (int i = 0; i < 27; i++) {
        nf_diag_add(&d, NF_E_TRACE, (struct nf_place){"t.csv", i + 1, 0}, NULL, NULL,
                    "row %d", i);
    }
    cr_assert_eq(d.count, 20);
    cr_assert_eq(d.errors, 27);
    const char *text = printed(&d);
    cr_assert_not_null(strstr(text, "row 19"));
    cr_assert_null(strstr(text, "row 20"));
    cr_assert_not_null(strstr(text, "\n27 errors; nothing was run (7 more not shown)\n"));
    nf_diags_cut(&d);
    cr_assert_not_null(strstr(printed(&d), "\nat least 27 errors; nothing was run"));
    nf_arena_fini(&a);
}

Test(diag, warnings_do_not_crowd_out_errors)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    for (int i = 0; i < 30; i++) {
        nf_diag_warn(&d, nowhere, NULL, "warning %d", i);
    }
    cr_assert_eq(nf_diags_status(&d), NF_OK);
    cr_assert_not_null(strstr(printed(&d), "\n30 warnings (10 more not shown)\n"));
    for (int i = 0; i < 20; i++) {
        nf_diag_add(&d, NF_E_RANGE, nowhere, NULL, NULL, "error %d", i);
    }
    nf_diag_warn(&d, nowhere, NULL, "one more");
    const char *text = printed(&d);
    cr_assert_not_null(strstr(text, "error 19"));
    cr_assert_null(strstr(text, "warning 0"));
    cr_assert_not_null(
        strstr(text, "\n20 errors, 31 warnings; nothing was run (31 more not shown)\n"));
    nf_arena_fini(&a);
}

Test(diag, the_environment_decides_the_status)
{
    struct nf_arena a;
    struct nf_diags d;
    nf_arena_init(&a);
    nf_diags_init(&d, &a);
    for (int i = 0; i < 25; i++) {
        nf_diag_add(&d, NF_E_RANGE, nowhere, NULL, NULL, "error %d", i);
    }
    cr_assert_eq(nf_diags_status(&d), NF_E_RANGE);
    nf_diag_add(&d, NF_E_IO, nowhere, NULL, NULL, "disk full");
    cr_assert_eq(nf_diags_status(&d), NF_E_IO, "also when the list was full before");
    cr_assert_not_null(strstr(printed(&d), "disk full"));
    nf_arena_fini(&a);
}
