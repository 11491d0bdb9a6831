/* writer_append.c: append, append_many, append_array: from Python objects to bytes, and back to sequences. */
#include "batch_object.h"
#include "writer_object.h"

/* Half a ring. A log's segment is made as large as it has to be. */
static int64_t largest_batch(const WriterObject *self) {
    return self->mapping->map.segment ? RL_FURTHEST / 2 : rl_largest_batch(&self->ring);
}

static int64_t largest(const WriterObject *self) {
    int64_t limit = largest_batch(self) - RL_ENTRY_SIZE;
    return limit < (int64_t)UINT32_MAX ? limit : (int64_t)UINT32_MAX;
}

int rl_writer_too_large(WriterObject *self, int64_t size, int64_t limit, int batch) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_too_large", "LLi", (long long)size,
                                           (long long)limit, batch);
    Py_XDECREF(result);
    return 0;
}

int rl_writer_fits(WriterObject *self, int64_t size) {
    return RL_LIKELY(size <= largest(self)) ? 1 : rl_writer_too_large(self, size, largest(self), 0);
}

/* A view of the object's bytes, in one piece. Anything without the buffer protocol: TypeError. */
static int get_bytes(PyObject *object, Py_buffer *view) {
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) == 0)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_ValueError))
        return 0; /* those say that it has gaps (numpy by ValueError) */
    PyErr_Clear();
    Py_buffer strided; /* several dimensions, or gaps: gather it, in the order in which it is indexed */
    if (PyObject_GetBuffer(object, &strided, PyBUF_FULL_RO) < 0)
        return 0;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, strided.len);
    if (bytes && PyBuffer_ToContiguous(PyBytes_AS_STRING(bytes), &strided, strided.len, 'C') < 0)
        Py_CLEAR(bytes);
    PyBuffer_Release(&strided);
    if (!bytes)
        return 0;
    int done = PyObject_GetBuffer(bytes, view, PyBUF_SIMPLE) == 0;
    Py_DECREF(bytes);
    return done;
}

/* data (or items), and timestamp=None as keyword. -1: no timestamp, -2: an exception. */
static int64_t parse_arguments(const char *name, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    if (RL_UNLIKELY(nargs != 1)) {
        PyErr_Format(PyExc_TypeError, "%s() takes exactly one positional argument (%zd given)", name, nargs);
        return -2;
    }
    if (RL_LIKELY(keywords == 0))
        return -1;
    PyObject *keyword = PyTuple_GET_ITEM(kwnames, 0);
    if (keywords != 1 || PyUnicode_CompareWithASCIIString(keyword, "timestamp") != 0) {
        PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument", name);
        return -2;
    }
    if (args[1] == Py_None)
        return -1;
    if (!PyLong_Check(args[1])) {
        PyErr_Format(PyExc_TypeError, "timestamp must be an int (Unix nanoseconds) or None, not %.100s",
                     Py_TYPE(args[1])->tp_name);
        return -2;
    }
    long long value = PyLong_AsLongLong(args[1]);
    if (value == -1 && PyErr_Occurred())
        PyErr_Clear(); /* out of range is as bad a timestamp as a negative one */
    if (value <= 0) {
        PyErr_SetString(PyExc_ValueError, "timestamp must be positive Unix nanoseconds");
        return -2;
    }
    return value;
}

PyObject *rl_writer_append(WriterObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    int64_t given = parse_arguments("append", args, nargs, kwnames), sequence = -1;
    Py_buffer view;
    Item item;
    if (given == -2)
        return NULL;
    view.obj = NULL;
    if (RL_LIKELY(PyBytes_CheckExact(args[0]))) {
        item.data = PyBytes_AS_STRING(args[0]);
        item.size = PyBytes_GET_SIZE(args[0]);
    } else {
        if (!get_bytes(args[0], &view))
            return NULL;
        item.data = view.buf;
        item.size = view.len;
    }
    if (rl_writer_enter(self)) {
        if (rl_writer_fits(self, item.size))
            sequence = rl_writer_write(
                self, &(Source){.items = &item, .count = 1, .bytes = RL_ENTRY_SIZE + item.size}, given);
        rl_turn_leave(&self->turn);
    }
    if (view.obj)
        PyBuffer_Release(&view);
    return sequence < 0 ? NULL : PyLong_FromLongLong(sequence);
}

