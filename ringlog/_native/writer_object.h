/* writer_object.h: what the files of the native Writer share: writer_append.c and writer_write.c, which are
 * hot, writer_claim.c, and writer_type.c, the steps that the policy in Python is made of.
 */
#ifndef RINGLOG_WRITER_OBJECT_H
#define RINGLOG_WRITER_OBJECT_H

#include "core.h"
#include "turn.h"

#include "ringlog/jump.h"
#include "ringlog/owner.h"
#include "ringlog/recover.h"
#include "ringlog/sleepers.h"
#include "ringlog/writer.h"

typedef struct WriterObject {
    PyObject_HEAD
    MappingObject *mapping; /* NULL: closed, or never opened */
    SemaphoreObject *semaphore;
    PyObject *window; /* a Window for claims; NULL: none was needed yet */
    struct ClaimObject *claim; /* the open one, which has the turn; not counted */
    rl_ring ring;
    rl_writer_slot *slot;
    rl_copy_fn copy;
    uint64_t me;
    uint64_t fork_generation;
    int64_t timeout;
    int64_t named_stride; /* the stride in which we last saw that the file still has its name */
    rl_turn turn;
    char session; /* the lock is held from open to close */
    char durable; /* sync="always" */
    char synced;  /* any sync but "none": a commit record is kept valid */
    char ended;
    char orphan; /* the file has lost its name */
    char stopping; /* close() waits for the turn */
    char by_write; /* of a log: what room is asked for now is filled by a call of the system */
    int disk_error; /* a sync failed: negated errno, and this writer vouches for nothing any more */
    char renew;    /* somebody waited long for the lock: is our semaphore still the named one? */
} WriterObject;

typedef struct Item {
    const void *data;
    Py_ssize_t size;
} Item;

/* What to append: `count` items, or (items NULL) as many rows back to back, of one size, or (sizes) of several. */
typedef struct Source {
    const Item *items;
    const uint8_t *rows;
    const uint32_t *sizes;
    int64_t row;
    Py_ssize_t count;
    int64_t bytes; /* in all, entries included */
} Source;

/* Call a method of the Python subclass that raises. Returns 0. */
int rl_writer_raise(WriterObject *self, const char *name);
/* Open, not being closed, not from before a fork? Otherwise 0 and an exception. */
int rl_writer_usable(WriterObject *self);
/* Were all pages there that this Writer has touched so far? Otherwise 0 and an exception. */
static inline int rl_writer_sound(WriterObject *self) {
    return RL_LIKELY(!rl_mapping_broken(&self->mapping->map)) ? 1 : rl_writer_raise(self, "_broken");
}
/* Take the lock, without a system call if it is free, otherwise as Python's policy says. The turn is
 * held. 0: an exception, and it is not taken. */
int rl_writer_lock(WriterObject *self, int64_t deadline);
/* Let go of the lock, post, and wake who sleeps for events, in this order. */
void rl_writer_unlock(WriterObject *self, int published, int *contended);
/* Data from `from` on, then a commit record of [tail, a), are on disk. 0: an exception. */
int rl_writer_make_durable(WriterObject *self, const rl_append *a, int64_t from, rl_place tail);
/* If a commit record was changed and may not be on disk as it is: sync. Before an entry is written, in a
 * ring on a disk. 0: an exception. */
int rl_writer_settle_commits(WriterObject *self);
/* The tail is about to move to `want`, and what is before it to be overwritten: on disk too, no record
 * may go on naming it. 0: an exception. */
int rl_writer_protect_commit(WriterObject *self, const rl_append *a, rl_place want);
/* Put in order what a killed holder left, the lock held. RL_CORRUPT: nothing could be. */
rl_status rl_writer_recover(WriterObject *self);
/* Take the turn of a usable writer. 0: an exception. */
int rl_writer_enter_slowly(WriterObject *self);
static inline int rl_writer_enter(WriterObject *self) {
    if (RL_LIKELY(self->fork_generation == rl_fork_generation() && self->mapping && !self->stopping &&
                  !rl_mapping_broken(&self->mapping->map) && rl_turn_enter_free(&self->turn)))
        return 1;
    return rl_writer_enter_slowly(self);
}

/* An event, or with `batch` several, can have `limit` bytes, not `size`. 0, and the exception. */
int rl_writer_too_large(WriterObject *self, int64_t size, int64_t limit, int batch);
/* Is an event of `size` bytes small enough? Otherwise 0 and an exception. */
int rl_writer_fits(WriterObject *self, int64_t size);
/* Lock, and make room for `bytes`; `a` says where. 0: an exception, and the lock is not held. */
int rl_writer_begin(WriterObject *self, rl_append *a, int64_t bytes);
/* With the lock held: move the tail so that `bytes` fit. 1: the lock is held and there is room.
 * 0: an exception, and it is not. While it waits it does not hold the lock. */
int rl_writer_make_room(WriterObject *self, rl_append *a, int64_t bytes, int64_t deadline);
/* The same in a log, where policy makes the file longer or begins another. log_writer.c */
int rl_log_make_room(WriterObject *self, rl_append *a, int64_t bytes);
/* Behind the publication: for the readers of the file. 0: an exception; it is not known to be on disk. */
int rl_log_publish(WriterObject *self, const rl_append *a);
PyObject *rl_log_writer_copy_run(WriterObject *, PyObject *); /* log_record.c */
int rl_log_settle_data(WriterObject *self, const rl_append *a, int64_t from);
/* Publish what was put since then, at the time `now`, and let go of the lock. 0: an exception. */
int rl_writer_publish(WriterObject *self, const rl_append *a, int64_t from, int64_t now);
/* Append all or none. The turn is held. The sequence of the first, or -1 with an exception set. */
int64_t rl_writer_write(WriterObject *self, const Source *source, int64_t given);

PyObject *rl_writer_new(PyTypeObject *, PyObject *, PyObject *);
void rl_writer_dealloc(WriterObject *);
int rl_writer_traverse(WriterObject *, visitproc, void *);
PyObject *rl_writer_detach(WriterObject *, PyObject *);
PyObject *rl_writer_with_lock(WriterObject *, PyObject *);
PyObject *rl_writer_drop_window(WriterObject *, PyObject *); /* writer_room.c */
PyObject *rl_writer_jump(WriterObject *, PyObject *);
extern PyGetSetDef rl_writer_states[];
PyObject *rl_writer_append(WriterObject *, PyObject *const *, Py_ssize_t, PyObject *);
PyObject *rl_writer_append_many(WriterObject *, PyObject *const *, Py_ssize_t, PyObject *);
PyObject *rl_writer_append_batch(WriterObject *, PyObject *); /* a Batch as events, all or none */
PyObject *rl_writer_append_run(WriterObject *, PyObject *); /* run_append.c */
PyObject *rl_writer_claim(WriterObject *, PyObject *);
PyObject *rl_writer_drop_claim(WriterObject *, PyObject *);
PyObject *rl_writer_append_array(WriterObject *, PyObject *const *, Py_ssize_t, PyObject *);

#endif
