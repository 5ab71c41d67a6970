/*
 * The radix heap behind the run: a key is (time, order), 128 bits cut into digits. `floor` is a key that no waiting event comes
 * before. An event waits in the bucket [level][digit], where level is the highest digit in which its key differs from the
 * floor's, and digit is its own digit there. So every bucket of a lower level comes before every bucket of a higher one, and the
 * buckets of one level are in order. When the run is empty, the first bucket becomes the run if it fits; else its
 * events spread over the buckets of the highest digit in which they differ. The idea: Ahuja, Mehlhorn, Orlin and Tarjan (1990),
 * Faster algorithms for the shortest path problem, J. ACM 37(2); here with wide digits and with a sorted run as last level.
 *
 * Equal times differ in `order`, whose digits are the lower levels, so ties are spread like all else.
 */
#include "engine/queue.h"

#include <string.h>

#include "base/arena.h"

enum {
    DIGIT_BITS = 4,
    DIGITS = 1 << DIGIT_BITS,
    WORD_LEVELS = 64 / DIGIT_BITS,
    LEVELS = 2 * WORD_LEVELS, /* order below, time above */
    CHUNK = 31,               /* events that become a run at once */
    FIRST_SLAB = 16,          /* chunks; every further slab doubles their number */
};
_Static_assert(CHUNK <= NF_QUEUE_RUN / 2, "a new run leaves room for pushes");

struct chunk {
    struct chunk *next;
    struct nf_event event[CHUNK];
};

/* A list of chunks, all full but the first, which has `fill` events. */
struct bucket {
    struct chunk *first;
    uint64_t fill;
};

struct slab {
    struct slab *next;
    struct chunk chunk[];
};

struct nf_queue_far {
    uint64_t floor_time, floor_order;
    uint64_t count;
    uint64_t levels;         /* bit l: level l has an event */
    uint64_t digits[LEVELS]; /* bit d: bucket [l][d] has one */
    struct bucket bucket[LEVELS][DIGITS];
    struct chunk *unused;
    struct slab *slabs;
    size_t chunk_count;
};

static const int64_t NO_LIMIT = -1; /* as unsigned above every time */

void nf_queue_init(struct nf_queue *q)
{
    *q = (struct nf_queue){.limit = {.time = NO_LIMIT}};
}

void nf_queue_fini(struct nf_queue *q)
{
    if (q->far != NULL) {
        for (struct slab *s = q->far->slabs, *next; s != NULL; s = next) {
            next = s->next;
            nf_mem_free(s);
        }
        nf_mem_free(q->far);
    }
    nf_queue_init(q);
}

uint64_t nf_queue_count(const struct nf_queue *q)
{
    return q->tail - q->head + (q->far == NULL ? 0 : q->far->count);
}

static void add_slab(struct nf_queue_far *f)
{
    size_t n = f->chunk_count == 0 ? FIRST_SLAB : f->chunk_count;
    struct slab *s = nf_mem_resize(NULL, 1, sizeof *s + n * sizeof *s->chunk);
    s->next = f->slabs;
    f->slabs = s;
    f->chunk_count += n;
    for (size_t i = n; i-- > 0;) {
        s->chunk[i].next = f->unused;
        f->unused = &s->chunk[i];
    }
}

static inline void append(struct nf_queue_far *f, struct bucket *b,
                          const struct nf_event *e)
{
    if (b->first == NULL || b->fill == CHUNK) {
        if (NF_UNLIKELY(f->unused == NULL)) {
            add_slab(f);
        }
        struct chunk *c = f->unused;
        f->unused = c->next;
        c->next = b->first;
        b->first = c;
        b->fill = 0;
    }
    b->first->event[b->fill++] = *e;
}

static inline unsigned top_level(uint64_t difference)
{
    return (63u - (unsigned)__builtin_clzll(difference | 1)) / DIGIT_BITS;
}

