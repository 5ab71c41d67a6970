#include "model/batcher.h"

#include "base/arena.h"
#include "base/status.h"

/* An item; free ones are chained through `next`. */
struct nf_batcher_entry {
    struct nf_batch_item item;
    nf_time entered;
    nf_time deadline; /* 0: none (delayed items have none) */
    uint32_t level;
    uint32_t prev, next;
    uint32_t sooner, later; /* expiry list */
    bool is_delayed;
};

struct list {
    uint32_t head, tail;
};

/* Levels are made when first used and kept, linked in rising order. */
struct nf_batcher_level {
    uint64_t number;
    struct nf_batch_policy policy;
    struct list queued, delayed;
    uint32_t count;
    uint32_t next;
};

/* ---- lists ---- */

static void append(struct nf_batcher *b, struct list *q, uint32_t ix)
{
    struct nf_batcher_entry *e = &b->entries[ix];
    e->prev = q->tail;
    e->next = NF_BATCHER_NONE;
    if (q->tail == NF_BATCHER_NONE) {
        q->head = ix;
    } else {
        b->entries[q->tail].next = ix;
    }
    q->tail = ix;
}

static void unlink_entry(struct nf_batcher *b, struct list *q, uint32_t ix)
{
    const struct nf_batcher_entry *e = &b->entries[ix];
    if (e->prev == NF_BATCHER_NONE) {
        q->head = e->next;
    } else {
        b->entries[e->prev].next = e->next;
    }
    if (e->next == NF_BATCHER_NONE) {
        q->tail = e->prev;
    } else {
        b->entries[e->next].prev = e->prev;
    }
}

static struct list *list_of(struct nf_batcher *b, const struct nf_batcher_entry *e)
{
    struct nf_batcher_level *level = &b->levels[e->level];
    return e->is_delayed ? &level->delayed : &level->queued;
}

/* Soonest first; limits mostly end in the order in which they began, so the walk from the back is short. */
static void expiry_insert(struct nf_batcher *b, uint32_t ix)
{
    struct nf_batcher_entry *e = &b->entries[ix];
    uint32_t at = b->expiry_tail;
    while (at != NF_BATCHER_NONE && b->entries[at].deadline > e->deadline) {
        at = b->entries[at].sooner;
    }
    e->sooner = at;
    e->later = at == NF_BATCHER_NONE ? b->expiry_head : b->entries[at].later;
    if (at == NF_BATCHER_NONE) {
        b->expiry_head = ix;
    } else {
        b->entries[at].later = ix;
    }
    if (e->later == NF_BATCHER_NONE) {
        b->expiry_tail = ix;
    } else {
        b->entries[e->later].sooner = ix;
    }
}

static void expiry_remove(struct nf_batcher *b, uint32_t ix)
{
    const struct nf_batcher_entry *e = &b->entries[ix];
    if (e->sooner == NF_BATCHER_NONE) {
        b->expiry_head = e->later;
    } else {
        b->entries[e->sooner].later = e->later;
    }
    if (e->later == NF_BATCHER_NONE) {
        b->expiry_tail = e->sooner;
    } else {
        b->entries[e->later].sooner = e->sooner;
    }
}

static bool expires(const struct nf_batcher *b, const struct nf_batcher_entry *e)
{
    return e->deadline > 0 && b->levels[e->level].policy.action == NF_BATCH_REJECT;
}

/* ---- levels and entries ---- */

static struct nf_batch_policy policy_of(const struct nf_batcher_spec *spec,
                                        uint64_t level)
{
    for (size_t i = 0; i < spec->level_policy_count; i++) {
        if (spec->level_policy[i].level == level) {
            return spec->level_policy[i].policy;
        }
    }
    return spec->policy;
}

static uint32_t level_of(struct nf_batcher *b, uint64_t priority)
{
    const struct nf_batcher_spec *spec = b->spec;
    uint64_t number = 0;
    if (spec->levels > 0) {
        number =
            priority == 0 || priority > spec->levels ? spec->default_level : priority;
    }
    uint32_t before = NF_BATCHER_NONE;
    uint32_t at = b->first_level;
    while (at != NF_BATCHER_NONE && b->levels[at].number < number) {
        before = at;
        at = b->levels[at].next;
    }
    if (at != NF_BATCHER_NONE && b->levels[at].number == number) {
        return at;
    }
    uint32_t made = b->level_count++;
    b->levels = nf_mem_resize(b->levels, b->level_count, sizeof(*b->levels));
    b->levels[made] =
        (struct nf_batcher_level){.number = number,
                                  .policy = policy_of(spec, number),
                                  .queued = {NF_BATCHER_NONE, NF_BATCHER_NONE},
                                  .delayed = {NF_BATCHER_NONE, NF_BATCHER_NONE},
                                  .next = at};
    if (before == NF_BATCHER_NONE) {
        b->first_level = made;
    } else {
        b->levels[before].next = made;
    }
    return made;
}

