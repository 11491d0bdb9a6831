/* ringlog/reader.h: taking events out of a ring.
 *
 * Concept:   a reader keeps its own position. It loads the head once and consumes everything up to it
 *            before it looks again. A lossy reader takes nothing and tells nobody, so the writer may
 *            pass it at any moment: each copy is believed only after the tail was checked behind it.
 * Guarantee: RL_OK from rl_reader_next and then from rl_reader_check means that the bytes copied
 *            between the two are one whole published event. RL_OVERRUN names exactly what was lost,
 *            since sequences are dense.
 * Caveat:    between the two calls the bytes may change under your feet: copy, don't look.
 * Usage:
 *     rl_entry entry;
 *     const uint8_t *data;
 *     switch (rl_reader_next(ring, &reader, &entry, &data)) {
 *     case RL_OK:
 *         sum = checksum->copy(mine, data, entry.size);
 *         if (rl_reader_check(ring, &reader) != RL_OK) ...overrun...
 *         else if (sum != entry.checksum) ...corrupt...
 *         else rl_reader_advance(&reader, &entry);
 *     case RL_EMPTY: ...sleepers.h...
 *     case RL_OVERRUN: rl_tail(ring, &oldest) tells where to go on, and what is lost
 *     }
 */
#ifndef RINGLOG_READER_H
#define RINGLOG_READER_H

#include "pair.h"

typedef struct rl_reader {
    int64_t position; /* of the next event */
    int64_t sequence; /* of the next event */
    int64_t head;     /* the head as last loaded: everything before it can be read without a look */
} rl_reader;

/* The tail still stands at or before `position`: what was loaded from there is what was published. */
static inline rl_status rl_intact(const rl_ring *ring, int64_t position) {
    /* Pairs with the release fences in rl_room_take and rl_owner_swap: if we read bytes of a later lap, we see
     * the tail that was moved before they were written, by whomever. */
    RL_FENCE_ACQUIRE();
    return RL_LOAD_RELAXED(&ring->header->tail_offset) > position ? RL_OVERRUN : RL_OK;
}

/* Look at the entry at `position`, before `head`: its fields are checked before anyone uses them. */
static inline rl_status rl_entry_load(const rl_ring *ring, int64_t position, int64_t head, rl_entry *entry) {
    *entry = rl_entry_at(rl_at(ring, position));
    if (RL_UNLIKELY(rl_intact(ring, position) != RL_OK))
        return RL_OVERRUN;
    /* The tail was checked: a size that does not fit now is not the writer's. */
    int64_t bytes = RL_ENTRY_SIZE + (int64_t)entry->size;
    if (RL_UNLIKELY(bytes > head - position || bytes > rl_largest_batch(ring) || entry->timestamp <= 0))
        return RL_CORRUPT;
    /* Zeros behind a timestamp, where a page is missing, are an event without data and its right checksum. Then the
     * next entry is zeros, too. */
    if (RL_UNLIKELY(entry->size == 0) && bytes < head - position &&
        rl_entry_at(rl_at(ring, position + RL_ENTRY_SIZE)).timestamp <= 0)
        return rl_intact(ring, position) != RL_OK ? RL_OVERRUN : RL_CORRUPT;
    return RL_OK;
}

/* We stand beyond a head that was just loaded: at the end of a jump, or nowhere. RL_OK: there is a newer one by now, that
 * we have not passed. Whoever stands there has seen the tail there, and so the jump's word as well. */
static inline rl_status rl_reader_ahead(const rl_ring *ring, int64_t position, int64_t *head) {
    /* Acquire: pairs with the release in rl_jump_arrive; if it is over, the head that we load now is there. */
    if (RL_LOAD_ACQUIRE(&ring->header->jump) == position)
        return RL_EMPTY;
    *head = RL_LOAD_ACQUIRE(&ring->header->write_offset); /* as in rl_reader_next */
    return *head < position ? RL_CORRUPT : *head == position ? RL_EMPTY : RL_OK;
}

