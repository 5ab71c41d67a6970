/*
 * catalog.c - reading the catalogue's files, resolving sources, looking up by name.
 */
#include "scenario/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "scenario/catalog_part.h"

enum { PROFILES_MAX = 256 };

/* What to do when the program's own files are gone. */
#define DATA_HINT "NEARFAR_DATA names the folder that holds scenarios/ and results/"

/* ---- every object that names a source ---- */

void nf__catalog_walk(const struct nf_table *table, const struct nf_field *field,
                      void *object, nf__visit_cite visit, void *ctx)
{
    if (nf_table_field(table, "source", -1) != NULL) {
        visit(ctx, table, field, object);
        return;
    }
    int which = nf_table_case(table, object);
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        void *at = (char *)object + f->offset;
        if (which >= 0 && f->cases != 0 && (f->cases >> which & 1) == 0) {
            continue;
        }
        if (f->kind == NF_FIELD_MAP && ((struct nf_object *)at)->node != NULL) {
            nf__catalog_walk(f->table, f, at, visit, ctx);
        }
        if (f->kind == NF_FIELD_NAMED) {
            struct nf_list *list = at;
            for (size_t k = 0; k < list->count; k++) {
                nf__catalog_walk(f->table, f, (char *)list->items + k * f->table->size,
                                 visit, ctx);
            }
        }
    }
}

struct check {
    struct nf_load *load;
    const struct nf_list *sources;
    bool is_whole; /* every source that the file declares is in the list */
};

