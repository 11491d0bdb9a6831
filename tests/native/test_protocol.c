/* test_protocol.c: the headers alone, without Python: planted kills, then threads.
 *
 * Part one runs a publication up to each of its steps, stops there as a killed writer would, recovers,
 * and looks at what readers find. Part two lets one thread write a small ring as fast as it can while
 * others read it lossily: each event believed must be whole and in its place, each gap exact. One more
 * verifies it meanwhile, and finds nothing wrong. Then the same with a writer that jumps again and again.
 * Under qemu-user this shows that the code is right for aarch64, not that its memory order is.
 *
 * Usage: test_protocol [EVENTS]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "ringlog/walk.h"

#include "support.h"

static void put(const rl_ring *ring, rl_append *a) {
    uint8_t bytes[LARGEST];
    uint32_t size = payload(a->sequence, bytes);
    rl_append_begin(ring, a);
    if (rl_room_short(ring, a, RL_ENTRY_SIZE + size)) {
        rl_place want;
        CHECK(rl_room_find(ring, a, RL_ENTRY_SIZE + size, &want) == RL_OK);
        CHECK(want.position <= a->position + RL_ENTRY_SIZE + size - ring->capacity + ring->stride);
        rl_room_announce(ring, want);
        CHECK(rl_room_blocker(ring, want.position) < 0);
        rl_room_take(ring, want);
    }
    rl_append_put(ring, a, a->sequence + 1, bytes, size, copy_and_sum);
}

static void append(const rl_ring *ring) {
    rl_append a;
    rl_append_begin(ring, &a);
    put(ring, &a);
    rl_append_publish(ring, &a);
}

/* Leave `gap` events out, as a copy does that has missed them. */
static void jump(const rl_ring *ring, int64_t gap) {
    rl_append a;
    CHECK(rl_append_begin(ring, &a) == RL_OK);
    rl_place here = {a.position, a.sequence}, place;
    rl_room_announce(ring, here);
    CHECK(rl_room_blocker(ring, here.position) < 0);
    rl_room_take(ring, here);
    CHECK(rl_jump_place(ring, here, a.sequence + gap, &place));
    rl_jump(ring, &a, place);
}

/* Read on to the head; the number of events, each checked, every gap exact. */
static int64_t drain(const rl_ring *ring, rl_reader *r, int64_t *lost) {
    uint8_t copy[LARGEST];
    for (int64_t count = 0;;) {
        rl_entry entry;
        const uint8_t *data;
        rl_status status = rl_reader_next(ring, r, &entry, &data);
        if (status == RL_EMPTY)
            return count;
        CHECK(status == RL_OK || status == RL_OVERRUN);
        if (status == RL_OK && entry.size <= sizeof copy) {
            uint32_t sum = copy_and_sum(copy, data, entry.size);
            status = rl_reader_check(ring, r);
            if (status == RL_OK) {
                CHECK(sum == entry.checksum);
                check_event(r->sequence, entry.timestamp, copy, entry.size);
                rl_reader_advance(r, &entry);
                count++;
                continue;
            }
        }
        CHECK(status == RL_OVERRUN);
        rl_place tail;
        CHECK(rl_tail(ring, &tail) && tail.sequence > r->sequence);
        *lost += tail.sequence - r->sequence;
        rl_reader_place(r, tail);
    }
}

/* Verify the window, while it may move: nothing is ever wrong, and what was not seen was overtaken. */
static int64_t verify(const rl_ring *ring) {
    rl_place tail, head;
    do { /* of one moment */
        CHECK(rl_ends(ring, &tail, &head) != RL_CORRUPT);
        CHECK(rl_tail(ring, &tail) && rl_head(ring, &head));
        CHECK(tail.position <= head.position && tail.sequence <= head.sequence);
    } while (rl_intact(ring, tail.position) != RL_OK);
    rl_walk walk = {tail, 0};
    int64_t passed = 0;
    while (walk.at.position < head.position) {
        int64_t from = walk.at.sequence;
        rl_walked found = rl_walk_ring(ring, &walk, head.position, head.position, 1, racing_sum);
        passed += walk.at.sequence - from;
        CHECK(found == RL_WALK_DONE || found == RL_WALK_OVERTAKEN);
        if (found == RL_WALK_DONE)
            break;
        from = walk.at.position;
        CHECK(rl_tail(ring, &walk.at) && walk.at.position > from);
        walk.timestamp = 0;
    }
    CHECK(walk.at.position >= head.position && walk.at.sequence >= head.sequence);
    CHECK(walk.at.position > head.position || walk.at.sequence == head.sequence);
    return passed;
}

/* ---- part one: killed at each step ---- */

enum { STEPS = PUBLISH_STEPS };

/* One append, stopped before its step number `step`; the last step, the publication, is never made. */
static void killed_append(const rl_ring *ring, int step) {
    rl_append a;
    rl_append_begin(ring, &a);
    RL_STORE_RELAXED(&ring->header->owner, rl_owner_word(3, 7));
    if (step == 0)
        return;
    put(ring, &a);
    killed_publish(ring, &a, step - 1);
}

