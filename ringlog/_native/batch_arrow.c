/* batch_arrow.c: a Batch as Arrow's PyCapsule interface hands it over, without a copy and without pyarrow.
 *
 * A struct array of sequence, timestamp and data. Its consumer may move children out of it and release each
 * on its own, in any thread, with or without the GIL. So parent and children count themselves in one Shared,
 * and only the last one takes the GIL to let go of the Batch.
 */
#include <errno.h>

#include "arrow.h"
#include "batch_object.h"

enum { SEQUENCE, TIMESTAMP, DATA, FIELDS };
static const char *const field_names[FIELDS] = {"sequence", "timestamp", "data"};
static const char *const field_formats[FIELDS] = {"l", "tsn:UTC", "Z"}; /* int64, timestamp[ns, UTC], large_binary */

static const void *const empty[2]; /* where buffers of no bytes point: zeros, as an offset has to be */

/* ---- schema ---- */

static void schema_child_release(struct ArrowSchema *child) { child->release = NULL; } /* all of it is static */

typedef struct SchemaParts {
    struct ArrowSchema *pointers[FIELDS], children[FIELDS];
} SchemaParts;

static void schema_release(struct ArrowSchema *schema) {
    for (int k = 0; k < FIELDS; k++)
        if (schema->children[k]->release)
            schema->children[k]->release(schema->children[k]);
    PyMem_RawFree(schema->private_data);
    schema->release = NULL;
}

static int schema_fill(struct ArrowSchema *out) {
    SchemaParts *parts = PyMem_RawCalloc(1, sizeof *parts);
    memset(out, 0, sizeof *out);
    if (!parts)
        return ENOMEM;
    for (int k = 0; k < FIELDS; k++) {
        parts->pointers[k] = &parts->children[k];
        parts->children[k].format = field_formats[k];
        parts->children[k].name = field_names[k];
        parts->children[k].release = schema_child_release;
    }
    out->format = "+s";
    out->name = "";
    out->n_children = FIELDS;
    out->children = parts->pointers;
    out->private_data = parts;
    out->release = schema_release;
    return 0;
}

/* ---- array ---- */

typedef struct Shared { /* by an array and its children */
    PyObject *batch;
    int users;
    const void *parent_buffers[1]; /* validity, as the first of each: NULL, since nothing is null */
    const void *buffers[FIELDS][3];
    struct ArrowArray *pointers[FIELDS], children[FIELDS];
} Shared;

/* A consumer may let go after the interpreter has ended: then there is nobody left to give it to. */
static void let_go(PyObject *batch) {
    if (!Py_IsInitialized())
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_DECREF(batch);
    PyGILState_Release(gil);
}

static void shared_drop(Shared *shared) {
    /* Release: what this thread read comes before the memory is freed. Acquire: so did the others'. Pairs with itself. */
    if (__atomic_sub_fetch(&shared->users, 1, __ATOMIC_ACQ_REL) == 0) {
        let_go(shared->batch);
        PyMem_RawFree(shared);
    }
}

static void array_child_release(struct ArrowArray *child) {
    Shared *shared = child->private_data;
    child->release = NULL; /* before: the child may stand in what is freed */
    shared_drop(shared);
}

static void array_release(struct ArrowArray *array) {
    Shared *shared = array->private_data;
    for (int k = 0; k < FIELDS; k++)
        if (array->children[k]->release)
            array->children[k]->release(array->children[k]);
    array->release = NULL;
    shared_drop(shared);
}

/* Precondition: the GIL. */
static int array_fill(BatchObject *batch, struct ArrowArray *out) {
    const int64_t *sequences = rl_batch_sequences(batch);
    const int64_t *offsets = sequences ? rl_batch_offsets(batch) : NULL;
    Shared *shared = offsets ? PyMem_RawCalloc(1, sizeof *shared) : NULL;
    memset(out, 0, sizeof *out);
    if (!shared)
        return ENOMEM;
    const rl_columns *c = &batch->columns;
    Py_INCREF(batch);
    shared->batch = (PyObject *)batch;
    shared->users = 1 + FIELDS;
    shared->buffers[SEQUENCE][1] = sequences;
    shared->buffers[TIMESTAMP][1] = c->count ? (const void *)c->timestamps : empty;
    shared->buffers[DATA][1] = offsets;
    shared->buffers[DATA][2] = c->data_size ? (const void *)c->data : empty;
    for (int k = 0; k < FIELDS; k++) {
        struct ArrowArray *child = shared->pointers[k] = &shared->children[k];
        child->length = c->count;
        child->n_buffers = k == DATA ? 3 : 2;
        child->buffers = shared->buffers[k];
        child->private_data = shared;
        child->release = array_child_release;
    }
    out->length = c->count;
    out->n_buffers = 1;
    out->buffers = shared->parent_buffers;
    out->n_children = FIELDS;
    out->children = shared->pointers;
    out->private_data = shared;
    out->release = array_release;
    return 0;
}

