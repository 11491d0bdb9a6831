/* image.h: a ring that the input of a fuzzer scribbles on, and what may never come out of it.
 *
 * The input is a script: which of four honest rings to begin with, then operations, among them patches. A patch
 * writes a word by name, a pair with its record, or bytes anywhere; its values lie near head, tail and the ends of
 * what an integer holds, because that is where checks go wrong. One kind of patch waits and is applied in the middle
 * of the next copy, as another process would do it. Memory around the ring can't be touched.
 */
#ifndef RINGLOG_FUZZ_IMAGE_H
#define RINGLOG_FUZZ_IMAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define RL_PAIR_TRIES 8 /* nobody else is here: what doesn't fit now never will */
#include "ringlog/checksum.h"
#include "ringlog/columns.h"
#include "ringlog/owner.h"
#include "ringlog/recover.h"
#include "ringlog/seek.h"
#include "ringlog/sleepers.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { CAPACITY = 65536, HEADER = 65536, SLOTS = 8, IMAGES = 4, MOST_STEPS = 60, PAGE = 65536 };

static rl_ring ring;
static uint8_t images[IMAGES][HEADER + CAPACITY];
static rl_place image_tail, image_head; /* of the ring before anything was patched */
static const uint8_t nobody[16];
static const rl_checksum_impl *checksum;

/* ---- the script ---- */

typedef struct script {
    const uint8_t *at, *end;
} script;

static uint8_t next_byte(script *s) { return s->at < s->end ? *s->at++ : 0; }

static uint64_t next_word(script *s, int bytes) {
    uint64_t value = 0;
    for (int k = 0; k < bytes; k++)
        value |= (uint64_t)next_byte(s) << (8 * k);
    return value;
}

/* A number near something that matters, or any. */
static int64_t next_value(script *s) {
    uint8_t kind = next_byte(s);
    if (kind >= 0xe0)
        return (int64_t)next_word(s, 8);
    const int64_t bases[8] = {0,         image_head.position, image_tail.position, image_head.sequence,
                              CAPACITY, INT64_MAX,           INT64_MIN,           RL_FURTHEST};
    const int64_t units[4] = {1, RL_ENTRY_SIZE, CAPACITY / RL_STRIDES, CAPACITY};
    int64_t delta = (int8_t)next_byte(s) * units[kind >> 3 & 3];
    return (int64_t)((uint64_t)bases[kind & 7] + (uint64_t)delta);
}

/* ---- patches ---- */

typedef struct field {
    uint16_t offset, width, step, count; /* `count` of them, `step` apart */
} field;

#define WORD(name) {offsetof(rl_header, name), sizeof(((rl_header *)0)->name), 0, 1}
#define MARK(name) {offsetof(rl_header, marks) + offsetof(rl_mark, name), 8, sizeof(rl_mark), RL_MARKS}
#define WRITER(name) {offsetof(rl_header, writers) + offsetof(rl_writer_slot, name), 8, sizeof(rl_writer_slot), 4}
#define READER(name) {sizeof(rl_header) + offsetof(rl_reader_slot, name), 8, sizeof(rl_reader_slot), 2 * SLOTS}
#define COMMIT(name) {offsetof(rl_header, commits) + offsetof(rl_commit, name), 8, sizeof(rl_commit), 2}

