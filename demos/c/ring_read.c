/* ring_read.c: reading, by ringlog's headers. As reader_take.c does it for Python. */
#include "ring_inside.h"

#include <errno.h>
#include <stdlib.h>

#define NAME_CHECK (SECOND / 2) /* of waiting: has the file still its name? */

/* What was copied is finished: tell the writer, if we hold it back. */
static void publish_cursor(ring_reader *r) {
    rl_header *h = r->map.ring.header;
    if (!r->slot)
        return;
    rl_cursor_store(r->slot, (rl_place){r->at.position, r->at.sequence});
    /* No fence before this look: a writer that sleeps just now wakes by itself within a millisecond. */
    if (RL_LOAD_RELAXED(&h->room_wanted) && r->at.position >= RL_LOAD_RELAXED(&h->gate_offset) &&
        rl_sleepers_taken(&h->room_wanted, &h->room_futex))
        rl_wake_all(&h->room_futex);
}

static int overrun(ring_reader *r, ring_event *event) {
    rl_place tail;
    if (!rl_tail(&r->map.ring, &tail) || tail.position <= r->at.position || tail.sequence <= r->at.sequence)
        return -EBADMSG; /* passed means that the tail is further on */
    event->sequence = r->at.sequence;
    if (r->slot && !rl_cursor_join(&r->map.ring, r->slot, r->index, &tail))
        return -EBADMSG;
    rl_reader_place(&r->at, tail);
    event->lost = tail.sequence - event->sequence;
    return RING_LOST;
}

/* The event at our place, copied and then checked. */
static int take(ring_reader *r, const rl_entry *entry, const uint8_t *data, ring_event *event) {
    if (entry->size > r->room || !r->buffer) {
        size_t room = (size_t)entry->size + 1;
        uint8_t *larger = realloc(r->buffer, room);
        if (!larger)
            return -ENOMEM;
        r->buffer = larger;
        r->room = room;
    }
    uint32_t sum = r->sum->copy(r->buffer, data, entry->size);
    if (rl_reader_check(&r->map.ring, &r->at) != RL_OK)
        return overrun(r, event);
    if (rl_mapping_broken(&r->map))
        return -EIO;
    if (sum != entry->checksum)
        return -EBADMSG;
    *event = (ring_event){r->at.sequence, entry->timestamp, r->buffer, entry->size, 0};
    rl_reader_advance(&r->at, entry);
    publish_cursor(r);
    return RING_EVENT;
}

/* Nothing there: for now, or for good? */
static int nothing(ring_reader *r) {
    rl_header *h = r->map.ring.header;
    if (RL_LOAD_ACQUIRE(&h->ended) == r->at.position) /* pairs with the release in ring_end and mapping_end */
        return RING_ENDED;
    int gone = RL_LOAD_ACQUIRE(&h->removed) != 0; /* pairs with mark_removed */
    int64_t now = rl_monotonic();
    if (!gone && now - r->name_checked >= NAME_CHECK) {
        r->name_checked = now;
        gone = !rl_mapping_named(&r->map);
    }
    if (gone && RL_LOAD_ACQUIRE(&h->write_offset) <= r->at.position) /* as in rl_reader_next */
        return -EIDRM;
    return RING_NOTHING;
}

int ring_read(ring_reader *r, ring_event *event, int64_t timeout) {
    const rl_ring *ring = &r->map.ring;
    int64_t deadline = timeout > 0 ? ring_deadline(timeout) : timeout;
    if (r->slot && r->fork_generation != rl_fork_generation())
        return -ECHILD;
    for (int first = 1;; first = 0) {
        rl_entry entry;
        const uint8_t *data;
        rl_status status = rl_reader_next(ring, &r->at, &entry, &data);
        if (rl_mapping_broken(&r->map))
            return -EIO; /* whatever it looks like */
        if (status == RL_OK)
            return take(r, &entry, data, event);
        if (status == RL_OVERRUN)
            return overrun(r, event);
        int result = status == RL_EMPTY ? nothing(r) : -EBADMSG;
        if (result != RING_NOTHING || timeout == 0)
            return result;
        int64_t left = timeout < 0 ? INT64_MAX : deadline - rl_monotonic();
        if (left <= 0)
            return RING_NOTHING;
        if (!first || !rl_wait_awake(ring, r->at.position, left, RL_WAIT_ADAPTIVE, &r->patience))
            (void)rl_wait_head(ring, r->at.position, left, RL_WAIT_ADAPTIVE, r->announce, first, &r->patience);
    }
}
