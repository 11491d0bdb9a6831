/* module.c: the extension module ringlog._core: its types, its constants, the checksum. */
#include "mapping_object.h"

#include <math.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "ringlog/walk.h"

unsigned long rl_arm_hwcap(void) {
#if defined(__aarch64__)
    return getauxval(AT_HWCAP);
#else
    return 0;
#endif
}

CoreState *rl_core_state(PyTypeObject *type) {
#if PY_VERSION_HEX >= 0x030B0000
    PyObject *module = PyType_GetModuleByDef(type, &rl_core_module);
#else
    /* 3.10 finds the module only on the type that was made with it: walk up to that. */
    PyObject *module = NULL;
    for (; type && !module; type = type->tp_base)
        if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) && ((PyHeapTypeObject *)type)->ht_module &&
            PyModule_GetDef(((PyHeapTypeObject *)type)->ht_module) == &rl_core_module)
            module = ((PyHeapTypeObject *)type)->ht_module;
#endif
    return module ? PyModule_GetState(module) : NULL;
}

int64_t rl_parse_timeout(PyObject *value) {
    if (value == Py_None)
        return -1;
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1.0 && PyErr_Occurred())
        return -2;
    if (isnan(seconds) || seconds < 0) {
        PyErr_SetString(PyExc_ValueError, "a timeout is None or a number of seconds, 0 or more");
        return -2;
    }
    return seconds > 9e9 ? -1 : (int64_t)ceil(seconds * 1e9); /* centuries are for ever */
}

int64_t rl_deadline(int64_t timeout) {
    return timeout < 0 ? INT64_MAX : timeout == 0 ? 0 : rl_monotonic() + timeout;
}

/* ---- the checksum, for tests and tools ---- */

static const rl_checksum_impl *find_checksum(PyObject *module, const char *name) {
    const rl_checksum_impl *all[4];
    if (!name)
        return ((CoreState *)PyModule_GetState(module))->checksum;
    for (size_t k = 0, n = rl_checksum_available(all, rl_arm_hwcap()); k < n; k++)
        if (strcmp(all[k]->name, name) == 0)
            return all[k];
    PyErr_Format(PyExc_ValueError, "no checksum implementation '%s' on this machine", name);
    return NULL;
}

static PyObject *core_checksum(PyObject *module, PyObject *args) {
    Py_buffer data;
    const char *name = NULL;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*|z:checksum", &data, &name))
        return NULL;
    const rl_checksum_impl *impl = find_checksum(module, name);
    if (impl)
        result = PyLong_FromUnsignedLong(impl->sum(data.buf, (size_t)data.len));
    PyBuffer_Release(&data);
    return result;
}

static PyObject *core_copy_checksum(PyObject *module, PyObject *args) {
    Py_buffer data;
    const char *name = NULL;
    PyObject *result = NULL, *copy;
    if (!PyArg_ParseTuple(args, "y*|z:copy_checksum", &data, &name))
        return NULL;
    const rl_checksum_impl *impl = find_checksum(module, name);
    if (impl && (copy = PyBytes_FromStringAndSize(NULL, data.len))) {
        uint32_t sum = impl->copy(PyBytes_AS_STRING(copy), data.buf, (size_t)data.len);
        result = Py_BuildValue("Nk", copy, (unsigned long)sum);
    }
    PyBuffer_Release(&data);
    return result;
}

static PyObject *core_checksum_implementations(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    const rl_checksum_impl *all[4];
    size_t count = rl_checksum_available(all, rl_arm_hwcap());
    PyObject *names = PyTuple_New((Py_ssize_t)count);
    for (size_t k = 0; names && k < count; k++) {
        PyObject *name = PyUnicode_FromString(all[k]->name);
        if (!name)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, (Py_ssize_t)k, name);
    }
    return names;
}

/* ---- headers ---- */

