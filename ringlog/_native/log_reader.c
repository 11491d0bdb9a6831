/* log_reader.c: what the native Reader does at the end of a piece of a log, and the native LogReader's type.
 *
 * The hot middle is the rings' own (reader_take.c): a log's segment is a ring that never comes round. When a piece
 * is read there is more of the file, or policy decides: _at_end (0: nothing for now, 1: look again, another segment
 * is attached or more is mapped; 2: the end).
 */
#include "reader_object.h"
#include "segment.h"

Taken rl_log_settle(ReaderObject *self) {
    if (rl_segment_look(&self->mapping->map))
        return TAKEN;
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_at_end", NULL);
    if (!result)
        return FAILED;
    long what = PyLong_AsLong(result);
    Py_DECREF(result);
    if ((what < 0 && PyErr_Occurred()) || !rl_reader_usable(self))
        return FAILED;
    return what == 0 ? NOTHING : what == 1 ? TAKEN : ENDED;
}

Taken rl_log_wait(ReaderObject *self, int64_t limit) {
    rl_mapping *map = &self->mapping->map; /* ours while we have the turn */
    int64_t position = self->at.position;
    Py_BEGIN_ALLOW_THREADS
    (void)rl_segment_wait(map, position, limit, &self->patience);
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals() < 0 || !rl_reader_usable(self) ? FAILED : TAKEN;
}

/* Stand at a place of a segment, instead of the one before. Events from `lost_from` up to it are known to be gone
 * (-1: none are), those before `not_before` are skipped (-1: as before). The turn is held, or nobody else has the object yet. */
static PyObject *exchange(ReaderObject *self, PyObject *args) {
    MappingObject *segment;
    PyTypeObject *batch_type;
    long long position, sequence, lost_from, not_before;
    int verify;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state || !PyArg_ParseTuple(args, "O!LLLLpO!", state->segment_type, &segment, &position, &sequence, &lost_from,
                                    &not_before, &verify, &PyType_Type, &batch_type))
        return NULL;
    if (self->stopping)
        return rl_reader_raise(self, "_unusable"), NULL;
    if (!PyType_IsSubtype(batch_type, state->batch_type)) {
        PyErr_SetString(PyExc_ValueError, "cannot read a log here");
        return NULL;
    }
    rl_place place = {position, sequence};
    if (!self->mapping)
        self->fork_generation = rl_fork_generation();
    rl_segment_place(&segment->map, place, 0);
    self->ring = segment->map.ring;
    self->copy = verify ? segment->checksum->copy : NULL;
    rl_reader_place(&self->at, place);
    self->finished = place;
    self->overrun_from = lost_from;
    if (not_before >= 0)
        self->not_before = not_before;
    Py_INCREF(state->event_type);
    Py_XSETREF(self->event_type, state->event_type);
    Py_INCREF(batch_type);
    Py_XSETREF(self->batch_type, batch_type);
    Py_INCREF(segment);
    Py_XSETREF(self->mapping, segment);
    Py_RETURN_NONE;
}

/* The segment in which it stands. */
static PyObject *current(ReaderObject *self, void *Py_UNUSED(closure)) {
    PyObject *segment = self->mapping ? (PyObject *)self->mapping : Py_None;
    Py_INCREF(segment);
    return segment;
}

/* Call `function(argument)` with the turn. */
static PyObject *with_turn(ReaderObject *self, PyObject *args) {
    PyObject *function, *argument;
    if (!PyArg_ParseTuple(args, "OO", &function, &argument) || rl_reader_enter(self, INT64_MAX) < 0)
        return NULL;
    PyObject *result = PyObject_CallFunctionObjArgs(function, argument, NULL);
    rl_turn_leave(&self->turn);
    return result;
}

static PyMethodDef log_reader_methods[] = {
    {"poll", (PyCFunction)rl_reader_poll, METH_NOARGS,
     "poll($self)\n--\n\n"
     "Return the next Event, or None if there is none now. Never waits.\n\n"
     "Raises Overrun (retention has removed it, or it was never recorded; the reader then stands at the next\n"
     "event that is there), CorruptStream (it stays where it is until seek()), StreamEnded (without `follow`,\n"
     "at the end), ClosedError."},
    {"read", (PyCFunction)(void (*)(void))rl_reader_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, timeout=None)\n--\n\n"
     "Return the next Event, waiting for it up to `timeout` seconds (None: for ever).\n\n"
     "A waiting reader looks at the file about each millisecond; the GIL is free and Ctrl-C works.\n"
     "Raises TimeoutError, and what poll() raises."},
    {"read_many", (PyCFunction)(void (*)(void))rl_reader_read_many, METH_FASTCALL | METH_KEYWORDS,
     "read_many($self, limit=1024, timeout=0.0)\n--\n\n"
     "Return a list of up to `limit` Events, waiting up to `timeout` seconds for the first.\n\n"
     "An empty list if none came; a shorter one does not mean that there is nothing behind it. What was whole\n"
     "is returned before an error behind it is raised, by the next call. Raises ValueError (limit below 1), and what poll() raises."},
    {"read_batch", (PyCFunction)(void (*)(void))rl_reader_read_batch, METH_FASTCALL | METH_KEYWORDS,
     "read_batch($self, limit=65536, timeout=0.0)\n--\n\n"
     "Return a Batch of up to `limit` events, waiting up to `timeout` seconds for the first (None: for ever).\n\n"
     "As Reader.read_batch; one Batch takes about 1 MiB of the log at most, or one event."},
    {"_take_run", (PyCFunction)rl_reader_take_run, METH_VARARGS, NULL},
    {"_exchange", (PyCFunction)exchange, METH_VARARGS, NULL},
    {"_with_turn", (PyCFunction)with_turn, METH_VARARGS, NULL},
    {"_detach", (PyCFunction)rl_reader_detach, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef log_reader_members[] = {
    {"position", T_LONGLONG, offsetof(ReaderObject, at) + offsetof(rl_reader, position), READONLY,
     "Position in the segment, in bytes, of the next event to read."},
    {"sequence", T_LONGLONG, offsetof(ReaderObject, at) + offsetof(rl_reader, sequence), READONLY,
     "Sequence of the next event to read."},
    {"lost", T_LONGLONG, offsetof(ReaderObject, lost), READONLY,
     "How many events were not there, because retention removed them or they were never recorded."},
    {"_lost_from", T_LONGLONG, offsetof(ReaderObject, overrun_from), READONLY, NULL},
    {"_not_before", T_LONGLONG, offsetof(ReaderObject, not_before), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyGetSetDef log_reader_getset[] = {
    {"_current", (getter)current, NULL, NULL, NULL},
    {"_state", (getter)rl_reader_state, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot log_reader_slots[] = {{Py_tp_new, rl_reader_new},
                                         {Py_tp_dealloc, rl_reader_dealloc},
                                         {Py_tp_traverse, rl_reader_traverse},
                                         {Py_tp_methods, log_reader_methods},
                                         {Py_tp_members, log_reader_members},
                                         {Py_tp_getset, log_reader_getset},
                                         {Py_tp_iter, PyObject_SelfIter},
                                         {Py_tp_iternext, rl_reader_iternext},
                                         {0, NULL}};
PyType_Spec rl_log_reader_spec = {.name = "ringlog._core.LogReader",
                                  .basicsize = sizeof(ReaderObject),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                                  .slots = log_reader_slots};
