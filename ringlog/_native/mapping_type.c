/* mapping_type.c: Mapping, an attached ring file, for the policy in Python.
 *
 * Nothing here is hot. Policy (who may claim a slot, what a dead owner means, which error is raised)
 * is Python's; these methods do one step each.
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>

#include "ringlog/owner.h"
#include "ringlog/recover.h"
#include "ringlog/sleepers.h"

static PyObject *os_error(int negated) {
    errno = -negated;
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *rl_place_tuple(int64_t position, int64_t sequence) {
    return Py_BuildValue("LL", (long long)position, (long long)sequence);
}

static PyObject *mapping_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "mode", "populate", NULL};
    int fd, mode, populate = 1, error;
    rl_mapping map;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ii|p:Mapping", names, &fd, &mode, &populate))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rl_mapping_open(&map, fd, mode, populate);
    Py_END_ALLOW_THREADS
    if (error)
        return os_error(error);
    MappingObject *self = PyObject_New(MappingObject, type);
    if (!self) {
        rl_mapping_close(&map);
        return NULL;
    }
    self->map = map;
    self->checksum = rl_core_state(type)->checksum;
    return (PyObject *)self;
}

static void mapping_dealloc(MappingObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    rl_mapping_close(&self->map);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int need_writable(MappingObject *self) {
    if (self->map.mode != RL_MAP_READ)
        return 1;
    PyErr_SetString(PyExc_PermissionError, "the ring is mapped read-only");
    return 0;
}

static PyObject *mapping_snapshot(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_header *h = self->map.ring.header;
    rl_place head = {0, 0}, tail = {0, 0};
    int whole = rl_tail(&self->map.ring, &tail) & rl_head(&self->map.ring, &head);
    return Py_BuildValue(
        "{s:O,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:I,s:I,s:O,s:O,s:K,s:K,s:y#,s:y#,s:y#,s:K,s:O,s:O}", "whole",
        whole ? Py_True : Py_False, "write_offset", (long long)head.position, "event_count",
        (long long)head.sequence, "tail_offset", (long long)tail.position, "tail_count",
        (long long)tail.sequence, "start_timestamp", (long long)RL_LOAD_RELAXED(&h->start_timestamp),
        "last_timestamp", (long long)RL_LOAD_RELAXED(&h->last_timestamp), "capacity",
        (long long)self->map.ring.capacity, "data_start", (long long)self->map.header_bytes, "version",
        h->version, "max_readers", self->map.ring.max_readers, "ended",
        RL_LOAD_RELAXED(&h->ended) == head.position ? Py_True : Py_False, "removed",
        RL_LOAD_RELAXED(&h->removed) ? Py_True : Py_False, "owner",
        (unsigned long long)RL_LOAD_RELAXED(&h->owner), "last_owner",
        (unsigned long long)RL_LOAD_RELAXED(&h->last_owner), "stream_id", h->stream_id, (Py_ssize_t)16,
        "file_id", h->file_id, (Py_ssize_t)16, "boot_id", h->boot_id, (Py_ssize_t)16, "restarts",
        (unsigned long long)h->restarts, "in_memory", self->map.in_memory ? Py_True : Py_False, "clean",
        RL_LOAD_RELAXED(&h->clean) ? Py_True : Py_False);
}

static PyObject *mapping_lease(MappingObject *self, PyObject *arg) {
    long long offset = PyLong_AsLongLong(arg);
    if (offset == -1 && PyErr_Occurred())
        return NULL;
    CoreState *state = rl_core_state(Py_TYPE(self));
    LeaseObject *lease = PyObject_New(LeaseObject, state->lease_type);
    if (!lease)
        return NULL;
    int error = rl_lease_take(&lease->lease, self->map.fd, offset);
    if (!error)
        return (PyObject *)lease;
    Py_DECREF(lease);
    if (error == -EAGAIN)
        Py_RETURN_NONE;
    return os_error(error);
}

static PyObject *mapping_held(MappingObject *self, PyObject *arg) {
    long long offset = PyLong_AsLongLong(arg);
    if (offset == -1 && PyErr_Occurred())
        return NULL;
    int held = rl_lease_held(self->map.fd, offset);
    return held < 0 ? os_error(held) : PyBool_FromLong(held);
}

static PyObject *mapping_named(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(rl_mapping_named(&self->map));
}

/* ---- slots ---- */

static rl_writer_slot *writer_slot(MappingObject *self, int slot) {
    if (slot >= 0 && slot < RL_MAX_WRITERS)
        return &self->map.ring.header->writers[slot];
    PyErr_SetString(PyExc_IndexError, "no such writer slot");
    return NULL;
}

