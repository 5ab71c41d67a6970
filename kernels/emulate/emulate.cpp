#include "emulate/emulate.h"

#include <deque>
#include <ucontext.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define NF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NF_ASAN 1
#endif
#endif
#ifdef NF_ASAN
extern "C" void __sanitizer_start_switch_fiber(void **, const void *, size_t);
extern "C" void __sanitizer_finish_switch_fiber(void *, const void **, size_t *);
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace nf_emu
{
namespace
{

constexpr size_t stack_bytes = 256 * 1024;

struct group_queue {
    std::vector<std::function<void()>> open;
    std::deque<std::vector<std::function<void()>>> committed;
};

struct fiber {
    ucontext_t context;
    std::vector<char> stack;
    dim3 index;
    bool done;
    unsigned warp_epoch;
    group_queue queues[2];
    void *fake_stack;
};

struct warp {
    unsigned epoch;
    int arrived, lanes;
    const void *place; /* of the program, where the first lane to arrive stands */
    unsigned char slots[2][32 * slot_bytes];
};

struct barrier {
    unsigned epoch;
    int arrived;
};

struct machine {
    std::vector<fiber> fibers;
    std::vector<warp> warps;
    barrier barriers[16];
    ucontext_t scheduler;
    void *scheduler_fake_stack;
    const void *scheduler_bottom;
    size_t scheduler_size;
    int current;
    bool progress;
    unsigned char *shared;
    const std::function<void()> *body;
};

machine m;

void switch_to_fiber(int i)
{
    fiber &f = m.fibers[(size_t)i];
    m.current = i;
    threadIdx = f.index;
#ifdef NF_ASAN
    __sanitizer_start_switch_fiber(&m.scheduler_fake_stack, f.stack.data(),
                                   f.stack.size());
#endif
    swapcontext(&m.scheduler, &f.context);
#ifdef NF_ASAN
    __sanitizer_finish_switch_fiber(m.scheduler_fake_stack, nullptr, nullptr);
#endif
}

void switch_to_scheduler(bool last)
{
    fiber &f = m.fibers[(size_t)m.current];
#ifdef NF_ASAN
    __sanitizer_start_switch_fiber(last ? nullptr : &f.fake_stack, m.scheduler_bottom,
                                   m.scheduler_size);
#endif
    swapcontext(&f.context, &m.scheduler);
#ifdef NF_ASAN
    __sanitizer_finish_switch_fiber(f.fake_stack, nullptr, nullptr);
#endif
    (void)last;
}

void fiber_main()
{
#ifdef NF_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &m.scheduler_bottom, &m.scheduler_size);
#endif
    (*m.body)();
    fiber &f = m.fibers[(size_t)m.current];
    for (group_queue &q : f.queues) {
        for (const auto &g : q.committed) {
            for (const auto &work : g) {
                work();
            }
        }
        q.committed.clear();
        q.open.clear();
    }
    f.done = true;
    m.progress = true;
    switch_to_scheduler(true);
}

void start_fiber(int i, dim3 block)
{
    fiber &f = m.fibers[(size_t)i];
    f.done = false;
    f.fake_stack = nullptr;
    f.warp_epoch = 0;
    unsigned u = (unsigned)i;
    f.index = dim3(u % block.x, u / block.x % block.y, u / block.x / block.y);
    if (f.stack.empty()) {
        f.stack.resize(stack_bytes);
    }
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.data();
    f.context.uc_stack.ss_size = f.stack.size();
    f.context.uc_link = nullptr;
    makecontext(&f.context, fiber_main, 0);
}

void run_block(const std::vector<int> &turns)
{
    size_t left = turns.size();
    while (left > 0) {
        m.progress = false;
        for (int i : turns) {
            if (!m.fibers[(size_t)i].done) {
                switch_to_fiber(i);
                left -= m.fibers[(size_t)i].done ? 1 : 0;
            }
        }
        if (!m.progress && left > 0) {
            fault("deadlock: every thread of the block waits");
        }
    }
}

std::vector<int> turns_of(int threads)
{
    std::vector<int> turns((size_t)threads);
    for (int i = 0; i < threads; i++) {
        turns[(size_t)i] = settings().threads == order::descending ? threads - 1 - i : i;
    }
    if (settings().threads == order::shuffled) {
        for (int i = threads - 1; i > 0; i--) {
            size_t j = (size_t)(nf_mix(settings().seed, (uint64_t)i) % (uint64_t)(i + 1));
            std::swap(turns[(size_t)i], turns[j]);
        }
    }
    return turns;
}

} // namespace

dials &settings()
{
    static dials d = {order::ascending, true, 1};
    return d;
}

void fault(const char *what)
{
    std::fprintf(stderr, "emulated kernel: %s (block %u,%u,%u thread %u,%u,%u)\n", what,
                 blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y,
                 threadIdx.z);
    std::abort();
}

void launch(dim3 grid, dim3 block, size_t smem_bytes, const std::function<void()> &body)
{
    int threads = (int)(block.x * block.y * block.z);
    if (threads < 1 || threads > 1024 || grid.y > 65535 || grid.z > 65535 ||
        grid.x == 0 || grid.y == 0 || grid.z == 0) {
        fault("launch outside the limits of a GPU");
    }
    if (threads % 32 != 0) {
        fault("blocks here are whole warps");
    }
    gridDim = grid;
    blockDim = block;
    m.body = &body;
    if (m.fibers.size() < (size_t)threads) {
        m.fibers.resize((size_t)threads);
    }
    std::vector<int> turns = turns_of(threads);
    for (unsigned z = 0; z < grid.z; z++) {
        for (unsigned y = 0; y < grid.y; y++) {
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = dim3(x, y, z);
                m.warps.assign((size_t)(threads / 32), warp{0, 0, 32, nullptr, {}});
                std::memset(m.barriers, 0, sizeof m.barriers);
                /* Exactly the size asked for, so that AddressSanitizer sees one byte too far. */
                void *memory = nullptr;
                if (smem_bytes > 0 && posix_memalign(&memory, 1024, smem_bytes) != 0) {
                    fault("no memory");
                }
                if (memory) {
                    std::memset(memory, 0xff, smem_bytes);
                }
                m.shared = static_cast<unsigned char *>(memory);
                for (int i = 0; i < threads; i++) {
                    start_fiber(i, block);
                }
                run_block(turns);
                std::free(memory);
            }
        }
    }
}

