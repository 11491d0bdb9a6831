/* ringlog/owner.h: the word that says who may write.
 *
 * Concept:   a POSIX semaphore is the queue of writers, but it has no owner: a killed holder leaves
 *            it at 0, a clean-up can remove it, a blind post lets two in. So the truth is one word in
 *            the header: 0, or the slot and epoch of the holder, taken by compare-and-swap.
 * Guarantee: one holder at a time, whatever becomes of the semaphore. A slot's epoch is never
 *            reused, so a word names one writer for ever and a swap can't hit a successor.
 * Caveat:    whether the named holder still lives is not known here: only the operating system can
 *            tell (its lease). Replace an owner only when it is known to be dead.
 * Usage:
 *     if (rl_owner_take(h, me)) { ...write, publish...; rl_owner_release(h); sem_post(sem); }
 */
#ifndef RINGLOG_OWNER_H
#define RINGLOG_OWNER_H

#include "ring.h"

#define RL_CONTENDED (1ull << 63) /* somebody has waited long: let go for a moment */

static inline uint64_t rl_owner_word(uint64_t slot, uint64_t epoch) { return epoch << 16 | slot; }
static inline uint64_t rl_owner_slot(uint64_t word) { return word & 0xffff; }
static inline uint64_t rl_owner_epoch(uint64_t word) { return (word & ~RL_CONTENDED) >> 16; }

/* me in the place of `seen`; 1 if it was there. Acquire; pairs with rl_owner_release: what the last holder wrote is
 * seen. He may have moved the tail, and we overwrite what he gave up: the fence pairs with the acquire fence in
 * rl_intact as rl_room_take's does, which orders the stores of its own thread alone. */
static inline int rl_owner_swap(rl_header *h, uint64_t seen, uint64_t me) {
    if (!RL_SWAP(&h->owner, seen, me))
        return 0;
    RL_FENCE_RELEASE();
    return 1;
}

/* Take the word if it is free. */
static inline int rl_owner_take(rl_header *h, uint64_t me) { return rl_owner_swap(h, 0, me); }

/* Put `me` in the place of `seen`, which is known to be dead. 0 if somebody else was faster. */
static inline int rl_owner_replace(rl_header *h, uint64_t seen, uint64_t me) {
    return rl_owner_swap(h, seen, me);
}

/* Ask the holder for a turn. Losing the swap is fine: then the word has just moved. */
static inline void rl_owner_contend(rl_header *h, uint64_t seen) {
    if (seen && !(seen & RL_CONTENDED))
        (void)RL_SWAP(&h->owner, seen, seen | RL_CONTENDED);
}

static inline int rl_owner_is(const rl_header *h, uint64_t me) {
    return (RL_LOAD_RELAXED(&h->owner) & ~RL_CONTENDED) == me;
}

/* Let go. 1 if somebody asked for a turn. Only the holder calls this, so a plain store can't hide
 * a change of hands; a contended bit set between the two lines is set again by its waiter. */
static inline int rl_owner_release(rl_header *h) {
    uint64_t word = RL_LOAD_RELAXED(&h->owner);
    RL_STORE_RELEASE(&h->owner, 0); /* pairs with the swap in rl_owner_swap */
    return (word & RL_CONTENDED) != 0;
}

#endif
