/* reader_type.c: the native Reader's type, and the steps that reader.py is made of. */
#include "reader_object.h"

PyObject *rl_reader_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    ReaderObject *self = (ReaderObject *)type->tp_alloc(type, 0);
    if (self) {
        rl_turn_init(&self->turn);
        self->overrun_from = -1;
    }
    return (PyObject *)self;
}

void rl_reader_dealloc(ReaderObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    rl_watch_end(&self->watch); /* before the mapping that it looks into */
    Py_CLEAR(self->mapping);
    Py_CLEAR(self->event_type);
    Py_CLEAR(self->batch_type);
    type->tp_free(self);
    Py_DECREF(type);
}

int rl_reader_traverse(ReaderObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->mapping);
    Py_VISIT(self->event_type);
    Py_VISIT(self->batch_type);
    return 0;
}

static int is_attached(ReaderObject *self) {
    return self->mapping ? 1 : rl_reader_raise(self, "_unusable");
}

static PyObject *reader_attach(ReaderObject *self, PyObject *args) {
    MappingObject *mapping;
    PyTypeObject *batch_type;
    int slot, named, verify, wait;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state || !PyArg_ParseTuple(args, "O!ippiO!", state->mapping_type, &mapping, &slot, &named, &verify, &wait,
                                    &PyType_Type, &batch_type))
        return NULL;
    if (self->mapping || !PyType_IsSubtype(batch_type, state->batch_type) || slot >= (int)mapping->map.ring.max_readers || wait < 0 || wait > RL_WAIT_SLEEP) {
        PyErr_SetString(PyExc_ValueError, "cannot attach a reader here");
        return NULL;
    }
    rl_ring_remember(&mapping->map.ring); /* opening may have restarted it */
    self->ring = mapping->map.ring;
    self->slot = slot < 0 ? NULL : &rl_readers(self->ring.header)[slot];
    self->slot_index = slot < 0 ? 0 : (uint32_t)slot;
    self->named = (char)named;
    self->held = 0;
    self->announce = mapping->map.mode != RL_MAP_READ;
    self->wait = (char)wait;
    self->copy = verify ? mapping->checksum->copy : NULL;
    self->fork_generation = rl_fork_generation();
    self->stopping = 0;
    Py_INCREF(state->event_type);
    Py_XSETREF(self->event_type, state->event_type);
    Py_INCREF(batch_type);
    Py_XSETREF(self->batch_type, batch_type);
    Py_INCREF(mapping);
    self->mapping = mapping;
    RL_POINT(reader_attached);
    Py_RETURN_NONE;
}

PyObject *rl_reader_detach(ReaderObject *self, PyObject *Py_UNUSED(ignored)) {
    if (!self->mapping)
        Py_RETURN_NONE;
    if (self->fork_generation == rl_fork_generation()) {
        if (self->views) {
            rl_reader_raise(self, "_viewed");
            return NULL;
        }
        self->stopping = 1;
        RL_POINT(reader_stopping);
        if (self->turn.holder && self->announce) { /* somebody sleeps in here: let it see */
            RL_FETCH_ADD(&self->ring.header->sleepers_futex, 1);
            rl_wake_all(&self->ring.header->sleepers_futex);
        }
        rl_turn_result result = rl_turn_enter(&self->turn, INT64_MAX);
        if (result != RL_TURN_TAKEN) {
            self->stopping = 0;
            if (result == RL_TURN_REENTERED)
                PyErr_SetString(PyExc_RuntimeError, "this Reader is being read further down in this thread");
            return NULL;
        }
        rl_turn_leave(&self->turn);
        if (self->views) { /* made by the thread that was in here */
            self->stopping = 0;
            rl_reader_raise(self, "_viewed");
            return NULL;
        }
    }
    rl_watch_end(&self->watch); /* before the mapping that it looks into */
    Py_CLEAR(self->mapping);
    self->slot = NULL;
    RL_POINT(reader_detached);
    memset(&self->ring, 0, sizeof self->ring);
    Py_RETURN_NONE;
}

static void stand(ReaderObject *self, rl_place place, int64_t lost_from, int64_t not_before) {
    rl_reader_place(&self->at, place);
    self->overrun_from = lost_from;
    self->not_before = not_before;
    rl_watch_fire(&self->watch); /* armed, it would wait for news behind the old place */
}

/* Stand at a place; events from `lost_from` up to it are known to be gone (-1: none are). If the writer
 * has the place in its grip already, we stand further on; that is a loss unless `forgiving`. */
