/* gate.pml: a lossless reader joins while the writer is about to overwrite (writer.h: rl_room_*; reader.h: cursors).
 *
 * A ring of two events; the writer writes four, and may once give up and withdraw its gate. The reader joins at the
 * tail that it saw, reads to the end and leaves; it never looks at the tail again, as nothing may be overwritten
 * under it. READ is no word of the ring: it tells whether the writer is ordered behind each read of what it
 * overwrites. On Arm that is what keeps a late load from taking bytes of the next lap.
 *
 * Must fail: NO_WRITER_FENCE, NO_JOIN_FENCE, NO_LOOK, CURSOR_RELAXED, CURSOR_SEEN_RELAXED, LEAVE_RELAXED,
 * STATE_SEEN_RELAXED.
 */
#define THREADS 2
#define PLACES 8
#define HISTORY 9
#include "c11.pml"

#define HEAD 0
#define TAIL 1
#define GATE 2
#define CURSOR 3
#define STATE 4
#define READ 5
#define DATA(n) (6 + n % 2)
#define CAPACITY 2
#define EVENTS 4

#ifdef CURSOR_RELAXED
#define CURSOR_STORE RELAXED
#else
#define CURSOR_STORE ORDERED
#endif
#ifdef CURSOR_SEEN_RELAXED
#define CURSOR_LOAD RELAXED
#else
#define CURSOR_LOAD ORDERED
#endif
#ifdef STATE_SEEN_RELAXED
#define STATE_LOAD RELAXED
#else
#define STATE_LOAD ORDERED
#endif
#ifdef LEAVE_RELAXED
#define leave() store(1, STATE, 0, RELAXED)
#else
#define leave() exchange(1, STATE, state, 0)
#endif

byte read_at[EVENTS]; /* the stamp in READ of the read of event n; 0: not read yet */

proctype writer() {
    byte n, state, cursor;
    bool gave_up;
    do
    :: n == EVENTS -> break
    :: else ->
       do
       :: n + 1 - latest(TAIL) <= CAPACITY -> break
       :: else ->
          if
          :: latest(GATE) != n + 1 - CAPACITY -> store(0, GATE, n + 1 - CAPACITY, ORDERED) /* rl_room_announce */
          :: else
          fi;
#ifndef NO_WRITER_FENCE
          fence_full(0);
#endif
          load(0, STATE, state, STATE_LOAD); /* rl_room_blocker */
          cursor = EVENTS;
          if
          :: state == 1 -> load(0, CURSOR, cursor, CURSOR_LOAD)
          :: else
          fi;
          if
          :: cursor >= n + 1 - CAPACITY -> store(0, TAIL, n + 1 - CAPACITY, ORDERED) /* rl_room_take */
          :: cursor < n + 1 - CAPACITY && !gave_up -> gave_up = true; store(0, GATE, latest(TAIL), ORDERED)
          :: cursor < n + 1 - CAPACITY /* wait, look again */
          fi;
          d_step { state = 0; cursor = 0 }
       od;
       if
       :: n >= CAPACITY ->
          assert(read_at[n - CAPACITY] <= thread[0].seen.at[READ]) /* its read is over, for us too */
       :: else
       fi;
       fence_release(0);
       store(0, DATA(n), n + 1, RELAXED);
       store(0, HEAD, n + 1, ORDERED);
       n++
    od
}

proctype reader() {
    byte position, gate, head, data, state;
    load(1, TAIL, position, ORDERED);
    do
    :: store(1, CURSOR, position, ORDERED); /* rl_cursor_join */
       store(1, STATE, 1, ORDERED);
#ifndef NO_JOIN_FENCE
       fence_full(1);
#endif
#ifdef NO_LOOK
       break;
#endif
       load(1, GATE, gate, ORDERED);
       if
       :: gate <= position -> gate = 0; break
       :: else -> position = gate
       fi
    od;
    do
    :: position == EVENTS -> break
    :: position > 1 -> break /* or leave early */
    :: else ->
       load(1, HEAD, head, ORDERED);
       if
       :: head > position ->
          load(1, DATA(position), data, RELAXED);
          assert(data == position + 1); /* it is the event: no check of the tail was needed */
          store(1, READ, 1, RELAXED);
          d_step { read_at[position] = memory[READ].newest; position++ };
          store(1, CURSOR, position, CURSOR_STORE);
       :: else
       fi;
       d_step { head = 0; data = 0 }
    od;
    skip; /* spin wants no jump into what follows */
    leave();
    state = 0
}

init {
    atomic { run writer(); run reader() }
}
