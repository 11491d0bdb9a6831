/* floor.c: what does one event cost at least?
 *
 * The bytes, the lock, the clock, the fences and the publication of Writer.append, as a bare C loop over
 * the same headers: no Python objects, no calls through a type, no errors to report. Nothing that does the
 * same work can be faster than this by much; the distance is what Python costs.
 *
 * Usage: floor RING SEMAPHORE SIZE EVENTS BATCH DISTINCT   (prints nanoseconds per event; the first pass
 * warms up). BATCH 1: lock, clock and publication for each event, as append. More: for each batch, as
 * append_many. DISTINCT, a power of two: contents, side by side, taken in turn.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "platform.h"
#include "ringlog/checksum.h"
#include "ringlog/owner.h"
#include "ringlog/sleepers.h"
#include "ringlog/writer.h"

static int64_t run(rl_mapping *map, sem_t *sem, const rl_checksum_impl *sum, const char *payloads,
                   uint32_t size, int64_t events, int64_t batch, int64_t distinct) {
    rl_ring *ring = &map->ring;
    rl_header *h = ring->header;
    rl_writer_slot *slot = &h->writers[RL_MAX_WRITERS - 1];
    uint64_t me = rl_owner_word(RL_MAX_WRITERS - 1, 1);
    int64_t bytes = batch * (RL_ENTRY_SIZE + (int64_t)size), start = rl_monotonic(), stride = -1;
    for (int64_t done = 0; done < events; done += batch) {
        rl_append a;
        if (sem_trywait(sem) != 0 || !rl_owner_take(h, me))
            return -1;
        rl_append_begin(ring, &a);
        if (rl_room_short(ring, &a, bytes)) {
            rl_place want;
            if (rl_room_find(ring, &a, bytes, &want) != RL_OK)
                return -1;
            rl_room_announce(ring, want);
            if (rl_room_blocker(ring, want.position) >= 0)
                return -1;
            rl_room_take(ring, want);
        }
        int64_t now = rl_now();
        for (int64_t k = 0; k < batch; k++)
            rl_append_put(ring, &a, now, payloads + ((done + k) & (distinct - 1)) * size, size, sum->copy);
        rl_append_publish(ring, &a);
        RL_STORE_RELAXED(&slot->last_publish, now);
        rl_owner_release(h);
        sem_post(sem);
        RL_FENCE_FULL_AFTER_RMW();
        if (rl_sleepers_taken(&h->sleepers, &h->sleepers_futex))
            rl_wake_all(&h->sleepers_futex);
        if (rl_stride_of(ring, a.position) != stride) {
            stride = rl_stride_of(ring, a.position);
            if (!rl_mapping_named(map))
                return -1;
        }
    }
    return rl_monotonic() - start;
}

int main(int argc, char **argv) {
    rl_mapping map;
    if (argc != 7)
        return 2;
    int fd = open(argv[1], O_RDWR);
    sem_t *sem = sem_open(argv[2], 0);
    uint32_t size = (uint32_t)atol(argv[3]);
    int64_t events = atoll(argv[4]), batch = atoll(argv[5]), distinct = atoll(argv[6]), ns = -1;
    if (fd < 0 || sem == SEM_FAILED || rl_mapping_open(&map, fd, RL_MAP_WRITE, 1) != 0)
        return 1;
    char *payloads = malloc((size_t)distinct * size + 1);
    for (int64_t k = 0; k < distinct; k++)
        memset(payloads + k * size, 'a' + (int)(k & 15), size);
    const rl_checksum_impl *sum = rl_checksum_best(getauxval(AT_HWCAP));
    for (int pass = 0; pass < 2; pass++)
        ns = run(&map, sem, sum, payloads, size, events, batch, distinct);
    if (ns < 0)
        return 1;
    printf("%.3f\n", (double)ns / (double)events);
    return 0;
}
