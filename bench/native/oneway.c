/* oneway.c: how soon does an event get from one C process to another through a ring?
 *
 * The same bytes, lock, clock, fences and publication as Writer.append, and the same checks, copy and checksum as
 * Reader's, over the same headers, without Python: what lies between a bare cache line and this is the protocol,
 * what lies between this and Python is Python. The schedule is that of latency_run.py: event k is due at start +
 * k * interval and carries that time; who is late sends at once; the reader looks at the clock once it has
 * the event whole.
 *
 * Usage: oneway RING SEMAPHORE SIZE RATE EVENTS CORE CORE LOOK   (prints a latency in ns a line)
 * LOOK: 0: the reader looks without a pause; 1: it pauses between two looks, as ringlog's own wait does.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform.h"
#include "ringlog/checksum.h"
#include "ringlog/owner.h"
#include "ringlog/reader.h"
#include "ringlog/sleepers.h"
#include "ringlog/writer.h"

static int tie(pid_t process, int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(process, sizeof set, &set);
}

static int publish(rl_ring *ring, sem_t *sem, const rl_checksum_impl *sum, const void *data, uint32_t size) {
    rl_header *h = ring->header;
    rl_append a;
    if (sem_trywait(sem) != 0 || !rl_owner_take(h, rl_owner_word(RL_MAX_WRITERS - 1, 1)) ||
        rl_append_begin(ring, &a) != RL_OK)
        return -1;
    if (rl_room_short(ring, &a, RL_ENTRY_SIZE + (int64_t)size)) {
        rl_place want;
        if (rl_room_find(ring, &a, RL_ENTRY_SIZE + (int64_t)size, &want) != RL_OK)
            return -1;
        rl_room_announce(ring, want);
        rl_room_take(ring, want);
    }
    int64_t now = rl_now();
    rl_append_put(ring, &a, now, data, size, sum->copy);
    rl_append_publish(ring, &a);
    RL_STORE_RELAXED(&h->writers[RL_MAX_WRITERS - 1].last_publish, now);
    rl_owner_release(h);
    sem_post(sem);
    RL_FENCE_FULL_AFTER_RMW();
    if (rl_sleepers_taken(&h->sleepers, &h->sleepers_futex))
        rl_wake_all(&h->sleepers_futex);
    return 0;
}

static int write_on_schedule(rl_ring *ring, sem_t *sem, const rl_checksum_impl *sum, uint32_t size,
                             int64_t events, double interval) {
    uint8_t *data = calloc(1, size);
    int64_t start = rl_monotonic() + 50000000;
    for (int64_t k = 0; data && k < events; k++) {
        int64_t due = start + (int64_t)((double)k * interval);
        memcpy(data, &due, sizeof due);
        while (rl_monotonic() < due)
            ;
        if (publish(ring, sem, sum, data, size) != 0)
            return 1;
    }
    return !data;
}

static int read_all(const rl_ring *ring, const rl_checksum_impl *sum, uint32_t size, int64_t *took, int64_t events,
                    int pausing) {
    uint8_t *data = malloc(size);
    rl_place oldest;
    rl_reader reader;
    if (!data || !rl_tail(ring, &oldest))
        return 1;
    rl_reader_place(&reader, oldest); /* of a fresh ring: the first event, however late we are */
    for (int64_t got = 0; got < events;) {
        rl_entry entry;
        const uint8_t *from;
        rl_status status = rl_reader_next(ring, &reader, &entry, &from);
        if (status == RL_EMPTY) {
            if (pausing)
                RL_PAUSE();
            continue;
        }
        if (status != RL_OK || entry.size != size || sum->copy(data, from, size) != entry.checksum ||
            rl_reader_check(ring, &reader) != RL_OK)
            return 1;
        rl_reader_advance(&reader, &entry);
        int64_t due;
        memcpy(&due, data, sizeof due);
        took[got++] = rl_monotonic() - due;
    }
    for (int64_t k = 0; k < events; k++)
        printf("%lld\n", (long long)took[k]);
    return fflush(stdout) != 0;
}

int main(int argc, char **argv) {
    rl_mapping map;
    if (argc != 9)
        return 2;
    uint32_t size = (uint32_t)atol(argv[3]);
    double interval = 1e9 / atof(argv[4]);
    int64_t events = atoll(argv[5]);
    const rl_checksum_impl *sum = rl_checksum_best(getauxval(AT_HWCAP));
    int64_t *took = calloc((size_t)events, sizeof *took);
    pid_t child = fork();
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it looks for ever */
    int fd = open(argv[1], O_RDWR);
    if (!took || child < 0 || size < sizeof(int64_t) || fd < 0 ||
        rl_mapping_open(&map, fd, child ? RL_MAP_WRITE : RL_MAP_ANNOUNCE, 1) != 0)
        return 1;
    if (child == 0) {
        memset(took, 0, (size_t)events * sizeof *took); /* its pages are there before the first event is */
        return read_all(&map.ring, sum, size, took, events, atoi(argv[8]));
    }
    sem_t *sem = sem_open(argv[2], 0);
    /* The child first: once we spin, it may not get this core to leave it. */
    if (sem == SEM_FAILED || tie(child, atoi(argv[7])) != 0 || tie(0, atoi(argv[6])) != 0 ||
        write_on_schedule(&map.ring, sem, sum, size, events, interval) != 0)
        return 1;
    int status;
    waitpid(child, &status, 0);
    return status != 0;
}
