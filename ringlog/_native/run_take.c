/* run_take.c: whole runs of stream bytes, as they stand, out of a ring or a log.
 *
 * For what carries a stream to another machine: headers, timestamps and checksums are the first writer's, so whoever
 * gets a run can judge it by itself. And a named reader that has to wait for somebody else's word holds its cursor:
 * what was taken is finished when that word has come, not when the next run is asked for.
 */
#include "run.h"
#include "segment.h"

/* Up to a fresh head, without the events that are too early; where a log is read, as much of it as may be wanted. */
static rl_status look(ReaderObject *self, int64_t limit) {
    rl_header *h = self->ring.header;
    rl_mapping *map = &self->mapping->map;
    rl_entry entry;
    const uint8_t *data;
    for (;;) {
        while (map->segment && RL_LOAD_ACQUIRE(&h->write_offset) - self->at.position < limit && rl_segment_look(map))
            continue;
        rl_status status = rl_reader_head(&self->ring, &self->at, RL_LOAD_ACQUIRE(&h->write_offset)); /* as rl_reader_next */
        if (status == RL_OK)
            status = rl_reader_next(&self->ring, &self->at, &entry, &data);
        if (status != RL_OK)
            return status;
        if (RL_LIKELY(!self->not_before) || entry.timestamp >= self->not_before)
            break;
        rl_reader_advance(&self->at, &entry);
    }
    self->not_before = 0;
    return RL_OK;
}

typedef struct Run {
    PyObject *bytes;
    int64_t count, first, last; /* events, and timestamps */
    rl_place end;
} Run;

/* How much to copy. Small events are not gone over twice: what does not fit is found when the copy is judged, in
 * memory that is near by then. */
static int64_t bytes_to_copy(const ReaderObject *self, int64_t limit) {
    int64_t there = self->at.head - self->at.position;
    int64_t first = RL_ENTRY_SIZE + (int64_t)rl_entry_at(rl_at(&self->ring, self->at.position)).size;
    if (first > limit / RL_RUN_MANY)
        return rl_run_bytes(self, limit);
    return there < limit ? there : limit;
}

/* Step back over the last entry if it is empty: of rl_entry_load's reasons. */
static void leave_out_phantom(rl_walk *walk, const uint8_t *copy, rl_place from) {
    rl_walk last = {from, 0}, next = last;
    while (next.at.position < walk->at.position) {
        rl_entry entry = rl_entry_at(copy + (next.at.position - from.position));
        last = next;
        next.at.position += RL_ENTRY_SIZE + (int64_t)entry.size;
        next.at.sequence++;
        next.timestamp = entry.timestamp;
    }
    if (next.at.position - last.at.position == RL_ENTRY_SIZE && last.at.position > from.position)
        *walk = last;
}

/* Does what comes behind this place, before the head, look like a page that is missing? */
static int hole_behind(const ReaderObject *self, int64_t position) {
    return self->at.head - position >= RL_ENTRY_SIZE && rl_entry_at(rl_at(&self->ring, position)).timestamp <= 0;
}

/* Copy a run and judge the copy, which nobody changes any more. RL_OK with run->bytes NULL: an exception. */
static rl_status copy_run(ReaderObject *self, int64_t limit, rl_sum_fn sum, Run *run) {
    rl_status status = look(self, limit);
    run->bytes = NULL;
    if (status != RL_OK)
        return status;
    int64_t bytes = bytes_to_copy(self, limit);
    run->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
    if (!run->bytes)
        return RL_OK;
    uint8_t *copy = (uint8_t *)PyBytes_AS_STRING(run->bytes);
    rl_walk walk = {{self->at.position, self->at.sequence}, 0};
    PyThreadState *released = bytes >= RL_GIL_BYTES / 4 ? PyEval_SaveThread() : NULL;
    rl_racing_copy(copy, rl_at(&self->ring, self->at.position), (size_t)bytes);
    (void)rl_run_judge(&walk, copy, bytes, sum); /* what is whole; the next call tells of what is not */
    if (RL_UNLIKELY(hole_behind(self, walk.at.position)))
        leave_out_phantom(&walk, copy, (rl_place){self->at.position, self->at.sequence});
    RL_POINT(run_taken);
    status = rl_intact(&self->ring, self->at.position);
    if (released)
        PyEval_RestoreThread(released);
    int64_t whole = walk.at.position - self->at.position;
    /* Zeros in place of a missing page may look like an event without data. */
    if (status == RL_OK && (whole == 0 || RL_UNLIKELY(rl_mapping_broken(&self->mapping->map))))
        status = RL_CORRUPT;
    if (status != RL_OK) {
        Py_CLEAR(run->bytes);
        return status;
    }
    if (whole < bytes && _PyBytes_Resize(&run->bytes, (Py_ssize_t)whole) < 0)
        return RL_OK;
    run->first = rl_entry_at((const uint8_t *)PyBytes_AS_STRING(run->bytes)).timestamp;
    run->last = walk.timestamp;
    run->end = walk.at;
    run->count = walk.at.sequence - self->at.sequence;
    return RL_OK;
}

