/* reader_take.c: one event, whole and checked, or why not: the hot middle of the native Reader.
 *
 * Whatever needs a decision is a method of the Python subclass, called by name: _overrun (the
 * exception to raise, or None to go on), and those that raise: _corrupt, _ended, _removed, _unusable.
 */
#include "reader_object.h"
#include "segment.h"

#define WAKE_SLACK (1024 << 10)
#define NAME_CHECK_NS INT64_C(500000000) /* of waiting, in however short calls: has the file still its name and size? */

int rl_reader_raise(ReaderObject *self, const char *name) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, name, NULL);
    if (result) {
        Py_DECREF(result);
        PyErr_Format(PyExc_SystemError, "%s did not raise", name);
    }
    return 0;
}

int rl_reader_sound(ReaderObject *self) {
    return RL_LIKELY(!rl_mapping_broken(&self->mapping->map)) ? 1 : rl_reader_raise(self, "_broken");
}

int rl_reader_usable(ReaderObject *self) {
    if (RL_UNLIKELY(!self->mapping || self->stopping ||
                    (self->slot && self->fork_generation != rl_fork_generation())))
        return rl_reader_raise(self, "_unusable");
    return rl_reader_sound(self);
}

/* Is there room enough now, by this step of ours, to wake a writer that waits for it? It wants to get to the gate; but
 * woken right there it fills a stride and sleeps again, and each wake takes us a system call. So a reader of small
 * events that has more to read goes on for a while first. For one that stops in the middle the writer's sleeps are
 * short. And a reader that had come so far before is not the one that the writer waits for. */
static int worth_waking(const ReaderObject *self, int64_t from, int64_t to) {
    int64_t gate = RL_LOAD_RELAXED(&self->ring.header->gate_offset); /* this, and `from`, may be anything */
    uint64_t slack = (uint64_t)self->ring.capacity / 4;
    if (slack > WAKE_SLACK)
        slack = WAKE_SLACK;
    if (to < gate || (from >= gate && (uint64_t)from - (uint64_t)gate >= slack))
        return 0;
    return (uint64_t)to - (uint64_t)gate >= slack || (uint64_t)to - (uint64_t)from >= slack || to >= self->at.head;
}

void rl_reader_move_cursor(ReaderObject *self) {
    rl_header *h = self->ring.header;
    rl_place place = self->finished;
    if (RL_UNLIKELY(self->views != NULL)) { /* whatever was finished since, these bytes are still looked at */
        rl_place oldest = rl_reader_oldest_view(self);
        if (oldest.position < place.position)
            place = oldest;
    }
    int64_t from = RL_LOAD_RELAXED(&self->slot->cursor);
    rl_cursor_store(self->slot, place);
    /* No fence before this look: a writer that sleeps just now wakes by itself within a millisecond. */
    if (RL_UNLIKELY(RL_LOAD_RELAXED(&h->room_wanted)) && worth_waking(self, from, place.position) &&
        rl_sleepers_taken(&h->room_wanted, &h->room_futex)) {
        rl_wake_all(&h->room_futex);
        RL_POINT(cursor_woke);
    }
}

int rl_reader_rejoin(ReaderObject *self) {
    rl_place place;
    if (!rl_tail(&self->ring, &place) ||
        (self->slot && !rl_cursor_join(&self->ring, self->slot, self->slot_index, &place)))
        return rl_reader_raise(self, "_corrupt");
    rl_reader_place(&self->at, place);
    self->finished = place;
    return 1;
}

void rl_reader_publish_cursor(ReaderObject *self) {
    if (RL_UNLIKELY(self->held))
        return;
    self->finished = (rl_place){self->at.position, self->at.sequence};
    rl_reader_move_cursor(self);
}

void rl_reader_note_loss(ReaderObject *self, int64_t first) {
    if (self->named)
        RL_STORE_RELEASE(&self->slot->lost_from, first + 1); /* before the cursor's release, which rl_pair_load pairs with */
    RL_POINT(loss_noted);
}

void rl_reader_finish_previous(ReaderObject *self) {
    if (!self->named || self->held)
        return;
    if (RL_UNLIKELY(RL_LOAD_RELAXED(&self->slot->lost_from)) && self->overrun_from < 0)
        RL_STORE_RELAXED(&self->slot->lost_from, 0);
    RL_POINT(loss_told);
    if (RL_LOAD_RELAXED(&self->slot->cursor) != self->at.position)
        rl_reader_publish_cursor(self);
}

