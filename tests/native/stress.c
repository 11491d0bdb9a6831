/* stress.c: the headers alone, all at once: writers that contend and die, readers of every kind, joiners, sleepers.
 *
 * Three writers share a small ring. One dies now and then, somewhere between taking the lock and letting it go, or
 * just behind a recovery; the thread goes on as a new one, and whoever comes next takes over. Lossy readers, event by event and
 * by columns, account for each event as read or lost. Lossless ones see every event; one joins and leaves all the time.
 * Who finds nothing sleeps until woken: a wake-up that does not come within SLEEP ends the test.
 *
 * The semaphore is a counter without any order here, so that nothing but the owner word orders the writers. "Killed"
 * is a flag with release and acquire, in place of the kernel's own order between a death and who learns of it.
 *
 * Usage: stress [EVENTS [all | lossless | lossy]]
 * lossless: no lossy readers, so that no byte is ever raced for (see atomics.h); lossy: nobody holds the writers back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "broken_atomics.h"

#include "ringlog/columns.h"
#include "support.h"

enum { WRITERS = 3, LOSSY = 2, LOSSLESS = 2, DEATH_IN = 97, BATCH = 4, SLEEP = 20 /* seconds */, ROOM_SLEEP = 1 /* ms */ };

static rl_ring ring;
static int64_t events;
static int finished;            /* the last event is out */
static int attached;            /* lossless readers that have joined */
static int token = 1;           /* the semaphore */
static uint64_t lives[WRITERS]; /* each writer's epoch; an older one is dead */
static int64_t deaths, takeovers, sleeps, joins;

