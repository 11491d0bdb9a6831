/* ringlog/ring.h: a process's own view of a ring: where its memory is, and what was checked of its header.
 *
 * Concept:   whoever attaches reads the header once, checks it, and copies the geometry into an rl_ring: addresses,
 *            capacity, stride. From then on a position becomes an address by that copy alone.
 * Guarantee: rl_at() gives `capacity` contiguous bytes within the mapping for every position, whatever it is.
 * Caveat:    the header lives in memory that others may scribble on. The geometry is never read from there again;
 *            everything that moves (head, tail, marks, slots) is checked each time, by whoever uses it.
 * Usage:
 *     rl_ring ring;
 *     const char *why;
 *     if (rl_header_check(&copy, file_size, &why) == RL_OK) { // a copy: what was checked is what is used
 *         rl_ring_init(&ring, &copy, data);                   // data: capacity bytes, mapped twice, back to back
 *         ring.header = header;                               // and from here on the file's own
 *     }
 */
#ifndef RINGLOG_RING_H
#define RINGLOG_RING_H

#include "layout.h"

/* A process's own view of a ring: addresses, and the geometry as it was checked at attach. */
typedef struct rl_ring {
    rl_header *header;
    uint8_t *data; /* `capacity` bytes, visible twice in a row */
    int64_t capacity, mask, stride;
    int stride_shift;
    uint32_t max_readers;
    uint64_t stream; /* the first bytes of the stream's id */
} rl_ring;

typedef enum rl_status {
    RL_OK = 0,
    RL_EMPTY,    /* nothing to read yet */
    RL_OVERRUN,  /* the writer has passed this place */
    RL_CORRUPT,  /* the bytes contradict themselves: nothing here is believed */
    RL_NOT_RING, /* not a ring at all */
    RL_OTHER_VERSION, /* a ring of another format */
    RL_TRUNCATED /* the file is shorter than its header says */
} rl_status;

static inline int64_t rl_header_bytes(uint32_t max_readers) {
    return (int64_t)sizeof(rl_header) + (int64_t)max_readers * (int64_t)sizeof(rl_reader_slot);
}

/* Where the data of a new ring begins. */
static inline int64_t rl_data_start(int64_t capacity, uint32_t max_readers) {
    int64_t align = capacity >= RL_HUGE_CAPACITY ? RL_HUGE_ALIGN : RL_DATA_ALIGN;
    return (rl_header_bytes(max_readers) + align - 1) / align * align;
}

/* The entry at some position, loaded once: whoever checks it and then uses it, uses what was checked. */
static inline rl_entry rl_entry_at(const uint8_t *memory) {
    uint64_t timestamp, rest;
    rl_racing_copy(&timestamp, memory, sizeof timestamp);
    rl_racing_copy(&rest, memory + sizeof timestamp, sizeof rest);
    RL_LOADED(timestamp);
    RL_LOADED(rest);
    rl_entry entry = {(int64_t)timestamp, (uint32_t)rest, (uint32_t)(rest >> 32)};
    return entry;
}

static inline rl_reader_slot *rl_readers(rl_header *header) {
    return (rl_reader_slot *)((uint8_t *)header + sizeof(rl_header));
}

static inline int64_t rl_largest_batch(const rl_ring *ring) { return ring->capacity / 2; }

/* The stride that position p lies in. */
static inline int64_t rl_stride_of(const rl_ring *ring, int64_t p) {
    return (p - RL_FIRST_POSITION) >> ring->stride_shift;
}

/* The memory of position p: at least `capacity` contiguous bytes from there, thanks to the mirror. */
static inline uint8_t *rl_at(const rl_ring *ring, int64_t p) {
    return ring->data + ((p - RL_FIRST_POSITION) & ring->mask);
}

/* Is this the header of a ring that we can use? `why` (a literal) is set unless RL_OK. */
static inline rl_status rl_header_check(const rl_header *h, int64_t file_size, const char **why) {
    *why = "";
    if (file_size < (int64_t)sizeof(rl_header))
        return *why = "too short for a ring", RL_NOT_RING;
    if (memcmp(h->magic, RL_MAGIC, sizeof h->magic) != 0 || h->byte_order != RL_BYTE_ORDER)
        return *why = "no ring header", RL_NOT_RING;
    if (h->version != RL_VERSION)
        return *why = "format version", RL_OTHER_VERSION;
    if (h->features & ~RL_FEATURES_KNOWN)
        return *why = "unknown feature flags", RL_OTHER_VERSION;
    if (h->capacity < RL_MIN_CAPACITY || h->capacity > RL_MAX_CAPACITY || (h->capacity & (h->capacity - 1)))
        return *why = "capacity", RL_CORRUPT;
    if (h->max_readers < 1 || h->max_readers > RL_MAX_READERS || h->max_writers != RL_MAX_WRITERS)
        return *why = "slot tables", RL_CORRUPT;
    if (h->stride != h->capacity / RL_STRIDES || h->mark_count != RL_MARKS)
        return *why = "stride", RL_CORRUPT;
    if (h->data_start != rl_data_start(h->capacity, h->max_readers))
        return *why = "data_start", RL_CORRUPT;
    if (file_size < h->data_start + h->capacity)
        return *why = "shorter than its header says", RL_TRUNCATED;
    return RL_OK;
}

/* From now on this is the stream that is attached. rl_ring_init does it; a restart gives the stream a new id. */
static inline void rl_ring_remember(rl_ring *ring) {
    memcpy(&ring->stream, ring->header->stream_id, sizeof ring->stream);
}

/* Take the geometry of a checked header. */
static inline void rl_ring_init(rl_ring *ring, rl_header *header, uint8_t *data) {
    ring->header = header;
    ring->data = data;
    ring->capacity = header->capacity;
    ring->mask = header->capacity - 1;
    ring->stride = header->capacity / RL_STRIDES;
    ring->stride_shift = __builtin_ctzll((unsigned long long)ring->stride);
    ring->max_readers = header->max_readers;
    rl_ring_remember(ring);
}

/* Is it still the stream that was attached? Not if somebody has copied another ring over the file. */
static inline int rl_same_stream(const rl_ring *ring) {
    uint64_t now;
    memcpy(&now, ring->header->stream_id, sizeof now);
    return now == ring->stream;
}

/* Fill in the header of a new, empty ring; `header` is rl_data_start() bytes of zeros. */
static inline void rl_header_format(rl_header *h, int64_t capacity, uint32_t max_readers, int64_t now,
                                    const uint8_t stream_id[16], const uint8_t file_id[16],
                                    const uint8_t boot_id[16]) {
    h->write_offset = h->tail_offset = h->gate_offset = RL_FIRST_POSITION;
    h->start_timestamp = h->created = now;
    h->head[0].position = h->tail[0].position = h->gate[0].position = RL_FIRST_POSITION;
    memcpy(h->magic, RL_MAGIC, sizeof h->magic);
    h->version = RL_VERSION;
    h->byte_order = RL_BYTE_ORDER;
    h->data_start = rl_data_start(capacity, max_readers);
    h->capacity = capacity;
    h->stride = capacity / RL_STRIDES;
    h->mark_count = RL_MARKS;
    h->max_writers = RL_MAX_WRITERS;
    h->max_readers = max_readers;
    memcpy(h->stream_id, stream_id, 16);
    memcpy(h->file_id, file_id, 16);
    memcpy(h->boot_id, boot_id, 16);
    h->marks[0].position = RL_FIRST_POSITION;
}

#endif
