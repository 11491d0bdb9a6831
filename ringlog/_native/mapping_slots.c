/* mapping_slots.c: the tables of writers and readers, one step a method; slots.py is the policy.
 *
 * Who calls a claim holds the slot's lease. States move by compare-and-swap with their epoch, so that a
 * verdict about a dead holder can't hit the next one.
 */
#include "mapping_object.h"

#include "ringlog/pair.h"
#include "ringlog/sleepers.h"

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

PyObject *rl_mapping_writer_slot(MappingObject *self, PyObject *arg) {
    rl_writer_slot *slot = writer_slot(self, (int)PyLong_AsLong(arg));
    if (!slot)
        return NULL;
    uint64_t state = RL_LOAD_ACQUIRE(&slot->state); /* pairs with the release in claim_writer */
    return Py_BuildValue("KiLLLL", (unsigned long long)RL_SLOT_EPOCH(state), RL_SLOT_STATUS(state),
                         (long long)slot->pid, (long long)slot->start_time, (long long)slot->opened,
                         (long long)RL_LOAD_RELAXED(&slot->last_publish));
}

PyObject *rl_mapping_claim_writer(MappingObject *self, PyObject *args) {
    int index;
    long long pid, start_time, now;
    rl_writer_slot *slot;
    if (!PyArg_ParseTuple(args, "iLLL", &index, &pid, &start_time, &now) || !rl_mapping_need_writable(self) ||
        !(slot = writer_slot(self, index)))
        return NULL;
    uint64_t epoch = RL_SLOT_EPOCH(slot->state) + 1;
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_CLAIMED)); /* the old holder is history */
    RL_POINT(writer_slot_claimed);
    slot->pid = pid;
    slot->start_time = start_time;
    slot->opened = now;
    RL_STORE_RELAXED(&slot->last_publish, 0);
    RL_POINT(writer_slot_filled);
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE)); /* pairs with writer_slot() */
    RL_POINT(writer_slot_active);
    return PyLong_FromUnsignedLongLong(epoch);
}

PyObject *rl_mapping_free_writer(MappingObject *self, PyObject *args) {
    int index;
    unsigned long long epoch;
    rl_writer_slot *slot;
    if (!PyArg_ParseTuple(args, "iK", &index, &epoch) || !rl_mapping_need_writable(self) ||
        !(slot = writer_slot(self, index)))
        return NULL;
    (void)RL_SWAP(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE), RL_SLOT_STATE(epoch, RL_SLOT_FREE));
    RL_POINT(writer_slot_freed);
    Py_RETURN_NONE;
}

PyObject *rl_mapping_reader_slot(MappingObject *self, PyObject *arg) {
    rl_reader_slot *slot = reader_slot(self, (int)PyLong_AsLong(arg));
    if (!slot)
        return NULL;
    uint64_t state = RL_LOAD_ACQUIRE(&slot->state); /* pairs with the release in claim_reader */
    rl_place cursor = {0, 0};
    char name[RL_NAME_BYTES];
    memcpy(name, slot->name, sizeof name);
    Py_ssize_t size = slot->name_size > RL_NAME_BYTES ? RL_NAME_BYTES : slot->name_size;
    rl_pair_get(&slot->cursor, slot->cursor_records, &cursor);
    return Py_BuildValue("KiLLLIy#LLL", (unsigned long long)RL_SLOT_EPOCH(state), RL_SLOT_STATUS(state),
                         (long long)slot->pid, (long long)slot->start_time, (long long)slot->opened,
                         slot->flags, name, size, (long long)cursor.position, (long long)cursor.sequence,
                         (long long)RL_LOAD_RELAXED(&slot->lost_from) - 1);
}

PyObject *rl_mapping_claim_reader(MappingObject *self, PyObject *args) {
    int index;
    long long pid, start_time, now;
    unsigned int flags;
    const char *name;
    Py_ssize_t size;
    rl_reader_slot *slot;
    if (!PyArg_ParseTuple(args, "iLLLIy#", &index, &pid, &start_time, &now, &flags, &name, &size) ||
        !rl_mapping_need_writable(self) || !(slot = reader_slot(self, index)))
        return NULL;
    if (size > RL_NAME_BYTES) {
        PyErr_SetString(PyExc_ValueError, "name too long");
        return NULL;
    }
    uint64_t epoch = RL_SLOT_EPOCH(slot->state) + 1;
    /* A name that is kept stays kept until its reader has joined: its cursor must survive our death
     * here. Anything else was a stranger's, and its cursor must not become this name's. */
    int status = RL_SLOT_STATUS(slot->state);
    int kept = (status == RL_SLOT_ACTIVE || status == RL_SLOT_PARKED) && slot->flags & RL_READER_NAMED &&
               flags & RL_READER_NAMED && slot->name_size == size && memcmp(slot->name, name, (size_t)size) == 0;
    status = kept ? RL_SLOT_PARKED : RL_SLOT_CLAIMED;
    RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, status)); /* pairs with the acquire in reader_slot() */
    RL_POINT(reader_slot_claimed);
    slot->pid = pid;
    slot->start_time = start_time;
    slot->opened = now;
    if (!kept)
        RL_STORE_RELAXED(&slot->lost_from, 0);
    slot->flags = flags;
    RL_POINT(reader_slot_filled);
    if (slot->name_size != size || memcmp(slot->name, name, (size_t)size) != 0) {
        slot->name_size = 0;
        memset(slot->name, 0, sizeof slot->name);
        memcpy(slot->name, name, (size_t)size);
        slot->name_size = (uint8_t)size;
    }
    RL_POINT(reader_slot_named);
    return PyLong_FromUnsignedLongLong(epoch);
}

PyObject *rl_mapping_set_reader(MappingObject *self, PyObject *args) {
    int index, from, to;
    unsigned long long epoch;
    rl_reader_slot *slot;
    if (!PyArg_ParseTuple(args, "iKii", &index, &epoch, &from, &to) || !rl_mapping_need_writable(self) ||
        !(slot = reader_slot(self, index)))
        return NULL;
    int done = RL_SWAP(&slot->state, RL_SLOT_STATE(epoch, from), RL_SLOT_STATE(epoch, to));
    rl_header *h = self->map.ring.header;
    RL_POINT(reader_slot_released);
    RL_FENCE_FULL_AFTER_RMW(); /* pairs with the full fence in rl_sleep_announce, of a writer without room */
    if (done && from == RL_SLOT_ACTIVE && rl_sleepers_taken(&h->room_wanted, &h->room_futex))
        rl_wake_all(&h->room_futex);
    return PyBool_FromLong(done);
}
