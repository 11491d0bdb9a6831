/* points.c: what happens at a named point, in the tests' build alone: see ringlog/points.h.
 *
 * One point at a time is armed: when it has been passed so often, the process waits there, or gets a signal that
 * is delivered before the next step (kill, stop, Ctrl-C). What is armed is inherited by a forked child.
 */
#include "point_actions.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "ringlog/layout.h"

static uint64_t passed[RL_POINT_COUNT]; /* how often, each */
static struct {
    int point; /* -1: none */
    int signal; /* 0: none */
    int64_t delay, hits;
} armed = {.point = -1};

uint64_t rl_point_passed(rl_point point) { return RL_LOAD_RELAXED(&passed[point]); }

void rl_point_arm(int point, int signal, int64_t delay, int64_t hits) {
    RL_STORE_RELAXED(&armed.point, -1);
    armed.signal = signal;
    armed.delay = delay;
    RL_STORE_RELAXED(&armed.hits, hits);
    RL_STORE_RELEASE(&armed.point, point); /* pairs with the load in rl_point_reached */
}

void rl_point_reached(rl_point point) {
    RL_FETCH_ADD(&passed[point], 1);
    if (RL_LOAD_ACQUIRE(&armed.point) != (int)point || RL_FETCH_ADD(&armed.hits, -1) != 1)
        return; /* the acquire pairs with the release in rl_point_arm */
    int error = errno; /* a point may stand between a call and the look at its error */
    RL_STORE_RELAXED(&armed.point, -1);
    if (armed.delay) {
        struct timespec t = {.tv_sec = armed.delay / 1000000000, .tv_nsec = armed.delay % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
            ;
    }
    if (armed.signal)
        raise(armed.signal);
    errno = error;
}

/* Headers are mapped at page boundaries, and no two pairs of theirs stand at the same place in a page. */
void rl_point_of_pair_reached(const void *word, rl_pair_step step) {
    rl_point first = RL_POINT_cursor_invalid;
    switch ((uintptr_t)word % 4096) {
    case offsetof(rl_header, write_offset):
        first = RL_POINT_head_invalid;
        break;
    case offsetof(rl_header, tail_offset):
        first = RL_POINT_tail_invalid;
        break;
    case offsetof(rl_header, gate_offset):
        first = RL_POINT_gate_invalid;
        break;
    default: /* of a reader's slot */
        break;
    }
    rl_point_reached((rl_point)(first + step));
}
