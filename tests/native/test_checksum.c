/* Every checksum kernel that this CPU can run, against a checksum taken bit by bit.
 *
 *     gcc -std=c11 -O2 -Wall -Wextra -Werror -pedantic -I ringlog/_native/include tests/native/test_checksum.c \
 *         -o test_checksum
 *     ./test_checksum [scale in percent, default 100] [seed]
 *
 * Shows: the value; the copy, byte for byte; bytes beside the destination unchanged; no access outside the
 * buffers (they stand against pages that may not be touched); and that while another process overwrites the
 * source, the checksum is still that of the bytes that were stored. Exits 1 at the first difference.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ringlog/checksum.h>

enum { SHORT = 600, ALIGNMENTS = 64, GUARD = 128, LONG = 200 * 1024 };

static unsigned long long seed, state;
static unsigned long scale = 100; /* percent of the random cases */
static unsigned long passed;

static uint64_t next_random(void) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1DULL;
}

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "FAILED (seed %llu): ", seed);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

/* One byte more, bit by bit; the register is inverted at both ends by the caller. */
static uint32_t reference_step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    return crc;
}

static uint32_t reference(const uint8_t *data, size_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++)
        crc = reference_step(crc, data[i]);
    return ~crc;
}

static void fill(uint8_t *data, size_t size, int kind) {
    if (kind == 0)
        memset(data, 0, size);
    else if (kind == 1)
        memset(data, 0xFF, size);
    else
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)(next_random() >> 56);
}

static void *map(size_t size, int flags) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap of %zu bytes", size);
    return memory;
}

static void check_sum(const rl_checksum_impl *impl, const uint8_t *src, size_t size, uint32_t expected) {
    uint32_t got = impl->sum(src, size);
    if (got != expected)
        fail("%s: sum of %zu bytes at %zu mod 64: %08x, not %08x", impl->name, size, (size_t)((uintptr_t)src & 63),
             got, expected);
    passed++;
}

/* room is GUARD bytes, the destination, GUARD bytes. */
static void check_copy(const rl_checksum_impl *impl, uint8_t *room, const uint8_t *src, size_t size,
                       uint32_t expected) {
    uint8_t *dst = room + GUARD;
    static uint8_t guard[GUARD];
    uint8_t mark = (uint8_t)(next_random() >> 56);
    memset(guard, mark, sizeof guard);
    memset(room, mark, size + 2 * GUARD);
    uint32_t got = impl->copy(dst, src, size);
    const char *wrong = got != expected                         ? "checksum"
                        : memcmp(dst, src, size)                ? "copied bytes"
                        : memcmp(room, guard, GUARD)            ? "bytes before the destination"
                        : memcmp(dst + size, guard, GUARD)      ? "bytes behind the destination"
                                                                : NULL;
    if (wrong)
        fail("%s: copy of %zu bytes, source at %zu, destination at %zu mod 64: %s (%08x, expected %08x)",
             impl->name, size, (size_t)((uintptr_t)src & 63), (size_t)((uintptr_t)dst & 63), wrong, got, expected);
    passed++;
}

static void known_vectors(const rl_checksum_impl *impl) {
    static const struct {
        const char *text;
        uint32_t crc;
    } vectors[] = {{"", 0},
                   {"a", 0xE8B7BE43},
                   {"abc", 0x352441C2},
                   {"123456789", 0xCBF43926},
                   {"The quick brown fox jumps over the lazy dog", 0x414FA339}};
    static uint8_t room[2 * GUARD + 64];
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const uint8_t *text = (const uint8_t *)vectors[i].text;
        size_t size = strlen(vectors[i].text);
        if (reference(text, size) != vectors[i].crc)
            fail("the reference itself, for \"%s\"", vectors[i].text);
        check_sum(impl, text, size, vectors[i].crc);
        check_copy(impl, room, text, size, vectors[i].crc);
    }
    if (impl->sum(NULL, 0) != 0 || impl->copy(NULL, NULL, 0) != 0)
        fail("%s: nothing at all", impl->name);
}

/* Every length to SHORT, every alignment of the source, three of the destination each. */
static void short_lengths(const rl_checksum_impl *impl) {
    static _Alignas(64) uint8_t src[SHORT + ALIGNMENTS], room[SHORT + ALIGNMENTS + 2 * GUARD];
    for (size_t at = 0; at < ALIGNMENTS; at++) {
        fill(src, sizeof src, at % 8 < 2 ? (int)(at % 8) : 2);
        uint32_t crc = 0xFFFFFFFFu;
        for (size_t size = 0; size <= SHORT; size++) {
            uint32_t expected = ~crc;
            check_sum(impl, src + at, size, expected);
            check_copy(impl, room, src + at, size, expected);
            check_copy(impl, room + (at * 7 + size) % ALIGNMENTS, src + at, size, expected);
            check_copy(impl, room + next_random() % ALIGNMENTS, src + at, size, expected);
            if (size < SHORT)
                crc = reference_step(crc, src[at + size]);
        }
    }
}

/* Longer ones, where the destination is aligned first: every alignment of it, lengths round its threshold. */
static void every_head(const rl_checksum_impl *impl) {
    enum { LENGTHS = 1600 };
    static _Alignas(64) uint8_t src[LENGTHS + ALIGNMENTS], room[LENGTHS + ALIGNMENTS + 2 * GUARD];
    fill(src, sizeof src, 2);
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t size = 0; size <= LENGTHS; size++) {
        for (size_t at = 0; at < ALIGNMENTS; at++)
            if (size >= SHORT && (scale >= 100 || (at + size) % 8 == 0))
                check_copy(impl, room + at, src, size, ~crc);
        if (size < LENGTHS)
            crc = reference_step(crc, src[size]);
    }
}

