/* ringlog/points.h: names for the steps at which a process can be killed, stopped or interrupted.
 *
 * Concept:   between two stores that other processes can see lies a point with a name. In a build with
 *            RINGLOG_POINTS, which the tests make and nobody ships, every point calls rl_point_reached(), which
 *            the embedding program defines: these headers know no operating system.
 * Guarantee: without RINGLOG_POINTS a point is nothing: no code, no symbol, nothing to define.
 * Caveat:    a point marks what was done before it, and is named after that. It orders nothing; but the call
 *            keeps a compiler from moving plain stores over it, so the test build shows the protocol's steps and
 *            not the machine's order.
 * Usage:     RL_STORE_RELEASE(&h->ended, position);
 *            RL_POINT(end_stored);
 */
#ifndef RINGLOG_POINTS_H
#define RINGLOG_POINTS_H

#ifdef RINGLOG_POINTS

/* A pair's store has four steps; which pair it is, is told by where its word stands. */
#define RL_POINTS_OF_PAIR(X, pair) X(pair##_invalid) X(pair##_sequence) X(pair##_record) X(pair##_stored)

/* Every point, in about the order in which they are passed. */
#define RL_POINTS(X)                                                                                         \
    /* opening */                                                                                            \
    X(lease_taken) X(writer_slot_claimed) X(writer_slot_filled) X(writer_slot_active) X(writer_attached)     \
    X(reader_slot_claimed) X(reader_slot_filled) X(reader_slot_named) X(reader_attached)                     \
    /* after a crash of the machine */                                                                       \
    X(restart_begun) X(restart_renamed) X(restart_cleared) X(restart_placed) X(restart_done)                 \
    /* the lock */                                                                                           \
    X(lock_token) X(lock_taken) X(lock_not_free) X(lock_waited) X(lock_won) X(lock_asked) X(lock_replaced)  \
    X(lock_recovered) X(unlock_released) X(unlock_posted)                                                    \
    /* putting in order what a killed writer left */                                                         \
    X(recover_jump) X(recover_begun) X(recover_counted) X(recover_mark) X(recover_stamped) X(recover_gate)                   \
    X(recover_commits) X(recover_woken)                                                                      \
    /* room */                                                                                               \
    X(room_announced) X(room_blocked) X(room_unlocked) X(room_reaped) X(room_sleeps) X(room_woken)           \
    X(room_free) X(room_withdrawn)                                                                           \
    X(jump_marked) X(jump_named) X(jump_counted) X(jump_arrived) X(jump_over) X(jump_told)                                                                           \
    /* writing */                                                                                            \
    X(append_begun) X(entry_copied) X(entry_sealed) X(mark_invalid) X(mark_written) X(item_put) X(row_put)   \
    X(run_copied) X(run_sealed)   \
    X(claim_made) X(claim_left) X(claim_taken_back) X(claim_summed) X(claim_dropped)                         \
    /* the disk */                                                                                           \
    X(commit_data_synced) X(commit_dirty) X(commit_stored) X(commit_synced) X(commit_settled)                \
    X(commit_dropped) X(clean_set)                                                                           \
    /* publishing */                                                                                         \
    X(publish_counted) X(publish_done) X(publish_signed)                                                     \
    X(wake_flag_taken) X(wake_futex_moved) X(wake_done)                                                      \
    X(end_stored) X(end_woken) X(removed_stored) X(removed_woken)                                            \
    /* reading */                                                                                            \
    X(join_active) X(join_listed) X(join_gate) X(join_moved)                                                 \
    X(read_copied) X(column_copied) X(view_made) X(view_left) X(cursor_woke)                                 \
    X(loss_noted) X(loss_told) X(run_taken)                                                                               \
    X(sleep_noted) X(sleep_flagged) X(sleep_announced) X(sleep_woken)                                        \
    /* closing */                                                                                            \
    X(writer_stopping) X(writer_detached) X(writer_slot_freed) X(reader_stopping) X(reader_detached)         \
    X(reader_slot_released) X(lease_dropped)                                                                 \
    /* logs */                                                                                               \
    X(log_attached) X(log_room_asked) X(log_room_made) X(log_room_prepared)                                  \
    X(log_run_found) X(log_run_copied) X(log_run_judged) X(log_run_published) X(log_run_told)                \
    X(log_counted) X(log_published) X(log_marked)                                                            \
    X(log_entries_synced) X(log_words_synced)                                                                \
    /* the four pairs */                                                                                     \
    RL_POINTS_OF_PAIR(X, head) RL_POINTS_OF_PAIR(X, tail) RL_POINTS_OF_PAIR(X, gate) RL_POINTS_OF_PAIR(X, cursor)

#define RL_POINT_NUMBER(name) RL_POINT_##name,
typedef enum rl_point { RL_POINTS(RL_POINT_NUMBER) RL_POINT_COUNT } rl_point;
#undef RL_POINT_NUMBER
typedef enum rl_pair_step { RL_PAIR_invalid, RL_PAIR_sequence, RL_PAIR_record, RL_PAIR_stored } rl_pair_step;

#ifdef __cplusplus
extern "C" {
#endif
void rl_point_reached(rl_point point);
void rl_point_of_pair_reached(const void *word, rl_pair_step step);
#ifdef __cplusplus
}
#endif

#define RL_POINT(name) rl_point_reached(RL_POINT_##name)
#define RL_POINT_OF_PAIR(word, step) rl_point_of_pair_reached((word), RL_PAIR_##step)

#else

#define RL_POINT(name) ((void)0)
#define RL_POINT_OF_PAIR(word, step) ((void)0)

#endif

#endif