static rl_reader_slot *reader_slot(MappingObject *self, int slot) {
    if (slot >= 0 && (uint32_t)slot < self->map.ring.max_readers)
        return &rl_readers(self->map.ring.header)[slot];
    PyErr_SetString(PyExc_IndexError, "no such reader slot");
    return NULL;
}

static PyObject *mapping_writer_slot(MappingObject *self, PyObject *arg) {
    rl_writer_slot *slot = writer_slot(self, (int)PyLong_AsLong(arg));
    if (!slot)
        return NULL;
    uint64_t state = RL_LOAD_ACQUIRE(&slot->state); /* pairs with the release in claim_writer */
    return Py_BuildValue("KiLLLL", (unsigned long long)RL_SLOT_EPOCH(state), RL_SLOT_STATUS(state),
                         (long long)slot->pid, (long long)slot->start_time, (long long)slot->opened,
                         (long long)RL_LOAD_RELAXED(&slot->last_publish));
}

static PyObject *mapping_claim_writer(MappingObject *self, PyObject *args) {
    int index;
    long long pid, start_time, now;
    rl_writer_slot *slot;
    if (!PyArg_ParseTuple(args, "iLLL", &index, &pid, &start_time, &now) || !need_writable(self) ||
        !(slot = writer_slot(self, index)))
        return NULL;
    uint64_t epoch = RL_SLOT_EPOCH(slot->state) + 1;
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_CLAIMED)); /* the old holder is history */
    slot->pid = pid;
    slot->start_time = start_time;
    slot->opened = now;
    RL_STORE_RELAXED(&slot->last_publish, 0);
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE)); /* pairs with writer_slot() */
    return PyLong_FromUnsignedLongLong(epoch);
}

static PyObject *mapping_free_writer(MappingObject *self, PyObject *args) {
    int index;
    unsigned long long epoch;
    rl_writer_slot *slot;
    if (!PyArg_ParseTuple(args, "iK", &index, &epoch) || !need_writable(self) ||
        !(slot = writer_slot(self, index)))
        return NULL;
    (void)RL_SWAP(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE), RL_SLOT_STATE(epoch, RL_SLOT_FREE));
    Py_RETURN_NONE;
}

static PyObject *mapping_reader_slot(MappingObject *self, PyObject *arg) {
    rl_reader_slot *slot = reader_slot(self, (int)PyLong_AsLong(arg));
    if (!slot)
        return NULL;
    uint64_t state = RL_LOAD_ACQUIRE(&slot->state); /* pairs with the release in claim_reader */
    rl_place cursor = {0, 0};
    char name[RL_NAME_BYTES];
    memcpy(name, slot->name, sizeof name);
    Py_ssize_t size = slot->name_size > RL_NAME_BYTES ? RL_NAME_BYTES : slot->name_size;
    rl_pair_get(&slot->cursor, slot->cursor_records, &cursor);
    return Py_BuildValue("KiLLLIy#LL", (unsigned long long)RL_SLOT_EPOCH(state), RL_SLOT_STATUS(state),
                         (long long)slot->pid, (long long)slot->start_time, (long long)slot->opened,
                         slot->flags, name, size, (long long)cursor.position, (long long)cursor.sequence);
}

static PyObject *mapping_claim_reader(MappingObject *self, PyObject *args) {
    int index;
    long long pid, start_time, now;
    unsigned int flags;
    const char *name;
    Py_ssize_t size;
    rl_reader_slot *slot;
    if (!PyArg_ParseTuple(args, "iLLLIy#", &index, &pid, &start_time, &now, &flags, &name, &size) ||
        !need_writable(self) || !(slot = reader_slot(self, index)))
        return NULL;
    if (size > RL_NAME_BYTES) {
        PyErr_SetString(PyExc_ValueError, "name too long");
        return NULL;
    }
    uint64_t epoch = RL_SLOT_EPOCH(slot->state) + 1;
    /* A parked name stays parked until its reader has joined: its cursor must survive our death here. */
    int status = RL_SLOT_STATUS(slot->state) == RL_SLOT_FREE ? RL_SLOT_CLAIMED : RL_SLOT_PARKED;
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, status));
    slot->pid = pid;
    slot->start_time = start_time;
    slot->opened = now;
    slot->flags = flags;
    if (slot->name_size != size || memcmp(slot->name, name, (size_t)size) != 0) {
        slot->name_size = 0;
        memset(slot->name, 0, sizeof slot->name);
        memcpy(slot->name, name, (size_t)size);
        slot->name_size = (uint8_t)size;
    }
    return PyLong_FromUnsignedLongLong(epoch);
}

