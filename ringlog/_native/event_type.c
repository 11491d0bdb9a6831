/* event_type.c: Event, what a reader returns: (sequence, timestamp, data).
 *
 * One is made for every event read, so it holds its two numbers as C integers and makes Python ones
 * when they are asked for. It behaves as the tuple of its three fields: equal to it, ordered, hashed,
 * unpacked and indexed like it.
 */
#include "core.h"

/* Events that are gone, chained by `data`, for those to come: a loop over a reader makes and drops one each time
 * round. Under the GIL; and the module refuses a second interpreter, so there is one type that they can be of. */
#define SPARE_EVENTS 1024
static EventObject *spare;
static int spares;

/* The bytes of the event that went last, for the next one of that size: what is beyond 512 bytes comes from malloc, and
 * costs there as much as copying it. Nobody else has a reference; so nobody sees them change. */
#define KEPT_BYTES (1 << 20)
static PyObject *kept;

PyObject *rl_event_bytes(Py_ssize_t size) {
    PyObject *bytes = kept;
    if (!bytes || PyBytes_GET_SIZE(bytes) != size)
        return PyBytes_FromStringAndSize(NULL, size);
    kept = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* the field: to be set by bytes themselves, which we make here */
    ((PyBytesObject *)bytes)->ob_shash = -1; /* "not known yet": another's bytes stood here */
#pragma GCC diagnostic pop
    return bytes;
}

static int keep(PyObject *bytes) {
    if (kept || !bytes || Py_REFCNT(bytes) != 1 || !PyBytes_CheckExact(bytes))
        return 0;
    Py_ssize_t size = PyBytes_GET_SIZE(bytes);
    if (size < 2 || size > KEPT_BYTES) /* Python itself shares the short ones */
        return 0;
    kept = bytes;
    return 1;
}

PyObject *rl_event_new(PyTypeObject *type, int64_t sequence, int64_t timestamp, PyObject *data) {
    EventObject *self = spare;
    if (RL_LIKELY(self != NULL)) {
        spare = (EventObject *)self->data;
        spares--;
        (void)PyObject_Init((PyObject *)self, type);
    } else {
        self = PyObject_New(EventObject, type);
        if (!self) {
            Py_DECREF(data);
            return NULL;
        }
    }
    self->sequence = sequence;
    self->timestamp = timestamp;
    self->data = data;
    return (PyObject *)self;
}

static PyObject *event_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"sequence", "timestamp", "data", NULL};
    long long sequence, timestamp;
    PyObject *data;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LLS:Event", names, &sequence, &timestamp, &data))
        return NULL;
    Py_INCREF(data);
    return rl_event_new(type, sequence, timestamp, data);
}

static void event_dealloc(EventObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (!keep(self->data))
        Py_XDECREF(self->data);
    if (RL_LIKELY(spares < SPARE_EVENTS)) {
        self->data = (PyObject *)spare;
        spare = self;
        spares++;
    } else {
        PyObject_Free(self);
    }
    Py_DECREF(type);
}

static PyObject *event_tuple(EventObject *self) {
    PyObject *sequence = PyLong_FromLongLong(self->sequence), *timestamp = PyLong_FromLongLong(self->timestamp);
    PyObject *tuple = sequence && timestamp ? PyTuple_New(3) : NULL;
    if (!tuple) {
        Py_XDECREF(sequence);
        Py_XDECREF(timestamp);
        return NULL;
    }
    Py_INCREF(self->data);
    PyTuple_SET_ITEM(tuple, 0, sequence);
    PyTuple_SET_ITEM(tuple, 1, timestamp);
    PyTuple_SET_ITEM(tuple, 2, self->data);
    return tuple;
}

static Py_ssize_t event_length(PyObject *Py_UNUSED(self)) { return 3; }

static PyObject *event_item(EventObject *self, Py_ssize_t index) {
    switch (index) {
    case 0:
        return PyLong_FromLongLong(self->sequence);
    case 1:
        return PyLong_FromLongLong(self->timestamp);
    case 2:
        Py_INCREF(self->data);
        return self->data;
    default:
        PyErr_SetString(PyExc_IndexError, "Event index out of range");
        return NULL;
    }
}

static PyObject *event_subscript(EventObject *self, PyObject *key) {
    if (PyIndex_Check(key)) {
        Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if (index == -1 && PyErr_Occurred())
            return NULL;
        return event_item(self, index < 0 ? index + 3 : index);
    }
    PyObject *tuple = event_tuple(self), *result;
    if (!tuple)
        return NULL;
    result = PyObject_GetItem(tuple, key);
    Py_DECREF(tuple);
    return result;
}

static PyObject *event_iter(EventObject *self) {
    PyObject *tuple = event_tuple(self), *iterator;
    if (!tuple)
        return NULL;
    iterator = PyObject_GetIter(tuple);
    Py_DECREF(tuple);
    return iterator;
}

static PyObject *event_compare(PyObject *self, PyObject *other, int op) {
    PyObject *left, *right, *result = NULL;
    if (Py_TYPE(other) == Py_TYPE(self))
        right = event_tuple((EventObject *)other);
    else if (PyTuple_Check(other))
        Py_INCREF(right = other);
    else
        Py_RETURN_NOTIMPLEMENTED;
    left = event_tuple((EventObject *)self);
    if (left && right)
        result = PyObject_RichCompare(left, right, op);
    Py_XDECREF(left);
    Py_XDECREF(right);
    return result;
}

static Py_hash_t event_hash(EventObject *self) {
    PyObject *tuple = event_tuple(self);
    if (!tuple)
        return -1;
    Py_hash_t hash = PyObject_Hash(tuple);
    Py_DECREF(tuple);
    return hash;
}

static PyObject *event_repr(EventObject *self) {
    return PyUnicode_FromFormat("Event(sequence=%lld, timestamp=%lld, data=%R)", self->sequence,
                                self->timestamp, self->data);
}

static PyObject *event_reduce(EventObject *self, PyObject *Py_UNUSED(ignored)) {
    return Py_BuildValue("O(LLO)", Py_TYPE(self), self->sequence, self->timestamp, self->data);
}

static PyMethodDef event_methods[] = {
    {"__reduce__", (PyCFunction)event_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef event_members[] = {
    {"sequence", T_LONGLONG, offsetof(EventObject, sequence), READONLY,
     "0-based index of the event in its stream."},
    {"timestamp", T_LONGLONG, offsetof(EventObject, timestamp), READONLY,
     "When it was published: Unix time in nanoseconds, never decreasing within a stream."},
    {"data", T_OBJECT_EX, offsetof(EventObject, data), READONLY, "The event's bytes."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot event_slots[] = {
    {Py_tp_doc, "Event(sequence, timestamp, data)\n--\n\n"
                "One event. Compares, hashes, unpacks and is indexed like the tuple of its fields."},
    {Py_tp_new, event_new},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_repr, event_repr},
    {Py_tp_hash, event_hash},
    {Py_tp_richcompare, event_compare},
    {Py_tp_iter, event_iter},
    {Py_tp_methods, event_methods},
    {Py_tp_members, event_members},
    {Py_sq_length, event_length},
    {Py_sq_item, event_item},
    {Py_mp_length, event_length},
    {Py_mp_subscript, event_subscript},
    {0, NULL},
};

PyType_Spec rl_event_spec = {
    .name = "ringlog.Event",
    .basicsize = sizeof(EventObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = event_slots,
};