static void planted_kills(void) {
    for (int step = 0; step < STEPS; step++) {
        rl_ring ring = make_ring(RL_MIN_CAPACITY);
        rl_reader reader = {RL_FIRST_POSITION, 0, 0};
        int64_t lost = 0;
        for (int64_t k = 0; k < 3000; k++) {
            append(&ring);
            if (k % 7)
                continue;
            int64_t head = ring.header->write_offset;
            killed_append(&ring, step);
            CHECK(ring.header->write_offset == head);
            verify(&ring);
            CHECK(rl_owner_replace(ring.header, rl_owner_word(3, 7), rl_owner_word(4, 1)));
            CHECK(rl_recover(&ring) == RL_OK && rl_recover(&ring) == RL_OK);
            CHECK(ring.header->event_count == k + 1 && ring.header->last_timestamp == k + 1);
            CHECK(ring.header->gate_offset == ring.header->tail_offset);
            rl_owner_release(ring.header);
            CHECK(drain(&ring, &reader, &lost) > 0 && lost == 0 && reader.sequence == k + 1);
            rl_place place;
            rl_place tail;
            CHECK(rl_tail(&ring, &tail));
            for (int64_t goal = tail.sequence; goal <= k + 1; goal += 13) {
                CHECK(rl_seek_sequence(&ring, goal, &place) == RL_OK && place.sequence == goal);
                CHECK(rl_seek_time(&ring, goal + 1, &place) == RL_OK && place.sequence == goal);
            }
        }
        munmap(ring.header, (size_t)ring.header->data_start);
        munmap(ring.data, 2 * RL_MIN_CAPACITY);
    }
    printf("planted kills: %d steps, 429 kills each, nothing lost\n", STEPS);
}

/* ---- part two: threads ---- */

static rl_ring shared;
static int64_t events;
static int finished;

static void *read_lossily(void *argument) {
    int64_t *totals = argument;
    rl_reader reader = {RL_FIRST_POSITION, 0, 0};
    for (int last = 0; !last;) {
        last = RL_LOAD_ACQUIRE(&finished); /* pairs with the release in stress() */
        totals[0] += drain(&shared, &reader, &totals[1]);
        sched_yield();
    }
    return NULL;
}

static void *verify_again_and_again(void *argument) {
    int64_t *totals = argument;
    while (!RL_LOAD_ACQUIRE(&finished)) { /* pairs with the release in stress() */
        totals[0] += verify(&shared);
        totals[1]++;
        sched_yield();
    }
    verify(&shared);
    return NULL;
}

/* A jump before every `run`th event; 0: none. */
static void stress(int run) {
    pthread_t threads[3], verifier;
    int64_t totals[3][2] = {{0, 0}, {0, 0}, {0, 0}}, verified[2] = {0, 0};
    RL_STORE_RELEASE(&finished, 0);
    shared = make_ring(RL_MIN_CAPACITY);
    for (int k = 0; k < 3; k++)
        CHECK(pthread_create(&threads[k], NULL, read_lossily, totals[k]) == 0);
    CHECK(pthread_create(&verifier, NULL, verify_again_and_again, verified) == 0);
    for (int64_t k = 0; k < events; k++) {
        if (run && k % run == 0)
            jump(&shared, 1 + k % 7);
        append(&shared);
    }
    RL_STORE_RELEASE(&finished, 1);
    for (int k = 0; k < 3; k++) {
        pthread_join(threads[k], NULL);
        CHECK(totals[k][0] + totals[k][1] == shared.header->event_count);
        printf("reader %d: %lld read, %lld lost, all accounted for\n", k, (long long)totals[k][0],
               (long long)totals[k][1]);
    }
    pthread_join(verifier, NULL);
    printf("verified %lld times meanwhile: %lld events, none of them wrong\n", (long long)verified[1],
           (long long)verified[0]);
}

/* ---- part three: both ends, while a writer jumps ---- */

static void *jump_again_and_again(void *argument) {
    int64_t *jumps = argument;
    for (; !RL_LOAD_ACQUIRE(&finished); ++*jumps) /* pairs with the release in both_ends() */
        jump(&shared, 1 + *jumps % 7);
    return NULL;
}

/* Who has seen a tail is given no head before it. */
static void both_ends(void) {
    pthread_t thread;
    int64_t jumps = 0;
    RL_STORE_RELEASE(&finished, 0);
    CHECK(pthread_create(&thread, NULL, jump_again_and_again, &jumps) == 0);
    for (int64_t k = 0; k < events; k++) {
        rl_place tail, head;
        CHECK(rl_tail(&shared, &tail) && rl_head(&shared, &head));
        CHECK(tail.position <= head.position && tail.sequence <= head.sequence);
        CHECK(rl_ends(&shared, &tail, &head) != RL_CORRUPT);
    }
    RL_STORE_RELEASE(&finished, 1);
    pthread_join(thread, NULL);
    printf("%lld looks at both ends, meanwhile %lld jumps\n", (long long)events, (long long)jumps);
}

int main(int argc, char **argv) {
    events = argc > 1 ? atoll(argv[1]) : 2000000;
    planted_kills();
    stress(0);
    printf("and with jumps:\n");
    stress(2);
    both_ends();
    return 0;
}
