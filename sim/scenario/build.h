/*
 * build.h - what the files build_*.c share: typed declarations on one side, the world's arrays on the other.
 *
 * What:   each nf__build_X checks its section, fills in the defaults that depend on other keys (so that the effective file shows
 *         them), and makes its part of the world. Later ones use what earlier ones found; the order stands in build.c.
 * Why:    one pass a section keeps messages beside the rules they tell.
 * Errors: told in load.diags. A check runs when the keys that it looks at are good, whatever else is wrong in the file: a
 *         mistake must not hide an independent one. What hangs on something that was told (a name that could not be read, a
 *         model of unknown kind, a link that leads nowhere) is not told again; the fields knows_* say what is certain.
 */
#ifndef NF_SCENARIO_BUILD_H
#define NF_SCENARIO_BUILD_H

#include "scenario/catalog.h"
#include "scenario/decl.h"
#include "scenario/scenario.h"
#include "scenario/trace.h"

struct nf__group;
struct nf__bad_file;

/* Names to indices: a hash table with open addressing. */
struct nf__index {
    const char **keys;
    uint32_t *values;
    size_t count, cap; /* cap: a power of two, at least twice count */
};

struct nf__model {
    struct nf_model_decl *decl;
    enum nf_model_kind kind;
    const struct nf_dnn_model *dnn; /* catalogue, overrides applied */
    const struct nf_llm_arch *llm;
    const struct nf_diffusion_model *diffusion;
    struct nf_diffusion_job job; /* diffusion: overrides applied */
    bool has_kind; /* else a mistake about it was told, and `kind` says nothing */
    bool is_asked, is_hosted;
    const struct nf__group *last_group; /* that was found to serve it */
    const struct nf__host *hosts;       /* all that serve it */
};

/* A station that serves a model. */
struct nf__host {
    struct nf__group *group;
    const struct nf__host *next;
};

/* A site as the file names it, and where its copies are in the world's list. */
struct nf__site {
    const char *name;
    uint32_t first, count;
};

/* An entry of edge, cloud or maas, and where its copies are in the world's list. */
struct nf__group {
    struct nf_station_decl *decl;
    enum nf_tier tier;
    enum nf_station_kind kind;
    uint32_t site; /* edge: index of the site group */
    uint32_t first, count;
    uint32_t *models; /* that could be found */
    size_t model_count;
    const struct nf_device *device;
    const struct nf_calibration *calibration; /* NULL: none */
    struct nf__group *next_in_region;
    bool has_kind;  /* else `kind` says nothing */
    bool is_unsure; /* it may serve more models: names that could not be read or found */
    bool is_linked;
};

struct nf__link {
    struct nf_link_decl *decl;
    uint32_t site;  /* from: site group */
    uint32_t first; /* in the world's list */
};

struct nf__class {
    struct nf_class_decl *decl;
    struct nf__class *parent; /* NULL: a traffic entry */
    uint32_t index;
    uint32_t site; /* site group of the traffic entry */
    struct nf__model *model;
    bool tokens_from_trace;
    bool knows_trace;                /* whether token counts come from one is certain */
    struct nf_arrival_spec arrivals; /* traffic entries */
};

struct nf__build {
    struct nf_load load;
    struct nf_scenario_decl *decl;
    const struct nf_scenario_options *options;
    const char *folder;               /* of the scenario file */
    const struct nf_catalog *catalog; /* NULL until needed */
    bool catalog_failed;
    struct nf_world_spec *world;
    /* Are all of them known, by name at least? Where not, a name that is not there may be one that was told. */
    bool knows_models, knows_sites, knows_stations, knows_regions, knows_links,
        knows_classes, knows_order;
    bool has_unsure;   /* a station may serve more models than are known */
    int errors_before; /* in diags, when loading began */
    struct nf__index model_index, region_index, site_index, group_index, class_index;
    struct nf__model *models;
    struct nf__site *sites;
    size_t site_count;
    struct nf__group *groups;
    size_t group_count;
    struct nf__link *links;
    size_t link_count;
    struct nf__class **classes;
    size_t class_count, class_cap;
    const struct nf_calibration **calibrations;
    size_t calibration_count;
    struct nf__bad_file *bad_files;
    struct nf_scenario_input *inputs;
    size_t input_count, input_cap;
    struct nf_scenario_trace *traces;
    size_t trace_count, trace_cap;
};

enum { NF__NONE = UINT32_MAX };

