/* log_record.c: from a ring into a log: whole runs of stream bytes, copied as they are.
 *
 * The entries of a run are the same in both, so nothing is decoded, and one call of the system writes it. The
 * reader's cursor moves only when the log has the run (and the disk, if that was asked for): so whoever goes on after
 * a kill finds no gap, and by the log's own sequence no duplicate.
 */
#include "run.h"
#include "segment.h"
#include "writer_object.h"

#include <errno.h>

#define RUN ((int64_t)256 << 10) /* bytes at once: so the index has its marks, and both sides stay in the caches */

/* One run. -1: an exception; 0: there is nothing, or a loss was told of: ask again; else how many events. */
static int64_t copy_run(WriterObject *self, ReaderObject *reader, int64_t limit, int verify) {
    rl_entry entry;
    const uint8_t *data;
    rl_append a;
    int contended;
    rl_status status = reader->overrun_from >= 0 ? RL_OVERRUN : rl_reader_next(&reader->ring, &reader->at, &entry, &data);
    if (status != RL_OK) {
        Taken taken = rl_reader_settle(reader, status);
        if (taken == ENDED)
            rl_reader_raise(reader, "_ended");
        return taken == NOTHING || taken == TAKEN ? 0 : -1;
    }
    int64_t room = limit - self->ring.header->write_offset;
    if (room < RL_ENTRY_SIZE + (int64_t)entry.size)
        room = limit - RL_FIRST_POSITION; /* of the next segment */
    int64_t bytes = rl_run_bytes(reader, room < RUN ? room : RUN);
    RL_POINT(log_run_found);
    self->by_write = 1;
    int begun = rl_writer_begin(self, &a, bytes);
    self->by_write = 0;
    if (!begun)
        return -1;
    if (a.sequence != reader->at.sequence) {
        rl_writer_unlock(self, 0, &contended);
        PyErr_Format(PyExc_SystemError, "the log goes on at %lld, the ring at %lld", (long long)a.sequence,
                     (long long)reader->at.sequence);
        return -1;
    }
    int64_t from = a.position;
    const uint8_t *run = rl_at(&reader->ring, reader->at.position);
    rl_walk walk = {{a.position, a.sequence}, a.timestamp};
    PyThreadState *released = bytes >= RL_GIL_BYTES / 4 ? PyEval_SaveThread() : NULL;
    int whole = rl_run_judge(&walk, run, bytes, verify ? self->mapping->checksum->sum : NULL) == RL_WALK_DONE;
    RL_POINT(log_run_judged);
    bytes = walk.at.position - from; /* what is whole; the next run tells of what is not */
    int error = rl_segment_write(&self->mapping->map, from, run, bytes);
    if (error == -EFAULT) { /* a page that is not there: who takes the fault notes it */
        memcpy(rl_at(&self->ring, from), run, (size_t)bytes);
        error = 0;
    }
    RL_POINT(log_run_copied);
    rl_status intact = rl_intact(&reader->ring, reader->at.position); /* all the while, what was judged too */
    if (released)
        PyEval_RestoreThread(released);
    status = intact != RL_OK || bytes > 0 || whole ? intact : RL_CORRUPT;
    if (error || status != RL_OK || !rl_reader_sound(reader)) {
        rl_writer_unlock(self, 0, &contended);
        if (error)
            rl_raise_os_error(error);
        if (PyErr_Occurred())
            return -1;
        return rl_reader_settle(reader, status) == TAKEN ? 0 : -1;
    }
    a = (rl_append){walk.at.position, walk.at.sequence, walk.timestamp};
    if (!rl_writer_publish(self, &a, from, walk.timestamp))
        return -1;
    RL_POINT(log_run_published);
    int64_t count = a.sequence - reader->at.sequence;
    reader->at.position += bytes;
    reader->at.sequence += count;
    if (reader->slot)
        rl_reader_publish_cursor(reader);
    RL_POINT(log_run_told);
    return count;
}

PyObject *rl_log_writer_copy_run(WriterObject *self, PyObject *args) {
    ReaderObject *reader;
    long long limit, count = -1;
    int verify;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state || !PyArg_ParseTuple(args, "O!Lp", state->reader_type, &reader, &limit, &verify) ||
        !rl_writer_enter(self))
        return NULL;
    int entered = rl_reader_enter(reader, INT64_MAX);
    if (entered > 0) {
        count = copy_run(self, reader, limit, verify);
        rl_turn_leave(&reader->turn);
    }
    rl_turn_leave(&self->turn);
    return count < 0 ? NULL : PyLong_FromLongLong(count);
}

/* Wait until there may be an event that was not read. */
PyObject *rl_reader_wait_for_news(ReaderObject *self, PyObject *timeout) {
    int64_t deadline;
    Taken taken = TAKEN;
    int entered = rl_reader_begin(self, timeout, &deadline), news = 0;
    if (entered < 0)
        return NULL;
    if (entered) {
        for (int64_t slice = 0; !(news = rl_has_news(&self->ring, self->at.position)) && taken == TAKEN; slice++)
            taken = rl_reader_wait(self, deadline, slice);
        rl_turn_leave(&self->turn);
    }
    return taken == FAILED ? NULL : PyBool_FromLong(news);
}
