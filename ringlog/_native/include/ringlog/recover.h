/* ringlog/recover.h: putting a ring in order after a writer was killed, or the machine.
 *
 * Concept:   a killed process: memory is as it left it, every store before the kill is there and none
 *            behind it. write_offset is the truth; the copies are derived from its head record. A
 *            crashed machine: the kernel may have written any page back at any time, so nothing in
 *            the file is believed but a commit record (data synced, then the record, then synced).
 *            `commits_dirty` is set before a record is changed and taken back when the header has been
 *            synced: whoever finds it set syncs before he writes an entry. A sync that fails leaves a bit in
 *            it too: the kernel reports an error once and then takes the pages for clean, so the next sync
 *            has to write them all again.
 * Guarantee: rl_recover loses no published event, and may itself be killed and run again. rl_restart
 *            leaves the stream as the newest valid commit record says, or empty.
 * Caveat:    precondition of all: the lock is held. rl_restart only when no process can have the ring
 *            open since the crash, that is under another boot id.
 * Usage:     if (owner was dead) { rl_owner_replace(...); rl_recover(ring); }
 */
#ifndef RINGLOG_RECOVER_H
#define RINGLOG_RECOVER_H

#include "jump.h"
#include "seek.h"
#include "writer.h"

/* After a killed holder of the lock. RL_CORRUPT: no record matches, or head and tail contradict each other, which no
 * kill can cause. */
static inline rl_status rl_recover(const rl_ring *ring) {
    rl_header *h = ring->header;
    rl_place head, tail, last = {0, 0}; /* set by what says RL_OK, which not every compiler can see */
    if (!rl_jump_settle(ring) || rl_ends(ring, &tail, &head) != RL_OK)
        return RL_CORRUPT;
    RL_POINT(recover_begun);
    RL_STORE_RELAXED(&h->event_count, head.sequence);
    RL_POINT(recover_counted);
    for (int k = 0; k < RL_MARKS; k++) /* boundaries of entries that were never published */
        if (h->marks[k].position > head.position) {
            RL_STORE_RELEASE(&h->marks[k].position, 0); /* pairs with rl_mark_load */
            RL_POINT(recover_mark);
        }
    /* last_timestamp may be that of an entry that was never published: take the last published one's. */
    int64_t timestamp = 0;
    rl_status status = rl_seek_start(ring, head.sequence - 1, INT64_MAX, &head, &last);
    while (status == RL_OK && last.position < head.position)
        status = rl_step(ring, head.position, &last, &timestamp);
    const rl_mark *mark = &h->marks[rl_stride_of(ring, head.position) & (RL_MARKS - 1)];
    if (head.position == tail.position && mark->position == head.position && mark->sequence == head.sequence)
        timestamp = mark->timestamp; /* nothing to look at, as behind a jump, which leaves this mark */
    else if (head.position == tail.position && head.sequence)
        status = RL_EMPTY;
    if (status == RL_OK)
        RL_STORE_RELAXED(&h->last_timestamp, timestamp);
    RL_POINT(recover_stamped);
    rl_room_withdraw(ring);
    RL_POINT(recover_gate);
    return RL_OK;
}

/* ---- commit records ---- */

/* Record k, copied once: what is checked is what is used. 1 if it is valid. */
static inline int rl_commit_load(const rl_ring *ring, int k, rl_commit *out, rl_sum_fn sum) {
    memcpy(out, &ring->header->commits[k], sizeof *out);
    RL_FENCE_ACQUIRE(); /* pairs with nothing: it keeps the compiler from looking at the header again */
    rl_place head = {out->head.position, out->head.sequence}, tail = {out->tail.position, out->tail.sequence};
    return out->generation && out->checksum == sum(out, offsetof(rl_commit, checksum)) &&
           rl_place_possible(head) && rl_place_possible(tail) && rl_places_in_order(tail, head) &&
           head.position - tail.position <= ring->capacity;
}

/* The newest valid commit record: which one, or -1. */
static inline int rl_commit_newest(const rl_ring *ring, rl_commit *out, rl_sum_fn sum) {
    rl_commit records[2];
    int valid[2], newest = -1;
    for (int k = 0; k < 2; k++) {
        valid[k] = rl_commit_load(ring, k, &records[k], sum);
        if (valid[k] && (newest < 0 || records[k].generation > records[newest].generation))
            newest = k;
    }
    if (newest >= 0)
        *out = records[newest];
    return newest;
}