static PyObject *sequences(int64_t first, Py_ssize_t count) {
    return PyObject_CallFunction((PyObject *)&PyRange_Type, "LL", (long long)first, (long long)(first + count));
}

/* With every item's bytes at hand. `views` is filled from the front as needed. */
static PyObject *append_collected(WriterObject *self, PyObject *tuple, int64_t given) {
    Py_ssize_t count = PyTuple_GET_SIZE(tuple), viewed = 0;
    int64_t bytes = 0, first = -1;
    Py_ssize_t sizes = 0; /* all bits that occur: over 32 of them only if a size has */
    PyObject *result = NULL;
    Py_buffer *views = NULL;
    Item *items = PyMem_New(Item, count ? count : 1);
    if (!items)
        return PyErr_NoMemory();
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *object = PyTuple_GET_ITEM(tuple, k);
        if (RL_LIKELY(PyBytes_CheckExact(object))) {
            items[k].data = PyBytes_AS_STRING(object);
            items[k].size = PyBytes_GET_SIZE(object);
        } else {
            if (!views && !(views = PyMem_New(Py_buffer, count))) {
                PyErr_NoMemory();
                goto done;
            }
            if (!get_bytes(object, &views[viewed]))
                goto done;
            items[k].data = views[viewed].buf;
            items[k].size = views[viewed++].len;
        }
        bytes += RL_ENTRY_SIZE + items[k].size;
        sizes |= items[k].size;
    }
    if (!rl_writer_enter(self))
        goto done;
    if (RL_UNLIKELY(sizes > (Py_ssize_t)UINT32_MAX))
        bytes = INT64_MAX; /* one alone does not fit the format */
    if (bytes > largest_batch(self))
        rl_writer_too_large(self, bytes, largest_batch(self), 1);
    else
        first = rl_writer_write(self, &(Source){.items = items, .count = count, .bytes = bytes}, given);
    rl_turn_leave(&self->turn);
    if (first >= 0)
        result = sequences(first, count);
done:
    while (viewed > 0)
        PyBuffer_Release(&views[--viewed]);
    PyMem_Free(views);
    PyMem_Free(items);
    return result;
}

PyObject *rl_writer_append_many(WriterObject *self, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames) {
    int64_t given = parse_arguments("append_many", args, nargs, kwnames);
    if (given == -2)
        return NULL;
    if (PyObject_CheckBuffer(args[0]) || PyUnicode_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "append_many() takes an iterable of bytes-like objects, not %.100s",
                     Py_TYPE(args[0])->tp_name);
        return NULL;
    }
    /* A tuple of our own: an iterator runs now, not under the lock, and no thread can change it later. */
    PyObject *tuple = PySequence_Tuple(args[0]);
    if (!tuple)
        return NULL;
    PyObject *result = append_collected(self, tuple, given);
    Py_DECREF(tuple);
    return result;
}


/* Does an array hold references to Python objects, which mean nothing in another process? numpy is asked by
 * its dtype, as it can't put every dtype into a buffer's format. 1: it does; 0: it doesn't; 2: no numpy array;
 * -1: an exception. */
static int numpy_holds_objects(PyObject *object) {
    PyObject *dtype = PyObject_GetAttrString(object, "dtype"), *holds = NULL;
    if (dtype)
        holds = PyObject_GetAttrString(dtype, "hasobject");
    Py_XDECREF(dtype);
    if (!holds) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 2; /* not numpy's */
    }
    int result = PyObject_IsTrue(holds);
    Py_DECREF(holds);
    return result;
}

/* The same for a buffer's format: an O that is no part of a field's name, as in T{i:Open:O:object:}. */
static int format_holds_objects(const char *format) {
    int name = 0;
    for (; format && *format; format++)
        if (*format == ':')
            name = !name;
        else if (*format == 'O' && !name)
            return 1;
    return 0;
}

