/* ring_append.c: the lock, room, and appending, by ringlog's headers. As lock.py, writer_room.c and writer_write.c do it
 * for Python. */
#include "ring_inside.h"

#include <errno.h>

#define MILLISECOND INT64_C(1000000)
#define FIRST_WAIT (1 * MILLISECOND) /* for the lock; doubled up to */
#define LONGEST_WAIT (50 * MILLISECOND)
#define SHORT_SLEEPS 20 /* for room: a reader may make some without saying so; then they are */
#define SHORT_SLEEP (1 * MILLISECOND)
#define LONG_SLEEP (5 * MILLISECOND)

/* ---- the lock ---- */

/* A semaphore has no owner: the word in the header is the truth, and a lease tells whether its owner lives. The lease
 * first: a slot is leased before its epoch moves. */
static int owner_is_dead(const ring_writer *w, uint64_t word) {
    uint64_t slot = rl_owner_slot(word);
    if (slot >= RL_MAX_WRITERS)
        return 1; /* no writer writes such a word */
    int held = rl_lease_held(&w->map, (int64_t)ring_writer_byte(slot));
    uint64_t state = RL_LOAD_ACQUIRE(&w->map.ring.header->writers[slot].state); /* pairs with the claim's release */
    return held == 0 || (held == 1 && RL_SLOT_EPOCH(state) != rl_owner_epoch(word));
}

/* Take a dead owner's place and put in order what it left. 1: done, 0: somebody was faster. */
static int replace_dead(ring_writer *w, uint64_t word) {
    rl_header *h = w->map.ring.header;
    if (!rl_owner_replace(h, word, w->me))
        return 0;
    if (rl_recover(&w->map.ring) != RL_OK) {
        RL_STORE_RELEASE(&h->owner, word); /* still the dead one's: nobody may go on as if */
        return -EBADMSG;
    }
    rl_commit_drop_ahead(&w->map.ring, w->sum->sum);
    RL_FETCH_ADD(&h->sleepers_futex, 1); /* the dead may have published and not woken */
    rl_wake_all(&h->sleepers_futex);
    return 1;
}

static void unlock(ring_writer *w, int published) {
    rl_header *h = w->map.ring.header;
    int contended = rl_owner_release(h);
    sem_post(w->semaphore);
    RL_FENCE_FULL_AFTER_RMW(); /* pairs with the full fence in rl_sleep_announce */
    if (published && rl_sleepers_taken(&h->sleepers, &h->sleepers_futex))
        rl_wake_all(&h->sleepers_futex);
    if (contended) /* somebody has waited long */
        rl_step_back(h);
}

static int lock_slowly(ring_writer *w, int64_t deadline) {
    rl_header *h = w->map.ring.header;
    int64_t wait = FIRST_WAIT;
    for (int done = 0; !done;) {
        int64_t left = deadline == INT64_MAX ? INT64_MAX : deadline - rl_monotonic();
        (void)rl_sem_wait(w->semaphore, left < 0 ? 0 : left < wait ? left : wait);
        if (rl_owner_take(h, w->me)) { /* with a token or without: the word decides */
            rl_room_withdraw(&w->map.ring);
            break;
        }
        uint64_t word = RL_LOAD_ACQUIRE(&h->owner); /* pairs with the release of the lock */
        if (word && owner_is_dead(w, word)) {
            if ((done = replace_dead(w, word)) < 0)
                return done;
            continue;
        }
        if (left <= 0)
            return -ETIMEDOUT;
        rl_owner_contend(h, word);
        if (RL_LOAD_ACQUIRE(&h->removed) || !rl_mapping_named(&w->map)) /* pairs with mark_removed */
            return -EIDRM;
        if (wait == LONGEST_WAIT) { /* maybe ours is not the one that has the name any more */
            ring_semaphore_close(w);
            ring_semaphore_open(w);
        }
        wait = 2 * wait < LONGEST_WAIT ? 2 * wait : LONGEST_WAIT;
    }
    for (int k = 0; k < 1000 && sem_trywait(w->semaphore) == 0;)
        k++; /* surplus tokens: our post will bring the one */
    return 0;
}

static int usable(const ring_writer *w) {
    if (w->fork_generation != rl_fork_generation())
        return -ECHILD;
    return rl_mapping_broken(&w->map) ? -EIO : 0;
}

static int lock(ring_writer *w, int64_t deadline) {
    rl_header *h = w->map.ring.header;
    int error = usable(w);
    if (!error && !(sem_trywait(w->semaphore) == 0 && rl_owner_take(h, w->me)))
        error = lock_slowly(w, deadline);
    if (!error && (RL_LOAD_ACQUIRE(&h->removed) || w->orphan)) { /* pairs with mark_removed */
        unlock(w, 0);
        error = -EIDRM;
    }
    return error;
}

/* ---- commit records, of rings on a disk: docs/guarantees.md, G9 ---- */