static void random_lengths(const rl_checksum_impl *impl) {
    static uint8_t src[LONG + ALIGNMENTS], room[LONG + ALIGNMENTS + 2 * GUARD];
    unsigned long cases = 2 * scale;
    for (unsigned long i = 0; i < cases; i++) {
        size_t size = (size_t)(next_random() % (i % 8 ? 8192 : LONG));
        size_t at = (size_t)(next_random() % ALIGNMENTS), to = (size_t)(next_random() % ALIGNMENTS);
        fill(src + at, size, (int)(i % 4));
        uint32_t expected = reference(src + at, size);
        check_sum(impl, src + at, size, expected);
        check_copy(impl, room + to, src + at, size, expected);
    }
}

/* Memory between two pages that may not be touched. */
static uint8_t *fenced(size_t pages, size_t page) {
    uint8_t *memory = map((pages + 2) * page, MAP_PRIVATE);
    if (mprotect(memory, page, PROT_NONE) || mprotect(memory + (pages + 1) * page, page, PROT_NONE))
        fail("mprotect");
    return memory + page;
}

static void against_fences(const rl_checksum_impl *impl) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 2 * page;
    uint8_t *src = fenced(2, page), *dst = fenced(2, page);
    fill(src, room, 2);
    for (size_t i = 0; i < SHORT + 64; i++) {
        size_t size = i <= SHORT ? i : (size_t)(next_random() % (room - SHORT)) + SHORT;
        for (int ends = 0; ends < 4; ends++) {
            const uint8_t *from = ends & 1 ? src + room - size : src;
            uint8_t *to = ends & 2 ? dst + room - size : dst;
            uint32_t expected = reference(from, size);
            check_sum(impl, from, size, expected);
            memset(dst, 0x5A, room);
            if (impl->copy(to, from, size) != expected || memcmp(to, from, size))
                fail("%s: copy of %zu bytes beside a page that is not there (case %d)", impl->name, size, ends);
            uint8_t *rest = ends & 2 ? dst : dst + size;
            for (size_t k = 0; k < room - size; k++)
                if (rest[k] != 0x5A)
                    fail("%s: copy of %zu bytes wrote beside them (case %d)", impl->name, size, ends);
            passed++;
        }
    }
    munmap(src - page, room + 2 * page);
    munmap(dst - page, room + 2 * page);
}

/* Another process overwrites the source all the while. The copy may be of any moment, but the checksum has to be
 * the copy's. */
static void changing_source(const rl_checksum_impl *impl) {
    enum { SIZE = 4096 };
    uint8_t *src = map(SIZE, MAP_SHARED);
    uint8_t dst[SIZE];
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        for (uint64_t word = 1;; word += 0x9E3779B97F4A7C15ULL)
            for (size_t i = 0; i < SIZE; i += 8)
                *(volatile uint64_t *)(void *)(src + i) = word + i;
    }
    clock_t share = (clock_t)(CLOCKS_PER_SEC / 250 * (scale < 100 ? scale : 100));
    clock_t until = clock() + share, at_most = until + 20 * (clock_t)CLOCKS_PER_SEC;
    unsigned long moved = 0;
    do {
        size_t at = (size_t)(next_random() % 64);
        size_t size = (size_t)(next_random() % (next_random() & 1 ? 200 : SIZE - 64));
        uint32_t got = impl->copy(dst, src + at, size);
        uint32_t expected = reference(dst, size);
        if (got != expected)
            fail("%s: %zu bytes changed while they were copied: %08x, but %08x was stored", impl->name, size, got,
                 expected);
        moved += memcmp(dst, src + at, size) != 0;
        passed++;
    } while (clock() < until || (moved < 10 && clock() < at_most)); /* on one CPU they take turns */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    munmap(src, SIZE);
    if (moved < 10)
        fail("%s: the source hardly ever changed: nothing was shown", impl->name);
}

int main(int argc, char **argv) {
    if (argc > 1)
        scale = strtoul(argv[1], NULL, 0);
    seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (unsigned long long)time(NULL) * 1000003u + (unsigned)getpid();
    state = seed ? seed : 1;
    printf("seed %llu\n", seed);

    const rl_checksum_impl *available[RL_CHECKSUM_MAX];
    unsigned long capabilities = getauxval(AT_HWCAP);
    size_t count = rl_checksum_available(available, capabilities);
    if (count < 1 || strcmp(available[count - 1]->name, "portable") != 0)
        fail("the portable kernel is missing");
    if (rl_checksum_best(capabilities) != available[0])
        fail("the best is not the first");
#if defined(__aarch64__)
    if (strcmp(available[0]->name, "armcrc") != 0)
        fail("this CPU has no CRC instructions, or they were not noticed");
#endif
    for (size_t i = 0; i < count; i++) {
        passed = 0;
        known_vectors(available[i]);
        short_lengths(available[i]);
        every_head(available[i]);
        random_lengths(available[i]);
        against_fences(available[i]);
        changing_source(available[i]);
        printf("%-10s %lu cases passed\n", available[i]->name, passed);
    }
    return 0;
}
