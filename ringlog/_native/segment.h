/* segment.h: a log's file as a mapping that rings' readers and writers can work on. See segment.c. */
#ifndef RINGLOG_SEGMENT_H
#define RINGLOG_SEGMENT_H

#include "platform.h"

#include "ringlog/pair.h"

typedef struct rl_segment {
    void *base;     /* of the whole file; its first two words are shared */
    int64_t first;  /* the sequence of its first event */
    int64_t piece;  /* that a reader is allowed next: little behind a seek, more as it goes on */
    int64_t asked_from, asked_to; /* that the kernel was told to have ready */
    int64_t lowest, highest, touched; /* since pages were let go: between where, and how much */
    int64_t stride; /* that the head was last seen in */
    rl_place at;    /* the head, as it was published last */
    int64_t prepared, allowed; /* a writer has pages so far; and may get them so far */
    rl_mark *marks; /* where a stride began, since it was opened */
    int64_t mark_count, mark_room;
    int failed;     /* a sync has: negated errno, and nothing is vouched for any more */
} rl_segment;

/* Map the first `bytes` bytes of the segment behind fd; the file may be shorter, and grow. */
int rl_segment_open(rl_mapping *m, int fd, int mode, int64_t bytes);
void rl_segment_close(rl_mapping *m); /* what rl_mapping_close() does not know of */
struct rl_watched *rl_segment_watch(rl_mapping *m, int protection); /* mapping.c */
/* What is read or written next stands at `place`, behind an event of `timestamp` (0: not known). */
void rl_segment_place(rl_mapping *m, rl_place place, int64_t timestamp);

/* Mark the strides that begin between a place and `end`, as writing does. 0: something there is no entry. */
int rl_segment_survey(rl_mapping *m, rl_place from, int64_t end);

/* The file's write_offset by now. */
int64_t rl_segment_end(const rl_mapping *m);
/* Let a reader have the next piece. 0: there is none, or none that is mapped. */
int rl_segment_look(rl_mapping *m);
/* Sleep for a moment, at most `limit` ns. 1: the file's end is not at `position` any more. */
int rl_segment_wait(rl_mapping *m, int64_t position, int64_t limit, rl_patience *patience);

/* A writer may fill the file up to this many bytes, which it has: blocks of the disk, all zeros. */
void rl_segment_allow(rl_mapping *m, int64_t bytes);
/* Everything before `position` can be read: the event behind it has this sequence. */
void rl_segment_publish(rl_mapping *m, int64_t position, int64_t sequence);
/* [from, to), and then the words that vouch for it, are on disk. 0 or a negated errno, also each time afterwards. */
int rl_segment_sync(rl_mapping *m, int64_t from, int64_t to);

/* ---- segment_pages.c ---- */

#define RL_SEGMENT_AROUND ((int64_t)128 << 10) /* that looking at one place brings in */

/* [from, need) will be read now: have it read from the disk, and `more` behind it, unless that was asked for. */
void rl_segment_want(rl_mapping *m, int64_t from, int64_t need, int64_t more);
/* Have pages before position `need`, and some more: the ring's capacity says how far. `by_write`: as far as `need`,
 * and without pages, since all up to there will be written by rl_segment_write(). 1: done; 0: that is more than is
 * allowed; or a negated errno. */
int rl_segment_prepare(rl_mapping *m, int64_t need, int by_write);
/* Write bytes at a position that was prepared, by a call of the system: of many at once that is the shortest way into
 * the file's cache, where the mapping sees them. 0 or a negated errno; -EFAULT: the memory is not there. */
int rl_segment_write(rl_mapping *m, int64_t position, const void *memory, int64_t bytes);
/* So many bytes up to `position` were looked at or written: now and then, let go of pages. */
void rl_segment_touch(rl_mapping *m, int64_t position, int64_t bytes);

#endif