static int settle_commits(ring_writer *w) {
    rl_header *h = w->map.ring.header;
    if (w->map.in_memory || !(RL_LOAD_ACQUIRE(&h->commits_dirty) & RL_COMMITS_CHANGED)) /* pairs: rl_commits_touch */
        return 0;
    int error = rl_mapping_sync_header(&w->map);
    if (!error)
        (void)RL_FETCH_AND(&h->commits_dirty, ~(uint32_t)RL_COMMITS_CHANGED);
    return error;
}

/* What is before `want` will be overwritten: no record may go on naming it. */
static int protect_commit(ring_writer *w, rl_place want) {
    int error = 0;
    if (w->map.in_memory)
        return 0;
    if (rl_commit_shorten(&w->map.ring, want, w->sum->sum) == RL_COMMIT_OVERWRITTEN) {
        if (rl_commit_drop_older(&w->map.ring, w->sum->sum))
            error = settle_commits(w);
        if (error)
            return error;
        rl_commit_drop_all(&w->map.ring, w->sum->sum);
    }
    return settle_commits(w);
}

/* ---- writing ---- */

/* A lossless reader that was killed holds nobody up. 1: it was, and does not any more. */
static int reap(ring_writer *w, int index) {
    rl_reader_slot *slot = &rl_readers(w->map.ring.header)[index];
    uint64_t state = RL_LOAD_ACQUIRE(&slot->state); /* first: the verdict is about this holder */
    return RL_SLOT_STATUS(state) == RL_SLOT_ACTIVE &&
           rl_lease_held(&w->map, (int64_t)ring_reader_byte((uint64_t)index)) == 0 &&
           ring_release_reader(&w->map, slot, state);
}

/* With the lock: begin, and make room for `bytes`. An error: the lock is not held. While it waits for readers it does
 * not hold the lock either. */
static int begin(ring_writer *w, rl_append *a, int64_t bytes, int64_t deadline) {
    const rl_ring *ring = &w->map.ring;
    rl_place want;
    for (int sleeps = 0;; sleeps++) {
        int error = rl_append_begin(ring, a) == RL_OK ? settle_commits(w) : -EBADMSG;
        if (!error && !rl_room_short(ring, a, bytes))
            return 0;
        if (!error && rl_room_find(ring, a, bytes, &want) != RL_OK)
            error = -EBADMSG;
        if (!error) {
            rl_room_announce(ring, want);
            int slot = rl_room_blocker(ring, want.position);
            if (slot < 0 && !(error = protect_commit(w, want))) {
                rl_room_take(ring, want);
                return 0;
            }
            if (!error && reap(w, slot))
                continue;
            if (!error && rl_monotonic() >= deadline)
                error = -ETIMEDOUT;
            if (!error) {
                unlock(w, 0);
                rl_wait_room(ring, slot, want.position, sleeps < SHORT_SLEEPS ? SHORT_SLEEP : LONG_SLEEP);
                if ((error = lock(w, deadline)))
                    return error; /* what was announced a later holder takes back */
                continue;
            }
            rl_room_withdraw(ring);
        }
        unlock(w, 0);
        return error;
    }
}

int64_t ring_append(ring_writer *w, const void *data, size_t size, int64_t timeout) {
    rl_ring *ring = &w->map.ring;
    rl_append a;
    int64_t largest = rl_largest_batch(ring) - RL_ENTRY_SIZE, deadline = ring_deadline(timeout);
    if (size > UINT32_MAX || (int64_t)size > largest)
        return -EMSGSIZE;
    int error = lock(w, deadline);
    if (!error)
        error = begin(w, &a, RL_ENTRY_SIZE + (int64_t)size, deadline);
    if (error)
        return error;
    int64_t now = rl_now(), sequence = a.sequence; /* under the lock, and never back */
    rl_append_put(ring, &a, now > a.timestamp ? now : a.timestamp, data, (uint32_t)size, w->sum->copy);
    if (rl_mapping_broken(&w->map)) { /* not what we wrote, or not where others look */
        unlock(w, 0);
        return -EIO;
    }
    rl_append_publish(ring, &a);
    RL_STORE_RELAXED(&w->slot->last_publish, now);
    RL_STORE_RELAXED(&ring->header->last_owner, w->me);
    int64_t stride = rl_stride_of(ring, a.position);
    if (stride != w->named_stride) { /* once a stride: a gate that a killed writer left; has the file still its name? */
        rl_room_withdraw(ring);
        w->named_stride = stride;
        w->orphan = !rl_mapping_named(&w->map);
    }
    unlock(w, 1);
    return sequence;
}

int ring_end(ring_writer *w, int64_t timeout) {
    rl_header *h = w->map.ring.header;
    int error = lock(w, ring_deadline(timeout));
    if (error)
        return error;
    RL_STORE_RELEASE(&h->ended, RL_LOAD_RELAXED(&h->write_offset)); /* pairs with the reader's acquire */
    RL_FETCH_ADD(&h->sleepers_futex, 1);
    rl_wake_all(&h->sleepers_futex);
    unlock(w, 0);
    return 0;
}
