/* writer_claim.c: Writer.claim() and Claim: an event written in place.
 *
 * A claim holds the writer's turn and the write lock from claim() to the end of its block. What is written there
 * is behind the head, so nobody sees it, and a writer that is killed in the middle loses nothing else.
 */
#include "writer_object.h"

#include "memory_object.h"

typedef enum ClaimState { CLAIM_NEW, CLAIM_ENTERED, CLAIM_OVER } ClaimState;

typedef struct ClaimObject {
    PyObject_HEAD
    WriterObject *writer;
    MemoryObject *memory;
    PyObject *view;
    rl_append at;
    int64_t sequence; /* -1: not published */
    uint64_t fork_generation;
    ClaimState state;
} ClaimObject;

/* ---- the end of a claim ---- */

/* In a forked child the lock and the turn are the parent's. */
static int is_ours(const ClaimObject *self) {
    return self->fork_generation == rl_fork_generation() && self->writer->mapping != NULL;
}

static void let_go(ClaimObject *self) {
    WriterObject *writer = self->writer;
    int contended = 0;
    if (rl_owner_is(writer->ring.header, writer->me)) /* else somebody was told to take it from us */
        rl_writer_unlock(writer, 0, &contended);
    if (contended)
        writer->renew = 1;
    rl_turn_leave(&writer->turn);
    RL_POINT(claim_dropped);
}

/* Nobody may reach the ring by the claim's memory any more. 1: nobody tried to; 0: somebody still holds it. */
static int take_memory_back(ClaimObject *self) {
    WindowObject *window = (WindowObject *)self->memory->holder;
    self->state = CLAIM_OVER;
    self->writer->claim = NULL;
    if (rl_memory_take_back(self->memory, self->view))
        return 1;
    if (self->fork_generation == rl_fork_generation()) /* a child has private pages there already */
        rl_window_cut(&window->window, self->memory->data, (size_t)self->memory->size);
    if (self->writer->window == (PyObject *)window)
        Py_CLEAR(self->writer->window);
    return 0;
}

/* With the lock and the turn, which are let go. 0: an exception, and nothing is published. */
static int publish(ClaimObject *self) {
    WriterObject *writer = self->writer;
    rl_append *a = &self->at;
    int64_t sequence = a->sequence, from = a->position, now, timestamp;
    uint32_t size = (uint32_t)self->memory->size, sum;
    if (RL_UNLIKELY(!rl_owner_is(writer->ring.header, writer->me))) {
        rl_turn_leave(&writer->turn);
        return rl_writer_raise(writer, "_session_lost");
    }
    if (RL_UNLIKELY(RL_LOAD_ACQUIRE(&writer->ring.header->removed))) { /* pairs with mark_removed */
        let_go(self);
        return rl_writer_raise(writer, "_removed");
    }
    if (RL_UNLIKELY(((WindowObject *)self->memory->holder)->window.broken))
        (void)RL_FETCH_OR(&writer->mapping->map.broken, RL_BROKEN_DATA); /* what was written in the block is not in the ring */
    const uint8_t *data = rl_at(&writer->ring, from) + RL_ENTRY_SIZE;
    PyThreadState *released = size >= RL_GIL_BYTES ? PyEval_SaveThread() : NULL;
    sum = writer->mapping->checksum->sum(data, size);
    if (released)
        PyEval_RestoreThread(released);
    RL_POINT(claim_summed);
    now = rl_now();
    timestamp = now > a->timestamp ? now : a->timestamp;
    rl_append_seal(&writer->ring, a, timestamp, size, sum);
    int published = rl_writer_publish(writer, a, from, now);
    rl_turn_leave(&writer->turn);
    if (published)
        self->sequence = sequence;
    return published;
}

static PyObject *claim_exit(ClaimObject *self, PyObject *args) {
    PyObject *kind, *value, *trace;
    if (!PyArg_ParseTuple(args, "OOO:__exit__", &kind, &value, &trace))
        return NULL;
    if (self->state != CLAIM_ENTERED) {
        rl_writer_raise(self->writer, "_claim_over");
        return NULL;
    }
    RL_POINT(claim_left);
    int free = take_memory_back(self);
    RL_POINT(claim_taken_back);
    if (!is_ours(self)) {
        if (kind == Py_None && !rl_writer_raise(self->writer, "_unusable"))
            return NULL;
    } else if (kind == Py_None && free) {
        if (!publish(self))
            return NULL;
    } else {
        let_go(self);
        if (kind == Py_None && !rl_writer_raise(self->writer, "_claim_held"))
            return NULL;
    }
    Py_RETURN_FALSE;
}

static void drop(ClaimObject *self) {
    take_memory_back(self);
    if (is_ours(self))
        let_go(self);
}

/* Collected before its block was left, or never entered. */
static void claim_finalize(PyObject *object) {
    ClaimObject *self = (ClaimObject *)object;
    PyObject *type, *value, *trace;
    if (self->state == CLAIM_OVER)
        return;
    PyErr_Fetch(&type, &value, &trace);
    drop(self);
    PyErr_Restore(type, value, trace);
}

