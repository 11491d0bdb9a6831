/* ringlog/recover.h: putting a ring in order after a writer was killed, or the machine.
 *
 * Concept:   a killed process: memory is as it left it, every store before the kill is there and none
 *            behind it. write_offset is the truth; the copies are derived from its head record. A
 *            crashed machine: the kernel may have written any page back at any time, so nothing in
 *            the file is believed but a commit record (data synced, then the record, then synced).
 *            `commits_dirty` is set before a record is changed and taken back when the header has been
 *            synced: whoever finds it set syncs before he writes an entry.
 * Guarantee: rl_recover loses no published event, and may itself be killed and run again. rl_restart
 *            leaves the stream as the newest valid commit record says, or empty.
 * Caveat:    precondition of all: the lock is held. rl_restart only when no process can have the ring
 *            open since the crash, that is under another boot id.
 * Usage:     if (owner was dead) { rl_owner_replace(...); rl_recover(ring); }
 */
#ifndef RINGLOG_RECOVER_H
#define RINGLOG_RECOVER_H

#include "seek.h"
#include "writer.h"

/* After a killed holder of the lock. RL_CORRUPT: no record matches, which no kill can cause. */
static inline rl_status rl_recover(const rl_ring *ring) {
    rl_header *h = ring->header;
    rl_place head, tail, last;
    if (!rl_head(ring, &head) || !rl_tail(ring, &tail))
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
    if (status == RL_OK && (head.position > tail.position || head.sequence == 0))
        RL_STORE_RELAXED(&h->last_timestamp, timestamp);
    RL_POINT(recover_stamped);
    rl_room_withdraw(ring);
    RL_POINT(recover_gate);
    return RL_OK;
}

/* ---- commit records ---- */

static inline int rl_commit_valid(const rl_commit *c, rl_sum_fn sum) {
    return c->generation && c->checksum == sum(c, offsetof(rl_commit, checksum)) &&
           c->tail.position >= RL_FIRST_POSITION && c->head.position >= c->tail.position;
}

/* The newest valid commit record, or NULL. */
static inline const rl_commit *rl_commit_newest(const rl_header *h, rl_sum_fn sum) {
    const rl_commit *a = &h->commits[0], *b = &h->commits[1];
    int a_valid = rl_commit_valid(a, sum), b_valid = rl_commit_valid(b, sum);
    if (a_valid && b_valid)
        return a->generation > b->generation ? a : b;
    return a_valid ? a : b_valid ? b : NULL;
}

/* Note head and tail in the older record. The data between them must be on disk already; the record
 * counts once it is on disk itself. */
static inline void rl_commit_store(const rl_ring *ring, rl_place head, rl_place tail, int64_t timestamp,
                                   rl_sum_fn sum) {
    rl_header *h = ring->header;
    const rl_commit *newest = rl_commit_newest(h, sum);
    rl_commit next;
    memset(&next, 0, sizeof next);
    /* Of records that were dropped too: one of them may still be what the disk has. */
    next.generation = (h->commits[0].generation > h->commits[1].generation ? h->commits[0] : h->commits[1]).generation + 1;
    next.head.position = head.position;
    next.head.sequence = head.sequence;
    next.tail.position = tail.position;
    next.tail.sequence = tail.sequence;
    next.last_timestamp = timestamp;
    memcpy(next.stream_id, h->stream_id, 16);
    next.checksum = sum(&next, offsetof(rl_commit, checksum));
    RL_STORE_RELEASE(&h->commits_dirty, 1); /* before the change: who takes over from us, killed, must know */
    RL_POINT(commit_dirty);
    memcpy(newest == &h->commits[0] ? &h->commits[1] : &h->commits[0], &next, sizeof next);
    RL_POINT(commit_stored);
}

/* Make a record invalid, and keep its generation: the next one must outbid what the disk may have. */
static inline void rl_commit_drop(rl_header *h, int k) {
    RL_STORE_RELEASE(&h->commits_dirty, 1); /* as in rl_commit_store */
    h->commits[k].checksum = ~h->commits[k].checksum;
    RL_POINT(commit_dropped);
}

