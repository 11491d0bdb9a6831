/* reader_calls.c: poll, read, read_many and iteration: the calls that hand events to Python. */
#include "reader_object.h"

PyObject *rl_reader_poll(ReaderObject *self, PyObject *Py_UNUSED(ignored)) {
    PyObject *event = NULL;
    int entered = rl_reader_enter(self, 0); /* another thread is reading: what comes is its, so there is none for us */
    if (entered == 0)
        Py_RETURN_NONE;
    if (entered < 0)
        return NULL;
    rl_reader_finish_previous(self);
    Taken taken = rl_reader_take_one(self, &event);
    rl_turn_leave(&self->turn);
    if (RL_LIKELY(taken == TAKEN))
        return event;
    if (taken == NOTHING)
        Py_RETURN_NONE;
    if (taken == ENDED)
        rl_reader_raise(self, "_ended");
    return NULL;
}

int rl_reader_begin(ReaderObject *self, PyObject *timeout, int64_t *deadline) {
    int64_t limit = timeout ? rl_parse_timeout(timeout) : 0;
    if (limit == -2)
        return -1;
    *deadline = rl_deadline(limit);
    int entered = rl_reader_enter(self, *deadline);
    if (entered > 0)
        rl_reader_finish_previous(self);
    return entered;
}

PyObject *rl_reader_read(ReaderObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    PyObject *timeout = Py_None, *event = NULL;
    if (!rl_optional_arguments("read", names, args, nargs, kwnames, &timeout))
        return NULL;
    int64_t deadline;
    int entered = rl_reader_begin(self, timeout, &deadline);
    if (entered < 0)
        return NULL;
    Taken taken = NOTHING;
    if (entered) {
        taken = rl_reader_wait_and_take(self, deadline, &event);
        rl_turn_leave(&self->turn);
    }
    if (taken == NOTHING)
        PyErr_SetString(PyExc_TimeoutError, "no event came in time");
    else if (taken == ENDED)
        rl_reader_raise(self, "_ended");
    return taken == TAKEN ? event : NULL;
}

/* After a first event: as many more as are there, up to `limit`, in one list. */
static PyObject *gather(ReaderObject *self, PyObject *first, Py_ssize_t limit) {
    PyObject *list = PyList_New(0), *event = first;
    int error = !list;
    for (Py_ssize_t count = 1; !error; count++) {
        error = PyList_Append(list, event) < 0;
        Py_CLEAR(event);
        if (error || count >= limit || rl_reader_take_more(self, &event) != TAKEN)
            break;
    }
    Py_XDECREF(event);
    if (self->slot && !self->named)
        rl_reader_publish_cursor(self);
    if (PyErr_Occurred())
        Py_CLEAR(list);
    return list;
}

Py_ssize_t rl_parse_limit(PyObject *limit, Py_ssize_t otherwise) {
    Py_ssize_t value = limit ? PyNumber_AsSsize_t(limit, PyExc_OverflowError) : otherwise;
    if (value < 1 && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "limit must be at least 1");
    return value < 1 ? -1 : value;
}

PyObject *rl_reader_read_many(ReaderObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"limit", "timeout", NULL};
    PyObject *given[2] = {NULL, NULL}, *first = NULL, *list = NULL;
    if (!rl_optional_arguments("read_many", names, args, nargs, kwnames, given))
        return NULL;
    Py_ssize_t limit = rl_parse_limit(given[0], 1024);
    if (limit < 0)
        return NULL;
    int64_t deadline;
    int entered = rl_reader_begin(self, given[1], &deadline);
    if (entered < 0)
        return NULL;
    if (entered == 0)
        return PyList_New(0);
    Taken taken = rl_reader_wait_and_take(self, deadline, &first);
    if (taken == TAKEN)
        list = gather(self, first, limit);
    else if (taken == NOTHING)
        list = PyList_New(0);
    rl_turn_leave(&self->turn);
    if (taken == ENDED)
        rl_reader_raise(self, "_ended");
    return list;
}

PyObject *rl_reader_iternext(ReaderObject *self) {
    PyObject *event = NULL;
    if (rl_reader_enter(self, INT64_MAX) <= 0)
        return NULL;
    rl_reader_finish_previous(self);
    Taken taken = rl_reader_wait_and_take(self, INT64_MAX, &event); /* ENDED: NULL without an exception stops it */
    rl_turn_leave(&self->turn);
    return taken == TAKEN ? event : NULL;
}
