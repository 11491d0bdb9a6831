/* turn.h: several threads, one object, one at a time.
 *
 * Concept:   a method that lets go of the GIL in its middle must not be entered by a second thread
 *            meanwhile. `holder` is read and written under the GIL, so taking a free turn costs a
 *            comparison; only who finds it taken sleeps on the condition variable.
 * Caveat:    a signal handler runs in the thread that it interrupts: it would wait for itself, and
 *            is told so instead.
 */
#ifndef RINGLOG_TURN_H
#define RINGLOG_TURN_H

#include <pthread.h>
#include <time.h>

#include "core.h"

#define RL_TURN_RESERVED ((unsigned long)-1) /* for whoever waits: a newcomer has to wait too */

typedef struct rl_turn {
    unsigned long holder; /* thread ident; 0: free */
    int waiters;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
} rl_turn;

typedef enum rl_turn_result { RL_TURN_TAKEN, RL_TURN_TIMEOUT, RL_TURN_REENTERED, RL_TURN_RAISED } rl_turn_result;

/* This thread. Never 0. */
static inline unsigned long rl_turn_me(void) { return (unsigned long)pthread_self(); }

static inline void rl_turn_init(rl_turn *t) {
    pthread_condattr_t monotonic;
    t->holder = 0;
    t->waiters = 0;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->freed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static RL_COLD rl_turn_result rl_turn_wait(rl_turn *t, unsigned long me, int64_t deadline) {
    if (t->holder == me)
        return RL_TURN_REENTERED;
    rl_turn_result result = RL_TURN_TAKEN;
    while (t->holder && result == RL_TURN_TAKEN) {
        int64_t now = rl_monotonic(), until = now + 50000000;
        if (now >= deadline) {
            result = RL_TURN_TIMEOUT;
            break;
        }
        if (until > deadline)
            until = deadline;
        struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
        t->waiters++;
        /* Locked before the GIL is let go, so that a signal can't fall between; and never held while
         * waiting for the GIL. */
        pthread_mutex_lock(&t->mutex);
        Py_BEGIN_ALLOW_THREADS
        pthread_cond_timedwait(&t->freed, &t->mutex, &at);
        pthread_mutex_unlock(&t->mutex);
        Py_END_ALLOW_THREADS
        t->waiters--;
        if (t->holder == RL_TURN_RESERVED)
            t->holder = 0; /* for us, or for the next who looks */
        if (PyErr_CheckSignals() < 0)
            result = RL_TURN_RAISED;
    }
    if (result == RL_TURN_TAKEN)
        t->holder = me;
    return result;
}

/* Enter if nobody is in. */
static inline int rl_turn_enter_free(rl_turn *t) {
    if (RL_UNLIKELY(t->holder != 0))
        return 0;
    t->holder = rl_turn_me();
    return 1;
}

/* Enter, or wait until `deadline` (monotonic ns) for whoever is in. */
static inline rl_turn_result rl_turn_enter(rl_turn *t, int64_t deadline) {
    return RL_LIKELY(rl_turn_enter_free(t)) ? RL_TURN_TAKEN : rl_turn_wait(t, rl_turn_me(), deadline);
}

/* Hand over: who holds the GIL in a loop would otherwise take every turn itself. */
static inline void rl_turn_leave(rl_turn *t) {
    t->holder = 0;
    if (RL_UNLIKELY(t->waiters)) {
        t->holder = RL_TURN_RESERVED;
        pthread_mutex_lock(&t->mutex);
        pthread_cond_signal(&t->freed);
        pthread_mutex_unlock(&t->mutex);
    }
}

#endif