/* Forget records whose head lies beyond the published one: a writer was killed, or its disk failed,
 * between record and publication, and other bytes may come to stand there. */
static inline void rl_commit_drop_ahead(const rl_ring *ring, rl_sum_fn sum) {
    rl_header *h = ring->header;
    for (int k = 0; k < 2; k++)
        if (rl_commit_valid(&h->commits[k], sum) &&
            h->commits[k].head.position > RL_LOAD_RELAXED(&h->write_offset))
            rl_commit_drop(h, k);
}

typedef enum rl_commit_fate { RL_COMMIT_STANDS, RL_COMMIT_SHORTENED, RL_COMMIT_OVERWRITTEN } rl_commit_fate;

/* The bytes before `want` are about to be overwritten. A record that names some of them is shortened
 * (the header has to be synced before the first byte is written), or names nothing else. */
static inline rl_commit_fate rl_commit_shorten(const rl_ring *ring, rl_place want, rl_sum_fn sum) {
    const rl_commit *newest = rl_commit_newest(ring->header, sum);
    if (!newest || newest->tail.position >= want.position)
        return RL_COMMIT_STANDS;
    if (newest->head.position < want.position)
        return RL_COMMIT_OVERWRITTEN;
    rl_place head = {newest->head.position, newest->head.sequence};
    rl_commit_store(ring, head, want, newest->last_timestamp, sum);
    return RL_COMMIT_SHORTENED;
}

static inline void rl_commit_drop_all(const rl_ring *ring, rl_sum_fn sum) {
    for (int k = 0; k < 2; k++)
        if (rl_commit_valid(&ring->header->commits[k], sum))
            rl_commit_drop(ring->header, k);
}

/* After a machine crash: go back to the newest commit record, or to an empty window. Slots, marks and
 * the owner are those of processes that no longer exist. */
static inline void rl_restart(const rl_ring *ring, const uint8_t stream_id[16], const uint8_t boot_id[16],
                              int64_t now, rl_sum_fn sum) {
    rl_header *h = ring->header;
    const rl_commit *commit = rl_commit_newest(h, sum);
    rl_place head = {RL_FIRST_POSITION, 0}, tail = head;
    int64_t timestamp = 0;
    RL_POINT(restart_begun);
    if (commit && commit->head.position - commit->tail.position <= ring->capacity) {
        head.position = commit->head.position;
        head.sequence = commit->head.sequence;
        tail.position = commit->tail.position;
        tail.sequence = commit->tail.sequence;
        timestamp = commit->last_timestamp;
    } else {
        rl_commit_drop_all(ring, sum);
        commit = NULL;
        h->start_timestamp = now;
    }
    /* A stream that may have dropped events that somebody has read is another stream. The record stays:
     * a second crash goes back to it again. */
    if (!(h->clean && commit && h->write_offset == head.position)) {
        memcpy(h->stream_id, stream_id, 16);
        h->restarts++;
        for (uint32_t k = 0; k < ring->max_readers; k++)
            rl_readers(h)[k].state = RL_SLOT_STATE(RL_SLOT_EPOCH(rl_readers(h)[k].state), RL_SLOT_FREE);
    }
    RL_POINT(restart_renamed);
    memset(h->marks, 0, sizeof h->marks);
    if (head.position == RL_FIRST_POSITION)
        h->marks[0].position = RL_FIRST_POSITION;
    h->last_timestamp = timestamp;
    h->event_count = head.sequence;
    h->ended = 0;
    h->owner = h->last_owner = 0;
    h->sleepers = h->room_wanted = 0;
    RL_POINT(restart_cleared);
    rl_pair_store(&h->tail_offset, h->tail, tail);
    rl_pair_store(&h->gate_offset, h->gate, tail);
    rl_pair_store(&h->write_offset, h->head, head);
    RL_POINT(restart_placed);
    RL_FENCE_RELEASE(); /* whoever sees the new boot id, sees the rest */
    memcpy(h->boot_id, boot_id, 16); /* last: until then the restart counts as not done */
    RL_POINT(restart_done);
}

#endif