Taken rl_reader_overrun(ReaderObject *self, const char *policy) {
    int64_t first = self->overrun_from >= 0 ? self->overrun_from : self->at.sequence;
    rl_place tail;
    /* Passed means that the tail is further on, by at least an event. Anything else contradicts itself, and could go
     * on doing so for ever. */
    if (!rl_tail(&self->ring, &tail) ||
        (self->at.position < tail.position ? self->at.sequence >= tail.sequence : self->overrun_from < 0))
        return rl_reader_raise(self, "_corrupt"), FAILED;
    rl_reader_note_loss(self, first);
    if (self->at.position < tail.position && !rl_reader_rejoin(self))
        return FAILED;
    self->overrun_from = first; /* until it is told: a signal handler may raise something else first */
    int64_t lost = self->at.sequence - first;
    PyObject *error = Py_None;
    Py_INCREF(error);
    if (lost > 0) {
        Py_DECREF(error);
        error = PyObject_CallMethod((PyObject *)self, policy, "LL", (long long)first,
                                    (long long)self->at.sequence - 1);
        if (!error)
            return FAILED;
        self->lost += lost < INT64_MAX - self->lost ? lost : INT64_MAX - self->lost; /* a scribbled tail can say much */
    }
    self->overrun_from = -1;
    Taken taken = error == Py_None ? TAKEN : FAILED;
    if (taken == FAILED)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return taken;
}

static Taken corrupt(ReaderObject *self, const char *why) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_corrupt", "s", why);
    Py_XDECREF(result);
    return FAILED;
}

Taken rl_reader_removed(ReaderObject *self) {
    if (RL_LOAD_ACQUIRE(&self->ring.header->write_offset) > self->at.position) /* as in rl_reader_next */
        return NOTHING;
    return rl_reader_raise(self, "_removed"), FAILED;
}

/* Nothing new: for now, or for good? */
static Taken nothing(ReaderObject *self) {
    rl_header *h = self->ring.header;
    if (RL_UNLIKELY(RL_LOAD_ACQUIRE(&h->ended) == self->at.position)) /* pairs with mapping_end */
        return ENDED;
    if (RL_UNLIKELY(RL_LOAD_ACQUIRE(&h->removed))) /* pairs with mapping_mark_removed */
        return rl_reader_removed(self);
    return NOTHING;
}

Taken rl_reader_settle(ReaderObject *self, rl_status status) {
    if (RL_UNLIKELY(!rl_reader_sound(self)))
        return FAILED; /* whatever it looks like */
    if (status == RL_EMPTY && RL_UNLIKELY(self->mapping->map.segment != NULL))
        return rl_log_settle(self);
    if (status == RL_EMPTY) {
        Taken taken = nothing(self);
        return RL_UNLIKELY(self->watch.source != NULL) && taken == NOTHING ? rl_reader_rearm(self, 1) : taken;
    }
    if (status == RL_OVERRUN)
        return rl_reader_overrun(self, "_overrun");
    return corrupt(self, self->at.position > self->at.head ? "the stream went back"
                                                           : "the bytes do not match size or checksum");
}

/* The bytes of the entry that rl_reader_next showed, and whether they are what they were. */
static rl_status copy_out(ReaderObject *self, const rl_entry *entry, const uint8_t *data, PyObject **out) {
    PyObject *bytes = rl_event_bytes((Py_ssize_t)entry->size);
    *out = bytes;
    if (!bytes)
        return RL_OK;
    uint32_t sum = entry->checksum;
    PyThreadState *released = entry->size >= RL_GIL_BYTES ? PyEval_SaveThread() : NULL;
    if (self->copy)
        sum = self->copy(PyBytes_AS_STRING(bytes), data, entry->size);
    else
        memcpy(PyBytes_AS_STRING(bytes), data, entry->size);
    if (released)
        PyEval_RestoreThread(released);
    RL_POINT(read_copied);
    rl_status status = rl_reader_check(&self->ring, &self->at);
    /* With a checksum what is right is right, wherever else data is missing; but for an event without any, and where
     * the tail that was just looked at may be none. */
    int matters = self->copy && entry->size ? RL_BROKEN_HEADER : RL_BROKEN_HEADER | RL_BROKEN_DATA;
    if (status == RL_OK && RL_UNLIKELY((self->copy && sum != entry->checksum) ||
                                       rl_mapping_broken(&self->mapping->map) & matters))
        status = RL_CORRUPT;
    if (RL_UNLIKELY(status != RL_OK)) {
        Py_DECREF(bytes);
        *out = NULL;
    }
    return status;
}

/* The event whose entry is at our place: as an Event of its own, or in place as a View. */
static rl_status make_event(ReaderObject *self, const rl_entry *entry, const uint8_t *data, int in_place,
                            PyObject **out) {
    PyObject *bytes;
    if (in_place)
        return rl_reader_make_view(self, entry, data, out);
    rl_status status = copy_out(self, entry, data, &bytes);
    *out = bytes ? rl_event_new(self->event_type, self->at.sequence, entry->timestamp, bytes) : NULL;
    return status;
}

