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

/* A new holder is about to write his fields into the slot. With the fence, whoever sees one of them sees that the
 * state is not the old holder's any more; it pairs with the acquire fence in state_stands. */
static void begin_claim(uint64_t *state, uint64_t epoch, int status) {
    RL_STORE_RELAXED(state, RL_SLOT_STATE(epoch, status));
    RL_FENCE_RELEASE();
}

#define LOOKS 1000 /* then it is a scribbled header, and any answer will do */

/* Is what was read since `seen` was loaded that holder's? Also no if he has just moved on: look again. */
static int state_stands(const uint64_t *state, uint64_t seen) {
    RL_FENCE_ACQUIRE(); /* pairs with the release fence in begin_claim */
    return RL_LOAD_RELAXED(state) == seen;
}

PyObject *rl_mapping_writer_slot(MappingObject *self, PyObject *arg) {
    rl_writer_slot *slot = writer_slot(self, (int)PyLong_AsLong(arg));
    if (!slot)
        return NULL;
    uint64_t state;
    rl_writer_slot seen;
    int looks = 0;
    do {
        state = RL_LOAD_ACQUIRE(&slot->state); /* pairs with the release in claim_writer */
        memcpy(&seen, slot, sizeof seen);
    } while (!state_stands(&slot->state, state) && ++looks < LOOKS);
    return Py_BuildValue("KiLLLLL", (unsigned long long)RL_SLOT_EPOCH(state), RL_SLOT_STATUS(state),
                         (long long)seen.pid, (long long)seen.start_time, (long long)seen.since_boot,
                         (long long)seen.opened,
                         (long long)RL_LOAD_RELAXED(&slot->last_publish));
}

PyObject *rl_mapping_claim_writer(MappingObject *self, PyObject *args) {
    int index;
    long long pid, start_time, since_boot, now;
    rl_writer_slot *slot;
    if (!PyArg_ParseTuple(args, "iLLLL", &index, &pid, &start_time, &since_boot, &now) ||
        !rl_mapping_need_writable(self) || !(slot = writer_slot(self, index)))
        return NULL;
    uint64_t epoch = rl_slot_next_epoch(RL_LOAD_RELAXED(&slot->state));
    begin_claim(&slot->state, epoch, RL_SLOT_CLAIMED); /* the old holder is history */
    RL_POINT(writer_slot_claimed);
    slot->pid = pid;
    slot->start_time = start_time;
    slot->since_boot = since_boot;
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
    uint64_t state;
    rl_place cursor;
    rl_reader_slot seen;
    int64_t lost_from;
    int looks = 0, found;
    do {
        state = RL_LOAD_ACQUIRE(&slot->state); /* pairs with the release in rl_cursor_join, and with set_reader's swap */
        found = rl_pair_load(&slot->cursor, slot->cursor_records, &cursor);
        lost_from = RL_LOAD_RELAXED(&slot->lost_from); /* behind the cursor: rl_reader_note_loss came before it */
        memcpy(&seen, slot, sizeof seen);
    } while (!(state_stands(&slot->state, state) && found) && ++looks < LOOKS);
    if (!found || !rl_place_possible(cursor))
        cursor = (rl_place){0, 0}; /* no place: slots.py knows it by that */
    Py_ssize_t size = seen.name_size > RL_NAME_BYTES ? RL_NAME_BYTES : seen.name_size;
    return Py_BuildValue("KiLLLLIy#LLL", (unsigned long long)RL_SLOT_EPOCH(state), RL_SLOT_STATUS(state),
                         (long long)seen.pid, (long long)seen.start_time, (long long)seen.since_boot,
                         (long long)seen.opened, seen.flags, seen.name, size, (long long)cursor.position, (long long)cursor.sequence,
                         (long long)(lost_from > 0 ? lost_from - 1 : -1));
}

PyObject *rl_mapping_claim_reader(MappingObject *self, PyObject *args) {
    int index;
    long long pid, start_time, since_boot, now;
    unsigned int flags;
    const char *name;
    Py_ssize_t size;
    rl_reader_slot *slot;
    if (!PyArg_ParseTuple(args, "iLLLLIy#", &index, &pid, &start_time, &since_boot, &now, &flags, &name, &size) ||
        !rl_mapping_need_writable(self) || !(slot = reader_slot(self, index)))
        return NULL;
    if (size > RL_NAME_BYTES) {
        PyErr_SetString(PyExc_ValueError, "name too long");
        return NULL;
    }
    uint64_t state = RL_LOAD_RELAXED(&slot->state), epoch = rl_slot_next_epoch(state);
    /* A name that is kept stays kept until its reader has joined: its cursor must survive our death
     * here. Anything else was a stranger's, and its cursor must not become this name's. */
    int status = RL_SLOT_STATUS(state);
    int kept = (status == RL_SLOT_ACTIVE || status == RL_SLOT_PARKED) && slot->flags & RL_READER_NAMED &&
               flags & RL_READER_NAMED && slot->name_size == size && memcmp(slot->name, name, (size_t)size) == 0;
    status = kept ? RL_SLOT_PARKED : RL_SLOT_CLAIMED;
    begin_claim(&slot->state, epoch, status);
    RL_POINT(reader_slot_claimed);
    slot->pid = pid;
    slot->start_time = start_time;
    slot->since_boot = since_boot;
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
