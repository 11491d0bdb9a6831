/* ring_file.h: rings for C and C++ programs: append to one, follow one, beside the Python programs that use it.
 *
 * Concept:   ringlog's headers know the protocol and no operating system. Between them and a program stand files,
 *            mappings, leases, the semaphore and waits. Most of that is in the package's C sources that know no
 *            Python (platform.h); the files beside this one add what writer.py, reader.py and lock.py decide.
 * Guarantee: those of ringlog (docs/guarantees.md) for what is here: whoever is killed holds nobody up, a reader gets
 *            whole events or learns exactly which it lost, and a lossless one loses none.
 * Caveat:    rings are made, removed and repaired, and named readers are served, by Python (`ringlog create`). One
 *            thread at a time may use a ring_writer or a ring_reader. After a fork only the parent may.
 * Usage:     make -C demos/c  (or compile what its Makefile lists), then
 *                ring_writer *w;
 *                if (ring_writer_open(&w, "/dev/shm/ticks") == 0 && ring_append(w, "hello", 5, -1) >= 0) ...
 *
 * Functions return 0 or more, or a negated errno: -ENOENT, -EACCES (no file, no permission), -EPROTO (no ring, or one
 * of another version), -EBADMSG (damaged), -EIO (the file was cut, or memory could not be had), -EIDRM (removed),
 * -ESTALE (the machine has restarted since: a Python Writer has to open it first), -EMSGSIZE (over half a ring),
 * -ETIMEDOUT, -EBUSY (no slot is free), -ECHILD (used after a fork).
 */
#ifndef RING_FILE_H
#define RING_FILE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- writing ---- */

typedef struct ring_writer ring_writer;

/* Attach to an existing ring. Waits up to ten seconds for another process that attaches. */
int ring_writer_open(ring_writer **out, const char *path);
/* Publish one event: its sequence, 0 or more. Waits for the lock, and for room where lossless readers are behind, for
 * up to `timeout` nanoseconds (-1: for ever). */
int64_t ring_append(ring_writer *writer, const void *data, size_t size, int64_t timeout);
/* Readers stop after the last event. A later writer may go on. */
int ring_end(ring_writer *writer, int64_t timeout);
void ring_writer_close(ring_writer *writer);

/* ---- reading ---- */

typedef struct ring_reader ring_reader;
enum { RING_LOSSLESS = 1, RING_OLDEST = 2 }; /* flags: the writer waits for us; begin at the oldest, not the next, event */

typedef enum { RING_EVENT, RING_LOST, RING_ENDED, RING_NOTHING } ring_result;

typedef struct ring_event {
    int64_t sequence;    /* RING_LOST: of the first event that was lost */
    int64_t timestamp;   /* Unix nanoseconds */
    const uint8_t *data; /* a copy, checked against its checksum: good until the next call */
    uint32_t size;
    int64_t lost; /* RING_LOST: how many */
} ring_event;

/* With permission to read the file alone it works too, if it is not to be lossless; it polls about each millisecond. */
int ring_reader_open(ring_reader **out, const char *path, int flags);
/* The next event, waiting up to `timeout` nanoseconds (-1: for ever; 0: not at all). A ring_result, or an error. */
int ring_read(ring_reader *reader, ring_event *event, int64_t timeout);
void ring_reader_close(ring_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
