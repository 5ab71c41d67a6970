#include "experiment/measured.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The name by which a row is grouped; NULL: it belongs nowhere. */
typedef const char *(*name_of)(const struct nf_measured_row *row);

static const char *group_name(const struct nf_measured_row *row)
{
    return row->group;
}

static const char *subtotal_name(const struct nf_measured_row *row)
{
    return row->subtotal;
}

static bool is_in(const struct nf_measured_row *row, const struct nf_measured_group *g,
                  name_of name)
{
    return !name || (name(row) && strcmp(name(row), g->name) == 0);
}

static void fill(const struct nf_measured *m, struct nf_measured_group *g, name_of name,
                 double *room)
{
    for (size_t k = 0; k < m->metric_count; k++) {
        size_t n = 0;
        double whole =
            m->whole ? m->whole->predicted[k] / m->whole->measured[k] - 1 : (double)NAN;
        if (isfinite(whole)) {
            g->error[k] = nf_error_of(&whole, 1);
            continue;
        }
        for (size_t i = 0; i < m->count; i++) {
            const struct nf_measured_row *r = &m->rows[i];
            double e = r->predicted[k] / r->measured[k] - 1;
            if (!r->skipped && is_in(r, g, name) && isfinite(e)) {
                room[n++] = e;
            }
        }
        g->error[k] = nf_error_of(room, n);
    }
    for (size_t i = 0; i < m->count; i++) {
        if (is_in(&m->rows[i], g, name)) {
            g->bound =
                g->rows == 0 || g->bound == m->rows[i].bound ? m->rows[i].bound : NULL;
            g->rows++;
            g->skipped += m->rows[i].skipped != NULL;
        }
    }
}

static struct nf_measured_group *groups_by(const struct nf_measured *m, name_of name,
                                           struct nf_arena *arena, size_t *count)
{
    struct nf_measured_group *g = NF_NEW_ARRAY(arena, m->count, struct nf_measured_group);
    double *room = NF_NEW_ARRAY(arena, m->count, double);
    *count = 0;
    for (size_t i = 0; i < m->count; i++) {
        const char *own = name(&m->rows[i]);
        size_t k = 0;
        while (own && k < *count && strcmp(g[k].name, own) != 0) {
            k++;
        }
        if (own && k == *count) {
            g[(*count)++].name = own;
        }
    }
    for (size_t k = 0; k < *count; k++) {
        fill(m, &g[k], name, room);
    }
    return g;
}

struct nf_measured_group *nf_measured_groups(const struct nf_measured *m,
                                             struct nf_arena *arena, size_t *count)
{
    return groups_by(m, group_name, arena, count);
}

struct nf_measured_group *nf_measured_subtotals(const struct nf_measured *m,
                                                struct nf_arena *arena, size_t *count)
{
    return groups_by(m, subtotal_name, arena, count);
}

struct nf_measured_group nf_measured_all(const struct nf_measured *m,
                                         struct nf_arena *arena)
{
    struct nf_measured_group g = {.name = "all"};
    fill(m, &g, NULL, NF_NEW_ARRAY(arena, m->count, double));
    return g;
}

bool nf_measured_is_met(const struct nf_measured_group *g)
{
    const struct nf_error *e = &g->error[0];
    return g->bound && e->rows > 0 && e->median <= g->bound->median &&
           (!(g->bound->p90 > 0) || e->p90 <= g->bound->p90);
}

static int by_count(const void *a, const void *b)
{
    const struct nf_measured_reason *x = a, *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

struct nf_measured_reason *nf_measured_count_reasons(const char *const *reasons,
                                                     size_t count, struct nf_arena *arena)
{
    struct nf_measured_reason *list =
        NF_NEW_ARRAY(arena, count + 1, struct nf_measured_reason);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *own = reasons[i];
        size_t k = 0;
        while (own && k < n && strcmp(list[k].text, own) != 0) {
            k++;
        }
        if (own) {
            list[k].text = own;
            list[k].count++;
            n += k == n;
        }
    }
    qsort(list, n, sizeof *list, by_count);
    return list;
}

struct nf_measured_reason *nf_measured_reasons(const struct nf_measured *m,
                                               struct nf_arena *arena)
{
    const char **reasons = NF_NEW_ARRAY(arena, m->count, const char *);
    for (size_t i = 0; i < m->count; i++) {
        reasons[i] = m->rows[i].skipped;
    }
    return nf_measured_count_reasons(reasons, m->count, arena);
}