/* `head` was just loaded, with acquire: everything up to there can be read, unless it can't be true. */
static inline rl_status rl_reader_head(const rl_ring *ring, rl_reader *r, int64_t head) {
    if (r->position == head)
        return RL_EMPTY;
    if (RL_UNLIKELY(r->position > head)) {
        rl_status status = rl_reader_ahead(ring, r->position, &head);
        if (status != RL_OK)
            return status;
    }
    /* The writer moves the tail before the head: with this head comes a tail within a ring of it. */
    int64_t tail = RL_LOAD_RELAXED(&ring->header->tail_offset);
    if (RL_UNLIKELY(!rl_same_stream(ring)))
        return RL_CORRUPT;
    if (RL_UNLIKELY(tail > r->position))
        return RL_OVERRUN;
    if (RL_UNLIKELY((uint64_t)head - (uint64_t)tail > (uint64_t)ring->capacity))
        return RL_CORRUPT;
    r->head = head; /* at most a ring from us: what is read up to there is read once */
    return RL_OK;
}

/* The next event's entry and where its data is. */
static inline rl_status rl_reader_next(const rl_ring *ring, rl_reader *r, rl_entry *entry,
                                       const uint8_t **data) {
    if (r->position >= r->head) {
        /* Pairs with the release in rl_append_publish: every byte before this head is there. */
        rl_status status = rl_reader_head(ring, r, RL_LOAD_ACQUIRE(&ring->header->write_offset));
        if (status != RL_OK)
            return status;
    }
    *data = rl_at(ring, r->position) + RL_ENTRY_SIZE;
    return rl_entry_load(ring, r->position, r->head, entry);
}

/* Is what was copied since rl_reader_next still what was published? */
static inline rl_status rl_reader_check(const rl_ring *ring, const rl_reader *r) {
    return rl_intact(ring, r->position);
}

static inline void rl_reader_advance(rl_reader *r, const rl_entry *entry) {
    r->position += RL_ENTRY_SIZE + (int64_t)entry->size;
    r->sequence += 1;
}

/* Stand at a place; the head is looked up at the next read. */
static inline void rl_reader_place(rl_reader *r, rl_place place) {
    r->position = place.position;
    r->sequence = place.sequence;
    r->head = 0;
}

/* ---- cursors: what a lossless reader tells the writer ---- */

/* Everything before `place` is finished. */
static inline void rl_cursor_store(rl_reader_slot *slot, rl_place place) {
    rl_pair_store(&slot->cursor, slot->cursor_records, place); /* releases; pairs with rl_room_blocker */
}

#define RL_JOIN_TRIES 1000

/* Make the slot count from `place` on, or from where the gate stands if that is further: then *place
 * is moved. Precondition: the slot's lease is held and its state is (epoch, CLAIMED or ACTIVE).
 * 0 if the gate can't be true, as in a scribbled header: a gate is never beyond the head, and stops in front of a
 * cursor that it has seen. */
static inline int rl_cursor_join(const rl_ring *ring, rl_reader_slot *slot, uint32_t index, rl_place *place) {
    rl_header *h = ring->header;
    uint64_t epoch = RL_SLOT_EPOCH(RL_LOAD_RELAXED(&slot->state));
    for (int tries = 0; tries < RL_JOIN_TRIES; tries++) {
        rl_cursor_store(slot, *place);
        /* Release: pairs with the acquire of the state in rl_room_blocker; the cursor comes first. */
        RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE));
        RL_POINT(join_active);
        RL_FETCH_OR(&h->reader_bits[index / 64], 1ull << (index % 64));
        RL_POINT(join_listed);
        RL_FENCE_FULL(); /* pairs with the full fence in rl_room_announce */
        rl_place gate;
        if (!rl_pair_get(&h->gate_offset, h->gate, &gate))
            return 0;
        RL_POINT(join_gate);
        if (gate.position <= place->position)
            return 1;
        /* Behind the acquire of the gate: the head that its writer stood at is there. */
        if (gate.position > RL_LOAD_RELAXED(&h->write_offset))
            return 0;
        *place = gate;
        RL_POINT(join_moved);
    }
    return 0;
}

#endif
