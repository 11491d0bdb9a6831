/* fuzz_write.c: a writer on a ring that says anything: it writes nothing outside the data, never loops, and what it
 * has published can be read at once. Claims, commit records and the owner word with it.
 */
#include "image.h"

/* Published and nothing patched since: who stands there reads just that. */
static void check_published(const rl_append *at, uint32_t size, const uint8_t *data) {
    rl_place place = {at->position, at->sequence}, tail, head;
    rl_reader reader;
    rl_entry entry;
    const uint8_t *found;
    rl_reader_place(&reader, place);
    CHECK(rl_reader_next(&ring, &reader, &entry, &found) == RL_OK);
    CHECK(entry.size == size && entry.checksum == independent_crc(data, size));
    CHECK(memcmp(found, data, size) == 0 && rl_reader_check(&ring, &reader) == RL_OK);
    rl_reader_advance(&reader, &entry);
    CHECK(rl_head(&ring, &head) && head.position == reader.position && head.sequence == reader.sequence);
    if (rl_tail(&ring, &tail)) /* it isn't looked at whole until it has to move */
        CHECK(tail.position <= at->position && head.position - tail.position <= ring.capacity);
}

static void append_one(script *s, int large) {
    uint32_t size = large ? CAPACITY / 2 - RL_ENTRY_SIZE - next_byte(s) * 64u : next_byte(s);
    const uint8_t *data = pattern + next_byte(s);
    rl_append at;
    int64_t last = ring.header->last_timestamp;
    if (append(size, last > 0 ? last : 1, data, &at) == RL_OK)
        check_published(&at, size, data);
}

/* As writer_claim.c: written in place, sealed later. */
static void claim(script *s) {
    uint32_t size = next_byte(s);
    rl_append a, at;
    if (rl_append_begin(&ring, &a) != RL_OK || rl_room_short(&ring, &a, RL_ENTRY_SIZE + (int64_t)size))
        return;
    at = a;
    uint8_t *place = rl_at(&ring, a.position) + RL_ENTRY_SIZE;
    memcpy(place, pattern, size);
    if (next_byte(s) & 1) {
        patch(s); /* somebody else, while we hold it: only safety is left */
        rl_append_seal(&ring, &a, 1, size, checksum->sum(place, size));
        rl_append_publish(&ring, &a);
    } else {
        rl_append_seal(&ring, &a, 1, size, checksum->sum(place, size));
        rl_append_publish(&ring, &a);
        check_published(&at, size, pattern);
    }
}

/* What sync does, but for the disk. */
static void commit(script *s) {
    rl_append a;
    rl_place tail;
    rl_commit found;
    if (rl_append_begin(&ring, &a) != RL_OK || !rl_tail(&ring, &tail) || tail.position > a.position)
        return;
    rl_place head = {a.position, a.sequence};
    if (next_byte(s) & 1)
        rl_commit_drop_ahead(&ring, checksum->sum);
    rl_commit_store(&ring, head, tail, a.timestamp, checksum->sum);
    CHECK(ring.header->commits_dirty);
    if (!rl_places_in_order(tail, head))
        return;
    CHECK(rl_commit_newest(&ring, &found, checksum->sum) >= 0);
    CHECK(found.head.position == head.position && found.tail.position == tail.position);
    CHECK(found.generation > 0);
}

static void own(script *s) {
    uint64_t me = rl_owner_word(next_byte(s) % RL_MAX_WRITERS, rl_slot_next_epoch((uint64_t)next_value(s)));
    CHECK(me && !(me & RL_CONTENDED) && rl_owner_epoch(me) > 0);
    if (rl_owner_take(ring.header, me)) {
        rl_owner_contend(ring.header, ring.header->owner);
        CHECK(rl_owner_is(ring.header, me) && rl_owner_release(ring.header));
    }
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
            patch(&s);
            break;
        case 2:
            claim(&s);
            break;
        case 3:
            commit(&s);
            break;
        case 4:
            own(&s);
            break;
        case 5:
            rl_room_withdraw(&ring);
            break;
        default:
            for (int count = operation >> 3; count >= 0; count--)
                append_one(&s, operation & 8);
        }
    }
    return 0;
}
