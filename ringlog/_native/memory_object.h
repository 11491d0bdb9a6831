/* memory_object.h: memory of a ring as a Python buffer, for claims and views.
 *
 * Concept:   a Memory exports one event's bytes and counts who holds them. Whoever handed it out asks that
 *            count, not the memoryview: slices and arrays made on it are in it too.
 * Caveat:    `holder` keeps the mapped pages there for as long as anybody holds the bytes; what they
 *            contain is the business of whoever made it.
 */
#ifndef RINGLOG_MEMORY_OBJECT_H
#define RINGLOG_MEMORY_OBJECT_H

#include "core.h"

typedef struct MemoryObject {
    PyObject_HEAD
    PyObject *holder; /* a Mapping or a Window */
    uint8_t *data;
    Py_ssize_t size;
    Py_ssize_t exports;
    char readonly;
    char closed; /* nobody new gets it */
} MemoryObject;

typedef struct WindowObject {
    PyObject_HEAD
    rl_window window;
} WindowObject;

MemoryObject *rl_memory_new(CoreState *state, PyObject *holder, uint8_t *data, Py_ssize_t size, int readonly);
/* Take back a memoryview of it. 1: nobody holds the memory any more; 0: somebody does. */
int rl_memory_take_back(MemoryObject *memory, PyObject *view);

WindowObject *rl_window_new(CoreState *state, const rl_mapping *mapping);

#endif
