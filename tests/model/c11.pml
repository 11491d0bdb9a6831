/* c11.pml: C11's ordered atomics for spin, which by itself only interleaves.
 *
 * Concept:   the "view machine" of the weak memory literature. A place keeps every value that it was given, oldest
 *            first. A thread has a view: for each place the oldest value that it may still see. A load takes any value
 *            that is not older than that, so one that looks away from the newest is a load that was done early, or a
 *            store that is still on its way. A release store sends its thread's view along with the value, an
 *            acquire load takes it over; fences do the same for the relaxed accesses around them.
 * Guarantee: whatever C11 allows to relaxed, acquire, release and read-modify-write operations and to the three
 *            fences is explored, but for the two things under Caveat. Arm and x86 allow no more.
 * Caveat:    a load never sees a store that comes later in time (load buffering), and stores to one place take
 *            effect in the order in which they were made. docs/memory-order.md says why neither matters here.
 * Usage:     #define THREADS, PLACES, HISTORY (values that a place can have, at most 10), then include this; load(),
 *            store(), exchange(), fence_acquire(), fence_release(), fence_full(), lock(), unlock().
 */
typedef View { byte at[PLACES] }
typedef Place { byte value[HISTORY]; View sent[HISTORY]; byte newest }
typedef Thread {
    View seen;    /* may see nothing older than this */
    View pending; /* came with relaxed loads; an acquire fence makes it count */
    View fenced;  /* as it was at the last release fence: goes with relaxed stores */
}

Place memory[PLACES];
Thread thread[THREADS];
View total; /* of all full fences, which have one order */
byte k_;

#define RELAXED 0
#define ORDERED 1 /* acquire for a load, release for a store */

#define max_into(to, from)                                                                         \
    if                                                                                             \
    :: from > to -> to = from                                                                      \
    :: else                                                                                        \
    fi
#define join(to, from)                                                                             \
    k_ = 0;                                                                                        \
    do                                                                                             \
    :: k_ < PLACES -> max_into(to.at[k_], from.at[k_]); k_++                                       \
    :: else -> break                                                                               \
    od;                                                                                            \
    k_ = 0
#define copy(to, from)                                                                             \
    k_ = 0;                                                                                        \
    do                                                                                             \
    :: k_ < PLACES -> to.at[k_] = from.at[k_]; k_++                                                \
    :: else -> break                                                                               \
    od;                                                                                            \
    k_ = 0

#define latest(p) memory[p].value[memory[p].newest]
#define stamp_(t, p) thread[t].seen.at[p]

/* The value that is `back` places newer than the oldest that may be seen. */
#define take_(t, p, into, order, ahead)                                                            \
    d_step {                                                                                       \
        stamp_(t, p) + ahead <= memory[p].newest ->                                                \
        stamp_(t, p) = stamp_(t, p) + ahead;                                                       \
        into = memory[p].value[stamp_(t, p)];                                                      \
        join(thread[t].pending, memory[p].sent[stamp_(t, p)]);                                     \
        if                                                                                         \
        :: order == ORDERED -> join(thread[t].seen, memory[p].sent[stamp_(t, p)])                  \
        :: else                                                                                    \
        fi                                                                                         \
    }
#define load(t, p, into, order)                                                                    \
    if                                                                                             \
    :: take_(t, p, into, order, 0)                                                                 \
    :: take_(t, p, into, order, 1)                                                                 \
    :: take_(t, p, into, order, 2)                                                                 \
    :: take_(t, p, into, order, 3)                                                                 \
    :: take_(t, p, into, order, 4)                                                                 \
    :: take_(t, p, into, order, 5)                                                                 \
    :: take_(t, p, into, order, 6)                                                                 \
    :: take_(t, p, into, order, 7)                                                                 \
    :: take_(t, p, into, order, 8)                                                                 \
    :: take_(t, p, into, order, 9)                                                                 \
    fi

#define put_(t, p, what)                                                                           \
    assert(memory[p].newest + 1 < HISTORY);                                                        \
    memory[p].value[memory[p].newest + 1] = what;                                                  \
    memory[p].newest++;                                                                            \
    stamp_(t, p) = memory[p].newest
#define store(t, p, what, order)                                                                   \
    d_step {                                                                                       \
        put_(t, p, what);                                                                          \
        if                                                                                         \
        :: order == ORDERED -> copy(memory[p].sent[memory[p].newest], thread[t].seen)              \
        :: else -> copy(memory[p].sent[memory[p].newest], thread[t].fenced)                        \
        fi;                                                                                        \
        memory[p].sent[memory[p].newest].at[p] = memory[p].newest                                  \
    }
/* Read-modify-write: the newest value, acquire and release. */
#define exchange(t, p, into, what)                                                                 \
    d_step {                                                                                       \
        join(thread[t].seen, memory[p].sent[memory[p].newest]);                                    \
        join(thread[t].pending, thread[t].seen);                                                   \
        into = latest(p);                                                                          \
        put_(t, p, what);                                                                          \
        copy(memory[p].sent[memory[p].newest], thread[t].seen)                                     \
    }

#define fence_acquire(t) d_step { join(thread[t].seen, thread[t].pending) }
#define fence_release(t) d_step { copy(thread[t].fenced, thread[t].seen) }
#define fence_full(t)                                                                              \
    d_step {                                                                                       \
        join(thread[t].seen, thread[t].pending);                                                   \
        join(thread[t].seen, total);                                                               \
        copy(total, thread[t].seen);                                                               \
        copy(thread[t].fenced, thread[t].seen)                                                     \
    }

/* The lock as far as memory is concerned: the next holder sees what the last one did. */
View handed_on;
bool held;
#define lock(t)                                                                                    \
    d_step {                                                                                       \
        !held -> held = true;                                                                      \
        join(thread[t].seen, handed_on);                                                           \
        join(thread[t].pending, handed_on)                                                         \
    }
#define unlock(t)                                                                                  \
    d_step {                                                                                       \
        held = false;                                                                              \
        join(handed_on, thread[t].seen)                                                            \
    }
