/* ringlog/layout.h: every byte of a ring file's header, by name.
 *
 * Concept:   a ring file is a header region of `data_start` bytes and a data region of `capacity`
 *            bytes. The header begins with the stream's own 24 bytes (write_offset, event_count,
 *            start_timestamp); what follows is how processes coordinate. Words that different
 *            processes write stand on cache lines of their own.
 * Guarantee: every offset is pinned by a static assert, and by golden bytes in the tests. A program
 *            that knows this file can read any ring of the same format version.
 * Caveat:    these are names and offsets alone. What is in the file may be anything: ring.h checks it.
 * Usage:     RL_LOAD_ACQUIRE(&header->write_offset); offsetof(rl_header, stream_id)
 */
#ifndef RINGLOG_LAYOUT_H
#define RINGLOG_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "atomics.h"

#define RL_MAGIC "ringlog\n"
#define RL_VERSION 1u
#define RL_BYTE_ORDER 0x01020304u
#define RL_FEATURES_KNOWN 0ull /* a set bit that is not in here: refuse the file */

#define RL_FIRST_POSITION 24 /* of the first entry: behind the stream header, as in a log file */
#define RL_ENTRY_SIZE 16
#define RL_MIN_CAPACITY ((int64_t)64 << 10)
#define RL_MAX_CAPACITY ((int64_t)1 << 40)
#define RL_DATA_ALIGN ((int64_t)64 << 10)     /* the largest page size of a supported machine */
#define RL_HUGE_ALIGN ((int64_t)2 << 20)      /* data_start of a large ring, so that huge pages fit */
#define RL_HUGE_CAPACITY ((int64_t)64 << 20)  /* what counts as large */
#define RL_STRIDES 64  /* a ring is this many strides long: the tail moves by about one at a time */
#define RL_MARKS 128   /* twice as many: a mark is never overwritten while its stride is in the window */
#define RL_MAX_WRITERS 64
#define RL_MAX_READERS 4096
#define RL_NAME_BYTES 63

/* Copy, and return the CRC-32 of what was copied: checksum.h has them. */
typedef uint32_t (*rl_copy_fn)(void *dst, const void *src, size_t size);
typedef uint32_t (*rl_sum_fn)(const void *src, size_t size);

/* The 16 bytes before an event's data. */
typedef struct rl_entry {
    int64_t timestamp; /* Unix nanoseconds, > 0, never decreasing */
    uint32_t size;     /* of the data that follows */
    uint32_t checksum; /* CRC-32 of the data, as zlib.crc32 */
} rl_entry;

/* A position and its sequence, readable as one: see pair.h. */
typedef struct rl_record {
    int64_t position;
    int64_t sequence;
} rl_record;

/* The first entry boundary of a stride: where seeking starts from. */
typedef struct rl_mark {
    int64_t position;  /* 0: none in this stride */
    int64_t sequence;  /* of the entry that begins here */
    int64_t timestamp; /* of the entry that ends here: everything before is not later than this */
    int64_t reserved;
} rl_mark;

/* What is trusted after a crash of the machine: see G9 in docs/guarantees.md. One disk sector. */
typedef struct rl_commit {
    uint64_t generation; /* the greater valid one of the two counts */
    rl_record head, tail;
    int64_t last_timestamp;
    uint8_t stream_id[16];
    uint32_t reserved;
    uint32_t checksum; /* CRC-32 of the bytes before it */
    uint8_t padding[512 - 72];
} rl_commit;

/* Bits of `commits_dirty`. */
enum {
    RL_COMMITS_CHANGED = 1, /* the commit records are not known to be on disk as they are here */
    RL_SYNC_FAILED = 2      /* the kernel may take pages for clean that it failed to write */
};

/* Slot states: the low byte of a slot's `state`; the rest is the epoch, which is never reused. */
enum { RL_SLOT_FREE = 0, RL_SLOT_CLAIMED = 1, RL_SLOT_ACTIVE = 2, RL_SLOT_PARKED = 3 };
#define RL_SLOT_STATE(epoch, status) (((uint64_t)(epoch) << 8) | (uint64_t)(status))
#define RL_SLOT_EPOCH(state) ((state) >> 8)
#define RL_SLOT_STATUS(state) ((int)((state)&0xff))
/* An epoch has to fit an owner word too (owner.h). It takes longer than any machine lasts to count that far, so who
 * finds a greater one, or 0 behind the greatest, has found a scribbled one, and begins again at 1. */
#define RL_SLOT_EPOCHS (1ull << 47)
static inline uint64_t rl_slot_next_epoch(uint64_t state) {
    return RL_SLOT_EPOCH(state) >= RL_SLOT_EPOCHS - 1 ? 1 : RL_SLOT_EPOCH(state) + 1;
}

typedef struct rl_writer_slot { /* its lease: a lock on the slot's first byte */
    uint64_t state;
    int64_t pid;
    int64_t start_time;   /* of the process, Unix nanoseconds */
    int64_t opened;       /* Unix nanoseconds */
    int64_t since_boot;   /* start_time by a clock that nobody sets: nanoseconds since boot; 0: not known */
    uint8_t reserved0[24];
    int64_t last_publish; /* Unix nanoseconds, 0 before the first; a line of its own: hot */
    uint8_t reserved1[56];
} rl_writer_slot;

enum { RL_READER_LOSSLESS = 1, RL_READER_NAMED = 2 };

typedef struct rl_reader_slot { /* its lease: a lock on the slot's first byte */
    uint64_t state;
    int64_t pid;
    int64_t start_time;
    int64_t opened;
    uint32_t flags;
    uint8_t reserved0[4];
    int64_t since_boot; /* as a writer's */
    uint8_t reserved1[16];
    int64_t cursor; /* everything before it is finished; a line of its own: hot */
    rl_record cursor_records[2];
    int64_t activity; /* reserved: Unix nanoseconds of the last progress */
    int64_t lost_from; /* 1 + the first sequence of a loss that was not told for sure yet; 0: none */
    uint8_t reserved2[8];
    uint8_t name_size;
    char name[RL_NAME_BYTES];
    uint8_t reserved3[64];
} rl_reader_slot;

