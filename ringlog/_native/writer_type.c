/* writer_type.c: the native Writer's type, and the steps that lock.py and writer.py are made of. */
#include "writer_object.h"

static int is_attached(WriterObject *self) {
    if (self->mapping)
        return 1;
    PyErr_SetString(PyExc_ValueError, "not attached");
    return 0;
}

PyObject *rl_writer_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    WriterObject *self = (WriterObject *)type->tp_alloc(type, 0);
    if (self)
        rl_turn_init(&self->turn);
    return (PyObject *)self;
}

void rl_writer_dealloc(WriterObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->mapping);
    Py_CLEAR(self->semaphore);
    Py_CLEAR(self->window);
    type->tp_free(self);
    Py_DECREF(type);
}

int rl_writer_traverse(WriterObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->mapping);
    Py_VISIT(self->semaphore);
    return 0;
}

static PyObject *writer_attach(WriterObject *self, PyObject *args) {
    MappingObject *mapping;
    PyObject *timeout;
    int slot, durable, synced;
    unsigned long long epoch;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state || !PyArg_ParseTuple(args, "O!iKOpp", state->mapping_type, &mapping, &slot, &epoch, &timeout,
                                    &durable, &synced))
        return NULL;
    if (mapping->map.mode != RL_MAP_WRITE || slot < 0 || slot >= RL_MAX_WRITERS || self->mapping) {
        PyErr_SetString(PyExc_ValueError, "cannot attach a writer here");
        return NULL;
    }
    self->timeout = rl_parse_timeout(timeout);
    if (self->timeout == -2)
        return NULL;
    rl_ring_remember(&mapping->map.ring); /* opening may have restarted it */
    self->ring = mapping->map.ring;
    self->slot = &self->ring.header->writers[slot];
    self->copy = mapping->checksum->copy;
    self->me = rl_owner_word((uint64_t)slot, epoch);
    self->fork_generation = rl_fork_generation();
    self->named_stride = -1;
    self->durable = (char)durable;
    self->synced = (char)synced;
    self->session = self->ended = self->orphan = self->stopping = self->renew = 0;
    self->disk_error = 0;
    Py_INCREF(mapping);
    self->mapping = mapping;
    RL_POINT(writer_attached);
    Py_RETURN_NONE;
}

/* Waits for other threads to leave, lets go of a session, forgets the mapping. After a fork only the
 * last: the rest is the parent's. */
PyObject *rl_writer_detach(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    if (!self->mapping)
        Py_RETURN_NONE;
    if (self->fork_generation == rl_fork_generation()) {
        self->stopping = 1;
        RL_POINT(writer_stopping);
        switch (rl_turn_enter(&self->turn, INT64_MAX)) {
        case RL_TURN_TAKEN:
            break;
        case RL_TURN_REENTERED:
            self->stopping = 0;
            rl_writer_raise(self, "_reentered");
            return NULL;
        default:
            self->stopping = 0;
            return NULL;
        }
        if (self->semaphore && self->mapping && rl_owner_is(self->ring.header, self->me)) {
            int contended;
            self->session = 0;
            rl_writer_unlock(self, 0, &contended);
        }
        rl_turn_leave(&self->turn);
        RL_POINT(writer_detached);
    }
    Py_CLEAR(self->mapping);
    Py_CLEAR(self->semaphore);
    Py_CLEAR(self->window);
    memset(&self->ring, 0, sizeof self->ring);
    Py_RETURN_NONE;
}

static PyObject *writer_set_semaphore(WriterObject *self, PyObject *semaphore) {
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state || !PyObject_TypeCheck(semaphore, state->semaphore_type)) {
        PyErr_SetString(PyExc_TypeError, "a Semaphore is needed");
        return NULL;
    }
    Py_INCREF(semaphore);
    Py_XSETREF(self->semaphore, (SemaphoreObject *)semaphore);
    Py_RETURN_NONE;
}

/* ---- the lock, step by step ---- */

static PyObject *writer_lock_wait(WriterObject *self, PyObject *arg) {
    long long limit = PyLong_AsLongLong(arg);
    if ((limit == -1 && PyErr_Occurred()) || !rl_writer_usable(self))
        return NULL;
    /* Our own reference: another thread of this process may exchange the semaphore meanwhile. */
    SemaphoreObject *semaphore = self->semaphore;
    int token;
    Py_INCREF(semaphore);
    Py_BEGIN_ALLOW_THREADS
    token = rl_sem_wait(semaphore->sem, limit);
    Py_END_ALLOW_THREADS
    RL_POINT(lock_waited);
    /* With a token or without: the word decides. A token that won nothing is swallowed, a swap that
     * won without one is followed by a post that restores one. */
    int taken = rl_owner_take(self->ring.header, self->me);
    if (taken) /* whoever waited for room and gave up may not have got the lock to say so */
        rl_room_withdraw(&self->ring);
    if (taken)
        RL_POINT(lock_won);
    Py_DECREF(semaphore);
    return Py_BuildValue("NN", PyBool_FromLong(taken), PyBool_FromLong(token));
}

