/* Links, and which of them leads from a site to a station. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

static const char *const *region_names(struct nf__build *b)
{
    const char **names =
        NF_NEW_ARRAY(b->load.arena, 2 * b->group_count + 1, const char *);
    size_t n = 0;
    for (size_t i = 0; i < b->group_count; i++) {
        names[n++] = b->groups[i].decl->at.name;
        if (b->groups[i].decl->region != NULL) {
            names[n++] = b->groups[i].decl->region;
        }
    }
    return names;
}

static const char *const *site_names(struct nf__build *b)
{
    const char **names = NF_NEW_ARRAY(b->load.arena, b->site_count + 1, const char *);
    for (size_t i = 0; i < b->site_count && !nf__build_is_full(b); i++) {
        names[i] = b->sites[i].name;
    }
    return names;
}

static bool is_region(const struct nf__build *b, const char *name)
{
    return nf__index_find(&b->region_index, name) != NF__NONE;
}

static void check_from(struct nf__build *b, struct nf__link *l)
{
    struct nf_link_decl *d = l->decl;
    l->site = nf__build_find_site(b, d->from);
    if (l->site == NF__NONE && b->knows_sites) {
        (void)nf_object_error(&b->load, &d->at, "from", NF_E_REFERENCE,
                              nf__build_near(b, d->from, site_names(b)),
                              "no site \"%s\": neither traffic nor an edge node is there",
                              d->from);
    }
}

static void check_to(struct nf__build *b, struct nf_link_decl *d)
{
    bool is_station = nf__build_find_group(b, d->to) != NF__NONE;
    if (is_station && is_region(b, d->to)) {
        (void)nf_object_error(&b->load, &d->at, "to", NF_E_REFERENCE,
                              "rename one of them",
                              "\"%s\" is both a station and a region", d->to);
    } else if (!is_station && !is_region(b, d->to)) {
        b->knows_links = false;
        if (b->knows_stations && b->knows_regions) {
            const char *hint =
                nf__build_find_site(b, d->to) != NF__NONE
                    ? "links lead to edge nodes by their own names, not to sites"
                    : nf__build_near(b, d->to, region_names(b));
            (void)nf_object_error(&b->load, &d->at, "to", NF_E_REFERENCE, hint,
                                  "no edge node, pool, endpoint or region \"%s\"", d->to);
        }
    }
}

static void check_ends(struct nf__build *b, struct nf__link *l)
{
    struct nf_link_decl *d = l->decl;
    if (d->from != NULL) {
        check_from(b, l);
    }
    if (d->to != NULL) {
        check_to(b, d);
    }
    b->knows_links = b->knows_links && l->site != NF__NONE && d->to != NULL;
}

static void check_bandwidth(struct nf__build *b, struct nf_link_decl *d,
                            struct nf_link_spec *s)
{
    if (nf_object_has(&d->at, "bandwidth") && nf_object_has(&d->at, "bandwidth_up") &&
        nf_object_has(&d->at, "bandwidth_down")) {
        (void)nf_object_error(&b->load, &d->at, "bandwidth", NF_E_KEY, "remove it",
                              "bandwidth_up and bandwidth_down already say all");
    }
    if (isnan(d->bandwidth) && (isnan(d->bandwidth_up) || isnan(d->bandwidth_down))) {
        d->bandwidth = INFINITY;
    }
    double up = isnan(d->bandwidth_up) ? d->bandwidth : d->bandwidth_up;
    double down = isnan(d->bandwidth_down) ? d->bandwidth : d->bandwidth_down;
    s->bandwidth_up = isinf(up) ? 0 : up;
    s->bandwidth_down = isinf(down) ? 0 : down;
}

static void check_delay(struct nf__build *b, struct nf_link_decl *d,
                        struct nf_link_spec *s)
{
    int latency = nf__build_given(&d->at, "latency");
    int rtt = nf__build_given(&d->at, "rtt");
    struct nf_dist other;
    if (latency == rtt && latency >= 0) {
        (void)nf_object_error(
            &b->load, &d->at, "", NF_E_KEY,
            rtt > 0 ? "remove one" : "for example latency: 5ms",
            "expected either latency (one way) or rtt (there and back)");
    }
    s->is_rtt = rtt > 0;
    if (rtt > 0) {
        (void)nf__build_dist(b, &d->rtt, NF_DIM_TIME, &s->latency);
    }
    if (latency > 0) {
        (void)nf__build_dist(b, &d->latency, NF_DIM_TIME, rtt > 0 ? &other : &s->latency);
    }
}

static void expand(struct nf__build *b, const struct nf__link *l,
                   const struct nf_link_spec *one, struct nf_link_spec *out)
{
    uint32_t count = b->sites[l->site].count;
    for (uint32_t k = 0; k < count; k++) {
        out[k] = *one;
        out[k].name = count == 1
                          ? one->group
                          : nf_arena_printf(b->load.arena, "%s[%u]", one->group, k);
    }
}

void nf__build_links(struct nf__build *b)
{
    size_t n = b->decl->links.count, total = 0;
    struct nf_link_decl *decls = b->decl->links.items;
    struct nf_link_spec *ones = NF_NEW_ARRAY(b->load.arena, n, struct nf_link_spec);
    b->links = NF_NEW_ARRAY(b->load.arena, n, struct nf__link);
    b->link_count = n;
    for (size_t i = 0; i < n; i++) {
        struct nf__link *l = &b->links[i];
        struct nf_link_decl *d = &decls[i];
        *l = (struct nf__link){.decl = d, .site = NF__NONE, .first = (uint32_t)total};
        check_ends(b, l);
        ones[i] = (struct nf_link_spec){.name = d->at.name,
                                        .group = d->at.name,
                                        .loss = d->loss,
                                        .egress_usd_per_byte = d->egress};
        check_delay(b, d, &ones[i]);
        check_bandwidth(b, d, &ones[i]);
        total += l->site != NF__NONE ? b->sites[l->site].count : 0;
    }
    /* every copy of a site has its own link: at most links times copies */
    if (total > 4000000) {
        (void)nf_object_error(&b->load, &b->decl->at, "links", NF_E_LIMIT, NULL,
                              "%zu links, copies included; at most 4000000 are simulated",
                              total);
        return;
    }
    struct nf_link_spec *specs = NF_NEW_ARRAY(b->load.arena, total, struct nf_link_spec);
    for (size_t i = 0; i < n; i++) {
        if (!b->links[i].decl->at.is_broken && b->links[i].site != NF__NONE) {
            expand(b, &b->links[i], &ones[i], specs + b->links[i].first);
        }
    }
    b->world->links = specs;
    b->world->link_count = total;
}

