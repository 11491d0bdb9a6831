/* ringlog/pair.h: a position and its sequence, published through one word.
 *
 * Concept:   two words can't be read as one. So each pair that readers need (head, tail, gate, a
 *            reader's cursor) is a word, the position, and two alternating records {position,
 *            sequence}. The record whose position equals the word is the current one; a store fills
 *            the other one first and then moves the word.
 * Guarantee: a load returns a position and a sequence that were published together. A writer that
 *            is killed between any two instructions of a store leaves the old pair readable.
 * Caveat:    one writer at a time (the write lock, or the slot's owner). Positions only grow, or
 *            come back with the same sequence, so a record can't match the word by accident.
 * Usage:     rl_pair_store(&h->tail_offset, h->tail, place);
 *            while (!rl_pair_load(&h->tail_offset, h->tail, &place)) RL_PAUSE();
 */
#ifndef RINGLOG_PAIR_H
#define RINGLOG_PAIR_H

#include "layout.h"

typedef struct rl_place {
    int64_t position;
    int64_t sequence;
} rl_place;

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

/* As rl_pair_load, trying until a bounded number of stores got in the way.
 * 0 then, or when no record ever matches, as in a header that somebody scribbled on. */
static inline int rl_pair_get(const int64_t *word, const rl_record records[2], rl_place *out) {
    for (int tries = 0; tries < 100000; tries++) {
        if (RL_LIKELY(rl_pair_load(word, records, out)))
            return 1;
        RL_PAUSE();
    }
    return 0;
}

static inline int rl_head(const rl_ring *r, rl_place *out) {
    return rl_pair_get(&r->header->write_offset, r->header->head, out);
}

static inline int rl_tail(const rl_ring *r, rl_place *out) {
    return rl_pair_get(&r->header->tail_offset, r->header->tail, out);
}

#endif