static uint32_t any(uint64_t *state) { /* a random number, by xorshift */
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

static int futex(uint32_t *word, int operation, uint32_t value, const struct timespec *limit) {
    return syscall(SYS_futex, word, operation, value, limit, NULL, 0) == 0 ? 0 : errno;
}

static void wake(uint32_t *flag, uint32_t *word) {
    if (rl_sleepers_taken(flag, word))
        futex(word, FUTEX_WAKE, INT32_MAX, NULL);
}

/* ---- writers ---- */

static void take_token(void) {
    for (int tries = 0; tries < 20; tries++) {
        int seen = RL_LOAD_RELAXED(&token);
        if (seen > 0 && __atomic_compare_exchange_n(&token, &seen, seen - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
        sched_yield();
    } /* as after 50 ms: try the word without one */
}

static void let_go(void) {
    rl_owner_release(ring.header);
    __atomic_fetch_add(&token, 1, __ATOMIC_RELAXED);
    RL_FENCE_FULL(); /* pairs with the one in rl_sleep_announce */
    wake(&ring.header->sleepers, &ring.header->sleepers_futex);
}

static void lock(uint64_t me) {
    rl_header *h = ring.header;
    for (;; sched_yield()) {
        take_token();
        if (rl_owner_take(h, me)) {
            rl_room_withdraw(&ring);
            return;
        }
        uint64_t seen = RL_LOAD_ACQUIRE(&h->owner);
        if (!seen || rl_owner_epoch(seen) == RL_LOAD_ACQUIRE(&lives[rl_owner_slot(seen)])) {
            rl_owner_contend(h, seen);
            continue;
        }
        if (rl_owner_replace(h, seen, me)) {
            CHECK(rl_recover(&ring) == RL_OK);
            RL_FETCH_ADD(&h->sleepers_futex, 1); /* the dead may have published and not woken */
            futex(&h->sleepers_futex, FUTEX_WAKE, INT32_MAX, NULL);
            __atomic_fetch_add(&takeovers, 1, __ATOMIC_RELAXED);
            return;
        }
    }
}

/* Wait until a lossless reader has gone on. The lock is let go meanwhile. */
static void wait_for_room(int slot, int64_t position, uint64_t me) {
    rl_header *h = ring.header;
    struct timespec limit = {.tv_nsec = ROOM_SLEEP * 1000000};
    let_go();
    uint32_t seen = rl_sleep_announce(&h->room_wanted, &h->room_futex);
    if (RL_LOAD_RELAXED(&rl_readers(h)[slot].cursor) < position)
        futex(&h->room_futex, FUTEX_WAIT, seen, &limit);
    lock(me);
}

/* With the lock: room for `bytes`. */
static void make_room(rl_append *a, int64_t bytes, uint64_t me) {
    rl_place want;
    for (rl_append_begin(&ring, a); rl_room_short(&ring, a, bytes); rl_append_begin(&ring, a)) {
        CHECK(rl_room_find(&ring, a, bytes, &want) == RL_OK);
        rl_room_announce(&ring, want);
        int slot = rl_room_blocker(&ring, want.position);
        if (slot < 0)
            rl_room_take(&ring, want);
        else
            wait_for_room(slot, want.position, me);
    }
}

/* Append up to BATCH events. 0: killed on the way, the lock held; 1: let go of. -1: there is nothing left to write. */
static int append(uint64_t me, uint64_t *chance) {
    uint8_t bytes[LARGEST];
    rl_append a;
    int doomed = any(chance) % DEATH_IN == 0, step = (int)(any(chance) % (PUBLISH_STEPS + 3));
    lock(me);
    if (doomed && step == 0)
        return 0;
    make_room(&a, (int64_t)BATCH * (RL_ENTRY_SIZE + LARGEST), me);
    CHECK(a.sequence == RL_LOAD_RELAXED(&ring.header->event_count));
    if (a.sequence >= events) {
        RL_STORE_RELEASE(&finished, 1); /* pairs with the acquire of the readers */
        RL_FETCH_ADD(&ring.header->sleepers_futex, 1);
        futex(&ring.header->sleepers_futex, FUTEX_WAKE, INT32_MAX, NULL);
        let_go();
        return -1;
    }
    if (doomed && step == 1)
        return 0;
    for (uint32_t k = any(chance) % BATCH + 1; k > 0 && a.sequence < events; k--) {
        uint32_t size = payload(a.sequence, bytes);
        rl_append_put(&ring, &a, a.sequence + 1, bytes, size, copy_and_sum);
    }
    if (doomed)
        return killed_publish(&ring, &a, step - 2), 0;
    rl_append_publish(&ring, &a);
    let_go();
    return 1;
}

static void *write_events(void *argument) {
    uint64_t slot = (uint64_t)(uintptr_t)argument, epoch = 1, chance = slot * 7919 + 1;
    for (int result; (result = append(rl_owner_word(slot, epoch), &chance)) >= 0;)
        if (result == 0) {
            RL_STORE_RELEASE(&lives[slot], ++epoch); /* dead, for whoever acquires it in lock() */
            __atomic_fetch_add(&deaths, 1, __ATOMIC_RELAXED);
        }
    return NULL;
}

/* ---- readers ---- */

/* Nothing was found at `position`: sleep until woken. */
static void sleep_for_news(int64_t position) {
    rl_header *h = ring.header;
    struct timespec limit = {.tv_sec = SLEEP};
    uint32_t seen = rl_sleep_announce(&h->sleepers, &h->sleepers_futex);
    if (RL_LOAD_ACQUIRE(&h->write_offset) != position || RL_LOAD_ACQUIRE(&finished))
        return;
    __atomic_fetch_add(&sleeps, 1, __ATOMIC_RELAXED);
    CHECK(futex(&h->sleepers_futex, FUTEX_WAIT, seen, &limit) != ETIMEDOUT);
}

static void *read_lossily(void *argument) {
    int by_columns = (int)(uintptr_t)argument % 2;
    rl_reader r = {RL_FIRST_POSITION, 0, 0};
    uint8_t data[16 * LARGEST];
    int64_t timestamps[16], read = 0, lost = 0;
    uint32_t sizes[16];
    while (r.sequence < events) {
        rl_entry entry;
        const uint8_t *from;
        rl_columns c = {.data = data, .timestamps = timestamps, .sizes = sizes};
        rl_status status = rl_reader_next(&ring, &r, &entry, &from);
        int64_t first = r.sequence;
        if (status == RL_EMPTY) {
            sleep_for_news(r.position);
            continue;
        }
        if (status == RL_OK && by_columns) {
            rl_columns_plan(&ring, &r, &entry, 0, 16, sizeof data, 0, &c);
            c.data_max = c.data_max < (int64_t)sizeof data ? c.data_max : (int64_t)sizeof data;
            status = rl_columns_take(&ring, &r, &c, copy_and_sum);
            const uint8_t *at = data;
            for (int64_t k = 0; k < c.count; at += sizes[k++])
                check_event(first + k, timestamps[k], at, sizes[k]);
            read += c.count;
            if (status == RL_CORRUPT && c.count < c.count_max)
                status = RL_OK; /* the plan did not hold: the place is looked at again */
        } else if (status == RL_OK && entry.size < LARGEST) {
            uint32_t sum = copy_and_sum(data, from, entry.size);
            status = rl_reader_check(&ring, &r);
            if (status == RL_OK) {
                CHECK(sum == entry.checksum);
                check_event(r.sequence, entry.timestamp, data, entry.size);
                rl_reader_advance(&r, &entry);
                read++;
            }
        }
        if (status != RL_OK) {
            rl_place tail;
            CHECK(status == RL_OVERRUN && rl_tail(&ring, &tail) && tail.sequence > r.sequence);
            lost += tail.sequence - r.sequence;
            rl_reader_place(&r, tail);
        }
    }
    CHECK(read + lost == events);
    printf("lossy%s: %lld read, %lld lost\n", by_columns ? ", by columns" : "", (long long)read, (long long)lost);
    return NULL;
}

/* Join in this slot, read up to `most` events, and leave. The sequence behind the last one. */
static int64_t read_losslessly(uint32_t slot_index, uint64_t epoch, int64_t most) {
    rl_header *h = ring.header;
    rl_reader_slot *slot = &rl_readers(h)[slot_index];
    uint8_t data[LARGEST];
    rl_place place;
    rl_reader r;
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_CLAIMED));
    CHECK(rl_tail(&ring, &place) && rl_cursor_join(&ring, slot, slot_index, &place));
    RL_FETCH_ADD(&attached, 1);
    CHECK(place.sequence == 0 || most < events);
    rl_reader_place(&r, place);
    while (most > 0 && r.sequence < events) {
        rl_entry entry;
        const uint8_t *from;
        rl_status status = rl_reader_next(&ring, &r, &entry, &from);
        if (status == RL_EMPTY) {
            sleep_for_news(r.position);
            continue;
        }
        CHECK(status == RL_OK && entry.size < LARGEST);
        CHECK(copy_and_sum(data, from, entry.size) == entry.checksum && rl_reader_check(&ring, &r) == RL_OK);
        check_event(r.sequence, entry.timestamp, data, entry.size);
        rl_reader_advance(&r, &entry);
        rl_cursor_store(slot, (rl_place){r.position, r.sequence});
        if (RL_LOAD_RELAXED(&h->room_wanted) && r.position >= RL_LOAD_RELAXED(&h->gate_offset))
            wake(&h->room_wanted, &h->room_futex);
        most--;
    }
    CHECK(RL_SWAP(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE), RL_SLOT_STATE(epoch, RL_SLOT_FREE)));
    RL_FENCE_FULL_AFTER_RMW(); /* pairs with the one in rl_sleep_announce, of a writer without room */
    wake(&h->room_wanted, &h->room_futex);
    return r.sequence;
}