/* ---- routes ---- */

/* Take link i for a station, unless one is there already. The one that is, or -1. */
static int32_t take_slot(int32_t *slot, size_t i)
{
    int32_t already = *slot;
    if (already < 0) {
        *slot = (int32_t)i;
    }
    return already;
}

/* Which link leads from each site group to each station group: one that names the station, else one that names its region.
 * Entries are indices of links, -1: none. */
static int32_t *choose_links(struct nf__build *b)
{
    size_t n = b->site_count * b->group_count;
    int32_t *by_name = NF_NEW_ARRAY(b->load.arena, n, int32_t);
    int32_t *by_region = NF_NEW_ARRAY(b->load.arena, n, int32_t);
    memset(by_name, 0xFF, n * sizeof *by_name);
    memset(by_region, 0xFF, n * sizeof *by_region);
    for (size_t i = 0; i < b->link_count; i++) {
        struct nf__link *l = &b->links[i];
        int32_t already = -1;
        if (l->site == NF__NONE || l->decl->to == NULL) {
            continue;
        }
        size_t row = l->site * b->group_count;
        uint32_t named = nf__build_find_group(b, l->decl->to);
        if (named != NF__NONE) {
            already = take_slot(&by_name[row + named], i);
        }
        uint32_t first = nf__index_find(&b->region_index, l->decl->to);
        const struct nf__group *g = first != NF__NONE ? &b->groups[first] : NULL;
        for (; g != NULL; g = g->next_in_region) {
            int32_t other = take_slot(&by_region[row + (size_t)(g - b->groups)], i);
            already = other >= 0 ? other : already;
        }
        if (already >= 0) {
            (void)nf_object_error(
                &b->load, &l->decl->at, "", NF_E_IMPOSSIBLE, "remove one of them",
                "link %s already leads from %s to %s", b->links[already].decl->at.name,
                l->decl->from, l->decl->to);
        }
    }
    for (size_t i = 0; i < n; i++) {
        by_name[i] = by_name[i] >= 0 ? by_name[i] : by_region[i];
    }
    return by_name;
}