/* ---- stream: one array, then the end ---- */

typedef struct Stream {
    PyObject *batch;
    int done;
    const char *error;
} Stream;

static int stream_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
    Stream *stream = self->private_data;
    int error = schema_fill(out);
    stream->error = error ? "out of memory" : NULL;
    return error;
}

static int stream_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
    Stream *stream = self->private_data;
    int error = 0;
    if (stream->done) {
        memset(out, 0, sizeof *out); /* released: the end */
    } else {
        PyGILState_STATE gil = PyGILState_Ensure();
        error = array_fill((BatchObject *)stream->batch, out);
        if (error)
            PyErr_Clear();
        PyGILState_Release(gil);
        stream->done = !error;
    }
    stream->error = error ? "out of memory" : NULL;
    return error;
}

static const char *stream_error(struct ArrowArrayStream *self) { return ((Stream *)self->private_data)->error; }

static void stream_release(struct ArrowArrayStream *self) {
    Stream *stream = self->private_data;
    let_go(stream->batch);
    PyMem_RawFree(stream);
    self->release = NULL;
}

/* ---- capsules: they release what nobody took ---- */

#define CAPSULE_DESTRUCTOR(function, type, capsule_name)                                                               \
    static void function(PyObject *capsule) {                                                                          \
        struct type *held = PyCapsule_GetPointer(capsule, capsule_name);                                               \
        if (held && held->release)                                                                                     \
            held->release(held);                                                                                       \
        PyMem_RawFree(held);                                                                                           \
    }
CAPSULE_DESTRUCTOR(schema_capsule_end, ArrowSchema, "arrow_schema")
CAPSULE_DESTRUCTOR(array_capsule_end, ArrowArray, "arrow_array")
CAPSULE_DESTRUCTOR(stream_capsule_end, ArrowArrayStream, "arrow_array_stream")

/* A capsule of zeroed memory: its end does nothing but free it, until somebody has filled it in. */
static PyObject *capsule_new(size_t size, const char *name, PyCapsule_Destructor end, void *out) {
    void *held = PyMem_RawCalloc(1, size);
    PyObject *capsule = held ? PyCapsule_New(held, name, end) : PyErr_NoMemory();
    if (!capsule)
        PyMem_RawFree(held);
    memcpy(out, &held, sizeof held);
    return capsule;
}

static PyObject *filled(PyObject *capsule, int error) {
    if (error) {
        Py_DECREF(capsule);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    return capsule;
}

static int no_requests(PyObject *args, PyObject *kwargs, const char *format) {
    static char *names[] = {"requested_schema", NULL};
    PyObject *requested = Py_None;
    return PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &requested);
}

PyObject *rl_batch_arrow_schema(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) {
    struct ArrowSchema *schema;
    PyObject *capsule = capsule_new(sizeof *schema, "arrow_schema", schema_capsule_end, &schema);
    return capsule ? filled(capsule, schema_fill(schema)) : NULL;
}

PyObject *rl_batch_arrow_array(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArray *array;
    if (!no_requests(args, kwargs, "|O:__arrow_c_array__"))
        return NULL;
    PyObject *schema = rl_batch_arrow_schema(self, NULL), *capsule = NULL, *both = NULL;
    if (schema && (capsule = capsule_new(sizeof *array, "arrow_array", array_capsule_end, &array)))
        capsule = filled(capsule, array_fill((BatchObject *)self, array));
    if (capsule)
        both = PyTuple_Pack(2, schema, capsule);
    Py_XDECREF(schema);
    Py_XDECREF(capsule);
    return both;
}

PyObject *rl_batch_arrow_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArrayStream *held;
    if (!no_requests(args, kwargs, "|O:__arrow_c_stream__"))
        return NULL;
    PyObject *capsule = capsule_new(sizeof *held, "arrow_array_stream", stream_capsule_end, &held);
    Stream *stream = capsule ? PyMem_RawCalloc(1, sizeof *stream) : NULL;
    if (!stream)
        return capsule ? filled(capsule, ENOMEM) : NULL;
    Py_INCREF(self);
    stream->batch = self;
    held->get_schema = stream_schema;
    held->get_next = stream_next;
    held->get_last_error = stream_error;
    held->release = stream_release;
    held->private_data = stream;
    return capsule;
}
