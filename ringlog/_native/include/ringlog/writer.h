/* ringlog/writer.h: putting events into a ring.
 *
 * Concept:   the holder of the write lock makes room, writes entries behind the head, where no
 *            reader looks, and then moves the head over them with one store. Room is made by moving
 *            the tail, about a stride at a time, so that its cache line is rarely touched.
 * Guarantee: a reader sees an entry whole or not at all; a writer killed between any two
 *            instructions leaves a ring in which rl_recover() finds every published event.
 * Caveat:    preconditions stand beside the arguments and are not checked again: the lock is held,
 *            rl_append_begin said RL_OK, room was made, sizes fit. The order of stores is the protocol: change nothing lightly.
 * Usage:
 *     rl_append a;
 *     if (rl_append_begin(ring, &a) != RL_OK) ...corrupt...   // lock held
 *     if (rl_room_short(ring, &a, bytes)) {
 *         rl_place want;
 *         if (rl_room_find(ring, &a, bytes, &want) != RL_OK) ...corrupt...
 *         rl_room_announce(ring, want);
 *         if (rl_room_blocker(ring, want.position) >= 0) ...wait, or give up: rl_room_withdraw()...
 *         rl_room_take(ring, want);
 *     }
 *     rl_append_put(ring, &a, timestamp, data, size, checksum->copy);  // as often as there is room for
 *     rl_append_publish(ring, &a);
 *     ...release the lock, then wake: sleepers.h...
 */
#ifndef RINGLOG_WRITER_H
#define RINGLOG_WRITER_H

#include "pair.h"

/* What a writer asks for in advance: of what follows the entry, the near bytes, first half before the copy and
 * second half after it; and a page further on, for entries that are not tiny in rings too large for a core's
 * own cache. */
#define RL_PREFETCH_NEAR 1088
#define RL_PREFETCH_FIRST 512
#define RL_PREFETCH_DISTANCE 4096
#define RL_PREFETCH_FAR_FROM 256
#define RL_PREFETCH_FAR_CAPACITY (4 << 20)

/* Where the next entry goes. Lives on the stack of one append or batch. */
typedef struct rl_append {
    int64_t position;
    int64_t sequence;
    int64_t timestamp; /* of the entry before */
} rl_append;

/* RL_CORRUPT: the head is none, its two copies differ, or the tail is not within a ring of it. A last holder who was
 * killed leaves no such thing behind once rl_recover() has run. Or it is another stream, copied over this one. */
static inline rl_status rl_append_begin(const rl_ring *ring, rl_append *a) {
    const rl_header *h = ring->header;
    /* Relaxed: taking the lock ordered us behind the last holder, and nobody else writes these. */
    int64_t position = RL_LOAD_RELAXED(&h->write_offset), sequence = RL_LOAD_RELAXED(&h->event_count);
    int64_t tail = RL_LOAD_RELAXED(&h->tail_offset);
    const rl_record *head = &h->head[RL_LOAD_RELAXED(&h->head[0].position) != position];
    a->position = position;
    a->sequence = sequence;
    a->timestamp = RL_LOAD_RELAXED(&h->last_timestamp);
    uint64_t wrong = (uint64_t)(RL_LOAD_RELAXED(&head->position) ^ position) |
                     (uint64_t)(RL_LOAD_RELAXED(&head->sequence) ^ sequence) |
                     /* a stream ends at half of RL_FURTHEST: what is appended here is a possible place, too */
                     (((uint64_t)position - RL_FIRST_POSITION) | (uint64_t)sequence) >> 61 |
                     ((uint64_t)tail - RL_FIRST_POSITION) >> 61;
    RL_POINT(append_begun);
    if (RL_UNLIKELY(wrong || (uint64_t)position - (uint64_t)tail > (uint64_t)ring->capacity || !rl_same_stream(ring)))
        return RL_CORRUPT;
    return RL_OK;
}

/* The head has moved from one stride to another: note the boundary, and that a stride which one
 * entry spans whole has none. Ahead of the publication, so whoever sees the head sees the marks. */
static inline void rl_mark_boundary(const rl_ring *ring, int64_t from, const rl_append *a) {
    int64_t stride = rl_stride_of(ring, from) + 1, last = rl_stride_of(ring, a->position);
    for (; stride <= last; stride++) {
        rl_mark *mark = &ring->header->marks[stride & (RL_MARKS - 1)];
        RL_STORE_RELAXED(&mark->position, 0);
        RL_POINT(mark_invalid);
        RL_FENCE_RELEASE(); /* pairs with the acquire fence in rl_mark_load */
        if (stride < last)
            continue;
        RL_STORE_RELAXED(&mark->sequence, a->sequence);
        RL_STORE_RELAXED(&mark->timestamp, a->timestamp);
        RL_STORE_RELEASE(&mark->position, a->position); /* pairs with the acquire in rl_mark_load */
        RL_POINT(mark_written);
    }
}