/* A record is about to be changed: who takes over from us, killed, must know. The fence keeps the change behind the
 * flag, which the flag's own order would not. Pairs with the acquire in rl_writer_settle_commits. */
static inline void rl_commits_touch(rl_header *h) {
    (void)RL_FETCH_OR(&h->commits_dirty, RL_COMMITS_CHANGED);
    RL_FENCE_RELEASE();
}

/* Note head and tail in the older record. The data between them must be on disk already; the record
 * counts once it is on disk itself. */
static inline void rl_commit_store(const rl_ring *ring, rl_place head, rl_place tail, int64_t timestamp,
                                   rl_sum_fn sum) {
    rl_header *h = ring->header;
    rl_commit next;
    int newest = rl_commit_newest(ring, &next, sum), spare = newest == 0;
    uint64_t first = h->commits[0].generation, second = h->commits[1].generation;
    RL_LOADED(first);
    RL_LOADED(second);
    memset(&next, 0, sizeof next);
    /* Of records that were dropped too: one of them may still be what the disk has. */
    next.generation = (first > second ? first : second) + 1;
    next.head.position = head.position;
    next.head.sequence = head.sequence;
    next.tail.position = tail.position;
    next.tail.sequence = tail.sequence;
    next.last_timestamp = timestamp;
    memcpy(next.stream_id, h->stream_id, 16);
    next.checksum = sum(&next, offsetof(rl_commit, checksum));
    rl_commits_touch(h);
    RL_POINT(commit_dirty);
    if (RL_UNLIKELY(next.generation == 0)) { /* nobody counts that far: the greatest was scribbled, so it must go */
        next.generation = 1;
        next.checksum = sum(&next, offsetof(rl_commit, checksum));
        memset(&h->commits[!spare], 0, sizeof next);
    }
    memcpy(&h->commits[spare], &next, sizeof next);
    RL_POINT(commit_stored);
}

/* Make a record invalid, and keep its generation: the next one must outbid what the disk may have. */
static inline void rl_commit_drop(rl_header *h, int k) {
    rl_commits_touch(h);
    h->commits[k].checksum = ~h->commits[k].checksum;
    RL_POINT(commit_dropped);
}

/* Forget records whose head lies beyond the published one: a writer was killed, or its disk failed,
 * between record and publication, and other bytes may come to stand there. */
static inline void rl_commit_drop_ahead(const rl_ring *ring, rl_sum_fn sum) {
    rl_header *h = ring->header;
    rl_commit record;
    for (int k = 0; k < 2; k++)
        if (rl_commit_load(ring, k, &record, sum) && record.head.position > RL_LOAD_RELAXED(&h->write_offset))
            rl_commit_drop(h, k);
}

typedef enum rl_commit_fate { RL_COMMIT_STANDS, RL_COMMIT_SHORTENED, RL_COMMIT_OVERWRITTEN } rl_commit_fate;

/* The bytes before `want` are about to be overwritten. A record that names some of them is shortened
 * (the header has to be synced before the first byte is written), or names nothing else. */
static inline rl_commit_fate rl_commit_shorten(const rl_ring *ring, rl_place want, rl_sum_fn sum) {
    rl_commit newest;
    if (rl_commit_newest(ring, &newest, sum) < 0 || newest.tail.position >= want.position)
        return RL_COMMIT_STANDS;
    if (newest.head.position < want.position)
        return RL_COMMIT_OVERWRITTEN;
    rl_place head = {newest.head.position, newest.head.sequence};
    rl_commit_store(ring, head, want, newest.last_timestamp, sum);
    return RL_COMMIT_SHORTENED;
}

/* Make the older record invalid. 1: there was one. */
static inline int rl_commit_drop_older(const rl_ring *ring, rl_sum_fn sum) {
    rl_header *h = ring->header;
    rl_commit record;
    int older = rl_commit_newest(ring, &record, sum) == 0;
    if (!rl_commit_load(ring, older, &record, sum))
        return 0;
    rl_commit_drop(h, older);
    return 1;
}

