/* handle_types.c: Lease and Semaphore, two things of the operating system that Python holds on to. */
#include "core.h"

/* ---- Lease ---- */

static PyObject *lease_drop(LeaseObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_lease_drop(&self->lease);
    Py_RETURN_NONE;
}

static void lease_dealloc(LeaseObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    rl_lease_drop(&self->lease);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef lease_methods[] = {
    {"drop", (PyCFunction)lease_drop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot lease_slots[] = {
    {Py_tp_dealloc, lease_dealloc}, {Py_tp_methods, lease_methods}, {0, NULL}};
PyType_Spec rl_lease_spec = {.name = "ringlog._core.Lease",
                             .basicsize = sizeof(LeaseObject),
                             .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             .slots = lease_slots};

/* ---- Semaphore ---- */

static PyObject *semaphore_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"name", NULL};
    const char *name;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s:Semaphore", names, &name))
        return NULL;
    sem_t *sem = sem_open(name, 0);
    if (sem == SEM_FAILED)
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, name);
    SemaphoreObject *self = PyObject_New(SemaphoreObject, type);
    if (!self) {
        sem_close(sem);
        return NULL;
    }
    self->sem = sem;
    return (PyObject *)self;
}

static void semaphore_dealloc(SemaphoreObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    sem_close(self->sem);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *semaphore_same(SemaphoreObject *self, PyObject *other) {
    if (Py_TYPE(other) != Py_TYPE(self))
        Py_RETURN_FALSE;
    return PyBool_FromLong(self->sem == ((SemaphoreObject *)other)->sem);
}

static PyObject *semaphore_value(SemaphoreObject *self, void *Py_UNUSED(closure)) {
    int value = 0;
    if (sem_getvalue(self->sem, &value) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(value);
}

static PyMethodDef semaphore_methods[] = {
    {"same", (PyCFunction)semaphore_same, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef semaphore_getset[] = {
    {"value", (getter)semaphore_value, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot semaphore_slots[] = {{Py_tp_new, semaphore_new},
                                        {Py_tp_dealloc, semaphore_dealloc},
                                        {Py_tp_methods, semaphore_methods},
                                        {Py_tp_getset, semaphore_getset},
                                        {0, NULL}};
PyType_Spec rl_semaphore_spec = {.name = "ringlog._core.Semaphore",
                                 .basicsize = sizeof(SemaphoreObject),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                                 .slots = semaphore_slots};