static Taken take_run(ReaderObject *self, int64_t limit, rl_sum_fn sum, Run *run) {
    for (;;) {
        rl_status status = RL_UNLIKELY(self->overrun_from >= 0) ? RL_OVERRUN : copy_run(self, limit, sum, run);
        if (status == RL_OK && !run->bytes)
            return FAILED;
        if (status == RL_OK)
            break;
        Taken settled = rl_reader_settle(self, status);
        if (settled != TAKEN)
            return settled;
    }
    self->at.position = run->end.position;
    self->at.sequence = run->end.sequence;
    self->taken[self->takes++ % RL_TAKEN] = run->end;
    if (self->slot && !self->named)
        rl_reader_publish_cursor(self);
    return TAKEN;
}

PyObject *rl_reader_take_run(ReaderObject *self, PyObject *args) {
    long long limit;
    int verify;
    Run run;
    if (!PyArg_ParseTuple(args, "Lp:_take_run", &limit, &verify))
        return NULL;
    if (limit < 1)
        return PyErr_Format(PyExc_ValueError, "limit must be at least 1");
    int entered = rl_reader_enter(self, 0); /* another thread is reading: what comes is its, so there is none for us */
    if (entered == 0)
        Py_RETURN_NONE;
    if (entered < 0)
        return NULL;
    Taken taken = take_run(self, limit, verify ? self->mapping->checksum->sum : NULL, &run);
    rl_turn_leave(&self->turn);
    if (taken == TAKEN)
        return Py_BuildValue("NLLL", run.bytes, (long long)run.count, (long long)run.first, (long long)run.last);
    if (taken == NOTHING)
        Py_RETURN_NONE;
    if (taken == ENDED)
        rl_reader_raise(self, "_ended");
    return NULL;
}

/* ---- a cursor that is held ---- */

static int need_name(ReaderObject *self, int held) {
    if (self->named && (self->held || !held))
        return 1;
    PyErr_SetString(PyExc_ValueError, self->named ? "the cursor is not held" : "only a named reader has a cursor to hold");
    return 0;
}

/* From now on only _finish_to moves the cursor forward, or a seek to behind our place. */
PyObject *rl_reader_hold(ReaderObject *self, PyObject *Py_UNUSED(ignored)) {
    if (rl_reader_enter(self, INT64_MAX) < 0)
        return NULL;
    int named = need_name(self, 0);
    if (named)
        self->held = 1;
    rl_turn_leave(&self->turn);
    if (!named)
        return NULL;
    Py_RETURN_NONE;
}

/* Can the cursor go there? Between it and us, where an event begins: anything else would be found damaged by whoever
 * opens the name next. The end of a run that was taken lately is such a place; any other costs a stride's walk at most,
 * over events that the cursor still protects. 0: an exception. */
static int may_finish_to(ReaderObject *self, rl_place place) {
    rl_place here = {self->at.position, self->at.sequence}, found = {0, 0};
    rl_status status = RL_OVERRUN;
    int between = rl_place_possible(place) && rl_places_in_order(self->finished, place) &&
                  rl_places_in_order(place, here);
    if (between && (place.sequence == here.sequence || place.sequence == self->finished.sequence))
        return 1;
    for (int i = 0; between && i < RL_TAKEN; i++)
        if (self->taken[i].position == place.position && self->taken[i].sequence == place.sequence)
            return 1;
    for (int tries = 0; between && status == RL_OVERRUN && tries < RL_ENDS_TRIES; tries++)
        status = rl_seek_sequence(&self->ring, place.sequence, &found);
    if (status == RL_CORRUPT || !rl_reader_sound(self))
        return PyErr_Occurred() ? 0 : rl_reader_raise(self, "_corrupt");
    if (status == RL_OK && found.position == place.position)
        return 1;
    PyErr_Format(PyExc_ValueError, "position %lld, sequence %lld is no place between the cursor and this reader",
                 (long long)place.position, (long long)place.sequence);
    return 0;
}

/* Everything before this place is finished. A loss that was told is so too, which nothing else says of a held cursor:
 * who told of it may have to wait for somebody else's word, as with events. */
PyObject *rl_reader_finish_to(ReaderObject *self, PyObject *args) {
    long long position, sequence;
    if (!PyArg_ParseTuple(args, "LL:_finish_to", &position, &sequence) || rl_reader_enter(self, INT64_MAX) < 0)
        return NULL;
    rl_place place = {position, sequence};
    int good = need_name(self, 1) && may_finish_to(self, place);
    if (good) {
        if (self->overrun_from < 0)
            RL_STORE_RELAXED(&self->slot->lost_from, 0); /* in this order: see reader_finish */
        self->finished = place;
        rl_reader_move_cursor(self);
    }
    rl_turn_leave(&self->turn);
    if (!good)
        return NULL;
    Py_RETURN_NONE;
}
