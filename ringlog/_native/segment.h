/* segment.h: a log's file as a mapping that rings' readers and writers can work on. See segment.c. */
#ifndef RINGLOG_SEGMENT_H
#define RINGLOG_SEGMENT_H

#include "platform.h"

#include "ringlog/pair.h"

typedef struct rl_segment {
    void *base;     /* of the whole file; its first two words are shared */
    int64_t first;  /* the sequence of its first event */
    int64_t piece;  /* that a reader is allowed next: little behind a seek, more as it goes on */
    int64_t kept;   /* pages before this position are no longer in our tables */
    int64_t stride; /* that the head was last seen in */
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

/* The file's write_offset by now. */
int64_t rl_segment_end(const rl_mapping *m);
/* Let a reader have the next piece. 0: there is none, or none that is mapped. */
int rl_segment_look(rl_mapping *m);
/* Sleep for a moment, at most `limit` ns. 1: the file's end is not at `position` any more. */
int rl_segment_wait(rl_mapping *m, int64_t position, int64_t limit, rl_patience *patience);

/* A writer may fill the file up to this many bytes, which it has. */
void rl_segment_allow(rl_mapping *m, int64_t bytes);
/* Everything before `position` can be read: the event behind it has this sequence, the last one this time. */
void rl_segment_publish(rl_mapping *m, int64_t position, int64_t sequence, int64_t timestamp);
/* [from, to), and then the words that vouch for it, are on disk. 0 or a negated errno, also each time afterwards. */
int rl_segment_sync(rl_mapping *m, int64_t from, int64_t to);

#endif
