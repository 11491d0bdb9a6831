/* broken_atomics.h: atomics.h without one of its orders, to see that ThreadSanitizer notices. Include it first. */
#include "ringlog/atomics.h"

#if defined(BREAK_RELEASE)
#undef RL_STORE_RELEASE
#define RL_STORE_RELEASE(p, v) RL_STORE_RELAXED(p, v)
#elif defined(BREAK_ACQUIRE)
#undef RL_LOAD_ACQUIRE
#define RL_LOAD_ACQUIRE(p) RL_LOAD_RELAXED(p)
#elif defined(BREAK_SWAP)
#undef RL_SWAP
#define RL_SWAP(p, expected, desired)                                                              \
    __extension__({                                                                                \
        __typeof__(*(p)) rl_seen_ = (expected);                                                    \
        __atomic_compare_exchange_n((p), &rl_seen_, (desired), 0, __ATOMIC_RELAXED,                \
                                    __ATOMIC_RELAXED);                                             \
    })
#endif
