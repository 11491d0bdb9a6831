/* writer_write.c: lock, make room, write, publish, let go: the hot middle of the native Writer.
 *
 * The path without contention is here and makes no system call. Whatever needs a decision is a method
 * of the Python subclass, called by name: _lock (the lock was not free), _renew (others wait for it),
 * _reap (is this reader dead?), and those that raise: _unusable, _removed, _too_large, _ring_full...
 */
#include "writer_object.h"

#define HOUR INT64_C(3600000000000)
#define REAP_INTERVAL INT64_C(100000000)

int rl_writer_raise(WriterObject *self, const char *name) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, name, NULL);
    if (result) {
        Py_DECREF(result);
        PyErr_Format(PyExc_SystemError, "%s did not raise", name);
    }
    return 0;
}

int rl_writer_sound(WriterObject *self) {
    return RL_LIKELY(!rl_mapping_broken(&self->mapping->map)) ? 1 : rl_writer_raise(self, "_broken");
}

int rl_writer_usable(WriterObject *self) {
    if (RL_UNLIKELY(!self->mapping || self->stopping || self->fork_generation != rl_fork_generation()))
        return rl_writer_raise(self, "_unusable");
    return rl_writer_sound(self);
}

/* ---- the lock ---- */

void rl_writer_unlock(WriterObject *self, int published, int *contended) {
    rl_header *h = self->ring.header;
    if (RL_UNLIKELY(self->fork_generation != rl_fork_generation()))
        return; /* the parent's */
    if (!self->session) {
        *contended = rl_owner_release(h);
        RL_POINT(unlock_released);
        sem_post(self->semaphore->sem);
        RL_POINT(unlock_posted);
        RL_FENCE_FULL_AFTER_RMW(); /* pairs with the full fence in rl_sleep_announce */
    } else {
        RL_FENCE_FULL(); /* pairs with the same */
    }
    if (published && rl_sleepers_taken(&h->sleepers, &h->sleepers_futex)) {
        rl_wake_all(&h->sleepers_futex);
        RL_POINT(wake_done);
    }
}

int rl_writer_lock(WriterObject *self, int64_t deadline) {
    rl_header *h = self->ring.header;
    if (self->session) {
        if (RL_UNLIKELY(!rl_owner_is(h, self->me)))
            return rl_writer_raise(self, "_session_lost");
    } else if (!(RL_LIKELY(sem_trywait(self->semaphore->sem) == 0) &&
                 (RL_POINT(lock_token), RL_LIKELY(rl_owner_take(h, self->me))))) {
        /* A token that won nothing is swallowed: the holder's post brings the next. */
        RL_POINT(lock_not_free);
        PyObject *result = PyObject_CallMethod((PyObject *)self, "_lock", "L", (long long)deadline);
        if (!result) {
            /* Ctrl-C may arrive when the policy has just got it. We have the turn: it is ours to give. */
            int contended;
            if (self->fork_generation == rl_fork_generation() && rl_owner_is(h, self->me))
                rl_writer_unlock(self, 0, &contended);
            return 0;
        }
        Py_DECREF(result);
    }
    RL_POINT(lock_taken);
    if (RL_UNLIKELY(RL_LOAD_ACQUIRE(&h->removed) || self->orphan)) { /* pairs with mark_removed */
        int contended;
        rl_writer_unlock(self, 0, &contended);
        return rl_writer_raise(self, "_removed");
    }
    return 1;
}

/* ---- room ---- */

typedef struct Blocked {
    int slot;       /* the reader that was last asked about */
    int64_t asked;  /* when: monotonic ns */
} Blocked;

/* Ask policy whether the reader in `slot` is dead, unless it was asked just now. 1: it was asked. */
static int reap(WriterObject *self, int slot, Blocked *blocked) {
    int64_t now = rl_monotonic();
    if (slot == blocked->slot && now - blocked->asked < REAP_INTERVAL)
        return 0;
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_reap", "i", slot);
    Py_XDECREF(result);
    blocked->slot = slot;
    blocked->asked = now;
    RL_POINT(room_reaped);
    return result ? 1 : -1;
}

/* One slice of waiting for the reader in `slot`, the lock not held. 0: an exception. */
static int wait_for(WriterObject *self, int slot, int64_t position, int64_t limit) {
    Py_BEGIN_ALLOW_THREADS
    rl_wait_room(&self->ring, slot, position, limit);
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals() == 0 && rl_writer_usable(self);
}