static inline void insert(struct nf_queue_far *f, const struct nf_event *e)
{
    uint64_t word = (uint64_t)e->time, difference = word ^ f->floor_time;
    unsigned level, first = WORD_LEVELS;
    if (difference == 0) {
        word = e->order;
        difference = word ^ f->floor_order;
        first = 0;
    }
    level = top_level(difference);
    unsigned digit = (unsigned)(word >> (level * DIGIT_BITS)) & (DIGITS - 1);
    level += first;
    append(f, &f->bucket[level][digit], e);
    f->digits[level] |= UINT64_C(1) << digit;
    f->levels |= UINT64_C(1) << level;
}

void nf_queue_push_far(struct nf_queue *q, const struct nf_event *e)
{
    q->far->count++;
    insert(q->far, e);
}

static void set_limit(struct nf_queue *q, uint64_t time, uint64_t order)
{
    q->limit.time = (int64_t)time;
    q->limit.order = order;
}

static void release(struct nf_queue_far *f, struct chunk *c)
{
    c->next = f->unused;
    f->unused = c;
}

/* Sorted copy of at most CHUNK events at the end of the run. Every pair is compared once and without a branch, which for so few
 * events is faster than a sort that mispredicts. */
static void append_to_run(struct nf_queue *q, const struct nf_event *e, unsigned n)
{
    unsigned rank[CHUNK];
    for (unsigned j = 0; j < n; j++) {
        unsigned smaller = j;
        for (unsigned i = 0; i < j; i++) {
            unsigned is_before = nf_queue_is_before(e[j].time, e[j].order, &e[i]);
            rank[i] += is_before;
            smaller -= is_before;
        }
        rank[j] = smaller;
    }
    for (unsigned i = 0; i < n; i++) {
        q->run[q->tail + rank[i]] = e[i];
    }
    q->tail += n;
}

/* Take the first bucket out; *level and *digit say which one it was. */
static struct bucket take_first(struct nf_queue_far *f, unsigned *level, unsigned *digit)
{
    unsigned l = (unsigned)__builtin_ctzll(f->levels);
    unsigned d = (unsigned)__builtin_ctzll(f->digits[l]);
    f->digits[l] &= f->digits[l] - 1;
    if (f->digits[l] == 0) {
        f->levels &= f->levels - 1;
    }
    struct bucket b = f->bucket[l][d];
    f->bucket[l][d] = (struct bucket){0};
    *level = l;
    *digit = d;
    return b;
}

/* Spread a bucket of more than one chunk over the buckets of the highest level at which its events differ. All levels up to
 * that one are empty. */
static void spread(struct nf_queue_far *f, struct bucket b)
{
    uint64_t time = (uint64_t)b.first->event[0].time, order = b.first->event[0].order;
    uint64_t time_difference = 0, order_difference = 0;
    uint64_t fill = b.fill;
    for (const struct chunk *c = b.first; c != NULL; c = c->next) {
        for (uint64_t i = 0; i < fill; i++) {
            time_difference |= (uint64_t)c->event[i].time ^ time;
            order_difference |= c->event[i].order ^ order;
        }
        fill = CHUNK;
    }
    bool by_time = time_difference != 0;
    unsigned level = top_level(by_time ? time_difference : order_difference);
    unsigned shift = level * DIGIT_BITS;
    level += by_time ? WORD_LEVELS : 0;
    uint64_t digits = 0;
    fill = b.fill;
    for (struct chunk *c = b.first, *next; c != NULL; c = next) {
        next = c->next;
        for (uint64_t i = 0; i < fill; i++) {
            uint64_t word = by_time ? (uint64_t)c->event[i].time : c->event[i].order;
            unsigned digit = (unsigned)(word >> shift) & (DIGITS - 1);
            append(f, &f->bucket[level][digit], &c->event[i]);
            digits |= UINT64_C(1) << digit;
        }
        release(f, c);
        fill = CHUNK;
    }
    f->digits[level] = digits;
    f->levels |= UINT64_C(1) << level;
}

