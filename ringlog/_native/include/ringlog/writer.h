/* ringlog/writer.h: putting events into a ring.
 *
 * Concept:   the holder of the write lock makes room, writes entries behind the head, where no
 *            reader looks, and then moves the head over them with one store. Room is made by moving
 *            the tail, about a stride at a time, so that its cache line is rarely touched.
 * Guarantee: a reader sees an entry whole or not at all; a writer killed between any two
 *            instructions leaves a ring in which rl_recover() finds every published event.
 * Caveat:    preconditions stand beside the arguments and are not checked again: the lock is held,
 *            room was made, sizes fit. The order of stores is the protocol: change nothing lightly.
 * Usage:
 *     rl_append a;
 *     rl_append_begin(ring, &a);                              // lock held
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

static inline void rl_append_begin(const rl_ring *ring, rl_append *a) {
    /* Relaxed: taking the lock ordered us behind the last holder, and nobody else writes these. */
    a->position = RL_LOAD_RELAXED(&ring->header->write_offset);
    a->sequence = RL_LOAD_RELAXED(&ring->header->event_count);
    a->timestamp = RL_LOAD_RELAXED(&ring->header->last_timestamp);
    RL_POINT(append_begun);
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
    memcpy(rl_at(ring, a->position), &entry, sizeof entry);
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

/* The mark of a stride, if it is one and lies in [low, high]. Precondition: the lock. */
static inline const rl_mark *rl_mark_in(const rl_ring *ring, int64_t stride, int64_t low, int64_t high) {
    const rl_mark *mark = &ring->header->marks[stride & (RL_MARKS - 1)];
    return mark->position >= low && mark->position <= high && rl_stride_of(ring, mark->position) == stride
               ? mark
               : NULL;
}

/* Where the tail has to move so that `bytes` more fit: an entry boundary, at most a stride further
 * than needed unless a single entry is larger. Marks make this a look-up; without one, a walk. */
static inline rl_status rl_room_find(const rl_ring *ring, const rl_append *a, int64_t bytes, rl_place *want) {
    int64_t need = a->position + bytes - ring->capacity, limit = need + ring->stride;
    int64_t tail = RL_LOAD_RELAXED(&ring->header->tail_offset);
    if (tail < RL_FIRST_POSITION || tail > a->position || a->position - tail > ring->capacity)
        return RL_CORRUPT;
    if (limit > a->position)
        limit = a->position;
    const rl_mark *mark = rl_mark_in(ring, rl_stride_of(ring, limit), need, limit);
    if (!mark)
        mark = rl_mark_in(ring, rl_stride_of(ring, limit) - 1, need, limit);
    if (mark) {
        want->position = mark->position;
        want->sequence = mark->sequence;
        return RL_OK;
    }
    for (int64_t s = rl_stride_of(ring, need); !mark && s > rl_stride_of(ring, tail); s--)
        mark = rl_mark_in(ring, s, tail, need);
    if (mark) {
        want->position = mark->position;
        want->sequence = mark->sequence;
    } else if (!rl_tail(ring, want) || want->position != tail) {
        return RL_CORRUPT;
    }
    while (want->position < need) {
        rl_entry entry;
        memcpy(&entry, rl_at(ring, want->position), sizeof entry);
        int64_t next = want->position + RL_ENTRY_SIZE + (int64_t)entry.size;
        if (next > a->position)
            return RL_CORRUPT; /* an entry that reaches past the head */
        want->position = next;
        want->sequence += 1;
    }
    return RL_OK;
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
    /* Pairs with the acquire fence in rl_reader_check: who copies bytes that we write from here on
     * sees the moved tail. */
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