static PyObject *reader_place(ReaderObject *self, PyObject *args) {
    long long position, sequence, lost_from, not_before;
    int forgiving;
    if (!PyArg_ParseTuple(args, "LLLLp", &position, &sequence, &lost_from, &not_before, &forgiving) ||
        !is_attached(self))
        return NULL;
    rl_place place = {position, sequence};
    int entered = rl_reader_enter(self, INT64_MAX), joined = 1;
    if (entered < 0)
        return NULL;
    if (self->held && place.position >= self->finished.position && place.position <= self->at.position) {
        /* The cursor stays, and so does what is noted of a loss: neither was finished by looking again. */
        stand(self, place, lost_from >= 0 ? lost_from : self->overrun_from, not_before);
        rl_turn_leave(&self->turn);
        return rl_place_tuple(place.position, place.sequence);
    }
    if (self->slot && self->views) { /* the cursor would leave their bytes to the writer */
        rl_turn_leave(&self->turn);
        rl_reader_raise(self, "_viewed");
        return NULL;
    }
    if (self->named && forgiving)
        RL_STORE_RELAXED(&self->slot->lost_from, 0); /* another place was asked for: its loss is no loss */
    else if (self->slot) /* before the cursor moves: the gate may have passed the place, and we may die */
        rl_reader_note_loss(self, lost_from >= 0 ? lost_from : sequence);
    if (self->slot)
        joined = rl_cursor_join(&self->ring, self->slot, self->slot_index, &place);
    /* The gate had passed it: whoever asked for this very place has lost what lies between. */
    if (place.position != position && lost_from < 0 && !forgiving)
        lost_from = sequence;
    if (self->named && joined && lost_from < 0)
        RL_STORE_RELAXED(&self->slot->lost_from, 0);
    if (joined) {
        stand(self, place, lost_from, not_before);
        self->finished = place;
    }
    rl_turn_leave(&self->turn);
    if (joined)
        return rl_place_tuple(place.position, place.sequence);
    rl_reader_raise(self, "_corrupt");
    return NULL;
}

static PyObject *reader_finish(ReaderObject *self, PyObject *Py_UNUSED(ignored)) {
    if (rl_reader_enter(self, INT64_MAX) < 0)
        return NULL;
    if (self->held) {
        rl_turn_leave(&self->turn);
        Py_RETURN_NONE;
    }
    /* In this order: killed between the two, a loss that was told is not told again with events that were read. The
     * cursor's release store keeps it so for whoever sees the new cursor. */
    if (self->named && self->overrun_from < 0)
        RL_STORE_RELAXED(&self->slot->lost_from, 0);
    if (self->slot)
        rl_reader_publish_cursor(self);
    rl_turn_leave(&self->turn);
    Py_RETURN_NONE;
}

static PyObject *reader_drop_views(ReaderObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_reader_drop_views(self);
    Py_RETURN_NONE;
}

static PyObject *reader_iter(PyObject *self) {
    Py_INCREF(self);
    return self;
}

static PyObject *reader_lag(ReaderObject *self, void *Py_UNUSED(closure)) {
    rl_place head;
    if (!rl_reader_usable(self))
        return NULL;
    if (!rl_head(&self->ring, &head)) {
        rl_reader_raise(self, "_corrupt");
        return NULL;
    }
    int64_t lag = head.sequence - self->at.sequence;
    return PyLong_FromLongLong(lag > 0 ? lag : 0);
}

PyObject *rl_reader_state(ReaderObject *self, void *Py_UNUSED(closure)) {
    const char *state = !self->mapping || self->stopping                                     ? "closed"
                        : self->slot && self->fork_generation != rl_fork_generation() ? "forked"
                                                                                      : "open";
    return PyUnicode_FromString(state);
}

/* Does the descriptor wait for news? Not if there is none, or no descriptor. */
static PyObject *reader_quiet(ReaderObject *self, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(self->watch.source != NULL && !RL_LOAD_RELAXED(&self->watch.fired));
}