static uint32_t entry_new(struct nf_batcher *b)
{
    if (b->free_entry == NF_BATCHER_NONE) {
        uint32_t old = b->entry_count;
        b->entry_count = old ? 2 * old : 16;
        b->entries = nf_mem_resize(b->entries, b->entry_count, sizeof(*b->entries));
        for (uint32_t i = old; i < b->entry_count; i++) {
            b->entries[i].next = i + 1 < b->entry_count ? i + 1 : NF_BATCHER_NONE;
        }
        b->free_entry = old;
    }
    uint32_t ix = b->free_entry;
    b->free_entry = b->entries[ix].next;
    return ix;
}

void nf_batcher_init(struct nf_batcher *b, const struct nf_batcher_spec *spec)
{
    NF_ASSERT(spec->max_batch >= 1);
    *b = (struct nf_batcher){.spec = spec,
                             .free_entry = NF_BATCHER_NONE,
                             .first_level = NF_BATCHER_NONE,
                             .expiry_head = NF_BATCHER_NONE,
                             .expiry_tail = NF_BATCHER_NONE};
    for (size_t i = 0; i < spec->preferred_count; i++) {
        if (spec->preferred[i] > b->max_preferred) {
            b->max_preferred = spec->preferred[i];
        }
    }
    if (spec->preferred_count == 0) {
        b->max_preferred = spec->max_batch;
    }
}

void nf_batcher_fini(struct nf_batcher *b)
{
    nf_mem_free(b->entries);
    nf_mem_free(b->levels);
}

/* ---- in and out ---- */

uint32_t nf_batcher_put(struct nf_batcher *b, nf_time now,
                        const struct nf_batch_item *item)
{
    NF_ASSERT(item->size >= 1);
    uint32_t level = level_of(b, item->priority);
    const struct nf_batch_policy *policy = &b->levels[level].policy;
    if (policy->max_queue > 0 && b->levels[level].count >= policy->max_queue) {
        return NF_BATCHER_NONE;
    }
    nf_time timeout = policy->timeout;
    if (policy->allow_override && item->timeout > 0 && item->timeout < timeout) {
        timeout = item->timeout;
    }
    uint32_t ix = entry_new(b);
    b->entries[ix] =
        (struct nf_batcher_entry){.item = *item,
                                  .entered = now,
                                  .deadline = timeout > 0 ? now + timeout : 0,
                                  .level = level};
    append(b, &b->levels[level].queued, ix);
    if (expires(b, &b->entries[ix])) {
        expiry_insert(b, ix);
    }
    b->levels[level].count++;
    b->count++;
    return ix;
}

void nf_batcher_remove(struct nf_batcher *b, uint32_t handle)
{
    struct nf_batcher_entry *e = &b->entries[handle];
    unlink_entry(b, list_of(b, e), handle);
    if (expires(b, e)) {
        expiry_remove(b, handle);
    }
    b->levels[e->level].count--;
    b->count--;
    e->next = b->free_entry;
    b->free_entry = handle;
}

nf_time nf_batcher_expiry(const struct nf_batcher *b)
{
    return b->expiry_head == NF_BATCHER_NONE ? NF_TIME_NEVER
                                             : b->entries[b->expiry_head].deadline;
}

uint32_t nf_batcher_expire(struct nf_batcher *b, nf_time now)
{
    if (nf_batcher_expiry(b) > now) {
        return NF_BATCHER_NONE;
    }
    uint32_t handle = b->expiry_head;
    uint32_t id = b->entries[handle].item.id;
    nf_batcher_remove(b, handle);
    return id;
}

/* The first level that has items; NULL when none has. */
static const struct nf_batcher_level *front_level(const struct nf_batcher *b)
{
    uint32_t at = b->first_level;
    while (at != NF_BATCHER_NONE && b->levels[at].count == 0) {
        at = b->levels[at].next;
    }
    return at == NF_BATCHER_NONE ? NULL : &b->levels[at];
}

uint64_t nf_batcher_level(const struct nf_batcher *b)
{
    const struct nf_batcher_level *level = front_level(b);
    return level != NULL ? level->number : 0;
}

uint32_t nf_batcher_take(struct nf_batcher *b)
{
    const struct nf_batcher_level *level = front_level(b);
    NF_ASSERT(level != NULL);
    uint32_t handle =
        level->queued.head != NF_BATCHER_NONE ? level->queued.head : level->delayed.head;
    uint32_t id = b->entries[handle].item.id;
    nf_batcher_remove(b, handle);
    return id;
}

