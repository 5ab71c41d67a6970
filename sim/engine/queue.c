#include "engine/queue.h"

#include "base/arena.h"

enum { ARITY = 4, FIRST_CAP = 64 };

static bool is_before(const struct nf_event *a, const struct nf_event *b)
{
    return a->time < b->time || (a->time == b->time && a->order < b->order);
}

void nf_queue_init(struct nf_queue *q)
{
    *q = (struct nf_queue){0};
}

void nf_queue_fini(struct nf_queue *q)
{
    nf_mem_free(q->heap);
    *q = (struct nf_queue){0};
}

void nf_queue_push(struct nf_queue *q, nf_time time, unsigned priority, uint32_t kind,
                   uint32_t target, uint64_t arg)
{
    NF_ASSERT(time >= q->last && priority < 256);
    if (q->count == q->cap) {
        q->cap = q->cap == 0 ? FIRST_CAP : 2 * q->cap;
        q->heap = nf_mem_resize(q->heap, q->cap, sizeof *q->heap);
    }
    struct nf_event e = {time, (uint64_t)priority << 56 | q->sequence++, kind, target,
                         arg};
    uint64_t hole = q->count++;
    while (hole > 0 && is_before(&e, &q->heap[(hole - 1) / ARITY])) {
        q->heap[hole] = q->heap[(hole - 1) / ARITY];
        hole = (hole - 1) / ARITY;
    }
    q->heap[hole] = e;
}

bool nf_queue_pop(struct nf_queue *q, struct nf_event *out)
{
    if (q->count == 0) {
        return false;
    }
    *out = q->heap[0];
    q->last = out->time;
    const struct nf_event moved = q->heap[--q->count];
    uint64_t hole = 0;
    for (uint64_t child = 1; child < q->count; child = ARITY * hole + 1) {
        uint64_t end = child + ARITY < q->count ? child + ARITY : q->count;
        uint64_t least = child;
        for (uint64_t i = child + 1; i < end; i++) {
            least = is_before(&q->heap[i], &q->heap[least]) ? i : least;
        }
        if (!is_before(&q->heap[least], &moved)) {
            break;
        }
        q->heap[hole] = q->heap[least];
        hole = least;
    }
    q->heap[hole] = moved;
    return true;
}

nf_time nf_queue_next_time(const struct nf_queue *q)
{
    return q->count == 0 ? NF_TIME_NEVER : q->heap[0].time;
}
