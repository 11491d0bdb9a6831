/* ringlog/columns.h: many events of a ring as columns: data back to back, timestamps, sizes.
 *
 * Concept:   the entries up to one head are one run of memory (the ring is mapped twice), so a block of
 *            them is planned first, which tells what to allocate, and then copied and checked in one pass.
 * Guarantee: what rl_columns_take counts are whole published events, one after the other from where the
 *            reader stood; nothing is ever written outside the columns' room, whatever the ring says.
 * Caveat:    a plan is a hint: in a lossy ring the entries may change behind it. What went wrong after the
 *            last whole event shows again when that place is read again.
 * Usage:
 *     rl_reader_head(ring, &reader, head.position) and rl_reader_next(ring, &reader, &first, &data), both RL_OK
 *     rl_columns_plan(ring, &reader, &first, head.sequence, limit, most, &columns);
 *     ...room for columns.count_max timestamps and sizes, and for columns.data_max bytes...
 *     status = rl_columns_take(ring, &reader, &columns, checksum->copy);
 */
#ifndef RINGLOG_COLUMNS_H
#define RINGLOG_COLUMNS_H

#include "reader.h"

typedef struct rl_columns {
    uint8_t *data; /* of all events, back to back */
    int64_t *timestamps;
    uint32_t *sizes;
    int64_t count_max, data_max; /* room */
    int64_t count, data_size;    /* of it used */
} rl_columns;

/* How much room the next events need: at most `limit` of them, and at most `most` bytes of the stream, but at
 * least one. `first` is the next entry, checked; head_sequence belongs to the reader's head (0: not known).
 * Precondition: limit >= 1. */
static inline void rl_columns_plan(const rl_ring *ring, const rl_reader *r, const rl_entry *first,
                                   int64_t head_sequence, int64_t limit, int64_t most, rl_columns *out) {
    int64_t span = r->head - r->position, known = head_sequence - r->sequence;
    if (known > 0 && known <= limit && span <= most &&
        known * RL_ENTRY_SIZE + (int64_t)first->size <= span) {
        out->count_max = known;
        out->data_max = span - known * RL_ENTRY_SIZE;
        return;
    }
    int64_t count = 1, total = RL_ENTRY_SIZE + (int64_t)first->size;
    if (most > span)
        most = span;
    while (count < limit && most - total >= RL_ENTRY_SIZE) {
        uint32_t size;
        memcpy(&size, rl_at(ring, r->position + total) + offsetof(rl_entry, size), sizeof size);
        __asm__("" : "+r"(size)); /* loaded once: it may change between two looks */
        int64_t bytes = RL_ENTRY_SIZE + (int64_t)size;
        if (bytes > most - total)
            break;
        total += bytes;
        count++;
    }
    out->count_max = count;
    out->data_max = total - count * RL_ENTRY_SIZE;
}

/* Copy the next events until the head or the room ends. RL_OK, or why it stopped before: RL_OVERRUN, RL_CORRUPT. */
static inline rl_status rl_columns_take(const rl_ring *ring, rl_reader *r, rl_columns *c, rl_copy_fn copy) {
    rl_reader at = *r;
    int64_t count = 0, used = 0;
    rl_status status = RL_OK;
    while (count < c->count_max && at.position < at.head) {
        rl_entry entry;
        status = rl_entry_load(ring, at.position, at.head, &entry);
        if (RL_UNLIKELY(status != RL_OK))
            break;
        if (RL_UNLIKELY((int64_t)entry.size > c->data_max - used)) {
            status = RL_CORRUPT; /* it was smaller when we planned */
            break;
        }
        const uint8_t *from = rl_at(ring, at.position) + RL_ENTRY_SIZE;
        uint32_t sum = entry.checksum;
        if (RL_LIKELY(copy != NULL))
            sum = copy(c->data + used, from, entry.size);
        else
            memcpy(c->data + used, from, entry.size);
        status = rl_reader_check(ring, &at);
        if (RL_LIKELY(status == RL_OK) && RL_UNLIKELY(sum != entry.checksum))
            status = RL_CORRUPT;
        if (RL_UNLIKELY(status != RL_OK))
            break;
        c->timestamps[count] = entry.timestamp;
        c->sizes[count] = entry.size;
        count++;
        used += (int64_t)entry.size;
        rl_reader_advance(&at, &entry);
    }
    c->count = count;
    c->data_size = used;
    *r = at;
    return status;
}

#endif
