/* points_module.c: named points from Python, in the tests' build alone: points, arm_point, point_hits. */
#include "core.h"

#include "point_actions.h"

#define NAME(name) #name,
static const char *const names[] = {RL_POINTS(NAME)};
#undef NAME

static PyObject *core_points(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    PyObject *all = PyTuple_New(RL_POINT_COUNT);
    for (Py_ssize_t k = 0; all && k < RL_POINT_COUNT; k++) {
        PyObject *name = PyUnicode_FromString(names[k]);
        if (!name)
            Py_CLEAR(all);
        else
            PyTuple_SET_ITEM(all, k, name);
    }
    return all;
}

static PyObject *core_point_hits(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    PyObject *all = PyDict_New();
    for (int k = 0; all && k < RL_POINT_COUNT; k++) {
        PyObject *count = PyLong_FromUnsignedLongLong(rl_point_passed((rl_point)k));
        if (!count || PyDict_SetItemString(all, names[k], count) < 0)
            Py_CLEAR(all);
        Py_XDECREF(count);
    }
    return all;
}

static PyObject *core_arm_point(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"name", "signal", "hits", "delay", NULL};
    const char *name;
    int signal = 0;
    long long hits = 1;
    double delay = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "z|iLd:arm_point", keywords, &name, &signal, &hits, &delay))
        return NULL;
    int point = -1;
    if (name) {
        for (point = 0; point < RL_POINT_COUNT && strcmp(names[point], name) != 0;)
            point++;
        if (point == RL_POINT_COUNT)
            return PyErr_Format(PyExc_ValueError, "no point is named '%s'", name);
    }
    if (hits < 1 || !(delay >= 0 && delay < 1e9) || signal < 0) {
        PyErr_SetString(PyExc_ValueError, "hits from 1 on, a delay in seconds, a signal's number");
        return NULL;
    }
    rl_point_arm(point, signal, (int64_t)(delay * 1e9), hits);
    Py_RETURN_NONE;
}

PyMethodDef rl_point_methods[] = {
    {"points", core_points, METH_NOARGS, "points($module)\n--\n\nThe names of all points, in their order."},
    {"point_hits", core_point_hits, METH_NOARGS,
     "point_hits($module)\n--\n\nHow often each point was passed, by this process and those it was forked from."},
    {"arm_point", (PyCFunction)(void (*)(void))core_arm_point, METH_VARARGS | METH_KEYWORDS,
     "arm_point($module, name, signal=0, hits=1, delay=0.0)\n--\n\n"
     "When the named point (None: none any more) has been passed `hits` times from now on, sleep `delay` seconds\n"
     "there, then send the signal to the thread that passes it. Once; only one point is armed at a time."},
    {NULL, NULL, 0, NULL},
};