static const field fields[] = {
    WORD(write_offset), WORD(event_count), WORD(last_timestamp), WORD(head[0].position),
    WORD(head[0].sequence), WORD(head[1].position), WORD(head[1].sequence), WORD(tail_offset),
    WORD(tail[0].position), WORD(tail[0].sequence), WORD(tail[1].position), WORD(tail[1].sequence),
    WORD(gate_offset), WORD(gate[0].position), WORD(gate[0].sequence), WORD(gate[1].position),
    WORD(gate[1].sequence), WORD(ended), WORD(removed), WORD(clean), WORD(restarts), WORD(owner),
    WORD(sleepers), WORD(room_wanted), WORD(commits_dirty), WORD(reader_bits[0]), WORD(start_timestamp),
    WORD(capacity), WORD(stride), WORD(data_start), WORD(mark_count), WORD(max_readers), WORD(max_writers),
    WORD(features), WORD(version), WORD(byte_order), MARK(position), MARK(sequence), MARK(timestamp),
    WRITER(state), READER(state), READER(cursor), READER(cursor_records[0].position),
    READER(cursor_records[0].sequence), READER(cursor_records[1].position), COMMIT(generation),
    COMMIT(head.position), COMMIT(head.sequence), COMMIT(tail.position), COMMIT(tail.sequence),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void patch_pair(script *s) {
    static const uint16_t words[] = {offsetof(rl_header, write_offset), offsetof(rl_header, tail_offset),
                                     offsetof(rl_header, gate_offset)};
    static const uint16_t records[] = {offsetof(rl_header, head), offsetof(rl_header, tail),
                                       offsetof(rl_header, gate)};
    uint8_t how = next_byte(s), which = how % 4;
    rl_place place = which ? image_tail : image_head;
    uint8_t *h = (uint8_t *)ring.header;
    if (!(how & 16))
        place.position = next_value(s);
    if (!(how & 32))
        place.sequence = next_value(s);
    if (which == 3)
        rl_cursor_store(&rl_readers(ring.header)[next_byte(s) % SLOTS], place);
    else
        rl_pair_store((int64_t *)(h + words[which]), (rl_record *)(h + records[which]), place);
    if (which == 0 && how & 64)
        ring.header->event_count = place.sequence;
}

/* A commit record that sums up, whatever it says: of the honest window but for some words. */
static void patch_commit(script *s) {
    uint8_t how = next_byte(s);
    rl_commit *c = &ring.header->commits[how & 1];
    c->generation = how & 2 ? (uint64_t)next_value(s) : 3;
    c->head.position = how & 4 ? next_value(s) : image_head.position;
    c->head.sequence = how & 8 ? next_value(s) : image_head.sequence;
    c->tail.position = how & 16 ? next_value(s) : image_tail.position;
    c->tail.sequence = how & 32 ? next_value(s) : image_tail.sequence;
    c->checksum = checksum->sum(c, offsetof(rl_commit, checksum));
}

/* A geometry that agrees with itself, but perhaps not with the file, or with what a ring may be. */
static void patch_geometry(script *s) {
    rl_header *h = ring.header;
    uint8_t shift = next_byte(s) % 63;
    h->capacity = ((int64_t)1 << shift) + (next_byte(s) & 1);
    h->stride = h->capacity / RL_STRIDES;
    h->max_readers = (uint32_t)next_value(s);
    h->data_start = rl_data_start(h->capacity, h->max_readers);
}

static void patch_bytes(script *s, uint8_t *memory, uint32_t size, uint32_t at) {
    for (uint8_t count = next_byte(s) % 32 + 1; count; count--)
        memory[at++ % size] = next_byte(s);
}

/* An entry's head at a boundary or beside one, with a chosen size and perhaps the right checksum. */
static void patch_entry(script *s) {
    int64_t at = next_value(s);
    rl_entry entry = {next_value(s), (uint32_t)next_value(s), (uint32_t)next_word(s, 4)};
    uint64_t offset = ((uint64_t)at - RL_FIRST_POSITION) & (uint64_t)ring.mask;
    if (next_byte(s) & 1 && entry.size <= CAPACITY / 2)
        entry.checksum = checksum->sum(ring.data + offset + RL_ENTRY_SIZE, entry.size);
    memcpy(ring.data + offset, &entry, sizeof entry);
}

static void patch(script *s) {
    uint8_t kind = next_byte(s);
    if (kind < 0x80) {
        const field *f = &fields[kind % FIELDS];
        uint32_t number = f->count > 1 ? next_byte(s) % f->count : 0;
        int64_t value = next_value(s);
        memcpy((uint8_t *)ring.header + f->offset + number * f->step, &value, f->width);
    } else if (kind < 0xa0) {
        patch_pair(s);
    } else if (kind < 0xb0) {
        patch_commit(s);
    } else if (kind < 0xb4) {
        patch_geometry(s);
    } else if (kind < 0xd0) {
        patch_entry(s);
    } else if (kind < 0xe8) {
        patch_bytes(s, ring.data, CAPACITY, (uint32_t)next_word(s, 2));
    } else {
        patch_bytes(s, (uint8_t *)ring.header, 32768, (uint32_t)next_word(s, 2));
    }
}

/* ---- copying, with somebody in the middle ---- */

static script *lurking; /* its next patch comes in the middle of the next copy */

static inline uint32_t copy(void *to, const void *from, size_t size) {
    const uint8_t *source = from;
    size_t half = lurking ? size / 2 : 0;
    uint8_t *target = to;
    if (half)
        memcpy(target, source, half);
    if (lurking) {
        script *s = lurking;
        lurking = NULL;
        patch(s);
    }
    checksum->copy(target + half, source + half, size - half);
    return checksum->sum(target, size);
}

/* CRC-32 by its definition, a byte at a time: nothing of ours in it. */
static uint32_t remainders[256];

static void make_remainders(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
        remainders[byte] = crc;
    }
}

#if defined(__clang__) /* a loop over each byte, and nothing to be covered in it */
__attribute__((no_sanitize("coverage", "address", "undefined"), noinline))
#endif
static inline uint32_t independent_crc(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffffu;
    for (size_t k = 0; k < size; k++)
        crc = crc >> 8 ^ remainders[(crc ^ data[k]) & 255];
    return ~crc;
}

/* ---- the honest rings ---- */