static PyObject *mapping_set_reader(MappingObject *self, PyObject *args) {
    int index, from, to;
    unsigned long long epoch;
    rl_reader_slot *slot;
    if (!PyArg_ParseTuple(args, "iKii", &index, &epoch, &from, &to) || !need_writable(self) ||
        !(slot = reader_slot(self, index)))
        return NULL;
    int done = RL_SWAP(&slot->state, RL_SLOT_STATE(epoch, from), RL_SLOT_STATE(epoch, to));
    rl_header *h = self->map.ring.header;
    if (done && from == RL_SLOT_ACTIVE && rl_sleepers_taken(&h->room_wanted, &h->room_futex))
        rl_wake_all(&h->room_futex);
    return PyBool_FromLong(done);
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
    if (!need_writable(self))
        return NULL;
    RL_STORE_RELEASE(&h->ended, RL_LOAD_RELAXED(&h->write_offset)); /* pairs with the reader's acquire */
    RL_FETCH_ADD(&h->sleepers_futex, 1);
    rl_wake_all(&h->sleepers_futex);
    Py_RETURN_NONE;
}

static PyObject *mapping_mark_removed(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_header *h = self->map.ring.header;
    if (!need_writable(self))
        return NULL;
    RL_STORE_RELEASE(&h->removed, 1); /* pairs with the acquire of readers and writers */
    RL_FETCH_ADD(&h->sleepers_futex, 1);
    rl_wake_all(&h->sleepers_futex);
    RL_FETCH_ADD(&h->room_futex, 1);
    rl_wake_all(&h->room_futex);
    Py_RETURN_NONE;
}

static PyObject *mapping_restart(MappingObject *self, PyObject *args) {
    const char *stream_id, *boot_id;
    Py_ssize_t stream_size, boot_size;
    if (!PyArg_ParseTuple(args, "y#y#", &stream_id, &stream_size, &boot_id, &boot_size) || !need_writable(self))
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
    if (clean < 0 || !need_writable(self))
        return NULL;
    RL_STORE_RELAXED(&self->map.ring.header->clean, (uint32_t)clean);
    Py_BEGIN_ALLOW_THREADS
    error = self->map.in_memory ? 0 : rl_mapping_sync_header(&self->map);
    Py_END_ALLOW_THREADS
    if (error)
        return os_error(error);
    Py_RETURN_NONE;
}

static PyMethodDef mapping_methods[] = {
    {"snapshot", (PyCFunction)mapping_snapshot, METH_NOARGS, NULL},
    {"lease", (PyCFunction)mapping_lease, METH_O, NULL},
    {"held", (PyCFunction)mapping_held, METH_O, NULL},
    {"named", (PyCFunction)mapping_named, METH_NOARGS, NULL},
    {"writer_slot", (PyCFunction)mapping_writer_slot, METH_O, NULL},
    {"claim_writer", (PyCFunction)mapping_claim_writer, METH_VARARGS, NULL},
    {"free_writer", (PyCFunction)mapping_free_writer, METH_VARARGS, NULL},
    {"reader_slot", (PyCFunction)mapping_reader_slot, METH_O, NULL},
    {"claim_reader", (PyCFunction)mapping_claim_reader, METH_VARARGS, NULL},
    {"set_reader", (PyCFunction)mapping_set_reader, METH_VARARGS, NULL},
    {"head", (PyCFunction)mapping_head, METH_NOARGS, NULL},
    {"tail", (PyCFunction)mapping_tail, METH_NOARGS, NULL},
    {"seek_sequence", (PyCFunction)mapping_seek_sequence, METH_O, NULL},
    {"seek_time", (PyCFunction)mapping_seek_time, METH_O, NULL},
    {"end", (PyCFunction)mapping_end, METH_NOARGS, NULL},
    {"mark_removed", (PyCFunction)mapping_mark_removed, METH_NOARGS, NULL},
    {"restart", (PyCFunction)mapping_restart, METH_VARARGS, NULL},
    {"set_clean", (PyCFunction)mapping_set_clean, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef mapping_members[] = {
    {"mode", T_INT, offsetof(MappingObject, map) + offsetof(rl_mapping, mode), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot mapping_slots[] = {{Py_tp_new, mapping_new},
                                      {Py_tp_dealloc, mapping_dealloc},
                                      {Py_tp_methods, mapping_methods},
                                      {Py_tp_members, mapping_members},
                                      {0, NULL}};
PyType_Spec rl_mapping_spec = {.name = "ringlog._core.Mapping",
                               .basicsize = sizeof(MappingObject),
                               .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                               .slots = mapping_slots};