/* YYYY, YYYY-MM or YYYY-MM-DD. */
static bool is_date(const char *s)
{
    static const char shape[] = "dddd-dd-dd";
    size_t n = strlen(s);
    if (n != 4 && n != 7 && n != 10) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (shape[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != '-') {
            return false;
        }
    }
    int month = n >= 7 ? (s[5] - '0') * 10 + s[6] - '0' : 1;
    int day = n >= 10 ? (s[8] - '0') * 10 + s[9] - '0' : 1;
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static const char *near_hint(struct nf_load *load, const char *word,
                             const char *const *names)
{
    const char *near = nf_text_nearest(word, names);
    return near ? nf_arena_printf(load->arena, "did you mean \"%s\"?", near) : NULL;
}

/* The keys of a NAMED list, ended by NULL. */
static const char *const *names_of(struct nf_arena *arena, const struct nf_list *list,
                                   size_t size)
{
    const char **names = NF_NEW_ARRAY(arena, list->count + 1, const char *);
    for (size_t i = 0; i < list->count; i++) {
        names[i] =
            ((const struct nf_object *)((const char *)list->items + i * size))->name;
    }
    return names;
}

static void check_cite(void *ctx, const struct nf_table *table,
                       const struct nf_field *field, struct nf__cite *cite)
{
    struct check *c = ctx;
    (void)table;
    (void)field;
    if (cite->source == NULL) { /* told as missing or wrong */
        return;
    }
    const struct nf__source *sources = c->sources->items;
    bool is_known = false, has_own_date = cite->date != NULL;
    for (size_t i = 0; i < c->sources->count; i++) {
        if (strcmp(sources[i].at.name, cite->source) == 0) {
            is_known = true;
            cite->source_text = sources[i].text;
            cite->date = has_own_date ? cite->date : sources[i].date;
        }
    }
    if (!is_known && c->is_whole) {
        (void)nf_object_error(
            c->load, &cite->at, "source", NF_E_REFERENCE,
            near_hint(c->load, cite->source,
                      names_of(c->load->arena, c->sources, sizeof(struct nf__source))),
            "\"%s\" is not among the file's sources", cite->source);
    }
    if (has_own_date && !is_date(cite->date)) {
        (void)nf_object_error(c->load, &cite->at, "date", NF_E_TYPE, NULL,
                              "\"%s\" is not a date: YYYY, YYYY-MM or YYYY-MM-DD",
                              cite->date);
    }
}

static void check_sources(struct nf_load *load, const struct nf_table *table, void *root,
                          const struct nf_list *sources)
{
    struct nf__source *s = sources->items;
    for (size_t i = 0; i < sources->count; i++) {
        if (s[i].date != NULL && !is_date(s[i].date)) {
            (void)nf_object_error(load, &s[i].at, "date", NF_E_TYPE, NULL,
                                  "\"%s\" is not a date: YYYY, YYYY-MM or YYYY-MM-DD",
                                  s[i].date);
        }
    }
    struct check c = {load, sources, nf_object_is_whole(root, "sources")};
    nf__catalog_walk(table, NULL, root, check_cite, &c);
}

/* ---- files ---- */

struct loading {
    struct nf_load load;
    struct nf_catalog *catalog;
    const char *data_root;
};

/* Read DATA_ROOT/folder/name into `root`; false when there is nothing whole to go on with. */
static bool read_file(struct loading *l, const char *folder, const char *name,
                      const struct nf_table *table, void *root)
{
    struct nf_place nowhere = {NULL, 0, 0};
    struct nf_yaml_file *file = NF_NEW(l->load.arena, struct nf_yaml_file);
    const char *path =
        nf_arena_printf(l->load.arena, "%s/%s/%s", l->data_root, folder, name);
    if (access(path, R_OK) != 0) { /* not the user's: the program's own files are gone */
        (void)nf_diag_add(l->load.diags, NF_E_IO, nowhere, "", DATA_HINT,
                          "cannot read the catalogue's \"%s\": %s", path,
                          strerror(errno));
        return false;
    }
    enum nf_status s = nf_yaml_read(path, nowhere, l->load.arena, l->load.diags, file);
    if (file->root == NULL) {
        return false;
    }
    struct nf_catalog *c = l->catalog;
    c->files[c->file_count++] = (struct nf_catalog_file){
        nf_arena_printf(l->load.arena, "%s/%s", folder, name), file->sha256};
    enum nf_status t = nf_schema_load(&l->load, table, file->root, "", root);
    return s == NF_OK && t == NF_OK;
}

static void load_sections(struct loading *l)
{
    struct nf_catalog *c = l->catalog;
    for (int i = 0; i < NF__SECTIONS; i++) {
        const char *name =
            nf_arena_printf(l->load.arena, "%s.yaml", nf__section_names[i]);
        if (read_file(l, "scenarios/catalog", name, &nf__catalog_tables[i],
                      &c->root[i])) {
            check_sources(&l->load, &nf__catalog_tables[i], &c->root[i],
                          &c->root[i].sources);
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The profiles of the folder in the order of their names. */
static size_t list_profiles(struct loading *l, const char **names)
{
    const char *path =
        nf_arena_printf(l->load.arena, "%s/results/calibration", l->data_root);
    struct nf_place nowhere = {NULL, 0, 0};
    DIR *folder = opendir(path);
    if (folder == NULL) {
        (void)nf_diag_add(l->load.diags, NF_E_IO, nowhere, "", DATA_HINT,
                          "cannot read the catalogue's \"%s\": %s", path,
                          strerror(errno));
        return 0;
    }
    size_t n = 0;
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        size_t length = strlen(e->d_name);
        bool is_profile = e->d_name[0] != '.' && length > 5 &&
                          strcmp(e->d_name + length - 5, ".yaml") == 0;
        if (is_profile && n < PROFILES_MAX) {
            names[n++] = nf_arena_strdup(l->load.arena, e->d_name);
        } else if (is_profile) {
            (void)nf_diag_add(l->load.diags, NF_E_LIMIT, nowhere, "", NULL,
                              "%s holds more than %d profiles", path, PROFILES_MAX);
            break;
        }
    }
    (void)closedir(folder);
    qsort(names, n, sizeof *names, compare_names);
    return n;
}

static void load_profiles(struct loading *l, const char *const *names, size_t count)
{
    struct nf_catalog *c = l->catalog;
    c->profiles = NF_NEW_ARRAY(l->load.arena, count + 1, struct nf__profile_entry);
    for (size_t i = 0; i < count; i++) {
        struct nf__profile_entry *p = &c->profiles[c->profile_count];
        if (!read_file(l, "results/calibration", names[i], &nf__profile_table, p)) {
            continue;
        }
        check_sources(&l->load, &nf__profile_table, p, &p->sources);
        size_t length = strlen(names[i]) - 5;
        p->at.name = nf_arena_strndup(l->load.arena, names[i], length);
        c->profile_count++;
    }
}

static void collect_names(struct nf_arena *arena, struct nf_catalog *c)
{
    const char **profiles = NF_NEW_ARRAY(arena, c->profile_count + 1, const char *);
    for (size_t i = 0; i < c->profile_count; i++) {
        profiles[i] = c->profiles[i].at.name;
    }
    c->profile_names = profiles;
    for (int s = 0; s < NF__SECTIONS; s++) {
        const struct nf_list *lists[6] = {&c->root[s].entries};
        const struct nf_table *table = &nf__catalog_tables[s];
        size_t n = 1, total = 0, k = 0;
        if (s == NF__PRICES) {
            n = nf__catalog_price_lists(&c->root[s].prices, lists);
        }
        for (size_t i = 0; i < n; i++) {
            total += lists[i]->count;
        }
        const char **names = NF_NEW_ARRAY(arena, total + 1, const char *);
        size_t size = table->fields[table->field_count - 1].table->size;
        for (size_t i = 0; i < n; i++) {
            const char *const *part = names_of(arena, lists[i], size);
            for (size_t j = 0; j < lists[i]->count; j++) {
                names[k++] = part[j];
            }
        }
        c->names[s] = names;
    }
}

enum nf_status nf_catalog_load(const char *data_root, struct nf_arena *arena,
                               struct nf_diags *diags, const struct nf_catalog **out)
{
    int errors = diags->errors;
    struct nf_catalog *c = NF_NEW(arena, struct nf_catalog);
    struct loading l = {{arena, diags}, c, data_root};
    const char **names = NF_NEW_ARRAY(arena, PROFILES_MAX, const char *);
    size_t count = list_profiles(&l, names);
    c->files = NF_NEW_ARRAY(arena, NF__SECTIONS + count, struct nf_catalog_file);
    load_sections(&l);
    load_profiles(&l, names, count);
    if (diags->errors == errors) {
        collect_names(arena, c);
        nf__catalog_fold(&l.load, c);
    }
    if (diags->errors != errors) {
        return nf_diags_status(diags);
    }
    *out = c;
    return NF_OK;
}

/* ---- looking up ---- */

const struct nf_device *nf_catalog_device(const struct nf_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->root[NF__DEVICES].entries.count; i++) {
        if (strcmp(c->devices[i].name, name) == 0) {
            return &c->devices[i];
        }
    }
    return NULL;
}

const struct nf_dnn_model *nf_catalog_dnn(const struct nf_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->dnn_count; i++) {
        if (strcmp(c->dnns[i].name, name) == 0) {
            return &c->dnns[i];
        }
    }
    return NULL;
}

const struct nf_diffusion_model *nf_catalog_diffusion(const struct nf_catalog *c,
                                                      const char *name,
                                                      struct nf_diffusion_job *job)
{
    for (size_t i = 0; i < c->diffusion_count; i++) {
        if (strcmp(c->diffusions[i].name, name) == 0) {
            if (job != NULL) {
                *job = c->jobs[i];
            }
            return &c->diffusions[i];
        }
    }
    return NULL;
}

const struct nf_llm_arch *nf_catalog_llm(const struct nf_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->llm_count; i++) {
        if (strcmp(c->llms[i].name, name) == 0) {
            return &c->llms[i];
        }
    }
    return NULL;
}

