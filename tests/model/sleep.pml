/* sleep.pml: readers that sleep until woken (sleepers.h, wait.c): no wake-up is lost, though nobody's sleep is bounded.
 *
 * Two writers, an event each, and one reader; with TWO_READERS two of them, and one writer. A reader that sleeps for
 * ever is a process that cannot end: spin calls that an invalid end state. KILL lets a writer die between its news and its wake: then only BOUNDED sleeps end, which is
 * why they are bounded.
 *
 * Must pass: nothing defined; TWO_READERS; KILL with BOUNDED.
 * Must fail: NO_WAKER_FENCE, NO_SLEEPER_FENCE, NO_NUMBER, LATE_NUMBER, KILL.
 */
#define THREADS 4
#define PLACES 3
#define HISTORY 10
#include "c11.pml"

#define HEAD 0
#define FLAG 1
#define FUTEX 2
#ifdef TWO_READERS
#define EVENTS 1
#else
#define EVENTS 2
#endif

bool asleep[2];

proctype writer(byte t) {
    byte was, number;
    lock(t);
    store(t, HEAD, latest(HEAD) + 1, ORDERED); /* rl_append_publish */
    unlock(t);
#ifdef KILL
    if
    :: t == 0 -> goto end /* killed between its news and its wake */
    :: true
    fi;
#endif
#ifndef NO_WAKER_FENCE
    fence_full(t); /* rl_writer_unlock */
#endif
    load(t, FLAG, was, RELAXED); /* rl_sleepers_taken */
    if
    :: was == 0 -> goto end
    :: else
    fi;
    exchange(t, FLAG, was, 0);
    if
    :: was == 0 -> goto end
    :: else
    fi;
#ifndef NO_NUMBER
    exchange(t, FUTEX, number, latest(FUTEX) + 1);
#endif
    d_step { asleep[0] = false; asleep[1] = false }; /* FUTEX_WAKE */
end:
    skip
}

proctype reader(byte t) {
    byte head, position, noted;
    do
    :: position == EVENTS -> break
    :: memory[FLAG].newest + 4 >= HISTORY -> break /* it looks at old values again and again: far enough */
    :: else ->
       load(t, HEAD, head, ORDERED);
       if
       :: head > position -> position = head
       :: else ->
#ifndef LATE_NUMBER
          load(t, FUTEX, noted, ORDERED); /* rl_sleep_announce */
#endif
          store(t, FLAG, 1, RELAXED);
#ifndef NO_SLEEPER_FENCE
          fence_full(t);
#endif
          load(t, HEAD, head, ORDERED);
#ifdef LATE_NUMBER
          load(t, FUTEX, noted, ORDERED);
#endif
          if
          :: head > position -> position = head
          :: else ->
             /* FUTEX_WAIT: the kernel compares and queues under its own lock. */
             d_step { asleep[t - 2] = (latest(FUTEX) == noted) };
             if
             :: !asleep[t - 2]
#ifdef BOUNDED
             :: asleep[t - 2] -> asleep[t - 2] = false
#endif
             fi
          fi
       fi;
       d_step { head = 0; noted = 0 }
    od
}

init {
    atomic {
        run writer(0);
        run reader(2);
#ifdef TWO_READERS
        run reader(3)
#else
        run writer(1)
#endif
    }
}
