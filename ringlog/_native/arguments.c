/* arguments.c: arguments by position or name, at the price of neither: read() is called for every event. And what
 * becomes of an errno. */
#include "core.h"

#include <errno.h>

int rl_raise_os_error(int negated) {
    errno = -negated;
    PyErr_SetFromErrno(PyExc_OSError);
    return 0;
}

int rl_optional_arguments(const char *call, const char *const *names, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames, PyObject **out) {
    Py_ssize_t known = 0, given = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    while (names[known])
        known++;
    if (nargs > known) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments (%zd given)", call, known, nargs);
        return 0;
    }
    for (Py_ssize_t k = 0; k < nargs; k++)
        out[k] = args[k];
    for (Py_ssize_t k = 0; k < given; k++) {
        PyObject *keyword = PyTuple_GET_ITEM(kwnames, k);
        Py_ssize_t at = 0;
        while (at < known && PyUnicode_CompareWithASCIIString(keyword, names[at]) != 0)
            at++;
        if (at == known) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", call, keyword);
            return 0;
        }
        if (at < nargs) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", call, keyword);
            return 0;
        }
        out[at] = args[nargs + k];
    }
    return 1;
}
