/* mapping_type.c: Mapping, an attached ring file, for the policy in Python.
 *
 * Nothing here is hot. Policy (who may claim a slot, what a dead owner means, which error is raised)
 * is Python's; these methods do one step each.
 */
#include "mapping_object.h"

#include <fcntl.h>

#include "ringlog/recover.h"
#include "ringlog/sleepers.h"

PyObject *rl_place_tuple(int64_t position, int64_t sequence) {
    return Py_BuildValue("LL", (long long)position, (long long)sequence);
}

static PyObject *mapping_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "mode", "populate", NULL};
    int fd, mode, populate = 1, error;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ii|p:Mapping", names, &fd, &mode, &populate))
        return NULL;
    MappingObject *self = PyObject_New(MappingObject, type);
    if (!self)
        return NULL;
    self->checksum = rl_core_state(type)->checksum;
    Py_BEGIN_ALLOW_THREADS
    error = rl_mapping_open(&self->map, fd, mode, populate);
    Py_END_ALLOW_THREADS
    if (!error)
        return (PyObject *)self;
    Py_DECREF(self);
    return rl_raise_os_error(error), NULL;
}

static void mapping_dealloc(MappingObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    rl_mapping_close(&self->map);
    PyObject_Free(self);
    Py_DECREF(type);
}

int rl_mapping_need_writable(MappingObject *self) {
    if (self->map.mode != RL_MAP_READ)
        return 1;
    PyErr_SetString(PyExc_PermissionError, "the ring is mapped read-only");
    return 0;
}

static PyObject *mapping_snapshot(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_header *h = self->map.ring.header;
    rl_place head = {0, 0}, tail = {0, 0};
    uint8_t boot_id[16];
    memcpy(boot_id, h->boot_id, sizeof boot_id);
    RL_FENCE_ACQUIRE(); /* pairs with the release fence in rl_restart: with a new boot id comes all that went before */
    rl_status status = rl_ends(&self->map.ring, &tail, &head);
    for (int tries = 0; status == RL_OVERRUN && tries < 100; tries++)
        status = rl_ends(&self->map.ring, &tail, &head);
    int whole = status == RL_OK;
    return Py_BuildValue(
        "{s:O,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:I,s:I,s:O,s:O,s:K,s:K,s:y#,s:y#,s:y#,s:K,s:O,s:O,s:L,s:L}", "whole",
        whole ? Py_True : Py_False, "write_offset", (long long)head.position, "event_count",
        (long long)head.sequence, "tail_offset", (long long)tail.position, "tail_count",
        (long long)tail.sequence, "gate_offset", (long long)RL_LOAD_RELAXED(&h->gate_offset), "start_timestamp", (long long)RL_LOAD_RELAXED(&h->start_timestamp),
        "last_timestamp", (long long)RL_LOAD_RELAXED(&h->last_timestamp), "capacity",
        (long long)self->map.ring.capacity, "data_start", (long long)self->map.header_bytes, "version",
        RL_VERSION, "max_readers", self->map.ring.max_readers, "ended",
        RL_LOAD_RELAXED(&h->ended) == head.position ? Py_True : Py_False, "removed",
        RL_LOAD_RELAXED(&h->removed) ? Py_True : Py_False, "owner",
        (unsigned long long)RL_LOAD_RELAXED(&h->owner), "last_owner",
        (unsigned long long)RL_LOAD_RELAXED(&h->last_owner), "stream_id", h->stream_id, (Py_ssize_t)16,
        "file_id", h->file_id, (Py_ssize_t)16, "boot_id", boot_id, (Py_ssize_t)16, "restarts",
        (unsigned long long)h->restarts, "in_memory", self->map.in_memory ? Py_True : Py_False, "clean",
        RL_LOAD_RELAXED(&h->clean) ? Py_True : Py_False, "jump", (long long)RL_LOAD_RELAXED(&h->jump), "jumped",
        (long long)RL_LOAD_RELAXED(&h->jumped));
}

