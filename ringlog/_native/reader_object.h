/* reader_object.h: what the files of the native Reader share: reader_take.c and reader_calls.c, which are
 * hot, reader_view.c, and reader_type.c, the steps that the policy in Python is made of.
 */
#ifndef RINGLOG_READER_OBJECT_H
#define RINGLOG_READER_OBJECT_H

#include "core.h"
#include "turn.h"

#include "ringlog/reader.h"
#include "ringlog/seek.h"
#include "ringlog/sleepers.h"

#define RL_TAKEN 32 /* runs: as many as may be on their way at once, and more */

typedef struct ReaderObject {
    PyObject_HEAD
    MappingObject *mapping; /* NULL: closed, or never opened */
    PyTypeObject *event_type;
    PyTypeObject *batch_type; /* a Python subclass of ours */
    rl_ring ring;
    rl_reader at;
    rl_place finished; /* where the cursor stands, or will when no view is open any more */
    rl_copy_fn copy; /* NULL: don't verify */
    rl_reader_slot *slot; /* NULL: lossy */
    uint32_t slot_index;
    int64_t overrun_from;  /* >= 0: events from this sequence on are already known to be lost */
    int64_t lost;          /* events, so far */
    int64_t not_before;    /* skip events before this time; 0: none */
    int64_t name_checked;  /* monotonic ns, when a wait last asked for the file's name */
    rl_patience patience;
    uint64_t fork_generation;
    rl_turn turn;
    struct ViewObject *views; /* open ones, the oldest first; not counted */
    rl_watch watch; /* behind fileno() */
    rl_place taken[RL_TAKEN]; /* where the runs that were taken last end */
    uint32_t takes;
    char named;
    char held; /* a name's cursor that only _finish_to moves on */
    char announce; /* may say in the header that it sleeps */
    char wait;     /* RL_WAIT_* */
    char stopping; /* close() waits for the turn */
} ReaderObject;

/* Call a method of the Python subclass that raises. Returns 0. */
int rl_reader_raise(ReaderObject *self, const char *name);
/* Open, not being closed, and (if it has a slot) not from before a fork? Otherwise 0 and an exception. */
int rl_reader_usable(ReaderObject *self);
/* Were all pages there that this Reader has touched so far? Otherwise 0 and an exception. */
int rl_reader_sound(ReaderObject *self);
/* Take the turn of a usable reader. -1: an exception; 0: another thread has it until after `deadline`. */
int rl_reader_enter(ReaderObject *self, int64_t deadline);
/* Note in the slot of a named reader that a loss from `first` on has to be told. Before the cursor moves
 * over it: who comes after us, if we die, tells it. */
void rl_reader_note_loss(ReaderObject *self, int64_t first);
/* Everything before our position is finished: tell the writer, as far as no view is open. */
void rl_reader_publish_cursor(ReaderObject *self);
/* Let the cursor stand where it may, before all open views, and wake the writer if it waited for that. */
void rl_reader_move_cursor(ReaderObject *self);
/* Stand at the oldest intact event, as far as a cursor can hold it. 0: an exception. */
int rl_reader_rejoin(ReaderObject *self);

typedef enum Taken { TAKEN, NOTHING, ENDED, FAILED } Taken;
/* We were passed: go to the oldest event, and let a method of policy say what that means. TAKEN: go on. */
Taken rl_reader_overrun(ReaderObject *self, const char *policy);
/* The next event, without waiting, and the writer is told. */
Taken rl_reader_take_one(ReaderObject *self, PyObject **event);
/* One more behind it, and the writer is not told. Errors are left for the next call. */
Taken rl_reader_take_more(ReaderObject *self, PyObject **event);
/* What it means that there is no event: NOTHING, ENDED, FAILED, or TAKEN: a loss was told or skipped, look again. */
Taken rl_reader_settle(ReaderObject *self, rl_status status);
/* The same where a log is read: more of the file, or what policy says at its end. log_reader.c */
Taken rl_log_settle(ReaderObject *self);
PyObject *rl_reader_wait_for_news(ReaderObject *, PyObject *timeout); /* log_record.c */
Taken rl_log_wait(ReaderObject *self, int64_t limit);
/* Wait, for one slice, until there may be something: TAKEN, look again. NOTHING: `deadline` has come. */
Taken rl_reader_wait(ReaderObject *self, int64_t deadline, int64_t slice);
/* The next event, waiting for it until `deadline`. */
Taken rl_reader_wait_and_take(ReaderObject *self, int64_t deadline, PyObject **event);
/* The same for a View. */
Taken rl_reader_wait_and_view(ReaderObject *self, int64_t deadline, PyObject **view);
/* A View of the event at our place, whose entry was checked. RL_OK with *out NULL: an exception. */
rl_status rl_reader_make_view(ReaderObject *self, const rl_entry *entry, const uint8_t *data, PyObject **out);
/* The place of the oldest open view. Precondition: there is one. */
rl_place rl_reader_oldest_view(const ReaderObject *self);
/* Nothing was found: the descriptor of fileno() goes quiet. TAKEN: there is something by now, look again.
 * FAILED: an exception, there will be nothing. NOTHING otherwise; with `sole` unset always. */
Taken rl_reader_rearm(ReaderObject *self, int sole);
/* The ring is gone; NOTHING if events from before that are still to be read. */
Taken rl_reader_removed(ReaderObject *self);
/* End all open views, without a word. For a reader that is collected together with them. */
void rl_reader_drop_views(ReaderObject *self);
/* Whatever was asked for before is finished now, and a loss that was told is known. */
void rl_reader_finish_previous(ReaderObject *self);

/* The beginning of a call that waits up to `timeout` (NULL: not at all): as rl_reader_enter, and what was asked for
 * before is finished. */
int rl_reader_begin(ReaderObject *self, PyObject *timeout, int64_t *deadline);
/* How many at most: 1 or more; NULL: `otherwise`. -1: an exception. */
Py_ssize_t rl_parse_limit(PyObject *limit, Py_ssize_t otherwise);

PyObject *rl_reader_new(PyTypeObject *, PyObject *, PyObject *);
void rl_reader_dealloc(ReaderObject *);
int rl_reader_traverse(ReaderObject *, visitproc, void *);
PyObject *rl_reader_detach(ReaderObject *, PyObject *);
PyObject *rl_reader_state(ReaderObject *, void *);
PyObject *rl_reader_poll(ReaderObject *, PyObject *);
PyObject *rl_reader_read(ReaderObject *, PyObject *const *, Py_ssize_t, PyObject *);
PyObject *rl_reader_read_many(ReaderObject *, PyObject *const *, Py_ssize_t, PyObject *);
PyObject *rl_reader_view(ReaderObject *, PyObject *const *, Py_ssize_t, PyObject *);
PyObject *rl_reader_read_batch(ReaderObject *, PyObject *const *, Py_ssize_t, PyObject *);
PyObject *rl_reader_iternext(ReaderObject *);
PyObject *rl_reader_fileno(ReaderObject *, PyObject *);
PyObject *rl_reader_take_run(ReaderObject *, PyObject *); /* run_take.c */
PyObject *rl_reader_hold(ReaderObject *, PyObject *);
PyObject *rl_reader_finish_to(ReaderObject *, PyObject *);

#endif
