/* fuzz_read.c: every way to read, on a ring that says anything, while it changes.
 *
 * What may never be: memory outside the ring or the room touched, a walk without end, an event whose bytes do not
 * have the checksum that its entry had, or one that lies outside the window that the reader saw.
 */
#include "image.h"

static rl_reader reader;
static int64_t lost;

static void check_place(void) {
    CHECK(reader.position >= RL_FIRST_POSITION && reader.position < RL_FURTHEST + CAPACITY);
    CHECK(reader.sequence >= 0 && lost >= 0);
    CHECK(reader.head < reader.position || reader.head - reader.position <= ring.capacity);
}

static void overrun(void) { /* as reader_take.c does */
    rl_place tail;
    if (!rl_tail(&ring, &tail) || tail.position <= reader.position || tail.sequence <= reader.sequence)
        return;
    int64_t more = tail.sequence - reader.sequence;
    lost += more < INT64_MAX - lost ? more : INT64_MAX - lost;
    rl_reader_place(&reader, tail);
}

static int read_one(script *s, int in_place) {
    rl_entry entry;
    const uint8_t *data;
    rl_status status = rl_reader_next(&ring, &reader, &entry, &data);
    if (status == RL_OVERRUN)
        overrun();
    if (status != RL_OK)
        return 0;
    CHECK(data >= ring.data && data <= ring.data + CAPACITY + RL_ENTRY_SIZE && entry.timestamp > 0);
    CHECK(RL_ENTRY_SIZE + (int64_t)entry.size <= rl_largest_batch(&ring));
    CHECK(reader.position + RL_ENTRY_SIZE + (int64_t)entry.size <= reader.head);
    uint8_t *mine = malloc(entry.size ? entry.size : 1);
    uint32_t sum = copy(mine, data, entry.size);
    if (in_place) { /* as a view: summed where it is, looked at later */
        sum = checksum->sum(data, entry.size);
        memcpy(mine, data, entry.size);
    }
    status = rl_reader_check(&ring, &reader);
    if (status == RL_OK && sum == entry.checksum) {
        CHECK(independent_crc(mine, entry.size) == entry.checksum);
        rl_reader_advance(&reader, &entry);
    }
    free(mine);
    (void)s;
    return status == RL_OK && sum == entry.checksum;
}

static uint32_t expected[CAPACITY]; /* the checksum that stood before each copy */
static int64_t copies;

static uint32_t noting_copy(void *to, const void *from, size_t size) {
    rl_entry entry = rl_entry_at((const uint8_t *)from - RL_ENTRY_SIZE);
    CHECK(copies < CAPACITY && entry.size == size);
    expected[copies++] = entry.checksum;
    return copy(to, from, size);
}

/* As reader_batch.c does. */
static void read_columns(script *s) {
    int64_t limit = next_byte(s) + 1, most = (int64_t)next_word(s, 2) * 4, guess = next_byte(s) & 1;
    rl_place head;
    rl_entry first;
    const uint8_t *data;
    if (!rl_pair_load(&ring.header->write_offset, ring.header->head, &head)) {
        head.position = RL_LOAD_ACQUIRE(&ring.header->write_offset); /* as in reader_batch.c */
        head.sequence = 0;
    }
    rl_status status = rl_reader_head(&ring, &reader, head.position);
    if (status == RL_OK)
        status = rl_reader_next(&ring, &reader, &first, &data);
    if (status == RL_OVERRUN)
        overrun();
    if (status != RL_OK)
        return;
    if (lurking) /* between the plan's look and the copies' */
        patch(lurking);
    rl_columns c = {0};
    int sure = rl_columns_plan(&ring, &reader, &first, head.sequence, limit, most, (int)guess, &c);
    int64_t one = RL_ENTRY_SIZE + (int64_t)first.size;
    CHECK(c.data_max + c.count_max * RL_ENTRY_SIZE <= (most > one ? most : one));
    CHECK(c.count_max >= 1 && c.count_max <= limit && c.data_max >= 0 && c.data_max <= ring.capacity);
    c.data = malloc((size_t)c.data_max + 1);
    c.timestamps = malloc((size_t)c.count_max * 8);
    c.sizes = malloc((size_t)c.count_max * 4);
    c.data[c.data_max] = 77;
    copies = 0;
    rl_reader from = reader;
    status = rl_columns_take(&ring, &reader, &c, noting_copy);
    CHECK(c.count <= c.count_max && c.data_size <= c.data_max && c.data[c.data_max] == 77);
    CHECK(reader.sequence == from.sequence + c.count);
    CHECK(reader.position == from.position + c.data_size + c.count * RL_ENTRY_SIZE && reader.position <= reader.head);
    const uint8_t *event = c.data;
    for (int64_t k = 0; k < c.count; event += c.sizes[k++])
        CHECK(c.timestamps[k] > 0 && independent_crc(event, c.sizes[k]) == expected[k]);
    CHECK(event == c.data + c.data_size && status != RL_EMPTY);
    (void)sure;
    free(c.data);
    free(c.timestamps);
    free(c.sizes);
}

static void seek(int64_t goal, int by_time) {
    rl_place place;
    rl_status status = by_time ? rl_seek_time(&ring, goal, &place) : rl_seek_sequence(&ring, goal, &place);
    if (status != RL_OK)
        return;
    CHECK(rl_place_possible(place));
    rl_reader_place(&reader, place);
}

static void join(uint32_t slot) {
    rl_place place = {reader.position, reader.sequence};
    rl_reader_slot *mine = &rl_readers(ring.header)[slot];
    mine->state = RL_SLOT_STATE(rl_slot_next_epoch(mine->state), RL_SLOT_CLAIMED);
    CHECK(RL_SLOT_EPOCH(mine->state) > 0 && RL_SLOT_EPOCH(mine->state) < RL_SLOT_EPOCHS);
    if (rl_cursor_join(&ring, mine, slot, &place)) {
        CHECK(place.position >= reader.position && place.position < RL_FURTHEST + CAPACITY);
        rl_reader_place(&reader, place);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    script s = {data, data + size};
    rl_place tail, head;
    if (!attach(&s))
        return 0;
    rl_reader_place(&reader, rl_tail(&ring, &tail) ? tail : image_tail);
    lost = 0;
    for (int step = 0; s.at < s.end && step < MOST_STEPS; step++) {
        uint8_t operation = next_byte(&s);
        switch (operation & 15) {
        case 0:
        case 1:
            patch(&s);
            break;
        case 2:
            lurking = &s;
            break;
        case 3:
            read_columns(&s);
            break;
        case 4:
            seek(next_value(&s), operation & 16);
            break;
        case 5:
            join(next_byte(&s) % ring.max_readers);
            break;
        case 6:
            if (rl_ends(&ring, &tail, &head) == RL_OK) {
                CHECK(head.position - tail.position <= CAPACITY && rl_places_in_order(tail, head));
                rl_reader_place(&reader, operation & 16 ? tail : head);
            }
            break;
        case 7:
            CHECK(!rl_head(&ring, &head) || rl_place_possible(head));
            break;
        default:
            for (int count = operation >> 4; count >= 0 && read_one(&s, operation & 1); count--) {
            }
        }
        check_place();
    }
    return 0;
}
