/* batch_columns.c: a Batch's memory, and its columns as buffers.
 *
 * Each column is handed out as a read-only memoryview of a small exporter that holds on to the Batch: so
 * memory lives as long as anything looks at it, and the Batch holds nothing back, which would be a cycle.
 */
#include "batch_object.h"

#define ALIGN 64 /* a cache line, and what Arrow recommends */

typedef struct ColumnObject {
    PyObject_HEAD
    PyObject *batch;
    void *items;
    char *format;
    Py_ssize_t length, item_size;
} ColumnObject;

static uint64_t nothing_there; /* where columns without items point: some consumers take NULL amiss */

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

int rl_batch_reserve(BatchObject *self) {
    rl_columns *c = &self->columns;
    size_t count = (size_t)c->count_max, data = aligned((size_t)c->data_max);
    size_t times = aligned(count * sizeof *c->timestamps);
    PyMem_RawFree(self->memory);
    self->memory = PyMem_RawMalloc(ALIGN + data + times + count * sizeof *c->sizes);
    if (!self->memory)
        return 0;
    c->data = (uint8_t *)(((uintptr_t)self->memory + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    c->timestamps = (int64_t *)(void *)(c->data + data);
    c->sizes = (uint32_t *)(void *)(c->data + data + times);
    return 1;
}

static int64_t *numbers(BatchObject *self, int64_t more) {
    int64_t *made = PyMem_RawMalloc((size_t)(self->columns.count + more) * sizeof *made);
    if (!made)
        PyErr_NoMemory();
    return made;
}

int64_t *rl_batch_sequences(BatchObject *self) {
    if (!self->sequences && (self->sequences = numbers(self, 0)))
        for (int64_t k = 0; k < self->columns.count; k++)
            self->sequences[k] = self->first + k;
    return self->sequences;
}

int64_t *rl_batch_offsets(BatchObject *self) {
    if (!self->offsets && (self->offsets = numbers(self, 1))) {
        int64_t at = 0;
        for (int64_t k = 0; k < self->columns.count; k++) {
            self->offsets[k] = at;
            at += (int64_t)self->columns.sizes[k];
        }
        self->offsets[self->columns.count] = at;
    }
    return self->offsets;
}

/* ---- Column ---- */

static PyObject *column_view(BatchObject *self, void *items, char *format, int64_t length, size_t item_size) {
    CoreState *state = rl_core_state(Py_TYPE(self));
    ColumnObject *column = state ? PyObject_New(ColumnObject, state->column_type) : NULL;
    if (!column)
        return NULL;
    Py_INCREF(self);
    column->batch = (PyObject *)self;
    column->items = length ? items : &nothing_there;
    column->format = format;
    column->length = (Py_ssize_t)length;
    column->item_size = (Py_ssize_t)item_size;
    PyObject *view = PyMemoryView_FromObject((PyObject *)column);
    Py_DECREF(column);
    return view;
}

static void column_dealloc(ColumnObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(self->batch);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int column_buffer(ColumnObject *self, Py_buffer *view, int flags) {
    view->obj = NULL;
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "a Batch is read-only");
        return -1;
    }
    Py_INCREF(self);
    view->obj = (PyObject *)self;
    view->buf = self->items;
    view->len = self->length * self->item_size;
    view->itemsize = self->item_size;
    view->readonly = 1;
    view->ndim = 1;
    view->format = flags & PyBUF_FORMAT ? self->format : NULL;
    view->shape = flags & PyBUF_ND ? &self->length : NULL;
    view->strides = flags & PyBUF_STRIDES ? &self->item_size : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    return 0;
}

static PyType_Slot column_slots[] = {
    {Py_tp_dealloc, column_dealloc},
    {Py_bf_getbuffer, column_buffer},
    {0, NULL},
};
PyType_Spec rl_column_spec = {.name = "ringlog._core._Column",
                              .basicsize = sizeof(ColumnObject),
                              .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                              .slots = column_slots};

/* ---- Batch's columns ---- */

static PyObject *batch_sequences(BatchObject *self, void *Py_UNUSED(closure)) {
    int64_t *items = rl_batch_sequences(self);
    return items ? column_view(self, items, "q", self->columns.count, sizeof *items) : NULL;
}

static PyObject *batch_timestamps(BatchObject *self, void *Py_UNUSED(closure)) {
    return column_view(self, self->columns.timestamps, "q", self->columns.count, sizeof(int64_t));
}

static PyObject *batch_sizes(BatchObject *self, void *Py_UNUSED(closure)) {
    return column_view(self, self->columns.sizes, "I", self->columns.count, sizeof(uint32_t));
}

static PyObject *batch_offsets(BatchObject *self, void *Py_UNUSED(closure)) {
    int64_t *items = rl_batch_offsets(self);
    return items ? column_view(self, items, "q", self->columns.count, sizeof *items) : NULL;
}

static PyObject *batch_data(BatchObject *self, void *Py_UNUSED(closure)) {
    return column_view(self, self->columns.data, "B", self->columns.data_size, 1);
}

PyGetSetDef rl_batch_columns[] = {
    {"sequences", (getter)batch_sequences, NULL, "The events' sequences: a memoryview of n int64 (\"q\").", NULL},
    {"timestamps", (getter)batch_timestamps, NULL,
     "When they were published, in Unix nanoseconds: a memoryview of n int64 (\"q\").", NULL},
    {"sizes", (getter)batch_sizes, NULL, "How many bytes each has: a memoryview of n uint32 (\"I\").", NULL},
    {"offsets", (getter)batch_offsets, NULL,
     "Where each begins in `data`, in bytes: a memoryview of n int64 (\"q\").", NULL},
    {"data", (getter)batch_data, NULL,
     "The bytes of all of them, back to back: a memoryview of bytes (\"B\"), aligned to 64.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
