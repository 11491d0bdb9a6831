/* ringlog/atomics.h: the few atomic operations that the protocol is written in.
 *
 * Concept:   thin names over the compiler's C11 memory model built-ins, on plain integers, so that one
 *            struct serves C and C++ and can be laid over memory that another program wrote.
 * Guarantee: each is lock-free on every platform that ringlog supports (asserted below); a lock inside
 *            an atomic would live in one process and protect nothing between two.
 * Caveat:    an ordering means nothing alone. Every ordered use in these headers names its partner.
 * Usage:     int64_t head = RL_LOAD_ACQUIRE(&header->write_offset);
 */
#ifndef RINGLOG_ATOMICS_H
#define RINGLOG_ATOMICS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define RL_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RL_THREAD_SANITIZER 1
#endif
#endif

#include "points.h"

#if !defined(__GNUC__)
#error "ringlog needs gcc or clang"
#endif
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ringlog's format is little-endian, and this machine is not"
#endif
#if __GCC_ATOMIC_LLONG_LOCK_FREE != 2 || __GCC_ATOMIC_INT_LOCK_FREE != 2
#error "ringlog needs lock-free 32 and 64 bit atomics"
#endif

#define RL_LOAD_RELAXED(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define RL_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define RL_STORE_RELAXED(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define RL_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define RL_EXCHANGE(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define RL_FETCH_OR(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define RL_FETCH_AND(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define RL_FETCH_ADD(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)

/* Compare-and-swap: 1 if *p was `expected` and is now `desired`. Acquire and release when it succeeds; who
 * needs what comes after it to be ordered behind its store adds RL_FENCE_FULL_AFTER_RMW. */
#define RL_SWAP(p, expected, desired)                                                              \
    __extension__({                                                                                \
        __typeof__(*(p)) rl_seen_ = (expected);                                                    \
        __atomic_compare_exchange_n((p), &rl_seen_, (desired), 0, __ATOMIC_SEQ_CST,                \
                                    __ATOMIC_RELAXED);                                             \
    })

#if !defined(RL_THREAD_SANITIZER)
#define RL_FENCE_ACQUIRE() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define RL_FENCE_RELEASE() __atomic_thread_fence(__ATOMIC_RELEASE)
#define RL_FENCE_FULL() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#else /* it knows no fences: real ones that it does not see, so what it finds in order is so by acquire and release */
#if defined(__x86_64__)
#define RL_FENCE_FULL() __asm__ __volatile__("mfence" ::: "memory")
#else
#define RL_FENCE_FULL() __asm__ __volatile__("dmb ish" ::: "memory")
#endif
#define RL_FENCE_ACQUIRE() RL_FENCE_FULL()
#define RL_FENCE_RELEASE() RL_FENCE_FULL()
#endif

/* A full fence right behind an atomic read-modify-write. On x86 that instruction was one already. */
#if defined(__x86_64__)
#define RL_FENCE_FULL_AFTER_RMW() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#else
#define RL_FENCE_FULL_AFTER_RMW() RL_FENCE_FULL()
#endif

/* Copy bytes of the ring that another process may be writing. Whoever loads them believes them only once the tail was
 * checked behind the copy, as in every seqlock; C11 would have each access be atomic, and gets ordinary loads here,
 * with fences around them. ThreadSanitizer calls such a copy the race that it is. For it the copy is one of relaxed
 * atomics, which it does not report; with RL_PLAIN_COPIES it stays plain, and in a ring without lossy readers, where
 * acquire and release alone keep readers and writers apart, there is still nothing to report. */
#if defined(RL_THREAD_SANITIZER) && !defined(RL_PLAIN_COPIES)
static inline void rl_racing_copy(void *dst, const void *src, size_t size) {
    uint8_t *to = (uint8_t *)dst;
    const uint8_t *from = (const uint8_t *)src;
    for (; size; size--)
        RL_STORE_RELAXED(to++, RL_LOAD_RELAXED(from++));
}
#else
static inline void rl_racing_copy(void *dst, const void *src, size_t size) { memcpy(dst, src, size); }
#endif

/* Tell the core that we spin: it saves power and leaves the loop without a pipeline flush. */
#if defined(__x86_64__)
#define RL_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RL_PAUSE() __asm__ __volatile__("isb" ::: "memory")
#else
#define RL_PAUSE() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#endif

/* Ask for a cache line that we are about to write, as ours alone: a plain prefetch would bring it shared,
 * and it would have to be asked for again. Never faults. RL_PREFETCH_FAR only brings it into the second level:
 * for lines that are needed later, since those on their way to the first level can be few. */
#if defined(__x86_64__)
#define RL_PREFETCH_WRITE(p) __asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)(p)))
#define RL_PREFETCH_FAR(p) __asm__ __volatile__("prefetcht1 %0" : : "m"(*(const char *)(p)))
#else
#define RL_PREFETCH_WRITE(p) __builtin_prefetch((p), 1, 3)
#define RL_PREFETCH_FAR(p) __builtin_prefetch((p), 1, 2)
#endif

/* A line that somebody else has just written, and that we are about to read. */
#define RL_PREFETCH_READ(p) __builtin_prefetch((p), 0, 3)

/* A value that was just loaded from shared memory, in a local variable: from here on it is that variable's. Without
 * this a compiler may load it again where it is used, and find another value than the one that was checked. */
#define RL_LOADED(value) __asm__("" : "+r"(value))

#define RL_LIKELY(x) __builtin_expect(!!(x), 1)
#define RL_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Kept out of line, so that the rare way out of a hot function costs it no registers to save. */
#define RL_COLD __attribute__((cold, noinline))

#ifdef __cplusplus
#define RL_STATIC_ASSERT(cond, message) static_assert(cond, message)
#else
#define RL_STATIC_ASSERT(cond, message) _Static_assert(cond, message)
#endif

#endif
