/* Question: what does copying an event cost with its checksum, against memcpy without one?
 *
 * For each size every contender runs a short batch in turn, round after round, so that a change of clock speed or
 * a noisy neighbour meets all of them alike; the figure is the median of the rounds, in ns per call. Calls go
 * through a function pointer, as in the package. Buffers are reused, so sizes below the caches are hot.
 *
 *     gcc -std=c11 -O2 -I ringlog/_native/include bench/native/checksum_speed.c -o checksum_speed
 *     ./checksum_speed [source offset] [destination offset] [chain | walk]
 *
 * Offsets (0..63, default 32 and 40: a bytes object's data, an entry somewhere in a ring) are from a cache line.
 * By default calls may overlap in the CPU, as when nothing waits for the result but a store. With "chain" each
 * call waits for the result before it: the latency. With "walk" the destination (for a sum: what is summed) moves
 * on through 16 MiB, entry after entry, as in a ring, so that it has mostly left the near caches.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include <ringlog/checksum.h>

#define ROUNDS 61
#define BATCH_NS 30000.0
#define WINDOW ((size_t)16 << 20)
#define CONTENDERS (1 + 2 * RL_CHECKSUM_MAX)

typedef struct contender {
    char name[32];
    uint32_t (*copy)(void *, const void *, size_t);
    uint32_t (*sum)(const void *, size_t);
} contender;

static volatile uint32_t sink;
static volatile uint32_t zero; /* unknown to the compiler: carries a dependency without moving a pointer */

/* What memcpy is called through, so that its call costs what the others' does. */
static uint32_t plain_copy(void *dst, const void *src, size_t size) {
    memcpy(dst, src, size);
    return 0;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* carry is 0 but the compiler doesn't know: with it each call's source depends on the last result. */
static double chained(const contender *who, unsigned char *dst, const unsigned char *src, size_t size, long calls) {
    uint32_t crc = 0, carry = zero;
    double start = now_ns();
    if (who->copy)
        for (long i = 0; i < calls; i++)
            crc = who->copy(dst, src + (crc & carry), size);
    else
        for (long i = 0; i < calls; i++)
            crc = who->sum(src + (crc & carry), size);
    double spent = now_ns() - start;
    sink = crc;
    return spent / (double)calls;
}

static double overlapping(const contender *who, unsigned char *dst, const unsigned char *src, size_t size,
                          long calls) {
    uint32_t crc = 0;
    double start = now_ns();
    if (who->copy)
        for (long i = 0; i < calls; i++)
            crc ^= who->copy(dst, src, size);
    else
        for (long i = 0; i < calls; i++)
            crc ^= who->sum(src, size);
    double spent = now_ns() - start;
    sink = crc;
    return spent / (double)calls;
}

static double walking(const contender *who, unsigned char *dst, const unsigned char *src, size_t size, long calls) {
    static size_t at; /* the next contender goes on where this one stops */
    uint32_t crc = 0;
    double start = now_ns();
    for (long i = 0; i < calls; i++) {
        if (at + size > WINDOW)
            at = 0;
        crc ^= who->copy ? who->copy(dst + at, src, size) : who->sum(dst + at, size);
        at += size + 16;
    }
    double spent = now_ns() - start;
    sink = crc;
    return spent / (double)calls;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static const size_t sizes[] = {1, 8, 16, 40, 64, 100, 256, 1000, 1024, 4096, 65536, 1 << 20, 32 << 20};
    static double times[CONTENDERS][ROUNDS];
    size_t src_offset = argc > 1 ? strtoul(argv[1], NULL, 0) & 63 : 32;
    size_t dst_offset = argc > 2 ? strtoul(argv[2], NULL, 0) & 63 : 40;
    const char *mode = argc > 3 ? argv[3] : "overlapping";
    double (*run)(const contender *, unsigned char *, const unsigned char *, size_t, long) =
        strcmp(mode, "chain") == 0 ? chained : strcmp(mode, "walk") == 0 ? walking : overlapping;

    const rl_checksum_impl *available[RL_CHECKSUM_MAX];
    size_t count = rl_checksum_available(available, getauxval(AT_HWCAP));
    contender contenders[CONTENDERS] = {{"memcpy", plain_copy, NULL}};
    size_t total = 1;
    for (size_t i = 0; i < count; i++) {
        snprintf(contenders[total].name, sizeof contenders[total].name, "%s copy", available[i]->name);
        contenders[total++].copy = available[i]->copy;
        snprintf(contenders[total].name, sizeof contenders[total].name, "%s sum", available[i]->name);
        contenders[total++].sum = available[i]->sum;
    }

    size_t largest = sizes[sizeof sizes / sizeof *sizes - 1];
    unsigned char *memory = aligned_alloc(4096, 2 * (largest + 8192));
    if (!memory)
        return 1;
    memset(memory, 0xA5, 2 * (largest + 8192));
    unsigned char *src = memory + src_offset, *dst = memory + largest + 8192 + 2048 + dst_offset;

    printf("ns per call, %s, source at %zu, destination at %zu\n%-18s", mode, src_offset, dst_offset, "");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        printf("%11zu", sizes[s]);
    printf("\n");

    static double medians[sizeof sizes / sizeof *sizes][CONTENDERS];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        long calls[CONTENDERS];
        for (size_t c = 0; c < total; c++) {
            double once = run(&contenders[c], dst, src, sizes[s], 4);
            once = run(&contenders[c], dst, src, sizes[s], (long)(BATCH_NS / 4 / once) + 1);
            calls[c] = (long)(BATCH_NS / once) + 1;
        }
        for (int round = 0; round < ROUNDS; round++)
            for (size_t c = 0; c < total; c++)
                times[c][round] = run(&contenders[c], dst, src, sizes[s], calls[c]);
        for (size_t c = 0; c < total; c++) {
            qsort(times[c], ROUNDS, sizeof times[c][0], ascending);
            medians[s][c] = times[c][ROUNDS / 2];
        }
    }
    for (size_t c = 0; c < total; c++) {
        printf("%-18s", contenders[c].name);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            printf("%11.1f", medians[s][c]);
        printf("\n");
    }
    free(memory);
    return 0;
}