unsigned char *dynamic_shared()
{
    return m.shared;
}

int thread_index()
{
    return m.current;
}

void yield(bool progress)
{
    m.progress |= progress;
    switch_to_scheduler(false);
}

void block_barrier(int id, int count)
{
    barrier &b = m.barriers[id];
    unsigned epoch = b.epoch;
    m.progress = true;
    if (++b.arrived == count) {
        b.arrived = 0;
        b.epoch++;
        return;
    }
    while (m.barriers[id].epoch == epoch) {
        yield(false);
    }
}

unsigned char *collect(const void *data, size_t bytes,
                       const std::function<void(unsigned char *)> &work)
{
    if (bytes > slot_bytes) {
        fault("too much data for one warp exchange");
    }
    size_t w = (size_t)m.current / 32;
    fiber &self = m.fibers[(size_t)m.current];
    /* Two sets of slots in turn: a lane can be at most one exchange ahead of the slowest. */
    unsigned epoch = self.warp_epoch++;
    unsigned char *slots = m.warps[w].slots[epoch & 1];
    std::memcpy(slots + (m.current % 32) * slot_bytes, data, bytes);
    m.progress = true;
    const void *place = __builtin_return_address(0);
    if (m.warps[w].arrived == 0) {
        m.warps[w].place = place;
    } else if (m.warps[w].place != place) {
        fault("the lanes of a warp exchange values at different places of the program");
    }
    if (++m.warps[w].arrived == 32) {
        if (work) {
            work(slots);
        }
        m.warps[w].arrived = 0;
        m.warps[w].epoch++;
        return slots;
    }
    while (m.warps[w].epoch == epoch) {
        yield(false);
    }
    return slots;
}

void defer(queue q, std::function<void()> work)
{
    if (!settings().late) {
        work();
        return;
    }
    m.fibers[(size_t)m.current].queues[q].open.push_back(std::move(work));
}

void commit(queue q)
{
    group_queue &g = m.fibers[(size_t)m.current].queues[q];
    g.committed.push_back(std::move(g.open));
    g.open.clear();
}

void wait(queue q, int groups_left)
{
    group_queue *g = &m.fibers[(size_t)m.current].queues[q];
    while ((int)g->committed.size() > groups_left) {
        std::vector<std::function<void()>> group = std::move(g->committed.front());
        g->committed.pop_front();
        for (const auto &work : group) {
            work(); /* may yield: a product exchanges registers within the warp */
        }
    }
}

} // namespace nf_emu