static PyObject *writer_owner(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    if (!is_attached(self))
        return NULL;
    uint64_t word = RL_LOAD_ACQUIRE(&self->ring.header->owner); /* pairs with the release of the lock */
    if (!word)
        Py_RETURN_NONE;
    return Py_BuildValue("KIKN", (unsigned long long)word, (unsigned int)rl_owner_slot(word),
                         (unsigned long long)rl_owner_epoch(word),
                         PyBool_FromLong((word & ~RL_CONTENDED) == self->me));
}

static PyObject *writer_contend(WriterObject *self, PyObject *arg) {
    unsigned long long seen = PyLong_AsUnsignedLongLong(arg);
    if (PyErr_Occurred() || !is_attached(self))
        return NULL;
    rl_owner_contend(self->ring.header, seen);
    RL_POINT(lock_asked);
    Py_RETURN_NONE;
}

/* Take the place of a dead owner, and put in order what it left: in one step, because a lock that is
 * let go between the two would pass for one in order. */
static PyObject *writer_replace(WriterObject *self, PyObject *arg) {
    unsigned long long seen = PyLong_AsUnsignedLongLong(arg);
    if (PyErr_Occurred() || !is_attached(self))
        return NULL;
    if (!seen || !rl_owner_replace(self->ring.header, seen, self->me))
        Py_RETURN_FALSE;
    RL_POINT(lock_replaced);
    if (rl_writer_recover(self) != RL_OK) {
        RL_STORE_RELEASE(&self->ring.header->owner, seen); /* still the dead one's: nobody may go on as if */
        rl_writer_raise(self, "_corrupt");
        return NULL;
    }
    RL_POINT(lock_recovered);
    Py_RETURN_TRUE;
}

/* Call `function()` with the turn and the lock. In C, so that no signal handler can run between taking
 * the one or the other and being sure to let it go. */
PyObject *rl_writer_with_lock(WriterObject *self, PyObject *function) {
    int contended;
    PyObject *result = NULL;
    if (!rl_writer_enter(self))
        return NULL;
    if (rl_writer_lock(self, rl_deadline(self->timeout))) {
        result = PyObject_CallNoArgs(function);
        rl_writer_unlock(self, 0, &contended);
    }
    rl_turn_leave(&self->turn);
    return result;
}

static PyObject *writer_begin_session(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    if (!rl_writer_enter(self))
        return NULL;
    int taken = rl_writer_lock(self, rl_deadline(self->timeout));
    self->session = (char)taken;
    rl_turn_leave(&self->turn);
    if (!taken)
        return NULL;
    Py_RETURN_NONE;
}

/* Under the lock, which Python has taken: what was published is on disk, and a record says so. */
static PyObject *writer_commit(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_append a;
    rl_place tail;
    if (!is_attached(self))
        return NULL;
    if (rl_append_begin(&self->ring, &a) != RL_OK || !rl_tail(&self->ring, &tail) || tail.position > a.position)
        rl_writer_raise(self, "_corrupt");
    else if (rl_writer_make_durable(self, &a, tail.position, tail))
        Py_RETURN_NONE;
    return NULL;
}

static PyObject *writer_set_ended(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    self->ended = 1;
    Py_RETURN_NONE;
}

static PyObject *writer_stop(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    self->stopping = 1;
    Py_RETURN_NONE;
}

/* For the calls that begin from now on. */
static PyObject *writer_set_timeout(WriterObject *self, PyObject *seconds) {
    int64_t timeout = rl_parse_timeout(seconds);
    if (timeout == -2)
        return NULL;
    self->timeout = timeout;
    Py_RETURN_NONE;
}

static PyObject *writer_timeout(WriterObject *self, void *Py_UNUSED(closure)) {
    if (self->timeout < 0)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(self->timeout);
}

static PyObject *writer_state(WriterObject *self, void *Py_UNUSED(closure)) {
    const char *state = !self->mapping                                     ? "closed"
                        : self->fork_generation != rl_fork_generation()    ? "forked"
                        : self->stopping                                   ? "closed"
                        : self->ended                                      ? "ended"
                                                                           : "open";
    return PyUnicode_FromString(state);
}

