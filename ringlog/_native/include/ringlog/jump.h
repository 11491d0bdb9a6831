/* ringlog/jump.h: a stream that goes on at a later sequence, as a copy that missed something does.
 *
 * Concept:   the window is emptied first: the tail stands at the head. Then `jump` names the new place, the tail goes
 *            there, the head follows, and `jump` goes back to 0. In between the tail is beyond the head, which `jump`
 *            says is no contradiction: who stands there has nothing to read yet. The place lies over a capacity
 *            beyond every place before it, so no old reader can take what is written there for what it looks for,
 *            and far enough for the events that are left out, each of which would have taken 16 bytes.
 * Guarantee: readers at the old head, or before it, lose exactly the sequences in between. A writer killed between any
 *            two stores leaves a jump that rl_jump_settle() undoes (the tail did not move) or finishes.
 * Caveat:    preconditions: the lock is held, nobody blocks, the tail stands at the head.
 * Usage:
 *     rl_place place;
 *     if (!rl_jump_place(ring, head, sequence, &place)) ...not possible...
 *     rl_jump(ring, &a, place);
 *     ...wake: sleepers.h...
 */
#ifndef RINGLOG_JUMP_H
#define RINGLOG_JUMP_H

#include "writer.h"

/* Where event `sequence` would stand. 0: it is not beyond the next one, or the stream can't go so far. */
static inline int rl_jump_place(const rl_ring *ring, rl_place head, int64_t sequence, rl_place *out) {
    int64_t furthest = RL_FURTHEST / 2 - ring->capacity, left = furthest - head.position;
    if (sequence <= head.sequence || left <= 0 || sequence - head.sequence >= left / RL_ENTRY_SIZE)
        return 0;
    out->position = head.position + ring->capacity + RL_ENTRY_SIZE * (sequence - head.sequence);
    out->sequence = sequence;
    return 1;
}

/* From the moved tail on. */
static inline void rl_jump_arrive(const rl_ring *ring, rl_place place) {
    rl_header *h = ring->header;
    RL_STORE_RELAXED(&h->event_count, place.sequence);
    RL_POINT(jump_counted);
    rl_pair_store(&h->write_offset, h->head, place); /* releases; pairs with rl_reader_next */
    rl_room_withdraw(ring); /* behind the head, as rl_cursor_join asks */
    RL_POINT(jump_arrived);
    /* Release: pairs with the acquires in rl_reader_ahead, rl_head and rl_has_news, and in rl_mapping_gate; who sees that
     * it is over sees the head, and the gate. */
    RL_STORE_RELEASE(&h->jump, 0);
    RL_POINT(jump_over);
}

/* Go on at `place`, from `a`. */
static inline void rl_jump(const rl_ring *ring, const rl_append *a, rl_place place) {
    rl_header *h = ring->header;
    rl_mark *mark = &h->marks[rl_stride_of(ring, place.position) & (RL_MARKS - 1)];
    /* A mark as rl_mark_boundary makes them: without an entry to look at, recovery takes the last time from here. */
    RL_STORE_RELAXED(&mark->position, 0);
    RL_FENCE_RELEASE(); /* pairs with the acquire fence in rl_mark_read */
    RL_STORE_RELAXED(&mark->sequence, place.sequence);
    RL_STORE_RELAXED(&mark->timestamp, a->timestamp);
    RL_STORE_RELEASE(&mark->position, place.position); /* pairs with the acquire in rl_mark_read */
    RL_POINT(jump_marked);
    RL_STORE_RELAXED(&h->jumped, a->position);
    /* Release: pairs with the same, though what they need is the tail's own release, which pairs with the acquire in
     * rl_tail: who sees the tail at the new place sees this word, or that it is over. */
    RL_STORE_RELEASE(&h->jump, place.position);
    RL_POINT(jump_named);
    rl_room_take(ring, place);
    rl_jump_arrive(ring, place);
}

/* Behind a killed writer: finish its jump if the tail has moved, forget it otherwise. 0: no record stands for the tail,
 * or none for the head. */
static inline int rl_jump_settle(const rl_ring *ring) {
    rl_header *h = ring->header;
    int64_t jump = RL_LOAD_RELAXED(&h->jump);
    rl_place tail, head;
    if (RL_LIKELY(jump == 0))
        return 1;
    if (!rl_tail(ring, &tail) || !rl_pair_get(&h->write_offset, h->head, &head))
        return 0;
    if (tail.position == jump && head.position < jump && rl_places_in_order(head, tail))
        rl_jump_arrive(ring, tail);
    else
        /* As in rl_jump_arrive: the head is there, or nobody was told of the place. Then `jumped` is this very head: it
         * may stay, since it only bounds where verify believes that a cursor was left. */
        RL_STORE_RELEASE(&h->jump, 0);
    RL_POINT(recover_jump);
    return 1;
}

#endif
