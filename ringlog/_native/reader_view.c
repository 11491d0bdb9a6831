/* reader_view.c: Reader.view() and View: an event read in place.
 *
 * The reader goes on behind the event at once, but a lossless one's cursor stays in front of the oldest view that
 * is open, so that its bytes can't be overwritten. Lossy readers look at the tail when the block is left.
 */
#include "reader_object.h"

#include "memory_object.h"

typedef enum ViewState { VIEW_NEW, VIEW_ENTERED, VIEW_OVER } ViewState;

typedef struct ViewObject {
    PyObject_HEAD
    ReaderObject *reader;
    MemoryObject *memory;
    PyObject *bytes; /* the memoryview that was handed out */
    PyObject *event;
    rl_place place;
    uint64_t fork_generation;
    struct ViewObject *previous, *next; /* in the reader's list */
    ViewState state;
} ViewObject;

/* ---- the list ---- */

rl_place rl_reader_oldest_view(const ReaderObject *self) { return self->views->place; }

static void link_view(ViewObject *self) {
    ViewObject **last = &self->reader->views;
    self->previous = self->next = NULL;
    for (; *last; last = &(*last)->next)
        self->previous = *last;
    *last = self;
}

static void unlink_view(ViewObject *self) {
    if (self->previous)
        self->previous->next = self->next;
    else
        self->reader->views = self->next;
    if (self->next)
        self->next->previous = self->previous;
}

/* ---- the beginning ---- */

rl_status rl_reader_make_view(ReaderObject *self, const rl_entry *entry, const uint8_t *data, PyObject **out) {
    CoreState *state = rl_core_state(Py_TYPE(self));
    uint32_t sum = entry->checksum;
    *out = NULL;
    if (!state)
        return RL_OK;
    if (self->copy) {
        PyThreadState *released = entry->size >= RL_GIL_BYTES ? PyEval_SaveThread() : NULL;
        sum = self->mapping->checksum->sum(data, entry->size);
        if (released)
            PyEval_RestoreThread(released);
    }
    if (RL_UNLIKELY(rl_reader_check(&self->ring, &self->at) != RL_OK))
        return RL_OVERRUN;
    if (RL_UNLIKELY(sum != entry->checksum))
        return RL_CORRUPT;
    ViewObject *view = PyObject_GC_New(ViewObject, state->view_type);
    if (!view)
        return RL_OK;
    view->bytes = view->event = NULL;
    view->place.position = self->at.position;
    view->place.sequence = self->at.sequence;
    view->fork_generation = rl_fork_generation();
    view->state = VIEW_OVER;
    Py_INCREF(self);
    view->reader = self;
    view->memory = rl_memory_new(state, (PyObject *)self->mapping, (uint8_t *)(uintptr_t)data,
                                 (Py_ssize_t)entry->size, 1);
    if (view->memory)
        view->bytes = PyMemoryView_FromObject((PyObject *)view->memory);
    if (view->bytes) {
        Py_INCREF(view->bytes);
        view->event = rl_event_new(self->event_type, self->at.sequence, entry->timestamp, view->bytes);
    }
    if (!view->event) {
        Py_DECREF(view);
        return RL_OK;
    }
    view->state = VIEW_NEW;
    link_view(view);
    PyObject_GC_Track((PyObject *)view);
    *out = (PyObject *)view;
    RL_POINT(view_made);
    return RL_OK;
}

PyObject *rl_reader_view(ReaderObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    PyObject *timeout = NULL, *view = NULL;
    if (!rl_optional_arguments("view", names, args, nargs, kwnames, &timeout))
        return NULL;
    int64_t deadline;
    int entered = rl_reader_begin(self, timeout, &deadline);
    if (entered < 0)
        return NULL;
    Taken taken = NOTHING;
    if (entered) {
        taken = rl_reader_wait_and_view(self, deadline, &view);
        rl_turn_leave(&self->turn);
    }
    if (taken == TAKEN)
        return view;
    if (taken == NOTHING)
        Py_RETURN_NONE;
    if (taken == ENDED)
        rl_reader_raise(self, "_ended");
    return NULL;
}

/* ---- the end ---- */

/* The writer may go on over these bytes. */
static void let_go(ViewObject *self) {
    ReaderObject *reader = self->reader;
    int oldest = self->previous == NULL;
    unlink_view(self);
    /* A named reader's event is finished when the next is asked for, not here; but it may have been since. */
    if (oldest && reader->slot && reader->fork_generation == rl_fork_generation())
        rl_reader_move_cursor(reader);
}

