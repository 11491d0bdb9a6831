/* lock.pml: the semaphore, the owner word, death at any step, and recovery (owner.h, recover.h, lock.py).
 *
 * Two writers append an event each; THREE: three. Two are killed at any step, in recovery too, and slot 0 may be another
 * process's then, under a new epoch. Meanwhile the semaphore loses its token or gets one too many.
 *
 * Here every store is seen at once. That is right for what this model is about: the owner word is changed by
 * read-modify-write operations, which agree on an order, and by its holder; and who finds somebody dead has asked the
 * kernel, which orders him behind all that the dead one did. What else is handed on with the lock is in publish.pml.
 *
 * Must pass: nothing defined, THREE: never two writers, and nothing published is lost. ENDS, with fairness: every
 * writer that is not killed gets its turn.
 * Must fail: ROB_LIVE, NO_RECOVERY, TOKEN_DECIDES, THREE with ONE_EPOCH; ENDS with NEEDS_TOKEN, with NO_LEASE.
 */
#ifdef THREE
#define WRITERS 3
#else
#define WRITERS 2
#endif
#define DEATHS 2
#define TOKENS 2

#define CONTENDED 64
#define word_of(slot, epoch) (1 + slot + 4 * epoch)
#define slot_of(word) ((word % 4) - 1)
#define epoch_of(word) ((word % CONTENDED) / 4)

byte token = 1, owner, deaths, finished;
bool again;
bool lease[WRITERS];
byte epoch[WRITERS]; /* in the slot's state word */

byte inside; /* who writes and lives: never more than one */
byte published; /* write_offset, in events */
byte count, position[2]; /* event_count; the head records */
#define NOWHERE 15 /* a record that is being changed */

/* One step, or death before it. */
#define step(what)                                                                                 \
    if                                                                                             \
    :: atomic { deaths < DEATHS -> deaths++; goto died }                                           \
    :: d_step { what }                                                                             \
    fi

#ifdef NO_LEASE
#define is_dead(seen) false
#else
#define is_dead(seen) (!lease[slot_of(seen)] || epoch[slot_of(seen)] != epoch_of(seen))
#endif

proctype writer(byte slot) {
    byte seen; /* the owner word, when it was not free */
    bool mine;
begin:
    lease[slot] = true;
wait:
    if /* rl_sem_wait: a token, or 50 ms are over */
    :: atomic { token > 0 -> token-- }
#ifdef TOKEN_DECIDES
       ;
       owner = word_of(slot, epoch[slot]);
       goto locked
#endif
#ifndef NEEDS_TOKEN
    :: true
#endif
    fi;
    step( /* rl_owner_take */
        if
        :: owner == 0 -> owner = word_of(slot, epoch[slot]); seen = 0
        :: else -> seen = owner
        fi
    );
    if
    :: seen == 0 -> goto locked
#ifdef ROB_LIVE
    :: seen != 0 -> skip
#else
    :: seen != 0 && is_dead(seen) -> skip
    :: seen != 0 && !is_dead(seen) ->
       d_step { /* rl_owner_contend */
           if
           :: owner == seen && seen < CONTENDED -> owner = seen + CONTENDED
           :: else
           fi;
           seen = 0
       };
       goto wait
#endif
    fi;
    d_step { /* rl_owner_replace: the verdict may be out of date by now, but then so is the word */
        if
        :: owner == seen -> owner = word_of(slot, epoch[slot]); mine = true; inside++; assert(inside == 1)
        :: else
        fi;
        seen = 0
    };
    if
    :: !mine -> goto wait
    :: else
    fi;
#ifndef NO_RECOVERY
    step( /* rl_recover: whatever the dead one left, a record matches */
        assert(position[0] == published || position[1] == published);
        count = published
    );
#endif
    goto append;

locked:
    skip;
    d_step { mine = true; seen = 0; inside++; assert(inside == 1) }; /* no two writers */
append:
    assert(count == published); /* nothing published is lost, nothing is there twice */
    step( /* rl_append_publish: the copies, and rl_pair_store */
        count++;
        if
        :: position[0] == published -> position[1] = NOWHERE
        :: else -> position[0] = NOWHERE
        fi
    );
    step(
        if
        :: position[0] == published -> position[1] = count
        :: else -> position[0] = count
        fi
    );
    step(published = count);
    step( /* rl_owner_release */
        assert(owner % CONTENDED == word_of(slot, epoch[slot]));
        owner = 0; inside--; mine = false
    );
    step( /* sem_post, close() */
        if
        :: token < TOKENS -> token++
        :: else
        fi;
        lease[slot] = false
    );
    goto over;

died:
    atomic {
        if
        :: mine -> inside--; mine = false
        :: else
        fi;
        lease[slot] = false; seen = 0;
        if
        :: slot == 0 && !again -> again = true; goto taken
        :: true -> goto over
        fi
    };
taken: /* another process takes the slot: the lease first, then the epoch */
    lease[slot] = true;
#ifndef ONE_EPOCH
    epoch[slot]++;
#endif
    goto begin;
over:
    finished++
}

proctype clean_up() { /* ipcrm, or a blind post */
    atomic {
        if
        :: token > 0 -> token = 0
        :: token < TOKENS -> token++
        :: true
        fi
    }
}

init {
    atomic {
        position[1] = NOWHERE;
        run writer(0); run writer(1); run clean_up()
#ifdef THREE
        ;
        run writer(2)
#endif
    }
}

#ifdef ENDS
ltl ends { <> (finished == WRITERS) }
#endif
