/* support.h: what the tests of the headers share: a ring in memory, events that can be checked, a killed writer. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ringlog/checksum.h"
#include "ringlog/owner.h"
#include "ringlog/recover.h"
#include "ringlog/sleepers.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define LARGEST 512 /* bytes of data, below this */

/* Copy and sum by the portable code, which sanitizers know; ThreadSanitizer as atomics.h says. */
static inline uint32_t copy_and_sum(void *dst, const void *src, size_t size) {
#if defined(RL_THREAD_SANITIZER)
    rl_racing_copy(dst, src, size);
    return rl_crc_portable_sum(dst, size);
#else
    return rl_crc_portable_copy(dst, src, size);
#endif
}

/* The sum of bytes that a writer may be changing. */
static inline uint32_t racing_sum(const void *src, size_t size) {
#if defined(RL_THREAD_SANITIZER)
    uint8_t *copy = (uint8_t *)malloc(size + 1);
    CHECK(copy);
    uint32_t sum = copy_and_sum(copy, src, size);
    free(copy);
    return sum;
#else
    return rl_crc_portable_sum(src, size);
#endif
}

static inline rl_ring make_ring(int64_t capacity) {
    static const uint8_t id[16];
    rl_ring ring;
    int64_t start = rl_data_start(capacity, 64);
    int fd = memfd_create("ring", 0);
    CHECK(fd >= 0 && ftruncate(fd, start + capacity) == 0);
    rl_header *header = mmap(NULL, (size_t)start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint8_t *data = mmap(NULL, (size_t)(2 * capacity), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(header != MAP_FAILED && data != MAP_FAILED);
    for (int k = 0; k < 2; k++)
        CHECK(mmap(data + k * capacity, (size_t)capacity, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                   start) != MAP_FAILED);
    close(fd);
    const char *why;
    rl_header_format(header, capacity, 64, 1, id, id, id);
    CHECK(rl_header_check(header, start + capacity, &why) == RL_OK);
    rl_ring_init(&ring, header, data);
    return ring;
}

/* An event that can be checked: its size, bytes and timestamp follow from its sequence. */
static inline uint32_t payload(int64_t sequence, uint8_t out[LARGEST]) {
    uint32_t size = (uint32_t)((uint64_t)sequence * 2654435761u >> 7) % LARGEST;
    memset(out, (int)(sequence % 251), size);
    return size;
}

static inline void check_event(int64_t sequence, int64_t timestamp, const uint8_t *data, uint32_t size) {
    uint8_t expected[LARGEST];
    CHECK(size == payload(sequence, expected) && memcmp(data, expected, size) == 0);
    CHECK(timestamp == sequence + 1);
}

enum { PUBLISH_STEPS = 7 };

/* rl_append_publish, killed before its step number `step`: the last one has moved the head. */
static inline void killed_publish(const rl_ring *ring, const rl_append *a, int step) {
    rl_header *h = ring->header;
    if (step-- == 0)
        return;
    RL_STORE_RELAXED(&h->last_timestamp, a->timestamp + 1000000);
    if (step-- == 0)
        return;
    RL_STORE_RELAXED(&h->event_count, a->sequence);
    rl_record *spare = &h->head[RL_LOAD_RELAXED(&h->head[0].position) == RL_LOAD_RELAXED(&h->write_offset)];
    if (step-- == 0)
        return;
    RL_STORE_RELAXED(&spare->position, 0);
    RL_FENCE_RELEASE(); /* as in rl_pair_store, here and below */
    if (step-- == 0)
        return;
    RL_STORE_RELAXED(&spare->sequence, a->sequence);
    if (step-- == 0)
        return;
    RL_STORE_RELEASE(&spare->position, a->position);
    if (step-- == 0)
        return;
    RL_STORE_RELAXED(&h->last_timestamp, a->timestamp);
    RL_STORE_RELEASE(&h->write_offset, a->position);
}

#endif
