/* writer_room.c: making room where lossless readers are behind: announce, look at their cursors, wait, go on.
 *
 * Asks policy by name whether a reader is dead (_reap), and raises by _ring_full.
 */
#include "writer_object.h"

#define REAP_INTERVAL INT64_C(100000000)
/* A reader may have made room without saying so, if it has more to read: short at first. Who goes on waiting waits for
 * a slow one, and a thousand wake-ups a second would be 2 % of a core. */
#define SHORT_SLEEPS 20
#define SHORT_SLEEP INT64_C(1000000)
#define LONG_SLEEP INT64_C(5000000)

typedef struct Blocked {
    int slot;       /* the reader that was last asked about */
    int64_t asked;  /* when: monotonic ns */
    int64_t sleeps;
} Blocked;

/* Ask policy whether the reader in `slot` is dead. 1: it holds nobody back, or not any more; 0: it does; -1: an exception. */
static int ask(WriterObject *self, int slot) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_reap", "i", slot);
    int gone = result ? PyObject_IsTrue(result) : -1;
    Py_XDECREF(result);
    RL_POINT(room_reaped);
    return gone;
}

/* The same, unless it was asked just now. 1: it was asked; 0: it was not; -1: an exception. */
static int reap(WriterObject *self, int slot, Blocked *blocked) {
    int64_t now = rl_monotonic();
    if (slot == blocked->slot && now - blocked->asked < REAP_INTERVAL)
        return 0;
    blocked->slot = slot;
    blocked->asked = now;
    return ask(self, slot) < 0 ? -1 : 1;
}

/* One slice of waiting for the reader in `slot`, the lock not held. 0: an exception. */
static int wait_for(WriterObject *self, int slot, int64_t position, int64_t limit, Blocked *blocked) {
    int64_t slice = blocked->sleeps++ < SHORT_SLEEPS ? SHORT_SLEEP : LONG_SLEEP;
    if (limit > slice)
        limit = slice;
    Py_BEGIN_ALLOW_THREADS
    rl_wait_room(&self->ring, slot, position, limit);
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals() == 0 && rl_writer_usable(self);
}

/* What was announced will not happen. Best effort: without the lock there is a later holder to do it. */
static void withdraw(WriterObject *self) {
    int contended;
    rl_header *h = self->ring.header;
    if (!self->mapping || self->fork_generation != rl_fork_generation())
        return;
    if (self->session) {
        if (rl_owner_is(h, self->me))
            rl_room_withdraw(&self->ring);
        RL_POINT(room_withdrawn);
    } else {
        (void)sem_trywait(self->semaphore->sem); /* unlocking posts: without this each full ring would add a token */
        if (rl_owner_take(h, self->me)) {
            rl_room_withdraw(&self->ring);
            RL_POINT(room_withdrawn);
            rl_writer_unlock(self, 0, &contended);
        }
    }
}

/* With the lock held: move the tail so that `bytes` fit. 1: the lock is held and there is room.
 * 0: an exception, and it is not. While it waits it does not hold the lock. */
int rl_writer_make_room(WriterObject *self, rl_append *a, int64_t bytes, int64_t deadline) {
    Blocked blocked = {-1, 0, 0};
    int contended;
    rl_place want;
    if (self->mapping->map.segment)
        return rl_log_make_room(self, a, bytes);
    while (rl_room_short(&self->ring, a, bytes)) {
        if (rl_room_find(&self->ring, a, bytes, &want) != RL_OK) {
            rl_writer_unlock(self, 0, &contended);
            return rl_writer_raise(self, "_corrupt");
        }
        if (RL_UNLIKELY(!rl_writer_sound(self))) { /* a walk over zeros */
            rl_writer_unlock(self, 0, &contended);
            return 0;
        }
        rl_room_announce(&self->ring, want);
        int slot = rl_room_blocker(&self->ring, want.position);
        if (slot < 0) {
            if (!self->mapping->map.in_memory && !rl_writer_protect_commit(self, a, want)) {
                rl_room_withdraw(&self->ring);
                rl_writer_unlock(self, 0, &contended);
                return 0;
            }
            RL_POINT(room_free);
            rl_room_take(&self->ring, want);
            break;
        }
        RL_POINT(room_blocked);
        rl_writer_unlock(self, 0, &contended);
        RL_POINT(room_unlocked);
        int64_t now = rl_monotonic();
        int asked = reap(self, slot, &blocked);
        if (asked == 0 && now >= deadline) {
            withdraw(self);
            PyObject *result = PyObject_CallMethod((PyObject *)self, "_ring_full", "i", slot);
            Py_XDECREF(result);
            return 0;
        }
        int go_on = asked < 0    ? 0
                    : asked > 0 ? rl_writer_usable(self) /* policy ran Python code: a fork, a close */
                                : wait_for(self, slot, want.position, deadline - now, &blocked);
        if (!go_on || !rl_writer_lock(self, deadline)) {
            PyObject *type, *value, *trace; /* withdrawing may not disturb what is being raised */
            PyErr_Fetch(&type, &value, &trace);
            withdraw(self);
            PyErr_Restore(type, value, trace);
            return 0;
        }
        if (rl_append_begin(&self->ring, a) != RL_OK) {
            rl_writer_unlock(self, 0, &contended);
            return rl_writer_raise(self, "_corrupt");
        }
    }
    return 1;
}

