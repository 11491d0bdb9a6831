/* ringlog/pair.h: a position and its sequence, published through one word.
 *
 * Concept:   two words can't be read as one. So each pair that readers need (head, tail, gate, a
 *            reader's cursor) is a word, the position, and two alternating records {position,
 *            sequence}. The record whose position equals the word is the current one; a store fills
 *            the other one first and then moves the word.
 * Guarantee: a load returns a position and a sequence that were published together. A writer that
 *            is killed between any two instructions of a store leaves the old pair readable.
 * Caveat:    one writer at a time (the write lock, or the slot's owner). Positions only grow, or
 *            come back with the same sequence, so a record can't match the word by accident. What a
 *            single pair says is in range; whether head and tail fit each other, rl_ends() says.
 * Usage:     rl_pair_store(&h->tail_offset, h->tail, place);
 *            while (!rl_pair_load(&h->tail_offset, h->tail, &place)) RL_PAUSE();
 */
#ifndef RINGLOG_PAIR_H
#define RINGLOG_PAIR_H

#include "ring.h"

typedef struct rl_place {
    int64_t position;
    int64_t sequence;
} rl_place;

/* How far a stream can go: no arithmetic with a position and a size, or with two sequences, overflows. */
#define RL_FURTHEST ((int64_t)1 << 62)

/* Can this be a place in a stream? Anything that scribbles can write numbers which can't. */
static inline int rl_place_possible(rl_place p) {
    return p.position >= RL_FIRST_POSITION && p.position < RL_FURTHEST && p.sequence >= 0 &&
           p.sequence < RL_FURTHEST;
}

/* Can events lead from one place to the other? Each takes at least its 16 bytes. Precondition: both are possible. */
static inline int rl_places_in_order(rl_place from, rl_place to) {
    return from.position <= to.position && from.sequence <= to.sequence &&
           to.sequence - from.sequence <= (to.position - from.position) / RL_ENTRY_SIZE &&
           (from.sequence == to.sequence) == (from.position == to.position);
}

/* Publish everything written before, and the pair. */
static inline void rl_pair_store(int64_t *word, rl_record records[2], rl_place place) {
    rl_record *spare = &records[RL_LOAD_RELAXED(&records[0].position) == RL_LOAD_RELAXED(word)];
    RL_STORE_RELAXED(&spare->position, 0);
    RL_POINT_OF_PAIR(word, invalid);
    RL_FENCE_RELEASE(); /* pairs with the acquire fence of a load that saw this record's old position */
    RL_STORE_RELAXED(&spare->sequence, place.sequence);
    RL_POINT_OF_PAIR(word, sequence);
    RL_STORE_RELEASE(&spare->position, place.position); /* pairs with the load of records[k].position */
    RL_POINT_OF_PAIR(word, record);
    RL_STORE_RELEASE(word, place.position);             /* pairs with the load of the word */
    RL_POINT_OF_PAIR(word, stored);
}

/* 1 and the pair; 0 if a store was under way: try again. */
static inline int rl_pair_load(const int64_t *word, const rl_record records[2], rl_place *out) {
    int64_t position = RL_LOAD_ACQUIRE(word); /* pairs with the last store of rl_pair_store */
    for (int k = 0; k < 2; k++) {
        /* pairs with the release store of the record's position: the sequence is at least as new */
        if (RL_LOAD_ACQUIRE(&records[k].position) != position)
            continue;
        int64_t sequence = RL_LOAD_RELAXED(&records[k].sequence);
        RL_FENCE_ACQUIRE(); /* pairs with the release fence: a newer sequence shows a changed position */
        if (RL_LOAD_RELAXED(&records[k].position) != position)
            continue;
        out->position = position;
        out->sequence = sequence;
        return 1;
    }
    return 0;
}

#ifndef RL_PAIR_TRIES
#define RL_PAIR_TRIES 100000
#endif

/* As rl_pair_load, trying until a bounded number of stores got in the way.
 * 0 then, or when no record ever matches, or none that is possible: a header that somebody scribbled on. */
static inline int rl_pair_get(const int64_t *word, const rl_record records[2], rl_place *out) {
    for (int tries = 0; tries < RL_PAIR_TRIES; tries++) {
        if (RL_LIKELY(rl_pair_load(word, records, out)))
            return rl_place_possible(*out);
        RL_PAUSE();
    }
    return 0;
}

static inline int rl_tail(const rl_ring *r, rl_place *out) {
    return rl_pair_get(&r->header->tail_offset, r->header->tail, out);
}

#define RL_ENDS_TRIES 1000

/* The head, and not one from before a tail that was seen. In a jump (jump.h) the tail is already where the head will be: so
 * that is the head. A tail beyond the head that no jump explains says that the head was loaded too early. */
static inline int rl_head(const rl_ring *r, rl_place *out) {
    const rl_header *h = r->header;
    rl_place tail;
    for (int tries = 0; tries < RL_ENDS_TRIES; tries++) {
        if (!rl_pair_get(&h->write_offset, h->head, out))
            return 0;
        /* Acquire: pairs with the release in rl_room_take, by rl_pair_store; with the tail come jump's word, and the
         * head that it followed. */
        if (RL_LIKELY(RL_LOAD_ACQUIRE(&h->tail_offset) <= out->position))
            return 1;
        if (!rl_tail(r, &tail))
            return 0;
        /* Acquire: pairs with the releases in rl_jump and rl_jump_arrive; if it is over, its head is there. */
        if (RL_LOAD_ACQUIRE(&h->jump) == tail.position) {
            *out = tail;
            return 1;
        }
        if (RL_LOAD_RELAXED(&h->write_offset) == out->position) /* no jump, and no newer head: a contradiction */
            return 1;
    }
    return 0;
}

/* Tail and head of one moment, that fit each other: the events between them fit between them, and into the ring.
 * RL_CORRUPT: they don't, though the tail stood still. RL_OVERRUN: it never did; try again. */
static inline rl_status rl_ends(const rl_ring *r, rl_place *tail, rl_place *head) {
    for (int tries = 0; tries < RL_ENDS_TRIES; tries++) {
        if (!rl_tail(r, tail) || !rl_head(r, head))
            return RL_CORRUPT;
        if (RL_LIKELY(rl_places_in_order(*tail, *head) && head->position - tail->position <= r->capacity))
            return RL_OK;
        /* Behind the acquire of the head: whoever published that had moved the tail before, and we would see it. */
        if (RL_LOAD_RELAXED(&r->header->tail_offset) == tail->position)
            return RL_CORRUPT;
    }
    return RL_OVERRUN;
}

#endif
