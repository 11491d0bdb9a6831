/* pair.pml: rl_pair_store and rl_pair_load (pair.h): a position and its sequence, through one word.
 *
 * The writer stores places 2, 3, 4 and 2 again (as the gate does when a writer gives up, in the other record this
 * time), the reader looks three times. The sequence of place p is p + 100.
 *
 * Must fail: NO_STORE_FENCE, NO_LOAD_FENCE, RECORD_RELAXED, RECORD_SEEN_RELAXED, NO_INVALID.
 */
#define THREADS 2
#define PLACES 5
#define HISTORY 6
#include "c11.pml"

#define WORD 0
#define POSITION(r) (1 + 2 * (r))
#define SEQUENCE(r) (2 + 2 * (r))

#ifdef RECORD_RELAXED
#define RECORD_STORE RELAXED
#else
#define RECORD_STORE ORDERED
#endif
#ifdef RECORD_SEEN_RELAXED
#define RECORD_LOAD RELAXED
#else
#define RECORD_LOAD ORDERED
#endif

inline pair_store(place) {
    spare = (latest(POSITION(0)) == latest(WORD) -> 1 : 0);
#ifndef NO_INVALID
    store(0, POSITION(spare), 0, RELAXED);
#endif
#ifndef NO_STORE_FENCE
    fence_release(0);
#endif
    store(0, SEQUENCE(spare), place + 100, RELAXED);
    store(0, POSITION(spare), place, RECORD_STORE);
    store(0, WORD, place, ORDERED)
}

proctype writer() {
    byte spare;
    pair_store(2);
    pair_store(3);
    pair_store(4);
    pair_store(2)
}

proctype reader() {
    byte word, position, sequence, record, looks;
    do
    :: looks == 3 -> break
    :: else ->
       looks++;
       load(1, WORD, word, ORDERED);
       record = 0;
       do
       :: record == 2 -> break
       :: else ->
          load(1, POSITION(record), position, RECORD_LOAD);
          if
          :: position == word ->
             load(1, SEQUENCE(record), sequence, RELAXED);
#ifndef NO_LOAD_FENCE
             fence_acquire(1);
#endif
             load(1, POSITION(record), position, RELAXED);
             if
             :: position == word -> assert(sequence == word + 100); break
             :: else
             fi
          :: else
          fi;
          record++
       od;
       skip;
       d_step { word = 0; position = 0; sequence = 0; record = 0 }
    od
}

init {
    atomic {
        memory[WORD].value[0] = 1;
        memory[POSITION(0)].value[0] = 1;
        memory[SEQUENCE(0)].value[0] = 101;
        run writer();
        run reader()
    }
}
