/* core.h: what the files of the binding share. Everything that includes this knows CPython. */
#ifndef RINGLOG_CORE_H
#define RINGLOG_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "platform.h"
#include "ringlog/checksum.h"

/* From this size on the GIL is let go while bytes are copied: below, letting go costs more. */
#define RL_GIL_BYTES (256 << 10)

typedef struct CoreState {
    PyTypeObject *event_type;
    PyTypeObject *batch_type;
    PyTypeObject *column_type;
    PyTypeObject *batch_iterator_type;
    PyTypeObject *mapping_type;
    PyTypeObject *segment_type;
    PyTypeObject *reader_type;
    PyTypeObject *lease_type;
    PyTypeObject *semaphore_type;
    PyTypeObject *memory_type;
    PyTypeObject *window_type;
    PyTypeObject *claim_type;
    PyTypeObject *view_type;
    const rl_checksum_impl *checksum;
} CoreState;

typedef struct MappingObject {
    PyObject_HEAD
    rl_mapping map;
    const rl_checksum_impl *checksum;
} MappingObject;

typedef struct SemaphoreObject {
    PyObject_HEAD
    sem_t *sem;
} SemaphoreObject;

typedef struct LeaseObject {
    PyObject_HEAD
    rl_lease lease;
} LeaseObject;

typedef struct EventObject {
    PyObject_HEAD
    long long sequence;
    long long timestamp;
    PyObject *data;
} EventObject;

extern PyModuleDef rl_core_module;
extern PyType_Spec rl_event_spec, rl_batch_spec, rl_column_spec, rl_batch_iterator_spec, rl_mapping_spec,
    rl_lease_spec, rl_semaphore_spec, rl_memory_spec, rl_window_spec, rl_claim_spec, rl_view_spec, rl_writer_spec,
    rl_reader_spec, rl_segment_spec, rl_log_writer_spec, rl_log_reader_spec;

/* Bytes of this size to be filled for an Event, their content anything. A new reference, or NULL: an exception. */
PyObject *rl_event_bytes(Py_ssize_t size);
/* Takes over the reference to `data`, also when it fails. */
PyObject *rl_event_new(PyTypeObject *type, int64_t sequence, int64_t timestamp, PyObject *data);

CoreState *rl_core_state(PyTypeObject *type); /* also of a Python subclass of one of our types */
unsigned long rl_arm_hwcap(void);
#ifdef RINGLOG_POINTS
extern PyMethodDef rl_point_methods[]; /* the tests' build alone: points_module.c */
#endif

/* (position, sequence) as a Python tuple. */
PyObject *rl_place_tuple(int64_t position, int64_t sequence);

/* Fill in those of `names` (ending in NULL) that were given; the others stay as they are. 0: TypeError. */
int rl_optional_arguments(const char *call, const char *const *names, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames, PyObject **out);

/* 0, with the OSError of a negated errno set. */
int rl_raise_os_error(int negated);

/* None: -1, "for ever". Seconds as int or float: nanoseconds, 0 or more. -2 with an exception set. */
int64_t rl_parse_timeout(PyObject *value);
/* The monotonic time at which `timeout` is over; INT64_MAX: never. */
int64_t rl_deadline(int64_t timeout);

#endif