/* What was announced will not happen. Best effort: without the lock there is a later holder to do it. */
static void withdraw(WriterObject *self) {
    int contended;
    rl_header *h = self->ring.header;
    if (!self->mapping || self->fork_generation != rl_fork_generation())
        return;
    if (self->session) {
        if (rl_owner_is(h, self->me))
            rl_room_withdraw(&self->ring);
        RL_POINT(room_withdrawn);
    } else {
        (void)sem_trywait(self->semaphore->sem); /* unlocking posts: without this each full ring would add a token */
        if (rl_owner_take(h, self->me)) {
            rl_room_withdraw(&self->ring);
            RL_POINT(room_withdrawn);
            rl_writer_unlock(self, 0, &contended);
        }
    }
}

/* With the lock held: move the tail so that `bytes` fit. 1: the lock is held and there is room.
 * 0: an exception, and it is not. While it waits it does not hold the lock. */
static int make_room(WriterObject *self, rl_append *a, int64_t bytes, int64_t deadline) {
    Blocked blocked = {-1, 0};
    int contended;
    rl_place want;
    while (rl_room_short(&self->ring, a, bytes)) {
        if (rl_room_find(&self->ring, a, bytes, &want) != RL_OK) {
            rl_writer_unlock(self, 0, &contended);
            return rl_writer_raise(self, "_corrupt");
        }
        if (RL_UNLIKELY(!rl_writer_sound(self))) { /* a walk over zeros */
            rl_writer_unlock(self, 0, &contended);
            return 0;
        }
        rl_room_announce(&self->ring, want);
        int slot = rl_room_blocker(&self->ring, want.position);
        if (slot < 0) {
            if (!self->mapping->map.in_memory && !rl_writer_protect_commit(self, a, want)) {
                rl_room_withdraw(&self->ring);
                rl_writer_unlock(self, 0, &contended);
                return 0;
            }
            RL_POINT(room_free);
            rl_room_take(&self->ring, want);
            break;
        }
        RL_POINT(room_blocked);
        rl_writer_unlock(self, 0, &contended);
        RL_POINT(room_unlocked);
        int64_t now = rl_monotonic();
        int asked = reap(self, slot, &blocked);
        if (asked == 0 && now >= deadline) {
            withdraw(self);
            PyObject *result = PyObject_CallMethod((PyObject *)self, "_ring_full", "i", slot);
            Py_XDECREF(result);
            return 0;
        }
        if (asked < 0 || (asked > 0 && !rl_writer_usable(self)) || (asked == 0 && !wait_for(self, slot, want.position, deadline - now)) ||
            !rl_writer_lock(self, deadline)) {
            PyObject *type, *value, *trace; /* withdrawing may not disturb what is being raised */
            PyErr_Fetch(&type, &value, &trace);
            withdraw(self);
            PyErr_Restore(type, value, trace);
            return 0;
        }
        if (rl_append_begin(&self->ring, a) != RL_OK) {
            rl_writer_unlock(self, 0, &contended);
            return rl_writer_raise(self, "_corrupt");
        }
    }
    return 1;
}

/* ---- writing ---- */

/* The timestamp to write, or -1 with an exception set. `given` < 0: the clock's. */
static int64_t stamp(int64_t given, int64_t last, int64_t now) {
    if (given < 0)
        return now > last ? now : last; /* a clock that was set back: timestamps never decrease */
    if (given < last)
        PyErr_Format(PyExc_ValueError, "timestamp %lld is before that of the last event, %lld",
                     (long long)given, (long long)last);
    else if (given > now + HOUR)
        PyErr_Format(PyExc_ValueError, "timestamp %lld is more than an hour ahead of the clock, %lld",
                     (long long)given, (long long)now);
    else
        return given;
    return -1;
}

int rl_writer_begin(WriterObject *self, rl_append *a, int64_t bytes) {
    int64_t deadline = self->timeout < 0 ? INT64_MAX : rl_deadline(self->timeout);
    int contended;
    if (RL_UNLIKELY(self->ended))
        return rl_writer_raise(self, "_unusable");
    if (RL_UNLIKELY(self->renew)) { /* here, where an exception can still mean that nothing was published */
        self->renew = 0;
        PyObject *result = PyObject_CallMethod((PyObject *)self, "_renew", NULL);
        if (!result)
            return 0;
        Py_DECREF(result);
        if (!rl_writer_usable(self)) /* a fork in there: the child is not this writer */
            return 0;
    }
    if (!rl_writer_lock(self, deadline))
        return 0;
    /* Not RL_OK: somebody scribbled. Another stream: somebody copied another ring over it. */
    if (RL_UNLIKELY(rl_append_begin(&self->ring, a) != RL_OK)) {
        rl_writer_raise(self, "_corrupt");
        goto failed;
    }
    if (RL_UNLIKELY(!self->mapping->map.in_memory) && bytes && !rl_writer_settle_commits(self))
        goto failed;
    return RL_LIKELY(!rl_room_short(&self->ring, a, bytes)) || make_room(self, a, bytes, deadline);
failed:
    rl_writer_unlock(self, 0, &contended);
    return 0;
}

