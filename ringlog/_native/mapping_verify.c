/* mapping_verify.c: single steps of verifying, for the policy in Python: walking entries, reading words.
 *
 * Everything here only reads, and needs no more than a read-only mapping.
 */
#include "mapping_object.h"

#include "ringlog/recover.h"
#include "ringlog/walk.h"

static PyObject *walk_tuple(const rl_walk *walk, rl_walked found) {
    return Py_BuildValue("LLLi", (long long)walk->at.position, (long long)walk->at.sequence,
                         (long long)walk->timestamp, (int)found);
}

PyObject *rl_mapping_walk(MappingObject *self, PyObject *args) {
    long long position, sequence, timestamp, goal, stop;
    int live;
    if (!PyArg_ParseTuple(args, "LLLLLp:walk", &position, &sequence, &timestamp, &goal, &stop, &live))
        return NULL;
    if (position < RL_FIRST_POSITION || goal < position || goal - position > self->map.ring.capacity || stop > goal) {
        PyErr_SetString(PyExc_ValueError, "this window does not fit into the ring");
        return NULL;
    }
    rl_walk walk = {{position, sequence}, timestamp};
    rl_walked found;
    Py_BEGIN_ALLOW_THREADS
    found = rl_walk_ring(&self->map.ring, &walk, goal, stop, live, self->checksum->sum);
    Py_END_ALLOW_THREADS
    return walk_tuple(&walk, found);
}

PyObject *rl_mapping_commit_record(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_commit record;
    if (rl_commit_newest(&self->map.ring, &record, self->checksum->sum) < 0)
        Py_RETURN_NONE;
    return Py_BuildValue("(LL)(LL)Ly#", (long long)record.tail.position, (long long)record.tail.sequence,
                         (long long)record.head.position, (long long)record.head.sequence,
                         (long long)record.last_timestamp, record.stream_id, (Py_ssize_t)16);
}

PyObject *rl_mapping_words(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    const rl_header *h = self->map.ring.header;
    /* Acquire: pairs with the release of whoever let go of the lock; what it stored under it is seen. */
    unsigned long long owner = RL_LOAD_ACQUIRE(&h->owner);
    return Py_BuildValue("KLLL", owner, (long long)RL_LOAD_RELAXED(&h->write_offset),
                         (long long)RL_LOAD_RELAXED(&h->event_count), (long long)RL_LOAD_RELAXED(&h->last_timestamp));
}

PyObject *rl_mapping_gate(MappingObject *self, PyObject *Py_UNUSED(ignored)) {
    const rl_ring *ring = &self->map.ring;
    rl_place gate = {0, 0}, tail;
    /* In a jump the tail goes first: who has seen it there finds it here, or, with the jump over, a gate that has
     * followed. Acquire: pairs with the releases in rl_jump and rl_jump_arrive. */
    int64_t jump = RL_LOAD_ACQUIRE(&ring->header->jump);
    if (!rl_pair_get(&ring->header->gate_offset, ring->header->gate, &gate)) {
        PyErr_SetString(PyExc_ValueError, "no record stands for the gate");
        return NULL;
    }
    if (jump > gate.position && rl_tail(ring, &tail) && tail.position == jump)
        gate = tail;
    return rl_place_tuple(gate.position, gate.sequence);
}

/* ---- logs: memory that Python has read ---- */

PyObject *rl_core_walk_memory(PyObject *module, PyObject *args) {
    Py_buffer data;
    long long position, sequence, timestamp, end;
    if (!PyArg_ParseTuple(args, "y*LLLL:walk_memory", &data, &position, &sequence, &timestamp, &end))
        return NULL;
    rl_sum_fn sum = ((CoreState *)PyModule_GetState(module))->checksum->sum;
    rl_walk walk = {{position, sequence}, timestamp};
    rl_walked found;
    Py_BEGIN_ALLOW_THREADS
    found = rl_walk_memory(&walk, data.buf, data.len, end, sum);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&data);
    return walk_tuple(&walk, found);
}

PyObject *rl_core_find_entry(PyObject *module, PyObject *args) {
    Py_buffer data;
    long long earliest, latest, effort;
    if (!PyArg_ParseTuple(args, "y*LLL:find_entry", &data, &earliest, &latest, &effort))
        return NULL;
    rl_sum_fn sum = ((CoreState *)PyModule_GetState(module))->checksum->sum;
    int64_t at;
    Py_BEGIN_ALLOW_THREADS
    at = rl_walk_find(data.buf, data.len, earliest, latest, effort, sum);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&data);
    return PyLong_FromLongLong(at);
}