/* A copy of an edge node is reached from its own copy of the site; from another site, all copies are. */
static void fill_routes(struct nf__build *b, uint32_t site, const struct nf__group *g,
                        const struct nf__link *l, int32_t *routes)
{
    for (uint32_t from = 0; from < b->sites[site].count; from++) {
        int32_t *row = routes + (b->sites[site].first + from) * b->world->station_count;
        for (uint32_t k = 0; k < g->count; k++) {
            if (g->tier != NF_TIER_EDGE || g->site != site || k == from) {
                row[g->first + k] = (int32_t)(l->first + from);
            }
        }
    }
}

static void warn_unused(struct nf__build *b, const bool *is_used)
{
    for (size_t i = 0; i < b->link_count; i++) {
        if (!is_used[i]) {
            struct nf_object *at = &b->links[i].decl->at;
            nf_diag_warn(b->load.diags, at->place, at->path,
                         "no traffic can take this link");
        }
    }
    for (size_t i = 0; i < b->group_count; i++) {
        if (!b->groups[i].is_linked) {
            struct nf_object *at = &b->groups[i].decl->at;
            nf_diag_warn(b->load.diags, at->place, at->path, "no link leads here");
        } else if (b->knows_order && !nf__build_is_listed(b, &b->groups[i])) {
            struct nf_object *at = &b->groups[i].decl->at;
            nf_diag_warn(b->load.diags, at->place, at->path,
                         "is not in the gateway's list: nothing is ever sent here");
        }
    }
    for (size_t i = 0; i < b->decl->models.count; i++) {
        const struct nf__model *m = &b->models[i];
        if (!m->is_asked || !m->is_hosted) {
            nf_diag_warn(b->load.diags, m->decl->at.place, m->decl->at.path,
                         m->is_hosted ? "no traffic asks for this model"
                                      : "no station serves this model");
        }
    }
}

static bool has_traffic(const struct nf__build *b, uint32_t site)
{
    for (size_t i = 0; i < b->class_count; i++) {
        if (b->classes[i]->site == site) {
            return true;
        }
    }
    return false;
}

void nf__build_routes(struct nf__build *b)
{
    size_t n = b->world->site_count * b->world->station_count;
    if (b->site_count * b->group_count > NF__ROUTES_MAX) {
        return; /* told */
    }
    const int32_t *links = choose_links(b);
    nf__build_check_served(b, links);
    if (b->load.diags->errors > b->errors_before) {
        return;
    }
    int32_t *routes = NF_NEW_ARRAY(b->load.arena, n, int32_t);
    bool *is_used = NF_NEW_ARRAY(b->load.arena, b->link_count, bool);
    memset(routes, 0xFF, n * sizeof *routes); /* -1 everywhere */
    for (uint32_t site = 0; site < b->site_count; site++) {
        for (size_t i = 0; i < b->group_count; i++) {
            struct nf__group *g = &b->groups[i];
            int32_t link = links[site * b->group_count + i];
            if (link < 0) {
                continue;
            }
            g->is_linked = true;
            is_used[link] = is_used[link] || has_traffic(b, site);
            fill_routes(b, site, g, &b->links[link], routes);
        }
    }
    b->world->route_link = routes;
    warn_unused(b, is_used);
}
