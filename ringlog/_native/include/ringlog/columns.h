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
 *     rl_columns_plan(ring, &reader, &first, head.sequence, limit, most, 0, &columns);
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
 * least one. `first` is the next entry, checked; head_sequence belongs to the reader's head (0: not known). With
 * `guess`, events that are on average as large as the first are taken to be all as large: it saves a walk that
 * costs half as much as the copy. 0: that is what was done, and if the room ends too early, ask again without.
 * Precondition: limit >= 1. */
static inline int rl_columns_plan(const rl_ring *ring, const rl_reader *r, const rl_entry *first,
                                  int64_t head_sequence, int64_t limit, int64_t most, int guess,
                                  rl_columns *out) {
    int64_t span = r->head - r->position;
    int64_t known = (int64_t)((uint64_t)head_sequence - (uint64_t)r->sequence); /* it may be anything */
    int64_t step = RL_ENTRY_SIZE + (int64_t)first->size;
    int believable = known > 0 && known - 1 <= (span - step) / RL_ENTRY_SIZE;
    if (believable && known <= limit && span <= most) {
        out->count_max = known;
        out->data_max = span - known * RL_ENTRY_SIZE;
        return 1;
    }
    if (most > span)
        most = span;
    if (believable && guess && span % step == 0 && span / step == known) {
        out->count_max = most < step ? 1 : most / step < limit ? most / step : limit;
        out->data_max = out->count_max * (int64_t)first->size;
        return 0;
    }
    int64_t count = 1, total = step;
    while (count < limit && most - total >= RL_ENTRY_SIZE) {
        uint32_t size;
        rl_racing_copy(&size, rl_at(ring, r->position + total) + offsetof(rl_entry, size), sizeof size);
        __asm__("" : "+r"(size)); /* loaded once: it may change between two looks */
        int64_t bytes = RL_ENTRY_SIZE + (int64_t)size;
        if (bytes > most - total)
            break;
        total += bytes;
        count++;
    }
    out->count_max = count;
    out->data_max = total - count * RL_ENTRY_SIZE;
    return 1;
}

/* Copy the next events until the head or the room ends. RL_OK, or why it stopped before: RL_OVERRUN, RL_CORRUPT. */
static inline rl_status rl_columns_take(const rl_ring *ring, rl_reader *r, rl_columns *c, rl_copy_fn copy) {
    rl_reader at = *r;
    uint8_t *data = c->data;
    int64_t *timestamps = c->timestamps, count_max = c->count_max, count = 0;
    uint32_t *sizes = c->sizes;
    const uint8_t *end = data + c->data_max;
    rl_status status = RL_OK;
    while (count < count_max && at.position < at.head) {
        rl_entry entry;
        status = rl_entry_load(ring, at.position, at.head, &entry);
        if (RL_UNLIKELY(status != RL_OK))
            break;
        if (RL_UNLIKELY((int64_t)entry.size > end - data)) {
            status = RL_CORRUPT; /* it was smaller when we planned, or a guess was wrong */
            break;
        }
        const uint8_t *from = rl_at(ring, at.position) + RL_ENTRY_SIZE;
        uint32_t sum = entry.checksum;
        if (RL_LIKELY(copy != NULL))
            sum = copy(data, from, entry.size);
        else
            rl_racing_copy(data, from, entry.size);
        RL_POINT(column_copied);
        status = rl_reader_check(ring, &at);
        if (RL_LIKELY(status == RL_OK) && RL_UNLIKELY(sum != entry.checksum))
            status = RL_CORRUPT;
        if (RL_UNLIKELY(status != RL_OK))
            break;
        timestamps[count] = entry.timestamp;
        sizes[count++] = entry.size;
        data += entry.size;
        rl_reader_advance(&at, &entry);
    }
    c->count = count;
    c->data_size = data - c->data;
    *r = at;
    return status;
}

#endif