static void *read_all(void *argument) {
    CHECK(read_losslessly((uint32_t)(uintptr_t)argument, 1, events) == events);
    return NULL;
}

static void *come_and_go(void *argument) {
    uint64_t epoch = 0, chance = 12345;
    while (!RL_LOAD_ACQUIRE(&finished)) {
        read_losslessly((uint32_t)(uintptr_t)argument, ++epoch, any(&chance) % 200);
        sched_yield();
    }
    joins = (int64_t)epoch;
    return NULL;
}

static pthread_t started[WRITERS + LOSSY + LOSSLESS + 1];
static int count;

static void start(void *(*function)(void *), uintptr_t argument) {
    CHECK(pthread_create(&started[count++], NULL, function, (void *)argument) == 0);
}

int main(int argc, char **argv) {
    const char *who = argc > 2 ? argv[2] : "all";
    events = argc > 1 ? atoll(argv[1]) : 300000;
    ring = make_ring(RL_MIN_CAPACITY);
    for (int k = 0; k < WRITERS; k++)
        lives[k] = 1;
    for (uintptr_t k = 0; strcmp(who, "lossless") != 0 && k < LOSSY; k++)
        start(read_lossily, k);
    if (strcmp(who, "lossy") != 0) {
        for (uintptr_t k = 0; k < LOSSLESS; k++)
            start(read_all, k);
        while (RL_LOAD_ACQUIRE(&attached) < LOSSLESS) /* before the first event: they miss nothing */
            sched_yield();
        start(come_and_go, LOSSLESS);
    }
    for (uintptr_t k = 0; k < WRITERS; k++)
        start(write_events, k);
    while (count > 0)
        pthread_join(started[--count], NULL);
    CHECK(deaths == takeovers || deaths == takeovers + 1); /* the last one may be found by nobody */
    printf("%lld events; %lld deaths, %lld taken over; %lld sleeps, %lld joins\n", (long long)events,
           (long long)deaths, (long long)takeovers, (long long)sleeps, (long long)joins);
    return 0;
}
