/* parts.c: what do the parts of an append cost?
 *
 * The loop of floor.c, one event at a time, with the first so many of its parts: copy and checksum; the
 * publication; the owner word; the semaphore; the clock; the look whether a reader sleeps. What a part costs is
 * the distance to the loop without it, among its like, where it overlaps with them as it does in an append.
 *
 * Usage: parts RING SEMAPHORE SIZE EVENTS PARTS   (prints nanoseconds per event; the first pass warms up)
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

enum { COPY = 1, PUBLISH, OWNER, SEMAPHORE, CLOCK, WAKE };

static int make_room(rl_ring *ring, rl_append *a, int64_t bytes) {
    rl_place want;
    if (!rl_room_short(ring, a, bytes))
        return 1;
    if (rl_room_find(ring, a, bytes, &want) != RL_OK)
        return 0;
    rl_room_announce(ring, want);
    if (rl_room_blocker(ring, want.position) >= 0)
        return 0;
    rl_room_take(ring, want);
    return 1;
}

static int64_t run(rl_ring *ring, sem_t *sem, const rl_checksum_impl *sum, const char *payload, uint32_t size,
                   int64_t events, int parts) {
    rl_header *h = ring->header;
    uint64_t me = rl_owner_word(RL_MAX_WRITERS - 1, 1);
    rl_append first, a;
    if (rl_append_begin(ring, &first) != RL_OK)
        return -1;
    a = first;
    int64_t now = rl_now(), start = rl_monotonic(), bytes = RL_ENTRY_SIZE + (int64_t)size;
    for (int64_t done = 0; done < events; done++) {
        if (parts >= SEMAPHORE && sem_trywait(sem) != 0)
            return -1;
        if (parts >= OWNER && !rl_owner_take(h, me))
            return -1;
        if (parts >= PUBLISH) {
            if (rl_append_begin(ring, &a) != RL_OK || !make_room(ring, &a, bytes))
                return -1;
        } else if (a.position - first.position > ring->capacity / 2) {
            a = first; /* nobody sees it: over the same bytes again */
        }
        if (parts >= CLOCK)
            now = rl_now();
        if (parts >= COPY)
            rl_append_put(ring, &a, now, payload, size, sum->copy);
        if (parts >= PUBLISH)
            rl_append_publish(ring, &a);
        if (parts >= OWNER)
            rl_owner_release(h);
        if (parts >= SEMAPHORE)
            sem_post(sem);
        if (parts >= WAKE) {
            RL_FENCE_FULL_AFTER_RMW();
            if (rl_sleepers_taken(&h->sleepers, &h->sleepers_futex))
                rl_wake_all(&h->sleepers_futex);
        }
        __asm__ __volatile__("" ::: "memory");
    }
    return rl_monotonic() - start;
}

int main(int argc, char **argv) {
    rl_mapping map;
    if (argc != 6)
        return 2;
    int fd = open(argv[1], O_RDWR);
    sem_t *sem = sem_open(argv[2], 0);
    uint32_t size = (uint32_t)atol(argv[3]);
    int64_t events = atoll(argv[4]), ns = -1;
    if (fd < 0 || sem == SEM_FAILED || rl_mapping_open(&map, fd, RL_MAP_WRITE, 1) != 0)
        return 1;
    char *payload = calloc(1, (size_t)size + 1);
    const rl_checksum_impl *sum = rl_checksum_best(getauxval(AT_HWCAP));
    for (int pass = 0; pass < 2; pass++)
        ns = run(&map.ring, sem, sum, payload, size, events, atoi(argv[5]));
    if (ns < 0)
        return 1;
    printf("%.3f\n", (double)ns / (double)events);
    return 0;
}