const struct nf_calibration *nf_catalog_calibration(const struct nf_catalog *c,
                                                    const char *device)
{
    const struct nf_calibration *found = NULL;
    for (size_t i = 0; i < c->profile_count; i++) {
        const struct nf_calibration *k = &c->calibrations[i];
        if (strcmp(k->device, device) == 0 && (!found || k->is_own)) {
            found = k;
        }
    }
    return found;
}

const struct nf_calibration *nf_catalog_profile(const struct nf_catalog *c,
                                                const char *name)
{
    for (size_t i = 0; i < c->profile_count; i++) {
        if (strcmp(c->calibrations[i].name, name) == 0) {
            return &c->calibrations[i];
        }
    }
    return nf_catalog_calibration(c, name);
}

enum nf_status nf_catalog_read_profile(const struct nf_catalog *c, const char *path,
                                       struct nf_place from, struct nf_arena *arena,
                                       struct nf_diags *diags, struct nf_calibration *out)
{
    struct nf_load load = {arena, diags};
    struct nf_yaml_file *file = NF_NEW(arena, struct nf_yaml_file);
    struct nf__profile_entry *p = NF_NEW(arena, struct nf__profile_entry);
    int errors = diags->errors;
    enum nf_status s = nf_yaml_read(path, from, arena, diags, file);
    if (file->root == NULL) {
        return s;
    }
    if (nf_schema_load(&load, &nf__profile_table, file->root, "", p) != NF_OK &&
        file->root->kind != NF_YAML_MAP) {
        return NF_E_TYPE;
    }
    p->at.name = path;
    check_sources(&load, &nf__profile_table, p, &p->sources);
    nf__catalog_fold_profile(&load, c, p, out);
    out->sha256 = file->sha256;
    return diags->errors == errors ? NF_OK : nf_diags_status(diags);
}

const char *const *nf_catalog_names(const struct nf_catalog *c, const char *section)
{
    for (int s = 0; s < NF__SECTIONS; s++) {
        if (strcmp(nf__section_names[s], section) == 0) {
            return c->names[s];
        }
    }
    return strcmp(section, "profiles") == 0 ? c->profile_names : NULL;
}

const struct nf_catalog_file *nf_catalog_files(const struct nf_catalog *c, size_t *count)
{
    *count = c->file_count;
    return c->files;
}