/* The rows of a C-contiguous buffer. 0: an exception. */
static int get_rows(PyObject *object, Py_buffer *view, Source *source) {
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError,
                     "append_array() takes an array (an object with the buffer protocol), not %.100s",
                     Py_TYPE(object)->tp_name);
        return 0;
    }
    int objects = numpy_holds_objects(object);
    if (objects < 0)
        return 0;
    int flags = objects ? PyBUF_C_CONTIGUOUS | PyBUF_FORMAT : PyBUF_C_CONTIGUOUS;
    if (objects != 1 && PyObject_GetBuffer(object, view, flags) < 0) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        if (PyObject_GetBuffer(object, view, PyBUF_INDIRECT) == 0) { /* it has gaps: that alone was wrong */
            PyBuffer_Release(view);
            Py_XDECREF(type);
            Py_XDECREF(value);
            Py_XDECREF(trace);
            PyErr_SetString(PyExc_ValueError,
                            "append_array() takes a C-contiguous array: numpy.ascontiguousarray() makes one");
        } else {
            PyErr_Restore(type, value, trace);
        }
        return 0;
    }
    if (objects == 2 && format_holds_objects(view->format)) {
        PyBuffer_Release(view);
        objects = 1;
    }
    if (objects == 1) {
        PyErr_SetString(PyExc_TypeError,
                        "append_array() can't publish Python objects, only their bytes: encode them");
        return 0;
    }
    if (view->ndim < 1 || !view->shape) {
        PyBuffer_Release(view);
        PyErr_SetString(PyExc_ValueError, "append_array() takes an array of at least one dimension");
        return 0;
    }
    int64_t row = view->itemsize;
    for (int k = 1; k < view->ndim; k++)
        row *= view->shape[k];
    *source = (Source){.rows = view->buf, .row = row, .count = view->shape[0]};
    if (source->count > 0 && row > (INT64_MAX >> 1) / source->count - RL_ENTRY_SIZE)
        source->bytes = INT64_MAX; /* rows of no bytes can be many */
    else
        source->bytes = source->count * (RL_ENTRY_SIZE + row);
    if (row > (int64_t)UINT32_MAX && source->count)
        source->bytes = INT64_MAX;
    return 1;
}

PyObject *rl_writer_append_array(WriterObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames) {
    int64_t given = parse_arguments("append_array", args, nargs, kwnames), first = -1;
    Py_buffer view;
    Source source;
    if (given == -2 || !get_rows(args[0], &view, &source))
        return NULL;
    if (rl_writer_enter(self)) {
        if (RL_UNLIKELY(source.bytes > largest_batch(self)))
            rl_writer_too_large(self, source.bytes, largest_batch(self), 1);
        else
            first = rl_writer_write(self, &source, given);
        rl_turn_leave(&self->turn);
    }
    PyBuffer_Release(&view);
    return first < 0 ? NULL : sequences(first, source.count);
}

PyObject *rl_writer_append_batch(WriterObject *self, PyObject *arg) {
    int64_t first = -1;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state)
        return NULL;
    if (!PyObject_TypeCheck(arg, (PyTypeObject *)state->batch_type))
        return PyErr_Format(PyExc_TypeError, "not a Batch: %.100s", Py_TYPE(arg)->tp_name);
    const rl_columns *c = &((BatchObject *)arg)->columns;
    Source source = {.rows = c->data, .sizes = c->sizes, .count = (Py_ssize_t)c->count};
    source.bytes = c->data_size + c->count * RL_ENTRY_SIZE;
    if (rl_writer_enter(self)) {
        if (RL_UNLIKELY(source.bytes > largest_batch(self)))
            rl_writer_too_large(self, source.bytes, largest_batch(self), 1);
        else
            first = rl_writer_write(self, &source, -1);
        rl_turn_leave(&self->turn);
    }
    return first < 0 ? NULL : sequences(first, source.count);
}