/* Move the floor to the first key of bucket [level][digit], where `e` is, and the limit to the first key after it. */
static void move_floor(struct nf_queue *q, const struct nf_event *e, unsigned level)
{
    struct nf_queue_far *f = q->far;
    bool by_time = level >= WORD_LEVELS;
    unsigned shift = (level - (by_time ? WORD_LEVELS : 0)) * DIGIT_BITS;
    uint64_t mask = (UINT64_C(1) << shift) - 1;
    if (by_time) {
        f->floor_time = (uint64_t)e->time & ~mask;
        f->floor_order = 0;
        uint64_t end = f->floor_time + mask + 1;
        set_limit(q, end, 0);
    } else {
        f->floor_time = (uint64_t)e->time;
        f->floor_order = e->order & ~mask;
        uint64_t end = f->floor_order + mask + 1;
        set_limit(q, f->floor_time + (end == 0), end);
    }
}

static void insert_again(struct nf_queue_far *f, struct bucket b)
{
    uint64_t fill = b.fill;
    for (struct chunk *c = b.first, *next; c != NULL; c = next) {
        next = c->next;
        for (uint64_t i = 0; i < fill; i++) {
            insert(f, &c->event[i]);
        }
        release(f, c);
        fill = CHUNK;
    }
}

/* An event before the floor is to wait outside the run. On every level below the highest digit in which the two differ, all
 * waiting events now belong to one bucket of that level. */
static void lower_floor(struct nf_queue_far *f, uint64_t time, uint64_t order)
{
    unsigned top = time != f->floor_time ? WORD_LEVELS + top_level(time ^ f->floor_time)
                                         : top_level(order ^ f->floor_order);
    f->floor_time = time;
    f->floor_order = order;
    while (f->levels != 0 && (unsigned)__builtin_ctzll(f->levels) < top) {
        unsigned level, digit;
        insert_again(f, take_first(f, &level, &digit));
    }
}

/* The floor is before every waiting event, so it may rise to the limit; it has to sink when the run's later half, which is now to
 * wait, begins before it. */
void nf_queue_make_room(struct nf_queue *q)
{
    uint32_t n = q->tail - q->head;
    memmove(q->run, q->run + q->head, n * sizeof *q->run);
    q->head = 0;
    q->tail = n;
    if (n <= NF_QUEUE_RUN / 2) {
        return;
    }
    if (q->far == NULL) {
        q->far = nf_mem_resize(NULL, 1, sizeof *q->far);
        memset(q->far, 0, sizeof *q->far);
    }
    struct nf_queue_far *f = q->far;
    q->tail = n / 2;
    q->limit = q->run[q->tail];
    uint64_t time = (uint64_t)q->limit.time, order = q->limit.order;
    if (time < f->floor_time || (time == f->floor_time && order < f->floor_order)) {
        lower_floor(f, time, order);
    } else {
        f->floor_time = time;
        f->floor_order = order;
    }
    for (uint32_t i = q->tail; i < n; i++) {
        nf_queue_push_far(q, &q->run[i]);
    }
}

bool nf_queue_refill(struct nf_queue *q)
{
    struct nf_queue_far *f = q->far;
    q->head = q->tail = 0;
    if (f == NULL || f->count == 0) {
        return false;
    }
    unsigned level, digit;
    if (f->count <= CHUNK) {
        while (f->levels != 0) {
            struct bucket b = take_first(f, &level, &digit);
            append_to_run(q, b.first->event, (unsigned)b.fill);
            release(f, b.first);
        }
        f->count = 0;
        q->limit.time = NO_LIMIT;
        return true;
    }
    struct bucket b = take_first(f, &level, &digit);
    while (b.first->next != NULL) {
        spread(f, b);
        b = take_first(f, &level, &digit);
    }
    move_floor(q, &b.first->event[0], level);
    append_to_run(q, b.first->event, (unsigned)b.fill);
    f->count -= b.fill;
    release(f, b.first);
    return true;
}
