/* wait.c: clocks, futexes, semaphores, and how long to spin before asking the kernel. */
#include "platform.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ringlog/sleepers.h"

#define MICROSECOND INT64_C(1000)
#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define LONGEST_SLEEP (100 * MILLISECOND) /* so a waker killed before its wake strands nobody */
#define WARM_SLEEP (5 * MILLISECOND) /* at first: whom little has displaced from the caches is sooner awake */
#define LONGEST_SPIN (50 * MICROSECOND)
#define SHORTEST_SPIN (1 * MICROSECOND)
#define SHORTEST_LULL 500
#define LONGEST_LULL (16 * MICROSECOND)
#define AT_ONCE 500 /* ns: news that was there already, or came while we looked for the first time */
#define SEM_INTERVAL (200 * MICROSECOND) /* where no wait for a token goes by the monotonic clock */
#define POLL_INTERVAL (1 * MILLISECOND) /* of a reader that may not announce that it sleeps */
#define MANY_NAPS 100
#define DOUBTS 4
#define SLEEPS_IN_DOUBT 1000
#define OFTEN 32    /* looks between two offers of the core: 2 us */
#define RARELY 512  /* where we may run on one core only, but the writer, perhaps, on another: 30 us */

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

int64_t rl_now(void) { return read_clock(CLOCK_REALTIME); }
int64_t rl_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }

static struct timespec spec(int64_t ns) {
    struct timespec t = {.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
    return t;
}

static void futex_wait(uint32_t *futex, uint32_t seen, int64_t limit) {
    struct timespec t = spec(limit);
    syscall(SYS_futex, futex, FUTEX_WAIT, seen, &t, NULL, 0);
}

void rl_wake_all(uint32_t *futex) { syscall(SYS_futex, futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

void rl_nap(int64_t ns) {
    struct timespec t = spec(ns);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* Spinning is only worth anything if whoever we wait for can run meanwhile: on the machine's cores, not only on
 * those that we may run on. Relaxed: every thread finds the same numbers, and nothing hangs on them. */
static int cores(void) {
    static int known;
    int count = RL_LOAD_RELAXED(&known);
    if (!count) {
        count = (int)sysconf(_SC_NPROCESSORS_ONLN);
        RL_STORE_RELAXED(&known, count > 1 ? count : 1);
    }
    return count;
}

static int own_cores(void) {
    static int known;
    int count = RL_LOAD_RELAXED(&known);
    if (!count) {
        cpu_set_t set;
        count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        RL_STORE_RELAXED(&known, count);
    }
    return count;
}

int rl_has_news(const rl_ring *ring, int64_t position) {
    const rl_header *h = ring->header;
    /* Acquire: each pairs with the release store of the word, in rl_pair_store, end() and unlink(). */
    int64_t head = RL_LOAD_ACQUIRE(&h->write_offset);
    /* At the end of a jump we wait for the head, as rl_reader_ahead does, and pair with what it pairs with. */
    if (head != position && (head > position || RL_LOAD_ACQUIRE(&h->jump) != position))
        return 1;
    return RL_LOAD_ACQUIRE(&h->ended) == position || RL_LOAD_ACQUIRE(&h->removed);
}

/* Look for news for `ns`; with `yielding`, every so many looks let somebody else have the core. */
static int spin_for(const rl_ring *ring, int64_t position, int64_t ns, int yielding) {
    int64_t until = rl_monotonic() + ns;
    int looks = 0;
    do {
        for (int k = 0; k < 32; k++) {
            if (rl_has_news(ring, position)) {
                /* They come from the writer's core: on their way while we get from here to reading them. */
                RL_PREFETCH_READ(rl_at(ring, position));
                RL_PREFETCH_READ(rl_at(ring, position) + 64);
                return 1;
            }
            RL_PAUSE();
        }
        looks += 32;
        if (yielding && looks >= yielding) {
            sched_yield();
            looks = 0;
        }
    } while (rl_monotonic() < until);
    return rl_has_news(ring, position);
}

/* Did less come behind `position` in `ns` than three events a microsecond? A guess, for a hint: all are taken to be
 * as large as the first, and that may be overwritten. */
static int few(const rl_ring *ring, int64_t position, int64_t ns) {
    rl_entry entry;
    rl_racing_copy(&entry, rl_at(ring, position), sizeof entry);
    uint64_t bytes = (uint64_t)RL_LOAD_RELAXED(&ring->header->write_offset) - (uint64_t)position;
    return bytes / (RL_ENTRY_SIZE + (uint64_t)entry.size) < ((uint64_t)ns * 3 + MICROSECOND - 1) / MICROSECOND;
}

/* A reader as fast as its writer stands at the head, and takes the head's cache line, and the next entry's, from
 * the writer for each single event: both get half as far. So if the writer was busy when we looked, we let it
 * get ahead for a moment the next time, and for longer each time that it used it. Few events, or one alone, only
 * waited for us: no such writer. */
static int spin_behind(const rl_ring *ring, int64_t position, int64_t ns, int64_t *lull) {
    int64_t start = rl_monotonic(), rest = *lull < ns ? *lull : ns;
    while (rl_monotonic() - start < rest)
        for (int k = 0; k < 4; k++)
            RL_PAUSE();
    int found = spin_for(ring, position, ns - rest, 0);
    if (!found || rl_monotonic() - start > rest + AT_ONCE || (rest && few(ring, position, rest)))
        *lull = 0;
    else
        *lull = *lull == 0 ? SHORTEST_LULL : *lull * 2 < LONGEST_LULL ? *lull * 2 : LONGEST_LULL;
    return found;
}

int rl_wait_awake(const rl_ring *ring, int64_t position, int64_t limit, int wait, rl_patience *patience) {
    int64_t *spin = &patience->spin;
    if (wait == RL_WAIT_SPIN)
        return spin_for(ring, position, limit < LONGEST_SPIN ? limit : LONGEST_SPIN, own_cores() < 2 ? RARELY : 0);
    if (wait != RL_WAIT_ADAPTIVE || cores() < 2)
        return 0;
    if (*spin == 0)
        *spin = LONGEST_SPIN / 4;
    int found = spin_behind(ring, position, *spin < limit ? *spin : limit, &patience->lull);
    if (found)
        patience->doubt = 0;
    else if (*spin > LONGEST_SPIN / 4 && patience->doubt < DOUBTS)
        patience->doubt++;
    *spin = found ? (*spin * 2 < LONGEST_SPIN ? *spin * 2 : LONGEST_SPIN)
                  : (*spin / 2 > SHORTEST_SPIN ? *spin / 2 : SHORTEST_SPIN);
    return found;
}

/* News came `slept` ns after we had fallen asleep. If that is less than we would spin at most, it is worth spinning
 * for so long; unless that was tried and nothing came, as where the writer needs our core to bring it. */
static void learn(rl_patience *patience, int64_t slept) {
    if (slept >= LONGEST_SPIN)
        return;
    if (patience->doubt < DOUBTS)
        patience->spin = slept * 2 < LONGEST_SPIN ? slept * 2 : LONGEST_SPIN;
    else if (++patience->doubt > DOUBTS + SLEEPS_IN_DOUBT)
        patience->doubt = 0;
}

/* About each millisecond, less often in a long silence: 1,000 wake-ups a second are 2 % of a core. */
static int poll_for(const rl_ring *ring, int64_t position, int64_t limit, rl_patience *patience) {
    int64_t interval = patience->naps < MANY_NAPS         ? POLL_INTERVAL
                       : patience->naps < 4 * MANY_NAPS ? 3 * POLL_INTERVAL
                                                        : 6 * POLL_INTERVAL;
    rl_nap(limit < interval ? limit : interval);
    int found = rl_has_news(ring, position);
    patience->naps = found ? 0 : patience->naps + 1;
    return found;
}

int rl_wait_head(const rl_ring *ring, int64_t position, int64_t limit, int wait, int announce, int first,
                 rl_patience *patience) {
    rl_header *h = ring->header;
    if (limit > LONGEST_SLEEP)
        limit = LONGEST_SLEEP;
    if (limit <= 0)
        return rl_has_news(ring, position);
    if (wait == RL_WAIT_SPIN)
        return spin_for(ring, position, limit, own_cores() < 2 ? RARELY : 0);
    if (wait == RL_WAIT_YIELD)
        return spin_for(ring, position, limit, OFTEN);
    for (int k = 0; k < 2 && first && wait == RL_WAIT_ADAPTIVE; k++) {
        sched_yield();
        if (rl_has_news(ring, position))
            return 1;
    }
    if (!announce)
        return poll_for(ring, position, limit, patience);
    int learns = wait == RL_WAIT_ADAPTIVE && first && cores() > 1;
    int64_t start = learns ? rl_monotonic() : 0;
    if (wait == RL_WAIT_ADAPTIVE && patience->naps < MANY_NAPS && limit > WARM_SLEEP)
        limit = WARM_SLEEP;
    uint32_t seen = rl_sleep_announce(&h->sleepers, &h->sleepers_futex);
    if (!rl_has_news(ring, position))
        futex_wait(&h->sleepers_futex, seen, limit);
    RL_POINT(sleep_woken);
    int found = rl_has_news(ring, position);
    patience->naps = found ? 0 : patience->naps + 1;
    if (learns && found)
        learn(patience, rl_monotonic() - start);
    return found;
}

void rl_wait_room(const rl_ring *ring, int slot, int64_t position, int64_t limit) {
    rl_header *h = ring->header;
    const int64_t *cursor = &rl_readers(h)[slot].cursor;
    uint32_t seen = rl_sleep_announce(&h->room_wanted, &h->room_futex);
    /* A reader looks at the flag without a fence, to keep its loop cheap: the short limit makes up. */
    RL_POINT(room_sleeps);
    if (RL_LOAD_RELAXED(cursor) < position)
        futex_wait(&h->room_futex, seen, limit);
    RL_POINT(room_woken);
}

#if defined(__GLIBC__) && !defined(RL_NO_SEM_CLOCKWAIT)
#if __GLIBC_PREREQ(2, 30) /* in a line of its own: musl has no such macro, not even to be skipped */
#define HAS_SEM_CLOCKWAIT 1
#endif
#endif

int rl_sem_wait(sem_t *sem, int64_t limit) {
    if (limit <= 0)
        return sem_trywait(sem) == 0;
#ifdef HAS_SEM_CLOCKWAIT
    struct timespec until = spec(rl_monotonic() + limit);
    return sem_clockwait(sem, CLOCK_MONOTONIC, &until) == 0;
#else
    /* sem_timedwait goes by the clock that people set: when it is set back by an hour, one slice takes an hour. */
    int64_t until = rl_monotonic() + limit, left;
    for (;;) {
        if (sem_trywait(sem) == 0)
            return 1;
        if ((left = until - rl_monotonic()) <= 0)
            return 0;
        rl_nap(left < SEM_INTERVAL ? left : SEM_INTERVAL);
    }
#endif
}

void rl_step_back(const rl_header *h) {
    int64_t until = rl_monotonic() + MILLISECOND;
    while (RL_LOAD_RELAXED(&h->owner) == 0 && rl_monotonic() < until)
        rl_nap(20 * MICROSECOND);
}