/* Make an entry of `size` bytes that already stand in their place, with their checksum.
 * Precondition: the lock; room for RL_ENTRY_SIZE + size; timestamp >= a->timestamp. */
static inline void rl_append_seal(const rl_ring *ring, rl_append *a, int64_t timestamp, uint32_t size,
                                  uint32_t checksum) {
    rl_entry entry = {timestamp, size, checksum};
    rl_racing_copy(rl_at(ring, a->position), &entry, sizeof entry);
    RL_POINT(entry_sealed);
    int64_t from = a->position;
    a->position += RL_ENTRY_SIZE + (int64_t)size;
    a->sequence += 1;
    a->timestamp = timestamp;
    if (RL_UNLIKELY(rl_stride_of(ring, from) != rl_stride_of(ring, a->position)))
        rl_mark_boundary(ring, from, a);
}

/* Write one entry behind the last one: copy, checksum, seal. Precondition: as rl_append_seal. */
static inline void rl_append_put(const rl_ring *ring, rl_append *a, int64_t timestamp, const void *data,
                                 uint32_t size, rl_copy_fn copy) {
    uint8_t *to = rl_at(ring, a->position) + RL_ENTRY_SIZE, *next = to + size;
    /* What comes behind this entry is written next: its lines can be on their way while we copy. The copy
     * itself never asks beyond its own end. */
    uint32_t near = size < RL_PREFETCH_NEAR ? size : RL_PREFETCH_NEAR - 1, ahead = 0;
    for (; ahead < RL_PREFETCH_FIRST && ahead <= near; ahead += 64)
        RL_PREFETCH_WRITE(next + ahead);
    uint32_t checksum = copy(to, data, size);
    RL_POINT(entry_copied);
    for (; ahead <= near; ahead += 64)
        RL_PREFETCH_WRITE(next + ahead);
    if (size >= RL_PREFETCH_FAR_FROM && ring->capacity >= RL_PREFETCH_FAR_CAPACITY)
        for (ahead = 0; ahead <= near; ahead += 64)
            RL_PREFETCH_FAR(next + RL_PREFETCH_DISTANCE + ahead);
    rl_append_seal(ring, a, timestamp, size, checksum);
}

/* Write a run of entries that another writer has made, back to back, behind the last one, as they are.
 * Precondition: the lock; room for `bytes`; whole and sound, and not before a->timestamp. */
static inline void rl_append_run(const rl_ring *ring, rl_append *a, const uint8_t *run, int64_t bytes) {
    int64_t begin = a->position, end = begin + bytes;
    while (a->position < end) { /* in the run, which is nearer than its place in the ring */
        int64_t from = a->position;
        rl_entry entry = rl_entry_at(run + (from - begin));
        a->position += RL_ENTRY_SIZE + (int64_t)entry.size;
        a->sequence += 1;
        a->timestamp = entry.timestamp;
        if (RL_UNLIKELY(rl_stride_of(ring, from) != rl_stride_of(ring, a->position)))
            rl_mark_boundary(ring, from, a);
    }
    RL_POINT(run_sealed);
    rl_racing_copy(rl_at(ring, begin), run, (size_t)bytes);
    RL_POINT(run_copied);
}

/* Let readers see everything put since rl_append_begin. Precondition: the lock. */
static inline void rl_append_publish(const rl_ring *ring, const rl_append *a) {
    rl_header *h = ring->header;
    RL_STORE_RELAXED(&h->last_timestamp, a->timestamp);
    RL_STORE_RELAXED(&h->event_count, a->sequence);
    RL_POINT(publish_counted);
    rl_place head = {a->position, a->sequence};
    rl_pair_store(&h->write_offset, h->head, head); /* releases; pairs with rl_reader_next */
}

/* ---- room ---- */

/* Must the tail move before `bytes` more can be written? */
static inline int rl_room_short(const rl_ring *ring, const rl_append *a, int64_t bytes) {
    return a->position + bytes - ring->capacity > RL_LOAD_RELAXED(&ring->header->tail_offset);
}

/* The mark of a stride, if it is one, lies in [low, high], and can be true of a window from `tail` to `head`.
 * Precondition: the lock. */
