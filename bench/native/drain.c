/* drain.c: what does it cost at least to get rows out of a ring?
 *
 * What read_batch does to every event, as a bare C loop over the same headers: look at the entry, copy and
 * checksum its data in one pass, check the tail behind the copy, compare the sums, and keep time stamp and size
 * beside it. The ring holds events already; the whole window is read over and over.
 *
 * Usage: drain RING EVENTS BATCH   (prints nanoseconds per event; the first pass warms up)
 * BATCH: so many events at most go into the columns before the next ones overwrite them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "platform.h"
#include "ringlog/checksum.h"
#include "ringlog/reader.h"

typedef struct columns {
    uint8_t *data;
    int64_t *timestamps;
    uint32_t *sizes;
} columns;

/* One batch: how many events, or -1. */
static int64_t fill(const rl_ring *ring, rl_reader *reader, rl_copy_fn copy, columns *to, int64_t batch) {
    int64_t count = 0, at = 0;
    for (; count < batch; count++) {
        rl_entry entry;
        const uint8_t *data;
        rl_status status = rl_reader_next(ring, reader, &entry, &data);
        if (status == RL_EMPTY)
            break;
        if (status != RL_OK || copy(to->data + at, data, entry.size) != entry.checksum ||
            rl_reader_check(ring, reader) != RL_OK)
            return -1;
        to->timestamps[count] = entry.timestamp;
        to->sizes[count] = entry.size;
        at += entry.size;
        rl_reader_advance(reader, &entry);
    }
    return count;
}

static double run(const rl_ring *ring, rl_copy_fn copy, columns *to, int64_t events, int64_t batch) {
    int64_t start = rl_monotonic(), done = 0;
    while (done < events) {
        rl_place oldest;
        rl_reader reader;
        if (!rl_tail(ring, &oldest))
            return -1;
        rl_reader_place(&reader, oldest);
        for (int64_t count = 1; count; done += count)
            if ((count = fill(ring, &reader, copy, to, batch)) < 0)
                return -1;
    }
    return (double)(rl_monotonic() - start) / (double)done;
}

int main(int argc, char **argv) {
    rl_mapping map;
    if (argc != 4)
        return 2;
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 || rl_mapping_open(&map, fd, RL_MAP_READ, 1) != 0)
        return 1;
    int64_t events = atoll(argv[2]), batch = atoll(argv[3]);
    columns to = {malloc((size_t)map.ring.capacity), malloc((size_t)batch * 8), malloc((size_t)batch * 4)};
    rl_copy_fn copy = rl_checksum_best(getauxval(AT_HWCAP))->copy;
    double ns = -1;
    for (int pass = 0; pass < 2; pass++)
        ns = run(&map.ring, copy, &to, events, batch);
    if (ns < 0)
        return 1;
    printf("%.3f\n", ns);
    return 0;
}