static PyObject *core_format_header(PyObject *Py_UNUSED(module), PyObject *args) {
    long long capacity, now;
    unsigned int max_readers;
    const char *ids[3];
    Py_ssize_t sizes[3];
    if (!PyArg_ParseTuple(args, "LILy#y#y#:format_header", &capacity, &max_readers, &now, &ids[0], &sizes[0],
                          &ids[1], &sizes[1], &ids[2], &sizes[2]))
        return NULL;
    if (capacity < RL_MIN_CAPACITY || capacity > RL_MAX_CAPACITY || max_readers < 1 ||
        max_readers > RL_MAX_READERS || sizes[0] != 16 || sizes[1] != 16 || sizes[2] != 16) {
        PyErr_SetString(PyExc_ValueError, "format_header: out of range");
        return NULL;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, rl_data_start(capacity, max_readers));
    if (!bytes)
        return NULL;
    memset(PyBytes_AS_STRING(bytes), 0, (size_t)PyBytes_GET_SIZE(bytes));
    rl_header_format((rl_header *)PyBytes_AS_STRING(bytes), capacity, max_readers, now, (const uint8_t *)ids[0],
                     (const uint8_t *)ids[1], (const uint8_t *)ids[2]);
    return bytes;
}

static PyObject *core_probe_header(PyObject *Py_UNUSED(module), PyObject *arg) {
    int fd = (int)PyLong_AsLong(arg);
    const char *why;
    rl_header *header;
    if (PyErr_Occurred())
        return NULL;
    if (!(header = PyMem_Malloc(sizeof *header)))
        return PyErr_NoMemory();
    int status = rl_header_probe(fd, header, &why);
    unsigned int version = header->version;
    PyMem_Free(header);
    if (status < 0) {
        errno = -status;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("isI", status, why, version);
}

static PyMethodDef core_methods[] = {
    {"checksum", core_checksum, METH_VARARGS, NULL},
    {"copy_checksum", core_copy_checksum, METH_VARARGS, NULL},
    {"checksum_implementations", core_checksum_implementations, METH_NOARGS, NULL},
    {"format_header", core_format_header, METH_VARARGS, NULL},
    {"probe_header", core_probe_header, METH_O, NULL},
    {"walk_memory", rl_core_walk_memory, METH_VARARGS, NULL},
    {"find_entry", rl_core_find_entry, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* A type that nobody needs by name. */
static PyTypeObject *hidden_type(PyObject *module, PyType_Spec *spec) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyTypeObject *type = hidden_type(module, spec);
    if (type && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

/* For `case Event(sequence, timestamp, data)`. The type is immutable: this is while it is being made. */
static int add_match_args(PyTypeObject *event) {
    PyObject *names = Py_BuildValue("(sss)", "sequence", "timestamp", "data");
    int error = !names || PyDict_SetItemString(event->tp_dict, "__match_args__", names) < 0;
    Py_XDECREF(names);
    PyType_Modified(event);
    return error ? -1 : 0;
}

static int add_constants(PyObject *module) {
    static const struct {
        const char *name;
        long value;
    } constants[] = {
        {"VERSION", RL_VERSION},
        {"FIRST_POSITION", RL_FIRST_POSITION},
        {"ENTRY_SIZE", RL_ENTRY_SIZE},
        {"MIN_CAPACITY", RL_MIN_CAPACITY},
        {"MAX_READERS", RL_MAX_READERS},
        {"MAX_WRITERS", RL_MAX_WRITERS},
        {"NAME_BYTES", RL_NAME_BYTES},
        {"TABLE_LEASE", offsetof(rl_header, reader_bits)}, /* any byte that is no slot's own */
        {"RESTART_LEASE", offsetof(rl_header, boot_id)},
        {"WRITERS_OFFSET", offsetof(rl_header, writers)},
        {"WRITER_SLOT_SIZE", sizeof(rl_writer_slot)},
        {"READERS_OFFSET", sizeof(rl_header)},
        {"READER_SLOT_SIZE", sizeof(rl_reader_slot)},
        {"STATUS_OK", RL_OK},
        {"STATUS_CORRUPT", RL_CORRUPT},
        {"STATUS_NOT_RING", RL_NOT_RING},
        {"STATUS_OTHER_VERSION", RL_OTHER_VERSION},
        {"STATUS_TRUNCATED", RL_TRUNCATED},
        {"SLOT_FREE", RL_SLOT_FREE},
        {"SLOT_CLAIMED", RL_SLOT_CLAIMED},
        {"SLOT_ACTIVE", RL_SLOT_ACTIVE},
        {"SLOT_PARKED", RL_SLOT_PARKED},
        {"READER_LOSSLESS", RL_READER_LOSSLESS},
        {"READER_NAMED", RL_READER_NAMED},
        {"MAP_READ", RL_MAP_READ},
        {"MAP_ANNOUNCE", RL_MAP_ANNOUNCE},
        {"MAP_WRITE", RL_MAP_WRITE},
        {"WALK_DONE", RL_WALK_DONE},
        {"WALK_SHORT", RL_WALK_SHORT},
        {"WALK_OVERTAKEN", RL_WALK_OVERTAKEN},
        {"WALK_SIZE", RL_WALK_SIZE},
        {"WALK_TIMESTAMP", RL_WALK_TIMESTAMP},
        {"WALK_ORDER", RL_WALK_ORDER},
        {"WALK_CHECKSUM", RL_WALK_CHECKSUM},
        {"WALK_MARK", RL_WALK_MARK},
    };
    for (size_t k = 0; k < sizeof constants / sizeof *constants; k++)
        if (PyModule_AddIntConstant(module, constants[k].name, constants[k].value) < 0)
            return -1;
    return 0;
}

static int core_exec(PyObject *module) {
    CoreState *state = PyModule_GetState(module);
    int error = rl_install_fork_hooks();
    if (error) {
        errno = -error;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    state->checksum = rl_checksum_best(rl_arm_hwcap());
    if (!(state->event_type = add_type(module, &rl_event_spec)) || add_match_args(state->event_type) < 0 ||
        !(state->batch_type = add_type(module, &rl_batch_spec)) ||
        !(state->column_type = hidden_type(module, &rl_column_spec)) ||
        !(state->batch_iterator_type = hidden_type(module, &rl_batch_iterator_spec)) ||
        !(state->mapping_type = add_type(module, &rl_mapping_spec)) ||
        !(state->segment_type = add_type(module, &rl_segment_spec)) ||
        !(state->lease_type = add_type(module, &rl_lease_spec)) ||
        !(state->semaphore_type = add_type(module, &rl_semaphore_spec)) ||
        !(state->memory_type = hidden_type(module, &rl_memory_spec)) ||
        !(state->window_type = hidden_type(module, &rl_window_spec)) ||
        !(state->claim_type = add_type(module, &rl_claim_spec)) ||
        !(state->view_type = add_type(module, &rl_view_spec)))
        return -1;
    PyType_Spec *bases[] = {&rl_writer_spec, &rl_reader_spec, &rl_log_writer_spec, &rl_log_reader_spec};
    for (size_t k = 0; k < sizeof bases / sizeof *bases; k++) {
        PyTypeObject *type = add_type(module, bases[k]);
        if (!type)
            return -1;
        if (bases[k] == &rl_reader_spec)
            state->reader_type = type;
        else
            Py_DECREF(type);
    }
#ifdef RINGLOG_POINTS
    if (PyModule_AddFunctions(module, rl_point_methods) < 0)
        return -1;
#endif
    return add_constants(module);
}

static int core_traverse(PyObject *module, visitproc visit, void *arg) {
    CoreState *state = PyModule_GetState(module);
    Py_VISIT(state->event_type);
    Py_VISIT(state->batch_type);
    Py_VISIT(state->column_type);
    Py_VISIT(state->batch_iterator_type);
    Py_VISIT(state->mapping_type);
    Py_VISIT(state->segment_type);
    Py_VISIT(state->reader_type);
    Py_VISIT(state->lease_type);
    Py_VISIT(state->semaphore_type);
    Py_VISIT(state->memory_type);
    Py_VISIT(state->window_type);
    Py_VISIT(state->claim_type);
    Py_VISIT(state->view_type);
    return 0;
}

static int core_clear(PyObject *module) {
    CoreState *state = PyModule_GetState(module);
    Py_CLEAR(state->event_type);
    Py_CLEAR(state->batch_type);
    Py_CLEAR(state->column_type);
    Py_CLEAR(state->batch_iterator_type);
    Py_CLEAR(state->mapping_type);
    Py_CLEAR(state->segment_type);
    Py_CLEAR(state->reader_type);
    Py_CLEAR(state->lease_type);
    Py_CLEAR(state->semaphore_type);
    Py_CLEAR(state->memory_type);
    Py_CLEAR(state->window_type);
    Py_CLEAR(state->claim_type);
    Py_CLEAR(state->view_type);
    return 0;
}

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

PyModuleDef rl_core_module = {
    PyModuleDef_HEAD_INIT, .m_name = "ringlog._core",
    .m_doc = "ringlog's native core: the hot path, and single steps for the policy in Python.",
    .m_size = sizeof(CoreState), .m_methods = core_methods, .m_slots = core_slots,
    .m_traverse = core_traverse, .m_clear = core_clear,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&rl_core_module); }
