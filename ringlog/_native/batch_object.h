/* batch_object.h: what the files of the native Batch share. Whoever has events in a row makes one: it knows
 * nothing of where they come from.
 */
#ifndef RINGLOG_BATCH_OBJECT_H
#define RINGLOG_BATCH_OBJECT_H

#include "core.h"

#include "ringlog/columns.h"

typedef struct BatchObject {
    PyObject_HEAD
    void *memory;       /* one allocation for what was read: data, timestamps, sizes */
    rl_columns columns; /* into it */
    int64_t first;      /* sequence */
    int64_t *sequences; /* NULL until somebody asks */
    int64_t *offsets;   /* of count + 1 places in the data; NULL until somebody asks */
} BatchObject;

/* One without events, of `type`, a subclass of ours. */
BatchObject *rl_batch_new(PyTypeObject *type, int64_t first);
/* Room for columns.count_max events with columns.data_max bytes together, instead of what there was.
 * 0: there is no memory. Needs no GIL. */
int rl_batch_reserve(BatchObject *self);

/* Made when first asked for; NULL and MemoryError. */
int64_t *rl_batch_sequences(BatchObject *self);
int64_t *rl_batch_offsets(BatchObject *self);

extern PyGetSetDef rl_batch_columns[];
PyObject *rl_batch_arrow_schema(PyObject *, PyObject *);
PyObject *rl_batch_arrow_array(PyObject *, PyObject *, PyObject *);
PyObject *rl_batch_arrow_stream(PyObject *, PyObject *, PyObject *);

#endif
