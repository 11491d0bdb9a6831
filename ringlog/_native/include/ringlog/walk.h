/* ringlog/walk.h: going over a stream entry by entry, and saying where it is wrong.
 *
 * Concept:   ring and log hold the same entries, so one function judges one entry in memory that it is
 *            given. rl_walk_memory goes over a piece of a log; rl_walk_ring over a ring's window, in which
 *            a writer may go on meanwhile: what it has passed is not judged.
 * Guarantee: an entry that was passed has a size that fits, a timestamp over 0 and not before the last
 *            one's, and its checksum; in a ring its stride's mark, if there is one, names the boundary.
 *            Nothing outside the given memory is read, whatever the bytes say.
 * Caveat:    a checksum tells damage, not malice. Words beside the entries (counts, slots) are the caller's.
 * Usage:
 *     rl_walk walk = {tail, 0};
 *     while ((found = rl_walk_ring(ring, &walk, head.position, head.position, 1, sum)) == RL_WALK_OVERTAKEN)
 *         ...go on from rl_tail()...
 *     if (found == RL_WALK_DONE) ...walk.at is the head: does its sequence agree?...
 *     else ...walk.at is the first bad entry, and `found` says why...
 */
#ifndef RINGLOG_WALK_H
#define RINGLOG_WALK_H

#include "seek.h"

typedef struct rl_walk {
    rl_place at;       /* of the next entry */
    int64_t timestamp; /* of the entry before it; 0: not known */
} rl_walk;

typedef enum rl_walked {
    RL_WALK_DONE = 0,
    RL_WALK_SHORT,     /* the memory ends within the next entry, the stream does not */
    RL_WALK_OVERTAKEN, /* the writer has passed the next entry */
    RL_WALK_SIZE,      /* from here on: the next entry is no entry, and why */
    RL_WALK_TIMESTAMP,
    RL_WALK_ORDER,
    RL_WALK_CHECKSUM,
    RL_WALK_MARK /* the entry before is sound; the mark of this boundary's stride contradicts it */
} rl_walked;

/* Step over the entry in `memory`, of which `there` bytes may be read. It can have `limit` bytes at most. */
static inline rl_walked rl_walk_entry(rl_walk *w, const uint8_t *memory, int64_t there, int64_t limit,
                                      rl_sum_fn sum) {
    rl_entry entry;
    if (limit < RL_ENTRY_SIZE)
        return RL_WALK_SIZE;
    if (there < RL_ENTRY_SIZE)
        return RL_WALK_SHORT;
    entry = rl_entry_at(memory); /* once: it may change while we look */
    int64_t bytes = RL_ENTRY_SIZE + (int64_t)entry.size;
    if (bytes > limit)
        return RL_WALK_SIZE;
    if (entry.timestamp <= 0)
        return RL_WALK_TIMESTAMP;
    if (entry.timestamp < w->timestamp)
        return RL_WALK_ORDER;
    if (bytes > there)
        return RL_WALK_SHORT;
    if (sum(memory + RL_ENTRY_SIZE, entry.size) != entry.checksum)
        return RL_WALK_CHECKSUM;
    w->at.position += bytes;
    w->at.sequence += 1;
    w->timestamp = entry.timestamp;
    return RL_WALK_DONE;
}

/* Walk `there` bytes that begin with the entry at w->at, of a stream that ends at position `end`. */
static inline rl_walked rl_walk_memory(rl_walk *w, const uint8_t *memory, int64_t there, int64_t end,
                                       rl_sum_fn sum) {
    int64_t start = w->at.position;
    rl_walked found = RL_WALK_DONE;
    while (found == RL_WALK_DONE && w->at.position < end) {
        int64_t done = w->at.position - start;
        found = rl_walk_entry(w, memory + done, there - done, end - w->at.position, sum);
    }
    return found;
}

/* Do the marks of the strides between two neighbouring boundaries agree? Those that the entry spans whole
 * have none; the one that it ends in names its end, or there is none. */
static inline int rl_walk_marks(const rl_ring *ring, int64_t from, const rl_walk *to, int64_t goal) {
    int64_t last = rl_stride_of(ring, to->at.position);
    for (int64_t stride = rl_stride_of(ring, from) + 1; stride <= last; stride++) {
        rl_mark mark;
        if (rl_mark_read(ring, stride, goal, &mark) &&
            (stride < last || mark.position != to->at.position || mark.sequence != to->at.sequence ||
             mark.timestamp != to->timestamp))
            return 0;
    }
    return 1;
}

/* Walk a ring up to `stop`; `goal` is a position that was its head, at most a capacity further on. `live`:
 * against the tail, which a writer may move, and with marks; otherwise what is between w->at and goal stands
 * still, and only its entries are looked at. */
static inline rl_walked rl_walk_ring(const rl_ring *ring, rl_walk *w, int64_t goal, int64_t stop, int live,
                                     rl_sum_fn sum) {
    while (w->at.position < stop) {
        rl_walk next = *w;
        int64_t from = w->at.position, limit = goal - from;
        if (limit > rl_largest_batch(ring))
            limit = rl_largest_batch(ring);
        rl_walked found = rl_walk_entry(&next, rl_at(ring, from), limit, limit, sum);
        int marked = found != RL_WALK_DONE || !live || rl_walk_marks(ring, from, &next, goal);
        if (live && rl_intact(ring, from) != RL_OK) /* before anything of it is believed */
            return RL_WALK_OVERTAKEN;
        if (found != RL_WALK_DONE)
            return found;
        *w = next;
        if (!marked)
            return RL_WALK_MARK;
    }
    return RL_WALK_DONE;
}

/* The first offset in the memory at which a whole entry may stand, from this time on and up to that one; -1:
 * none. For the question whether what lies behind a bad entry is anything. It may be one by accident, or
 * the bytes of an event; after looking at `effort` bytes without an answer it says that there is one. */
static inline int64_t rl_walk_find(const uint8_t *memory, int64_t size, int64_t earliest, int64_t latest,
                                   int64_t effort, rl_sum_fn sum) {
    for (int64_t at = 0; at + RL_ENTRY_SIZE <= size; at++) {
        rl_entry entry;
        memcpy(&entry, memory + at, sizeof entry);
        if (entry.timestamp <= 0 || entry.timestamp < earliest || entry.timestamp > latest ||
            (int64_t)entry.size > size - at - RL_ENTRY_SIZE)
            continue;
        effort -= entry.size;
        if (effort < 0 || sum(memory + at + RL_ENTRY_SIZE, entry.size) == entry.checksum)
            return at;
    }
    return -1;
}

#endif
