/*
 * catalog_print.c - the catalogue for people: values as the files write them, and where each comes from.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "scenario/catalog_part.h"

/* ---- one entry, every figure ---- */

struct page {
    FILE *out;
    const char *prefix; /* path of the entry: left out of the labels */
};

static const char *written(const struct nf__cite *cite, const char *key)
{
    const struct nf_yaml_node *v = nf_yaml_get(cite->at.node, key);
    return v ? v->text : NULL;
}

/* "24GiB", or "t0 3.85us, ec 0.813" where an object has several numbers. */
static void print_values(struct nf_text *t, const struct nf_table *table,
                         const struct nf__cite *cite)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        const char *text = written(cite, f->key);
        if ((f->kind != NF_FIELD_NUMBER && f->kind != NF_FIELD_INT) || text == NULL) {
            continue;
        }
        if (strcmp(f->key, "value") == 0) {
            nf_text_add(t, text);
        } else {
            nf_text_printf(t, "%s%s %s", t->length > 0 ? ", " : "", f->key, text);
        }
    }
}

static void print_cite(void *ctx, const struct nf_table *table,
                       const struct nf_field *field, struct nf__cite *cite)
{
    struct page *p = ctx;
    struct nf_text values = {0};
    const char *label = cite->at.path;
    (void)field;
    if (nf_text_starts_with(label, p->prefix)) {
        label += strlen(p->prefix);
        label += *label == '.' ? 1 : 0;
    }
    print_values(&values, table, cite);
    bool is_long =
        values.length > 16; /* several constants: the origin goes on a line of its own */
    fprintf(p->out, "  %-22s %-16s%s", label, values.data, is_long ? "\n" : " ");
    fprintf(p->out, "%*s%-9s  %-10s  %s\n", is_long ? 27 : 0, "",
            nf_provenance_name((enum nf_provenance)cite->origin), cite->date,
            cite->source_text);
    if (cite->note) {
        fprintf(p->out, "%27s%s\n", "", cite->note);
    }
    nf_text_fini(&values);
}

static void print_object(FILE *out, const struct nf_table *table, void *object,
                         const char *prefix)
{
    struct page p = {out, prefix};
    nf__catalog_walk(table, NULL, object, print_cite, &p);
}

static void print_profiles(const struct nf_catalog *c, const char *device, FILE *out)
{
    for (size_t i = 0; i < c->profile_count; i++) {
        struct nf__profile_entry *e = &c->profiles[i];
        if (strcmp(e->device, device) == 0) {
            fprintf(out, "calibration profile %s (%s)\n  sha256 %s\n", e->at.name,
                    e->about, c->calibrations[i].sha256);
            print_object(out, &nf__profile_table, e, "");
        }
    }
}

static void print_model_words(const struct nf_catalog *c, const char *name, FILE *out)
{
    const struct nf_dnn_model *d = nf_catalog_dnn(c, name);
    const struct nf_llm_arch *l = nf_catalog_llm(c, name);
    if (d) {
        fprintf(out, "  %s, %s batches\n", nf_precision_name(d->precision),
                d->law == NF_BATCH_PADDED ? "padded" : "elastic");
    } else if (l) {
        fprintf(out, "  weights in %s: %.1f GB; KV cache in %s: %.0f kB a token\n",
                nf_precision_name(l->weights), nf_llm_weight_bytes(l) / 1e9,
                nf_precision_name(l->kv), nf_llm_token_bytes(l) / 1e3);
    }
}

/* ---- one line an entry ---- */

static const char *figure_or_dash(const struct nf__figure *f)
{
    return f->cite.at.node ? written(&f->cite, "value") : "-";
}

static void line_of_device(const struct nf_catalog *c, const struct nf__device_entry *e,
                           FILE *out)
{
    const struct nf_calibration *k = nf_catalog_calibration(c, e->at.name);
    fprintf(out, "%-16s %10s %10s %13s %11s %9s  %s\n", e->at.name,
            figure_or_dash(&e->memory), figure_or_dash(&e->bandwidth),
            figure_or_dash(&e->peak.of[NF_FP16]), figure_or_dash(&e->peak.of[NF_INT8]),
            figure_or_dash(&e->power), k ? nf_provenance_name(k->provenance) : "-");
}

static void line_of_model(const struct nf__model_entry *e, FILE *out)
{
    if (e->kind != NF__KIND_LLM) {
        fprintf(out, "%-20s %10s %8s  %s\n", e->at.name, figure_or_dash(&e->parameters),
                nf_precision_name((enum nf_precision)e->precision), e->about);
    } else {
        fprintf(out, "%-20s %10s %8s  %s\n", e->at.name,
                written(&e->architecture.cite, "parameters"),
                nf_precision_name((enum nf_precision)e->weights_precision), e->about);
    }
}

static void line_of_price(const struct nf__price_entry *e, FILE *out)
{
    const struct nf__figure *f = e->price.cite.at.node    ? &e->price
                                 : e->factor.cite.at.node ? &e->factor
                                                          : &e->output;
    fprintf(out, "%-28s ", e->at.name);
    if (e->input.cite.at.node) {
        fprintf(out, "%s in, ", figure_or_dash(&e->input));
    }
    fprintf(out, "%s%s  %s%s%s  %s\n", figure_or_dash(f), f == &e->output ? " out" : "",
            e->provider ? e->provider : "", e->provider && e->what ? ", " : "",
            e->what ? e->what : "", f->cite.date ? f->cite.date : "");
}

