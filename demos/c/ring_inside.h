/* ring_inside.h: what the files below ring_file.h share. */
#ifndef RING_INSIDE_H
#define RING_INSIDE_H

#include "platform.h"
#include "ring_file.h"
#include "ringlog/checksum.h"
#include "ringlog/owner.h"
#include "ringlog/recover.h"
#include "ringlog/sleepers.h"

#define SECOND INT64_C(1000000000)

struct ring_writer {
    rl_mapping map;
    const rl_checksum_impl *sum;
    rl_lease lease;
    rl_writer_slot *slot;
    uint64_t me, fork_generation;
    int64_t named_stride; /* in which we last saw that the file still has its name */
    int orphan; /* it has not */
    char semaphore_name[48];
    sem_t *semaphore; /* &own, if the named one can't be used: it is only the queue */
    sem_t own;
};

struct ring_reader {
    rl_mapping map;
    const rl_checksum_impl *sum;
    rl_reader at;
    rl_lease lease;
    rl_reader_slot *slot; /* NULL: lossy */
    uint32_t index;
    uint64_t fork_generation;
    int announce; /* may say in the header that it sleeps */
    int64_t name_checked;
    rl_patience patience;
    uint8_t *buffer;
    size_t room;
};

size_t ring_writer_byte(uint64_t slot); /* the byte whose lock is the lease of a slot */
size_t ring_reader_byte(uint64_t slot);
int ring_claim_writer_slot(ring_writer *w);
int ring_claim_reader_slot(ring_reader *r);
void ring_semaphore_open(ring_writer *w);
void ring_semaphore_close(ring_writer *w);
int64_t ring_deadline(int64_t timeout);
/* Let go of a reader's slot, or of a dead reader's, and wake who waits for room. */
int ring_release_reader(rl_mapping *m, rl_reader_slot *slot, uint64_t state);

#endif
