/* ringlog/seek.h: finding a place in a ring: the oldest event, the next one, a sequence, a time.
 *
 * Concept:   marks name one entry boundary a stride. A seek starts at the last mark before its goal
 *            and walks entry by entry from there: at most a stride, never the whole ring.
 * Guarantee: a consistent {position, sequence} that was an entry boundary and not yet overwritten
 *            when the function returned. RL_OVERRUN: the writer passed us meanwhile; try again.
 * Caveat:    the ring goes on moving. What was found may be gone at the first read, which says so.
 * Usage:     rl_place place;
 *            while ((status = rl_seek_time(ring, ns, &place)) == RL_OVERRUN) {}
 */
#ifndef RINGLOG_SEEK_H
#define RINGLOG_SEEK_H

#include "reader.h"

/* The mark of a stride, read as a whole; 0 if there is none up to `limit`.
 * Precondition: a head not before `limit` was loaded with acquire: what is marked up to there is valid. */
static inline int rl_mark_read(const rl_ring *ring, int64_t stride, int64_t limit, rl_mark *out) {
    const rl_mark *mark = &ring->header->marks[stride & (RL_MARKS - 1)];
    out->position = RL_LOAD_ACQUIRE(&mark->position); /* pairs with the release in rl_mark_boundary */
    out->sequence = RL_LOAD_RELAXED(&mark->sequence);
    out->timestamp = RL_LOAD_RELAXED(&mark->timestamp);
    RL_FENCE_ACQUIRE(); /* pairs with the release fence in rl_mark_boundary */
    return RL_LOAD_RELAXED(&mark->position) == out->position && out->position >= RL_FIRST_POSITION &&
           out->position <= limit && rl_stride_of(ring, out->position) == stride;
}

/* The same between `tail` and `head`, and only if it can be true. */
static inline int rl_mark_load(const rl_ring *ring, int64_t stride, rl_place tail, rl_place head, rl_mark *out) {
    if (!rl_mark_read(ring, stride, head.position, out))
        return 0;
    rl_place place = {out->position, out->sequence};
    return out->position > tail.position && rl_place_possible(place) && rl_places_in_order(tail, place) &&
           rl_places_in_order(place, head);
}

/* From `place` over the entry there. */
static inline rl_status rl_step(const rl_ring *ring, int64_t head, rl_place *place, int64_t *timestamp) {
    rl_entry entry;
    rl_status status = rl_entry_load(ring, place->position, head, &entry);
    if (status != RL_OK)
        return status;
    *timestamp = entry.timestamp;
    place->position += RL_ENTRY_SIZE + (int64_t)entry.size;
    place->sequence += 1;
    return RL_OK;
}

/* Head and tail, and the best place to walk from: the last mark for which `sequence` and `time` (either
 * may be INT64_MAX: no limit) are still ahead. */
static inline rl_status rl_seek_start(const rl_ring *ring, int64_t sequence, int64_t time, rl_place *head,
                                      rl_place *from) {
    rl_status status = rl_ends(ring, from, head);
    if (status != RL_OK)
        return status;
    int64_t last = rl_stride_of(ring, head->position), first = rl_stride_of(ring, from->position);
    for (int64_t s = last; s > first; s--) {
        rl_mark mark;
        if (rl_mark_load(ring, s, *from, *head, &mark) && mark.sequence <= sequence && mark.timestamp < time) {
            from->position = mark.position;
            from->sequence = mark.sequence;
            break;
        }
    }
    return RL_OK;
}

/* The first event with this sequence. Precondition for RL_OK: tail <= sequence <= head. Otherwise
 * *place is the nearer end, and its sequence tells which. */
static inline rl_status rl_seek_sequence(const rl_ring *ring, int64_t sequence, rl_place *place) {
    rl_place head;
    int64_t timestamp;
    rl_status status = rl_seek_start(ring, sequence, INT64_MAX, &head, place);
    while (status == RL_OK && place->sequence < sequence && place->position < head.position)
        status = rl_step(ring, head.position, place, &timestamp);
    return status;
}

/* The first event not before `time`, or the head if all are. */
static inline rl_status rl_seek_time(const rl_ring *ring, int64_t time, rl_place *place) {
    rl_place head;
    rl_status status = rl_seek_start(ring, INT64_MAX, time, &head, place);
    while (status == RL_OK && place->position < head.position) {
        rl_place next = *place;
        int64_t timestamp;
        status = rl_step(ring, head.position, &next, &timestamp);
        if (status == RL_OK && timestamp >= time)
            break;
        if (status == RL_OK)
            *place = next;
    }
    return status;
}

#endif