static inline int rl_mark_in(const rl_ring *ring, int64_t stride, int64_t low, int64_t high, rl_place tail,
                             rl_place head, rl_place *out) {
    const rl_mark *mark = &ring->header->marks[stride & (RL_MARKS - 1)];
    rl_place place = {RL_LOAD_RELAXED(&mark->position), RL_LOAD_RELAXED(&mark->sequence)};
    RL_LOADED(place.position);
    RL_LOADED(place.sequence);
    if (place.position < low || place.position > high || rl_stride_of(ring, place.position) != stride ||
        !rl_place_possible(place) || !rl_places_in_order(tail, place) || !rl_places_in_order(place, head))
        return 0;
    *out = place;
    return 1;
}

/* Where the tail has to move so that `bytes` more fit: an entry boundary, at most a stride further
 * than needed unless a single entry is larger. Marks make this a look-up; without one, a walk. */
static inline rl_status rl_room_find(const rl_ring *ring, const rl_append *a, int64_t bytes, rl_place *want) {
    int64_t need = a->position + bytes - ring->capacity, limit = need + ring->stride;
    rl_place tail, head = {a->position, a->sequence};
    if (!rl_tail(ring, &tail) || !rl_places_in_order(tail, head) ||
        head.position - tail.position > ring->capacity)
        return RL_CORRUPT;
    if (limit > a->position)
        limit = a->position;
    if (rl_mark_in(ring, rl_stride_of(ring, limit), need, limit, tail, head, want) ||
        rl_mark_in(ring, rl_stride_of(ring, limit) - 1, need, limit, tail, head, want))
        return RL_OK;
    *want = tail;
    for (int64_t s = rl_stride_of(ring, need); s > rl_stride_of(ring, tail.position); s--)
        if (rl_mark_in(ring, s, tail.position, need, tail, head, want))
            break;
    while (want->position < need) { /* at most a ring of entries, each 16 bytes at least */
        rl_entry entry = rl_entry_at(rl_at(ring, want->position));
        int64_t next = want->position + RL_ENTRY_SIZE + (int64_t)entry.size;
        if (entry.timestamp <= 0 || next > a->position)
            return RL_CORRUPT; /* no entry, or one that reaches past the head */
        want->position = next;
        want->sequence += 1;
    }
    return rl_places_in_order(*want, head) ? RL_OK : RL_CORRUPT;
}

/* Say where the tail is about to go. Precondition: the lock. */
static inline void rl_room_announce(const rl_ring *ring, rl_place want) {
    rl_header *h = ring->header;
    if (RL_LOAD_RELAXED(&h->gate_offset) != want.position)
        rl_pair_store(&h->gate_offset, h->gate, want);
    /* Pairs with the full fence in rl_cursor_join: of a reader that joins and a writer that looks
     * for readers at the same time, at least one sees the other. */
    RL_FENCE_FULL();
    RL_POINT(room_announced);
}

/* The slot of a lossless reader that still needs something before `position`, or -1. */
static inline int rl_room_blocker(const rl_ring *ring, int64_t position) {
    rl_header *h = ring->header;
    for (uint32_t word = 0; word * 64 < ring->max_readers; word++) {
        uint64_t bits = RL_LOAD_RELAXED(&h->reader_bits[word]);
        for (; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (slot >= ring->max_readers)
                break;
            const rl_reader_slot *reader = &rl_readers(h)[slot];
            if (RL_SLOT_STATUS(RL_LOAD_ACQUIRE(&reader->state)) != RL_SLOT_ACTIVE)
                continue; /* the acquire pairs with the release that made the slot active, or let it go */
            /* Acquire: pairs with the release in rl_cursor_store; its copies are done before we overwrite. */
            if (RL_LOAD_ACQUIRE(&reader->cursor) < position)
                return (int)slot;
        }
    }
    return -1;
}

/* Move the tail. Precondition: announced, and nobody blocks. */
static inline void rl_room_take(const rl_ring *ring, rl_place want) {
    rl_pair_store(&ring->header->tail_offset, ring->header->tail, want);
    /* Pairs with the acquire fence in rl_intact: who copies bytes that we write from here on sees the moved
     * tail. For those that a later holder of the lock writes, the fence in rl_owner_swap does the same. */
    RL_FENCE_RELEASE();
}

/* Nothing will be overwritten after all: new readers may start at the tail again. */
static inline void rl_room_withdraw(const rl_ring *ring) {
    rl_header *h = ring->header;
    rl_place tail;
    if (rl_tail(ring, &tail) && RL_LOAD_RELAXED(&h->gate_offset) != tail.position)
        rl_pair_store(&h->gate_offset, h->gate, tail);
}

#endif
