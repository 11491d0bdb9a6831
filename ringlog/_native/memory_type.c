/* memory_type.c: Memory and Window: what a claim's or a view's bytes are, and where they are mapped. */
#include "memory_object.h"

/* ---- Memory ---- */

MemoryObject *rl_memory_new(CoreState *state, PyObject *holder, uint8_t *data, Py_ssize_t size, int readonly) {
    MemoryObject *self = PyObject_New(MemoryObject, state->memory_type);
    if (!self)
        return NULL;
    Py_INCREF(holder);
    self->holder = holder;
    self->data = data;
    self->size = size;
    self->exports = 0;
    self->readonly = (char)readonly;
    self->closed = 0;
    return self;
}

int rl_memory_take_back(MemoryObject *memory, PyObject *view) {
    PyObject *type, *value, *trace;
    memory->closed = 1;
    PyErr_Fetch(&type, &value, &trace);
    Py_XDECREF(PyObject_CallMethod(view, "release", NULL)); /* BufferError: then the count says so too */
    PyErr_Restore(type, value, trace);
    return memory->exports == 0;
}

static void memory_dealloc(MemoryObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(self->holder);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int memory_get_buffer(MemoryObject *self, Py_buffer *view, int flags) {
    if (self->closed) {
        view->obj = NULL;
        PyErr_SetString(PyExc_BufferError, "this memory was handed back to its ring");
        return -1;
    }
    if (PyBuffer_FillInfo(view, (PyObject *)self, self->data, self->size, self->readonly, flags) < 0)
        return -1;
    self->exports++;
    return 0;
}

static void memory_release_buffer(MemoryObject *self, Py_buffer *Py_UNUSED(view)) { self->exports--; }

static PyType_Slot memory_slots[] = {{Py_tp_doc, "One event's bytes in a ring, and a count of who holds them."},
                                     {Py_tp_dealloc, memory_dealloc},
                                     {Py_bf_getbuffer, memory_get_buffer},
                                     {Py_bf_releasebuffer, memory_release_buffer},
                                     {0, NULL}};
PyType_Spec rl_memory_spec = {.name = "ringlog._core.Memory",
                              .basicsize = sizeof(MemoryObject),
                              .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                              .slots = memory_slots};

/* ---- Window ---- */

WindowObject *rl_window_new(CoreState *state, const rl_mapping *mapping) {
    WindowObject *self = PyObject_New(WindowObject, state->window_type);
    if (!self)
        return NULL;
    self->window.data = NULL;
    self->window.linked = 0;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = rl_window_open(&self->window, mapping);
    Py_END_ALLOW_THREADS
    if (!error)
        return self;
    Py_DECREF(self);
    errno = -error;
    PyErr_SetFromErrno(PyExc_OSError);
    return NULL;
}

static void window_dealloc(WindowObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    rl_window_close(&self->window);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot window_slots[] = {{Py_tp_dealloc, window_dealloc}, {0, NULL}};
PyType_Spec rl_window_spec = {.name = "ringlog._core.Window",
                              .basicsize = sizeof(WindowObject),
                              .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                              .slots = window_slots};