static inline void rl_commit_drop_all(const rl_ring *ring, rl_sum_fn sum) {
    rl_commit record;
    for (int k = 0; k < 2; k++)
        if (rl_commit_load(ring, k, &record, sum))
            rl_commit_drop(ring->header, k);
}

/* After a machine crash no reader is left. A name keeps its cursor, as far as the stream goes: what stands
 * before the head of a commit record is what it was. Events behind it that the name had finished are gone, and
 * others will come under their sequences. */
static inline void rl_restart_reader(rl_reader_slot *slot, rl_place head) {
    int status = RL_SLOT_STATUS(slot->state);
    rl_place cursor;
    int kept = (status == RL_SLOT_ACTIVE || status == RL_SLOT_PARKED) && slot->flags & RL_READER_NAMED &&
               rl_pair_load(&slot->cursor, slot->cursor_records, &cursor);
    slot->state = RL_SLOT_STATE(RL_SLOT_EPOCH(slot->state), kept ? RL_SLOT_PARKED : RL_SLOT_FREE);
    if (slot->lost_from > head.sequence) /* 1 + a sequence that is not there any more, and will be another event's */
        slot->lost_from = 0;
    if (!kept || (cursor.position <= head.position && cursor.sequence <= head.sequence))
        return;
    rl_pair_store(&slot->cursor, slot->cursor_records, head);
}

/* After a machine crash: go back to the newest commit record, or to an empty window. Marks and the owner are
 * those of processes that no longer exist. */
static inline void rl_restart(const rl_ring *ring, const uint8_t stream_id[16], const uint8_t boot_id[16],
                              int64_t now, rl_sum_fn sum) {
    rl_header *h = ring->header;
    rl_commit commit;
    int known = rl_commit_newest(ring, &commit, sum) >= 0;
    rl_place head = {RL_FIRST_POSITION, 0}, tail = head;
    int64_t timestamp = 0;
    RL_POINT(restart_begun);
    if (known) {
        head.position = commit.head.position;
        head.sequence = commit.head.sequence;
        tail.position = commit.tail.position;
        tail.sequence = commit.tail.sequence;
        timestamp = commit.last_timestamp;
    } else {
        rl_commit_drop_all(ring, sum);
        h->start_timestamp = now;
    }
    /* These two words stand in one sector: there was a moment at which the stream had ended there. */
    if (h->ended != head.position || h->write_offset != head.position)
        h->ended = 0;
    /* A stream that may have dropped events that somebody has read is another stream. The record stays:
     * a second crash goes back to it again. */
    if (!(h->clean && known && h->write_offset == head.position)) {
        memcpy(h->stream_id, stream_id, 16);
        h->restarts++;
    }
    for (uint32_t k = 0; k < ring->max_readers; k++)
        rl_restart_reader(&rl_readers(h)[k], head);
    RL_POINT(restart_renamed);
    memset(h->marks, 0, sizeof h->marks);
    if (head.position == RL_FIRST_POSITION)
        h->marks[0].position = RL_FIRST_POSITION;
    h->last_timestamp = timestamp;
    h->event_count = head.sequence;
    h->removed = 0; /* it was found by its name: on disk the removal has not happened */
    h->owner = h->last_owner = 0;
    h->sleepers = h->room_wanted = 0;
    h->jump = h->jumped = 0;
    RL_POINT(restart_cleared);
    /* What stands in these for one of the places that are stored now, with whatever sequence, would count too. */
    memset(h->head, 0, sizeof h->head);
    memset(h->tail, 0, sizeof h->tail);
    memset(h->gate, 0, sizeof h->gate);
    rl_pair_store(&h->tail_offset, h->tail, tail);
    rl_pair_store(&h->gate_offset, h->gate, tail);
    rl_pair_store(&h->write_offset, h->head, head);
    RL_POINT(restart_placed);
    /* The header has to be synced before anything is appended: a cursor that was moved back may not come back
     * beside a newer record. And a sync that failed in the last boot is over: this is what the disk has. */
    h->commits_dirty = RL_COMMITS_CHANGED;
    RL_FENCE_RELEASE(); /* whoever sees the new boot id, sees the rest; pairs with the fence in mapping_snapshot */
    memcpy(h->boot_id, boot_id, 16); /* last: until then the restart counts as not done */
    RL_POINT(restart_done);
}

#endif
