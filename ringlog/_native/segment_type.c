/* segment_type.c: Segment, a mapped file of a log, for the policy in Python. Nothing here is hot. */
#include "segment.h"

#include "core.h"


#include "ringlog/reader.h"
#include "ringlog/walk.h"

static PyObject *segment_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "mode", "size", "first", NULL};
    int fd, mode, error;
    long long size, first;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiLL:Segment", names, &fd, &mode, &size, &first))
        return NULL;
    MappingObject *self = PyObject_New(MappingObject, type);
    if (!self)
        return NULL;
    self->checksum = rl_core_state(type)->checksum;
    Py_BEGIN_ALLOW_THREADS
    error = rl_segment_open(&self->map, fd, mode, size);
    Py_END_ALLOW_THREADS
    if (!error) {
        self->map.segment->first = first;
        rl_segment_place(&self->map, (rl_place){RL_FIRST_POSITION, first}, 0);
        return (PyObject *)self;
    }
    Py_DECREF(self);
    return rl_raise_os_error(error), NULL;
}

static void segment_dealloc(MappingObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    rl_mapping_close(&self->map);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *segment_place(MappingObject *self, PyObject *args) {
    long long position, sequence, timestamp;
    if (!PyArg_ParseTuple(args, "LLL", &position, &sequence, &timestamp))
        return NULL;
    rl_segment_place(&self->map, (rl_place){position, sequence}, timestamp);
    Py_RETURN_NONE;
}

static PyObject *segment_allow(MappingObject *self, PyObject *arg) {
    long long bytes = PyLong_AsLongLong(arg);
    if (bytes == -1 && PyErr_Occurred())
        return NULL;
    rl_segment_allow(&self->map, bytes);
    Py_RETURN_NONE;
}

/* (position, sequence, timestamp) of the end: as a writer left it, or as far as a reader was allowed. */
static PyObject *segment_head(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    const rl_header *h = self->map.ring.header;
    return Py_BuildValue("LLL", (long long)RL_LOAD_RELAXED(&h->write_offset), (long long)RL_LOAD_RELAXED(&h->event_count),
                         (long long)RL_LOAD_RELAXED(&h->last_timestamp));
}

/* The words that readers of the file see, set by who puts them in order. */
static PyObject *segment_publish(MappingObject *self, PyObject *args) {
    long long position, sequence, timestamp;
    if (!PyArg_ParseTuple(args, "LLL", &position, &sequence, &timestamp))
        return NULL;
    if (self->map.mode != RL_MAP_WRITE) {
        PyErr_SetString(PyExc_PermissionError, "the segment is mapped read-only");
        return NULL;
    }
    rl_segment_place(&self->map, (rl_place){position, sequence}, timestamp);
    rl_segment_publish(&self->map, position, sequence);
    Py_RETURN_NONE;
}

static PyObject *segment_sync(MappingObject *self, PyObject *args) {
    long long from, to;
    int error;
    if (!PyArg_ParseTuple(args, "LL", &from, &to))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rl_segment_sync(&self->map, from, to);
    Py_END_ALLOW_THREADS
    if (error)
        return rl_raise_os_error(error), NULL;
    Py_RETURN_NONE;
}

/* Walk entries from a place: until one of sequence `goal`, or not before `time`, stands there (INT64_MAX: never),
 * and no further than `end`. The place, and whether everything up to it was an entry. Checksums are not looked at. */
static PyObject *segment_walk(MappingObject *self, PyObject *args) {
    long long position, sequence, goal, time, end;
    if (!PyArg_ParseTuple(args, "LLLLL", &position, &sequence, &goal, &time, &end))
        return NULL;
    int64_t mapped = (int64_t)self->map.data_bytes;
    if (end > mapped)
        end = mapped;
    if (position < RL_FIRST_POSITION) {
        PyErr_SetString(PyExc_ValueError, "no position of an event");
        return NULL;
    }
    int64_t stride = position + self->map.ring.stride; /* it is further only behind large entries */
    int whole = 1;
    Py_BEGIN_ALLOW_THREADS
    rl_segment_want(&self->map, position, stride < end ? stride : end, 0);
    while (position < end && sequence < goal) {
        rl_entry entry;
        int64_t bytes = RL_ENTRY_SIZE;
        if (end - position >= bytes) {
            entry = rl_entry_at(rl_at(&self->map.ring, position));
            bytes += (int64_t)entry.size;
        }
        if (end - position < bytes || entry.timestamp <= 0) {
            whole = 0;
            break;
        }
        if (entry.timestamp >= time && time != INT64_MAX)
            break;
        position += bytes;
        sequence++;
    }
    rl_segment_touch(&self->map, position, RL_SEGMENT_AROUND);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("LLO", position, sequence, whole ? Py_True : Py_False);
}

/* Mark strides from a place up to `end`. Was everything there an entry? */
static PyObject *segment_survey(MappingObject *self, PyObject *args) {
    long long position, sequence, end;
    int whole;
    if (!PyArg_ParseTuple(args, "LLL", &position, &sequence, &end))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    whole = rl_segment_survey(&self->map, (rl_place){position, sequence}, end);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(whole);
}

/* Where strides begin that were written or surveyed: four int64 each, position, sequence, timestamp, 0. Once. */
static PyObject *segment_marks(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_segment *s = self->map.segment;
    PyObject *marks = PyBytes_FromStringAndSize((const char *)s->marks, (Py_ssize_t)(s->mark_count * (int64_t)sizeof *s->marks));
    if (marks)
        s->mark_count = 0;
    return marks;
}

static PyObject *segment_named(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(rl_mapping_named(&self->map));
}

static PyObject *segment_file_size(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromLongLong(rl_mapping_size(&self->map));
}

static PyObject *segment_end(MappingObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromLongLong(rl_segment_end(&self->map));
}

static PyObject *segment_mapped(MappingObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromLongLong((long long)self->map.data_bytes);
}

static PyObject *segment_in_memory(MappingObject *self, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(rl_in_memory(self->map.fd));
}

static PyMethodDef segment_methods[] = {
    {"place", (PyCFunction)segment_place, METH_VARARGS, NULL},
    {"allow", (PyCFunction)segment_allow, METH_O, NULL},
    {"head", (PyCFunction)segment_head, METH_NOARGS, NULL},
    {"publish", (PyCFunction)segment_publish, METH_VARARGS, NULL},
    {"sync", (PyCFunction)segment_sync, METH_VARARGS, NULL},
    {"walk", (PyCFunction)segment_walk, METH_VARARGS, NULL},
    {"survey", (PyCFunction)segment_survey, METH_VARARGS, NULL},
    {"marks", (PyCFunction)segment_marks, METH_NOARGS, NULL},
    {"named", (PyCFunction)segment_named, METH_NOARGS, NULL},
    {"file_size", (PyCFunction)segment_file_size, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef segment_members[] = {
    {"broken", T_INT, offsetof(MappingObject, map) + offsetof(rl_mapping, broken), READONLY, NULL},
    {"fd", T_INT, offsetof(MappingObject, map) + offsetof(rl_mapping, fd), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyGetSetDef segment_getset[] = {
    {"end", (getter)segment_end, NULL, NULL, NULL},
    {"mapped", (getter)segment_mapped, NULL, NULL, NULL},
    {"in_memory", (getter)segment_in_memory, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot segment_slots[] = {{Py_tp_new, segment_new},
                                      {Py_tp_dealloc, segment_dealloc},
                                      {Py_tp_methods, segment_methods},
                                      {Py_tp_members, segment_members},
                                      {Py_tp_getset, segment_getset},
                                      {0, NULL}};
PyType_Spec rl_segment_spec = {.name = "ringlog._core.Segment",
                               .basicsize = sizeof(MappingObject),
                               .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                               .slots = segment_slots};