/* Most pairs of a site and a station. */
enum { NF__ROUTES_MAX = 16000000 };

void nf__build_models(struct nf__build *b);
void nf__build_sites(struct nf__build *b);
void nf__build_stations(struct nf__build *b);
void nf__build_links(struct nf__build *b);
void nf__build_classes(struct nf__build *b);
void nf__build_gateway(struct nf__build *b);
void nf__build_slas(struct nf__build *b);
void nf__build_output(struct nf__build *b);
void nf__build_routes(struct nf__build *b);

/* Tell every class that no station can serve. links: for each site group and station group, a link or -1. */
void nf__build_check_served(struct nf__build *b, const int32_t *links);

/* Does the gateway's order have the group, or is there none? */
bool nf__build_is_listed(const struct nf__build *b, const struct nf__group *g);

/* Read the catalogue at first use; NULL when it cannot be read (told once). */
const struct nf_catalog *nf__build_catalog(struct nf__build *b);

/* The profile that the group's costs rest on, NULL where its device has none. False when told. */
bool nf__build_calibration(struct nf__build *b, struct nf__group *g);

/* Work out what the group's models cost on its device. */
void nf__build_hostings(struct nf__build *b, struct nf__group *g,
                        struct nf_station_spec *s);

/* Every sequence that runs has to get its token in every iteration. */
void nf__build_engine(struct nf__build *b, struct nf_engine_decl *e);

/* How a station's requests form batches, and how many GPUs work on one. */
void nf__build_batching(struct nf__build *b, struct nf__group *g,
                        struct nf_station_spec *s);

/* A generating model of the catalogue with the scenario's changes. */
void nf__build_generation(struct nf__build *b, struct nf__model *m);

/* The scaler of a pool. */
void nf__build_scaler(struct nf__build *b, struct nf_station_decl *d,
                      struct nf_scaler_spec *out);

/* Is this key of an object given? -1: nobody can tell (a mistake about it was told). */
int nf__build_given(const struct nf_object *o, const char *key);

/* A declared distribution as the engine draws it. False when told. */
bool nf__build_dist(struct nf__build *b, struct nf_dist_decl *decl, enum nf_dimension dim,
                    struct nf_dist *out);

/* The arrivals of a traffic entry. */
bool nf__build_arrivals(struct nf__build *b, struct nf__class *c, struct nf_trace *trace);

/* A file named in the scenario: beside it, else below data_root/scenarios/; absolute as it is. The first that exists, else
 * the first. */
const char *nf__build_file(struct nf__build *b, const char *name);

/* A trace (of a format), a profile or samples (NF__NONE) that were found wrong: what is wrong in a file is told once, however
 * many name it. */
bool nf__build_is_bad_file(const struct nf__build *b, const char *path, uint32_t format);
void nf__build_add_bad_file(struct nf__build *b, const char *path, uint32_t format);

/* Remember a file that the world is made from, once. */
void nf__build_used(struct nf__build *b, struct nf_scenario_input input);
/* Remember the trace of a class as read; warn where the run goes on without it. */
void nf__build_played(struct nf__build *b, struct nf__class *c, const struct nf_trace *t);
/* The files of the catalogue and the profiles that it was made from. */
void nf__build_used_catalog(struct nf__build *b);

/* The first value put under a name stays. */
void nf__index_put(struct nf__index *t, const char *key, uint32_t value,
                   struct nf_arena *arena);
uint32_t nf__index_find(const struct nf__index *t,
                        const char *key); /* NF__NONE: not there */

/* No further message will be kept: hints need not be worked out. */
bool nf__build_is_full(const struct nf__build *b);

/* Look up by name; index or NF__NONE. */
uint32_t nf__build_find_model(const struct nf__build *b, const char *name);
uint32_t nf__build_find_site(const struct nf__build *b, const char *name);
uint32_t nf__build_find_group(const struct nf__build *b, const char *name);
uint32_t nf__build_find_class(const struct nf__build *b, const char *name);

/* "did you mean ...?" or NULL. */
const char *nf__build_near(struct nf__build *b, const char *word,
                           const char *const *names);
const char *const *nf__build_group_names(struct nf__build *b);
const char *const *nf__build_model_names(struct nf__build *b);

/* Load an optional map that was not given, so that its defaults hold and are shown. */
void nf__build_materialize(struct nf__build *b, const struct nf_table *table,
                           const char *key, struct nf_object *part,
                           const struct nf_object *owner);

#endif