static PyMethodDef writer_methods[] = {
    {"append", (PyCFunction)(void (*)(void))rl_writer_append, METH_FASTCALL | METH_KEYWORDS,
     "append($self, data, /, *, timestamp=None)\n--\n\n"
     "Publish one event and return its sequence (its 0-based index in the stream).\n\n"
     "data: any object with the buffer protocol; its bytes are copied and checksummed in one pass.\n"
     "timestamp: Unix nanoseconds; the clock's by default, never below the last event's.\n\n"
     "Blocks while another writer holds the lock, or a lossless reader still needs the space, up to the\n"
     "writer's timeout. Nothing is published if it raises.\n\n"
     "Raises TypeError (no buffer), EventTooLarge (over capacity // 2 with its 16-byte entry),\n"
     "ValueError (timestamp below the last one, or over an hour ahead of the clock), WriterBusy,\n"
     "RingFull, RingRemoved, StreamEnded (end() was called on this writer), ClosedError."},
    {"append_many", (PyCFunction)(void (*)(void))rl_writer_append_many, METH_FASTCALL | METH_KEYWORDS,
     "append_many($self, items, /, *, timestamp=None)\n--\n\n"
     "Publish many events at once and return the range of their sequences.\n\n"
     "items: an iterable of objects with the buffer protocol. It is run to its end before the lock is\n"
     "taken. One lock, one clock reading and one publication for all of them: readers see all or none.\n\n"
     "Blocks and raises as append(); EventTooLarge if all of them with their entries exceed\n"
     "capacity // 2 bytes."},
    {"_append_batch", (PyCFunction)rl_writer_append_batch, METH_O, NULL},
    {"_append_run", (PyCFunction)rl_writer_append_run, METH_VARARGS, NULL},
    {"append_array", (PyCFunction)(void (*)(void))rl_writer_append_array, METH_FASTCALL | METH_KEYWORDS,
     "append_array($self, array, /, *, timestamp=None)\n--\n\n"
     "Publish each row of an array as one event and return the range of their sequences.\n\n"
     "array: any C-contiguous object with the buffer protocol and at least one dimension. A row is what\n"
     "array[k] is: one element of a 1-D array (a record, with a structured dtype), shape[1:] elements\n"
     "otherwise. One lock, one clock reading and one publication for all: readers see all or none. The GIL\n"
     "is free while a large array is copied.\n\n"
     "Blocks and raises as append_many(); ValueError if the array isn't C-contiguous or has no\n"
     "dimension."},
    {"claim", (PyCFunction)rl_writer_claim, METH_O,
     "claim($self, size, /)\n--\n\n"
     "Return a Claim: a place in the ring for one event of `size` bytes, to be written in place.\n\n"
     "    with writer.claim(size) as view:  # a writable memoryview; its bytes hold anything at first\n"
     "        camera.readinto(view)\n\n"
     "The event is published, its checksum taken in place, when the block is left; an exception drops it.\n"
     "The write lock is held from here to there: other writers wait, and this thread can't append\n"
     "(WriterBusy). A claim that is collected without its block lets the lock go; a process that is\n"
     "killed loses only this event. If some object still holds the memory at the end of the block (a\n"
     "numpy array made on it: delete it first), BufferError is raised, nothing is published, and the\n"
     "object keeps a private copy.\n\n"
     "Blocks and raises as append(); ValueError if size is negative, OSError if no memory can be mapped."},
    {"_drop_claim", (PyCFunction)rl_writer_drop_claim, METH_NOARGS, NULL},
    {"_attach", (PyCFunction)writer_attach, METH_VARARGS, NULL},
    {"_detach", (PyCFunction)rl_writer_detach, METH_NOARGS, NULL},
    {"_set_semaphore", (PyCFunction)writer_set_semaphore, METH_O, NULL},
    {"_set_timeout", (PyCFunction)writer_set_timeout, METH_O, NULL},
    {"_lock_wait", (PyCFunction)writer_lock_wait, METH_O, NULL},
    {"_owner", (PyCFunction)writer_owner, METH_NOARGS, NULL},
    {"_contend", (PyCFunction)writer_contend, METH_O, NULL},
    {"_replace", (PyCFunction)writer_replace, METH_O, NULL},
    {"_with_lock", (PyCFunction)rl_writer_with_lock, METH_O, NULL},
    {"_begin_session", (PyCFunction)writer_begin_session, METH_NOARGS, NULL},
    {"_commit", (PyCFunction)writer_commit, METH_NOARGS, NULL},
    {"_drop_window", (PyCFunction)rl_writer_drop_window, METH_NOARGS, NULL},
    {"_jump", (PyCFunction)rl_writer_jump, METH_O, NULL},
    {"_stop", (PyCFunction)writer_stop, METH_NOARGS, NULL},
    {"_set_ended", (PyCFunction)writer_set_ended, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
PyGetSetDef rl_writer_states[] = {
    {"_timeout_ns", (getter)writer_timeout, NULL, NULL, NULL},
    {"_state", (getter)writer_state, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot writer_slots[] = {{Py_tp_new, rl_writer_new},
                                     {Py_tp_dealloc, rl_writer_dealloc},
                                     {Py_tp_traverse, rl_writer_traverse},
                                     {Py_tp_methods, writer_methods},
                                     {Py_tp_getset, rl_writer_states},
                                     {0, NULL}};
PyType_Spec rl_writer_spec = {.name = "ringlog._core.Writer",
                              .basicsize = sizeof(WriterObject),
                              .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                              .slots = writer_slots};
