/* point_actions.h: what the tests' build can do at a named point. Nothing of it is in the build that is shipped. */
#ifndef RINGLOG_POINT_ACTIONS_H
#define RINGLOG_POINT_ACTIONS_H

#include <stdint.h>

#include "ringlog/points.h"

/* How often this process, with those that it was forked from, has passed a point. */
uint64_t rl_point_passed(rl_point point);
/* When `point` (-1: none) has been passed `hits` times more: wait `delay` ns, then raise `signal` (0: none). */
void rl_point_arm(int point, int signal, int64_t delay, int64_t hits);

#endif