/* The next event, without waiting. With `sole` unset it leaves errors for the next call. */
static inline Taken take(ReaderObject *self, int sole, int in_place, PyObject **event) {
    rl_entry entry;
    const uint8_t *data;
    for (;;) {
        rl_status status = RL_UNLIKELY(self->overrun_from >= 0)
                               ? RL_OVERRUN
                               : rl_reader_next(&self->ring, &self->at, &entry, &data);
        if (RL_LIKELY(status == RL_OK)) {
            if (RL_UNLIKELY(self->not_before)) {
                if (entry.timestamp < self->not_before) {
                    rl_reader_advance(&self->at, &entry);
                    continue;
                }
                self->not_before = 0;
            }
            status = make_event(self, &entry, data, in_place, event);
            if (RL_LIKELY(status == RL_OK)) {
                if (!*event)
                    return FAILED;
                rl_reader_advance(&self->at, &entry);
                return TAKEN;
            }
        }
        if (!sole) {
            if (RL_UNLIKELY(self->watch.source != NULL) && status == RL_EMPTY)
                (void)rl_reader_rearm(self, 0);
            return NOTHING;
        }
        Taken settled = rl_reader_settle(self, status);
        if (settled != TAKEN)
            return settled;
    }
}

static inline Taken take_one(ReaderObject *self, int in_place, PyObject **event) {
    Taken taken = take(self, 1, in_place, event);
    if (self->slot && !self->named && taken == TAKEN)
        rl_reader_publish_cursor(self);
    return taken;
}

/* Is there no other thread that could want the GIL? One that is just being made is found the next time. */
static int alone(void) {
    PyThreadState *here = PyThreadState_Get();
    return PyInterpreterState_ThreadHead(PyInterpreterState_Get()) == here && !PyThreadState_Next(here);
}

Taken rl_reader_wait(ReaderObject *self, int64_t deadline, int64_t slice) {
    int64_t limit = deadline == INT64_MAX ? INT64_MAX : deadline - rl_monotonic();
    if (limit <= 0)
        return NOTHING;
    if (RL_UNLIKELY(self->mapping->map.segment != NULL))
        return rl_log_wait(self, limit);
    int announce = self->announce, wait = self->wait, first = slice == 0, spins = wait == RL_WAIT_SPIN;
    rl_ring ring = self->ring;
    int64_t position = self->at.position;
    /* To take the GIL back costs as much as a third of what news take to get here: so it is kept for these 50 us if
     * nobody else could want it. */
    int kept = (first || spins) && alone(), news = kept && rl_wait_awake(&ring, position, limit, wait, &self->patience);
    if (!news && !(kept && spins)) {
        Py_BEGIN_ALLOW_THREADS
        news = (first && !kept && rl_wait_awake(&ring, position, limit, wait, &self->patience)) ||
               rl_wait_head(&ring, position, limit, wait, announce, first, &self->patience);
        Py_END_ALLOW_THREADS
    }
    if (PyErr_CheckSignals() < 0 || !rl_reader_usable(self))
        return FAILED;
    if (news)
        return TAKEN;
    int64_t now = rl_monotonic();
    if (now - self->name_checked >= NAME_CHECK_NS) {
        self->name_checked = now;
        if (!rl_mapping_named(&self->mapping->map) && rl_reader_removed(self) == FAILED)
            return FAILED;
    }
    return TAKEN;
}

static inline Taken wait_and_take(ReaderObject *self, int64_t deadline, int in_place, PyObject **event) {
    for (int64_t slice = 0;; slice++) {
        Taken taken = take_one(self, in_place, event);
        if (taken != NOTHING)
            return taken;
        taken = rl_reader_wait(self, deadline, slice);
        if (taken != TAKEN)
            return taken;
    }
}

Taken rl_reader_take_more(ReaderObject *self, PyObject **event) { return take(self, 0, 0, event); }

Taken rl_reader_take_one(ReaderObject *self, PyObject **event) { return take_one(self, 0, event); }

Taken rl_reader_wait_and_take(ReaderObject *self, int64_t deadline, PyObject **event) {
    return wait_and_take(self, deadline, 0, event);
}

Taken rl_reader_wait_and_view(ReaderObject *self, int64_t deadline, PyObject **view) {
    return wait_and_take(self, deadline, 1, view);
}

int rl_reader_enter(ReaderObject *self, int64_t deadline) {
    if (RL_UNLIKELY(self->fork_generation != rl_fork_generation()) && self->mapping) {
        if (self->slot)
            return rl_reader_raise(self, "_unusable") - 1;
        rl_turn_init(&self->turn); /* a lossy one goes on; who was inside stayed in the parent */
        self->fork_generation = rl_fork_generation();
    }
    switch (rl_turn_enter(&self->turn, deadline)) {
    case RL_TURN_TAKEN:
        if (rl_reader_usable(self))
            return 1;
        rl_turn_leave(&self->turn);
        return -1;
    case RL_TURN_TIMEOUT:
        return 0;
    case RL_TURN_REENTERED:
        PyErr_SetString(PyExc_RuntimeError, "this Reader is already being read further down in this thread");
        return -1;
    default:
        return -1;
    }
}