static PyObject *mapping_lease(MappingObject *self, PyObject *arg) {
    long long offset = PyLong_AsLongLong(arg);
    if (offset == -1 && PyErr_Occurred())
        return NULL;
    CoreState *state = rl_core_state(Py_TYPE(self));
    LeaseObject *lease = PyObject_New(LeaseObject, state->lease_type);
    if (!lease)
        return NULL;
    int error = rl_lease_take(&lease->lease, &self->map, offset);
    if (!error)
        return (PyObject *)lease;
    Py_DECREF(lease);
    if (error == -EAGAIN)
        Py_RETURN_NONE;
    return rl_raise_os_error(error), NULL;
}

static PyObject *mapping_held(MappingObject *self, PyObject *arg) {
    long long offset = PyLong_AsLongLong(arg);
    if (offset == -1 && PyErr_Occurred())
        return NULL;
    int held = rl_lease_held(&self->map, offset);
    return held < 0 ? (rl_raise_os_error(held), NULL) : PyBool_FromLong(held);
}

static PyObject *mapping_named(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(rl_mapping_named(&self->map));
}

static PyObject *mapping_file_size(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromLongLong(rl_mapping_size(&self->map));
}

static PyObject *mapping_needs(MappingObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromLongLong(rl_mapping_needs(&self->map));
}

static PyObject *mapping_same_stream(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(rl_same_stream(&self->map.ring));
}

/* ---- places ---- */

static PyObject *place_result(rl_status status, rl_place place) {
    if (status == RL_OK)
        return rl_place_tuple(place.position, place.sequence);
    if (status == RL_OVERRUN)
        Py_RETURN_NONE;
    PyErr_SetString(PyExc_ValueError, "head, tail and entries contradict each other");
    return NULL;
}

static PyObject *mapping_head(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_place place = {0, 0};
    return place_result(rl_head(&self->map.ring, &place) ? RL_OK : RL_CORRUPT, place);
}

static PyObject *mapping_tail(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_place place = {0, 0};
    return place_result(rl_tail(&self->map.ring, &place) ? RL_OK : RL_CORRUPT, place);
}

static PyObject *mapping_seek_sequence(MappingObject *self, PyObject *arg) {
    long long goal = PyLong_AsLongLong(arg);
    rl_place place;
    if (goal == -1 && PyErr_Occurred())
        return NULL;
    return place_result(rl_seek_sequence(&self->map.ring, goal, &place), place);
}

static PyObject *mapping_seek_time(MappingObject *self, PyObject *arg) {
    long long goal = PyLong_AsLongLong(arg);
    rl_place place;
    if (goal == -1 && PyErr_Occurred())
        return NULL;
    return place_result(rl_seek_time(&self->map.ring, goal, &place), place);
}

/* ---- the whole stream ---- */

static PyObject *mapping_end(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_header *h = self->map.ring.header;
    if (!rl_mapping_need_writable(self))
        return NULL;
    RL_STORE_RELEASE(&h->ended, RL_LOAD_RELAXED(&h->write_offset)); /* pairs with the reader's acquire */
    RL_POINT(end_stored);
    RL_FETCH_ADD(&h->sleepers_futex, 1);
    rl_wake_all(&h->sleepers_futex);
    RL_POINT(end_woken);
    Py_RETURN_NONE;
}

static PyObject *mapping_mark_removed(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_header *h = self->map.ring.header;
    if (!rl_mapping_need_writable(self))
        return NULL;
    RL_STORE_RELEASE(&h->removed, 1); /* pairs with the acquire of readers and writers */
    RL_POINT(removed_stored);
    RL_FETCH_ADD(&h->sleepers_futex, 1);
    rl_wake_all(&h->sleepers_futex);
    RL_FETCH_ADD(&h->room_futex, 1);
    rl_wake_all(&h->room_futex);
    RL_POINT(removed_woken);
    Py_RETURN_NONE;
}

static PyObject *mapping_restart(MappingObject *self, PyObject *args) {
    const char *stream_id, *boot_id;
    Py_ssize_t stream_size, boot_size;
    if (!PyArg_ParseTuple(args, "y#y#", &stream_id, &stream_size, &boot_id, &boot_size) || !rl_mapping_need_writable(self))
        return NULL;
    if (stream_size != 16 || boot_size != 16) {
        PyErr_SetString(PyExc_ValueError, "an id is 16 bytes");
        return NULL;
    }
    rl_restart(&self->map.ring, (const uint8_t *)stream_id, (const uint8_t *)boot_id, rl_now(),
               self->checksum->sum);
    Py_RETURN_NONE;
}