typedef struct rl_header {
    /* The publication line: written by the holder of the write lock, watched by every reader. */
    int64_t write_offset; /* the one publication point */
    int64_t event_count;  /* a copy of the head record's sequence */
    int64_t start_timestamp;
    int64_t last_timestamp;
    rl_record head[2];
    /* Identity: constant once the file has its name (recovery after a machine crash: ids). */
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t features;
    int64_t data_start;
    int64_t capacity;
    int64_t stride;
    uint32_t mark_count;
    uint32_t max_writers;
    uint32_t max_readers;
    uint32_t reserved0;
    uint8_t stream_id[16];
    uint8_t file_id[16];
    uint8_t boot_id[16];
    int64_t created;
    uint32_t commits_dirty; /* RL_COMMITS_CHANGED, RL_SYNC_FAILED */
    uint8_t reserved1[4];
    /* The window line: read after every copy, written once a stride. */
    int64_t tail_offset; /* the oldest intact entry */
    rl_record tail[2];
    int64_t ended;     /* the head at which end() was called: counts while the head stands there */
    uint32_t removed;  /* unlink() was called */
    uint32_t clean;    /* closed with everything on disk, nothing published since */
    uint64_t restarts; /* how often recovery gave the stream a new id */
    /* The gate line: the tail that the writer wants. */
    int64_t gate_offset;
    rl_record gate[2];
    int64_t jump; /* the place that a jump leads to while it is under way, else 0: jump.h */
    int64_t jumped; /* the head that the last one left: a lossless reader may stand there still, or before, and not know */
    uint8_t reserved2[8];
    /* The owner line: who may write. */
    uint64_t owner;
    uint64_t last_owner; /* the last to publish */
    uint8_t reserved3[48];
    /* Sleeping readers. */
    uint32_t sleepers;
    uint32_t sleepers_futex;
    uint8_t reserved4[56];
    /* Writers that wait for room. */
    uint32_t room_wanted;
    uint32_t room_futex;
    uint8_t reserved5[56];
    rl_commit commits[2];
    /* A bit for every reader slot that ever held a cursor: what the writer must look at. */
    uint64_t reader_bits[RL_MAX_READERS / 64];
    uint8_t reserved6[2048];
    rl_mark marks[RL_MARKS];
    rl_writer_slot writers[RL_MAX_WRITERS];
    /* rl_reader_slot[max_readers] follows: rl_readers() */
} rl_header;

#define RL_AT(field, offset)                                                                       \
    RL_STATIC_ASSERT(offsetof(rl_header, field) == (offset), "format: " #field " has moved")
RL_AT(write_offset, 0);
RL_AT(event_count, 8);
RL_AT(start_timestamp, 16);
RL_AT(last_timestamp, 24);
RL_AT(head, 32);
RL_AT(magic, 64);
RL_AT(version, 72);
RL_AT(byte_order, 76);
RL_AT(features, 80);
RL_AT(data_start, 88);
RL_AT(capacity, 96);
RL_AT(stride, 104);
RL_AT(mark_count, 112);
RL_AT(max_writers, 116);
RL_AT(max_readers, 120);
RL_AT(stream_id, 128);
RL_AT(file_id, 144);
RL_AT(boot_id, 160);
RL_AT(created, 176);
RL_AT(commits_dirty, 184);
RL_AT(tail_offset, 192);
RL_AT(tail, 200);
RL_AT(ended, 232);
RL_AT(removed, 240);
RL_AT(clean, 244);
RL_AT(restarts, 248);
RL_AT(gate_offset, 256);
RL_AT(gate, 264);
RL_AT(jump, 296);
RL_AT(jumped, 304);
RL_AT(owner, 320);
RL_AT(last_owner, 328);
RL_AT(sleepers, 384);
RL_AT(sleepers_futex, 388);
RL_AT(room_wanted, 448);
RL_AT(room_futex, 452);
RL_AT(commits, 512);
RL_AT(reader_bits, 1536);
RL_AT(marks, 4096);
RL_AT(writers, 8192);
#undef RL_AT
RL_STATIC_ASSERT(sizeof(rl_header) == 16384, "format: the reader slots have moved");
RL_STATIC_ASSERT(sizeof(rl_entry) == RL_ENTRY_SIZE, "format: EventEntry is 16 bytes");
RL_STATIC_ASSERT(sizeof(rl_commit) == 512, "format: a commit record is one sector");
RL_STATIC_ASSERT(offsetof(rl_commit, checksum) == 68, "format: commit record");
RL_STATIC_ASSERT(sizeof(rl_writer_slot) == 128, "format: writer slot");
RL_STATIC_ASSERT(offsetof(rl_writer_slot, since_boot) == 32, "format: writer slot");
RL_STATIC_ASSERT(offsetof(rl_writer_slot, last_publish) == 64, "format: writer slot");
RL_STATIC_ASSERT(sizeof(rl_reader_slot) == 256, "format: reader slot");
RL_STATIC_ASSERT(offsetof(rl_reader_slot, since_boot) == 40, "format: reader slot");
RL_STATIC_ASSERT(offsetof(rl_reader_slot, cursor) == 64, "format: reader slot");
RL_STATIC_ASSERT(offsetof(rl_reader_slot, lost_from) == 112, "format: reader slot");
RL_STATIC_ASSERT(offsetof(rl_reader_slot, name_size) == 128, "format: reader slot");

#endif
