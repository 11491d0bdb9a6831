/* reader_batch.c: read_batch: a run of events, whole and checked, into one block. */
#include "batch_object.h"
#include "reader_object.h"

#define BATCH_BYTES ((int64_t)64 << 20) /* of the stream, at most, unless one event is larger */

/* Up to a fresh head, without the events that are too early. *head is what the place now loaded belongs to. */
static rl_status look(ReaderObject *self, rl_place *head, rl_entry *first) {
    const uint8_t *data;
    /* As one, so that we know how many events come; but without insisting: the entries tell, too. */
    if (!rl_pair_load(&self->ring.header->write_offset, self->ring.header->head, head)) {
        head->position = RL_LOAD_ACQUIRE(&self->ring.header->write_offset); /* as in rl_reader_next */
        head->sequence = 0;
    }
    rl_status status = rl_reader_head(&self->ring, &self->at, head->position);
    if (status == RL_OK)
        status = rl_reader_next(&self->ring, &self->at, first, &data);
    while (RL_UNLIKELY(self->not_before) && status == RL_OK && first->timestamp < self->not_before) {
        rl_reader_advance(&self->at, first);
        status = rl_reader_next(&self->ring, &self->at, first, &data);
    }
    if (status == RL_OK)
        self->not_before = 0;
    if (head->position != self->at.head)
        head->sequence = 0; /* while we skipped, a newer one was loaded */
    return status;
}

/* Room for the next events, and the events. 0: there is no memory. Needs no GIL. */
static int fill(ReaderObject *self, BatchObject *batch, rl_reader *at, const rl_entry *first, rl_place head,
                int64_t limit, rl_status *status) {
    for (int guess = 1;; guess = 0) {
        rl_reader from = *at;
        int sure = rl_columns_plan(&self->ring, &from, first, head.sequence, limit, BATCH_BYTES, guess,
                                   &batch->columns);
        if (!rl_batch_reserve(batch))
            return 0;
        *status = rl_columns_take(&self->ring, &from, &batch->columns, self->copy);
        if (sure || *status != RL_CORRUPT) {
            *at = from;
            return 1;
        }
    }
}

/* The next events, in a new Batch. NULL if not even the first was whole: *status says why; RL_OK: an exception. */
static BatchObject *take_run(ReaderObject *self, int64_t limit, rl_status *status) {
    rl_place head;
    rl_entry first;
    if ((*status = look(self, &head, &first)) != RL_OK)
        return NULL;
    BatchObject *batch = rl_batch_new(self->batch_type, self->at.sequence);
    if (!batch)
        return NULL;
    rl_reader at = self->at; /* ours: others may look at the reader's while the GIL is free */
    int64_t there = at.head - at.position, some = RL_ENTRY_SIZE + (int64_t)first.size;
    /* What comes is not planned yet: taken to be as large as the first, or anything if the limit is far. */
    int large = there >= RL_GIL_BYTES && (limit >= RL_GIL_BYTES / RL_ENTRY_SIZE || limit * some >= RL_GIL_BYTES);
    PyThreadState *released = large ? PyEval_SaveThread() : NULL;
    int filled = fill(self, batch, &at, &first, head, limit, status);
    if (released)
        PyEval_RestoreThread(released);
    if (!filled) {
        PyErr_NoMemory();
        *status = RL_OK;
    }
    int matters = self->copy ? RL_BROKEN_HEADER : RL_BROKEN_HEADER | RL_BROKEN_DATA;
    if (filled && RL_UNLIKELY(rl_mapping_broken(&self->mapping->map) & matters)) {
        batch->columns.count = 0; /* zeros may be among it, or what a writer has passed, and nothing says where */
        *status = RL_CORRUPT;
    }
    if (!filled || batch->columns.count == 0) {
        Py_DECREF(batch);
        return NULL;
    }
    self->at = at;
    return batch;
}

static Taken take_batch(ReaderObject *self, int64_t limit, BatchObject **batch) {
    for (;;) {
        rl_status status = RL_OVERRUN;
        *batch = RL_UNLIKELY(self->overrun_from >= 0) ? NULL : take_run(self, limit, &status);
        if (*batch)
            break;
        if (status == RL_OK)
            return FAILED;
        Taken settled = rl_reader_settle(self, status);
        if (settled != TAKEN)
            return settled;
    }
    if (self->slot && !self->named)
        rl_reader_publish_cursor(self);
    return TAKEN;
}

static Taken wait_and_take_batch(ReaderObject *self, int64_t deadline, int64_t limit, BatchObject **batch) {
    for (int64_t slice = 0;; slice++) {
        Taken taken = take_batch(self, limit, batch);
        if (taken != NOTHING)
            return taken;
        taken = rl_reader_wait(self, deadline, slice);
        if (taken != TAKEN)
            return taken;
    }
}

PyObject *rl_reader_read_batch(ReaderObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"limit", "timeout", NULL};
    PyObject *given[2] = {NULL, NULL};
    BatchObject *batch = NULL;
    if (!rl_optional_arguments("read_batch", names, args, nargs, kwnames, given))
        return NULL;
    Py_ssize_t limit = rl_parse_limit(given[0], 65536);
    if (limit < 0)
        return NULL;
    int64_t deadline;
    int entered = rl_reader_begin(self, given[1], &deadline);
    if (entered < 0)
        return NULL;
    Taken taken = NOTHING;
    int64_t sequence = self->at.sequence;
    if (entered) {
        taken = wait_and_take_batch(self, deadline, limit, &batch);
        sequence = self->at.sequence;
        rl_turn_leave(&self->turn);
    }
    if (taken == NOTHING)
        batch = rl_batch_new(self->batch_type, sequence);
    else if (taken == ENDED)
        rl_reader_raise(self, "_ended");
    return (PyObject *)batch;
}
