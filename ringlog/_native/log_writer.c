/* log_writer.c: what the native Writer does where its ring is a log's segment, and the native LogWriter's type.
 *
 * The hot middle is the rings' own (writer_write.c), under a session's lock that nobody else can ask for: the file
 * lock that policy holds keeps other processes out. Where the room ends, policy is asked by name: _grow(bytes) makes
 * the file longer, or exchanges it for the next segment.
 */
#include "segment.h"
#include "writer_object.h"


int rl_log_make_room(WriterObject *self, rl_append *a, int64_t bytes) {
    rl_mapping *map;
    int ready;
    while (rl_room_short(&self->ring, a, bytes)) {
        map = &self->mapping->map;
        Py_BEGIN_ALLOW_THREADS
        ready = rl_segment_prepare(map, a->position + bytes, self->by_write);
        Py_END_ALLOW_THREADS
        RL_POINT(log_room_prepared);
        if (ready < 0)
            return rl_raise_os_error(ready);
        if (ready) {
            self->ring.capacity = map->ring.capacity;
            continue;
        }
        RL_POINT(log_room_asked);
        PyObject *result = PyObject_CallMethod((PyObject *)self, "_grow", "L", (long long)bytes);
        if (!result)
            return 0;
        Py_DECREF(result);
        RL_POINT(log_room_made);
        if (!rl_writer_usable(self)) /* a fork in there */
            return 0;
        if (rl_append_begin(&self->ring, a) != RL_OK)
            return rl_writer_raise(self, "_corrupt");
    }
    return 1;
}

static int sync_to(WriterObject *self, int64_t from, int64_t to) {
    rl_mapping *map = &self->mapping->map;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = rl_segment_sync(map, from, to);
    Py_END_ALLOW_THREADS
    return !error || (rl_writer_sound(self) && rl_raise_os_error(error));
}

int rl_log_settle_data(WriterObject *self, const rl_append *a, int64_t from) {
    return sync_to(self, from, a->position);
}

int rl_log_publish(WriterObject *self, const rl_append *a) {
    rl_segment_publish(&self->mapping->map, a->position, a->sequence);
    return !self->durable || sync_to(self, 0, 0);
}

/* Write to this segment from here on, instead of the one before. The turn is held, or nobody else has the object
 * yet. */
static PyObject *exchange(WriterObject *self, PyObject *args) {
    MappingObject *segment;
    int durable;
    CoreState *state = rl_core_state(Py_TYPE(self));
    if (!state || !PyArg_ParseTuple(args, "O!p", state->segment_type, &segment, &durable))
        return NULL;
    if (self->stopping)
        return rl_writer_raise(self, "_unusable"), NULL;
    if (segment->map.mode != RL_MAP_WRITE) {
        PyErr_SetString(PyExc_ValueError, "cannot write a log here");
        return NULL;
    }
    if (!self->mapping)
        self->fork_generation = rl_fork_generation();
    self->timeout = -1;
    self->ring = segment->map.ring;
    self->slot = &self->ring.header->writers[0];
    self->copy = segment->checksum->copy;
    self->me = rl_owner_word(0, 1);
    self->ring.header->owner = self->me;
    self->named_stride = -1;
    self->session = 1;
    self->durable = (char)durable;
    Py_INCREF(segment);
    Py_XSETREF(self->mapping, segment);
    RL_POINT(log_attached);
    Py_RETURN_NONE;
}

static PyMethodDef log_writer_methods[] = {
    {"append", (PyCFunction)(void (*)(void))rl_writer_append, METH_FASTCALL | METH_KEYWORDS,
     "append($self, data, /, *, timestamp=None)\n--\n\n"
     "Write one event and return its sequence (its 0-based index in the stream).\n\n"
     "data: any object with the buffer protocol; its bytes are copied and checksummed in one pass.\n"
     "timestamp: Unix nanoseconds; the clock's by default, never below the last event's.\n\n"
     "Blocks for the disk where the file has to grow or a segment begins, and with sync=\"always\". Nothing is\n"
     "written if it raises, unless the disk failed behind the write (OSError).\n\n"
     "Raises TypeError (no buffer), EventTooLarge (4 GiB and more), ValueError (timestamp below the last one,\n"
     "or over an hour ahead of the clock), OSError (no space; a disk that fails), ClosedError."},
    {"append_many", (PyCFunction)(void (*)(void))rl_writer_append_many, METH_FASTCALL | METH_KEYWORDS,
     "append_many($self, items, /, *, timestamp=None)\n--\n\n"
     "Write many events at once and return the range of their sequences.\n\n"
     "items: an iterable of objects with the buffer protocol. One clock reading and one publication for all of\n"
     "them, in one segment: readers see all or none. Blocks and raises as append()."},
    {"_append_batch", (PyCFunction)rl_writer_append_batch, METH_O, NULL},
    {"append_array", (PyCFunction)(void (*)(void))rl_writer_append_array, METH_FASTCALL | METH_KEYWORDS,
     "append_array($self, array, /, *, timestamp=None)\n--\n\n"
     "Write each row of an array as one event and return the range of their sequences.\n\n"
     "array: as for Writer.append_array. Blocks and raises as append_many(); ValueError if the array isn't\n"
     "C-contiguous or has no dimension."},
    {"_exchange", (PyCFunction)exchange, METH_VARARGS, NULL},
    {"_copy_run", (PyCFunction)rl_log_writer_copy_run, METH_VARARGS, NULL},
    {"_with_lock", (PyCFunction)rl_writer_with_lock, METH_O, NULL},
    {"_detach", (PyCFunction)rl_writer_detach, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot log_writer_slots[] = {{Py_tp_new, rl_writer_new},
                                         {Py_tp_dealloc, rl_writer_dealloc},
                                         {Py_tp_traverse, rl_writer_traverse},
                                         {Py_tp_methods, log_writer_methods},
                                         {Py_tp_getset, rl_writer_states},
                                         {0, NULL}};
PyType_Spec rl_log_writer_spec = {.name = "ringlog._core.LogWriter",
                                  .basicsize = sizeof(WriterObject),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                                  .slots = log_writer_slots};
