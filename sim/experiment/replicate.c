#include "experiment/replicate.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"

enum { PROGRESS_PERIOD_NS = 200000000, SECOND_NS = 1000000000 };

struct pool {
    const struct nf_replicate *request;
    struct nf_outcome *outcomes;
    unsigned jobs;
    pthread_mutex_t lock;   /* guards everything below */
    pthread_cond_t changed; /* a replication has ended */
    uint32_t next;          /* first replication that nobody has started */
    uint32_t taken;         /* replications whose `take` is done */
    unsigned running;       /* replications under way */
    bool is_stopped;        /* start no further replication */
    bool gave_up;           /* take no further one either */
    bool *is_done;          /* a replication */
    double *fraction;       /* done, a replication */
    struct timespec reported;
};

/* The sinks of a replication while somebody watches the progress: nf_sinks has one ctx for all three callbacks. */
struct watched {
    struct pool *pool;
    uint32_t replication;
    struct nf_sinks sinks;
};

static void pass_row(void *ctx, const struct nf_row *row)
{
    struct watched *w = ctx;
    w->sinks.row(w->sinks.ctx, row);
}

static void pass_point(void *ctx, const struct nf_series_point *point)
{
    struct watched *w = ctx;
    w->sinks.point(w->sinks.ctx, point);
}

/* Called with the lock held, which it gives up for the time of the callback. */
static void report_progress(struct pool *pool)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t passed = (int64_t)(now.tv_sec - pool->reported.tv_sec) * SECOND_NS +
                     (now.tv_nsec - pool->reported.tv_nsec);
    if (!pool->request->progress || passed < PROGRESS_PERIOD_NS) {
        return;
    }
    pool->reported = now;
    unsigned n = pool->request->spec->replications;
    double sum = 0.0;
    for (unsigned i = 0; i < n; i++) {
        sum += pool->fraction[i];
    }
    pthread_mutex_unlock(&pool->lock);
    pool->request->progress(pool->request->ctx, sum / (double)n);
    pthread_mutex_lock(&pool->lock);
}

static void note_progress(void *ctx, double fraction)
{
    struct watched *w = ctx;
    pthread_mutex_lock(&w->pool->lock);
    w->pool->fraction[w->replication] = fraction;
    if (w->pool->jobs == 1) {
        report_progress(w->pool);
    }
    pthread_mutex_unlock(&w->pool->lock);
}

static bool run_one(struct pool *pool, uint32_t i)
{
    const struct nf_replicate *r = pool->request;
    struct watched w = {.pool = pool, .replication = i};
    if (r->begin) {
        r->begin(r->ctx, i, pool->jobs == 1, &w.sinks);
    }
    if (r->progress) {
        struct nf_sinks sinks = {
            .row = w.sinks.row ? pass_row : NULL,
            .point = w.sinks.point ? pass_point : NULL,
            .progress = note_progress,
            .ctx = &w,
        };
        nf_world_run(r->spec, i, &sinks, &pool->outcomes[i]);
    } else {
        nf_world_run(r->spec, i, &w.sinks, &pool->outcomes[i]);
    }
    return !r->end || r->end(r->ctx, i);
}

/* Start and finish one replication. Called with the lock held; false when there is none left. */
static bool run_next(struct pool *pool)
{
    if (pool->is_stopped || pool->next == pool->request->spec->replications) {
        return false;
    }
    uint32_t i = pool->next++;
    pool->running++;
    pthread_mutex_unlock(&pool->lock);
    bool is_good = run_one(pool, i);
    pthread_mutex_lock(&pool->lock);
    pool->running--;
    pool->is_done[i] = true;
    pool->fraction[i] = 1.0;
    pool->is_stopped = pool->is_stopped || !is_good;
    pthread_cond_signal(&pool->changed);
    return true;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (run_next(pool)) {
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Take what is ready, in order. Called with the lock held. */
static void take_ready(struct pool *pool)
{
    const struct nf_replicate *r = pool->request;
    while (!pool->gave_up && pool->taken < r->spec->replications &&
           pool->is_done[pool->taken]) {
        uint32_t i = pool->taken++;
        pthread_mutex_unlock(&pool->lock);
        bool is_good = !r->take || r->take(r->ctx, i, &pool->outcomes[i]);
        pthread_mutex_lock(&pool->lock);
        pool->gave_up = !is_good;
        pool->is_stopped = pool->is_stopped || !is_good;
    }
}

/* The caller's thread: takes and reports until no replication runs any more. */
static void attend(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        take_ready(pool);
        report_progress(pool);
        bool all_started =
            pool->is_stopped || pool->next == pool->request->spec->replications;
        if (all_started && pool->running == 0) {
            break;
        }
        if (pool->taken < pool->request->spec->replications &&
            pool->is_done[pool->taken] && !pool->gave_up) {
            continue; /* it ended while the progress was shown */
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PROGRESS_PERIOD_NS;
        until.tv_sec += until.tv_nsec / SECOND_NS;
        until.tv_nsec %= SECOND_NS;
        pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
    }
    take_ready(pool);
    pthread_mutex_unlock(&pool->lock);
}

static void run_on_threads(struct pool *pool, struct nf_arena *arena)
{
    pthread_t *threads = NF_NEW_ARRAY(arena, pool->jobs, pthread_t);
    unsigned started = 0;
    while (started < pool->jobs &&
           pthread_create(&threads[started], NULL, work, pool) == 0) {
        started++;
    }
    if (started ==
        0) { /* the system gives no thread: do it here, the results are the same */
        work(pool);
    }
    attend(pool);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void run_here(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (run_next(pool)) {
        take_ready(pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

unsigned nf_replicate_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 1 ? (unsigned)n : 1;
}

bool nf_replicate_run(const struct nf_replicate *r, struct nf_outcome *outcomes)
{
    unsigned n = r->spec->replications;
    memset(outcomes, 0, n * sizeof *outcomes);
    struct nf_arena arena;
    nf_arena_init(&arena);
    struct pool pool = {
        .request = r,
        .outcomes = outcomes,
        .jobs = r->jobs ? r->jobs : nf_replicate_processors(),
        .is_done = NF_NEW_ARRAY(&arena, n, bool),
        .fraction = NF_NEW_ARRAY(&arena, n, double),
    };
    pool.jobs = pool.jobs < n ? pool.jobs : n;
    clock_gettime(CLOCK_MONOTONIC, &pool.reported);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pool.jobs <= 1) {
        run_here(&pool);
    } else {
        run_on_threads(&pool, &arena);
    }
    pthread_cond_destroy(&pool.changed);
    pthread_mutex_destroy(&pool.lock);
    nf_arena_fini(&arena);
    return !pool.is_stopped;
}
