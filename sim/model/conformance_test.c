/* The reader of conformance_test.h. */
#include "model/conformance_test.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { TABLE_BYTES_MAX = 1 << 20 };

void nf_vectors_open(struct nf_vectors *v, const char *name)
{
    memset(v, 0, sizeof *v);
    nf_arena_init(&v->arena);
    struct nf_diags diags;
    nf_diags_init(&diags, &v->arena);
    const char *path = nf_arena_printf(&v->arena, "%s/sim/model/conformance/%s.tsv",
                                       NF_SOURCE_DIR, name);
    struct nf_file_bytes table;
    struct nf_place nowhere = {0};
    enum nf_status s =
        nf_file_read(path, TABLE_BYTES_MAX, nowhere, &v->arena, &diags, &table);
    cr_assert(s == NF_OK, "cannot read %s", path);
    v->next = nf_arena_strndup(&v->arena, table.data, table.length);
    nf_vectors_next(v);
}

void nf_vectors_close(struct nf_vectors *v, int cases_run)
{
    cr_assert(nf_vectors_at(v, "end"), "line %d: stopped at \"%s\"", v->line, v->word);
    cr_assert_eq(nf_vectors_integer(v, "cases"), cases_run);
    nf_arena_fini(&v->arena);
}

/* Cut the text at the next `mark` and return what stood before it. */
static char *cut(char **text, char mark)
{
    char *start = *text;
    char *end = strchr(start, mark);
    if (end) {
        *end = '\0';
        *text = end + 1;
    } else {
        *text = start + strlen(start);
    }
    return start;
}

void nf_vectors_next(struct nf_vectors *v)
{
    char *line;
    do {
        cr_assert(*v->next, "line %d: the table has no end record", v->line);
        line = cut(&v->next, '\n');
        v->line++;
    } while (*line == '#');
    v->word = cut(&line, '\t');
    v->field_count = 0;
    while (*line) {
        cr_assert(v->field_count < NF_VECTOR_FIELDS, "line %d: too many fields", v->line);
        char *value = cut(&line, '\t');
        v->keys[v->field_count] = cut(&value, '=');
        v->values[v->field_count] = value;
        v->field_count++;
    }
}

bool nf_vectors_at(const struct nf_vectors *v, const char *word)
{
    return strcmp(v->word, word) == 0;
}

static const char *find(const struct nf_vectors *v, const char *key)
{
    for (int i = 0; i < v->field_count; i++) {
        if (strcmp(v->keys[i], key) == 0) {
            return v->values[i];
        }
    }
    return NULL;
}

bool nf_vectors_has(const struct nf_vectors *v, const char *key)
{
    return find(v, key) != NULL;
}

const char *nf_vectors_text(const struct nf_vectors *v, const char *key)
{
    const char *text = find(v, key);
    cr_assert(text, "line %d: no field \"%s\"", v->line, key);
    return text;
}

bool nf_vectors_is(const struct nf_vectors *v, const char *key, const char *value)
{
    const char *text = find(v, key);
    return text && strcmp(text, value) == 0;
}

double nf_vectors_number(const struct nf_vectors *v, const char *key)
{
    double x = 0;
    cr_assert(nf_text_double(nf_vectors_text(v, key), &x), "line %d: \"%s\"", v->line,
              key);
    return x;
}

int64_t nf_vectors_integer(const struct nf_vectors *v, const char *key)
{
    int64_t x = 0;
    cr_assert(nf_text_int64(nf_vectors_text(v, key), &x), "line %d: \"%s\"", v->line,
              key);
    return x;
}

nf_time nf_vectors_time(const struct nf_vectors *v, const char *key)
{
    double s = nf_vectors_number(v, key);
    return s < 0 ? -nf_time_of_s(-s) : nf_time_of_s(s);
}
