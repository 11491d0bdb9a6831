/* jump.pml: a reader that follows a writer over two jumps (jump.h; reader.h: rl_reader_head, rl_reader_ahead; pair.h:
 * rl_head).
 *
 * Head, tail and reader stand at 1; the writer goes to 2 and to 3. Shown: whoever stands beyond the head finds the
 * word that says why, or a head that has come; and who has seen a tail finds no head before it. Nothing is taken for
 * damage.
 *
 * Must fail: NAMED_LATE, TAIL_RELAXED, TAIL_SEEN_RELAXED, OVER_EARLY, OVER_RELAXED, WORD_SEEN_RELAXED, NO_SECOND_LOOK,
 * NO_TAIL_LOOK.
 */
#define THREADS 2
#define PLACES 3
#define HISTORY 6
#include "c11.pml"

#define HEAD 0
#define TAIL 1
#define JUMP 2

#ifdef TAIL_RELAXED
#define TAIL_STORE RELAXED
#else
#define TAIL_STORE ORDERED
#endif
#ifdef TAIL_SEEN_RELAXED
#define TAIL_LOAD RELAXED
#else
#define TAIL_LOAD ORDERED
#endif
#ifdef OVER_RELAXED
#define OVER_STORE RELAXED
#else
#define OVER_STORE ORDERED
#endif
#ifdef WORD_SEEN_RELAXED
#define WORD_LOAD RELAXED
#else
#define WORD_LOAD ORDERED
#endif

inline jump_to(place) { /* rl_jump, rl_jump_arrive */
#ifdef NAMED_LATE
    store(0, TAIL, place, TAIL_STORE);
    store(0, JUMP, place, ORDERED);
#else
    store(0, JUMP, place, ORDERED);
    store(0, TAIL, place, TAIL_STORE);
#endif
#ifdef OVER_EARLY
    store(0, JUMP, 0, OVER_STORE);
    store(0, HEAD, place, ORDERED)
#else
    store(0, HEAD, place, ORDERED);
    store(0, JUMP, 0, OVER_STORE)
#endif
}

proctype writer() {
    jump_to(2);
    jump_to(3)
}

inline look() { /* rl_reader_head, and rl_reader_overrun */
    load(1, HEAD, head, ORDERED);
    if
    :: position > head ->
       load(1, JUMP, word, WORD_LOAD);
       if
       :: word == position -> word = 0
       :: else ->
#ifndef NO_SECOND_LOOK
          load(1, HEAD, head, ORDERED);
#endif
          assert(head >= position)
       fi
    :: else
    fi;
    if
    :: position < head ->
       load(1, TAIL, tail, RELAXED);
       assert(tail > position) /* with this head came its tail */
    :: else
    fi;
    load(1, TAIL, tail, TAIL_LOAD); /* it may have been told by an entry that it is gone: the tail has moved */
    if
    :: tail > position -> position = tail
    :: else
    fi
}

inline find_head() { /* rl_head */
    do
    :: load(1, HEAD, head, ORDERED);
#ifdef NO_TAIL_LOOK
       load(1, JUMP, word, WORD_LOAD);
       if
       :: word > head ->
          load(1, TAIL, tail, TAIL_LOAD);
          if
          :: tail == word -> head = tail
          :: else
          fi
       :: else
       fi;
       break
#else
       load(1, TAIL, tail, TAIL_LOAD);
       if
       :: tail <= head -> break
       :: else ->
          load(1, TAIL, tail, TAIL_LOAD); /* with its sequence */
          load(1, JUMP, word, WORD_LOAD);
          if
          :: word == tail -> head = tail; break
          :: else ->
             head_seen = head;
#ifndef NO_SECOND_LOOK
             load(1, HEAD, head, RELAXED);
#endif
             assert(head > head_seen) /* else it is damage */
          fi
       fi
#endif
    od
}

inline both_ends() { /* who has seen a tail, as rl_ends, verify, and a name that is resumed have */
    load(1, TAIL, tail_seen, RELAXED);
    find_head();
    assert(head >= tail_seen)
}

proctype reader() {
    byte position = 1, head, tail, word, head_seen, tail_seen, looks;
    do
    :: looks == 4 -> break
    :: else ->
       looks++;
       if
       :: look()
       :: both_ends()
       fi;
       d_step { head = 0; tail = 0; word = 0; head_seen = 0; tail_seen = 0 }
    od
}

init {
    atomic {
        memory[HEAD].value[0] = 1;
        memory[TAIL].value[0] = 1;
        run writer();
        run reader()
    }
}