static PyMethodDef reader_methods[] = {
    {"poll", (PyCFunction)rl_reader_poll, METH_NOARGS,
     "poll($self)\n--\n\n"
     "Return the next Event, or None if there is none now. Never waits.\n\n"
     "Raises Overrun (the writer has passed this reader; it then stands at the oldest event),\n"
     "CorruptStream (it stays where it is until seek()), StreamEnded, RingRemoved, ClosedError."},
    {"read", (PyCFunction)(void (*)(void))rl_reader_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, timeout=None)\n--\n\n"
     "Return the next Event, waiting for it up to `timeout` seconds (None: for ever).\n\n"
     "Waiting spins for microseconds, then sleeps until the writer wakes it; the GIL is free and\n"
     "Ctrl-C works. Raises TimeoutError, and what poll() raises."},
    {"read_many", (PyCFunction)(void (*)(void))rl_reader_read_many, METH_FASTCALL | METH_KEYWORDS,
     "read_many($self, limit=1024, timeout=0.0)\n--\n\n"
     "Return a list of up to `limit` Events, waiting up to `timeout` seconds for the first.\n\n"
     "An empty list if none came. What was whole is returned before an error behind it is raised,\n"
     "by the next call. Raises ValueError (limit below 1), and what poll() raises."},
    {"read_batch", (PyCFunction)(void (*)(void))rl_reader_read_batch, METH_FASTCALL | METH_KEYWORDS,
     "read_batch($self, limit=65536, timeout=0.0)\n--\n\n"
     "Return a Batch of up to `limit` events, waiting up to `timeout` seconds for the first (None: for ever).\n\n"
     "The events come as columns over one block of memory, into which they are copied once; an empty\n"
     "Batch (false) if none came. However large `limit` is, a Batch takes at most 64 MiB of the stream,\n"
     "16 bytes for each event included, or one event. The GIL is free while it waits, and while it copies\n"
     "much. What was whole is returned before an error behind it is raised, by the next call. Raises\n"
     "ValueError (limit below 1), and what poll() raises."},
    {"view", (PyCFunction)(void (*)(void))rl_reader_view, METH_FASTCALL | METH_KEYWORDS,
     "view($self, timeout=0.0)\n--\n\n"
     "Return a View of the next event in its place in the ring, waiting up to `timeout` seconds (None: for\n"
     "ever), or None if none came.\n\n"
     "    if (view := reader.view(timeout=1)) is not None:\n"
     "        with view as event:  # event.data is a read-only memoryview, nothing was copied\n"
     "            show(numpy.frombuffer(event.data, 'u1'))\n\n"
     "On a lossless reader the event can't be overwritten while its view is open, and the writer waits if it\n"
     "comes round to it. On a lossy one leaving the block raises Overrun (with on_overrun=\"skip\" too) if it\n"
     "was: what was seen there may be of another event. Several views may be open at once. If some object\n"
     "still holds the memory at the end of the block (a numpy array made on it: delete it first), BufferError\n"
     "is raised; what that object shows is then no longer protected. close() and, on a lossless reader, seek()\n"
     "raise BufferError while a view is open.\n\n"
     "The checksum is verified in place before the view is returned. Raises what poll() raises."},
    {"fileno", (PyCFunction)rl_reader_fileno, METH_NOARGS,
     "fileno($self)\n--\n\n"
     "Return a file descriptor that is readable when there may be events: for select, poll, epoll, asyncio.\n\n"
     "The same one until close(), which closes it. It is readable from the first event that was not read\n"
     "until a call of poll(), read() or read_many() finds nothing; use poll(), since others may have been\n"
     "faster. It stays readable at the end of the stream, after unlink(), and once the\n"
     "file has lost its name (seen within a second). Never read from it or close it. The first call in a\n"
     "process starts a native thread, which waits for all its readers; with read permission alone, or on a\n"
     "kernel before 5.16, it looks each millisecond. In a forked child the number is another one: ask again.\n"
     "Raises ClosedError, and OSError (no descriptor or thread left)."},
    {"_attach", (PyCFunction)reader_attach, METH_VARARGS, NULL},
    {"_detach", (PyCFunction)rl_reader_detach, METH_NOARGS, NULL},
    {"_place", (PyCFunction)reader_place, METH_VARARGS, NULL},
    {"_wait", (PyCFunction)rl_reader_wait_for_news, METH_O, NULL},
    {"_finish", (PyCFunction)reader_finish, METH_NOARGS, NULL},
    {"_take_run", (PyCFunction)rl_reader_take_run, METH_VARARGS, NULL},
    {"_hold", (PyCFunction)rl_reader_hold, METH_NOARGS, NULL},
    {"_finish_to", (PyCFunction)rl_reader_finish_to, METH_VARARGS, NULL},
    {"_drop_views", (PyCFunction)reader_drop_views, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef reader_members[] = {
    {"position", T_LONGLONG, offsetof(ReaderObject, at) + offsetof(rl_reader, position), READONLY,
     "Position in the stream, in bytes, of the next event to read."},
    {"sequence", T_LONGLONG, offsetof(ReaderObject, at) + offsetof(rl_reader, sequence), READONLY,
     "Sequence of the next event to read."},
    {"lost", T_LONGLONG, offsetof(ReaderObject, lost), READONLY,
     "How many events the writer overwrote before this reader read them."},
    {NULL, 0, 0, 0, NULL},
};
static PyGetSetDef reader_getset[] = {
    {"lag", (getter)reader_lag, NULL,
     "How many events have been published that this reader has not read. Raises ClosedError.", NULL},
    {"_state", (getter)rl_reader_state, NULL, NULL, NULL},
    {"_quiet", (getter)reader_quiet, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot reader_slots[] = {{Py_tp_new, rl_reader_new},
                                     {Py_tp_dealloc, rl_reader_dealloc},
                                     {Py_tp_traverse, rl_reader_traverse},
                                     {Py_tp_methods, reader_methods},
                                     {Py_tp_members, reader_members},
                                     {Py_tp_getset, reader_getset},
                                     {Py_tp_iter, reader_iter},
                                     {Py_tp_iternext, rl_reader_iternext},
                                     {0, NULL}};
PyType_Spec rl_reader_spec = {.name = "ringlog._core.Reader",
                              .basicsize = sizeof(ReaderObject),
                              .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                              .slots = reader_slots};