int rl_writer_publish(WriterObject *self, const rl_append *a, int64_t from, int64_t now) {
    rl_header *h = self->ring.header;
    int contended = 0;
    if (RL_UNLIKELY(self->durable)) { /* on disk before readers see it */
        rl_place tail;
        int stored = rl_tail(&self->ring, &tail) && tail.position <= from && a->position - tail.position <= self->ring.capacity
                         ? rl_writer_make_durable(self, a, from, tail)
                         : rl_writer_raise(self, "_corrupt");
        if (!stored) {
            rl_writer_unlock(self, 0, &contended);
            return 0;
        }
    }
    if (RL_UNLIKELY(!rl_writer_sound(self))) { /* not what we wrote, or not where others look */
        rl_writer_unlock(self, 0, &contended);
        return 0;
    }
    rl_append_publish(&self->ring, a);
    RL_POINT(publish_done);
    RL_STORE_RELAXED(&self->slot->last_publish, now);
    if (RL_LOAD_RELAXED(&h->last_owner) != self->me)
        RL_STORE_RELAXED(&h->last_owner, self->me);
    RL_POINT(publish_signed);
    if (RL_LIKELY(rl_stride_of(&self->ring, a->position) == self->named_stride)) {
        rl_writer_unlock(self, 1, &contended);
    } else {
        rl_room_withdraw(&self->ring); /* a writer killed while it waited for room leaves its gate */
        rl_writer_unlock(self, 1, &contended);
        self->named_stride = rl_stride_of(&self->ring, a->position);
        self->orphan = !rl_mapping_named(&self->mapping->map);
    }
    if (RL_UNLIKELY(contended)) {
        self->renew = 1; /* maybe they wait on another semaphore: the next call looks */
        Py_BEGIN_ALLOW_THREADS
        rl_step_back(h);
        Py_END_ALLOW_THREADS
    }
    return rl_writer_sound(self); /* the header's own page may have been the one */
}

static void put_all(WriterObject *self, rl_append *a, const Source *source, int64_t timestamp) {
    if (source->items) {
        for (Py_ssize_t k = 0; k < source->count; k++) {
            rl_append_put(&self->ring, a, timestamp, source->items[k].data, (uint32_t)source->items[k].size,
                          self->copy);
            RL_POINT(item_put);
        }
    } else {
        const uint8_t *row = source->rows;
        for (Py_ssize_t k = 0; k < source->count; k++, row += source->row) {
            rl_append_put(&self->ring, a, timestamp, row, (uint32_t)source->row, self->copy);
            RL_POINT(row_put);
        }
    }
}

int64_t rl_writer_write(WriterObject *self, const Source *source, int64_t given) {
    rl_append a;
    int contended;
    if (!rl_writer_begin(self, &a, source->bytes))
        return -1;
    int64_t first = a.sequence, from = a.position;
    if (RL_UNLIKELY(source->count == 0)) { /* nothing to publish, but a sequence to tell */
        rl_writer_unlock(self, 0, &contended);
        return first;
    }
    int64_t now = rl_now(), timestamp = stamp(given, a.timestamp, now);
    if (RL_UNLIKELY(timestamp < 0)) {
        rl_writer_unlock(self, 0, &contended);
        return -1;
    }
    PyThreadState *released = source->bytes >= RL_GIL_BYTES ? PyEval_SaveThread() : NULL;
    put_all(self, &a, source, timestamp);
    if (released)
        PyEval_RestoreThread(released);
    return rl_writer_publish(self, &a, from, now) ? first : -1;
}

int rl_writer_enter(WriterObject *self) {
    if (RL_UNLIKELY(self->fork_generation != rl_fork_generation())) /* the turn may be a lost thread's */
        return rl_writer_raise(self, "_unusable");
    int64_t deadline = self->turn.holder && self->timeout >= 0 ? rl_deadline(self->timeout) : INT64_MAX;
    switch (rl_turn_enter(&self->turn, deadline)) {
    case RL_TURN_TAKEN:
        if (rl_writer_usable(self))
            return 1;
        rl_turn_leave(&self->turn);
        return 0;
    case RL_TURN_TIMEOUT:
        return rl_writer_raise(self, "_busy_thread");
    case RL_TURN_REENTERED:
        return rl_writer_raise(self, "_reentered");
    default:
        return 0;
    }
}
