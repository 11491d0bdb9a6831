/* reader_fileno.c: the native Reader's descriptor: when it begins, and when it goes quiet. */
#include "reader_object.h"

Taken rl_reader_rearm(ReaderObject *self, int sole) {
    /* Armed for this very place already. (For an earlier one, it would be fired for what was read since.) */
    if (!RL_LOAD_RELAXED(&self->watch.fired) && self->watch.position == self->at.position)
        return NOTHING;
    rl_armed armed = rl_watch_arm(&self->watch, self->at.position);
    if (armed == RL_ARMED || !sole)
        return NOTHING; /* what is there by now is the next call's: the descriptor is readable */
    if (armed == RL_GONE && rl_reader_removed(self) == FAILED)
        return FAILED;
    return TAKEN;
}

PyObject *rl_reader_fileno(ReaderObject *self, PyObject *Py_UNUSED(ignored)) {
    /* Without the turn, which a thread that waits in read() may hold for ever: the GIL is not let go in
     * here, and between two of its steps a reader stands at one place. */
    if (!rl_reader_usable(self))
        return NULL;
    if (!self->watch.source) {
        int error = rl_watch_begin(&self->watch, &self->mapping->map);
        if (error) {
            errno = -error;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        /* Quiet from the start if there is nothing; a loss that is not told yet is something. */
        if (self->overrun_from < 0)
            rl_watch_arm(&self->watch, self->at.position);
    }
    return PyLong_FromLong(self->watch.fd);
}
