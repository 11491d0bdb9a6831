/* mapping_object.h: what the files of the native Mapping share. */
#ifndef RINGLOG_MAPPING_OBJECT_H
#define RINGLOG_MAPPING_OBJECT_H

#include "core.h"

/* 0 and PermissionError if the header is mapped read-only. */
int rl_mapping_need_writable(MappingObject *self);

PyObject *rl_mapping_writer_slot(MappingObject *, PyObject *);
PyObject *rl_mapping_claim_writer(MappingObject *, PyObject *);
PyObject *rl_mapping_free_writer(MappingObject *, PyObject *);
PyObject *rl_mapping_reader_slot(MappingObject *, PyObject *);
PyObject *rl_mapping_claim_reader(MappingObject *, PyObject *);
PyObject *rl_mapping_set_reader(MappingObject *, PyObject *);

PyObject *rl_mapping_walk(MappingObject *, PyObject *);
PyObject *rl_mapping_commit_record(MappingObject *, PyObject *);
PyObject *rl_mapping_words(MappingObject *, PyObject *);
PyObject *rl_mapping_gate(MappingObject *, PyObject *);
PyObject *rl_core_walk_memory(PyObject *, PyObject *);
PyObject *rl_core_find_entry(PyObject *, PyObject *);

#endif
