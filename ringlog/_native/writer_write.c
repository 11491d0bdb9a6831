/* writer_write.c: lock, make room, write, publish, let go: the hot middle of the native Writer.
 *
 * The path without contention is here and makes no system call. Whatever needs a decision is a method
 * of the Python subclass, called by name: _lock (the lock was not free), _renew (others wait for it),
 * _reap (is this reader dead?), and those that raise: _unusable, _removed, _too_large, _ring_full...
 */
#include "writer_object.h"

#define HOUR INT64_C(3600000000000)

RL_COLD int rl_writer_raise(WriterObject *self, const char *name) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, name, NULL);
    if (result) {
        Py_DECREF(result);
        PyErr_Format(PyExc_SystemError, "%s did not raise", name);
    }
    return 0;
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

/* The session's lock, or one that is not free: as Python's policy says. */
static RL_COLD int lock_slowly(WriterObject *self, int64_t deadline) {
    if (self->session)
        return rl_owner_is(self->ring.header, self->me) ? 1 : rl_writer_raise(self, "_session_lost");
    RL_POINT(lock_not_free);
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_lock", "L", (long long)deadline);
    if (!result) {
        /* Ctrl-C may arrive when the policy has just got it. We have the turn: it is ours to give. */
        int contended;
        if (self->fork_generation == rl_fork_generation() && rl_owner_is(self->ring.header, self->me))
            rl_writer_unlock(self, 0, &contended);
        return 0;
    }
    Py_DECREF(result);
    return 1;
}

static RL_COLD int lock_of_nothing(WriterObject *self) {
    int contended;
    rl_writer_unlock(self, 0, &contended);
    return rl_writer_raise(self, "_removed");
}

/* Without a wait, a system call or a clock, if the lock is free. A token that wins nothing is swallowed: the
 * holder's post brings the next. */
static inline int lock_at_once(WriterObject *self) {
    return RL_LIKELY(!self->session) && RL_LIKELY(sem_trywait(self->semaphore->sem) == 0) &&
           (RL_POINT(lock_token), RL_LIKELY(rl_owner_take(self->ring.header, self->me)));
}

/* With the lock: does the ring still have its name? Otherwise 0, an exception, and not the lock. */
static inline int lock_stands(WriterObject *self) {
    RL_POINT(lock_taken);
    if (RL_UNLIKELY(RL_LOAD_ACQUIRE(&self->ring.header->removed) || self->orphan)) /* pairs with mark_removed */
        return lock_of_nothing(self);
    return 1;
}

int rl_writer_lock(WriterObject *self, int64_t deadline) {
    return (lock_at_once(self) || lock_slowly(self, deadline)) && lock_stands(self);
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

static int64_t deadline_of(const WriterObject *self) {
    return self->timeout < 0 ? INT64_MAX : rl_deadline(self->timeout);
}

/* A waiter has waited long: maybe on another semaphore. Here, where an exception can still mean that nothing was
 * published. */
static RL_COLD int renew(WriterObject *self) {
    self->renew = 0;
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_renew", NULL);
    Py_XDECREF(result);
    return result && rl_writer_usable(self); /* a fork in there: the child is not this writer */
}

static RL_COLD int unlock_failed(WriterObject *self) {
    int contended;
    rl_writer_unlock(self, 0, &contended);
    return 0;
}

/* Somebody scribbled, or copied another ring over this one. */
static RL_COLD int begin_corrupt(WriterObject *self) {
    rl_writer_raise(self, "_corrupt");
    return unlock_failed(self);
}

int rl_writer_begin(WriterObject *self, rl_append *a, int64_t bytes) {
    int64_t deadline = 0; /* of the whole; the clock is asked only if there is something to wait for */
    if (RL_UNLIKELY(self->ended))
        return rl_writer_raise(self, "_unusable");
    if (RL_UNLIKELY(self->renew) && !renew(self))
        return 0;
    if (RL_UNLIKELY(!lock_at_once(self)) && !lock_slowly(self, deadline = deadline_of(self)))
        return 0;
    if (!lock_stands(self))
        return 0;
    if (RL_UNLIKELY(rl_append_begin(&self->ring, a) != RL_OK))
        return begin_corrupt(self);
    if (RL_UNLIKELY(!self->mapping->map.in_memory) && bytes && !rl_writer_settle_commits(self))
        return unlock_failed(self);
    if (RL_LIKELY(!rl_room_short(&self->ring, a, bytes)))
        return 1;
    return rl_writer_make_room(self, a, bytes, deadline ? deadline : deadline_of(self));
}

/* On disk before readers see it. 0: an exception. */
static RL_COLD int settle(WriterObject *self, const rl_append *a, int64_t from) {
    rl_place tail;
    if (self->mapping->map.segment)
        return rl_log_settle_data(self, a, from);
    if (!rl_tail(&self->ring, &tail) || tail.position > from || a->position - tail.position > self->ring.capacity)
        return rl_writer_raise(self, "_corrupt");
    return rl_writer_make_durable(self, a, from, tail);
}

/* The first publication in a stride, in place of the plain unlock. */
static RL_COLD void unlock_in_new_stride(WriterObject *self, int64_t position, int *contended) {
    rl_room_withdraw(&self->ring); /* a writer killed while it waited for room leaves its gate */
    rl_writer_unlock(self, 1, contended);
    self->named_stride = rl_stride_of(&self->ring, position);
    self->orphan = !rl_mapping_named(&self->mapping->map);
}

static RL_COLD void step_back(WriterObject *self) {
    self->renew = 1; /* maybe they wait on another semaphore: the next call looks */
    Py_BEGIN_ALLOW_THREADS
    rl_step_back(self->ring.header);
    Py_END_ALLOW_THREADS
}

int rl_writer_publish(WriterObject *self, const rl_append *a, int64_t from, int64_t now) {
    rl_header *h = self->ring.header;
    int contended = 0, told = 1;
    if (RL_UNLIKELY(self->durable) && !settle(self, a, from))
        return unlock_failed(self);
    if (RL_UNLIKELY(!rl_writer_sound(self))) /* not what we wrote, or not where others look */
        return unlock_failed(self);
    rl_append_publish(&self->ring, a);
    RL_POINT(publish_done);
    if (RL_UNLIKELY(self->mapping->map.segment != NULL))
        told = rl_log_publish(self, a);
    RL_STORE_RELAXED(&self->slot->last_publish, now);
    if (RL_LOAD_RELAXED(&h->last_owner) != self->me)
        RL_STORE_RELAXED(&h->last_owner, self->me);
    RL_POINT(publish_signed);
    if (RL_LIKELY(rl_stride_of(&self->ring, a->position) == self->named_stride))
        rl_writer_unlock(self, 1, &contended);
    else
        unlock_in_new_stride(self, a->position, &contended);
    if (RL_UNLIKELY(contended))
        step_back(self);
    return told && rl_writer_sound(self); /* the header's own page may have been the one */
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
        for (Py_ssize_t k = 0; k < source->count; k++) {
            uint32_t size = source->sizes ? source->sizes[k] : (uint32_t)source->row;
            rl_append_put(&self->ring, a, timestamp, row, size, self->copy);
            row += size;
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

RL_COLD int rl_writer_enter_slowly(WriterObject *self) {
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