/* Was the event overwritten while it was looked at? Then the loss is noted for the next read; with `tell` it is
 * told now, whatever the reader's policy: the block has worked on those bytes. 0: an exception. */
static int settle_loss(ViewObject *self, int tell) {
    ReaderObject *reader = self->reader;
    int64_t sequence = self->place.sequence;
    if (!reader->mapping || RL_LIKELY(rl_intact(&reader->ring, self->place.position) == RL_OK))
        return 1;
    /* What lies behind may be lost too: one loss, if nothing was read since. Else only this event is. */
    if (!reader->turn.holder && reader->at.sequence == sequence + 1 && reader->overrun_from < 0) {
        reader->overrun_from = sequence;
        if (!tell)
            return 1;
        if (rl_reader_enter(reader, INT64_MAX) <= 0)
            return 0;
        Taken taken = rl_reader_overrun(reader, "_overrun_in_view");
        rl_turn_leave(&reader->turn);
        return taken != FAILED;
    }
    reader->lost += 1;
    if (!tell)
        return 1;
    PyObject *error = PyObject_CallMethod((PyObject *)reader, "_overrun_in_view", "LL", (long long)sequence,
                                          (long long)sequence);
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return 0;
}

static PyObject *view_exit(ViewObject *self, PyObject *args) {
    PyObject *kind, *value, *trace;
    if (!PyArg_ParseTuple(args, "OOO:__exit__", &kind, &value, &trace))
        return NULL;
    if (self->state != VIEW_ENTERED) {
        rl_reader_raise(self->reader, "_view_over");
        return NULL;
    }
    self->state = VIEW_OVER;
    int clean = kind == Py_None, free = rl_memory_take_back(self->memory, self->bytes);
    int good = settle_loss(self, clean && free); /* first: once the cursor moves, the writer may come */
    if (good && clean && self->reader->mapping)
        good = rl_reader_sound(self->reader); /* zeros may have been looked at */
    let_go(self);
    RL_POINT(view_left);
    if (good && clean && !free)
        good = rl_reader_raise(self->reader, "_view_held");
    if (!good)
        return NULL;
    Py_RETURN_FALSE;
}

static void view_finalize(PyObject *object) {
    ViewObject *self = (ViewObject *)object;
    PyObject *type, *value, *trace;
    if (self->state == VIEW_OVER)
        return;
    self->state = VIEW_OVER;
    PyErr_Fetch(&type, &value, &trace);
    rl_memory_take_back(self->memory, self->bytes);
    let_go(self);
    PyErr_Restore(type, value, trace);
}

void rl_reader_drop_views(ReaderObject *self) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    while (self->views) {
        ViewObject *view = self->views;
        view->state = VIEW_OVER;
        rl_memory_take_back(view->memory, view->bytes);
        let_go(view);
    }
    PyErr_Restore(type, value, trace);
}

/* ---- the type ---- */

static PyObject *view_enter(ViewObject *self, PyObject *Py_UNUSED(ignored)) {
    if (self->state != VIEW_NEW) {
        rl_reader_raise(self->reader, "_view_over");
        return NULL;
    }
    self->state = VIEW_ENTERED;
    Py_INCREF(self->event);
    return self->event;
}

static void view_dealloc(ViewObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->event && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return; /* resurrected */
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->event);
    Py_XDECREF(self->bytes);
    Py_XDECREF(self->memory);
    Py_DECREF(self->reader);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static int view_traverse(ViewObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->reader);
    Py_VISIT(self->bytes);
    return 0;
}

static PyMethodDef view_methods[] = {
    {"__enter__", (PyCFunction)view_enter, METH_NOARGS,
     "__enter__($self, /)\n--\n\nReturn the Event; its data is a read-only memoryview into the ring."},
    {"__exit__", (PyCFunction)view_exit, METH_VARARGS,
     "__exit__($self, kind, error, trace, /)\n--\n\n"
     "Let the writer go on over the event; Overrun if it already has, BufferError if somebody still holds the\n"
     "memory."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot view_slots[] = {
    {Py_tp_doc, "An event in its place in the ring: `with reader.view() as event:`"},
    {Py_tp_dealloc, view_dealloc},
    {Py_tp_traverse, view_traverse},
    {Py_tp_finalize, view_finalize},
    {Py_tp_methods, view_methods},
    {0, NULL}};
PyType_Spec rl_view_spec = {.name = "ringlog.View",
                            .basicsize = sizeof(ViewObject),
                            .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_GC |
                                     Py_TPFLAGS_IMMUTABLETYPE,
                            .slots = view_slots};
