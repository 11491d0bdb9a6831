/* batch_type.c: Batch, many events as columns over one block; a sequence of Events for whoever wants those. */
#include "batch_object.h"

BatchObject *rl_batch_new(PyTypeObject *type, int64_t first) {
    BatchObject *self = (BatchObject *)type->tp_alloc(type, 0);
    if (self)
        self->first = first;
    return self;
}

static PyObject *batch_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    PyErr_Format(PyExc_TypeError, "a %s comes from read_batch() of a Reader", type->tp_name);
    return NULL;
}

static void batch_dealloc(BatchObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyMem_RawFree(self->memory);
    PyMem_RawFree(self->sequences);
    PyMem_RawFree(self->offsets);
    type->tp_free(self);
    Py_DECREF(type);
}

static int batch_traverse(BatchObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static Py_ssize_t batch_length(BatchObject *self) { return (Py_ssize_t)self->columns.count; }

/* Event `index`, whose data begins at `offset`. */
static PyObject *event_at(BatchObject *self, int64_t index, int64_t offset) {
    const rl_columns *c = &self->columns;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state)
        return NULL;
    PyObject *data = PyBytes_FromStringAndSize((const char *)c->data + offset, (Py_ssize_t)c->sizes[index]);
    return data ? rl_event_new(state->event_type, self->first + index, c->timestamps[index], data) : NULL;
}

static PyObject *batch_item(BatchObject *self, Py_ssize_t index) {
    if (index < 0 || index >= self->columns.count) {
        PyErr_SetString(PyExc_IndexError, "Batch index out of range");
        return NULL;
    }
    const int64_t *offsets = rl_batch_offsets(self);
    return offsets ? event_at(self, index, offsets[index]) : NULL;
}

static PyObject *batch_slice(BatchObject *self, PyObject *slice) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0)
        return NULL;
    Py_ssize_t count = PySlice_AdjustIndices(batch_length(self), &start, &stop, step);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t k = 0; list && k < count; k++) {
        PyObject *event = batch_item(self, start + k * step);
        if (event)
            PyList_SET_ITEM(list, k, event);
        else
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *batch_subscript(BatchObject *self, PyObject *key) {
    if (PySlice_Check(key))
        return batch_slice(self, key);
    if (!PyIndex_Check(key))
        return PyErr_Format(PyExc_TypeError, "Batch indices must be integers or slices, not %s",
                            Py_TYPE(key)->tp_name);
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    return batch_item(self, index < 0 ? index + batch_length(self) : index);
}

/* ---- iteration ---- */

typedef struct BatchIteratorObject {
    PyObject_HEAD
    BatchObject *batch;
    int64_t index, offset;
} BatchIteratorObject;

static PyObject *batch_iter(BatchObject *self) {
    CoreState *state = rl_core_state(Py_TYPE(self));
    BatchIteratorObject *iterator = state ? PyObject_New(BatchIteratorObject, state->batch_iterator_type) : NULL;
    if (!iterator)
        return NULL;
    Py_INCREF(self);
    iterator->batch = self;
    iterator->index = iterator->offset = 0;
    return (PyObject *)iterator;
}

static PyObject *iterator_next(BatchIteratorObject *self) {
    const rl_columns *c = &self->batch->columns;
    if (self->index >= c->count)
        return NULL;
    PyObject *event = event_at(self->batch, self->index, self->offset);
    if (event)
        self->offset += (int64_t)c->sizes[self->index++];
    return event;
}

static PyObject *iterator_length_hint(BatchIteratorObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromLongLong(self->batch->columns.count - self->index);
}

static void iterator_dealloc(BatchIteratorObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(self->batch);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef iterator_methods[] = {
    {"__length_hint__", (PyCFunction)iterator_length_hint, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {Py_tp_methods, iterator_methods},
    {0, NULL},
};
PyType_Spec rl_batch_iterator_spec = {.name = "ringlog._core._BatchIterator",
                                      .basicsize = sizeof(BatchIteratorObject),
                                      .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                      .slots = iterator_slots};

/* ---- the type ---- */

static PyMethodDef batch_methods[] = {
    {"__arrow_c_schema__", rl_batch_arrow_schema, METH_NOARGS,
     "__arrow_c_schema__($self)\n--\n\n"
     "A capsule with the Arrow schema: a struct of sequence (int64), timestamp (nanoseconds, UTC) and data\n"
     "(large_binary), none of them null."},
    {"__arrow_c_array__", (PyCFunction)(void (*)(void))rl_batch_arrow_array, METH_VARARGS | METH_KEYWORDS,
     "__arrow_c_array__($self, requested_schema=None)\n--\n\n"
     "Two capsules, Arrow schema and array. Nothing is copied: what they lead to holds on to the memory of this\n"
     "Batch. `requested_schema` is not followed; its consumer casts. Raises MemoryError."},
    {"__arrow_c_stream__", (PyCFunction)(void (*)(void))rl_batch_arrow_stream, METH_VARARGS | METH_KEYWORDS,
     "__arrow_c_stream__($self, requested_schema=None)\n--\n\n"
     "A capsule with an Arrow stream of one array, as __arrow_c_array__ has it. Raises MemoryError."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot batch_slots[] = {
    {Py_tp_new, batch_new},
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_traverse, batch_traverse},
    {Py_tp_iter, batch_iter},
    {Py_tp_methods, batch_methods},
    {Py_tp_getset, rl_batch_columns},
    {Py_sq_length, batch_length},
    {Py_sq_item, batch_item},
    {Py_mp_length, batch_length},
    {Py_mp_subscript, batch_subscript},
    {0, NULL},
};
PyType_Spec rl_batch_spec = {.name = "ringlog._core.Batch",
                             .basicsize = sizeof(BatchObject),
                             .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                             .slots = batch_slots};
