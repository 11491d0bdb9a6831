/* segment_pages.c: which pages of a segment are in memory, and in our tables. Advice, but for a writer's room.
 *
 * A writer gets pages a quarter of a MiB at a time, by one call, before it writes to them: that costs half of what
 * a page fault for each does, and a disk that can't is an errno. A reader asks for what it is about to read; who
 * seeks needs little, who goes on reading has the kernel read ahead. Behind both, pages leave our tables: a file of
 * any size is read and written with the same few MiB of them.
 */
#include "platform.h"
#include "segment.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define AHEAD ((int64_t)256 << 10)   /* that a writer has pages for: they are in a core's cache when written to */
#define RESIDENT ((int64_t)16 << 20) /* that was looked at or written since pages were let go */
#define PIECE ((int64_t)1 << 20)     /* of it that stays: where we are */

void rl_segment_want(rl_mapping *m, int64_t from, int64_t need, int64_t more) {
    rl_segment *s = m->segment;
    /* Early enough: the disk reads on while what there is gets used. */
    if (from >= s->asked_from && need + more / 2 <= s->asked_to)
        return;
    int64_t start = from >= s->asked_from && from <= s->asked_to ? s->asked_to : from, end = need + more;
    if (end > (int64_t)m->data_bytes)
        end = (int64_t)m->data_bytes;
    s->asked_from = from;
    s->asked_to = end;
    start &= -RL_DATA_ALIGN;
    if (end > start)
        (void)madvise((char *)s->base + start, (size_t)(end - start), MADV_WILLNEED);
}

void rl_segment_touch(rl_mapping *m, int64_t position, int64_t bytes) {
    rl_segment *s = m->segment;
    if (position < s->lowest)
        s->lowest = position;
    if (position > s->highest)
        s->highest = position;
    s->touched += bytes;
    if (s->touched < RESIDENT)
        return;
    /* Of a place that was sought, a fault has brought what stands around it, too. */
    int64_t from = s->lowest < RL_SEGMENT_AROUND ? 0 : (s->lowest - RL_SEGMENT_AROUND) & -RL_DATA_ALIGN;
    int64_t to = s->highest & -RL_DATA_ALIGN, here = position & -RL_DATA_ALIGN;
    if (here > from)
        (void)madvise((char *)s->base + from, (size_t)(here - from), MADV_DONTNEED);
    if (to > here + PIECE)
        (void)madvise((char *)s->base + here + PIECE, (size_t)(to - here - PIECE), MADV_DONTNEED);
    s->touched = 0;
    s->lowest = s->highest = position;
}

int rl_segment_write(rl_mapping *m, int64_t position, const void *memory, int64_t bytes) {
    const char *from = memory;
    while (bytes > 0) {
        ssize_t done = pwrite(m->fd, from, (size_t)bytes, position);
        if (done < 0 && errno != EINTR)
            return -errno;
        done = done > 0 ? done : 0;
        from += done;
        position += done;
        bytes -= done;
    }
    return 0;
}

/* Zeros over zeros: it is how the kernel makes many pages at once, and says with an errno that it can't. */
static int write_zeros(rl_mapping *m, int64_t from, int64_t to) {
    static char zeros[AHEAD];
    int error = 0;
    for (; from < to && !error; from += AHEAD)
        error = rl_segment_write(m, from, zeros, to - from < AHEAD ? to - from : AHEAD);
    return error;
}

int rl_segment_prepare(rl_mapping *m, int64_t need, int by_write) {
    rl_segment *s = m->segment;
    int64_t from = s->prepared, to = (need + AHEAD - 1) & -AHEAD;
    if (need > s->allowed)
        return 0;
    if (by_write) {
        s->prepared = need;
        m->ring.capacity = need - RL_FIRST_POSITION;
        return 1;
    }
    if (to > s->allowed)
        to = s->allowed;
    int error = write_zeros(m, from, to);
    if (error)
        return error;
#ifdef MADV_POPULATE_WRITE /* where it is not known, or not possible, the pages come one by one */
    int64_t page = from & -RL_DATA_ALIGN;
    (void)madvise((char *)s->base + page, (size_t)(to - page), MADV_POPULATE_WRITE);
#endif
    s->prepared = to;
    m->ring.capacity = to - RL_FIRST_POSITION;
    return 1;
}