/* ---- the next batch ---- */

/* Where the search stands: the item that may join next. */
struct cursor {
    uint32_t level, entry;
};

/* A batch that is being put together, from the front of the order. */
struct pending {
    uint32_t count, size;
    uint32_t best_count, best_size; /* the preferred one found so far; 0: none */
    uint64_t shape;
    nf_time oldest, closest; /* arrival; time limit */
    bool is_closed;          /* the next item cannot join */
};

/* Queued items whose time is over go behind the others of their level, when the search comes to them. */
static void skip_late(struct nf_batcher *b, struct cursor *c, nf_time now)
{
    struct nf_batcher_level *level = &b->levels[c->level];
    while (c->entry != NF_BATCHER_NONE) {
        struct nf_batcher_entry *e = &b->entries[c->entry];
        if (e->is_delayed || e->deadline == 0 || e->deadline > now) {
            return;
        }
        uint32_t late = c->entry;
        c->entry = e->next;
        unlink_entry(b, &level->queued, late);
        e->is_delayed = true;
        e->deadline = 0;
        append(b, &level->delayed, late);
    }
}

/* From the end of a list to the next one that has items. */
static void find_next(struct nf_batcher *b, struct cursor *c, bool was_delayed,
                      nf_time now)
{
    skip_late(b, c, now);
    while (c->entry == NF_BATCHER_NONE) {
        if (!was_delayed) {
            c->entry = b->levels[c->level].delayed.head;
            was_delayed = true;
            continue;
        }
        c->level = b->levels[c->level].next;
        if (c->level == NF_BATCHER_NONE) {
            return;
        }
        c->entry = b->levels[c->level].queued.head;
        was_delayed = false;
        skip_late(b, c, now);
    }
}

static bool is_preferred(const struct nf_batcher_spec *spec, uint32_t size)
{
    for (size_t i = 0; i < spec->preferred_count; i++) {
        if (spec->preferred[i] == size) {
            return true;
        }
    }
    return spec->preferred_count == 0 && size == spec->max_batch;
}

static void keep_best(struct pending *p)
{
    p->best_count = p->count;
    p->best_size = p->size;
}

/* False when the item cannot join. */
static bool join(const struct nf_batcher *b, struct pending *p,
                 const struct nf_batcher_entry *e)
{
    const struct nf_batcher_spec *spec = b->spec;
    if (p->count > 0) {
        uint32_t size = p->size + e->item.size;
        if (size > b->max_preferred && p->best_size == 0) {
            keep_best(p);
        }
        if (size > spec->max_batch || (spec->equal_shapes && e->item.shape != p->shape)) {
            p->is_closed = true;
            return false;
        }
    }
    p->shape = p->count == 0 ? e->item.shape : p->shape;
    p->count++;
    p->size += e->item.size;
    if (e->entered < p->oldest) {
        p->oldest = e->entered;
    }
    if (e->deadline > 0 && e->deadline < p->closest) {
        p->closest = e->deadline;
    }
    if (is_preferred(spec, p->size)) {
        keep_best(p);
    }
    return true;
}

static nf_time sooner(nf_time a, nf_time b)
{
    return a < b ? a : b;
}

struct nf_batch_choice nf_batcher_next(struct nf_batcher *b, nf_time now)
{
    const struct nf_batcher_spec *spec = b->spec;
    nf_time expiry = nf_batcher_expiry(b);
    if (b->count == 0) {
        return (struct nf_batch_choice){0, 0, expiry};
    }
    struct pending p = {.oldest = NF_TIME_NEVER, .closest = NF_TIME_NEVER};
    struct cursor c = {b->first_level, b->levels[b->first_level].queued.head};
    find_next(b, &c, false, now);
    while (c.entry != NF_BATCHER_NONE) {
        const struct nf_batcher_entry *e = &b->entries[c.entry];
        if (!join(b, &p, e)) {
            break;
        }
        bool was_delayed = e->is_delayed;
        c.entry = e->next;
        find_next(b, &c, was_delayed, now);
    }
    nf_time due = spec->delay == NF_TIME_NEVER ? NF_TIME_NEVER : p.oldest + spec->delay;
    bool is_over = spec->delay > 0 && due <= now;
    if (p.best_size > 0 && !is_over) {
        return (struct nf_batch_choice){p.best_count, p.best_size, expiry};
    }
    if (p.is_closed || p.size >= b->max_preferred || is_over || spec->delay == 0) {
        return (struct nf_batch_choice){p.count, p.size, expiry};
    }
    return (struct nf_batch_choice){0, 0, sooner(expiry, sooner(due, p.closest))};
}