/* The writer is being collected, so its claim is in the same cycle; whichever is finalized first, in whatever
 * thread. Closing would wait for the claim's turn for ever. */
PyObject *rl_writer_drop_claim(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    if (self->claim)
        drop(self->claim);
    Py_RETURN_NONE;
}

/* ---- its beginning ---- */

/* A mapping for claims is made by the first one, and kept. */
static WindowObject *window_of(WriterObject *writer, CoreState *state) {
    if (!writer->window)
        writer->window = (PyObject *)rl_window_new(state, &writer->mapping->map);
    return (WindowObject *)writer->window;
}

/* The turn is held. What remains to be done in case of NULL: leave it. */
static ClaimObject *claim_new(WriterObject *writer, CoreState *state, Py_ssize_t size) {
    int contended;
    WindowObject *window = window_of(writer, state);
    if (!window)
        return NULL;
    ClaimObject *self = PyObject_GC_New(ClaimObject, state->claim_type);
    if (!self)
        return NULL;
    self->memory = NULL;
    self->view = NULL;
    self->sequence = -1;
    self->fork_generation = rl_fork_generation();
    self->state = CLAIM_OVER;
    Py_INCREF(writer);
    self->writer = writer;
    if (rl_writer_begin(writer, &self->at, RL_ENTRY_SIZE + size)) {
        int64_t offset = rl_at(&writer->ring, self->at.position) + RL_ENTRY_SIZE - writer->ring.data;
        self->memory = rl_memory_new(state, (PyObject *)window, window->window.data + offset, size, 0);
        if (self->memory)
            self->view = PyMemoryView_FromObject((PyObject *)self->memory);
        if (self->view) {
            self->state = CLAIM_NEW;
            writer->claim = self;
            PyObject_GC_Track((PyObject *)self);
            RL_POINT(claim_made);
            return self;
        }
        rl_writer_unlock(writer, 0, &contended);
    }
    Py_DECREF(self);
    return NULL;
}

PyObject *rl_writer_claim(WriterObject *self, PyObject *arg) {
    CoreState *state = rl_core_state(Py_TYPE(self));
    PyObject *index = state ? PyNumber_Index(arg) : NULL;
    if (!index)
        return NULL;
    int overflow;
    long long size = PyLong_AsLongLongAndOverflow(index, &overflow);
    Py_DECREF(index);
    if (overflow > 0)
        size = LLONG_MAX; /* more than any ring has */
    if (size < 0) {
        PyErr_SetString(PyExc_ValueError, "a claim has 0 or more bytes");
        return NULL;
    }
    if (!rl_writer_enter(self))
        return NULL;
    PyObject *claim = NULL;
    if (rl_writer_fits(self, size))
        claim = (PyObject *)claim_new(self, state, (Py_ssize_t)size);
    if (!claim)
        rl_turn_leave(&self->turn);
    return claim;
}

/* ---- the type ---- */

static PyObject *claim_enter(ClaimObject *self, PyObject *Py_UNUSED(ignored)) {
    if (self->state != CLAIM_NEW) {
        rl_writer_raise(self->writer, "_claim_over");
        return NULL;
    }
    self->state = CLAIM_ENTERED;
    Py_INCREF(self->view);
    return self->view;
}

static void claim_dealloc(ClaimObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->view && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return; /* resurrected */
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->view);
    Py_XDECREF(self->memory);
    Py_DECREF(self->writer);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static int claim_traverse(ClaimObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->writer);
    Py_VISIT(self->view);
    return 0;
}

static PyObject *claim_sequence(ClaimObject *self, void *Py_UNUSED(closure)) {
    if (self->sequence < 0)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(self->sequence);
}

static PyObject *claim_size(ClaimObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->memory->size);
}

static PyMethodDef claim_methods[] = {
    {"__enter__", (PyCFunction)claim_enter, METH_NOARGS,
     "__enter__($self, /)\n--\n\nReturn the claim's memory: a writable memoryview of its bytes, whatever they hold."},
    {"__exit__", (PyCFunction)claim_exit, METH_VARARGS,
     "__exit__($self, kind, error, trace, /)\n--\n\n"
     "Publish the event, or drop it if an exception came or somebody still holds its memory."},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef claim_getset[] = {
    {"sequence", (getter)claim_sequence, NULL, "The event's sequence; None until it is published.", NULL},
    {"size", (getter)claim_size, NULL, "The event's size in bytes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot claim_slots[] = {
    {Py_tp_doc, "A place in the ring for one event, written in place: `with writer.claim(size) as view:`"},
    {Py_tp_dealloc, claim_dealloc},
    {Py_tp_traverse, claim_traverse},
    {Py_tp_finalize, claim_finalize},
    {Py_tp_methods, claim_methods},
    {Py_tp_getset, claim_getset},
    {0, NULL}};
PyType_Spec rl_claim_spec = {.name = "ringlog.Claim",
                             .basicsize = sizeof(ClaimObject),
                             .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_GC |
                                      Py_TPFLAGS_IMMUTABLETYPE,
                             .slots = claim_slots};