/* ---- giving up the window ---- */

/* Where the next event would go, for who holds the lock, and this Writer's turn, but for no claim. 0: an exception. */
static int begin_emptying(WriterObject *self, rl_append *a) {
    int ours = self->turn.holder == rl_turn_me();
    if (!rl_writer_usable(self))
        return 0;
    if (ours && self->claim) /* its bytes stand where the jump would leave nothing */
        return rl_writer_raise(self, "_reentered");
    if (!ours || !rl_owner_is(self->ring.header, self->me) || self->mapping->map.segment) {
        PyErr_SetString(PyExc_ValueError, "only for who holds the lock of a ring");
        return 0;
    }
    return rl_append_begin(&self->ring, a) == RL_OK || rl_writer_raise(self, "_corrupt");
}

/* The tail goes to the head, if no lossless reader is behind: -1. Else the slot of one that lives, and nothing was done;
 * -2: an exception. A dead one is let go of, as where an append waits for room; but the lock is kept, since nothing is
 * waited for. Asking runs Python code, in which much may happen: so it begins anew behind it. */
static int empty(WriterObject *self, rl_append *a) {
    for (;;) {
        if (!begin_emptying(self, a))
            return -2;
        rl_place want = {a->position, a->sequence};
        rl_room_announce(&self->ring, want);
        /* In an empty window there is nothing to read. Who stands before it was left there by the jump to it, and has
         * read all that was there; of that jump it is told together with the next one. */
        int empty_now = RL_LOAD_RELAXED(&self->ring.header->tail_offset) == want.position;
        int slot = empty_now ? -1 : rl_room_blocker(&self->ring, want.position);
        if (slot < 0 && (self->mapping->map.in_memory || rl_writer_protect_commit(self, a, want))) {
            rl_room_take(&self->ring, want);
            return -1;
        }
        rl_room_withdraw(&self->ring);
        int gone = slot < 0 ? -1 : ask(self, slot);
        if (gone <= 0)
            return gone < 0 ? -2 : slot;
    }
}

/* Let go of everything that is published, as a writer does that has run once around the ring: with the lock held, the
 * tail goes to the head. Nothing is overwritten; who has not read it yet is told that it was. For tests of readers.
 * The slot of a lossless reader that is behind and stands in the way, or -1. */
PyObject *rl_writer_drop_window(WriterObject *self, PyObject *Py_UNUSED(ignored)) {
    rl_append a;
    int slot = empty(self, &a);
    return slot == -2 ? NULL : PyLong_FromLong(slot);
}

/* The stream goes on with event `sequence`: with the lock held, the window is emptied, and head and tail go to the new
 * place. Every reader is told of the events in between, and those that sleep are woken. Returns as _drop_window. */
PyObject *rl_writer_jump(WriterObject *self, PyObject *arg) {
    rl_append a;
    rl_place place;
    rl_header *h = self->ring.header;
    int too_far = 0;
    long long sequence = PyLong_AsLongLongAndOverflow(arg, &too_far);
    if ((sequence == -1 && PyErr_Occurred()) || !begin_emptying(self, &a))
        return NULL;
    if (self->ended)
        return rl_writer_raise(self, "_unusable"), NULL;
    if (too_far || !rl_jump_place(&self->ring, (rl_place){a.position, a.sequence}, sequence, &place))
        return PyErr_Format(PyExc_ValueError, "no jump leads from sequence %lld to %R", (long long)a.sequence, arg);
    int slot = empty(self, &a);
    if (slot == -2)
        return NULL;
    if (slot == -1) {
        rl_jump(&self->ring, &a, place);
        RL_FETCH_ADD(&h->sleepers_futex, 1);
        rl_wake_all(&h->sleepers_futex);
        RL_POINT(jump_told);
    }
    return PyLong_FromLong(slot);
}
