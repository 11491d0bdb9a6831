/* run_append.c: whole runs of stream bytes, as they stand, into a ring: what run_take.c took of another one.
 */
#include "run.h"
#include "writer_object.h"

/* In the order of rl_walked. */
static const char *const reasons[] = {"",
                                      "it ends within an entry",
                                      "",
                                      "it ends within an entry",
                                      "a timestamp that is not over 0",
                                      "a timestamp below the one before it",
                                      "the data does not have the checksum of its entry",
                                      ""};

static int raise_bad_run(WriterObject *self, int64_t offset, const char *why) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_corrupt_run", "Ls", (long long)offset, why);
    Py_XDECREF(result);
    return 0;
}

/* What is left of a run: where it is wrong, what of it goes into one publication, and its first entry that never does. */
typedef struct Survey {
    rl_walked found;
    int64_t at, part, large;
} Survey;

static Survey survey(const uint8_t *run, int64_t size, int64_t most, rl_sum_fn sum) {
    Survey s = {RL_WALK_DONE, 0, 0, 0};
    int64_t timestamp = 1;
    while (s.at < size) {
        int64_t left = size - s.at;
        if (left < RL_ENTRY_SIZE) {
            s.found = RL_WALK_SIZE;
            break;
        }
        rl_entry entry = rl_entry_at(run + s.at);
        int64_t bytes = RL_ENTRY_SIZE + (int64_t)entry.size;
        if (bytes > left)
            s.found = RL_WALK_SIZE;
        else if (entry.timestamp < timestamp)
            s.found = entry.timestamp <= 0 ? RL_WALK_TIMESTAMP : RL_WALK_ORDER;
        else if (sum && sum(run + s.at + RL_ENTRY_SIZE, entry.size) != entry.checksum)
            s.found = RL_WALK_CHECKSUM;
        if (s.found != RL_WALK_DONE)
            break;
        if (RL_UNLIKELY(bytes > most) && !s.large)
            s.large = bytes;
        s.at += bytes;
        timestamp = entry.timestamp;
        if (s.at <= most)
            s.part = s.at;
    }
    return s;
}

/* Is each entry of all that is left whole and sound, and small enough for this ring? How much of it goes into one
 * publication; 0: an exception. */
static int64_t judge_rest(WriterObject *self, const uint8_t *run, int64_t size, int64_t offset, int verify) {
    int64_t most = rl_largest_batch(&self->ring);
    PyThreadState *released = size >= RL_GIL_BYTES / 4 ? PyEval_SaveThread() : NULL;
    Survey seen = survey(run, size, most, verify ? self->mapping->checksum->sum : NULL);
    if (released)
        PyEval_RestoreThread(released);
    if (seen.found != RL_WALK_DONE)
        return raise_bad_run(self, offset + seen.at, reasons[seen.found]);
    if (seen.large)
        return rl_writer_too_large(self, seen.large - RL_ENTRY_SIZE, most - RL_ENTRY_SIZE, 0);
    return seen.part;
}

/* One publication. How many bytes, or -1: an exception. */
static int64_t append_part(WriterObject *self, const uint8_t *run, int64_t part, int64_t offset, int64_t sequence) {
    rl_append a;
    int contended;
    if (!rl_writer_begin(self, &a, part))
        return -1;
    if (a.sequence != sequence || rl_entry_at(run).timestamp < a.timestamp) {
        rl_writer_unlock(self, 0, &contended);
        if (a.sequence == sequence)
            return raise_bad_run(self, offset, "a timestamp below that of the ring's last event") - 1;
        PyErr_Format(PyExc_ValueError, "the ring goes on at sequence %lld, the run at %lld", (long long)a.sequence,
                     (long long)sequence);
        return -1;
    }
    int64_t from = a.position;
    PyThreadState *released = part >= RL_GIL_BYTES / 4 ? PyEval_SaveThread() : NULL;
    rl_append_run(&self->ring, &a, run, part);
    if (released)
        PyEval_RestoreThread(released);
    return rl_writer_publish(self, &a, from, rl_now()) ? part : -1;
}

/* Append events that another ring's writer has made, from data[offset] on, as they are: as many as one publication
 * takes. First all of the rest is judged, by its checksums too if `verify`, and if it is not sound nothing is appended.
 * Only of bytes, which nobody can change between the judging and the copy, a wait for room included. */
PyObject *rl_writer_append_run(WriterObject *self, PyObject *args) {
    PyObject *data;
    long long offset, sequence;
    int verify = 1;
    int64_t part = -1;
    if (!PyArg_ParseTuple(args, "SLL|p:_append_run", &data, &offset, &sequence, &verify))
        return NULL;
    int64_t size = PyBytes_GET_SIZE(data);
    if (offset < 0 || offset >= size)
        return PyErr_Format(PyExc_ValueError, "offset %lld is not within the %lld bytes", offset,
                            (long long)size);
    if (rl_writer_enter(self)) {
        const uint8_t *run = (const uint8_t *)PyBytes_AS_STRING(data) + offset;
        int64_t sound = judge_rest(self, run, size - offset, offset, verify);
        if (sound)
            part = append_part(self, run, sound, offset, sequence);
        rl_turn_leave(&self->turn);
    }
    return part < 0 ? NULL : PyLong_FromLongLong(part);
}