static void line_of_link(const struct nf__link_entry *e, FILE *out)
{
    fprintf(out, "%-16s %8s %8s %6s %11s %11s  %s\n", e->at.name, figure_or_dash(&e->rtt),
            figure_or_dash(&e->rtt_p99), figure_or_dash(&e->loss),
            figure_or_dash(&e->down), figure_or_dash(&e->up), e->about);
}

static void print_heading(enum nf__section s, FILE *out)
{
    switch (s) {
    case NF__DEVICES:
        fprintf(out, "%-16s %10s %10s %13s %11s %9s  %s\n", "device", "memory",
                "bandwidth", "fp16 dense", "int8 dense", "power", "calibration");
        break;
    case NF__MODELS:
        fprintf(out, "%-20s %10s %8s  %s\n", "model", "parameters", "weights", "about");
        break;
    case NF__LINKS:
        fprintf(out, "%-16s %8s %8s %6s %11s %11s  %s\n", "link", "rtt", "p99", "loss",
                "down", "up", "about");
        break;
    default:
        break;
    }
}

static void print_line(const struct nf_catalog *c, enum nf__section s, const void *entry,
                       FILE *out)
{
    switch (s) {
    case NF__DEVICES:
        line_of_device(c, entry, out);
        break;
    case NF__MODELS:
        line_of_model(entry, out);
        break;
    case NF__PRICES:
        line_of_price(entry, out);
        break;
    default:
        line_of_link(entry, out);
        break;
    }
}

/* ---- sections ---- */

struct part {
    const struct nf_field *field; /* of the root's table */
    const struct nf_list *list;
};

/* The lists of entries of a section: fields of the root after format and sources. */
static size_t parts_of(const struct nf_catalog *c, enum nf__section s,
                       struct part parts[8])
{
    const struct nf_table *t = &nf__catalog_tables[s];
    size_t n = 0;
    for (size_t i = 0; i < t->field_count; i++) {
        const struct nf_field *f = &t->fields[i];
        if (f->kind == NF_FIELD_NAMED && f->table != &nf__source_table) {
            parts[n].field = f;
            parts[n].list =
                (const struct nf_list *)((const char *)&c->root[s] + f->offset);
            n++;
        }
    }
    return n;
}

static void print_section(const struct nf_catalog *c, enum nf__section s, FILE *out)
{
    struct part parts[8];
    size_t n = parts_of(c, s, parts);
    print_heading(s, out);
    for (size_t i = 0; i < n; i++) {
        if (n > 1) {
            fprintf(out, "%s%s:\n", i > 0 ? "\n" : "", parts[i].field->key);
        }
        for (size_t k = 0; k < parts[i].list->count; k++) {
            print_line(c, s,
                       (const char *)parts[i].list->items +
                           k * parts[i].field->table->size,
                       out);
        }
    }
}

static bool print_entry(const struct nf_catalog *c, enum nf__section s, const char *name,
                        FILE *out)
{
    struct part parts[8];
    size_t n = parts_of(c, s, parts);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < parts[i].list->count; k++) {
            void *entry = (char *)parts[i].list->items + k * parts[i].field->table->size;
            struct nf_object *o = entry;
            if (strcmp(o->name, name) != 0) {
                continue;
            }
            const struct nf_yaml_node *about = nf_yaml_get(o->node, "about");
            fprintf(out, "%s%s%s\n", name, about ? ": " : "", about ? about->text : "");
            if (s == NF__MODELS) {
                print_model_words(c, name, out);
            }
            print_object(out, parts[i].field->table, entry, o->path);
            if (s == NF__DEVICES) {
                print_profiles(c, name, out);
            }
            return true;
        }
    }
    return false;
}

static void print_overview(const struct nf_catalog *c, FILE *out)
{
    for (int s = 0; s < NF__SECTIONS; s++) {
        size_t column = 9, n = 0;
        while (c->names[s][n]) {
            n++;
        }
        fprintf(out, "%s (%zu)\n        ", nf__section_names[s], n);
        for (size_t i = 0; i < n; i++) {
            size_t length = strlen(c->names[s][i]) + 1;
            if (column + length > 100) {
                fprintf(out, "\n        ");
                column = 9;
            }
            fprintf(out, " %s", c->names[s][i]);
            column += length;
        }
        fprintf(out, "\n");
    }
    fprintf(out, "calibration profiles: %zu\n", c->profile_count);
}

enum nf_status nf__catalog_unknown(struct nf_diags *diags, const char *what,
                                   const char *word, const char *const *names)
{
    struct nf_place nowhere = {NULL, 0, 0};
    const char *near = nf_text_nearest(word, names);
    return nf_diag_add(diags, NF_E_REFERENCE, nowhere, "",
                       near ? nf_arena_printf(diags->arena, "did you mean \"%s\"?", near)
                            : NULL,
                       "the catalogue has no %s \"%s\"", what, word);
}

enum nf_status nf_catalog_print(const struct nf_catalog *c, const char *section,
                                const char *name, FILE *out, struct nf_diags *diags)
{
    if (section == NULL) {
        print_overview(c, out);
        return NF_OK;
    }
    for (int s = 0; s < NF__SECTIONS; s++) {
        if (strcmp(nf__section_names[s], section) != 0) {
            continue;
        }
        if (name == NULL) {
            print_section(c, (enum nf__section)s, out);
            return NF_OK;
        }
        if (print_entry(c, (enum nf__section)s, name, out)) {
            return NF_OK;
        }
        return nf__catalog_unknown(diags, section, name, c->names[s]);
    }
    return nf__catalog_unknown(diags, "section", section, nf__section_names);
}