static PyObject *mapping_set_clean(MappingObject *self, PyObject *arg) {
    int clean = PyObject_IsTrue(arg), error;
    if (clean < 0 || !rl_mapping_need_writable(self))
        return NULL;
    RL_STORE_RELAXED(&self->map.ring.header->clean, (uint32_t)clean);
    RL_POINT(clean_set);
    Py_BEGIN_ALLOW_THREADS
    error = self->map.in_memory ? 0 : rl_mapping_sync_header(&self->map);
    Py_END_ALLOW_THREADS
    if (error) { /* the disk may call it clean: the next writer to open it has to take that back there */
        RL_STORE_RELAXED(&self->map.ring.header->clean, 1);
        return rl_raise_os_error(error), NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef mapping_methods[] = {
    {"snapshot", (PyCFunction)mapping_snapshot, METH_NOARGS, NULL},
    {"lease", (PyCFunction)mapping_lease, METH_O, NULL},
    {"held", (PyCFunction)mapping_held, METH_O, NULL},
    {"named", (PyCFunction)mapping_named, METH_NOARGS, NULL},
    {"file_size", (PyCFunction)mapping_file_size, METH_NOARGS, NULL},
    {"same_stream", (PyCFunction)mapping_same_stream, METH_NOARGS, NULL},
    {"writer_slot", (PyCFunction)rl_mapping_writer_slot, METH_O, NULL},
    {"claim_writer", (PyCFunction)rl_mapping_claim_writer, METH_VARARGS, NULL},
    {"free_writer", (PyCFunction)rl_mapping_free_writer, METH_VARARGS, NULL},
    {"reader_slot", (PyCFunction)rl_mapping_reader_slot, METH_O, NULL},
    {"claim_reader", (PyCFunction)rl_mapping_claim_reader, METH_VARARGS, NULL},
    {"set_reader", (PyCFunction)rl_mapping_set_reader, METH_VARARGS, NULL},
    {"head", (PyCFunction)mapping_head, METH_NOARGS, NULL},
    {"tail", (PyCFunction)mapping_tail, METH_NOARGS, NULL},
    {"seek_sequence", (PyCFunction)mapping_seek_sequence, METH_O, NULL},
    {"seek_time", (PyCFunction)mapping_seek_time, METH_O, NULL},
    {"walk", (PyCFunction)rl_mapping_walk, METH_VARARGS, NULL},
    {"commit_record", (PyCFunction)rl_mapping_commit_record, METH_NOARGS, NULL},
    {"words", (PyCFunction)rl_mapping_words, METH_NOARGS, NULL},
    {"gate", (PyCFunction)rl_mapping_gate, METH_NOARGS, NULL},
    {"end", (PyCFunction)mapping_end, METH_NOARGS, NULL},
    {"mark_removed", (PyCFunction)mapping_mark_removed, METH_NOARGS, NULL},
    {"restart", (PyCFunction)mapping_restart, METH_VARARGS, NULL},
    {"set_clean", (PyCFunction)mapping_set_clean, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef mapping_members[] = {
    {"mode", T_INT, offsetof(MappingObject, map) + offsetof(rl_mapping, mode), READONLY, NULL},
    {"broken", T_INT, offsetof(MappingObject, map) + offsetof(rl_mapping, broken), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyGetSetDef mapping_getset[] = {
    {"needs", (getter)mapping_needs, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot mapping_slots[] = {{Py_tp_new, mapping_new},
                                      {Py_tp_dealloc, mapping_dealloc},
                                      {Py_tp_methods, mapping_methods},
                                      {Py_tp_members, mapping_members},
                                      {Py_tp_getset, mapping_getset},
                                      {0, NULL}};
PyType_Spec rl_mapping_spec = {.name = "ringlog._core.Mapping",
                               .basicsize = sizeof(MappingObject),
                               .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                               .slots = mapping_slots};
