/* run.h: runs, entries back to back as they stand in the stream: how many bytes, and are they whole?
 *
 * What copies runs shares this: log_record.c (from a ring into a log) and run_take.c (out of a ring or log).
 */
#ifndef RINGLOG_RUN_H
#define RINGLOG_RUN_H

#include "reader_object.h"

#include "ringlog/walk.h"

#define RL_RUN_MANY 16 /* entries: as many small ones as that are no small run */

/* The bytes of the entries from our place on: as many as fit into `most`, but one at least, and none that rl_entry_load
 * takes for a missing page. A hint, where a writer may pass us. Precondition: rl_reader_next has shown the first. */
static inline int64_t rl_run_bytes(const ReaderObject *reader, int64_t most) {
    int64_t there = reader->at.head - reader->at.position, run = 0;
    while (run < there && run < most) {
        rl_entry entry = rl_entry_at(rl_at(&reader->ring, reader->at.position + run));
        int64_t bytes = RL_ENTRY_SIZE + (int64_t)entry.size;
        if (bytes > there - run || (run && run + bytes > most))
            break;
        if (run && RL_UNLIKELY(entry.size == 0) && run + bytes < there &&
            rl_entry_at(rl_at(&reader->ring, reader->at.position + run + bytes)).timestamp <= 0)
            break;
        run += bytes;
    }
    return run;
}

/* Judge the entries of a run; `sum` NULL: but for their checksums. Where a writer may pass us meanwhile, rl_intact()
 * says so afterwards. Not RL_WALK_DONE: behind walk->at there is no whole entry. */
static inline rl_walked rl_run_judge(rl_walk *walk, const uint8_t *memory, int64_t bytes, rl_sum_fn sum) {
    int64_t end = walk->at.position + bytes, start = walk->at.position;
    if (sum)
        return rl_walk_memory(walk, memory, bytes, end, sum);
    while (walk->at.position < end) {
        int64_t left = end - walk->at.position;
        if (left < RL_ENTRY_SIZE)
            return RL_WALK_SIZE;
        rl_entry entry = rl_entry_at(memory + (walk->at.position - start));
        if (RL_ENTRY_SIZE + (int64_t)entry.size > left)
            return RL_WALK_SIZE;
        if (entry.timestamp <= 0)
            return RL_WALK_TIMESTAMP;
        if (entry.timestamp < walk->timestamp)
            return RL_WALK_ORDER;
        walk->at.position += RL_ENTRY_SIZE + (int64_t)entry.size;
        walk->at.sequence++;
        walk->timestamp = entry.timestamp;
    }
    return RL_WALK_DONE;
}

#endif
