/* ringlog/sleepers.h: who sleeps, and whether anyone has to be woken.
 *
 * Concept:   a flag and a futex word a direction. Who is about to sleep notes the futex word, sets the
 *            flag, looks once more, and sleeps on the noted value. Who has news looks at the flag
 *            behind a full barrier and takes it down; only then is a system call needed.
 * Guarantee: a sleeper that looked before the news was out is seen by whoever brought it, so no
 *            wake-up is lost. A busy pair never touches the flag.
 * Caveat:    a process killed between its news and its wake wakes nobody: every sleep is bounded.
 * Usage:
 *     sleeper: uint32_t seen = rl_sleep_announce(&h->sleepers, &h->sleepers_futex);
 *              if (still nothing) futex_wait(&h->sleepers_futex, seen, at most 100 ms);
 *     waker:   ...publish...; RL_FENCE_FULL();
 *              if (rl_sleepers_taken(&h->sleepers, &h->sleepers_futex)) futex_wake(all);
 */
#ifndef RINGLOG_SLEEPERS_H
#define RINGLOG_SLEEPERS_H

#include "atomics.h"

static inline uint32_t rl_sleep_announce(uint32_t *flag, uint32_t *futex) {
    uint32_t seen = RL_LOAD_ACQUIRE(futex); /* pairs with the add in rl_sleepers_taken */
    RL_POINT(sleep_noted);
    RL_STORE_RELAXED(flag, 1);
    RL_POINT(sleep_flagged);
    RL_FENCE_FULL(); /* pairs with the waker's full fence: it sees the flag, or we see its news */
    RL_POINT(sleep_announced);
    return seen;
}

/* 1 if somebody sleeps: the caller must wake all. Precondition: a full fence since the news. */
static inline int rl_sleepers_taken(uint32_t *flag, uint32_t *futex) {
    if (RL_LIKELY(RL_LOAD_RELAXED(flag) == 0) || RL_EXCHANGE(flag, 0) == 0)
        return 0;
    RL_POINT(wake_flag_taken);
    RL_FETCH_ADD(futex, 1); /* who noted the old value and is not asleep yet will not fall asleep */
    RL_POINT(wake_futex_moved);
    return 1;
}

#endif
