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

typedef struct rl_turn {
    unsigned long holder; /* thread ident; 0: free */
    int waiters;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
} rl_turn;

typedef enum rl_turn_result { RL_TURN_TAKEN, RL_TURN_TIMEOUT, RL_TURN_REENTERED, RL_TURN_RAISED } rl_turn_result;

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

static inline rl_turn_result rl_turn_wait(rl_turn *t, unsigned long me, int64_t deadline) {
    if (t->holder == me)
        return RL_TURN_REENTERED;
    while (t->holder) {
        int64_t now = rl_monotonic(), until = now + 50000000;
        if (now >= deadline)
            return RL_TURN_TIMEOUT;
        if (until > deadline)
            until = deadline;
        struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
        t->waiters++;
        Py_BEGIN_ALLOW_THREADS
        pthread_mutex_lock(&t->mutex);
        pthread_cond_timedwait(&t->freed, &t->mutex, &at); /* a lost signal costs 50 ms */
        pthread_mutex_unlock(&t->mutex);
        Py_END_ALLOW_THREADS
        t->waiters--;
        if (PyErr_CheckSignals() < 0)
            return RL_TURN_RAISED;
    }
    t->holder = me;
    return RL_TURN_TAKEN;
}

/* Enter, or wait until `deadline` (monotonic ns) for whoever is in. */
static inline rl_turn_result rl_turn_enter(rl_turn *t, int64_t deadline) {
    unsigned long me = PyThread_get_thread_ident();
    if (RL_UNLIKELY(t->holder != 0))
        return rl_turn_wait(t, me, deadline);
    t->holder = me;
    return RL_TURN_TAKEN;
}

static inline void rl_turn_leave(rl_turn *t) {
    t->holder = 0;
    if (RL_UNLIKELY(t->waiters)) {
        pthread_mutex_lock(&t->mutex);
        pthread_cond_signal(&t->freed);
        pthread_mutex_unlock(&t->mutex);
    }
}

#endif
