/* fuzz_recover.c: putting in order whatever is there: after a killed writer, and after a crash of the machine.
 *
 * A recovery that says RL_OK leaves a ring whose ends fit each other and in which the next writer can write; a second
 * one changes nothing. A restart always does, since nothing but a commit record counts for it.
 */
#include "image.h"

static void check_usable(void) {
    rl_place tail, head;
    rl_append at;
    rl_entry entry;
    const uint8_t *data;
    CHECK(rl_ends(&ring, &tail, &head) == RL_OK);
    CHECK(ring.header->event_count == head.sequence);
    rl_reader reader;
    rl_reader_place(&reader, tail);
    int64_t events = 0;
    rl_ring_remember(&ring); /* as who opens it does: a restart, or a patch, has given the stream another id */
    while (rl_reader_next(&ring, &reader, &entry, &data) == RL_OK) {
        CHECK(++events <= CAPACITY / RL_ENTRY_SIZE);
        rl_reader_advance(&reader, &entry);
    }
    CHECK(reader.position <= head.position);
    if (head.position < RL_FURTHEST / 2 && head.sequence < RL_FURTHEST / 2) {
        CHECK(append(40, 1, pattern, &at) == RL_OK || ring.header->tail_offset < head.position);
        CHECK(at.position == head.position && at.sequence == head.sequence);
    }
}

static void recover(void) {
    static rl_header once;
    if (rl_recover(&ring) != RL_OK)
        return;
    once = *ring.header;
    CHECK(rl_recover(&ring) == RL_OK && memcmp(&once, ring.header, sizeof once) == 0);
    rl_commit_drop_ahead(&ring, checksum->sum);
    check_usable();
}

static void restart(script *s) {
    uint8_t stream[16], boot[16];
    rl_commit newest;
    int known = rl_commit_newest(&ring, &newest, checksum->sum) >= 0;
    memset(stream, next_byte(s), sizeof stream);
    memset(boot, next_byte(s), sizeof boot);
    rl_restart(&ring, stream, boot, 5, checksum->sum);
    CHECK(memcmp(ring.header->boot_id, boot, sizeof boot) == 0 && ring.header->owner == 0);
    CHECK(ring.header->write_offset == (known ? newest.head.position : RL_FIRST_POSITION));
    check_usable();
}

static void shorten(script *s) {
    rl_place want = {next_value(s), next_value(s)}, tail, head;
    if (!rl_place_possible(want))
        return;
    if (rl_commit_shorten(&ring, want, checksum->sum) == RL_COMMIT_OVERWRITTEN)
        rl_commit_drop_all(&ring, checksum->sum);
    rl_commit newest;
    if (rl_commit_newest(&ring, &newest, checksum->sum) < 0)
        return;
    tail = (rl_place){newest.tail.position, newest.tail.sequence};
    head = (rl_place){newest.head.position, newest.head.sequence};
    CHECK(rl_places_in_order(tail, head));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    script s = {data, data + size};
    if (!attach(&s))
        return 0;
    for (int step = 0; s.at < s.end && step < MOST_STEPS; step++) {
        uint8_t operation = next_byte(&s);
        switch (operation & 7) {
        case 0:
        case 1:
        case 2:
            patch(&s);
            break;
        case 3:
            restart(&s);
            break;
        case 4:
            shorten(&s);
            break;
        default:
            recover();
        }
    }
    return 0;
}