/* One event as writer_write.c appends it; readers that hold it back are taken for dead. */
static rl_status append(uint32_t size, int64_t timestamp, const uint8_t *data, rl_append *out) {
    rl_append a;
    rl_status status = rl_append_begin(&ring, &a);
    if (status != RL_OK)
        return status;
    *out = a;
    if (rl_room_short(&ring, &a, RL_ENTRY_SIZE + (int64_t)size)) {
        rl_place want, tail, head = {a.position, a.sequence};
        status = rl_room_find(&ring, &a, RL_ENTRY_SIZE + (int64_t)size, &want);
        if (status != RL_OK)
            return status;
        CHECK(rl_tail(&ring, &tail) && rl_places_in_order(tail, want) && rl_places_in_order(want, head));
        CHECK(a.position + RL_ENTRY_SIZE + (int64_t)size - want.position <= ring.capacity);
        rl_room_announce(&ring, want);
        for (int slot, tries = 0; (slot = rl_room_blocker(&ring, want.position)) >= 0; tries++) {
            CHECK((uint32_t)slot < ring.max_readers && tries <= (int)ring.max_readers);
            rl_readers(ring.header)[slot].state = RL_SLOT_STATE(1, RL_SLOT_FREE);
        }
        (void)rl_commit_shorten(&ring, want, checksum->sum);
        rl_room_take(&ring, want);
    }
    rl_append_put(&ring, &a, timestamp, data, size, checksum->copy);
    rl_append_publish(&ring, &a);
    return RL_OK;
}

static uint8_t pattern[CAPACITY];

static void make_image(int number) {
    static const int counts[IMAGES] = {0, 12, 2500, 90};
    static const uint32_t largest[IMAGES] = {1, 100, 60, 9000};
    rl_append ignored;
    memset(ring.header, 0, HEADER);
    memset(ring.data, 0, CAPACITY);
    rl_header_format(ring.header, CAPACITY, SLOTS, 1, nobody, nobody, nobody);
    for (int k = 0; k < counts[number]; k++)
        CHECK(append((uint32_t)k * 2654435761u % largest[number], k / 3 + 1, pattern + k % 251, &ignored) == RL_OK);
    if (number == 3) {
        rl_place head, tail;
        CHECK(rl_ends(&ring, &tail, &head) == RL_OK);
        rl_commit_store(&ring, head, tail, 30, checksum->sum);
    }
    memcpy(images[number], ring.header, HEADER);
    memcpy(images[number] + HEADER, ring.data, CAPACITY);
}

/* Address space with nothing in it, and the ring in its middle. */
static void make_ring(void) {
    size_t all = PAGE + HEADER + PAGE + 2 * CAPACITY + PAGE;
    int fd = memfd_create("ring", 0);
    uint8_t *at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(fd >= 0 && ftruncate(fd, HEADER + CAPACITY) == 0 && at != MAP_FAILED);
    int access = PROT_READ | PROT_WRITE, how = MAP_SHARED | MAP_FIXED;
    ring.header = mmap(at + PAGE, HEADER, access, how, fd, 0);
    ring.data = at + PAGE + HEADER + PAGE;
    for (int k = 0; k < 2; k++)
        CHECK(mmap(ring.data + k * CAPACITY, CAPACITY, access, how, fd, HEADER) != MAP_FAILED);
    close(fd);
    make_remainders();
    checksum = rl_checksum_best(0);
    for (size_t k = 0; k < sizeof pattern; k++)
        pattern[k] = (uint8_t)(k * 31 + k / 256);
    rl_header_format(ring.header, CAPACITY, SLOTS, 1, nobody, nobody, nobody);
    rl_ring_init(&ring, ring.header, ring.data);
    for (int number = 0; number < IMAGES; number++)
        make_image(number);
}

/* Begin anew with the script's ring, patched, and attach to it as mapping.c does. 0: it is refused. */
static int attach(script *s) {
    if (!ring.data)
        make_ring();
    uint8_t first = next_byte(s);
    memcpy(ring.header, images[first % IMAGES], HEADER);
    memcpy(ring.data, images[first % IMAGES] + HEADER, CAPACITY);
    lurking = NULL;
    ring.max_readers = SLOTS;
    CHECK(rl_ends(&ring, &image_tail, &image_head) == RL_OK);
    for (uint8_t count = first / IMAGES % 16; count; count--)
        patch(s);
    rl_header seen = *ring.header;
    const char *why;
    rl_status status = rl_header_check(&seen, HEADER + CAPACITY, &why);
    CHECK((status == RL_OK) == (*why == 0));
    if (status != RL_OK)
        return 0;
    rl_header *header = ring.header;
    rl_ring_init(&ring, &seen, ring.data);
    ring.header = header;
    CHECK(ring.capacity == CAPACITY && ring.stride == CAPACITY / RL_STRIDES); /* no other fits this file */
    CHECK(rl_header_bytes(ring.max_readers) <= HEADER);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef REPLAY /* without libFuzzer: every file that is named, once */
int main(int argc, char **argv) {
    static uint8_t input[1 << 16];
    for (int k = 1; k < argc; k++) {
        FILE *file = fopen(argv[k], "rb");
        CHECK(file != NULL);
        size_t size = fread(input, 1, sizeof input, file);
        fclose(file);
        uint8_t *exact = malloc(size ? size : 1); /* so that reading beyond it is seen */
        memcpy(exact, input, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
#endif
#endif
