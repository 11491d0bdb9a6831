/* ring_slots.c: the places in the header where writers, and readers that hold the writer back, are known. As slots.py
 * and mapping_slots.c do it, in the same order. */
#include "ring_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STUCK (10 * SECOND)
#define MILLISECOND INT64_C(1000000)

size_t ring_writer_byte(uint64_t slot) { return offsetof(rl_header, writers) + slot * sizeof(rl_writer_slot); }
size_t ring_reader_byte(uint64_t slot) { return sizeof(rl_header) + slot * sizeof(rl_reader_slot); }

/* The lease on the slot tables, which others hold only for moments. */
static int table_lease(rl_lease *table, const rl_mapping *m) {
    int64_t deadline = ring_deadline(STUCK);
    int error;
    while ((error = rl_lease_take(table, m, (int64_t)offsetof(rl_header, reader_bits))) == -EAGAIN) {
        if (rl_monotonic() >= deadline)
            return -ETIMEDOUT;
        rl_nap(MILLISECOND);
    }
    return error;
}

/* When this process started: nanoseconds since boot, and in Unix time. For people: leases decide who is alive. */
static void own_start(int64_t *since_boot, int64_t *unix_time) {
    char text[1024];
    unsigned long long ticks = 0;
    FILE *file = fopen("/proc/self/stat", "re");
    size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[got] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at)
        ticks = strtoull(at, NULL, 10);
    *since_boot = (int64_t)ticks * (SECOND / sysconf(_SC_CLK_TCK));
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    *unix_time = rl_now() - ((int64_t)boot.tv_sec * SECOND + boot.tv_nsec) + *since_boot;
}

int ring_claim_writer_slot(ring_writer *w) {
    rl_lease table;
    rl_header *h = w->map.ring.header;
    int error = table_lease(&table, &w->map), free_one = 0;
    if (error)
        return error;
    for (uint64_t index = 0; index < RL_MAX_WRITERS && !free_one; index++) {
        rl_writer_slot *slot = &h->writers[index];
        error = rl_lease_take(&w->lease, &w->map, (int64_t)ring_writer_byte(index));
        if (error == -EAGAIN)
            continue;
        if (error)
            break;
        free_one = 1;
        uint64_t epoch = rl_slot_next_epoch(RL_LOAD_RELAXED(&slot->state));
        RL_STORE_RELAXED(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_CLAIMED));
        RL_FENCE_RELEASE(); /* pairs with the acquire fence in state_stands: fields below are not the old holder's */
        slot->pid = getpid();
        own_start(&slot->since_boot, &slot->start_time);
        slot->opened = rl_now();
        RL_STORE_RELAXED(&slot->last_publish, 0);
        RL_STORE_RELEASE(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE)); /* pairs with rl_mapping_writer_slot */
        w->slot = slot;
        w->me = rl_owner_word(index, epoch);
    }
    if (free_one && RL_LOAD_RELAXED(&h->clean)) { /* not for long */
        RL_STORE_RELAXED(&h->clean, 0);
        error = w->map.in_memory ? 0 : rl_mapping_sync_header(&w->map);
        if (error)
            RL_STORE_RELAXED(&h->clean, 1); /* the disk may call it clean: who comes next takes that back there */
    }
    rl_lease_drop(&table);
    return free_one ? error : error == -EAGAIN ? -EBUSY : error;
}

int ring_release_reader(rl_mapping *m, rl_reader_slot *slot, uint64_t state) {
    rl_header *h = m->ring.header;
    int gone = slot->flags & RL_READER_NAMED ? RL_SLOT_PARKED : RL_SLOT_FREE; /* a name keeps its cursor */
    int done = RL_SWAP(&slot->state, state, RL_SLOT_STATE(RL_SLOT_EPOCH(state), gone));
    RL_FENCE_FULL_AFTER_RMW(); /* pairs with the full fence in rl_sleep_announce, of a writer without room */
    if (done && rl_sleepers_taken(&h->room_wanted, &h->room_futex))
        rl_wake_all(&h->room_futex);
    return done;
}

static int kept_for_a_name(const rl_reader_slot *slot) {
    int status = RL_SLOT_STATUS(RL_LOAD_ACQUIRE(&slot->state)); /* pairs with the release in rl_cursor_join */
    return slot->flags & RL_READER_NAMED && (status == RL_SLOT_ACTIVE || status == RL_SLOT_PARKED);
}

int ring_claim_reader_slot(ring_reader *r) {
    rl_lease table;
    int error = table_lease(&table, &r->map);
    if (error)
        return error;
    error = -EBUSY;
    for (uint32_t index = 0; index < r->map.ring.max_readers && error == -EBUSY; index++) {
        rl_reader_slot *slot = &rl_readers(r->map.ring.header)[index];
        if (kept_for_a_name(slot))
            continue;
        int taken = rl_lease_take(&r->lease, &r->map, (int64_t)ring_reader_byte(index));
        if (taken == -EAGAIN)
            continue;
        if (taken == 0 && kept_for_a_name(slot)) { /* a name that was joining may have joined and left */
            rl_lease_drop(&r->lease);
            continue;
        }
        error = taken;
        if (error)
            break;
        uint64_t epoch = rl_slot_next_epoch(RL_LOAD_RELAXED(&slot->state));
        RL_STORE_RELAXED(&slot->state, RL_SLOT_STATE(epoch, RL_SLOT_CLAIMED));
        RL_FENCE_RELEASE(); /* as for writers */
        slot->pid = getpid();
        own_start(&slot->since_boot, &slot->start_time);
        slot->opened = rl_now();
        RL_STORE_RELAXED(&slot->lost_from, 0);
        slot->flags = RL_READER_LOSSLESS;
        slot->name_size = 0;
        memset(slot->name, 0, sizeof slot->name);
        r->slot = slot;
        r->index = index;
    }
    rl_lease_drop(&table);
    return error;
}
