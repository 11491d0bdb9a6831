/* publish.pml: two writers take turns in a ring of two events that laps; a lossy reader believes no torn one.
 *
 * As in writer.h and reader.h: the tail moves a stride (here both events) at a time, so the writer that overwrites an
 * event need not be the one that moved the tail over it. An event is two words. The owner word is abstract (lock.pml).
 *
 * Must fail: NO_ROOM_FENCE, NO_OWNER_FENCE, NO_CHECK_FENCE, HEAD_RELAXED, HEAD_SEEN_RELAXED, TAIL_LATE.
 */
#define THREADS 3
#define PLACES 6
#define HISTORY 5
#include "c11.pml"

#define HEAD 0
#define TAIL 1
#define WORD_A(n) (2 + 2 * (n % 2))
#define WORD_B(n) (3 + 2 * (n % 2))
#define CAPACITY 2
#define EVENTS 4

#ifdef HEAD_RELAXED
#define HEAD_STORE RELAXED
#else
#define HEAD_STORE ORDERED
#endif
#ifdef HEAD_SEEN_RELAXED
#define HEAD_LOAD RELAXED
#else
#define HEAD_LOAD ORDERED
#endif

#define move_tail(t, n)                                                                            \
    if                                                                                             \
    :: n + 1 - latest(TAIL) > CAPACITY -> store(t, TAIL, latest(TAIL) + CAPACITY, ORDERED)         \
    :: else                                                                                        \
    fi

proctype writer(byte t) {
    byte n;
    do
    :: lock(t);
#ifndef NO_OWNER_FENCE
       fence_release(t); /* rl_owner_swap */
#endif
       n = latest(HEAD); /* the lock has ordered us behind the last holder */
       if
       :: n == EVENTS -> unlock(t); break
       :: else
       fi;
#ifndef TAIL_LATE
       if
       :: n + 1 - latest(TAIL) > CAPACITY ->
          store(t, TAIL, latest(TAIL) + CAPACITY, ORDERED)
#ifndef NO_ROOM_FENCE
          ;
          fence_release(t) /* rl_room_take */
#endif
       :: else
       fi;
#endif
       store(t, WORD_A(n), n + 1, RELAXED);
       store(t, WORD_B(n), n + 1, RELAXED);
#ifdef TAIL_LATE
       move_tail(t, n);
#endif
       store(t, HEAD, n + 1, HEAD_STORE); /* rl_append_publish */
       n = 0;
       unlock(t)
    od
}

proctype reader(byte t) {
    byte position, head, tail, a, b;
    do
    :: position == EVENTS -> break
    :: else ->
       load(t, HEAD, head, HEAD_LOAD);
       if
       :: head > position ->
          load(t, TAIL, tail, RELAXED); /* rl_reader_head: is this head believable? */
          assert(tail > position || head - tail <= CAPACITY);
          load(t, WORD_A(position), a, RELAXED);
          load(t, WORD_B(position), b, RELAXED);
#ifndef NO_CHECK_FENCE
          fence_acquire(t); /* rl_intact */
#endif
          load(t, TAIL, tail, RELAXED);
          if
          :: tail > position -> position = tail /* overrun */
          :: else ->
             assert(a == position + 1 && b == position + 1); /* no torn event is believed */
             position++
          fi
       :: else
       fi;
       d_step { head = 0; tail = 0; a = 0; b = 0 }
    od
}

init {
    atomic { run writer(0); run writer(1); run reader(2) }
}
